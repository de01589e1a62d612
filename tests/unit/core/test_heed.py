"""Who does not do what it was told, on roofs with noise; and who is only slow."""

import itertools
import random
from typing import Any

import pytest

from derctl.core import heed
from derctl.core.heed import DEAF_S, Heard, Memory, deaf, telling, watched
from derctl.core.types import Decision, Setpoint, Trial
from derctl.functions.contract_export_limit import ContractExportLimit
from tests import make
from tests.roof import Roof, Unit

LIMIT_W = 7_000.0
LAW = (ContractExportLimit(limit_w=LIMIT_W),)


def falling_load(seed: int, *, tick_s: float = 1.0, functions: Any = LAW, **units: Unit) -> Roof:
    """At 30 s it goes from 3 kW to nothing."""
    return Roof(
        units,
        LIMIT_W,
        load_w=lambda t_s: 3_000.0 if t_s < 30.0 else 0.0,
        tick_s=tick_s,
        seed=seed,
        believed=tuple(units),
        functions=functions,
    )


@pytest.mark.parametrize("tick_s", [0.2, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_an_inverter_that_ignores_its_limit_is_made_up_for_in_one_step(seed: int, tick_s: float) -> None:
    """It was left its share of each cut, and with each a third of the excess stood: 15 s above the limit."""
    seen = falling_load(
        seed,
        tick_s=tick_s,
        pv1=Unit(10_000.0, sun_w=lambda t_s: 6_200.0, deaf_s=20.0),
        pv2=Unit(5_000.0, sun_w=lambda t_s: 4_800.0),
    ).run(120)
    assert seen.of("pv1", 60)[-1] > 5_000.0, "it goes on"
    assert max(seen.over(30.0 + DEAF_S + 4.0)) < LIMIT_W + 100.0
    assert min(seen.over(100.0)) > LIMIT_W - 700.0, "and the sun of the other is not wasted"


@pytest.mark.parametrize("seed", range(3))
def test_a_battery_that_does_not_charge_as_it_was_told_leaves_no_room(seed: int) -> None:
    seen = falling_load(
        seed,
        pv1=Unit(10_000.0, sun_w=lambda t_s: 9_500.0),
        bat1=Unit(5_000.0, charge_w=5_000.0, deaf_s=20.0),
    ).run(120)
    assert min(seen.of("bat1", 60)) > -1_500.0, "it stays where it was"
    assert max(seen.over(30.0 + DEAF_S + 4.0)) < LIMIT_W + 100.0


@pytest.mark.parametrize("tau_s", [0.3, 1.5, 4.3])
@pytest.mark.parametrize("seed", range(3))
def test_who_comes_down_slowly_heeds(seed: int, tau_s: float) -> None:
    """4.3 s: 90 % after 10 s, the slowest of IEEE 1547's quick ones."""
    roof = falling_load(
        seed,
        pv1=Unit(5_000.0, sun_w=lambda t_s: 4_800.0, tau_s=tau_s),
        pv2=Unit(10_000.0, sun_w=lambda t_s: 9_500.0, tau_s=tau_s),
    )
    for _ in range(120):
        roof.run(1)
        assert deaf(roof.time.memories["heed"]) == frozenset()


def told(w: float | None, name: str = "pv1") -> Decision:
    return Decision(der=name, setpoint=Setpoint(p_ceiling_w=w), bound_by=())


def heard(*powers: float | None, told_w: float = 1_000.0, **given: Any) -> float:
    """For how long it has not heeded after these, a second each."""
    memory = telling(heed.START, [told(told_w)])
    for p_w in powers:
        memory = watched(memory, [make.pv(p_w=p_w, **given)], 1.0)
    return memory.told[0].for_s


@pytest.mark.parametrize(
    ("powers", "given", "for_s"),
    [
        ([5_000.0] * 4, {}, 3.0),
        ([5_000.0, 4_990.0, 5_010.0, 4_700.0], {}, 3.0),  # noise
        ([5_000.0, 4_500.0, 4_500.0], {}, 1.0),  # it comes
        ([5_000.0, 5_000.0, None, 5_000.0], {}, 0.0),
        ([1_290.0] * 4, {}, 0.0),  # as near as it is accurate
        ([1_310.0] * 4, {}, 3.0),
        ([1_310.0] * 4, {"beyond_w": 400.0}, 0.0),
        ([900.0] * 4, {}, 0.0),
    ],
)
def test_how_long_somebody_gives_more_than_it_was_told(
    powers: list[float | None], given: dict[str, Any], for_s: float
) -> None:
    assert heard(*powers, **given) == for_s


@pytest.mark.parametrize(
    "given", [{"controllable": False}, {"unseen": True}, {"trial": Trial(p_w=5_000.0)}, {"name": "pv2"}]
)
def test_nobody_makes_up_for_a_claim_that_does_not_count(given: dict[str, Any]) -> None:
    memory = telling(heed.START, [told(1_000.0)])
    for _ in range(20):
        memory = watched(memory, [make.pv(**{"p_w": 5_000.0} | given)], 1.0)
    assert memory.told == ()


def test_what_is_told_now_counts_and_who_is_told_nothing_is_forgotten() -> None:
    memory = Memory(told=(Heard(der="pv1", told_w=900.0, from_w=4_000.0, for_s=DEAF_S), Heard(der="pv2", told_w=5.0)))
    assert deaf(memory) == {"pv1"}
    after = telling(memory, [told(800.0), told(None, "pv2"), told(3.0, "pv3")])
    assert after.told == (
        Heard(der="pv1", told_w=800.0, from_w=4_000.0, for_s=DEAF_S),
        Heard(der="pv3", told_w=3.0),
    )
    assert telling(after, [told(800.0), told(3.0, "pv3")]) is after


@pytest.mark.parametrize(
    ("told_w", "p_w", "stays"),
    [
        (5_200.0, 5_000.0, True),  # it is told what it gives anyway
        (9_000.0, 5_250.0, True),
        (9_000.0, 5_350.0, False),  # it rises, since it may
        (3_000.0, 4_750.0, True),
        (3_000.0, 4_650.0, False),
        (1_000.0, 6_000.0, True),  # its sun rises
        (1_000.0, None, False),
    ],
)
def test_who_is_deaf_stays_so_until_it_moves_by_what_it_is_told(
    told_w: float, p_w: float | None, stays: bool
) -> None:
    """Once it was told what it gave it counted as one that heeds, and the next cut went by turns again."""
    memory = Memory(told=(Heard(der="pv1", told_w=told_w, from_w=5_000.0, for_s=DEAF_S),))
    assert (deaf(watched(memory, [make.pv(p_w=p_w)], 1.0)) == {"pv1"}) is stays


def test_nothing_new_is_made_where_nothing_changes() -> None:
    memory = telling(heed.START, [told(1_000.0)])
    assert watched(memory, [make.pv(p_w=500.0)], 1.0) is memory


def test_a_sun_that_comes_and_goes_makes_nobody_deaf() -> None:
    """Clouds at the limit: what it was told is never left for long."""
    dice, memory = random.Random(7), telling(heed.START, [told(3_000.0)])
    for _ in itertools.repeat(None, 600):
        p_w = min(3_000.0 + dice.gauss(0.0, 60.0), dice.uniform(500.0, 9_000.0))
        memory = watched(memory, [make.pv(p_w=p_w)], 1.0)
        assert deaf(memory) == frozenset()
