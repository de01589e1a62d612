"""What is told of the meter beside its steps: once when it begins, and once when it is over."""

from __future__ import annotations

import pytest

from derctl.core import belief, doubts, witness
from derctl.core.evidence import Contradiction, Need
from derctl.core.memories import BELIEF, DOUBTS
from derctl.core.poc import with_belief
from derctl.core.types import Tick
from derctl.core.value import replace
from derctl.core.words import Belief, Doubt
from derctl.daemon.control import Ears, tell_of_meter
from tests import make

CLEAN = doubts.START
FOUND = doubts.Memory(
    witness=witness.START,
    found=Contradiction(by=Doubt.PHASE_SUM, text="it shows 3 W, and its phases add up to 900 W"),
)


def told(before: doubts.Memory, now: doubts.Memory) -> list[tuple[str, str, str]]:
    """Of a tick that found these and left those."""
    heard: list[tuple[str, str, str]] = []
    ears = Ears(
        report=lambda tick: None, vouch=lambda: None, tell=lambda *said: heard.append(said), stamp=str,
        changed=lambda: None,
    )  # fmt: skip
    state = make.site(poc=make.meter(3.0))
    memories = {BELIEF: belief.Memory(), DOUBTS: before}
    state = with_belief(state, {**memories, DOUBTS: now})
    tell_of_meter(Tick(n=1, dt_s=1.0, state=state, memories=memories, decisions=()), ears)
    return heard


def by_the_steps(before: belief.Memory, now: belief.Memory, *, fresh: bool = True) -> list[tuple[str, str, str]]:
    heard: list[tuple[str, str, str]] = []
    ears = Ears(
        report=lambda tick: None, vouch=lambda: None, tell=lambda *said: heard.append(said), stamp=str,
        changed=lambda: None,
    )  # fmt: skip
    state = with_belief(make.site(poc=make.meter(3.0, fresh=fresh)), {BELIEF: now})
    tell_of_meter(Tick(n=1, dt_s=1.0, state=state, memories={BELIEF: before}, decisions=()), ears)
    return heard


NEEDED = Need(steps=True)
PROVEN = belief.Memory(belief=Belief.PROVEN, need=NEEDED)
TENTH = belief.Memory(belief=Belief.DOUBTED, need=NEEDED, followed=belief.Followed(moves=100.0, shows=10.0))


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (TENTH, "it shows 10 % of the steps of the inverters"),
        (replace(TENTH, followed=belief.NOT_FOLLOWED), "it shows something else than the steps of the inverters"),
        (replace(TENTH, belief=Belief.LOST), "it shows nothing new though the inverters moved"),
    ],
)
def test_a_meter_that_the_steps_doubt_is_told_of_once(now: belief.Memory, text: str) -> None:
    """Clamps that came off were noticed, and nobody was told."""
    assert by_the_steps(PROVEN, now) == [("meter_doubted", "poc", text)]
    assert by_the_steps(now, now) == []
    [(event, _, over)] = by_the_steps(now, PROVEN)
    assert (event, over) == ("meter_undoubted", "steps of the inverters speak against it no more")


def test_a_meter_that_is_not_heard_is_no_news_of_its_steps() -> None:
    """That is told of the device."""
    assert by_the_steps(PROVEN, replace(PROVEN, belief=Belief.LOST, heard=False), fresh=False) == []
    idle = replace(TENTH, need=replace(NEEDED, steps=False))
    assert by_the_steps(PROVEN, idle) == [], "where nobody makes steps nothing is said by them"


def test_what_speaks_against_the_meter_is_told_once_with_its_numbers() -> None:
    text = "phase_sum: it shows 3 W, and its phases add up to 900 W"
    assert told(CLEAN, FOUND) == [("meter_doubted", "poc", text)]
    assert told(FOUND, FOUND) == []


def test_that_it_is_over_is_told_too() -> None:
    [(event, who, _)] = told(FOUND, CLEAN)
    assert (event, who) == ("meter_undoubted", "poc")
    assert told(CLEAN, CLEAN) == []


def test_a_meter_that_is_heard_again_is_no_news_of_its_steps() -> None:
    assert by_the_steps(replace(PROVEN, heard=False), PROVEN) == []
    assert by_the_steps(replace(TENTH, heard=False), TENTH) == []
