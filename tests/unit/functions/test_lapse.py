"""A limit that was asked for binds at once, and is let go on a ramp that starts at a moment of the site's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.functions.lapse import NO_LIMIT, Lapse, Wish, kept_lapse, lapse_of, lapsed
from tests import make


def step(memory: Lapse, wish: Wish | None, *ders: Any, site: str = "demo", dt_s: float = 1.0) -> Lapse:
    there = ders or (make.pv(),)
    return lapsed(memory, wish, there, replace(make.site(*there), id=site), dt_s)


def after(memory: Lapse, wish: Wish | None, seconds: int, site: str = "demo") -> list[float | None]:
    told = []
    for _ in range(seconds):
        memory = step(memory, wish, site=site)
        told.append(memory.limit_w)
    return told


def test_a_tighter_limit_binds_at_once_and_nothing_is_nothing() -> None:
    assert step(NO_LIMIT, None) == NO_LIMIT
    memory = step(step(NO_LIMIT, Wish(limit_w=5_000.0, by="a")), Wish(limit_w=2_000.0, by="b"))
    assert (memory.limit_w, memory.by) == (2_000.0, "b")


def test_one_that_has_run_out_is_held_for_its_random_time_and_then_rises_by_a_tenth_a_second() -> None:
    memory = step(NO_LIMIT, Wish(limit_w=2_000.0, by="a", left_s=1.0))
    told = after(memory, None, 60)
    waits = told.count(2_000.0)
    assert 1 <= waits <= 31
    assert told[waits : told.index(None)] == pytest.approx([2_000.0 + 1_000.0 * n for n in range(1, 10)])
    starts = {after(memory, None, 40, f"house-{n}").count(2_000.0) for n in range(40)}
    assert len(starts) > 15, "a thousand sites are no step"


def test_one_that_was_taken_back_rises_at_once() -> None:
    memory = step(NO_LIMIT, Wish(limit_w=2_000.0, by="a", left_s=500.0))
    assert after(memory, None, 2) == [3_000.0, 4_000.0]


def test_a_looser_one_is_reached_on_the_ramp_and_binds_then() -> None:
    memory = step(NO_LIMIT, Wish(limit_w=2_000.0, by="default"))
    for wanted_w in (3_000.0, 4_000.0, 4_500.0, 4_500.0):
        memory = step(memory, Wish(limit_w=4_500.0, by="e"))
        assert memory.limit_w == wanted_w
    assert memory.by == "e"


def test_while_a_rating_is_not_known_the_ramp_goes_on_and_who_is_silent_has_no_part_in_it() -> None:
    unknown = make.pv("new", p_max_w=0.0)
    memory = Lapse(limit_w=20_000.0, from_w=1_000.0)
    assert step(memory, None, make.pv(), unknown).limit_w == 21_000.0
    assert step(memory, None, make.pv()) == NO_LIMIT
    silent = make.pv(fresh=False, controllable=False)
    assert step(Lapse(limit_w=2_000.0, from_w=2_000.0), None, silent).limit_w == 2_000.0


@given(st.lists(st.none() | st.floats(0.0, 2e4), max_size=40), st.floats(0.0, 5.0))
def test_it_never_rises_faster_than_its_ramp_and_is_never_above_what_is_asked(
    asked: list[float | None], dt_s: float
) -> None:
    memory = NO_LIMIT
    for i, limit_w in enumerate(asked):
        wish = None if limit_w is None else Wish(limit_w=limit_w, by=str(i), left_s=2.0)
        before, memory = memory, step(memory, wish, dt_s=dt_s)
        if limit_w is not None:
            assert memory.limit_w is not None and memory.limit_w <= limit_w
        if before.limit_w is not None and memory.limit_w is not None:
            assert memory.limit_w <= before.limit_w + 1_000.0 * dt_s + 1e-6


def test_a_restart_goes_on_from_where_it_was() -> None:
    memory = Lapse(limit_w=3_000.0, by="a", left_s=5.0)
    assert kept_lapse(NO_LIMIT) is None
    assert lapse_of(kept_lapse(memory)) == replace(memory, left_s=0.0)
    for spoilt in (None, {}, {"by": "a"}, {"by": "a", "limit_w": "x", "wait_s": 0.0, "from_w": 0.0}):
        with pytest.raises(ValueError):
            lapse_of(spoilt)
