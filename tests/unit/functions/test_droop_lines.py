"""Droop as Australia and Europe draw it: lines with an end, a reference of the moment, stop thresholds and times."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from derctl.core.types import Abstain, DerState
from derctl.functions.freq_droop import FreqDroop, event_of, kept_event
from tests import make
from tests.timeline import Clock, DerTimeline

AUSTRALIA: dict[str, Any] = {  # AS/NZS 4777.2:2020, Australia A, as the Q.HOME CORE manual has it
    "db_of_hz": 0.25,
    "db_uf_hz": 0.25,
    "of_mid_hz": 50.75,
    "of_end_hz": 52.0,
    "uf_mid_hz": 49.0,
    "uf_end_hz": 48.0,
}
SETTLED_S = 1e6


class Event:
    """A DER whose power only the test moves."""

    def __init__(self, droop: FreqDroop, p_w: float, build: Callable[..., DerState] = make.pv) -> None:
        self.time, self.p_w, self.build = DerTimeline(droop, Clock(f_nom_hz=50.0)), p_w, build
        self.at(50.0)

    def at(self, f_hz: float, *, dt_s: float = 1.0, p_w: float | None = None) -> Any:
        return self.time.at(self.build(p_w=self.p_w if p_w is None else p_w, f_hz=f_hz), dt_s=dt_s)

    def settled(self, f_hz: float) -> Any:
        self.at(f_hz)
        return self.at(f_hz, dt_s=SETTLED_S)


@pytest.mark.parametrize(("f_hz", "share"), [(50.26, 0.01 / 1.75), (50.75, 0.5 / 1.75), (51.5, 1.25 / 1.75), (52, 1)])
@pytest.mark.parametrize("p_w", [10_000.0, 4_000.0])
def test_pv_goes_from_what_it_gave_in_one_line_to_nothing_at_the_end(f_hz: float, share: float, p_w: float) -> None:
    said = Event(FreqDroop(rules={}, **AUSTRALIA), p_w).settled(f_hz)
    assert said.p_ceiling_w == pytest.approx(p_w * (1.0 - share), abs=0.1)


def test_beyond_the_end_it_stays_at_nothing() -> None:
    assert Event(FreqDroop(rules={}, **AUSTRALIA), 4_000.0).settled(53.0).p_ceiling_w == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(
    ("p_w", "f_hz", "wanted_w"),
    [  # a store of 5 kW either way
        (4_000.0, 50.5, 2_000.0),
        (4_000.0, 50.75, 0.0),
        (4_000.0, 51.375, -2_500.0),
        (4_000.0, 52.0, -5_000.0),
        (-1_000.0, 50.75, -1_000.0),
        (-1_000.0, 52.0, -5_000.0),
    ],
)
def test_a_store_stops_discharging_first_and_then_charges(p_w: float, f_hz: float, wanted_w: float) -> None:
    said = Event(FreqDroop(rules={}, **AUSTRALIA), p_w, make.battery).settled(f_hz)
    assert said.p_ceiling_w == pytest.approx(wanted_w, abs=0.1)


@pytest.mark.parametrize(
    ("p_w", "f_hz", "wanted_w"),
    [
        (-4_000.0, 49.375, -2_000.0),
        (-4_000.0, 49.0, 0.0),
        (-4_000.0, 48.5, 2_500.0),
        (-4_000.0, 48.0, 5_000.0),
        (1_000.0, 49.0, 1_000.0),
        (1_000.0, 48.0, 5_000.0),
    ],
)
def test_a_store_stops_charging_first_and_then_discharges(p_w: float, f_hz: float, wanted_w: float) -> None:
    said = Event(FreqDroop(rules={}, **AUSTRALIA), p_w, make.battery).settled(f_hz)
    assert said.p_floor_w == pytest.approx(wanted_w, abs=0.1)


def test_pv_is_not_raised_by_a_code_that_asks_stores_alone() -> None:
    assert Event(FreqDroop(rules={}, **AUSTRALIA), 4_000.0).settled(48.0) == Abstain("inside the dead band")


def test_a_line_without_a_corner_is_straight() -> None:
    droop = FreqDroop(db_of_hz=0.25, db_uf_hz=0.25, of_end_hz=52.0, uf_end_hz=48.0)
    assert Event(droop, 4_000.0, make.battery).settled(51.125).p_ceiling_w == pytest.approx(-500.0, abs=0.1)
    assert Event(droop, -4_000.0, make.battery).settled(48.875).p_floor_w == pytest.approx(500.0, abs=0.1)


@pytest.mark.parametrize(("p_ref", "of_w", "uf_w"), [("rated", 3_000.0, 5_000.0), ("momentary", 3_600.0, 4_400.0)])
def test_the_droop_is_a_share_of_the_rating_or_of_what_it_gave(p_ref: str, of_w: float, uf_w: float) -> None:
    """k = 5 %, 0.25 Hz beyond the band: a tenth of the reference; 10 kW rated, 4 kW given."""
    droop = FreqDroop(db_of_hz=0.2, db_uf_hz=0.2, p_ref_of=p_ref, p_ref_uf=p_ref)
    assert Event(droop, 4_000.0).settled(50.45).p_ceiling_w == pytest.approx(of_w, abs=0.1)
    assert Event(droop, 4_000.0).settled(49.55).p_floor_w == pytest.approx(uf_w, abs=0.1)


def test_a_store_that_charges_draws_more_by_a_share_of_what_it_drew() -> None:
    droop = FreqDroop(db_of_hz=0.2, p_ref_of="momentary")
    assert Event(droop, -2_000.0, make.battery).settled(50.45).p_ceiling_w == pytest.approx(-2_200.0, abs=0.1)


# ---- the end of an event


EUROPE: dict[str, Any] = {
    "db_of_hz": 0.2,
    "db_uf_hz": 0.2,
    "of_stop_hz": 50.1,
    "uf_stop_hz": 49.9,
    "return_pu_per_s": 0.001,
}


def test_what_was_cut_stays_cut_until_f_has_been_back_for_the_stop_time_and_then_ramps() -> None:
    event = Event(FreqDroop(rules={}, stop_s=20.0, olrt_s=1.0, **EUROPE), 8_000.0)
    cut_w = event.settled(50.7).p_ceiling_w
    assert cut_w == pytest.approx(6_000.0, abs=0.1)
    for f_hz in (50.3, 50.15, 50.05, 50.15):  # nearer, inside the band only, inside the threshold, out of it again
        for _ in range(15):
            assert event.at(f_hz).p_ceiling_w <= cut_w
    ceilings = [event.at(50.05).p_ceiling_w for _ in range(120)]
    assert ceilings[:19] == pytest.approx([cut_w] * 19, abs=0.1)
    assert ceilings[-1] == pytest.approx(cut_w + 101 * 10.0, abs=1.0)
    assert max(b - a for a, b in pairwise(ceilings)) == pytest.approx(10.0, abs=0.1)


def test_the_stop_threshold_is_the_band_s_edge_where_none_is_given() -> None:
    settings = {**EUROPE, "of_stop_hz": None, "uf_stop_hz": None}
    event = Event(FreqDroop(rules={}, stop_s=3.0, **settings), 8_000.0)
    cut_w = event.settled(50.7).p_ceiling_w
    assert [event.at(50.2).p_ceiling_w > cut_w + 1.0 for _ in range(4)] == [False, False, True, True]


def test_a_cut_goes_on_deeper_while_f_rises() -> None:
    event = Event(FreqDroop(rules={}, stop_s=20.0, **EUROPE), 8_000.0)
    event.settled(50.7)
    assert event.settled(51.2).p_ceiling_w == pytest.approx(4_000.0, abs=0.1)


def test_a_floor_follows_f_down_and_is_let_go_after_the_stop_time() -> None:
    event = Event(FreqDroop(rules={}, stop_s=20.0, olrt_s=1.0, **EUROPE), 4_000.0)
    assert event.settled(49.3).p_floor_w == pytest.approx(6_000.0, abs=0.1)
    said = [event.at(50.0) for _ in range(25)]
    assert [isinstance(each, Abstain) for each in said] == [False] * 19 + [True] * 6
    assert said[10].p_floor_w == pytest.approx(4_000.0, abs=0.1)


def test_an_event_that_changes_its_side_begins_its_stop_time_anew() -> None:
    event = Event(FreqDroop(rules={}, stop_s=20.0, olrt_s=1.0, **EUROPE), 4_000.0)
    event.settled(50.7)
    for _ in range(10):
        event.at(50.0)
    said = event.settled(49.3)
    assert said.p_floor_w == pytest.approx(6_000.0, abs=0.1)
    assert event.time.memory.calm_s == 0.0


def test_a_restart_in_the_stop_time_lets_nothing_go() -> None:
    droop = FreqDroop(rules={}, stop_s=20.0, olrt_s=1.0, **EUROPE)
    event = Event(droop, 8_000.0)
    cut_w = event.settled(50.7).p_ceiling_w
    for _ in range(15):
        event.at(50.0)
    plain = kept_event(event.time.memory)
    assert plain is not None
    event.time.memory = event_of(plain)
    assert [event.at(50.0).p_ceiling_w for _ in range(19)] == pytest.approx([cut_w] * 19, abs=0.1)


def test_ends_on_the_wrong_side_of_the_band_do_not_fit() -> None:
    assert FreqDroop().misfit(50.0) is None
    assert FreqDroop(rules={}, **AUSTRALIA).misfit(50.0) is None
    assert FreqDroop(rules={}, **AUSTRALIA, of_stop_hz=50.25, uf_stop_hz=49.75).misfit(50.0) is None
    wrong = FreqDroop(rules={}, **AUSTRALIA).misfit(60.0)
    assert wrong is not None and wrong.name == "of_mid_hz" and "60.25" in wrong.allowed
    for settings, name in (
        ({"uf_mid_hz": 49.9}, "uf_mid_hz"),
        ({"of_end_hz": 50.5}, "of_end_hz"),
        ({"of_stop_hz": 50.3}, "of_stop_hz"),
        ({"uf_stop_hz": 49.7}, "uf_stop_hz"),
    ):
        misfit = FreqDroop(rules={}, **{**AUSTRALIA, **settings}).misfit(50.0)
        assert misfit is not None and misfit.name == name
