"""All writers of a site: each gets its decision, and all together are released."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.types import NOTHING, Decision, SiteState
from derctl.core.words import Released
from derctl.daemon.actuate.release import Release, unfinished, waits_text
from derctl.daemon.actuate.writer import Writer
from derctl.links.ending import end


@dataclass(slots=True)
class Dispatch:
    """writers: by DER id. lent: to a trial, which alone tells them something."""

    writers: Mapping[str, Writer]
    lent: set[str] = field(default_factory=set)

    def offer(self, decisions: Sequence[Decision], state: SiteState, gate_open: bool) -> None:
        """Hand each DER its decision."""
        ders = {der.id: der for der in state.ders}
        for writer in self.writers.values():
            writer.errand.raise_bugs()
        for decision in decisions:
            if decision.der in self.lent:
                continue
            self.writers[decision.der].offer(decision, ders[decision.der], gate_open, state.t_s)

    def heard(self, der_id: str, gate_open: bool) -> None:
        """A device has been heard behind its tick."""
        if der_id in self.writers and der_id not in self.lent:
            self.writers[der_id].heard(gate_open)

    async def release(self, wrote: Sequence[str], *, lift: bool, seconds: float) -> dict[str, Release]:
        """Release what was written, within `seconds`. Those whose power goes down come first: one of them that does
        not answer keeps the others waiting for half of the time at most. Those whose power goes up wait for good
        while a DER is lost, or is not released: nobody knows what it gives, and their own timers are in order."""
        down, up = self._by_direction(wrote)
        tasks = self._releases(down, lift=lift)
        waiting: dict[str, Release] = {}
        try:
            if tasks:
                await asyncio.wait(tasks.values(), timeout=seconds / 2.0)
            first = self._lost or next((name for name in down if not _given_back(tasks[name])), None)
            if first is not None:
                waiting = {
                    name: Release(Released.WAITS, waits_text(first))
                    for name in up
                    if rises(self.writers[name], lift=lift)
                }
            tasks |= self._releases([name for name in up if name not in waiting], lift=lift)
            if tasks:
                await asyncio.wait(tasks.values(), timeout=seconds / 2.0)
            return waiting | {
                name: task.result() if task.done() else unfinished(lost=self.writers[name].lost)
                for name, task in tasks.items()
            }
        finally:
            await end(tasks.values())

    def _releases(self, names: Sequence[str], *, lift: bool) -> dict[str, asyncio.Task[Release]]:
        return {name: asyncio.create_task(self.writers[name].release(lift=lift)) for name in names}

    @property
    def _lost(self) -> str | None:
        """A DER that nobody hears."""
        return next((name for name, writer in self.writers.items() if writer.lost), None)

    def _by_direction(self, wrote: Sequence[str]) -> tuple[list[str], list[str]]:
        down: list[str] = []
        up: list[str] = []
        for der_id in wrote:
            now, goal = _held_w(self.writers[der_id]), self.writers[der_id].promised.told.p_ceiling_w
            (down if goal is not None and (now is None or now >= goal) else up).append(der_id)
        return down, up


def _given_back(task: asyncio.Task[Release]) -> bool:
    return task.done() and task.result().result is Released.RELEASED


def _held_w(writer: Writer) -> float | None:
    """The target that it reads back, else the ceiling."""
    held = writer.account.outcome.accepted or NOTHING
    return held.p_ceiling_w if held.p_target_w is None else held.p_target_w


def rises(writer: Writer, *, lift: bool) -> bool:
    """Whether a release may make it give more: a store that charges comes to rest, one without a fallback does what
    it likes. A limit stays where it is, unless it is lifted."""
    held, goal = writer.account.outcome.accepted or NOTHING, writer.promised.told.p_ceiling_w
    if held.p_target_w is not None and (goal is None or held.p_target_w < goal):
        return True
    return lift and held.p_ceiling_w is not None and (goal is None or held.p_ceiling_w < goal)
