"""An inverter that falls silent in the dark is no loss; one that does by day is, whatever else is dark."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.types import DerState, Setpoint
from derctl.core.value import replace
from derctl.core.words import Status
from derctl.daemon.dusk import DIM_S, DUSK_S, MORNING_S, NIGHT_MOST_S, Dusk
from tests import make

SUN, DIM, DARK = 8_000.0, 300.0, 0.0


class Site:
    """Three inverters of 10 kW, and a clock. told: (event, who)."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.told: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.ders: dict[str, DerState] = {}
        self.dusk = Dusk(self.hear, clock=lambda: self.now_s)
        for name in ("pv1", "pv2", "pv3"):
            self.gives(name, SUN)

    def hear(self, event: str, who: str, text: str) -> None:
        self.told.append((event, who))
        self.texts.append(text)

    def gives(self, name: str, p_w: float | None, **reading: Any) -> None:
        status = Status.ASLEEP if p_w == DARK else Status.ON
        self.ders[name] = make.pv(name, **{"p_w": p_w, "status": status, **reading})

    def all_give(self, p_w: float) -> None:
        for name in self.ders:
            self.gives(name, p_w)

    def silent(self, *names: str) -> None:
        """Nothing of them is fresh, and what they gave last stands."""
        for name in names:
            self.ders[name] = replace(self.ders[name], fresh=False)
            self.dusk.tell("device_unreachable", name, "no answer within 1 s")

    def ticks(self, seconds: float, dt_s: float = 1.0) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s += dt_s
            self.dusk.look(tuple(self.ders.values()))

    def back(self, *names: str, p_w: float = DIM) -> None:
        for name in names:
            self.gives(name, p_w)
            self.dusk.tell("device_ok", name, "answers again")


@pytest.fixture
def site() -> Site:
    made = Site()
    made.ticks(5.0)
    return made


def test_a_dusk_is_one_word_for_the_site_and_the_next_one_another(site: Site) -> None:
    for day in (1, 2):
        site.all_give(DIM)
        site.ticks(DIM_S + 1.0)
        site.silent("pv1")
        site.ticks(60.0)
        site.silent("pv2")
        site.gives("pv3", DARK)
        site.ticks(36_000.0, 60.0)
        site.back("pv2", "pv1")
        site.all_give(SUN)
        site.ticks(MORNING_S + 1.0)
        assert site.told == [("sun_down", "")] * day
    assert site.texts[0] == "not heard any more, and gave nothing before: pv1; 2 more are heard"


def test_all_that_fall_silent_while_others_still_give_a_little_are_in_one_word(site: Site) -> None:
    site.all_give(DIM)
    site.gives("pv3", 900.0)
    site.ticks(DIM_S + 1.0)
    site.silent("pv2")
    site.ticks(DUSK_S / 2.0, 10.0)
    assert site.told == [], "one still gives more than a little"
    site.silent("pv1")
    site.gives("pv3", DIM)
    site.ticks(1.0)
    assert site.texts == ["not heard any more, and gave nothing before: pv1, pv2; 1 more are heard"]


def test_the_word_does_not_wait_for_ever_for_one_that_gives_a_little(site: Site) -> None:
    site.all_give(DIM)
    site.gives("pv3", 900.0)
    site.ticks(DIM_S + 1.0)
    site.silent("pv1")
    site.ticks(DUSK_S + 10.0, 10.0)
    assert site.told == [("sun_down", "")]


def one_shines(site: Site) -> None:
    site.gives("pv1", DIM)
    site.gives("pv2", 1_100.0)


@pytest.mark.parametrize(
    ("why", "gives"),
    [
        ("it gave power", lambda site: site.gives("pv1", SUN)),
        ("it gave power a moment ago", lambda site: None),
        ("it is not measured", lambda site: site.gives("pv1", None)),
        ("the sun shines on another", one_shines),
        (
            "a limit held it at that",
            lambda site: site.gives("pv1", DIM, status=Status.THROTTLED, accepted=Setpoint(p_ceiling_w=DIM)),
        ),
        (
            "it was told 0 W",
            lambda site: site.gives("pv1", 0.0, status=Status.STANDBY, accepted=Setpoint(p_ceiling_w=0.0)),
        ),
    ],
)
def test_a_loss_by_day_is_told_at_once(site: Site, why: str, gives: Any) -> None:
    if why == "it gave power a moment ago":
        site.all_give(DIM)
        site.ticks(DIM_S - 3.0)
    else:
        site.gives("pv2", DIM)
        site.gives("pv3", DIM)
        gives(site)
        site.ticks(DIM_S + 1.0)
    site.silent("pv1")
    assert site.told == [("device_unreachable", "pv1")], why
    site.back("pv1")
    assert site.told[1:] == [("device_ok", "pv1")]


def test_a_battery_has_no_night() -> None:
    site = Site()
    site.all_give(DIM)
    site.ders["bat1"] = make.battery("bat1", p_w=0.0)
    site.ticks(DIM_S + 1.0)
    site.silent("bat1")
    assert site.told == [("device_unreachable", "bat1")]


def asleep(site: Site, *names: str) -> None:
    site.all_give(DIM)
    site.ticks(DIM_S + 1.0)
    site.silent(*names)
    site.ticks(1.0)
    assert site.told == [("sun_down", "")]


def test_who_is_not_back_with_the_sun_is_missed(site: Site) -> None:
    asleep(site, "pv1", "pv2")
    site.gives("pv3", SUN)
    site.ticks(MORNING_S - 10.0)
    site.back("pv2")
    assert site.told == [("sun_down", "")]
    site.ticks(20.0)
    assert site.told[1:] == [("device_unreachable", "pv1")]
    assert site.texts[-1] == "no answer within 1 s (silent since the dark, and not back with the sun)"
    site.back("pv1")
    assert site.told[2:] == [("device_ok", "pv1")]


def test_no_night_lasts_for_ever_where_nobody_is_left_to_show_the_sun(site: Site) -> None:
    asleep(site, "pv1", "pv2", "pv3")
    site.ticks(NIGHT_MOST_S, 60.0)
    assert sorted(site.told[1:]) == [("device_unreachable", name) for name in ("pv1", "pv2", "pv3")]


def test_a_gleam_at_dusk_makes_no_second_word(site: Site) -> None:
    asleep(site, "pv1")
    site.gives("pv3", 1_500.0)
    site.ticks(120.0)
    site.gives("pv3", DIM)
    site.ticks(DIM_S + 1.0)
    site.silent("pv2")
    site.ticks(60.0)
    assert site.told == [("sun_down", "")]


def test_what_answers_in_its_place_is_told_at_night_too(site: Site) -> None:
    asleep(site, "pv1", "pv2")
    site.dusk.tell("device_refused", "pv1", "serial 7 answers")
    site.dusk.tell("device_unreachable", "pv2", "no answer, but unit 3 answers")
    site.dusk.tell("found", "pv3", "Acme One")
    assert site.told[1:] == [("device_refused", "pv1"), ("device_unreachable", "pv2"), ("found", "pv3")]
    site.back("pv1", "pv2")
    assert site.told[4:] == [("device_ok", "pv1"), ("device_ok", "pv2")]


def test_who_leaves_the_site_file_is_not_missed(site: Site) -> None:
    asleep(site, "pv1")
    del site.ders["pv1"]
    site.gives("pv3", SUN)
    site.ticks(MORNING_S + 10.0)
    assert site.told == [("sun_down", "")]
