"""The intervals of a schedule as it was sent, by what is left of its command: from there on no wall clock counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from derctl.core.words import Refusal
from derctl.daemon.commands.row import Order
from derctl.errors import CommandError

PARTS_MAX = 288
"""Intervals of one schedule: a day of five minutes each (docs/sources.md)."""


class Sent(Protocol):
    """One interval. end None: where the next one starts."""

    @property
    def start(self) -> datetime: ...

    @property
    def end(self) -> datetime | None: ...


def spans(order: Order, sent: Sequence[Sent], *, may_be_idle: bool = False) -> list[tuple[float, float]]:
    """What is left of the order where each begins and ends, s. may_be_idle: none may begin while it lives, or none be
    given. Raises CommandError: none, out of order, all over."""
    least = 0 if may_be_idle else 1
    if not least <= len(sent) <= PARTS_MAX:
        raise CommandError(Refusal.OUT_OF_RANGE, f"{len(sent)} intervals are outside {least} to {PARTS_MAX}")
    until = datetime.fromisoformat(order.until)
    found = []
    for i, each in enumerate(sent):
        start, end = _zoned(each.start, i, "start"), each.end
        if end is None and i + 1 == len(sent):
            raise CommandError(Refusal.BAD_ARGUMENT, f"intervals[{i}].end is missing: nothing starts where it ends")
        end = _zoned(sent[i + 1].start if end is None else end, i, "end")
        found.append(((until - start).total_seconds(), (until - end).total_seconds()))
    _in_order(found)
    if found and all(to_s >= order.seconds for _, to_s in found):
        raise CommandError(Refusal.EXPIRED, "all intervals are over")
    if not may_be_idle and all(from_s <= 0.0 for from_s, to_s in found if to_s < order.seconds):
        text = f"no interval begins before the command ends ({order.until}): a longer expires_s"
        raise CommandError(Refusal.OUT_OF_RANGE, text)
    return found


def counting(part: int | None, found: Sequence[tuple[float, float]], order: Order) -> str:
    """In words: which interval counts now, by its number, or when the next one begins."""
    if part is not None:
        return f"interval {part} of {len(found)} counts now"
    coming = [order.seconds - from_s for from_s, _ in found if 0.0 < from_s < order.seconds]
    if not coming:
        return "no interval counts before it ends: others decide"
    return f"no interval counts now, the next one in {max(1.0, min(coming)):.0f} s"


def _zoned(at: datetime, i: int, name: str) -> datetime:
    if at.tzinfo is None:
        raise CommandError(Refusal.BAD_ARGUMENT, f"intervals[{i}].{name} needs a time zone, such as Z")
    return at


def _in_order(found: Sequence[tuple[float, float]]) -> None:
    before_s = float("inf")
    for i, (from_s, to_s) in enumerate(found):
        if from_s > before_s:
            text = f"intervals[{i}] starts {from_s - before_s:g} s before the one ahead of it ends"
            raise CommandError(Refusal.BAD_ARGUMENT, text)
        if to_s >= from_s:
            raise CommandError(Refusal.BAD_ARGUMENT, f"intervals[{i}] does not end after its start")
        before_s = to_s
