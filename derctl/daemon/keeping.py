"""The energy ledger while derctl runs: intervals out of the ticks, on disk in batches."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.text import error_text
from derctl.core.types import SiteState
from derctl.daemon.clock import Clock
from derctl.site import Site
from derctl.store.folder import Folder
from derctl.store.interval import POC, Intervals, Moment, Part, Plain, merged
from derctl.store.records import RecordFile

COMMIT_S = 300.0
"""So much time goes to disk at once: what a commit costs the card does not grow with it (docs/sources.md)."""
RETRY_S = 30.0
"""A disk that took nothing is asked again after so long."""
PENDING_MAX = 500
"""Intervals that wait for a disk; beyond it the two oldest become one."""
DAY_S = 86400.0
MB = 1_000_000


@dataclass(slots=True)
class Keeping:
    """tell: what News takes. grown: hears that there is more on disk. ready: the file was read.

    unsaved: why intervals can't be saved, None: they can.
    """

    site: Site
    folder: Folder
    clock: Clock
    tell: Callable[[str, str, str], None]
    grown: Callable[[], None] = lambda: None
    monotonic: Callable[[], float] = time.monotonic
    unsaved: str | None = None
    pending: list[Plain] = field(default_factory=list)
    file: RecordFile = field(init=False)
    intervals: Intervals = field(init=False)
    ready: bool = False
    _dropped: int = 0
    _due_s: float = math.inf
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        file = self.site.file
        self.file = RecordFile(self.folder.path, file.records.keep_mb * MB, file.records.keep_days * DAY_S)
        self.intervals = Intervals(file.site.id, file.records.interval_s, parts_of(self.site))

    def takes(self, site: Site) -> None:
        """Another site file: the interval that runs goes on under it."""
        self.site, records = site, site.file.records
        self.intervals.length_s, self.intervals.parts = records.interval_s, parts_of(site)
        self.file.most_bytes, self.file.keep_s = records.keep_mb * MB, records.keep_days * DAY_S

    def report(self, state: SiteState) -> None:
        """A tick."""
        if self.ready and self.intervals.due(self.monotonic()):
            self._take(self.intervals.look(state, self._moment()))

    def _moment(self) -> Moment:
        return Moment(wall=self.clock.wall(), now_s=self.monotonic(), synced=self.clock.synced)

    def _take(self, records: list[Plain]) -> None:
        if not records:
            return
        if not self.pending:
            self._due_s = self.monotonic() + COMMIT_S - self.intervals.length_s - 1.0
        self.pending += records
        while len(self.pending) > PENDING_MAX:
            self.pending[:2] = [merged(*self.pending[:2])]
        if self.pending[-1]["why"] is not None or self.monotonic() >= self._due_s:
            self._wake.set()

    async def run(self) -> None:
        """Begin where the file ends, and take to it what is over."""
        if not self.ready:
            await self.begin()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not await self.save():
                await asyncio.sleep(RETRY_S)
                self._wake.set()

    async def begin(self) -> None:
        """A file that can't be had is none: what is counted then is one interval until it can."""
        last: Mapping[str, Any] | None = None
        try:
            last = await self.folder.on_disk(self.file.open)
        except OSError as error:
            self.failed(error)
        if last is not None:
            self.intervals.resume(last)
        self.ready = True
        self._said()

    async def save(self) -> bool:
        """Whether all that is over is on disk."""
        async with self._one:
            taken, self.pending = self.pending, []
            if not taken:
                return True
            try:
                await self.folder.on_disk(self._append, taken)
            except OSError as error:
                self.pending = [*taken, *self.pending]
                self.failed(error)
                return False
            self.unsaved = None
            self._said()
            return True

    def _append(self, taken: list[Plain]) -> None:
        """In the disk's thread."""
        self.file.append(taken)
        self.folder.writes += 1

    async def end(self) -> None:
        """The interval that runs ends here, and is saved."""
        if self.ready:
            self.pending += self.intervals.stop(self._moment())
            await self.save()
            await self.folder.on_disk(self.file.close)

    def failed(self, error: OSError) -> None:
        """Said once, until it is another."""
        before, self.unsaved = self.unsaved, error_text(error)
        if before != self.unsaved:
            self.tell("records_not_saved", "", f"intervals: {self.unsaved}")

    def _said(self) -> None:
        """What became of the file."""
        problems, self.file.problems = self.file.problems, []
        for text in problems:
            self.tell("records_set_aside", "", text)
        if self.file.dropped != self._dropped:
            count, self._dropped = self.file.dropped - self._dropped, self.file.dropped
            if self.file.full:
                self.tell(
                    "records_dropped", "", f"no room: the {count} oldest intervals went, up to {self.file.first.n}"
                )
        self.grown()


def parts_of(site: Site) -> dict[str, Part]:
    """What each device is."""
    found = {} if site.file.poc is None else {POC: Part.POC}
    for der in site.file.ders:
        what = der.kind.rpartition("_")[2]
        found[der.id] = {"pv": Part.PV, "hybrid": Part.HYBRID}.get(what, Part.STORE)
    return found
