"""A rating of 0 (an EV charger gives nothing, a device states no apparent power) divides nothing and ends nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derctl.core.plan import Plan
from derctl.core.requests import BatteryRequest, LimitRequest
from derctl.core.types import Abstain, Capability, DerState, PocState, Port, Rating, Setpoint
from derctl.functions import ROWS, Scope, plan_of
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.export_memory import Memory as ContractMemory
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.meter_trust import Trust, weigh
from derctl.functions.volt_watt import VoltWatt
from tests import make
from tests.catalogue import made
from tests.timeline import DerTimeline, PlanTimeline, SiteTimeline

FUNCTIONS: dict[str, Any] = {kind: made(kind) for kind in ROWS}
OF_A_DER = [kind for kind, row in ROWS.items() if row.scope is Scope.DER]
OF_THE_SITE = [kind for kind, row in ROWS.items() if row.scope is Scope.SITE]

SIZE = st.sampled_from([0.0, 0.0, 7_400.0])
RATINGS = st.builds(
    Rating,
    p_max_w=SIZE,
    p_min_w=SIZE.map(lambda watts: -watts),
    s_max_va=SIZE,
    q_inj_max_var=SIZE,
    q_abs_max_var=SIZE,
    v_nom_v=st.just(230.0),
)
POWER = st.none() | st.floats(-8_000.0, 8_000.0)
PORTS = st.builds(Port, limit=st.booleans(), aim=st.booleans(), var=st.booleans())


@st.composite
def ders(draw: st.DrawFn, rating: Rating, name: str) -> DerState:
    fresh = draw(st.booleans()) or draw(st.booleans())
    return make.der(
        name,
        rating,
        Capability(ac=draw(PORTS)),
        p_w=draw(POWER),
        q_var=draw(POWER),
        v_pu=draw(st.floats(0.85, 1.15)),
        f_hz=draw(st.sampled_from([50.0, 49.0, 50.5, 51.0])),
        soc_pct=draw(st.none() | st.floats(0.0, 100.0)),
        p_charge_limit_w=draw(st.none() | SIZE),
        p_discharge_limit_w=draw(st.none() | SIZE),
        accepted=draw(st.none() | st.builds(Setpoint, p_ceiling_w=st.none() | SIZE, p_target_w=POWER)),
        fresh=fresh,
        controllable=fresh,
    )


def numbers(said: Any) -> list[float]:
    """What it asks for."""
    names = ("p_ceiling_w", "p_floor_w", "p_target_w", "q_var")
    return [value for name in names if (value := getattr(said, name, None)) is not None]


def meters(n: int) -> st.SearchStrategy[PocState | None]:
    return st.none() | st.builds(make.meter, st.floats(-9_000.0, 9_000.0), sample=st.just(n))


REQUESTS = (
    LimitRequest(id="1", by="home", der="a", p_ceiling_w=1_000.0, remaining_s=60.0),
    LimitRequest(id="2", by="home", der=None, p_ceiling_w=1_000.0, remaining_s=60.0),
    BatteryRequest(id="3", by="home", der="a", p_target_w=-500.0, remaining_s=60.0),
)


@pytest.mark.parametrize("kind", OF_A_DER)
@settings(max_examples=20)
@given(data=st.data())
def test_every_function_of_a_der_stands_every_rating(kind: str, data: st.DataObject) -> None:
    time, rating = DerTimeline(FUNCTIONS[kind]), data.draw(RATINGS)
    for _ in range(4):
        said = time.at(data.draw(ders(rating, "a")), dt_s=data.draw(st.floats(0.0, 10.0)), requests=REQUESTS)
        assert all(map(math.isfinite, numbers(said)))


@pytest.mark.parametrize("kind", OF_THE_SITE)
@settings(max_examples=20)
@given(data=st.data())
def test_every_function_of_the_site_stands_every_rating(kind: str, data: st.DataObject) -> None:
    time, ratings = SiteTimeline(FUNCTIONS[kind]), {name: data.draw(RATINGS) for name in ("a", "b")}
    for n in range(6):
        there = [data.draw(ders(rating, name)) for name, rating in ratings.items()]
        said = time.at(*there, dt_s=data.draw(st.floats(0.0, 10.0)), poc=data.draw(meters(n)), requests=REQUESTS)
        assert all(map(math.isfinite, numbers(said)))


@settings(max_examples=40)
@given(data=st.data())
def test_all_functions_at_once_decide_within_every_rating(data: st.DataObject) -> None:
    plan = plan_of([(FUNCTIONS[k], ("a", "b")) for k in OF_A_DER], [(FUNCTIONS[k], ("a", "b")) for k in OF_THE_SITE])
    time, ratings = PlanTimeline(plan), {name: data.draw(RATINGS) for name in ("a", "b")}
    for n in range(4):
        there = [data.draw(ders(rating, name)) for name, rating in ratings.items()]
        told = time.told(*there, dt_s=data.draw(st.floats(0.0, 10.0)), poc=data.draw(meters(n)), requests=REQUESTS)
        for name, rating in ratings.items():
            assert all(map(math.isfinite, numbers(told[name])))
            for watts in (told[name].p_ceiling_w, told[name].p_target_w):
                assert watts is None or rating.p_min_w - 1e-6 <= watts <= rating.p_max_w + 1e-6


@pytest.mark.parametrize("function", [VoltWatt(), FreqDroop()])
def test_per_unit_of_nothing_is_nothing(function: Any) -> None:
    nothing = make.der("x", make.rating(p_max_w=0.0), Capability(), v_pu=1.09, f_hz=51.0, p_w=0.0)
    assert DerTimeline(function).at(nothing) == Abstain("no active-power rating")


@pytest.mark.parametrize(("p2_pu", "ceiling_w"), [(0.2, 0.0), (0.0, 0.0), (-0.5, -3_700.0), (-1.0, -7_400.0)])
def test_volt_watt_of_a_charger_is_per_unit_of_what_it_draws(p2_pu: float, ceiling_w: float) -> None:
    """1547-2018 table 10: P'2 of storage is of its charge rating; what gives nothing has nothing to curtail."""
    time, charger = DerTimeline(VoltWatt(p2_pu=p2_pu)), make.charger(v_pu=1.10, p_w=0.0)
    time.at(charger, dt_s=0.0)
    assert time.proposes(charger, dt_s=1e6).p_ceiling_w == pytest.approx(ceiling_w)


