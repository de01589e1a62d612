"""The intervals on their way to the broker: oldest first, at a limited rate, behind what is measured now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.daemon.clock import Clock
from derctl.daemon.keeping import RETRY_S, Keeping
from derctl.daemon.report.telemetry import encode
from derctl.store.chain import Head, Line
from derctl.store.interval import seconds_of
from derctl.store.outbox import Message, Outbox
from derctl.store.records import RecordFile

READ = 32
"""Intervals that are read at once."""
BACKFILL_PER_S = 10.0
"""How many intervals go to the broker at most (docs/sources.md)."""
LIVE_S = 2.0
"""How long one lets what is measured now go first."""
SAVE_SENT = 64
"""After so many it is saved how far the broker has them; else with the next interval."""
SAVE_DONE = 8
"""The same once it has all."""
LATE_S = 900.0
"""An interval that goes out so long after its end is a late one."""
LOOK_S = 1.0
"""How soon a broker that is back is seen."""


@dataclass(slots=True)
class Feeding:
    """connected: whether there is a broker now that takes intervals. audit: the head of the audit log, audit_signed:
    the last one that was signed."""

    keeping: Keeping
    clock: Clock
    outbox: Outbox
    connected: Callable[[], bool]
    audit: Callable[[], Head]
    audit_signed: Callable[[], str | None] = lambda: None
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    _told: tuple[int, int] = (0, 0)
    _saved: int = 0
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.keeping.grown = self.grown

    @property
    def file(self) -> RecordFile:
        return self.keeping.file

    def grown(self) -> None:
        """There is more on disk. The heads are told retained: they show later whether the end of a chain was cut off,
        or the whole made anew."""
        self._more.set()
        audit, ledger = self.audit(), self.file.head
        if (audit.n, ledger.n) != self._told:
            self._told = (audit.n, ledger.n)
            said = {
                "t": self.clock.stamp(),
                "ledger": {
                    "chain": self.file.chain,
                    "n": ledger.n,
                    "hash": ledger.hash,
                    "signature": self.file.signed,
                },
                "audit": {"n": audit.n, "hash": audit.hash, "signature": self.audit_signed()},
                "key": self._key(),
            }
            self.outbox.put(Message(topic="records", payload=encode(said), retain=True))

    def anew(self) -> None:
        """The heads are told again; before the file is read nobody knows them."""
        self._told = (-1, -1)
        if self.keeping.ready:
            self.grown()

    def _key(self) -> dict[str, str] | None:
        """That signs now."""
        keys = () if self.file.signer is None else self.file.signer.keys
        return {"kid": keys[-1].kid, "x": keys[-1].x} if keys else None

    async def run(self) -> None:
        """Whenever there is a broker, and more than it has."""
        while True:
            await self._more.wait()
            if not self.keeping.ready or self.outbox.shut or not self.connected():
                await self.pause(LOOK_S)
            elif not await self.some():
                self._more.clear()
                await self._save(least=SAVE_DONE)

    async def some(self) -> bool:
        """The next ones; whether there were any."""
        try:
            lines = await self.keeping.folder.on_disk(self.file.after, self.file.sent, READ)
        except OSError as error:
            self.keeping.failed(error)
            await self.pause(RETRY_S)
            return True
        for line in lines:
            if not await self._passed(line.n - 1) or not await self._deliver(self._payload(line), line.n):
                break
            await self._save(least=SAVE_SENT)
        return bool(lines)

    async def _passed(self, last: int) -> bool:
        """Gaps before the next record, up to the last that is missing; whether the broker has them."""
        for upto, why in ((min(self.file.first.n, last), "dropped"), (last, "unreadable")):
            if upto > self.file.sent and not await self._deliver(self._gap(upto, why), upto):
                return False
        return True

    async def _deliver(self, payload: bytes, n: int) -> bool:
        """False: the broker denies it, so it is for later."""
        chain = self.file.chain
        await self.outbox.emptied(LIVE_S)
        taken = await self.outbox.deliver(Message(topic="interval", payload=payload, qos=1))
        if not taken and not self.connected():
            return False
        if self.file.chain == chain:  # else it was set aside meanwhile, and another one begins
            self.file.sent = n
        await self.pause(1.0 / BACKFILL_PER_S)
        return True

    def _payload(self, line: Line) -> bytes:
        """The record's own text, so that its hash can be worked out again."""
        late = self.clock.wall() - seconds_of(str(line.plain["to"])) > LATE_S
        return f'{{"hash":"{line.hash}","late":{"true" if late else "false"},"record":{line.text}}}'.encode()

    def _gap(self, upto: int, why: str) -> bytes:
        said = {"chain": self.file.chain, "from_n": self.file.sent + 1, "to_n": upto, "why": why}
        return encode({"t": self.clock.stamp(), "gap": said})

    async def _save(self, *, least: int) -> None:
        """How far the broker has them, where that is not on disk with an interval."""
        if self.file.sent - max(self._saved, self.file.kept_sent) >= least:
            self._saved = self.file.sent
            try:
                await self.keeping.folder.on_disk(self.file.keep_sent)
            except OSError as error:
                self.keeping.failed(error)
