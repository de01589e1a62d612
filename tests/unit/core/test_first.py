"""What is claimed from the start raises nobody before the meter was seen to follow it; honest sites lose nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest

from derctl.core import belief, first
from derctl.core.doublet import Doublet, Mean
from derctl.core.evidence import Need
from derctl.core.first import Memory, Unseen
from derctl.core.memories import memory_type
from derctl.core.plan import Plan
from derctl.core.types import Setpoint, SiteProposal
from derctl.core.words import Belief
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.probe import Probe
from derctl.functions.self_consumption import SelfConsumption
from tests import make
from tests.roof import Roof, Unit, flapping
from tests.timeline import PlanTimeline

LIMIT_W, LOAD_W = 30_000.0, 900.0
OURS = tuple(f"pv{n}" for n in range(6))


def six(sun_w: float) -> dict[str, Unit]:
    """Honest ones of 10 kW, in the sun already."""
    return {name: Unit(10_000.0, sun_w=lambda t_s: sun_w, p_w=sun_w) for name in OURS}


def claims(t_s: float, p_w: float) -> float:
    """8 kW, always."""
    return 8_000.0


def by_turns(t_s: float, p_w: float) -> float:
    """8 kW and nothing, each for 7 s."""
    return 8_000.0 if t_s % 14.0 < 7.0 else 0.0


def idles(t_s: float, p_w: float) -> float:
    """Nothing, and that is true."""
    return 0.0


def liars(number: int, said: Any) -> dict[str, Unit]:
    """There from the first moment; they make nothing."""
    return {f"liar{n}": Unit(10_000.0, sun_w=lambda t_s: 0.0, claims=said) for n in range(number)}


def steps_w(t_s: float) -> float:
    """A load of 1 kW, and of 7 kW, each for 20 s."""
    return 1_000.0 + 6_000.0 * (int(t_s / 20.0) % 2)


def over_share(roof: Roof, from_s: float) -> float:
    found = roof.over(from_s)
    return sum(w > 1.01 * LIMIT_W for w in found) / len(found)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("tick_s", "number", "said"),
    [
        (1.0, 1, claims),
        (1.0, 6, claims),
        (0.1, 1, claims),
        *((t, n, by_turns) for t, n in ((0.1, 6), (1.0, 1), (1.0, 6))),
    ],
)
def test_a_liar_from_the_start_moves_the_others_by_nothing(tick_s: float, number: int, said: Any) -> None:
    """Seen before: over the limit for 20 % of the time beside one that claims by turns, for 44 % beside six."""
    roof = Roof({**six(9_000.0), **liars(number, said)}, LIMIT_W, tick_s=tick_s).run(120)
    assert max(roof.over(2)) <= LIMIT_W
    assert sum(roof.over(60)) / len(roof.over(60)) > 0.97 * LIMIT_W, "nor is their sun wasted"
    assert set(roof.unseen) == {name for name in roof.units if name.startswith("liar")}


@pytest.mark.no_cover
def test_whose_turns_meet_the_probes_the_meter_is_proven_some_minutes_later() -> None:
    """Each step of its own that is claimed only takes back what spoke for the meter."""
    roof = Roof({**six(9_000.0), **liars(1, by_turns)}, LIMIT_W, tick_s=0.1).run(240)
    assert max(roof.over(2)) <= LIMIT_W
    assert sum(roof.over(210)) / len(roof.over(210)) > 0.97 * LIMIT_W


def small_site(*, battery: bool) -> dict[str, Unit]:
    """15 kW in the sun, and six that come, go and claim 48 kW before any meter can be proven."""
    ours = {"pv1": Unit(5_000.0, sun_w=lambda t_s: 4_700.0), "pv2": Unit(10_000.0, sun_w=lambda t_s: 9_400.0)}
    if battery:
        ours["bat"] = Unit(5_000.0, charge_w=1.0)
    return ours | {
        f"liar{n}": Unit(
            10_000.0, sun_w=lambda t_s: 0.0, up=flapping(6.0 + n, 4.5 + 0.5 * n, 1.3 * n - 4.0), claims=claims
        )
        for n in range(6)
    }


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("tick_s", "battery", "seed"), [(0.1, False, 1), (0.1, True, 2), (1.0, True, 3), (1.0, False, 4)]
)
def test_liars_that_come_and_go_before_the_meter_is_proven_hold_nobody_down_for_good(
    tick_s: float, battery: bool, seed: int
) -> None:
    """Seen: 0 W of 9 kW for as long as one looked. They claim more than may go out, none of it can be told, and each
    that came or went began the proof anew."""
    functions = ContractExportLimit(limit_w=9_000.0), Probe(), SelfConsumption()
    roof = Roof(small_site(battery=battery), 9_000.0, tick_s=tick_s, seed=seed, functions=functions).run(360)
    found = roof.over(320)
    assert sum(found) / len(found) > 8_300.0
    assert max(roof.over(2)) <= 1.01 * 9_000.0


@pytest.mark.no_cover
@pytest.mark.parametrize("said", [idles, claims, by_turns])
def test_beside_one_that_was_never_seen_a_dead_meter_is_noticed(said: Any) -> None:
    """Seen: 45 kW went out under a limit of 30 kW for good, since one of them had not moved yet."""
    clamps: dict[str, bool] = {}
    roof = Roof(
        {**six(9_000.0), **liars(1, said)},
        LIMIT_W,
        load_w=lambda t_s: 15_000.0,
        functions=(ContractExportLimit(limit_w=LIMIT_W), Probe()),
        meter=lambda export_w: 3.0 + 1e-5 * export_w if clamps else export_w,
    ).run(300)
    assert sum(roof.over(200)) / len(roof.over(200)) > 0.9 * LIMIT_W, "load counts"
    assert len(roof.unseen) == 1
    clamps["off"] = True
    roof.run(200)
    assert max(roof.over(2)) <= 1.01 * LIMIT_W
    assert roof.time.memories["belief"].belief is Belief.DOUBTED


def test_where_the_load_jumps_too_a_liar_is_not_believed_for_that() -> None:
    roof = Roof({**six(9_000.0), **liars(1, by_turns)}, LIMIT_W, load_w=steps_w).run(200)
    assert roof.unseen == ("liar0",)


def beyond_sun_w(roof: Roof) -> float:
    """What the battery draws more than the inverters give, the largest mean of a minute."""
    drawn = [max(-each["bat"] - sum(each[name] for name in OURS), 0.0) for each in roof.powers]
    window = round(60.0 / roof.tick_s)
    return max(sum(drawn[n : n + window]) / window for n in range(len(drawn) - window))


@pytest.mark.no_cover
@pytest.mark.parametrize(("tick_s", "number", "said"), [(0.1, 6, claims), (1.0, 6, by_turns), (0.1, 1, claims)])
def test_a_battery_stores_no_sun_that_is_only_claimed(tick_s: float, number: int, said: Any) -> None:
    """Seen before: 10 kW out of the grid for as long as it went on. Six claim more than may go out, so for a minute
    the meter can't be proven."""
    units = {**six(1_000.0), "bat": Unit(10_000.0, charge_w=10_000.0), **liars(number, said)}
    assert beyond_sun_w(Roof(units, LIMIT_W, tick_s=tick_s, load_w=steps_w).run(120)) < 400.0


