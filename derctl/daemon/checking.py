"""Whether the audit log on disk hangs together, and whether the site file is the one of before.

It is read at start and once a day, a little at a time, so that nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import field
from itertools import islice

from derctl.core.dataclass import dataclass
from derctl.core.text import error_text
from derctl.core.words import Hangs
from derctl.daemon.clock import Clock
from derctl.store.audit import bytes_of, compared, reached, records
from derctl.store.chain import Broken, Head, Line, checked
from derctl.store.folder import Folder

LINES = 100
"""Records that are read at once: some milliseconds."""
PAUSE_S = 0.05
"""Between two of them."""
AGAIN_S = 86400.0
"""How often the whole log is read (docs/sources.md)."""
OTHER_FILE = "the site file says something else than it did when derctl ran before"


async def at_once() -> None:
    """Nothing is waited for."""


@dataclass(slots=True)
class Checking:
    """tell: what News takes. written: returns when what was noted is in the file. hangs, text: what was found; at:
    when, None: not read through yet. count, size: records and bytes of the files then. noted: its end when derctl
    ran last, which has to be there at the start; None: nobody knows."""

    folder: Folder
    clock: Clock
    tell: Callable[[str, str, str], None]
    written: Callable[[], Awaitable[None]] = at_once
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    hangs: Hangs = Hangs.UNCHECKED
    text: str = ""
    at: str | None = None
    count: int = 0
    size: int = 0
    noted: Head | None = None
    _site_files: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Only cancellation ends it."""
        await self.written()
        await self.once()
        if len({*self._site_files[-2:]}) > 1:
            self.tell("site_file_changed", "", OTHER_FILE)
        while True:
            await self.pause(AGAIN_S)
            await self.once()

    async def once(self) -> None:
        """The whole log. What does not hang together is said once, until it does again."""
        before = self.hangs
        try:
            self.count, self.size = await self._read_again()
            self.hangs, self.text = Hangs.OK, ""
        except (Broken, ValueError) as error:
            self.hangs, self.text = Hangs.BROKEN, error_text(error)
        except OSError as error:
            self.hangs, self.text = Hangs.UNCHECKED, error_text(error)
        self.at = self.clock.stamp()
        if self.hangs is Hangs.BROKEN and before is not Hangs.BROKEN:
            self.tell("audit_broken", "", self.text)

    async def _read_again(self) -> tuple[int, int]:
        """A file that was rotated out meanwhile says nothing. Raises Broken, ValueError, OSError."""
        try:
            return await self._read()
        except FileNotFoundError:
            return await self._read()

    async def _read(self) -> tuple[int, int]:
        """Raises Broken, ValueError, OSError."""
        path = self.folder.path
        lines, total, head = self._noted(records(path)), 0, None

        def some(behind: Head | None) -> tuple[int, Head]:
            count, _, last = checked(islice(lines, LINES), behind)
            return count, last

        while True:
            count, last = await self.folder.on_disk(some, head)
            if not count:
                if self.noted is not None:
                    reached(head or Head(), self.noted)
                    self.noted = None
                return total, await self.folder.on_disk(bytes_of, path)
            total, head = total + count, last
            await self.pause(PAUSE_S)

    def _noted(self, lines: Iterator[Line]) -> Iterator[Line]:
        """The last two site files that derctl was started with."""
        for line in lines:
            if self.noted is not None:
                compared(line, self.noted)
            named = line.plain.get("site_file") if line.plain.get("what") == "configuration" else None
            if isinstance(named, str):
                self._site_files = [*self._site_files, named][-2:]
            yield line
