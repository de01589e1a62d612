"""Frequency-droop beyond what OpenDER can tell: latching, letting go, coming back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from derctl.core.types import Abstain, DerState, Proposal
from derctl.functions.freq_droop import FreqDroop, event_of, kept_event, uncut_event
from tests import make
from tests.timeline import Clock, DerTimeline


class Run:
    """A droop function at a DER of which only the test moves power and frequency."""

    def __init__(
        self, droop: FreqDroop, p_w: float, f_nom_hz: float = 50.0, build: Callable[..., DerState] = make.pv
    ) -> None:
        self.time = DerTimeline(droop, Clock(f_nom_hz=f_nom_hz))
        self.p_w, self.build = p_w, build
        self.said: Any = None

    @property
    def memory(self) -> Any:
        return self.time.memory

    def at(self, f_hz: float | None, *, seconds: float = 1.0, dt_s: float = 1.0, **given: Any) -> Any:
        der = self.build(**{"p_w": self.p_w, **given}, f_hz=f_hz)
        self.said = self.time.through([der] * (int(seconds / dt_s) if dt_s else 1), dt_s=dt_s)[-1]
        return self.said


def test_inside_the_band_it_has_nothing_to_say() -> None:
    run = Run(FreqDroop(), 4_000.0)
    for f in (49.9641, 50.0, 50.0359):
        assert run.at(f) == Abstain("inside the dead band")


def test_without_frequency_or_power_or_freshness_it_abstains_and_keeps_what_it_latched() -> None:
    run = Run(FreqDroop(), 4_000.0)
    run.at(50.0)
    run.at(50.5, seconds=3)
    latched = run.memory
    for f, given in ((None, {}), (50.5, {"p_w": None}), (50.5, {"fresh": False})):
        assert isinstance(run.at(f, **given), Abstain)
        assert run.memory == latched


def test_p_pre_is_the_power_before_f_left_the_band_and_no_later_one() -> None:
    run = Run(FreqDroop(), 6_000.0)
    run.at(50.0)
    run.p_w = 5_500.0
    run.at(50.5)
    run.p_w = 3_000.0
    run.at(50.5, seconds=60)
    assert run.memory.p_pre == 0.6
    assert run.said.p_ceiling_w == pytest.approx(10_000.0 * (0.6 - 0.464 / 2.5), abs=0.1)


@pytest.mark.parametrize("f_hz", [49.2, 50.5])
def test_it_starts_outside_the_band_at_what_it_measures_and_without_a_bump(f_hz: float) -> None:
    run = Run(FreqDroop(), 6_000.0)
    said = run.at(f_hz, dt_s=0.0, seconds=0.0)
    assert (said.p_floor_w if f_hz < 50.0 else said.p_ceiling_w) == 6_000.0
    assert run.memory.p_pre == 0.6


def test_at_entry_the_ceiling_starts_at_the_present_power() -> None:
    run = Run(FreqDroop(), 6_000.0)
    run.at(50.0)
    said = run.at(51.0, dt_s=0.01, seconds=0.01)
    assert said.p_ceiling_w == pytest.approx(6_000.0, abs=10.0)


def test_under_frequency_is_a_floor_and_over_frequency_a_ceiling() -> None:
    run = Run(FreqDroop(), 6_000.0)
    run.at(50.0)
    assert run.at(49.5) == Proposal(by="freq_droop", rank=20, p_floor_w=run.said.p_floor_w)
    assert run.at(50.5) == Proposal(by="freq_droop", rank=20, p_ceiling_w=run.said.p_ceiling_w)


def test_p_min_bounds_the_reduction() -> None:
    for p_min, expected in ((0.25, 2_500.0), (None, 0.0)):
        run = Run(FreqDroop(p_min_pu=p_min), 5_000.0)
        run.at(50.0)
        assert run.at(52.0, seconds=600).p_ceiling_w == pytest.approx(expected, abs=1e-3)


def test_storage_is_bounded_by_its_charge_rating() -> None:
    run = Run(FreqDroop(), 1_000.0, build=make.battery)
    run.at(50.0, charge_w=2_000.0)
    assert run.at(52.0, seconds=600, charge_w=2_000.0).p_ceiling_w == pytest.approx(-2_000.0, abs=1e-3)


def test_after_over_frequency_the_ceiling_comes_back_to_p_pre_and_then_rises_on_a_ramp() -> None:
    run = Run(FreqDroop(return_pu_per_s=0.05), 6_000.0)
    run.at(50.0)
    run.at(50.5, seconds=60)
    ceilings = []
    while not isinstance(run.at(50.0), Abstain):
        ceilings.append(run.said.p_ceiling_w)
    assert ceilings == sorted(ceilings)
    risen = [c for c in ceilings if c > 6_000.0 + 1e-6]
    steps = [b - a for a, b in pairwise(risen)]
    assert steps == pytest.approx([500.0] * len(steps)), "5 % of the rating a second"
    assert len(risen) == 7, "0.65 to 0.95; at 1.0 it binds nobody"


def test_after_under_frequency_the_floor_is_let_go_when_it_is_back_at_p_pre() -> None:
    run = Run(FreqDroop(), 6_000.0)
    run.at(50.0)
    run.at(49.5, seconds=60)
    floors = []
    while not isinstance(run.at(50.0), Abstain):
        floors.append(run.said.p_floor_w)
    assert floors == sorted(floors, reverse=True)
    assert floors[-1] == pytest.approx(6_000.0, abs=30.0)


@pytest.mark.parametrize("p_w", [-20.0, 0.0, 10_040.0])
def test_an_event_that_began_outside_the_rating_ends_too(p_w: float) -> None:
    """An inverter at night draws its own few watts; one at full sun gives a little more than its nameplate."""
    run = Run(FreqDroop(), p_w)
    run.at(50.0)
    run.at(50.5, seconds=60)
    run.at(50.0, seconds=120)
    assert run.said == Abstain("inside the dead band")


def test_a_second_event_during_the_return_ramp_starts_from_the_power_of_then() -> None:
    """P_pre is the output when f leaves the band (1547, 6.5.2.7), not how far a ceiling has come back meanwhile."""
    for f, sign, field in ((50.5, -1.0, "p_ceiling_w"), (49.5, 1.0, "p_floor_w")):
        run = Run(FreqDroop(return_pu_per_s=0.01), 3_000.0)
        run.at(50.0)
        run.at(50.5, seconds=60)
        run.at(50.0, seconds=60)
        assert run.memory.p_pre > 0.5, "the ceiling has risen above what the sun gives"
        assert getattr(run.at(f, dt_s=0.0, seconds=0.0), field) == 3_000.0
        run.at(f, seconds=600)
        assert getattr(run.said, field) == pytest.approx(3_000.0 + sign * 10_000.0 * 0.464 / 2.5, abs=0.1)


def test_a_second_event_before_the_first_is_over_begins_at_the_power_of_then() -> None:
    """P_pre is the output when f leaves the band (1547, 6.5.2.7); f in the band leads back to before the first."""
    run = Run(FreqDroop(), 6_000.0)
    run.at(50.0)
    run.at(50.5, seconds=60)
    run.p_w = 4_144.0
    run.at(50.0)
    run.at(50.5, seconds=600)
    assert run.memory.p_pre == pytest.approx(0.4144)
    assert run.said.p_ceiling_w == pytest.approx(10_000.0 * (0.4144 - 0.464 / 2.5), abs=0.1)
    ceilings = [run.at(50.0).p_ceiling_w for _ in range(12)]
    assert ceilings[-1] == pytest.approx(6_000.0, abs=30.0)


def test_a_frequency_that_trembles_at_the_edge_does_not_drain_the_power() -> None:
    run = Run(FreqDroop(), 9_000.0)
    for f in (50.0, *(50.0, 50.1) * 300):
        run.at(f)
        run.p_w = min(9_000.0, getattr(run.said, "p_ceiling_w", 9_000.0))
    assert run.p_w == pytest.approx(8_570.0, abs=30.0), "one excursion's worth: 9,000 W - 0.064 Hz / 2.5 Hz of 10 kW"


def fallen_through(droop: FreqDroop, sun_w: float = 9_100.0) -> Run:
    """Cut in over-frequency, then under-frequency at once."""
    run = Run(droop, sun_w)
    run.at(50.0)
    run.at(51.0, seconds=60)
    run.p_w = run.said.p_ceiling_w
    run.at(49.8)
    return run


def test_what_was_cut_rises_with_the_response_in_under_frequency_and_on_the_ramp_after_it() -> None:
    run = fallen_through(FreqDroop(return_pu_per_s=0.01))
    cut_w = run.p_w
    assert cut_w == pytest.approx(10_000.0 * (0.91 - 0.964 / 2.5), abs=1.0)
    assert run.said.p_ceiling_w == pytest.approx(run.said.p_floor_w) and run.said.p_ceiling_w < cut_w + 300.0
    risen = run.at(49.8, seconds=60)
    assert risen.p_ceiling_w == pytest.approx(cut_w + 10_000.0 * 0.164 / 2.5, abs=1.0)
    back = [run.at(50.0) for _ in range(40)]
    steps = [b.p_ceiling_w - a.p_ceiling_w for a, b in pairwise(back)]
    assert min(steps) >= 0.0 and max(steps) == pytest.approx(100.0, abs=0.1), "1 % of the rating a second"
    assert back[-1].p_floor_w is None, "the floor has been let go"


def test_a_ceiling_on_its_way_back_stands_in_under_frequency_too() -> None:
    run = Run(FreqDroop(return_pu_per_s=0.01), 5_000.0)
    run.at(50.0)
    run.at(51.0, seconds=60)
    before = run.at(50.0, seconds=40).p_ceiling_w
    assert run.memory.back and run.at(49.9).p_ceiling_w == pytest.approx(before)


def test_a_restart_forgets_neither_the_ceiling_nor_where_it_leads() -> None:
    run = fallen_through(FreqDroop())
    plain = kept_event(run.memory)
    assert plain is not None
    again = event_of(plain)
    for name in ("p_pre", "home", "side", "back", "cut"):
        assert getattr(again, name) == getattr(run.memory, name)
    earlier = {name: value for name, value in plain.items() if name not in {"home", "cut"}}
    assert (event_of(earlier).home, event_of(earlier).cut) == (plain["p_pre"], None), "as an earlier build kept it"


def test_what_nobody_followed_was_not_cut() -> None:
    assert uncut_event(fallen_through(FreqDroop()).memory).cut is None


def risen_through(droop: FreqDroop, demand_w: float = 1_000.0) -> Run:
    """A battery lifted in under-frequency, then over-frequency at once."""
    run = Run(droop, demand_w, build=make.battery)
    run.at(50.0)
    run.at(49.5, seconds=60)
    run.p_w = run.said.p_floor_w
    return run


def test_what_was_lifted_goes_back_with_the_response_in_over_frequency() -> None:
    """Its demand of 1 kW lies below the line from the lifted power; to drop to it at once is no response of 5 s."""
    run = risen_through(FreqDroop())
    lifted_w = run.p_w
    assert lifted_w == pytest.approx(1_000.0 + 5_000.0 * 0.464 / 2.5, abs=1.0)
    said = [run.at(50.1, seconds=0.1, dt_s=0.1) for _ in range(100)]
    floors = [each.p_floor_w for each in said]
    assert floors[0] > lifted_w - 50.0, "no bump"
    assert floors[49] == pytest.approx(1_000.0 + 0.1 * (lifted_w - 1_000.0), abs=20.0), "90 % after 5 s"
    assert floors == sorted(floors, reverse=True)
    assert all(each.p_floor_w <= each.p_ceiling_w for each in said)
    assert run.at(50.1, seconds=60).p_floor_w is None, "let go near to what was before"


def test_what_was_lifted_is_let_go_no_sooner_where_f_only_passes_through_over_frequency() -> None:
    run = risen_through(FreqDroop(return_pu_per_s=1.0))
    run.at(50.1, dt_s=0.1, seconds=0.1)
    floors = [run.at(50.0, dt_s=0.1, seconds=0.1).p_floor_w for _ in range(48)]
    assert floors == sorted(floors, reverse=True) and floors[0] > 1_800.0 and floors[-1] < 1_110.0
    assert run.at(50.0, seconds=60) == Abstain("inside the dead band")


def test_a_second_over_frequency_while_the_ceiling_returns_lets_nothing_lifted_fall() -> None:
    run = risen_through(FreqDroop(return_pu_per_s=0.01))
    run.at(50.04, dt_s=0.1, seconds=0.1)
    run.at(50.0, dt_s=0.1, seconds=0.3)
    assert run.memory.back
    before = run.said.p_floor_w
    assert run.at(50.04, dt_s=0.1, seconds=0.1).p_floor_w == pytest.approx(before, abs=50.0)


def test_one_that_gave_less_than_it_was_lifted_to_is_held_at_no_more_than_it_gives() -> None:
    run = risen_through(FreqDroop())
    run.p_w = 1_200.0
    assert run.at(50.1, dt_s=0.1, seconds=0.1).p_floor_w <= 1_200.0


def test_a_restart_and_a_time_in_which_nothing_is_written_know_what_was_lifted() -> None:
    run = risen_through(FreqDroop())
    run.at(50.1)
    again = event_of(kept_event(run.memory))
    assert again.lift == run.memory.lift is not None
    assert uncut_event(run.memory).lift is None, "nobody has followed it"
