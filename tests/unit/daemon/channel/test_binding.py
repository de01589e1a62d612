"""How far a device is found: every state, every look, and what is told of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.words import Bind, Reason
from derctl.daemon.channel import binding as binds
from derctl.daemon.channel.binding import REBIND_S, REFUSED_LIMIT, START_S, Binding, Look, news, seen
from derctl.devices import Identity

LATER = START_S + 1.0
NEXT = {
    Look.READ: Bind.OK,
    Look.BLANK: Bind.UNMEASURED,
    Look.STILL: Bind.FROZEN,
    Look.SILENT: Bind.UNREACHABLE,
    Look.WRONG: Bind.REFUSED,
}


def device(serial: str = "1") -> Any:
    return SimpleNamespace(identity=Identity(maker="HIL", model="PV", serial=serial))


@pytest.mark.parametrize("state", Bind)
@pytest.mark.parametrize("look", Look)
def test_a_look_decides_the_state_whatever_was_before(state: Bind, look: Look) -> None:
    after = seen(Binding(state=state), look, Reason.STALE, "words", age_s=LATER)
    assert (after.state, after.reason, after.text) == (NEXT[look], Reason.STALE, "words")


@pytest.mark.parametrize("state", Bind)
def test_only_a_device_that_is_starting_may_be_silent_for_a_while(state: Bind) -> None:
    after = seen(Binding(state=state), Look.SILENT, Reason.UNREACHABLE, "connection refused", age_s=START_S - 0.1)
    assert after.state is (Bind.STARTING if state is Bind.STARTING else Bind.UNREACHABLE)
    assert after.text == "connection refused", "why it is silent is known from the first look"


@pytest.mark.parametrize("before", Bind)
@pytest.mark.parametrize("now", Bind)
def test_a_change_is_told_once_and_a_good_start_is_no_news(before: Bind, now: Bind) -> None:
    told = news(Binding(state=before), Binding(state=now))
    quiet = before is now or (before, now) == (Bind.STARTING, Bind.OK)
    assert told == (None if quiet else f"device_{now}")


def test_a_device_is_looked_for_again_after_a_pause() -> None:
    binding = binds.looked_for(Binding(), 100.0)
    assert Binding().due(0.0)
    assert [binding.due(100.0 + seconds) for seconds in (0.0, REBIND_S - 0.1, REBIND_S)] == [False, False, True]


def test_what_was_found_is_kept_as_the_last_one_until_another_answers_in_its_place() -> None:
    first = device()
    bound = binds.found(Binding(refused=2), first, 4)
    assert (bound.device, bound.last, bound.known, bound.generation, bound.refused) == (
        first,
        first,
        first.identity,
        4,
        0,
    )
    gone = binds.forgotten(bound)
    assert (gone.device, gone.last, gone.known) == (None, first, first.identity)
    assert binds.forgotten(Binding(refused=2)).refused == 0
    assert (binds.another(bound).device, binds.another(bound).last) == (None, None)
    assert binds.another(bound).known == first.identity, "who is expected there stays known"


def test_the_same_device_on_a_new_connection_is_verified_by_that_connection_alone() -> None:
    found = device()
    assert binds.verified(binds.found(Binding(), found, 4), 5) == binds.found(Binding(), found, 5)


def test_a_map_that_lacks_what_it_had_is_walked_again_after_some_polls_in_a_row() -> None:
    bound = binds.found(Binding(), device(), 1)
    for _ in range(REFUSED_LIMIT - 1):
        bound = binds.refused(bound)
        assert bound.device is not None
    assert binds.refused(binds.answered(bound)).device is not None, "a good poll in between begins anew"
    assert binds.refused(bound).device is None
