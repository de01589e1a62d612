"""RTU frames over whatever carries them: silence before each, and no late answer is taken for the next one's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from derctl.core.exchange import Read, Registers, Write
from derctl.errors import BusBroken, BusClosed, BusFrameError, BusNoise
from derctl.links.wires import owed as debts
from derctl.links.wires.frames import Speed, shape_of
from derctl.links.wires.taking import Taking


class Framed(Taking):
    """speed: of the line; None where it is another's, who keeps its silences."""

    speed: Speed | None = None

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._reads: dict[int, Read] = {}

    def owed_s(self, unit: int, op: Read | Write, drain_s: float) -> float:
        return debts.held_s(self._hearing.owed(unit), shape_of(op), time.monotonic(), drain_s)

    def span_s(self, op: Read | Write) -> float:
        return 0.0 if self.speed is None else self.speed.span_s(op)

    async def connect(self, on_lost: Callable[[BusClosed], None]) -> None:
        self._hearing.begin()
        await super().connect(on_lost)

    async def request(self, unit: int, op: Read | Write) -> Registers:
        owed, now_s = self._hearing.owed(unit), time.monotonic()
        if debts.of(owed, shape_of(op), now_s) is not None:
            probe = debts.probe(owed, op if isinstance(op, Read) else self._reads.get(unit), now_s)
            if probe is None:
                raise BusNoise(f"{self.where} unit {unit}: its answer could be one that is late already")
            await self._ask(unit, probe)
        if not isinstance(op, Read):
            return await self._ask(unit, op)
        answer = await self._read(unit, op)
        self._reads[unit] = op
        if debts.of(self._hearing.owed(unit), shape_of(op), time.monotonic(), presumed=True) is not None:
            await self._confirm(unit, op)
        return answer

    async def _confirm(self, unit: int, op: Read) -> None:
        """Its answer may be the one that was presumed not to come: then its own is there before that to a probe."""
        before = self._hearing.tally.late
        probe = debts.probe(self._hearing.owed(unit), op, time.monotonic())
        if probe is not None:
            await self._ask(unit, probe)
        if probe is None or self._hearing.tally.late != before:
            raise BusNoise(f"{self.where} unit {unit}: two answers came, and nothing says which is late")

    async def _read(self, unit: int, op: Read) -> Registers:
        """One whose answer arrives broken is asked for once more, within the same deadline: lines are noisy."""
        try:
            return await self._ask(unit, op)
        except BusBroken:
            self._hearing.tally.broken += 1
            return await self._ask(unit, op)

    async def _ask(self, unit: int, op: Read | Write) -> Registers:
        await self._quiet()
        try:
            return await super().request(unit, op)
        except BusFrameError as error:
            if self._hearing.spoilt:
                raise BusBroken(f"{self.where} unit {unit}: a broken answer, {self._hearing.spoilt} bytes") from error
            raise BusNoise(str(error)) from error
        finally:
            self._hearing.give_up()

    async def _quiet(self) -> None:
        """Until the line has been silent for long enough: whoever still speaks is let finish."""
        if self.speed is None:
            return
        while True:
            wait_s = self._hearing.heard_s + self.speed.quiet_s - time.monotonic()
            if wait_s <= 0.0:
                return
            await asyncio.sleep(wait_s)
