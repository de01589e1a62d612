"""A function without its input: held for 5 s or 3 samples, then the tighter of that and the fallback; and back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from derctl.core.engine import step
from derctl.core.lost import Hold, SiteHold
from derctl.core.memories import memory_type
from derctl.core.plan import Plan
from derctl.core.sun import Memory as Sun
from derctl.core.types import Abstain, Decision, DerState, Fallback, Proposal, SiteProposal
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.reserve import Reserve
from derctl.functions.self_consumption import SelfConsumption
from derctl.functions.soc_guard import SocGuard
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt
from tests import make

LOST = Abstain("nothing comes", lost=True)


@dataclass
class Mouth:
    """Says what the test wants of its DER, or of the site."""

    kind: str = "mouth"
    rank: int = 20
    said: Any = LOST

    def start(self) -> int:
        return 0

    def step(self, memory: int, der: Any, site: Any, dt_s: float) -> tuple[int, Any]:
        return memory, self.said


@dataclass
class Line:
    """One DER through time; each sample is a new one."""

    function: Any = field(default_factory=Mouth)
    der: DerState = field(default_factory=make.pv)
    memories: dict[str, Any] = field(default_factory=dict)
    dt_s: float = 1.0
    also: tuple[str, ...] = ()

    def decide(self, said: Any = None, **reading: Any) -> Decision:
        if said is not None:
            self.function.said = said
        self.der = make.again(self.der, **reading)
        plan = Plan(der_functions=((self.function, (self.der.id,)),), also_on_device=frozenset(self.also))
        self.memories, (decision,) = step(plan, self.memories, make.site(self.der), self.dt_s)
        return decision

    def says(self, **values: Any) -> Decision:
        return self.decide(Proposal(by="mouth", rank=20, **values))

    def ceilings(self, seconds: int) -> list[float | None]:
        return [self.decide().setpoint.p_ceiling_w for _ in range(seconds)]

    def gone(self, **state: Any) -> None:
        self.function.said = LOST
        self.der = replace(self.der, **state)


def held_by(decision: Decision) -> list[tuple[str, int, str | None]]:
    return [(bound.by, bound.rank, bound.why) for bound in decision.bound_by]


def test_a_ceiling_is_held_for_5_s_and_then_the_tighter_of_it_and_the_fallback() -> None:
    for fallback_w, then in ((2_000.0, 2_000.0), (6_000.0, 4_400.0), (None, 4_400.0)):
        line = Line(der=make.pv(p_w=1.0, fallback=Fallback(p_ceiling_w=fallback_w)))
        line.says(p_ceiling_w=4_400.0)
        line.gone()
        assert line.ceilings(4) == [4_400.0] * 4
        assert held_by(line.decide()) == [("input_lost", 0, "held")]
        assert line.ceilings(600) == [then] * 600, "as long as the input stays away"
        assert line.decide().abstained == {"mouth": "nothing comes"}


def test_while_it_is_held_the_function_s_own_name_and_rank_stand() -> None:
    line = Line()
    line.says(p_ceiling_w=4_400.0)
    assert held_by(line.decide(LOST)) == [("mouth", 20, "held")]


@pytest.mark.parametrize("dt_s", [3.0, 10.0])
def test_a_device_of_few_samples_is_held_for_three_of_them(dt_s: float) -> None:
    """5 s would be one or two of its samples."""
    line = Line(der=make.pv(p_w=1.0, fallback=Fallback(p_ceiling_w=2_000.0)), dt_s=dt_s)
    line.says(p_ceiling_w=4_400.0)
    line.gone()
    assert line.ceilings(3) == [4_400.0, 4_400.0, 2_000.0]


def test_a_device_that_is_silent_gives_no_samples_to_wait_for() -> None:
    line = Line(der=make.pv(p_w=1.0, fallback=Fallback(p_ceiling_w=2_000.0)), dt_s=6.0)
    line.says(p_ceiling_w=4_400.0)
    line.gone(fresh=False)
    decision = line.decide()
    assert decision.setpoint.p_ceiling_w == 2_000.0 and held_by(decision)[0] == ("comms_loss", 0, None)


def test_an_input_that_comes_every_second_sample_lets_nothing_go() -> None:
    line = Line()
    for n in range(60):
        line.function.said = Proposal(by="mouth", rank=20, p_ceiling_w=4_400.0) if n % 2 == 0 else LOST
        assert line.decide().setpoint.p_ceiling_w == 4_400.0


def test_it_abstains_only_if_it_never_had_its_input() -> None:
    line = Line(der=make.pv(p_w=1.0, fallback=Fallback(p_ceiling_w=2_000.0)))
    line.gone()
    assert line.ceilings(30) == [10_000.0] * 30
    line.decide(Abstain("nothing to do"))
    line.gone()
    assert line.ceilings(6) == [10_000.0] * 4 + [2_000.0] * 2, "it had one, and nothing to say: the fallback counts"


def test_a_sample_with_the_input_gives_back_what_was_held_at_once_and_what_fell_on_a_ramp() -> None:
    line = Line(der=make.pv(p_w=1.0, fallback=Fallback(p_ceiling_w=2_000.0)))
    line.says(p_ceiling_w=4_400.0)
    line.decide(LOST)
    assert line.says(p_ceiling_w=9_000.0).setpoint.p_ceiling_w == 9_000.0
    line.gone()
    line.ceilings(20)
    assert line.says(p_ceiling_w=4_400.0).setpoint.p_ceiling_w == 3_000.0
    back = [line.decide().setpoint.p_ceiling_w for _ in range(3)]
    assert back == [4_000.0, 4_400.0, 4_400.0]
    assert held_by(line.decide()) == [("mouth", 20, None)]


def test_on_the_way_back_a_tighter_word_counts_at_once_and_a_missing_sample_holds() -> None:
    line = Line(der=make.pv(p_w=1.0, fallback=Fallback(p_ceiling_w=2_000.0)))
    line.says(p_ceiling_w=8_000.0)
    line.gone()
    line.ceilings(20)
    line.says(p_ceiling_w=8_000.0)
    line.gone()
    assert line.ceilings(2) == [3_000.0, 3_000.0]
    assert line.says(p_ceiling_w=8_000.0).setpoint.p_ceiling_w == 4_000.0
    assert line.says(p_ceiling_w=500.0).setpoint.p_ceiling_w == 500.0


def test_a_function_that_comes_back_with_nothing_to_say_opens_on_the_ramp_too() -> None:
    line = Line(der=make.pv(p_w=1.0, fallback=Fallback(p_ceiling_w=2_000.0)))
    line.decide(Abstain("nothing to do"))
    line.gone()
    line.ceilings(20)
    line.function.said = Abstain("nothing to do")
    assert line.ceilings(9) == [*(3_000.0 + 1_000.0 * n for n in range(8)), 10_000.0]


def store(**given: Any) -> Line:
    return Line(der=make.battery(p_w=0.0, **given))


def targets(line: Line, seconds: int) -> list[float | None]:
    return [line.decide().setpoint.p_target_w for _ in range(seconds)]


def test_what_raises_is_not_held_and_goes_to_0_within_10_s_without_a_step() -> None:
    line = store(fallback=Fallback())
    line.says(p_floor_w=3_000.0)
    line.gone()
    told = targets(line, 12)
    assert told == pytest.approx([*(3_000.0 - 300.0 * n for n in range(1, 11)), 0.0, 0.0])
    assert line.says(p_floor_w=3_000.0).setpoint.p_target_w == 500.0, "and comes back as it went"
    assert targets(line, 6) == pytest.approx([1_000.0, 1_500.0, 2_000.0, 2_500.0, 3_000.0, 3_000.0])


def test_a_target_of_a_function_without_input_goes_to_0_within_10_s() -> None:
    line = store(fallback=Fallback())
    line.says(p_target_w=-2_000.0)
    line.gone()
    assert targets(line, 11) == pytest.approx([*(-2_000.0 + 200.0 * n for n in range(1, 11)), 0.0])


def test_a_floor_that_only_forbids_charging_is_held_like_a_ceiling() -> None:
    line = store(fallback=Fallback())
    line.says(p_floor_w=-1_000.0, p_ceiling_w=1_000.0)
    line.gone()
    targets(line, 30)
    hold = line.memories["held/mouth/bat1"]
    assert (hold.given.p_floor_w, hold.given.p_ceiling_w) == (-1_000.0, 1_000.0)
    line.function.said = Abstain("nothing to do")
    line.decide()
    hold = line.memories["held/mouth/bat1"]
    assert (hold.given.p_floor_w, hold.given.p_ceiling_w) == (-1_500.0, 1_500.0), "both sides open on the ramp"


def test_a_ceiling_below_0_charges_and_so_it_is_held_at_its_own_rank_and_then_goes_to_rest() -> None:
    """At rank 0 it would charge a battery that its own protection has full."""
    line = store(fallback=Fallback())
    line.says(p_ceiling_w=-2_000.0)
    line.gone()
    told = targets(line, 16)
    assert told[:4] == [-2_000.0] * 4
    assert told[4:14] == pytest.approx([-1_800.0 + 200.0 * n for n in range(10)]) and told[14:] == [0.0, 0.0]
    assert held_by(line.decide()) == [("input_lost", 0, "held")]


def test_a_full_battery_is_not_charged_by_a_droop_that_lost_its_frequency() -> None:
    plan = Plan(der_functions=((SocGuard(), ("bat1",)), (FreqDroop(olrt_s=0.2), ("bat1",))))
    memories: dict[str, Any] = {}
    bat = make.battery(p_w=-3_000.0, f_hz=51.0, soc_pct=90.0)
    for n in range(40):
        bat = make.again(bat, f_hz=51.0 if n < 10 else None, soc_pct=90.0 if n < 20 else 96.0)
        memories, (decision,) = step(plan, memories, make.site(bat), 1.0)
        if n >= 20:
            assert decision.setpoint.p_target_w == 0.0


def test_nobody_is_raised_who_is_not_heard() -> None:
    line = store(fallback=Fallback())
    line.says(p_floor_w=3_000.0)
    line.gone(fresh=False, controllable=False)
    assert targets(line, 2) == [0.0, 0.0]


def test_var_is_held_then_goes_to_0_within_10_s_and_is_given_back_to_the_device() -> None:
    line = Line()
    line.says(q_var=-2_000.0)
    line.gone()
    told = [line.decide().setpoint.q_var for _ in range(16)]
    assert told[:4] == [-2_000.0] * 4
    assert told[4:13] == pytest.approx([-1_800.0 + 200.0 * n for n in range(9)])
    assert told[13:] == [None] * 3, "nobody asks for var: it is the device's own again"
    assert line.decide().setpoint.p_ceiling_w == 10_000.0, "a mode of var says nothing of the power"
    back = [line.says(q_var=-2_000.0).setpoint.q_var for _ in range(3)]
    assert back == [-1_000.0, -2_000.0, -2_000.0], "by a tenth of the apparent power a second"


def test_a_mode_that_speaks_of_power_and_of_var_falls_back_with_both() -> None:
    line = store(fallback=Fallback())
    line.says(p_floor_w=-500.0, p_ceiling_w=500.0, q_var=1_000.0)
    line.gone()
    targets(line, 10)
    given = line.memories["held/mouth/bat1"].given
    assert (given.p_ceiling_w, given.p_floor_w) == (500.0, -500.0) and 0.0 < given.q_var < 1_000.0


# ---- the functions themselves


GONE = [
    (VoltWatt(olrt_s=0.5), {"v_pu": 1.09}, {"v_v": None}, 4_000.0),
    (FreqDroop(olrt_s=0.2), {"f_hz": 50.5, "p_w": 6_000.0}, {"f_hz": None}, 4_144.0),
    (FreqDroop(olrt_s=0.2), {"f_hz": 50.5, "p_w": 6_000.0}, {"p_w": None}, 4_144.0),
]


@pytest.mark.parametrize(("function", "reads", "gone", "ceiling_w"), GONE)
def test_one_sample_without_its_input_changes_nothing(
    function: Any, reads: dict[str, Any], gone: dict[str, Any], ceiling_w: float
) -> None:
    """Volt-watt let an inverter go from 4.4 to 10 kW for one sample without a voltage."""
    line = Line(function=function, der=make.pv(**{"p_w": 1.0, "fallback": Fallback(p_ceiling_w=2_000.0), **reads}))
    for _ in range(20):
        before = line.decide(**reads).setpoint.p_ceiling_w
    assert before == pytest.approx(ceiling_w, abs=5.0)
    assert line.decide(**gone).setpoint.p_ceiling_w == before
    assert line.decide(**reads).setpoint.p_ceiling_w == pytest.approx(before, abs=1.0)
    assert [line.decide(**gone).setpoint.p_ceiling_w for _ in range(9)][-1] == 2_000.0


def test_the_var_of_volt_var_goes_on_after_a_missing_sample_where_it_was() -> None:
    line = Line(function=VoltVar(), der=make.pv(v_pu=1.05, q_var=0.0))
    before = [line.decide(v_pu=1.05).setpoint.q_var for _ in range(30)][-1]
    assert line.decide(v_v=None).setpoint.q_var == before
    assert line.decide(v_pu=1.05).setpoint.q_var == pytest.approx(before, abs=1.0)


@pytest.mark.parametrize("function", [SocGuard(), Reserve(min_pct=20.0)])
def test_a_battery_that_misses_its_charge_for_a_sample_goes_on_and_rests_after_5_s(function: Any) -> None:
    line = store(soc_pct=60.0)
    line.function = function

    def held(soc: float | None) -> tuple[float | None, float | None]:
        line.decide(soc_pct=soc)
        given = line.memories[f"held/{function.kind}/bat1"].given
        return (None, None) if given is None else (given.p_ceiling_w, given.p_floor_w)

    assert [held(soc) for soc in (60.0, None, None, 60.0, None)] == [(None, None)] * 5
    assert [held(None) for _ in range(9)][-1][0] == 0.0


def test_a_mode_of_the_device_that_cannot_be_read_any_more_lets_nothing_go() -> None:
    line = Line(also=("mouth",), der=make.pv(own_off=("mouth",), fallback=Fallback(p_ceiling_w=2_000.0)))
    line.says(p_ceiling_w=4_400.0)
    told = [line.decide(own_off=()).setpoint.p_ceiling_w for _ in range(6)]
    assert told == [4_400.0] * 4 + [2_000.0] * 2
    assert line.decide(own_on=("mouth",)).setpoint.p_ceiling_w == 10_000.0, "the device runs it: nothing adds up"


# ---- of the site


def site_line(said: Any) -> tuple[Any, Any]:
    mouth: Any = Mouth(rank=70, said=said)
    memories: Any = {}

    def tick(said: Any, *ders: DerState) -> tuple[Any, Decision]:
        nonlocal memories
        mouth.said = said
        plan = Plan(site_functions=((mouth, tuple(der.id for der in ders)),))
        memories, decisions = step(plan, memories, make.site(*ders), 1.0)
        return memories, decisions[0]

    return mouth, tick


def test_the_target_of_a_site_function_goes_to_0_within_10_s_and_its_ceiling_stands() -> None:
    bat, pv = make.battery(p_w=0.0), make.pv(p_w=0.0)
    for raises in ("p_target_w", "p_floor_w"):
        _, tick = site_line(LOST)
        assert tick(LOST, bat, pv)[1].setpoint.p_target_w == 0.0, "it never had its input"
        raised: dict[str, Any] = {raises: 2_000.0}
        wish = SiteProposal(by="mouth", rank=70, over=("bat1", "pv1"), p_ceiling_w=4_000.0, **raised)
        assert tick(wish, bat, pv)[1].setpoint.p_target_w == 2_000.0
        told = [tick(LOST, bat, pv)[1].setpoint.p_target_w for _ in range(11)]
        assert told == pytest.approx([*(2_000.0 - 200.0 * n for n in range(1, 11)), 0.0])
        memories, decision = tick(LOST, bat, pv)
        assert memories["held/mouth"].lost_s == 12.0 and decision.abstained == {"mouth": "nothing comes"}
        away = replace(bat, fresh=False, controllable=False)
        assert tick(LOST, away, pv)[0]["held/mouth"].said.over == ("bat1", "pv1")
        assert "held/mouth" not in tick(Abstain("nothing to do"), bat, pv)[0]


def test_a_site_floor_that_only_forbids_charging_is_held_and_nothing_is_left_of_a_target_alone() -> None:
    bat = make.battery(p_w=0.0)
    _, tick = site_line(LOST)
    wish = SiteProposal(by="mouth", rank=15, over=("bat1",), p_floor_w=-1_000.0, p_ceiling_w=-1_000.0)
    sunny = make.pv(p_w=5_000.0)
    tick(wish, bat, sunny)
    assert [tick(LOST, bat, sunny)[1].setpoint.p_target_w for _ in range(20)][-1] == -1_000.0
    tick(SiteProposal(by="mouth", rank=70, over=("bat1",), p_target_w=500.0), bat)
    assert [tick(LOST, bat)[1].setpoint.p_target_w for _ in range(12)][-1] == 0.0


def test_self_consumption_that_loses_its_meter_makes_no_step_and_begins_anew_at_what_is_measured() -> None:
    plan = Plan(site_functions=((SelfConsumption(), ("bat1",)),))
    memories: Any = {}
    p_w, told = 0.0, []
    for n in range(40):
        heard = not 20 <= n < 24
        poc = make.meter(p_w - 2_000.0 if heard else None, sample=n)
        memories, (decision,) = step(plan, memories, make.site(make.battery(p_w=p_w), poc=poc), 1.0)
        told.append(decision.setpoint.p_target_w)
        p_w = told[-1]
    assert told[19] == pytest.approx(2_000.0, abs=40.0)
    assert told[20:24] == pytest.approx([told[19] * share for share in (0.9, 0.8, 0.7, 0.6)])
    assert told[24] - told[23] <= 500.0 and told[-1] == pytest.approx(2_000.0, abs=40.0)


# ---- reading ticks back


def test_a_tick_s_memories_are_read_back_as_what_they_are() -> None:
    plan = Plan(der_functions=((VoltVar(), ("pv1",)),), site_functions=((SelfConsumption(), ("pv1",)),))
    assert memory_type(plan, "held/volt_var/pv1") is Hold and memory_type(plan, "held/self_consumption") is SiteHold
    assert memory_type(plan, "sun") is Sun
    assert memory_type(plan, "volt_var/pv1") is type(VoltVar().start())
    assert memory_type(plan, "self_consumption") is type(SelfConsumption().start())
    with pytest.raises(LookupError):
        memory_type(plan, "tesla_coil")
