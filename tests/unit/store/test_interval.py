"""Intervals lie on the clock's quarters, leave nothing out, and say what was not watched."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from derctl.core.types import Reading, SiteState
from derctl.core.value import replace
from derctl.store.interval import GAP_S, Intervals, Moment, Part, merged, seconds_of, text_of
from tests import make

NOON = seconds_of("2026-11-21T12:00:00Z")
PARTS = {"poc": Part.POC, "pv1": Part.PV, "bat1": Part.STORE}


class Site:
    """A house with counters in its devices: exact sums of what they do, W; looked at each second."""

    def __init__(self, began: float = NOON, length_s: float = 900.0) -> None:
        self.wall, self.now_s, self.synced = began, 1000.0, True
        self.wh = {"pv1": 5000.0, "out": 2000.0, "in": 3000.0, "bat_out": 100.0, "bat_in": 200.0}
        self.silent: set[str] = set()
        self.intervals = Intervals("demo", length_s, PARTS)
        [self.started] = self.intervals.look(self.state(), self.moment())

    def state(self) -> SiteState:
        wh = self.wh
        ders = (
            make.pv("pv1", p_w=3600.0, energy_wh=wh["pv1"], fresh="pv1" not in self.silent),
            make.battery(
                "bat1",
                p_w=-1800.0,
                energy_wh=wh["bat_out"],
                energy_in_wh=wh["bat_in"],
                fresh="bat1" not in self.silent,
            ),
        )
        reading = Reading(p_w=720.0, energy_wh=wh["out"], energy_in_wh=wh["in"])
        poc = replace(make.meter(720.0), reading=reading)
        return make.site(*ders, poc=poc)

    def moment(self) -> Moment:
        return Moment(wall=self.wall, now_s=self.now_s, synced=self.synced)

    def flows(self, seconds: float) -> None:
        self.wall, self.now_s = self.wall + seconds, self.now_s + seconds
        for name, p_w in (("pv1", 3600.0), ("out", 720.0), ("bat_in", 1800.0)):
            self.wh[name] += p_w * seconds / 3600.0

    def run(self, seconds: int, step_s: float = 1.0) -> list[dict[str, Any]]:
        found = []
        for _ in range(int(seconds / step_s)):
            found += self.intervals.look(self.state(), self.moment())
            self.flows(step_s)
        return found


def test_an_interval_ends_on_the_clock_s_quarter() -> None:
    site = Site(NOON + 100.0)
    first, second = site.run(1710)
    assert (first["from"], first["to"]) == (text_of(NOON + 100.0), text_of(NOON + 900.0))
    assert (second["from"], second["to"], second["why"]) == (text_of(NOON + 900.0), text_of(NOON + 1800.0), None)
    assert first["generation_wh"] == pytest.approx(800.0)
    assert second["generation_wh"] == pytest.approx(900.0)
    assert (second["export_wh"], second["import_wh"]) == (pytest.approx(180.0), 0.0)
    assert (second["charge_wh"], second["discharge_wh"]) == (pytest.approx(450.0), 0.0)
    assert second["by"]["charge_wh"] == "counter"
    assert second["devices"]["pv1"]["covered_s"] == pytest.approx(900.0, abs=1.1)
    assert (
        second["counters"]["bat1"] == [100.0, pytest.approx(200.0 + 850.0)] or second["counters"]["bat1"][0] == 100.0
    )


@pytest.mark.parametrize("length_s", [60.0, 300.0, 900.0, 1800.0])
def test_all_intervals_together_are_what_the_counters_moved(length_s: float) -> None:
    site = Site(NOON + 17.0, length_s)
    found = site.run(4000, 0.96) + site.intervals.stop(site.moment())
    assert all(a["to"] == b["from"] for a, b in itertools.pairwise(found))
    assert sum(each["generation_wh"] for each in found) == pytest.approx(site.wh["pv1"] - 5000.0, abs=1.0)
    assert found[-1]["why"] == "stopped"


def test_what_flowed_while_derctl_was_away_is_an_interval_of_its_own() -> None:
    site = Site()
    last = site.run(1000)[-1]
    site.flows(5000.0)
    again = Intervals("demo", 900.0, PARTS)
    again.resume(last)
    site.intervals = again
    gap, *_ = site.run(3)
    assert (gap["why"], gap["from"]) == ("not_running", last["to"])
    assert gap["to"] == text_of(site.wall - 3.0)
    assert gap["generation_wh"] == pytest.approx(5100.0, abs=2.0)
    assert gap["by"]["generation_wh"] == "counter"


def test_a_device_that_does_not_answer_after_the_start_is_waited_for_and_then_named() -> None:
    site = Site()
    last = site.run(1000)[-1]
    site.intervals = Intervals("demo", 900.0, PARTS)
    site.intervals.resume(last)
    site.silent = {"pv1"}
    found = site.run(int(GAP_S) + 2)
    assert [each["why"] for each in found] == ["not_running"]
    assert (found[0]["silent"], found[0]["generation_wh"], found[0]["by"]["generation_wh"]) == (["pv1"], None, None)
    site.silent = set()
    later = site.run(1000)
    assert (later[0]["to"], later[0]["generation_wh"]) == (text_of(NOON + 1800.0), pytest.approx(900.0))


def test_a_silent_device_is_named_and_counted_once_it_is_heard_again() -> None:
    site = Site()
    site.run(901)
    site.silent = {"bat1"}
    [dark] = site.run(900)
    assert (dark["silent"], dark["charge_wh"]) == (["bat1"], None)
    site.silent = set()
    [light] = site.run(900)
    assert light["charge_wh"] == pytest.approx(900.0, abs=2.0)


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_clock_that_is_set_ends_an_interval_and_loses_no_energy(jump_s: float) -> None:
    site = Site(NOON + 60.0)
    site.run(100)
    site.wall += jump_s
    found = site.run(30) + site.intervals.stop(site.moment())
    assert [each["why"] for each in found] == ["clock_set", "stopped"]
    assert found[1]["from"] == text_of(seconds_of(found[0]["to"]) + jump_s)
    assert sum(each["generation_wh"] for each in found) == pytest.approx(129.0)


def test_a_machine_that_slept_says_so() -> None:
    site = Site()
    site.run(10)
    site.flows(4000.0)
    [found] = site.run(2)
    assert (found["why"], found["from"], found["to"]) == ("paused", text_of(NOON), text_of(NOON + 4010.0))
    assert found["devices"]["pv1"]["covered_s"] == pytest.approx(9.0)


def test_a_clock_that_is_not_set_is_said() -> None:
    site = Site()
    site.synced = False
    site.run(10)
    assert [each["synced"] for each in site.intervals.stop(site.moment())] == [False]


def test_two_that_become_one_lose_no_energy() -> None:
    site = Site()
    first, second = site.run(1802)
    both = merged(first, second)
    assert (both["from"], both["to"], both["why"]) == (first["from"], second["to"], "disk_full")
    assert both["generation_wh"] == first["generation_wh"] + second["generation_wh"]
    assert (
        merged({**first, "charge_wh": None, "by": {**first["by"], "charge_wh": None}}, second)["charge_wh"]
        == (second["charge_wh"])
    )


def test_an_end_before_the_first_look_has_nothing_to_say() -> None:
    assert Intervals("demo", 900.0, PARTS).stop(Site().moment()) == []


def test_the_first_record_is_what_the_counters_show_so_that_a_kill_loses_nothing_from_then_on() -> None:
    started = Site().started
    assert (started["why"], started["from"], started["to"]) == ("started", text_of(NOON), text_of(NOON))
    assert started["counters"]["pv1"] == [5000.0, None]
    assert started["generation_wh"] is None


def test_a_device_that_leaves_the_file_ends_with_its_interval() -> None:
    site = Site()
    site.run(10)
    site.intervals.parts = {"poc": Part.POC, "bat1": Part.STORE}
    [first] = site.intervals.stop(site.moment())
    assert "pv1" in first["devices"]
    assert "generation_wh" not in first
    assert set(site.intervals.meters) == {"poc", "bat1"}
