"""Whether the audit log on disk hangs together: read through a little at a time, so that nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import islice

from derctl.core.text import error_text
from derctl.core.words import Hangs
from derctl.daemon.clock import Clock
from derctl.store.audit import bytes_of, records
from derctl.store.chain import Broken, Head, checked
from derctl.store.folder import Folder

LINES = 100
"""Records that are read at once: some milliseconds."""
PAUSE_S = 0.05
"""Between two of them."""
AGAIN_S = 86400.0
"""How often the whole log is read (docs/sources.md)."""


@dataclass(slots=True)
class Checking:
    """tell: what News takes. hangs, text: what was found; at: when, None: not read through yet. count, size: records
    and bytes of the files then."""

    folder: Folder
    clock: Clock
    tell: Callable[[str, str, str], None]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    hangs: Hangs = Hangs.UNCHECKED
    text: str = ""
    at: str | None = None
    count: int = 0
    size: int = field(default=0)

    async def run(self) -> None:
        """Once a day."""
        while True:
            await self.once()
            await self.pause(AGAIN_S)

    async def once(self) -> None:
        """The whole log. What does not hang together is said once, until it does again."""
        before = self.hangs
        try:
            self.count, self.size = await self._read()
            self.hangs, self.text = Hangs.OK, ""
        except (Broken, ValueError) as error:
            self.hangs, self.text = Hangs.BROKEN, error_text(error)
        except OSError as error:
            self.hangs, self.text = Hangs.UNCHECKED, error_text(error)
        self.at = self.clock.stamp()
        if self.hangs is Hangs.BROKEN and before is not Hangs.BROKEN:
            self.tell("audit_log_broken", "", self.text)

    async def _read(self) -> tuple[int, int]:
        """Raises Broken, ValueError, OSError."""
        path = self.folder.path
        lines, total, head = records(path), 0, None

        def some(behind: Head | None) -> tuple[int, Head]:
            count, _, last = checked(islice(lines, LINES), behind)
            return count, last

        while True:
            count, last = await self.folder.on_disk(some, head)
            if not count:
                return total, await self.folder.on_disk(bytes_of, path)
            total, head = total + count, last
            await self.pause(PAUSE_S)
