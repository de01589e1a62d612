"""Who has the wire next: by priority, then by who was served longest ago. Nobody waits for ever."""

from __future__ import annotations

import asyncio
from dataclasses import field
from enum import IntEnum

from derctl.core.dataclass import dataclass


class Priority(IntEnum):
    """Who goes first."""

    WRITE = 0
    POLL = 1
    SLOW = 2


PASSED_MAX = 4
"""Turns after which something slow goes as a poll: units that are polled without a pause would leave it none."""
WRITES_MAX = 4
"""Writes in a row while polls wait: on a slow bus each decision asks for one, and nothing would be measured."""


@dataclass(slots=True)
class Served:
    """polled, wrote: the numbers of this unit's latest turns. What is written or read at leisure takes nothing from
    its polls: else a unit that is written is polled last, and goes stale."""

    polled: int = 0
    wrote: int = 0


@dataclass(slots=True)
class _Turn:
    priority: Priority
    unit: Served
    order: int
    ready: asyncio.Future[None]
    passed: int = 0

    @property
    def rank(self) -> tuple[Priority, int, int]:
        """The least goes first."""
        aged = self.priority is Priority.SLOW and self.passed >= PASSED_MAX
        last = self.unit.wrote if self.priority is Priority.WRITE else self.unit.polled
        return Priority.POLL if aged else self.priority, last, self.order


@dataclass(slots=True)
class Turns:
    """One holds the wire at a time."""

    _waiting: list[_Turn] = field(default_factory=list)
    _busy: bool = False
    _order: int = 0
    _writes: int = 0

    async def wait(self, priority: Priority, unit: Served) -> None:
        """Hold the wire from here to `pass_on`."""
        self._order += 1
        if self._busy:
            turn = _Turn(priority, unit, self._order, asyncio.get_running_loop().create_future())
            self._waiting.append(turn)
            try:
                await turn.ready
            except asyncio.CancelledError:
                if not turn.ready.cancelled():
                    self.pass_on()
                elif turn in self._waiting:
                    self._waiting.remove(turn)
                raise
        self._busy = True
        self._order += 1
        if priority is Priority.WRITE:
            unit.wrote = self._order
        elif priority is Priority.POLL:
            unit.polled = self._order

    def pass_on(self) -> None:
        """To the next who waits."""
        waiting = [turn for turn in self._waiting if not turn.ready.cancelled()] if self._waiting else []
        if not waiting:
            self._waiting.clear()
            self._busy = False
            return
        first = self._first(waiting)
        waiting.remove(first)
        for turn in waiting:
            turn.passed += 1
        self._waiting = waiting
        first.ready.set_result(None)

    def _first(self, waiting: list[_Turn]) -> _Turn:
        """Of so many turns one is a poll's."""
        others = [turn for turn in waiting if turn.priority is not Priority.WRITE]
        first = min(others if others and self._writes >= WRITES_MAX else waiting, key=lambda turn: turn.rank)
        self._writes = self._writes + 1 if others and first.priority is Priority.WRITE else 0
        return first
