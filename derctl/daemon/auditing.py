"""Who writes the audit log: what is noted never waits, and is in the file before an answer goes out."""

from __future__ import annotations

import asyncio
import os
import pwd
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.text import clean, error_text
from derctl.daemon.clock import Clock
from derctl.daemon.often import Often
from derctl.store.audit import AuditFile
from derctl.store.chain import Head
from derctl.store.folder import Folder
from derctl.store.signer import Signer

NOTES_MAX = 2000
"""Records that wait for a disk that hangs, or takes none."""
CARD_S = 30.0
"""What nobody waits for is on the card after so long: the kernel has it at once."""
SIGN_S = 3600.0
"""How often its head is signed; at the end, too."""
SAID_MAX = 2000
"""Characters of a text."""


@dataclass(slots=True)
class Auditing:
    """note: takes a record, at once. kept: returns when all that was noted is in the file, and on the card.

    tell: what News takes. signed: the last head that was, None: none yet. unsaved: why it can't be written, None: it
    can.
    """

    folder: Folder
    clock: Clock
    tell: Callable[[str, str, str], None] = lambda event, der, text: None
    monotonic: Callable[[], float] = time.monotonic
    signer: Signer | None = None
    signed: str | None = None
    unsaved: str | None = None
    lost: int = 0
    file: AuditFile = field(init=False)
    often: Often = field(init=False)
    _behind_n: int = 0
    _waiting: list[dict[str, Any]] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.file = AuditFile(self.folder.path)
        self.often = Often(self.monotonic)

    @property
    def head(self) -> Head:
        """Of what is in the file."""
        return self.file.head

    def note(self, what: str, who: str, text: str, *, often: str | None = None, **more: Any) -> None:
        """who: who asked for it, or what did it. often: by what such records are counted where they can come with
        every tick; None: each is noted. more: plain values."""
        skipped = 0
        if often is not None:
            came = self.often.came(often)
            if came is None:
                return
            skipped = came
        synced = self.clock.synced
        record = {
            "t": self.clock.stamp(),
            "clock": {"synced": synced, "error_s": self.clock.error_s if synced else None},
            "what": what,
            "who": clean(who)[:SAID_MAX],
            "text": clean(text)[:SAID_MAX],
            **more,
        }
        if skipped:
            record["skipped"] = skipped
        self._waiting.append(record)
        self._bound()
        self._wake.set()

    def _bound(self) -> None:
        over = len(self._waiting) - NOTES_MAX
        if over > 0:
            del self._waiting[:over]
            self.lost += over

    async def kept(self) -> None:
        """Never raises: a disk that fails is said, and answers go on."""
        await self._written(sync=True)

    async def sign(self) -> None:
        """Who holds the key vouches for all up to here, in a record of its own. Not where there is nothing new."""
        await self.kept()
        head = self.head
        if self.signer is None or head.n <= self._behind_n:
            return
        token = await self.folder.on_disk(self.signer.head, "audit", "", head)
        if token is not None:
            keys = [each.plain for each in self.signer.keys]
            self.signed, self._behind_n = token, head.n + 1
            self.note("signature", "derctl", f"record {head.n}", signature=token, keys=keys)
            await self.kept()

    async def run(self) -> None:
        """Write what is noted at once, have it on the card within CARD_S, and sign it once an hour."""
        due_s = self.monotonic() + CARD_S
        sign_s = self.monotonic() + SIGN_S
        while True:
            if self.monotonic() >= sign_s:
                sign_s = self.monotonic() + SIGN_S
                await self.sign()
            with suppress(TimeoutError):
                async with asyncio.timeout(CARD_S):
                    await self._wake.wait()
            self._wake.clear()
            sync = self.monotonic() >= due_s
            if sync:
                due_s = self.monotonic() + CARD_S
            if not await self._written(sync=sync):
                await asyncio.sleep(1.0)

    async def _written(self, *, sync: bool) -> bool:
        """Whether all is in the file."""
        async with self._one:
            taken, self._waiting = self._waiting, []
            if not taken and not sync:
                return True
            try:
                await self.folder.on_disk(self._write, taken, sync)
            except OSError as error:
                self._waiting = [*taken, *self._waiting]
                self._bound()
                self._failed(error_text(error))
                return False
            self._said()
            return True

    def _write(self, taken: list[dict[str, Any]], sync: bool) -> None:
        """In the disk's thread."""
        before = self.file.written
        if taken:
            self.file.append(taken)
        if sync:
            self.file.sync()
            if self.signer is not None:
                self.signer.audit = self.file.head
        if taken:
            self.folder.writes += 1
            self.folder.bytes += self.file.written - before

    def _failed(self, text: str) -> None:
        before, self.unsaved = self.unsaved, text
        if before != text:
            self.tell("records_not_saved", "", f"audit log: {text}")

    def _said(self) -> None:
        """What was wrong with the file, and what is lost, are records themselves."""
        self.unsaved = None
        problems, self.file.problems = self.file.problems, []
        if self.lost:
            problems.append(f"{self.lost} records were lost while the disk took none")
            self.lost = 0
        for text in problems:
            self.note("log", "derctl", text)
            self.tell("records_set_aside", "", f"audit log: {text}")


async def noted_alone(folder: Folder, clock: Clock, text: str, **more: Any) -> None:
    """Of a verb that writes to devices without a daemon, by whoever runs it. A disk that fails stops nobody."""
    audit = Auditing(folder, clock)
    audit.note("command", _user(), text, **more)
    await audit.kept()
    audit.file.close()


def _user() -> str:
    """The login name of who runs this, and for whom sudo did."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    asked = os.environ.get("SUDO_USER")
    return name if asked is None else f"{asked} as {name}"
