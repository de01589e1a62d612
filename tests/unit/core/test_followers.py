"""Steps that the meter shows and loses again, from a table of doublets."""

from __future__ import annotations

import pytest

from derctl.core import followers
from derctl.core.doublet import Doublet, Mean
from derctl.core.followers import Memory, suspicion
from derctl.core.words import Doubt

STEP_W = 900.0


def ended(left_w: float, *, seen: bool = True, coin: float = 1.0, coded: bool = True, at_s: float = 16.0) -> Doublet:
    """A doublet of which so much is left at its end; one tick before that."""
    return Doublet(
        coded=coded,
        coin=coin,
        half_s=8.0,
        at_s=at_s,
        step_w=STEP_W,
        first=Mean(poc_w=-400.0, poc_n=2),
        second=Mean(poc_w=2.0 * (-200.0 + coin * left_w), poc_n=2),
        seen_s=10.0 if seen else None,
    )


def after(*doublets: Doublet) -> Memory:
    memory = followers.START
    for doublet in doublets:
        memory = followers.step(memory, doublet, Doublet(), 1.0)
    return memory


TAKEN, STAYS, NEVER = ended(100.0), ended(850.0), ended(20.0, seen=False)


@pytest.mark.parametrize("coin", [1.0, -1.0])
def test_three_steps_that_were_shown_and_taken_back_are_somebody(coin: float) -> None:
    taken = ended(100.0, coin=coin)
    assert suspicion(after(taken, taken)) is None
    found = suspicion(after(taken, taken, taken))
    assert found is not None
    assert found.by is Doubt.FOLLOWER_SUSPECTED
    assert "steps of 900 W and lost them again (100 W were left)" in found.text
    assert "poc.followers" in found.text


@pytest.mark.parametrize(
    "seen",
    [
        (TAKEN, TAKEN, STAYS, TAKEN),  # a load now and then
        (STAYS,) * 5,
        (NEVER,) * 5,  # that is a dead meter
        (ended(100.0, coded=False),) * 5,
        (ended(100.0, at_s=9.0),) * 5,  # given up before its end
    ],
)
def test_what_stays_or_is_never_shown_is_nobody(seen: tuple[Doublet, ...]) -> None:
    assert suspicion(after(*seen)) is None


def test_who_is_gone_is_suspected_no_more() -> None:
    memory = after(*(TAKEN,) * 20)
    assert suspicion(memory) is not None
    for _ in range(3):
        memory = followers.step(memory, STAYS, None, 1.0)
    assert suspicion(memory) is None


def test_a_doublet_that_goes_on_tells_nothing_yet() -> None:
    assert followers.step(followers.START, ended(100.0, at_s=14.0), ended(100.0, at_s=15.0), 1.0) is followers.START
    assert followers.step(followers.START, None, Doublet(), 1.0) is followers.START
