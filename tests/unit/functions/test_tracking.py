"""While nothing is written: however long one looks, the first setpoint is that of a start."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derctl.core import heed
from derctl.core.engine import step
from derctl.core.response import Lag
from derctl.core.types import Decision, SiteState
from derctl.functions import ROWS
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.export_memory import Memory as ContractMemory
from derctl.functions.freq_droop import Memory as DroopMemory
from derctl.functions.freq_droop import uncut_event
from derctl.functions.meter_trust import PROBE_EVERY_S, PROBE_S, Trust
from derctl.functions.tracking import tracked
from tests import make
from tests.catalogue import ALL, CONTRACT_W, IMPORT_W, PLAN

MARGIN_W, GAIN = 140.0, 1.0
RULES = replace(
    PLAN,
    der_functions=tuple(each for each in PLAN.der_functions if not ROWS[each[0].kind].passes_on),
    site_functions=tuple(each for each in PLAN.site_functions if each[0].kind == "contract_export_limit"),
)
"""Without wishes: what is left moves a DER only where it must."""


def proven() -> dict[str, Any]:
    """A meter that was seen to follow the inverters."""
    return {ContractExportLimit.kind: ContractMemory(trust=Trust(proven=True))}


@dataclass
class Site:
    """Two inverters, a battery and a load that follow at once what they are told; nothing moves while one looks."""

    pv_w: tuple[float, float] = (4_750.0, 9_500.0)
    load_w: float = 900.0
    bat_w: float = 0.0
    v_pu: float = 1.0
    f_hz: float = 50.0
    told: dict[str, float] = field(default_factory=dict)
    n: int = 0

    @property
    def given_w(self) -> list[float]:
        most = (self.told.get("pv1", 1e9), self.told.get("pv2", 1e9))
        return [*(min(w, limit) for w, limit in zip(self.pv_w, most, strict=True)), self.told.get("bat1", self.bat_w)]

    @property
    def export_w(self) -> float:
        return sum(self.given_w) - self.load_w

    def state(self) -> SiteState:
        self.n += 1
        pv1, pv2, bat = self.given_w
        seen: dict[str, Any] = {"v_pu": self.v_pu, "f_hz": self.f_hz, "q_var": 0.0, "sample": self.n}
        return make.site(
            make.pv("pv1", p_max_w=5_000.0, p_w=pv1, **seen),
            make.pv("pv2", p_w=pv2, **seen),
            make.battery(
                "bat1", p_w=bat, soc_pct=60.0, p_charge_limit_w=5_000.0, p_discharge_limit_w=5_000.0, **seen
            ),
            poc=make.meter(self.export_w, sample=self.n),
            t_s=float(self.n),
        )

    def obey(self, decisions: tuple[Decision, ...]) -> None:
        for each in decisions:
            told = each.setpoint
            self.told[each.der] = told.p_target_w if told.p_target_w is not None else told.p_ceiling_w or 0.0


def looked(site: Site, plan: Any, memories: dict[str, Any], ticks: int) -> tuple[dict[str, Any], Any]:
    """So many ticks of a daemon that writes nothing, and what it would have written last."""
    decisions: Any = ()
    for _ in range(ticks):
        memories, decisions = step(plan, tracked(memories), site.state(), 1.0)
    return memories, decisions


@pytest.mark.parametrize("looks", [1, 60])
def test_thirteen_kilowatts_of_export_come_down_to_the_contract_and_never_to_an_import(looks: int) -> None:
    """The case that was seen: 13.3 kW of export, and 4.2 kW of import 1.4 s after arming."""
    site = Site()
    memories, decisions = looked(site, PLAN, proven(), looks)
    assert site.export_w == pytest.approx(13_350.0)
    exports = []
    for _ in range(40):
        site.obey(decisions)
        exports.append(site.export_w)
        memories, decisions = step(PLAN, memories, site.state(), 1.0)
    assert min(exports) > -100.0
    assert max(exports[15:]) <= CONTRACT_W


@pytest.mark.no_cover
@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), looks=st.integers(2, 90))
def test_the_first_tick_moves_each_der_by_no_more_than_a_rule_demands_at_once(seed: int, looks: int) -> None:
    chance = random.Random(seed)
    site = Site(
        pv_w=(chance.uniform(0.0, 4_700.0), chance.uniform(0.0, 9_400.0)),  # nearer to its rating one may want more
        load_w=chance.uniform(0.0, 12_000.0),
    )
    excess_w = max(site.export_w - (CONTRACT_W - MARGIN_W), -site.export_w - (IMPORT_W - MARGIN_W), 0.0)
    _, decisions = looked(site, RULES, proven(), looks)
    before_w = site.given_w
    site.obey(decisions)
    moved = [abs(after - was) for after, was in zip(site.given_w, before_w, strict=True)]
    assert sum(moved) <= GAIN * excess_w + 1e-6
    assert all(abs(each.setpoint.q_var or 0.0) < 1e-6 for each in decisions), "var begins at what is measured"


@pytest.mark.no_cover
@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), looks=st.integers(1, 90))
def test_however_long_one_looked_it_begins_as_one_that_starts_now(seed: int, looks: int) -> None:
    """Every function of the catalogue at once: voltage and frequency outside their bands, too."""
    chance = random.Random(seed)
    site = Site(
        pv_w=(chance.uniform(0.0, 5_000.0), chance.uniform(0.0, 10_000.0)),
        load_w=chance.uniform(0.0, 12_000.0),
        bat_w=chance.uniform(-5_000.0, 5_000.0),
        v_pu=chance.uniform(0.9, 1.1),
        f_hz=50.0 + chance.uniform(-0.5, 0.5),
    )
    first = looked(site, PLAN, tracked(proven()), 2)[1]
    later = looked(site, PLAN, tracked(proven()), 2 + looks)[1]
    for a, b in zip(first, later, strict=True):
        assert b.setpoint.p_ceiling_w == pytest.approx(a.setpoint.p_ceiling_w)
        assert b.setpoint.p_target_w == pytest.approx(a.setpoint.p_target_w)
        assert b.setpoint.q_var == pytest.approx(a.setpoint.q_var)


def test_the_meter_s_proof_stays_and_no_probe_comes_with_the_first_setpoint() -> None:
    wound_up = ContractMemory(
        ceiling_w=-5_000.0,
        floor_w=0.0,
        sample=9,
        lost=True,
        good=2,
        over=ALL,
        excess_w=900.0,
        trust=Trust(proven=True),
    )
    left = tracked({"contract_export_limit": wound_up})["contract_export_limit"]
    assert (left.ceiling_w, left.floor_w, left.excess_w, left.sample) == (None, None, 0.0, -1)
    assert (left.lost, left.good, left.trust.proven) == (True, 2, True)
    assert PROBE_S <= left.unproven_s < PROBE_EVERY_S


def test_what_a_battery_said_of_its_limits_is_not_forgotten() -> None:
    heard = object()
    kept = {f"{kind}/bat1": heard for kind in ("bms_guard", "soc_guard", "reserve")}
    assert tracked(kept) == kept


def test_what_was_told_while_nothing_is_written_was_heeded_by_nobody() -> None:
    assert tracked({"heed": heed.START}) == {}


def test_the_memory_of_who_is_no_function_is_left_alone() -> None:
    assert tracked({"elsewhere/pv1": 3, "volt_var/pv1": 3}) == {"elsewhere/pv1": 3}


AT = Lag(y=0.5, u=0.4)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (DroopMemory(p_last=0.7), DroopMemory(p_last=0.7)),
        (DroopMemory(p_pre=0.8, side=1, lag=AT), DroopMemory(p_pre=0.8, side=1, lag=AT)),  # just revived
        # over-frequency: nobody cut it, so the response begins at what it gives, at most at what it gave before
        (
            DroopMemory(p_pre=0.8, side=1, lag=AT, p_last=0.8),
            DroopMemory(p_pre=0.8, side=1, lag=Lag(y=0.8, u=0.8), p_last=0.8),
        ),
        (
            DroopMemory(p_pre=0.8, side=1, lag=AT, p_last=0.9),
            DroopMemory(p_pre=0.8, side=1, lag=Lag(y=0.8, u=0.8), p_last=0.9),
        ),
        # under-frequency: nobody lifted it
        (
            DroopMemory(p_pre=0.2, side=-1, lag=AT, p_last=0.2),
            DroopMemory(p_pre=0.2, side=-1, lag=Lag(y=0.2, u=0.2), p_last=0.2),
        ),
        # after the event nothing has to return on a ramp
        (DroopMemory(p_pre=0.6, side=1, lag=AT, p_last=0.9, back=True), DroopMemory(p_last=0.9)),
    ],
)
def test_a_droop_event_that_nobody_followed_begins_at_what_is_measured(
    before: DroopMemory, after: DroopMemory
) -> None:
    assert uncut_event(before) == after


@pytest.mark.parametrize("away_hz", [0.5, -0.5])
def test_a_droop_event_that_was_only_looked_at_ends_with_the_event(away_hz: float) -> None:
    site, memories = Site(f_hz=50.0 + away_hz), dict[str, Any]()
    memories, _ = looked(site, RULES, memories, 30)
    assert memories["freq_droop/pv2"].p_pre is not None
    site.f_hz, site.pv_w = 50.0, (1_000.0, 2_000.0)
    memories, _ = looked(site, RULES, memories, 30)
    assert memories["freq_droop/pv2"].p_pre is None
