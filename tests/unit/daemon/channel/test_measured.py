"""What a device measures: what can be believed, whether it stands still, what its read-back is worth."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.types import Rating, Reading, Setpoint
from derctl.core.words import Reason, Status
from derctl.daemon.channel.binding import Look
from derctl.daemon.channel.expected import Expected
from derctl.daemon.channel.measured import Measured
from derctl.daemon.channel.sight import Sight
from derctl.devices import Options, Profile
from derctl.devices.profile import Habits
from derctl.devices.sunspec.limits import BLOCK
from tests import make

PV = make.rating(p_max_w=5000.0)
BATTERY = make.rating(p_max_w=5000.0, p_min_w=-5000.0, e_max_wh=10_000.0)
WELL = {"v_v": 230.0, "f_hz": 50.0, "status": Status.ON}
LIMIT = Setpoint(p_ceiling_w=3000.0)


class Polled:
    """A device that measures what the test says, once a second. doubt: what the site file has against it."""

    def __init__(self, rating: Rating = PV, **profile: Any) -> None:
        self.rating, self.now_s, self.registers = rating, 1000.0, 0
        self.doubt, self.doubts = None, 0
        kind: Any = SimpleNamespace(bind=None)
        options = Options(profile=Profile(**profile))
        self.habits = Habits(profile=options.profile)
        self.measured = Measured(Expected(kind=kind, options=options, doubts=self._doubts))

    def _doubts(self, device: object, seen: Reading) -> str | None:
        self.doubts += 1
        return self.doubt

    def take(self, **reading: Any) -> Sight:
        self.now_s += 1.0
        seen = Reading(**{**WELL, **reading})
        device: Any = SimpleNamespace(rating=self.rating, habits=self.habits, decode=lambda answers: seen)
        return self.measured.take(device, {}, self.now_s)

    def still_s(self, *, moves: bool = True, battery: tuple[int, ...] | None = None) -> float | None:
        """After a poll, by its registers. moves: whether those of the control block are others than before."""
        self.registers += moves
        fresh = {"ac": (self.registers,)} | ({} if battery is None else {BLOCK: battery})
        return self.measured.still_s(fresh, self.rating)

    def weigh(self, seconds: int = 1, *, steers: bool = True, moves: bool = True, **reading: Any) -> Reading:
        """What is left of the reading after so many polls."""
        for _ in range(seconds):
            before_s = self.measured.read_s
            self.take(**reading)
            self.measured.weigh(self.rating, before_s, steers=steers, moves=moves)
        return self.measured.reading


# -- what can be believed -------------------------------------------------------------------------------------------


def test_each_poll_is_a_sample_of_its_own_time() -> None:
    at = Polled()
    for sample in (1, 2, 3):
        at.take(p_w=1000.0)
        assert (at.measured.sample, at.measured.read_s, at.measured.reading.p_w) == (sample, at.now_s, 1000.0)


@pytest.mark.parametrize(
    ("name", "first", "then", "believed"),
    [
        ("energy_wh", 5000.0, 5001.0, 5001.0),
        ("energy_wh", 5000.0, 4000.0, 5000.0),  # a counter that steps back
        ("energy_wh", 5000.0, 90_000.0, 5000.0),  # further than power and time allow
        ("soc_pct", 50.0, 51.0, 51.0),
        ("soc_pct", 50.0, 5.0, 50.0),
    ],
)
def test_what_jumps_further_than_it_can_is_held_at_the_last_value(
    name: str, first: float, then: float, believed: float
) -> None:
    at = Polled(BATTERY)
    at.take(p_w=1000.0, **{name: first})
    seen = at.take(p_w=1000.0, **{name: then})
    assert getattr(at.measured.reading, name) == believed
    assert seen.reason is (Reason.IMPLAUSIBLE if believed == first else None)
    assert bool(seen.news) is (believed == first)


def test_what_stands_for_eight_and_a_half_seconds_is_believed_and_was_named_once() -> None:
    at = Polled(BATTERY)
    at.take(p_w=1000.0, soc_pct=50.0)
    looks = [at.take(p_w=1000.0, soc_pct=5.0) for _ in range(10)]
    assert [bool(look.news) for look in looks] == [True, *[False] * 9]
    assert [look.reason for look in looks] == [*[Reason.IMPLAUSIBLE] * 9, None]
    assert at.measured.reading.soc_pct == 5.0


def test_the_site_file_is_compared_until_it_was_right_once() -> None:
    """Where it measured right once, whatever comes is a disturbance."""
    at = Polled()
    at.take(p_w=1000.0)
    asked = at.doubts
    at.doubt = "it measures 133 V to neutral"
    assert at.take(p_w=1000.0, v_v=133.0).look is Look.READ
    assert (asked, at.doubts) == (1, 1)


def test_one_that_is_not_as_the_site_file_says_is_said_to_be_so() -> None:
    at = Polled()
    at.doubt = "it measures 133 V to neutral"
    seen = at.take(p_w=1000.0, v_v=133.0)
    assert (seen.look, seen.reason, seen.text) == (Look.WRONG, Reason.MISMATCH, at.doubt)


# -- whether it stands still ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p_w", "refresh_s", "still_after_s"),
    [
        (4000.0, 1.0, 28),  # three counts of 10 Wh at 4 kW take 27 s
        (4000.0, 20.0, 61),  # three times the time in which its registers get new values
        (50.0, 1.0, None),  # below 2 % of its rating a steady reading is believable
        (0.0, 1.0, None),  # at night
        (None, 1.0, None),
    ],
)
def test_registers_that_stand_still_while_power_flows_are_frozen(
    p_w: float | None, refresh_s: float, still_after_s: int | None
) -> None:
    at = Polled(refresh_s=refresh_s)
    at.take(p_w=p_w)
    assert at.still_s() is None
    found = []
    for _ in range(100):
        at.take(p_w=p_w)
        found.append(at.still_s(moves=False))
    first = next((second for second, still in enumerate(found, 1) if still is not None), None)
    assert first == still_after_s
    assert first is None or found[first - 1] == float(first)


def test_one_register_that_changes_is_enough() -> None:
    at = Polled()
    for _ in range(100):
        at.take(p_w=4000.0)
        assert at.still_s() is None


def test_the_battery_in_its_chain_stands_still_by_itself() -> None:
    at = Polled(BATTERY)
    for second in range(100):
        at.take(p_w=1000.0)
        assert at.still_s(battery=(7,)) is None, "the inverter moves"
        assert at.measured.battery.since_s == at.now_s - second
    at.still_s(battery=(8,))
    assert at.measured.battery.since_s == at.now_s
    before = at.measured.battery
    at.still_s()
    assert at.measured.battery is before, "a poll without its block says nothing of it"


# -- what its read-back is worth ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("readback", "worth"), [("values", LIMIT), ("effect_only", None)])
def test_what_is_read_back_counts_by_the_profile(readback: str, worth: Setpoint | None) -> None:
    at = Polled(readback=readback)
    assert at.weigh(p_w=2000.0, accepted=LIMIT).accepted == worth
    assert at.measured.believed(LIMIT) == worth
    assert at.measured.profile.readback == readback


def test_what_the_power_contradicts_for_longer_than_it_takes_to_settle_counts_as_nothing() -> None:
    at = Polled(settle_s=10.0)
    assert at.weigh(11, p_w=4000.0, accepted=LIMIT).accepted == LIMIT
    assert at.weigh(p_w=4000.0, accepted=LIMIT).accepted is None
    assert (at.measured.claim.said_w, at.measured.profile.readback) == (3000.0, "effect_only")
    assert at.measured.believed(LIMIT) is None, "not of a write either"
    other = Setpoint(p_ceiling_w=2000.0)
    assert at.weigh(11, p_w=2000.0, accepted=other).accepted is None
    assert at.weigh(p_w=2000.0, accepted=other).accepted == other, "it shows something else, and its power is there"
    assert at.measured.profile.readback == "values"


def test_registers_that_stand_still_contradict_nothing() -> None:
    at = Polled(settle_s=10.0)
    assert at.weigh(60, moves=False, p_w=4000.0, accepted=LIMIT).accepted == LIMIT


def test_what_nobody_saw_contradicts_nothing() -> None:
    at = Polled(settle_s=10.0)
    at.weigh(8, p_w=4000.0, accepted=LIMIT)
    at.now_s += 60.0
    assert at.weigh(8, p_w=4000.0, accepted=LIMIT).accepted == LIMIT


@pytest.mark.parametrize(("steers", "readback"), [(True, "effect_only"), (False, "values")])
def test_one_that_can_be_told_something_and_reads_nothing_back_can_not_be_read_back(
    steers: bool, readback: str
) -> None:
    at = Polled()
    at.weigh(p_w=1000.0, steers=steers)
    assert at.measured.profile.readback == readback
    at.weigh(p_w=1000.0, steers=steers, accepted=LIMIT)
    assert at.measured.profile.readback == "values", "until it does"
    assert at.measured.reading.accepted == LIMIT
