"""The scan cycle: measure, freeze, propose, arbitrate, decide, dispatch, report, vouch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.engine import step
from derctl.core.plan import Memory, Plan
from derctl.core.poc import with_belief
from derctl.core.types import SiteState, Tick
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.beat import Beat, ended
from derctl.daemon.gate import Gate
from derctl.daemon.image import Image
from derctl.daemon.poller import Poller
from derctl.functions.tracking import tracked

MEASURE_SHARE = 0.4
"""Share of the period after which the tick goes on with what has been measured (docs/sources.md)."""


@dataclass(slots=True)
class Loop:
    """Missed ticks are skipped and counted, never replayed; dt_s is measured. report and vouch come last.

    standing: adds to the state what stood in the devices.
    """

    tick_s: float
    plan: Plan
    poller: Poller
    image: Image
    gate: Gate
    dispatch: Dispatch
    report: Callable[[Tick], None]
    vouch: Callable[[], None]
    memories: dict[str, Memory] = field(default_factory=dict)
    standing: Callable[[SiteState, float, bool], SiteState] = lambda state, dt_s, gate_open: state
    clock: Callable[[], float] = time.monotonic
    ticks: int = 0
    beat: Beat = field(default_factory=Beat)
    _stepped_s: float | None = None
    _stopping: bool = False

    async def run(self) -> None:
        """Until `stop`."""
        self._stopping = False
        due = self.clock()
        while not self._stopping:
            began = self.clock()
            await self.tick()
            self.beat, due = ended(self.beat, due, began, self.clock(), self.tick_s)
            await asyncio.sleep(max(due - self.clock(), 0.0))

    async def tick(self) -> None:
        """One scan."""
        await self.poller.poll(MEASURE_SHARE * self.tick_s)
        now = self.clock()
        dt_s = 0.0 if self._stepped_s is None else now - self._stepped_s
        self._stepped_s = now
        state = self.standing(self.image.snapshot(now), dt_s, self.gate.open)
        before = self.memories if self.gate.open else tracked(self.memories)
        self.memories, decisions = step(self.plan, before, state, dt_s)
        self.dispatch.offer(decisions, state, self.gate.evaluate())
        self.ticks += 1
        state = with_belief(state, self.memories)
        self.report(Tick(n=self.ticks, dt_s=dt_s, state=state, memories=before, decisions=decisions))
        self.vouch()

    def stop(self) -> None:
        """After the tick that runs now."""
        self._stopping = True
