"""Who comes back moves nobody by what it claims, and counts soon where the meter shows it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from derctl.core import belief, lost, trial
from derctl.core.doublet import Doublet
from derctl.core.evidence import Need
from derctl.core.memories import memory_type
from derctl.core.plan import Plan
from derctl.core.trial import Case, Level, Memory, Probe
from derctl.core.types import Abstain, Setpoint, SiteProposal, SiteState, Trial
from derctl.core.words import Belief
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.probe import Probe as Steps
from tests import make
from tests.roof import Roof, Unit, away, flapping
from tests.timeline import PlanTimeline

LIMIT_W, LOAD_W = 9000.0, 900.0
OURS = ("pv1", "pv2")
ROOM_W = LIMIT_W - 0.02 * LIMIT_W + LOAD_W
"""What the two may give together: the margin is kept."""


def two(**second: Any) -> dict[str, Unit]:
    """Two inverters that give more than may go out."""
    return {
        "pv1": Unit(5_000.0, sun_w=lambda t_s: 4_750.0),
        "pv2": Unit(10_000.0, sun_w=lambda t_s: 9_500.0, **second),
    }


def liars(number: int) -> dict[str, Unit]:
    """Each claims 8 kW, and comes and goes at its own pace."""
    return {
        f"liar{i}": Unit(
            10_000.0,
            sun_w=lambda t_s: 0.0,
            claims=lambda t_s, p_w: 8_000.0,
            up=flapping(6.0 + i, 5.0 + i, 20.0 + 1.3 * i),
        )
        for i in range(number)
    }


@pytest.mark.no_cover
@pytest.mark.parametrize("tick_s", [0.1, 1.0])
@pytest.mark.parametrize("number", [1, 6])
@pytest.mark.parametrize("lag", [0, 1, 2])
def test_liars_that_come_and_go_move_the_others_by_nothing(tick_s: float, number: int, lag: int) -> None:
    """Seen before: 10.8 kW on a limit of 9 kW, over it in a quarter of the time at a tick of 0.1 s."""
    roof = Roof({**two(), **liars(number)}, LIMIT_W, tick_s=tick_s, lag=lag, believed=OURS).run(120)
    assert max(roof.over(30)) <= LIMIT_W
    for name, share in (("pv1", 1.0 / 3.0), ("pv2", 2.0 / 3.0)):
        given = roof.of(name, 50)
        assert min(given) >= 0.9 * share * ROOM_W, "nor is their sun wasted"
    assert not set(OURS) & set(roof.on_trial)


@pytest.mark.no_cover
@pytest.mark.parametrize("tick_s", [0.1, 1.0])
@pytest.mark.parametrize("lag", [0, 1, 2])
@pytest.mark.parametrize("seed", [1, 2])
def test_who_returns_honestly_counts_within_30_s(tick_s: float, lag: int, seed: int) -> None:
    roof = Roof(two(up=away(30, 50)), LIMIT_W, tick_s=tick_s, lag=lag, seed=seed, believed=OURS).run(55)
    assert roof.on_trial == ("pv2",)
    roof.run(25)
    assert roof.on_trial == ()
    assert max(roof.over(45)) <= LIMIT_W
    assert min(roof.of("pv2", 50, 80)) >= 0.6 * ROOM_W / 1.5, "moved by 15 % of its rating"
    assert sum(roof.of("pv2", 50, 80)) >= 0.9 * sum(roof.of("pv2", 0, 30)), "and not for long"


def test_several_that_return_at_once_beside_a_liar_are_moved_one_by_one() -> None:
    units = {**two(up=away(30, 45)), **liars(1)}
    units["pv3"] = Unit(8_000.0, sun_w=lambda t_s: 7_500.0, up=away(30, 45))
    units["pv4"] = Unit(6_000.0, sun_w=lambda t_s: 5_500.0, up=away(31, 46))
    roof = Roof(units, 12_000.0, believed=(*OURS, "pv3", "pv4")).run(50)
    assert {"pv2", "pv3", "pv4"} <= set(roof.on_trial)
    for _ in range(60):
        roof.run(1)
        moved = [case.der for case in roof.time.memories["trial"].cases if case.probe is not None]
        assert len(moved) <= 1
    assert not set(roof.on_trial) - {"liar0"}
    assert max(roof.over(20)) <= 12_000.0 * 1.01


@pytest.mark.parametrize("reverts_s", [8.0, 1e9])
def test_where_all_return_at_once_the_contract_holds_and_they_are_believed_in_turn(reverts_s: float) -> None:
    """After eight seconds each has gone back to its full power by itself."""
    units = {
        f"pv{i}": Unit(5_000.0, sun_w=lambda t_s: 4_500.0, up=away(30, 45), reverts_s=reverts_s) for i in range(4)
    }
    roof = Roof(units, 8_000.0, believed=tuple(units)).run(46)
    assert len(roof.on_trial) == 4
    roof.run(100)
    assert roof.on_trial == ()
    assert sum(w > 8_000.0 * 1.01 for w in roof.over(45)) <= 3


@pytest.mark.parametrize("seed", range(4))
def test_a_load_that_jumps_makes_no_liar_believed_and_an_honest_one_within_a_minute(seed: int) -> None:
    """A step every ten seconds, as large as what is looked for; the liar claims what it is told."""
    chance = random.Random(seed)
    steps = sorted(chance.uniform(20.0, 200.0) for _ in range(18))
    values = [chance.choice((300.0, 900.0, 2_300.0, 3_500.0)) for _ in range(19)]

    def load_w(t_s: float) -> float:
        return values[sum(step < t_s for step in steps)]

    liar = Unit(10_000.0, sun_w=lambda t_s: 0.0, up=away(30, 50))
    liar.claims = lambda t_s, p_w: min(8_000.0, 8_000.0 if liar.told is None else liar.told.p_ceiling_w or 0.0)
    roof = Roof({**two(), "liar": liar}, LIMIT_W, lag=1, seed=seed, load_w=load_w, believed=OURS).run(50)
    for _ in range(150):
        roof.run(1)
        assert "liar" in roof.on_trial
    roof = Roof(two(up=away(30, 50)), LIMIT_W, lag=1, seed=seed, load_w=load_w, believed=OURS).run(110)
    assert roof.on_trial == ()


@pytest.mark.parametrize("seed", range(3))
def test_where_the_limit_leaves_room_one_that_cannot_be_told_from_the_load_gets_its_sun(seed: int) -> None:
    """The load jumps by more than a probe every 1.7 s; three of 10 kW have 5 kW of sun each. It came back in the
    dark and was held at 2 kW, with 3 kW to spare."""
    chance = random.Random(seed)
    loads = [chance.uniform(300.0, 6_000.0) for _ in range(100)]
    units = {f"pv{i}": Unit(10_000.0, sun_w=lambda t_s: 5_000.0) for i in (1, 2, 3)}
    units["pv2"] = Unit(10_000.0, sun_w=lambda t_s: 0.0 if 28 <= t_s < 50 else 5_000.0, up=away(30, 45))
    roof = Roof(units, 14_000.0, seed=seed, load_w=lambda t_s: loads[int(t_s / 1.7)], believed=tuple(units)).run(150)
    given_w = roof.of("pv2", 80)
    assert sum(given_w) / len(given_w) > 4_200.0
    assert sum(w > 14_000.0 for w in roof.over(50)) <= 3


@pytest.mark.parametrize(("load_w", "wanted_w"), [(3_000.0, 1_000.0), (300.0, -1_700.0)])
def test_a_battery_that_returns_rests_first_and_serves_again_within_40_s(load_w: float, wanted_w: float) -> None:
    units = {
        "pv1": Unit(5_000.0, sun_w=lambda t_s: 2_000.0),
        "bat1": Unit(5_000.0, charge_w=5_000.0, up=away(40, 60)),
    }
    roof = Roof(units, LIMIT_W, load_w=lambda t_s: load_w, believed=tuple(units)).run(62)
    assert roof.on_trial == ("bat1",)
    fading = roof.of("bat1", 60, 62)
    assert all(abs(w - wanted_w) < 400.0 for w in fading), "not at once"
    roof.run(38)
    assert roof.on_trial == ()
    assert roof.of("bat1", 98)[-1] == pytest.approx(wanted_w, abs=100.0)


def test_who_gave_nothing_when_it_came_may_rise_until_it_is_seen() -> None:
    units = two(up=away(30, 50))
    roof = Roof(units, LIMIT_W, believed=OURS).run(45)
    units["pv2"].p_w, units["pv2"].told = 0.0, Setpoint(p_ceiling_w=0.0)
    roof.run(45)
    assert roof.on_trial == ()
    assert max(roof.over(45)) <= LIMIT_W
    assert roof.of("pv2", 0)[-1] > 3_000.0


def test_who_was_there_when_the_meter_was_proven_is_not_on_trial() -> None:
    """It is in the sum; an honest one that stands still is not moved for that."""
    time = PlanTimeline(
        Plan(site_functions=make.wishes(SiteProposal(by="x", rank=15, over=("pv1", "pv2"), meter_pu=0.0)))
    )
    proven = Plan(site_functions=make.wishes(SiteProposal(by="x", rank=15, over=("pv1", "pv2"), meter_pu=1.0)))
    for n in range(11):
        ders = make.pv("pv1", p_w=5_000.0 - 200.0 * n), make.pv("pv2", p_w=8_000.0)
        time.plan = time.plan if n < 9 else proven
        time.decided(*ders, poc=make.meter(0.0, sample=n))
    assert time.memories["trial"].cases == ()


def test_beside_six_that_are_always_on_trial_a_dead_meter_is_noticed() -> None:
    """Seen: 2 kW too much for good. Somebody was on trial all the time, and for that no step was made."""
    clamps: dict[str, bool] = {}
    ours = {"pv1": Unit(5_000.0, sun_w=lambda t_s: 4_700.0), "pv2": Unit(10_000.0, sun_w=lambda t_s: 9_400.0)}
    others = {
        f"liar{n}": Unit(10_000.0, sun_w=lambda t_s: 0.0, up=flapping(6.0 + n, 4.5 + 0.5 * n, 30.0 + 1.3 * n))
        for n in range(6)
    }
    for each in others.values():
        each.claims = lambda t_s, p_w: 8_000.0 if t_s > 31.0 else p_w
    roof = Roof(
        ours | others,
        9_000.0,
        load_w=lambda t_s: 3_000.0,
        functions=(ContractExportLimit(limit_w=9_000.0), Steps()),
        meter=lambda export_w: 3.0 + 1e-5 * export_w if clamps else export_w,
    ).run(90)
    assert roof.time.memories["belief"].belief is Belief.PROVEN
    clamps["off"] = True
    roof.run(170)
    assert roof.time.memories["belief"].belief is Belief.DOUBTED
    roof.run(60)
    assert max(roof.over(260)) <= 9_000.0


def test_while_the_meter_is_to_be_told_nobody_begins_to_be_moved() -> None:
    memory = level_of(5_000.0, seconds=5)
    ders = make.pv("pv1", p_w=0.0), make.pv("pv2", p_w=5_000.0)
    state = make.site(*ders, t_s=5.0, poc=make.meter(5_000.0, sample=5))
    old = belief.Memory(age_s=300.0, need=Need(exposed_w=1_000.0, age_s=230.0))
    assert belief.due(old)
    assert not belief.due(replace(old, need=Need(age_s=230.0))), "nothing depends on it"
    assert not belief.due(replace(old, age_s=100.0)) and not belief.due(replace(old, age_s=None))
    assert belief.due(belief.Memory(suspect=True)) and belief.due(belief.Memory(belief=Belief.DOUBTED))
    assert belief.due(belief.Memory(doublet=Doublet(coded=True))) and not belief.due(belief.Memory(doublet=Doublet()))
    waited = trial.watched(memory, state, waits=True)
    begun = trial.watched(memory, state)
    assert [case.probe is None for case in waited.cases] == [True]
    assert [case.probe is None for case in begun.cases] == [False]
    state = replace(state, t_s=40.0, poc=make.meter(5_000.0, sample=6))
    assert trial.watched(begun, state, waits=True).cases[0].probe is None, "who is moved goes back meanwhile"


def meeting(memory: Memory, *ders: Any, t_s: float = 0.0, poc: Any = None, sample: int = 1) -> Memory:
    """One look."""
    poc = make.meter(0.0, sample=sample) if poc is None else poc
    return trial.watched(memory, make.site(*ders, t_s=t_s, poc=poc))


MET = ("bat1", "ev1", "pv1", "pv2", "pv3")
RELIED = Memory(relied=True, once=True, heard=("pv1",), met=MET)


def test_nothing_is_done_where_nobody_comes() -> None:
    """The same memory, not an equal one: it costs next to nothing."""
    assert meeting(RELIED, make.pv("pv1", p_w=1.0)) is RELIED
    before = meeting(trial.START, make.pv("pv1"))
    assert meeting(before, make.pv("pv1"), t_s=0.1) is before
    assert trial.relying(RELIED, relied=True) is RELIED
    assert memory_type(Plan(), "trial") is Memory


def test_before_a_loop_relies_on_the_meter_nobody_is_on_trial() -> None:
    memory = meeting(trial.START, make.pv("pv1"))
    memory = meeting(memory, make.pv("pv1"), make.pv("pv2"), t_s=1.0)
    assert memory.cases == ()
    memory = trial.relying(memory, relied=True)
    memory = meeting(memory, make.pv("pv1"), t_s=2.0)
    memory = meeting(memory, make.pv("pv1"), make.pv("pv2"), t_s=3.0)
    assert [case.der for case in memory.cases] == ["pv2"]


def test_who_is_found_late_does_not_come_back() -> None:
    """A battery behind one request a second was found when the meter was proven, and rested for a minute."""
    memory = meeting(RELIED, make.pv("pv1"), make.pv("pv9"))
    assert memory.cases == () and "pv9" in memory.met
    memory = meeting(meeting(memory, make.pv("pv1")), make.pv("pv1"), make.pv("pv9"), t_s=9.0)
    assert [case.der for case in memory.cases] == ["pv9"]


def test_who_goes_leaves_the_trial_and_begins_anew() -> None:
    memory = meeting(RELIED, make.pv("pv1"), make.pv("pv2"))
    memory = replace(memory, cases=(replace(memory.cases[0], agreed=1),))
    memory = meeting(memory, make.pv("pv1"), make.pv("pv2", fresh=False), t_s=1.0, sample=2)
    assert memory.cases == ()
    memory = meeting(memory, make.pv("pv1"), make.pv("pv2"), t_s=2.0, sample=3)
    assert [(case.der, case.agreed) for case in memory.cases] == [("pv2", 0)]


@pytest.mark.parametrize(
    "poc", [make.meter(None), make.meter(0.0, fresh=False)], ids=["tells nothing", "is not heard"]
)
def test_while_the_meter_shows_nothing_levels_of_before_are_forgotten(poc: Any) -> None:
    level = Level(t_s=0.0, p_w=5_000.0, rest_w=0.0)
    probe = Probe(from_w=5_000.0, to_w=3_500.0, since_s=0.0, judged=0)
    memory = replace(RELIED, heard=("pv1", "pv2"), cases=(Case(der="pv2", since_s=0.0, level=level, probe=probe),))
    after = meeting(memory, make.pv("pv1"), make.pv("pv2"), t_s=1.0, poc=poc)
    assert after.cases == (Case(der="pv2", since_s=0.0),)
    doubted = trial.relying(memory, relied=False)
    assert meeting(doubted, make.pv("pv1"), make.pv("pv2"), t_s=1.0).cases == (Case(der="pv2", since_s=0.0),)


def level_of(p_w: float, *, seconds: int = 8, rest_w: float | None = None, **given: Any) -> Memory:
    """After so long at one level."""
    of_der = {"p_w": p_w, **given}
    memory = replace(RELIED, heard=("pv1",))
    for n in range(seconds):
        poc = make.meter(p_w if rest_w is None else rest_w, sample=n)
        memory = meeting(memory, make.pv("pv1", p_w=0.0), make.pv("pv2", **of_der), t_s=float(n), poc=poc)
    return memory


def test_a_dip_is_15_percent_and_never_below_rest() -> None:
    assert level_of(5_000.0).cases[0].probe == Probe(from_w=5_000.0, to_w=3_500.0, since_s=5.0, judged=0)
    assert level_of(1_300.0).cases[0].probe == Probe(from_w=1_300.0, to_w=0.0, since_s=5.0, judged=0)


@pytest.mark.parametrize(
    ("p_w", "given"),
    [(900.0, {}), (5_000.0, {"controllable": False}), (5_000.0, {"halted": True})],
    ids=["gives too little", "only read", "nobody may be raised"],
)
def test_who_can_t_be_moved_to_and_fro_is_not_moved(p_w: float, given: dict[str, Any]) -> None:
    memory = level_of(p_w, **given)
    assert memory.cases[0].level is not None
    assert memory.cases[0].probe is None


def test_who_is_not_measured_has_no_level() -> None:
    memory = level_of(5_000.0, seconds=4)
    memory = meeting(memory, make.pv("pv1", p_w=0.0), make.pv("pv2", p_w=None), t_s=4.0, sample=4)
    assert memory.cases[0].track == ()
    assert trial.standing(memory.cases[0], make.pv("pv2", p_w=None)).p_w is None


def test_the_same_sample_of_the_meter_is_looked_at_once() -> None:
    memory = level_of(5_000.0, seconds=2)
    ders = make.pv("pv1", p_w=0.0), make.pv("pv2", p_w=5_000.0)
    assert meeting(memory, *ders, t_s=2.0, sample=1).cases == memory.cases
    assert meeting(memory, *ders, t_s=1.1, sample=2).cases == memory.cases, "nor one that comes too soon"


def judged(from_w: float, to_w: float, shown_w: float, *, gap_s: float = 6.0, agreed: int = 0) -> Case:
    """From one level to another."""
    before = Case(der="pv1", since_s=0.0, level=Level(t_s=0.0, p_w=from_w, rest_w=0.0), agreed=agreed)
    level = Level(t_s=gap_s, p_w=to_w, rest_w=shown_w)
    return trial._judged(before, level, make.pv(), 5.0)


def test_a_leg_counts_where_the_meter_shows_at_least_half_of_it_and_no_more_than_half_above() -> None:
    assert judged(5_000.0, 3_500.0, -1_500.0).agreed == 1
    assert judged(5_000.0, 3_500.0, -760.0).agreed == 1
    assert judged(5_000.0, 3_500.0, -740.0).agreed == -1
    assert judged(5_000.0, 3_500.0, -2_260.0).agreed == -1
    assert judged(5_000.0, 3_500.0, 1_500.0, agreed=-2).agreed == -2, "and no further back"
    assert judged(5_000.0, 4_100.0, 0.0).judged == 0, "too small to say anything"
    assert judged(5_000.0, 3_500.0, 0.0, gap_s=21.0).judged == 0, "the load did too much meanwhile"


def probed(t_s: float, *, at_w: float = 4_500.0, **given: Any) -> Case:
    """A probe of before, later on. at_w: where it stands."""
    probe = Probe(from_w=5_000.0, to_w=3_500.0, since_s=0.0, judged=0)
    level = Level(t_s=t_s, p_w=at_w, rest_w=0.0)
    case = Case(der="pv1", since_s=0.0, probe=probe, level=level)
    return trial._on(replace(case, **given), probe, make.pv(), t_s)


def test_a_probe_ends_after_its_two_legs_or_after_30_s_or_where_nothing_moves() -> None:
    assert probed(20.0, judged=1).probe is not None
    assert probed(20.0, judged=2).probe is None
    assert probed(30.0, at_w=3_900.0).probe is not None
    assert probed(30.5, at_w=3_900.0).probe is None
    assert probed(10.0).probe is not None
    assert probed(10.5).probe is None
    assert probed(10.5, level=None).probe is not None, "it does not stand"


def test_after_a_probe_that_proved_nothing_the_next_comes_twice_as_late() -> None:
    ended = probed(10.5)
    assert (ended.probes, ended.quiet_s) == (1, 15.5)
    assert probed(10.5, probes=3).quiet_s == 50.5
    assert probed(10.5, probes=50).quiet_s == 650.5
    assert probed(20.0, judged=2, agreed=1, probes=3).probes == 0, "one of its legs was seen"


def test_one_that_takes_a_limit_is_held_down_there_and_let_back() -> None:
    probe = Probe(from_w=5_000.0, to_w=3_500.0, since_s=0.0, judged=0)
    case = Case(der="pv1", since_s=0.0, probe=probe)
    (out,) = trial.told(case, make.pv(), 1.0)
    assert (out.by, out.rank, out.p_ceiling_w) == ("on_trial", 15, 3_500.0)
    assert trial.told(replace(case, judged=1), make.pv(), 6.0) == ()
    assert trial.told(case, make.pv(), 15.5) == (), "one that doesn't obey is not held down for ever"
    standing = trial.standing(case, make.pv(p_w=3_500.0))
    assert (standing.p_w, standing.dip_w) == (5_000.0, 1_500.0)


def test_a_store_is_moved_by_what_the_meter_lacks_and_rests_between() -> None:
    bat = make.battery(p_w=0.0)
    assert trial._away(bat, 0.0, 4_000.0) == -750.0
    assert trial._away(bat, 0.0, -400.0) == 400.0
    probe = Probe(from_w=0.0, to_w=-750.0, since_s=0.0, judged=0)
    case = Case(der="bat1", since_s=0.0, probe=probe)
    assert [said.p_target_w for said in trial.told(case, bat, 1.0)] == [-750.0]
    assert [said.p_target_w for said in trial.told(replace(case, judged=1), bat, 6.0)] == [0.0]


@pytest.mark.parametrize(
    ("given", "aim_w"),
    [
        ({"p_w": -2_000.0}, -2_000.0),
        ({"p_w": -2_000.0, "written": Setpoint(p_target_w=-3_000.0)}, -3_000.0),
        ({"p_w": 0.0, "written": Setpoint(p_target_w=1.0), "accepted": Setpoint(p_target_w=9_000.0)}, 5_000.0),
        ({"p_w": None}, None),
    ],
)
def test_a_store_goes_to_rest_from_what_it_was_told_last(given: dict[str, Any], aim_w: float | None) -> None:
    case = trial._opened(make.battery(**given), 0.0)
    assert case.aim_w == aim_w
    said = trial.told(case, make.battery(), 5.0)
    assert [each.p_target_w for each in said] == ([] if aim_w is None else [aim_w / 2.0])
    assert trial.told(case, make.battery(), 10.0) == ()


def test_an_ev_charger_is_aimed_at_nothing() -> None:
    assert trial._opened(make.charger(p_w=-3_000.0, accepted=Setpoint(p_target_w=-3_000.0)), 0.0).aim_w is None


def test_the_state_that_the_functions_see_says_who_is_on_trial() -> None:
    seen: list[SiteState] = []

    class Looks(make.SiteSays):
        def step(self, memory: int, ders: Any, site: SiteState, dt_s: float) -> Any:
            seen.append(site)
            return super().step(memory, ders, site, dt_s)

    wish = SiteProposal(by="x", rank=15, over=("pv1",), meter_pu=1.0)
    looks: Any = Looks("x", 15, wish)
    time = PlanTimeline(Plan(site_functions=((looks, ("pv1",)),)), memories={"trial": RELIED})
    time.decided(make.pv("pv1", p_w=1.0), make.pv("pv2", p_w=7_000.0), poc=make.meter(0.0))
    assert [der.trial is None for der in seen[-1].ders] == [True, False]
    assert [each.der for each in time.memories["sun"].seen] == ["pv1", "pv2"]
    assert seen[-1].ders[1].seen_w is None, "what it claims is not what was seen of it"
    assert time.memories["belief"].over == ("pv1",), "nor is the meter judged by it"


@pytest.mark.no_cover
@pytest.mark.parametrize("tick_s", [0.1, 1.0])
def test_a_battery_that_charges_where_the_limit_binds_goes_on_with_it_when_all_return(tick_s: float) -> None:
    """Seen before: it rested within ten seconds, and 8.1 kW went out where 7 kW may."""
    units = {**two(up=away(40, 60)), "bat1": Unit(5_000.0, charge_w=5_000.0, up=away(40, 60))}
    units["pv1"].up = away(40, 60)
    roof = Roof(units, 7_000.0, tick_s=tick_s, believed=tuple(units)).run(100)
    assert max(roof.over(60)) <= 7_000.0
    assert max(roof.of("bat1", 60)) <= -4_500.0


def test_what_is_held_of_a_lost_function_is_not_shared_with_one_on_trial() -> None:
    """Self-consumption without its meter: what it asked for last fades, for those that it counted with."""
    wish = SiteProposal(by="x", rank=70, over=("bat1", "bat2"), p_target_w=1_000.0)
    ders = [make.battery("bat1"), replace(make.battery("bat2"), trial=Trial(p_w=0.0))]
    _, held = lost.passed_by_site(lost.SiteHold(said=wish), Abstain("no meter", lost=True), ders, 1.0)
    assert held is not None
    assert held.over == ("bat1",)
