"""All writers of a site: each gets its decision, and all together are released."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from derctl.core.types import Decision, SiteState
from derctl.core.words import Released
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.writer import Writer
from derctl.links.ending import end


@dataclass(slots=True)
class Dispatch:
    """writers: by DER id."""

    writers: Mapping[str, Writer]

    def offer(self, decisions: Sequence[Decision], state: SiteState, gate_open: bool) -> None:
        """Hand each DER its decision."""
        ders = {der.id: der for der in state.ders}
        for writer in self.writers.values():
            writer.raise_bugs()
        for decision in decisions:
            self.writers[decision.der].offer(decision, ders[decision.der], gate_open, state.t_s)

    def heard(self, der_id: str, gate_open: bool) -> None:
        """A device has been heard behind its tick."""
        if der_id in self.writers:
            self.writers[der_id].heard(gate_open)

    async def release(self, wrote: Sequence[str], *, lift: bool, seconds: float) -> dict[str, Release]:
        """Release what was written, within `seconds`. Those whose power goes down come first: one of them that does
        not answer keeps the others waiting for half of the time at most."""
        tasks: dict[str, asyncio.Task[Release]] = {}
        try:
            for group in self._by_direction(wrote):
                tasks |= {name: asyncio.create_task(self.writers[name].release(lift=lift)) for name in group}
                if tasks:
                    await asyncio.wait(tasks.values(), timeout=seconds / 2.0)
            return {
                name: task.result() if task.done() else Release(Released.UNREACHABLE) for name, task in tasks.items()
            }
        finally:
            await end(tasks.values())

    def _by_direction(self, wrote: Sequence[str]) -> tuple[list[str], list[str]]:
        down: list[str] = []
        up: list[str] = []
        for der_id in wrote:
            writer = self.writers[der_id]
            held = writer.outcome.accepted
            goal = writer.fallback.p_ceiling_w
            now = None if held is None else held.p_ceiling_w
            (down if goal is not None and (now is None or now >= goal) else up).append(der_id)
        return down, up
