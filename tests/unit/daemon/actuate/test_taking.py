"""What a device made of a write that it answered."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.types import Setpoint
from derctl.core.words import WriteFor
from derctl.daemon.actuate.taking import Taking, taking
from derctl.daemon.actuate.trouble import IGNORED_AFTER, Happened
from derctl.devices import Profile
from tests import make

PV = make.rating(p_max_w=10_000.0)
ASKED, OTHER = Setpoint(p_ceiling_w=4000.0), Setpoint(p_ceiling_w=7000.0)
CHANGED = next(why for why in WriteFor if why is not WriteFor.DISOBEYED)
LAST = IGNORED_AFTER - 1


def took(found: Setpoint, before: int, **given: Any) -> Taking:
    facts: dict[str, Any] = {"why": CHANGED, "known": OTHER, "doubtful": False, "readback": "values"} | given
    profile = Profile(readback=facts.pop("readback"))
    return taking(ASKED, found, rating=PV, profile=profile, before=before, **facts)


@pytest.mark.parametrize("before", [0, 1, LAST, 50])
def test_what_reads_back_as_it_was_sent_is_taken_over(before: int) -> None:
    assert took(ASKED, before) == Taking(0, Happened.TAKEN)


def test_one_or_two_that_are_not_taken_over_are_counted_and_not_yet_said() -> None:
    assert [took(OTHER, before) for before in range(LAST)] == [Taking(n + 1) for n in range(LAST)]


@pytest.mark.parametrize(
    ("found", "known", "happened"),
    [
        (OTHER, OTHER, Happened.IGNORED),
        (OTHER, None, Happened.IGNORED),
        (Setpoint(p_ceiling_w=5000.0), OTHER, Happened.CLIPPED),  # it moved, to something else
    ],
)
def test_after_some_in_a_row_it_is_said_whether_the_device_moved(
    found: Setpoint, known: Setpoint | None, happened: Happened
) -> None:
    made = took(found, LAST, known=known)
    assert (made.refusals, made.happened) == (IGNORED_AFTER, happened)
    assert made.text.startswith("asked for limit 4,000 W, reads back limit ")


def test_a_read_back_that_is_in_doubt_itself_says_nothing_against_the_device() -> None:
    assert took(OTHER, LAST, doubtful=True) == Taking(IGNORED_AFTER)


@pytest.mark.parametrize(("why", "refusals"), [(WriteFor.DISOBEYED, 2), (CHANGED, 1)])
def test_one_that_reads_nothing_back_is_counted_by_its_power_alone(why: WriteFor, refusals: int) -> None:
    assert took(OTHER, 1, why=why, readback="effect_only") == Taking(refusals, Happened.TAKEN)