@pytest.mark.parametrize("tick_s", [0.1, 1.0])
@pytest.mark.parametrize("sun_w", [9_000.0, 4_000.0])
def test_an_honest_site_has_its_sun_as_soon_as_before(tick_s: float, sun_w: float) -> None:
    """97 % of it within 8 s; within 6.4 s where all that is claimed counts."""
    roof = Roof(six(sun_w), LIMIT_W, tick_s=tick_s).run(40)
    full_w = min(0.98 * LIMIT_W, 6.0 * sun_w - LOAD_W)
    assert roof.over(8.1)[0] >= 0.9 * full_w
    assert min(t_s for t_s, w in roof.exports if w >= 0.97 * full_w) <= 8.1
    assert min(roof.over(20)) >= 0.97 * full_w
    assert max(roof.over(2)) <= LIMIT_W


@pytest.mark.parametrize("tick_s", [0.1, 1.0])
def test_an_honest_battery_leaves_the_others_room_once_it_was_seen_to_draw(tick_s: float) -> None:
    """95 % of what the first half minute gave where a claim counted at once."""
    units = {**six(9_000.0), "bat": Unit(10_000.0, charge_w=10_000.0)}
    roof = Roof(units, LIMIT_W, tick_s=tick_s).run(40)
    sun_w = [sum(each[name] for name in OURS) for each in roof.powers[: round(30.0 / tick_s)]]
    assert sum(sun_w) / len(sun_w) > 0.95 * 39_000.0
    assert "bat" not in roof.unseen
    assert max(roof.over(2)) <= LIMIT_W


