"""The line of those that wait for the clock: who comes into it, and what becomes of whom when the time has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.words import Refusal
from derctl.daemon.commands.answer import answer, reply
from derctl.daemon.commands.desk import UNTIL_SET, Desk
from derctl.daemon.commands.envelope import envelope_of
from derctl.daemon.commands.row import Done, saved
from derctl.daemon.waiting import Waiter, Waiting
from derctl.errors import CommandError
from derctl.store.outbox import Message

WAITING = "waiting"
"""What a command is answered that waits."""
LOOK_S = 1.0
"""How soon it is seen that the clock is set, or that one has waited in vain."""


@dataclass(slots=True)
class Line:
    """send: takes what is answered at last."""

    desk: Desk
    send: Callable[[Message], None]
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.desk.before, self.desk.later = self.catch_up, self.wait

    @property
    def waiting(self) -> Waiting:
        """Those that are in it."""
        return self.desk.reach.requests.waiting

    async def wait(self, by: str, name: str, fields: dict[str, Any], correlation: bytes | None) -> dict[str, Any]:
        """Its first answer, once it is on disk. Never raises: the reply says what became of it."""
        desk, requests = self.desk, self.desk.reach.requests
        envelope = envelope_of(dict(fields))
        waiter = Waiter(
            by=by,
            command=name,
            id=envelope.id,
            fields=fields,
            correlation=correlation,
            knew=[*requests.held, *self.waiting.keys],
            ends_s=requests.clock() + envelope.life_s,
        )
        try:
            self.waiting.add(waiter)
            await saved(desk.reach, Done(text="", back=lambda: self.waiting.forget(waiter)))
        except CommandError as error:
            return await desk.answered(by, name, waiter.id, fields, error)
        desk.log_it(by, name, fields, word=WAITING)
        await desk.kept()
        waiter.told = True
        said = reply(waiter.id, name, WAITING, Refusal.CLOCK_UNSYNCED, UNTIL_SET, desk.clock.stamp())
        return said | {"n": 1, "last": False}

    async def run(self) -> None:
        """Looks whether the clock is set, as long as somebody waits for it."""
        while True:
            await self.catch_up()
            await asyncio.sleep(LOOK_S)

    async def catch_up(self) -> None:
        """Those that wait, in their order: carried out once the clock is set, refused at their end."""
        if not self.waiting.line and not self.waiting.dropped:
            return
        reach, clock = self.desk.reach, self.desk.clock
        async with self._one:
            while (waiter := self.waiting.next(reach.requests.clock(), synced=clock.synced)) is not None:
                self.send(answer(waiter.by, await self._resumed(waiter), waiter.correlation))
                reach.changed()

    async def _resumed(self, waiter: Waiter) -> dict[str, Any]:
        """Its second answer."""
        by, name, fields = waiter.by, waiter.command, waiter.fields
        became: str | CommandError
        try:
            if waiter.why:
                raise CommandError(Refusal.OVERTAKEN, f"dropped while it waited ({waiter.why})")
            if not self.desk.clock.synced:
                raise CommandError(Refusal.EXPIRED, "it has waited for its whole life, and the clock is not set")
            became = await self.desk.take(by, name, dict(fields), waiter.correlation, waiter)
        except CommandError as error:
            became = error
        return await self.desk.answered(by, name, waiter.id, fields, became, 2)
