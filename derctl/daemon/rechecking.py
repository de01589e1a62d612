"""The audit log read again, from its oldest record: at start and once a day, a file at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from derctl.core.text import error_text
from derctl.store.audit import checked_file, files
from derctl.store.chain import Broken, Head, Line
from derctl.store.folder import Folder

BETWEEN_S = 2.0
"""Between two files, so that a tick never waits for more than one of them (docs/sources.md)."""
AGAIN_S = 86_400.0
"""A log that is changed while derctl runs is found within a day."""
OTHER_FILE = "the site file says something else than it did when derctl ran before"


@dataclass(slots=True)
class Rechecking:
    """tell: what News takes. written: returns when what was noted is in the file."""

    folder: Folder
    tell: Callable[[str, str, str], None]
    written: Callable[[], Awaitable[None]]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    _configured: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Only cancellation ends it."""
        await self.written()
        await self.once()
        if len({*self._configured[-2:]}) > 1:
            self.tell("site_file_changed", "", OTHER_FILE)
        while True:
            await self.pause(AGAIN_S)
            await self.once()

    async def once(self) -> None:
        """A disk that can't be read is nobody's work: whoever writes there says so."""
        try:
            head: Head | None = None
            for name in await self.folder.on_disk(files, self.folder.path):
                head = await self._file(name, head)
                await self.pause(BETWEEN_S)
        except (Broken, ValueError) as error:
            self.tell("audit_broken", "", error_text(error))
        except OSError:
            return

    async def _file(self, name: str, head: Head | None) -> Head | None:
        """Its last record. One that was rotated out meanwhile says nothing."""
        try:
            last, configured = await self.folder.on_disk(checked_file, self.folder.path, name, head)
        except FileNotFoundError:
            return None
        self._configured = [*self._configured, *_site_files(configured)][-2:]
        return last


def _site_files(lines: list[Line]) -> list[str]:
    found = [line.plain.get("site_file") for line in lines]
    return [each for each in found if isinstance(each, str)]
