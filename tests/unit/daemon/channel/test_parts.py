"""Blocks that a device refuses: counted in a row, named, and back with their first answer."""

from __future__ import annotations

from derctl.daemon.channel.parts import LOST_AFTER, Parts, polled

WHY = {"sto": "exception 4"}


def test_a_block_is_lost_after_some_polls_in_a_row_and_back_at_once() -> None:
    parts = Parts()
    for _ in range(LOST_AFTER - 1):
        parts = polled(parts, WHY)
        assert parts.lost == {}
    parts = polled(parts, WHY)
    assert parts.lost == WHY
    assert polled(parts, {}).lost == {}
    assert polled(polled(parts, {}), WHY).lost == {}, "it begins anew"


def test_each_block_has_its_own_count_and_the_last_reason_counts() -> None:
    parts = Parts()
    for _ in range(LOST_AFTER):
        parts = polled(parts, {"sto": "exception 6"})
    parts = polled(parts, {"sto": "exception 4", "ctl": "exception 2"})
    assert parts.lost == WHY
