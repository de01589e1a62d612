"""Blocks that a device refuses: counted in a row, named, and back with their first answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from derctl.daemon.channel.parts import LOST_AFTER, Parts, polled

WHOLE: Any = SimpleNamespace(
    problems=("a",), without=lambda why: SimpleNamespace(problems=("a", *(f"{name}: {why[name]}" for name in why)))
)
WHY = {"sto": "exception 4"}


def test_a_block_is_lost_after_some_polls_in_a_row_and_back_at_once() -> None:
    parts = Parts()
    for _ in range(LOST_AFTER - 1):
        parts = polled(parts, WHY, WHOLE)
        assert parts.lost == {}
    parts = polled(parts, WHY, WHOLE)
    assert parts.lost == WHY
    assert polled(parts, {}, WHOLE).lost == {}
    assert polled(polled(parts, {}, WHOLE), WHY, WHOLE).lost == {}, "it begins anew"


def test_each_block_has_its_own_count_and_the_last_reason_counts() -> None:
    parts = Parts()
    for _ in range(LOST_AFTER):
        parts = polled(parts, {"sto": "exception 6"}, WHOLE)
    parts = polled(parts, {"sto": "exception 4", "ctl": "exception 2"}, WHOLE)
    assert parts.lost == WHY


def test_what_is_left_of_a_device_is_the_same_as_long_as_the_same_is_lost() -> None:
    """The writer takes another one for a device that may have forgotten what it was told."""
    parts = Parts()
    for _ in range(LOST_AFTER):
        parts = polled(parts, WHY, WHOLE)
    assert parts.left is not None and parts.text(WHOLE) == "sto: exception 4"
    assert polled(parts, WHY, WHOLE).left is parts.left
    assert polled(parts, {}, WHOLE).left is None and polled(parts, {}, WHOLE).text(WHOLE) == ""