@pytest.mark.parametrize("tick_s", [0.1, 1.0])
def test_without_a_meter_a_battery_that_was_never_seen_to_draw_leaves_nobody_room(tick_s: float) -> None:
    """Told -10 kW it says so, and draws nothing: 39 kW went out under a limit of 30 kW, for ever."""
    liar = Unit(10_000.0, charge_w=10_000.0)
    liar.run = lambda t_s, dt_s: None
    liar.claims = lambda t_s, p_w: min((liar.told and liar.told.p_target_w) or 0.0, 0.0)
    roof = Roof({**six(9_000.0), "bat": liar}, LIMIT_W, tick_s=tick_s, meter=lambda w: None).run(60)
    assert max(roof.over(3)) <= LIMIT_W


def looked(memory: Memory, *ders: Any, n: int, poc: Any = None, tried: Any = ()) -> Memory:
    """One sample, a second after the one before."""
    poc = make.meter(0.0, sample=n) if poc is None else poc
    return first.watched(memory, make.site(*ders, t_s=float(n), poc=poc), tried)


def moved(own_w: float, shown_w: float, *, other_w: float = 0.0, agreed: int = 0) -> tuple[Unseen, ...]:
    """From one second to the next, and then at rest for 5 s. other_w: what somebody moves who was seen."""
    memory = Memory(met=("pv1", "pv2"), unseen=(Unseen(der="pv1", agreed=agreed),))
    for n in range(8):
        after = 1.0 if n > 1 else 0.0
        ders = make.pv("pv1", p_w=5_000.0 + own_w * after), make.pv("pv2", p_w=5_000.0 + other_w * after)
        memory = looked(memory, *ders, n=n, poc=make.meter(shown_w * after, sample=n))
    return memory.unseen


def test_a_move_counts_where_the_meter_shows_all_that_moved_but_for_half_of_it() -> None:
    assert moved(-1_500.0, -1_500.0)[0].agreed == 1
    assert moved(-1_500.0, -3_000.0, other_w=-1_500.0)[0].agreed == 1
    assert moved(-1_500.0, -800.0)[0].agreed == 1
    assert moved(-1_500.0, -1_500.0, agreed=1) == (), "two make it seen"
    assert moved(-1_500.0, -5_000.0)[0].agreed == 0, "the load did too much"
    assert moved(-400.0, -400.0)[0].agreed == 0, "too small to say anything"


def test_a_move_that_the_meter_did_not_show_counts_against_it_and_no_further_than_two() -> None:
    assert moved(-1_500.0, 0.0)[0].agreed == -1
    assert moved(-1_500.0, -1_500.0, other_w=-1_500.0)[0].agreed == -1, "the other did"
    assert moved(-1_500.0, 0.0, agreed=-2)[0].agreed == -2


def test_a_meter_that_is_three_samples_late_counts_for_nobody_s_lie() -> None:
    memory = Memory(met=("pv1",), unseen=(Unseen(der="pv1"),))
    for n in range(10):
        poc = make.meter(-1_500.0 if n > 4 else 0.0, sample=n)
        memory = looked(memory, make.pv("pv1", p_w=3_500.0 if n > 1 else 5_000.0), n=n, poc=poc)
    assert memory.unseen[0].agreed == 1


def test_nothing_is_done_where_all_were_seen_and_nobody_is_new() -> None:
    """The same memory, not an equal one: it costs next to nothing."""
    memory = Memory(met=("pv1",))
    assert looked(memory, make.pv("pv1", p_w=1.0), n=1) is memory
    assert memory_type(Plan(), "first") is Memory


def test_the_meter_is_looked_at_twice_a_second_at_the_most() -> None:
    memory = looked(first.START, make.pv("pv1", p_w=1.0), n=1)
    assert looked(memory, make.pv("pv1", p_w=1.0), n=1) is memory
    soon = first.watched(memory, make.site(make.pv("pv1"), t_s=1.4, poc=make.meter(0.0, sample=2)), ())
    assert soon is memory


@pytest.mark.parametrize(
    "poc", [make.meter(None), make.meter(0.0, fresh=False)], ids=["tells nothing", "is not heard"]
)
def test_while_the_meter_shows_nothing_what_was_before_is_forgotten(poc: Any) -> None:
    memory = looked(first.START, make.pv("pv1", p_w=1.0), n=1)
    assert len(memory.track) == 1
    memory = looked(memory, make.pv("pv1", p_w=1.0), n=2, poc=poc)
    assert memory.track == () and looked(memory, make.pv("pv1", p_w=1.0), n=3, poc=poc) is memory