@pytest.mark.parametrize(
    ("f_hz", "field", "watts"),
    [
        (50.5, "p_ceiling_w", -3_000.0 - 7_400.0 * 0.464 / 2.5),
        (49.5, "p_floor_w", -3_000.0 + 7_400.0 * 0.464 / 2.5),
        (52.0, "p_ceiling_w", -7_400.0),
        (47.0, "p_floor_w", 0.0),
    ],
)
def test_droop_of_a_charger_follows_the_formula_between_full_draw_and_none(
    f_hz: float, field: str, watts: float
) -> None:
    """6.5.2.7 with the rating that it has: 7.4 kW towards it, none away from it."""
    time = DerTimeline(FreqDroop())
    time.at(make.charger(p_w=-3_000.0, f_hz=50.0), dt_s=0.0)
    time.at(make.charger(p_w=-3_000.0, f_hz=f_hz), dt_s=1.0)
    said = time.proposes(make.charger(p_w=-3_000.0, f_hz=f_hz), dt_s=1e7)
    assert getattr(said, field) == pytest.approx(watts, abs=0.1)


def test_after_over_frequency_a_charger_is_let_go_on_a_ramp() -> None:
    time = DerTimeline(FreqDroop(return_pu_per_s=0.05))
    for f_hz, seconds in ((50.0, 1), (50.5, 60), (50.0, 60)):
        said = time.through([make.charger(p_w=-3_000.0, f_hz=f_hz)] * seconds)[-1]
    assert said == Abstain("inside the dead band")


def test_a_charger_that_took_the_surplus_is_let_go_when_there_is_none() -> None:
    """PV of somebody else exports 5 kW under a limit of 3 kW; then the sun sets. 10 % of what it draws a second."""
    contract = ContractExportLimit(limit_w=3_000.0, margin_w=100.0)
    proven = {"contract_export_limit": ContractMemory(trust=Trust(proven=True))}
    time = PlanTimeline(Plan(site_functions=((contract, ("ev1",)),)), memories=proven)
    p_w, exports = 0.0, []
    for n in range(120):
        sun_w = 5_000.0 if n < 60 else 0.0
        exports.append(p_w + sun_w)
        told = time.told(make.charger(p_w=p_w, sample=n), poc=make.meter(exports[-1] + n % 2 * 1e-3, sample=n))
        p_w = told["ev1"].p_target_w or 0.0
    assert exports[59] == pytest.approx(2_900.0, abs=50.0), "it drew what was too much"
    assert p_w == 0.0 and time.memories["contract_export_limit"].ceiling_w >= 0.0


def test_flutter_of_a_charger_is_no_step_and_a_real_step_is_one() -> None:
    def seen(steps: list[tuple[float, float]]) -> Trust:
        trust = Trust()
        for n, (draws_w, poc_w) in enumerate(steps):
            trust = weigh(trust, make.meter(poc_w, sample=n), [make.charger(p_w=draws_w)], float(n))
        return trust

    flutter = seen([(-1.0 * (n % 2), float(n)) for n in range(20)])
    assert (flutter.agreed, flutter.slept, flutter.strikes, flutter.went) == (0, 0, 0, 0.0)
    assert seen([(0.0, -500.0), (-7_000.0, -7_500.0), (0.0, -500.0)]).proven
    nobody = make.der("x", make.rating(p_max_w=0.0), Capability(), p_w=0.0)
    silent = weigh(Trust(), make.meter(0.0, sample=1), [nobody], 0.0)
    assert silent == Trust(sample=1)
