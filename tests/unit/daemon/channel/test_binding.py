"""How far a device is found: every state, every look, and what is told of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.value import replace
from derctl.core.words import Bind, Reason
from derctl.daemon.channel import binding as binds
from derctl.daemon.channel.binding import (
    BACK_S,
    BACK_TRIES,
    LOOK_MOST_S,
    REBIND_S,
    REFUSED_LIMIT,
    START_S,
    Binding,
    Look,
    news,
    seen,
)
from derctl.daemon.channel.parts import Parts
from derctl.devices import Identity
from tests import make

LATER = START_S + 1.0
NEXT = {
    Look.READ: Bind.OK,
    Look.BLANK: Bind.UNMEASURED,
    Look.STILL: Bind.FROZEN,
    Look.SILENT: Bind.UNREACHABLE,
    Look.WRONG: Bind.REFUSED,
}


def device(serial: str = "1", *, lacks: tuple[str, ...] = (), p_max_w: float = 5_000.0) -> Any:
    return SimpleNamespace(
        identity=Identity(maker="HIL", model="PV", serial=serial), lacks=lacks, rating=make.rating(p_max_w=p_max_w),
        control={},
    )  # fmt: skip


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
    bound = binds.found(Binding(refused=2), first, 4, 100.0)
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
    bound = binds.found(Binding(), found, 4, 100.0)
    assert binds.verified(bound, 5, found.identity) == binds.found(Binding(), found, 5, 100.0)


def test_a_map_that_lacks_what_it_had_is_walked_again_after_some_polls_in_a_row() -> None:
    bound = binds.found(Binding(), device(), 1, 100.0)
    for _ in range(REFUSED_LIMIT - 1):
        bound = binds.refused(bound)
        assert bound.device is not None
    assert binds.refused(binds.answered(bound)).device is not None, "a good poll in between begins anew"
    assert binds.refused(bound).device is None


def test_one_that_was_found_before_is_looked_for_each_second_at_first() -> None:
    """It restarts, and its setpoint has to be on it soon after."""
    binding = binds.forgotten(binds.found(Binding(), device(), 1, 100.0))
    pauses = []
    for _ in range(BACK_TRIES + 2):
        binding = binds.forgotten(binds.looked_for(binding, 200.0))
        pauses.append(binding.next_s - 200.0)
    assert pauses == [BACK_S] * BACK_TRIES + [REBIND_S] * 2


def test_one_that_was_found_incomplete_is_looked_at_again_ever_less_often() -> None:
    binding = binds.found(Binding(), device(lacks=("the end of its map",)), 1, 100.0)
    assert (binding.due(100.0 + REBIND_S - 0.1), binding.due(100.0 + REBIND_S)) == (False, True)
    pauses = []
    for _ in range(6):
        binding = binds.looked_for(binding, 200.0)
        pauses.append(binding.next_s - 200.0)
    assert pauses == [10.0, 20.0, 40.0, LOOK_MOST_S, LOOK_MOST_S, LOOK_MOST_S]


def test_a_new_connection_and_a_persons_word_are_reasons_to_look_now() -> None:
    binding = binds.looked_for(binds.found(Binding(), device(lacks=("model 123",)), 1, 100.0), 200.0)
    on_it = binds.connected(binding, 1)
    assert on_it.due(200.0) and not binds.connected(binds.looked_for(on_it, 200.0), 1).due(200.0)
    assert binds.connected(binds.looked_for(on_it, 200.0), 2).due(200.0)
    assert binds.again(binds.looked_for(on_it, 200.0)).due(200.0)


@pytest.mark.parametrize(
    ("before", "now", "better"),
    [
        (device(lacks=("a", "b")), device(lacks=("a",)), True),
        (device(lacks=("a",)), device(), True),
        (device(), device(lacks=("a",)), False),
        (device(lacks=("a",)), device(lacks=("a",)), False),
        (device(lacks=("a",)), device(lacks=("a",), p_max_w=8_000.0), True),
        (device(lacks=("a",)), device(lacks=("a", "b"), p_max_w=8_000.0), False),
    ],
)
def test_another_look_counts_where_it_found_more_or_the_same_elsewhere(before: Any, now: Any, better: bool) -> None:
    assert binds.better(now, before) is better


def test_a_rating_is_known_from_a_device_that_was_found_whole() -> None:
    small, large = device(lacks=("model 121",), p_max_w=4_000.0), device(p_max_w=5_000.0)
    binding = binds.found(Binding(), small, 1, 100.0)
    assert binding.rated is None
    binding = binds.gained(binding, large)
    assert (binding.rated, binding.device, binding.last) == (large.rating, large, large)
    assert binds.found(binding, small, 1, 100.0).rated == large.rating
    assert binds.gained(binding, small).rated == large.rating


def test_who_can_not_be_read_some_times_in_a_row_is_found_anew() -> None:
    bound = binds.found(Binding(), device(), 1, 100.0)
    for _ in range(REFUSED_LIMIT - 1):
        bound = binds.unsure(bound)
        assert bound.device is not None
    assert binds.unsure(binds.verified(bound, 2)).device is not None
    assert binds.unsure(bound).device is None


@pytest.mark.parametrize(
    "gone",
    [
        binds.another,
        binds.forgotten,
        lambda binding: binds.barred(binding, device()),
        lambda binding: binds.gained(binding, device()),
        lambda binding: binds.found(binding, device(), 2, 200.0),
    ],
)
def test_what_was_refused_or_found_of_a_device_goes_with_it(gone: Any) -> None:
    refused = Parts(refused={"bms": 3}, why={"bms": "exception 4"}, left=device())
    bound = replace(binds.found(Binding(), device(), 1, 100.0), parts=refused, more=device())
    assert (gone(bound).parts, gone(bound).more) == (Parts(), None)