def test_who_comes_or_goes_or_is_not_measured_makes_no_step() -> None:
    """What the others move meanwhile is seen: beside six that flap nobody was. It tells nothing of itself."""
    memory = Memory(met=("pv1",), unseen=(Unseen(der="pv1"),))
    pv2: list[dict[str, Any]] = [{"p_w": None}, {"p_w": 8_000.0}, {"p_w": None}, {"fresh": False}, {"p_w": 8_000.0}]
    for n, given in enumerate(pv2):
        after_w = -400.0 * n
        ders = make.pv("pv1", p_w=5_000.0 + after_w), make.pv("pv2", **given)
        memory = looked(memory, *ders, n=n, poc=make.meter(3_000.0 + after_w, sample=n))
    assert [(each.der, each.agreed) for each in memory.unseen] == [("pv2", 0)]
    assert [point.sum_w for point in memory.track] == [13_000.0 - 400.0 * n for n in range(5)]
    assert [set(point.powers) for point in memory.track[-2:]] == [{"pv1"}, {"pv1", "pv2"}]


def test_who_comes_back_is_on_trial_instead() -> None:
    memory = looked(first.START, make.pv("pv1", p_w=1.0), make.pv("pv2", p_w=1.0), n=1)
    memory = looked(memory, make.pv("pv1", p_w=1.0), make.pv("pv2", p_w=1.0), n=2, tried=("pv2",))
    assert [each.der for each in memory.unseen] == ["pv1"] and memory.met == ("pv1", "pv2")


@pytest.mark.parametrize(("names", "left"), [(("pv1",), ()), (("pv1", "pv2"), ("pv1", "pv2"))])
def test_who_alone_proved_the_meter_was_seen_to_move_it(names: tuple[str, ...], left: tuple[str, ...]) -> None:
    """By steps of the coin that are smaller than a move; of two of them it is not known which one moved it."""
    time = PlanTimeline(Plan())
    low, high = Mean(poc_n=1, ders_n=1), Mean(poc_n=1, ders_n=1, poc_w=400.0, ders_w=400.0)
    done = Doublet(coded=True, rise=True, half_s=4.0, late_s=0.5, at_s=8.0, step_w=400.0, first=low, second=high)
    near = belief.Memory(doublet=done, over=names, right=(9.0,) * 4, need=Need(exposed_w=500.0))
    unseen = tuple(Unseen(der=name) for name in names)
    time.memories = {"first": Memory(met=names, unseen=unseen), "belief": near}
    time.decided(*(make.pv(name, p_w=0.0) for name in names), poc=make.meter(400.0))
    assert time.memories["belief"].belief is Belief.PROVEN
    assert tuple(each.der for each in time.memories["first"].unseen) == left


def test_it_is_apart_only_where_another_was_seen_and_a_loop_relies_on_the_meter() -> None:
    """A store is not: it would rest."""
    wish = SiteProposal(by="x", rank=15, over=("pv1", "pv2", "bat1"), meter_pu=1.0)
    heard: list[Any] = []

    class Listens:
        kind: ClassVar[str] = "x"
        rank: ClassVar[int] = 15

        def start(self) -> None:
            return None

        def step(self, memory: None, ders: Any, site: Any, dt_s: float) -> tuple[None, SiteProposal]:
            heard.append({der.id: (der.unseen, der.trial is not None) for der in ders})
            return None, replace(wish, meter_pu=1.0 if len(heard) > 1 else 0.0)

    time = PlanTimeline(Plan(site_functions=((Listens(), wish.over),)))
    time.memories = {"first": Memory(met=("pv1",), unseen=(Unseen(der="gone"),))}
    for n in range(4):
        ders = make.pv("pv1", p_w=1.0, accepted=Setpoint()), make.pv("pv2", p_w=1.0), make.battery(p_w=0.0)
        time.decided(*ders, poc=make.meter(0.0, sample=n))
    assert heard[1] == {"pv1": (False, False), "pv2": (True, False), "bat1": (True, False)}
    assert heard[3] == {"pv1": (False, False), "pv2": (True, True), "bat1": (True, False)}


def test_who_left_and_came_back_unseen_counts_as_little_as_the_meter_where_most_stayed() -> None:
    """While nobody was seen, those that never left say more than those that did."""
    stayed = make.pv("pv1", unseen=True), make.pv("pv2", unseen=True)
    left = make.pv("pv3", unseen=True, left=True)
    assert first.unseen_of((*stayed, left)) == {"pv3"}
    assert first.unseen_of(stayed) == frozenset(), "all alike"
    assert first.unseen_of((make.pv("pv1"), left)) == {"pv3"}
