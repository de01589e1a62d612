"""A DER that feeds in another phase than it is said to, from tables of halves."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core import astray, doubts
from derctl.core.doublet import Doublet
from derctl.core.evidence import Evidence
from derctl.core.types import DerState
from derctl.core.value import replace
from derctl.core.words import Belief, Doubt
from tests import make

HALF_S, STEP_W = 8.0, 1000.0
AT = {"a": (1.0, 0.0, 0.0), "b": (0.0, 1.0, 0.0), "c": (0.0, 0.0, 1.0), "abc": (1 / 3, 1 / 3, 1 / 3)}


def doublet(at_s: float, coin: float, *, coded: bool = True) -> Doublet:
    return Doublet(coded=coded, coin=coin, half_s=HALF_S, late_s=1.0, window_s=2.0, at_s=at_s, step_w=STEP_W)


def der(name: str, said: str, p_w: float | None) -> DerState:
    phases_w = None if p_w is None else tuple(share * p_w for share in AT[said])
    return make.pv(name, p_w=p_w, p_phase_w=phases_w, feeds_pu=AT[said])


def through(memory: Any, said: dict[str, str], truly: dict[str, str], moved_w: dict[str, float], **given: Any) -> Any:
    """One doublet, a tick a second. The meter shows what each gives where it truly feeds."""
    coin, coded = given.get("coin", 1.0), given.get("coded", True)
    before: Doublet | None = None
    for at in range(17):
        now = doublet(float(at) if at < 16 else 0.0, coin, coded=coded)
        high = (at > HALF_S) == (coin > 0.0)
        p_w = {name: 1000.0 + high * w for name, w in moved_w.items()}
        shown = tuple(sum(AT[truly[name]][k] * w for name, w in p_w.items()) - 500.0 for k in range(3))
        if given.get("lost"):
            shown = (0.0, *shown[1:])
        if at == given.get("blind_at"):
            p_w = dict.fromkeys(p_w, None)
        ders = [der(name, said[name], p_w[name]) for name in said]
        memory = astray.step(memory, before, now, ders, given.get("shown", shown), (), 1.0)
        before = now
    return memory


def after(count: int, said: Any, truly: Any, moved_w: Any, **given: Any) -> Any:
    memory = astray.START
    for i in range(count):
        memory = through(memory, said, truly, moved_w, **{"coin": 1.0 if i % 2 else -1.0, **given})
    return memory


ONE = ({"pva": "a"}, {"pva": "b"}, {"pva": 1000.0})


def test_one_that_is_said_to_feed_elsewhere_is_named_with_its_numbers_after_a_few_steps() -> None:
    found = astray.suspicion(after(4, *ONE))
    assert found is not None and found.by is Doubt.DER_PHASE
    assert found.text == (
        "pva moved 1,000 W and is said to feed in phase A, where the meter shows 0 W of the step, and 1,000 W in B"
    )


def test_one_wrong_among_right_ones_is_found_and_counts_in_both_phases() -> None:
    said = {"pva": "a", "pvb": "b", "pv3": "abc"}
    moved_w = {"pva": 400.0, "pvb": 300.0, "pv3": 300.0}
    memory = after(5, said, {**said, "pvb": "a"}, moved_w)
    assert astray.found(memory) == ((1, 0),)
    ders = [der(name, at, 1000.0) for name, at in said.items()]
    assert [each.feeds_pu for each in astray.corrected(memory, ders)] == [AT["a"], (1.0, 1.0, 0.0), AT["abc"]]


@pytest.mark.parametrize(
    ("said", "moved_w"),
    [({"pva": "a"}, {"pva": 1000.0}), ({"pva": "a", "pvc": "c"}, {"pva": 300.0, "pvc": 700.0})],
)
def test_who_feeds_where_it_is_said_to_is_never_suspected(said: Any, moved_w: Any) -> None:
    memory = after(20, said, said, moved_w)
    assert astray.suspicion(memory) is None
    ders = [der(name, at, 1000.0) for name, at in said.items()]
    assert astray.corrected(memory, ders) == tuple(ders)


def test_a_clamp_that_is_off_is_no_other_phase() -> None:
    assert astray.found(after(10, {"pva": "a"}, {"pva": "a"}, {"pva": 1000.0}, lost=True)) == ()


@pytest.mark.parametrize(
    "given",
    [{"coded": False}, {"blind_at": 5}, {"shown": None}, {"shown": (1.0, 2.0)}],
    ids=["no step", "its power is missed", "no phases", "two phases"],
)
def test_without_a_step_or_a_part_of_what_was_seen_nothing_is_judged(given: Any) -> None:
    assert astray.suspicion(after(6, *ONE, **given)) is None


def test_a_step_that_was_not_made_is_not_judged() -> None:
    assert astray.suspicion(after(6, ONE[0], ONE[1], {"pva": 300.0})) is None


def test_one_step_is_not_enough_and_another_word_of_the_site_file_begins_anew() -> None:
    assert astray.suspicion(after(1, *ONE)) is None
    memory = after(4, *ONE)
    assert astray.suspicion(through(memory, {"pva": "b"}, {"pva": "b"}, {"pva": 1000.0})) is None
    assert astray.step(memory, None, None, [make.pv()], None, (), 1.0) == astray.START


def test_it_is_told_where_nothing_else_is_and_the_meter_is_believed() -> None:
    memory = doubts.Memory(astray=after(4, *ONE))
    told = doubts.told(memory, Evidence(belief=Belief.PROVEN, steps=True))
    assert (told.belief, told.why, told.contradicted) == (Belief.PROVEN, Doubt.DER_PHASE, False)


def test_a_doublet_that_ended_before_its_windows_says_nothing() -> None:
    memory, ders = astray.START, [der("pva", "a", 1000.0)]
    for at_s, before in ((1.0, None), (2.0, 1.0)):
        was = None if before is None else doublet(before, 1.0)
        memory = astray.step(memory, was, doublet(at_s, 1.0), ders, (0.0, 0.0, 0.0), (), 1.0)
    short = replace(doublet(16.0, 1.0), half_s=8.0)
    memory = astray.step(memory, short, None, ders, (0.0, 0.0, 0.0), (), 1.0)
    assert astray.found(memory) == () and not memory.whole
