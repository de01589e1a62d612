"""What derctl wrote and has not given back: on disk before the first write, released when control ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace

from derctl.core.dataclass import dataclass
from derctl.core.words import Record, Released, Seen
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.actuate.inventory import Inventory
from derctl.daemon.actuate.records import Records
from derctl.daemon.actuate.release import Attempts, Release, not_in_file
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.channel.claim import Claim
from derctl.links.ending import end

RELEASE_S = 2.0
"""How long a stop or an operator waits for a release."""
PATIENT_S = 30.0
"""How long one that is tried again may take: over a bus of a request a second it is more than RELEASE_S."""


@dataclass(slots=True)
class Releaser:
    """dispatch: to the devices as the site file has them now. tell: what News takes."""

    records: Records
    dispatch: Dispatch
    tell: Callable[[str, str, str], None]
    clock: Callable[[], float] = time.monotonic
    attempts: Attempts = field(default_factory=Attempts)
    inventory: Inventory = field(init=False)
    _lift: bool = False
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _again: asyncio.Task[dict[str, Release]] | None = None

    def __post_init__(self) -> None:
        self.inventory = Inventory(self.records, lambda: self.dispatch.writers)

    @property
    def releasing(self) -> bool:
        """Whether a release is under way."""
        return self._lock.locked()

    def restore(self, *, touch: bool = True) -> None:
        """What was written before the restart. touch: False where only somebody looks; it raises OSError then."""
        writers = self.dispatch.writers
        self.records.load(
            {name: each.promised.fallback for name, each in writers.items() if each.control}, touch=touch
        )
        for name in self.inventory.elsewhere():
            self.tell("not_released", name, not_in_file().text)
        for name, said_w in self.records.contradicted.items():
            if name in writers:
                writers[name].channel.measured.claim = Claim(void=True, said_w=said_w)

    async def note(self, der_id: str) -> None:
        """Before the first write to a DER its name is on disk, so that a kill can't make it be forgotten."""
        self.attempts = self.attempts.without(der_id)
        self.records.note(der_id, self.dispatch.writers[der_id].promised.fallback)
        if self.records.unsaved:
            await self.save()

    async def save(self) -> None:
        """What isn't on disk yet, with what the devices read back since."""
        records, inventory, writers = self.records, self.inventory, self.dispatch.writers
        for name in inventory.wrote():
            records.written.doubt(name, writers[name].channel.measured.claim.said_w)
        records.empty(inventory.empty(), self.clock())
        records.left.forget(name for name in writers if records.unknown(name) and inventory.given_back(name))
        if records.written.missing and all(map(inventory.given_back, writers)):
            records.written.begin()
        await records.save()

    async def release(self, *, lift: bool, seconds: float = RELEASE_S) -> dict[str, Release]:
        """Release every DER that derctl wrote; forget those that are released. lift: also those left with a limit, or
        that hold something of which nothing is written down. Says of the others what stands in them, and names those
        that the site file lacks."""
        if self._again is not None:
            await end([self._again])  # somebody waits for this one, which begins it all again
        result = await self._release(None, lift=lift, seconds=seconds)
        return result | self.inventory.beside(result)

    async def release_of(
        self, leaving: Sequence[str], *, lift: bool = False, seconds: float = RELEASE_S
    ) -> dict[str, Release]:
        """Release these, as far as derctl wrote them: it will not write them any more."""
        wrote = [der_id for der_id in leaving if self.records.of(der_id) is Record.WRITTEN]
        return await self._release(wrote, lift=lift, seconds=seconds) if wrote else {}

    async def lift_of(self, stepped: Sequence[str], *, seconds: float = PATIENT_S) -> dict[str, Release]:
        """Release these, as far as they were written, and lift their limits to what the fallback has."""
        wrote = [der_id for der_id in stepped if self.records.of(der_id) is Record.WRITTEN]
        return await self._release(wrote, lift=True, seconds=seconds) if wrote else {}

    def follow(self, *, lift: bool) -> None:
        """While control is closed: a try for those whose time has come. Raises what a try before it broke on.

        lift: whether an operator's word to lift the limits, given with the release that this repeats, still stands.
        """
        if self._again is not None and self._again.done():
            again, self._again = self._again, None
            if not again.cancelled():
                again.result()
        wrote = [name for name in self.inventory.wrote() if name not in self.dispatch.lent]
        due = self.attempts.due(wrote, self.clock())
        if due and self._again is None and not self.releasing:
            trying = self._release(due, lift=lift and self._lift, seconds=PATIENT_S)
            self._again = asyncio.create_task(trying, name="release again")

    async def _release(self, wrote: Sequence[str] | None, *, lift: bool, seconds: float) -> dict[str, Release]:
        """wrote None: all that is left once a release that is under way has ended."""
        async with self._lock:
            self._lift = lift
            if wrote is None:
                wrote = [*self.inventory.wrote(), *(self.inventory.to_lift() if lift else ())]
            dispatch = self.dispatch  # another site file may be taken meanwhile, without one of these
            result = await dispatch.release(wrote, lift=lift, seconds=seconds)
            self._say(result)
            self.attempts = self.attempts.noted(result, self.clock())
            done = [name for name, each in result.items() if each.result is Released.RELEASED]
            writers = dispatch.writers
            for name in done:
                self._remember(name, writers[name], result[name])
            if self.records.written.forget(name for name in done if not writers[name].wrote) or done:
                await self.save()
        return {
            name: replace(each, standing=writers[name].standing(self.records.of(name)))
            for name, each in result.items()
        }

    def _remember(self, der_id: str, writer: Writer, release: Release) -> None:
        """What was left in it, its fallback too: it stands until somebody takes it off."""
        each = writer.standing(Record.LEFT)
        if each.anything or each.seen is Seen.NOT_KNOWN:
            self.records.leave(der_id, release.stands_w, writer.channel.measured.claim.said_w)
        else:
            self.records.left.forget([der_id])

    def _say(self, result: Mapping[str, Release]) -> None:
        for der_id, release in self.attempts.news(result).items():
            given_back = release.result is Released.RELEASED
            self.tell("released" if given_back else "not_released", der_id, str(release))
