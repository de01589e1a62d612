"""Keeps on disk what would have been done while nothing is written. It hears of each tick and never holds one up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.text import error_text
from derctl.core.types import Tick
from derctl.core.words import Refusal
from derctl.daemon.shadow.report import DAY_S, report_of, summary_of
from derctl.daemon.shadow.watch import Watch
from derctl.errors import CommandError
from derctl.store import shadow as store
from derctl.store.folder import Folder

NOTHING = "nothing is recorded yet. It is while derctl observes, from the first minutes on; a day of it tells most"


@dataclass(slots=True)
class Shadow:
    """folder: where it is kept. tell: what News takes. over: the daemon ends. unsaved: why the disk did not take the
    last."""

    folder: Folder
    watch: Watch
    tell: Callable[[str, str, str], None]
    over: bool = False
    unsaved: str | None = None
    _ticks: deque[tuple[Tick, bool]] = field(default_factory=lambda: deque(maxlen=8))
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def look(self, tick: Tick) -> None:
        """A tick is done."""
        self._ticks.append((tick, self.watch.control.gate.open))
        self._woken.set()

    async def run(self) -> None:
        """Add up what is heard, and save each stretch when it is over."""
        while not self.over:
            await self._woken.wait()
            self._woken.clear()
            self._catch_up()
            await self._save()

    async def end(self) -> None:
        """The last one."""
        self._catch_up()
        self.over = True
        self.watch.close(last=True)
        await self._save()

    async def report(self, since_s: float) -> dict[str, Any]:
        """What would have happened in the last since_s. Raises CommandError where nothing is known."""
        watch, clock = self.watch, self.watch.clock
        under, now, synced, site = watch.stretch(), clock.wall(), clock.synced, watch.control.site.file.site.id
        waiting = [*watch.done, *([] if under is None else [under])]

        def made() -> dict[str, Any] | None:
            kept = store.load(self.folder)
            kept = store.Kept(stretches=(*kept.stretches, *waiting), torn=kept.torn)
            return report_of(kept, now=now, synced=synced, since_s=since_s, site=site)

        try:
            found = await self.folder.aside(made)
        except (OSError, ValueError) as error:
            raise CommandError(Refusal.NOT_READY, f"{store.FILE}: {error_text(error)}") from error
        if found is None:
            raise CommandError(Refusal.NOTHING_NEW, NOTHING)
        return found

    async def summary(self) -> str:
        """In a line, for whoever arms."""
        try:
            return summary_of(await self.report(DAY_S))
        except CommandError as error:
            return f"no record of what it would have done: {error}"

    def _catch_up(self) -> None:
        while self._ticks:
            tick, controls = self._ticks.popleft()
            self.watch.take(tick, controls=controls)

    async def _save(self) -> None:
        """What the disk does not take waits; that is said once."""
        while self.watch.done:
            try:
                await store.add(self.folder, self.watch.done[0])
            except OSError as error:
                before, self.unsaved = self.unsaved, error_text(error)
                if before is None:
                    self.tell("shadow_not_saved", "", self.unsaved)
                return
            self.unsaved = None
            self.watch.done.popleft()
