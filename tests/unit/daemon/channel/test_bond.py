"""What one device is known to be, from poll to poll, and what people are told of that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.value import replace
from derctl.core.words import Bind, Reason
from derctl.daemon.channel import binding as binds
from derctl.daemon.channel.binding import SILENT_S, START_S, Look
from derctl.daemon.channel.bond import Bond
from derctl.daemon.channel.parts import LOST_AFTER
from derctl.devices import Identity
from derctl.errors import BusClosed, BusTimeout, DeviceRefused, WrongKind
from tests import make

ADDRESS = DeviceRefused(2, function=3, address=40000, count=2)
SILENCE, STRAY = BusTimeout("no answer"), BusTimeout("no answer, but one of unit 5", stray="one of unit 5")
OTHER = BusTimeout("no answer, but one of unit 7", stray="one of unit 7")
SEEN = (Look.READ, None, "")


def device(*lacks: str) -> Any:
    return SimpleNamespace(
        identity=Identity(serial="1"), rating=make.rating(), lacks=lacks, problems=(), can=make.LIMITED,
        without=lambda why: SimpleNamespace(problems=tuple(why.values()), can=make.LIMITED),
    )  # fmt: skip


class Site:
    """Long after the start. told: name and text of each event."""

    def __init__(self, *, found: Any = None) -> None:
        self.now_s, self.told = 1000.0, list[tuple[str, str]]()
        self.line = SimpleNamespace(generation=1)
        bus: Any = SimpleNamespace(line=self.line)
        self.bond = Bond(
            id="pv1", bus=bus, on_event=lambda name, who, text: self.told.append((name, text)),
            clock=lambda: self.now_s, born_s=self.now_s - START_S - 1.0,
        )  # fmt: skip
        if found is not None:
            self.bond.binding = binds.found(self.bond.binding, found, 1, self.now_s)
            self.bond.saw(*SEEN)
            self.told.clear()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.told]


# -- whether it is still the same -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "verified", "stands"),
    [
        ("nothing", True, True),
        ("connection", False, False),  # another device may answer there now
        ("a short silence", True, True),
        ("a long silence", True, False),  # behind a gateway a device is changed without a new connection
        ("never found", False, False),
    ],
)
def test_only_the_device_that_was_found_on_this_connection_may_be_written(
    changes: str, verified: bool, stands: bool
) -> None:
    site = Site(found=None if changes == "never found" else device())
    heard_s = site.now_s
    if changes == "connection":
        site.line.generation += 1
    elif "silence" in changes:
        site.bond.failed(SILENCE)
        site.now_s += SILENT_S + (0.0 if "short" in changes else 0.1)
    assert (site.bond.verified, site.bond.stands(heard_s)) == (verified, stands)


def test_one_that_was_long_silent_and_answers_again_stands() -> None:
    site = Site(found=device())
    site.bond.failed(SILENCE)
    site.bond.saw(*SEEN)
    assert site.bond.stands(site.now_s - 1000.0)


def test_only_one_that_lacks_something_is_looked_at_again_when_it_is_due() -> None:
    whole, part = Site(found=device()), Site(found=device("a control group"))
    whole.now_s = part.now_s = 2000.0
    assert (whole.bond.wants_look, part.bond.wants_look) == (False, True)
    part.bond.binding = binds.looked_for(part.bond.binding, part.now_s)
    assert not part.bond.wants_look
    part.bond.look_again()
    assert part.bond.wants_look
    part.bond.binding = replace(part.bond.binding, more=device())
    assert not part.bond.wants_look, "what was found waits for its first poll"
    part.bond.binding = replace(part.bond.binding, more=None)
    part.line.generation += 1
    assert not part.bond.wants_look, "it is asked first who it is"


# -- what people are told -------------------------------------------------------------------------------------------


def test_a_change_of_state_is_told_once_and_the_first_reading_is_no_news() -> None:
    site = Site()
    site.bond.saw(*SEEN)
    for error in (SILENCE, BusClosed("reset"), SILENCE):
        site.bond.failed(error)
    site.bond.saw(*SEEN)
    site.bond.saw(Look.STILL, Reason.FROZEN, "its registers have not changed for 30.0 s")
    assert site.told == [
        ("device_unreachable", "no answer"),
        ("device_ok", "answers again"),
        ("device_frozen", "its registers have not changed for 30.0 s"),
    ]


def test_what_comes_instead_of_answers_is_told_once_where_the_silence_was_told_without_it() -> None:
    site = Site(found=device())
    for error in (SILENCE, STRAY, OTHER, SILENCE, STRAY):
        site.bond.failed(error)
    assert site.told == [("device_unreachable", str(SILENCE)), ("device_unreachable", str(STRAY))]
    site.bond.saw(*SEEN)
    for error in (SILENCE, OTHER, STRAY):
        site.bond.failed(error)
    assert site.told[2:] == [
        ("device_ok", "answers again"),
        ("device_unreachable", str(SILENCE)),
        ("device_unreachable", str(OTHER)),
    ]


def test_a_silence_that_was_told_with_what_came_instead_is_not_told_again() -> None:
    site = Site(found=device())
    for _ in range(3):
        site.bond.failed(STRAY)
    assert site.told == [("device_unreachable", str(STRAY))]


@pytest.mark.parametrize(
    ("error", "times", "found", "state"),
    [
        (SILENCE, 9, True, Bind.UNREACHABLE),
        (ADDRESS, 2, True, Bind.UNREACHABLE),
        (ADDRESS, 3, False, Bind.UNREACHABLE),  # its map is another one: it is found anew
        (WrongKind("meter", "sunspec_pv"), 1, False, Bind.REFUSED),
    ],
)
def test_what_an_error_leaves_of_a_device(error: Any, times: int, found: bool, state: Bind) -> None:
    site = Site(found=device())
    for _ in range(times):
        site.bond.failed(error)
    assert (site.bond.binding.device is not None, site.bond.binding.state) == (found, state)


def test_refused_in_a_row_ends_with_a_poll_that_comes_through() -> None:
    whole = device()
    site = Site(found=whole)
    for _ in range(5):
        site.bond.failed(ADDRESS)
        site.bond.failed(ADDRESS)
        site.bond.polled(whole, {})
    assert site.bond.binding.device is whole


def test_what_is_refused_of_a_device_is_told_when_it_is_lost_and_when_it_is_back() -> None:
    whole = device()
    site = Site(found=whole)
    for _ in range(2 * LOST_AFTER):
        site.bond.polled(whole, {"ctl": "exception 4"})
    for _ in range(2):
        site.bond.polled(whole, {})
    assert site.told == [("part_lost", "exception 4"), ("part_back", "what it refused answers again")]


def test_what_a_look_found_counts_from_its_first_poll() -> None:
    before, more = device("a control group"), device()
    site = Site(found=before)
    site.bond.binding = replace(site.bond.binding, more=more)
    site.bond.polled(before, {})
    assert (site.bond.binding.device, site.names) == (before, [])
    site.bond.polled(more, {})
    assert (site.bond.binding.device, site.told) == (more, [("found_more", "has now a control group")])
