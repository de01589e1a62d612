"""What derctl wrote and has not given back: on disk before the first write, released when control ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from derctl.core.text import error_text
from derctl.core.words import Released
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.actuate.release import Attempts, Release, released_before
from derctl.links.ending import end
from derctl.store.journal import LEFT, Journal

RELEASE_S = 2.0
"""How long a stop or an operator waits for a release."""
PATIENT_S = 30.0
"""How long one that is tried again may take: over a bus of a request a second it is more than RELEASE_S."""


@dataclass(slots=True)
class Releaser:
    """stamp: the wall time as text, for a reader of the journal. left: limits that a release left standing."""

    journal: Journal
    dispatch: Dispatch
    stamp: Callable[[], str]
    on_event: Callable[[str, str, str], None]
    clock: Callable[[], float] = time.monotonic
    attempts: Attempts = field(default_factory=Attempts)
    left: Journal = field(init=False)
    _lift: bool = False
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _again: asyncio.Task[dict[str, Release]] | None = None

    def __post_init__(self) -> None:
        self.left = Journal(self.journal.folder, LEFT)

    @property
    def releasing(self) -> bool:
        """Whether a release is under way."""
        return self._lock.locked()

    def restore(self) -> None:
        """What was written before the restart. A journal that can't be read is said."""
        try:
            self.journal.load()
            self.left.load()
        except (OSError, ValueError) as error:
            self.on_event("journal_unreadable", "", error_text(error))

    async def note(self, der_id: str) -> None:
        """Before the first write to a DER its name is on disk, so that a kill can't make it be forgotten."""
        self.attempts = self.attempts.without(der_id)
        if der_id not in self.journal.entries:
            self.left.forget([der_id])
            self.journal.note(der_id, since=self.stamp(), fallback=asdict(self.dispatch.writers[der_id].fallback))
        if self.journal.unsaved or self.left.unsaved:
            await self.save()

    async def save(self) -> None:
        """What isn't on disk yet: a full disk keeps nobody from control, and is said once."""
        for journal in (self.journal, self.left):
            problem = await journal.save()
            if problem is not None:
                self.on_event("journal_not_saved", "", problem)

    async def release(self, *, lift: bool) -> dict[str, Release]:
        """Release every DER that derctl wrote; forget those that are released. lift: also those left with a limit."""
        if self._again is not None:
            await end([self._again])  # somebody waits for this one, which begins it all again
        return await self._release(None, lift=lift, seconds=RELEASE_S)

    async def release_of(self, leaving: Sequence[str]) -> dict[str, Release]:
        """Release these, as far as derctl wrote them: it will not write them any more."""
        wrote = [der_id for der_id in leaving if der_id in self.journal.entries]
        return await self._release(wrote, lift=False, seconds=RELEASE_S) if wrote else {}

    def standing(self) -> dict[str, Release]:
        """What earlier releases left below the fallback, for the DERs that were not written since."""
        writers = self.dispatch.writers
        return {
            der_id: released_before(limit_w)
            for der_id, limit_w in self.left.stands.items()
            if der_id in writers and der_id not in self.journal.entries
        }

    def follow(self, *, lift: bool) -> None:
        """While control is closed: a try for those whose time has come. Raises what a try before it broke on.

        lift: whether an operator's word to lift the limits, given with the release that this repeats, still stands.
        """
        if self._again is not None and self._again.done():
            again, self._again = self._again, None
            if not again.cancelled():
                again.result()
        due = self.attempts.due(self._left(), self.clock())
        if due and self._again is None and not self.releasing:
            trying = self._release(due, lift=lift and self._lift, seconds=PATIENT_S)
            self._again = asyncio.create_task(trying, name="release again")

    def _left(self) -> list[str]:
        """What was written and not released yet, as far as the site file has it."""
        return [der_id for der_id in self.journal.entries if der_id in self.dispatch.writers]

    async def _release(self, wrote: Sequence[str] | None, *, lift: bool, seconds: float) -> dict[str, Release]:
        """wrote None: all that is left once a release that is under way has ended."""
        async with self._lock:
            self._lift = lift
            if wrote is None:
                wrote = [*self._left(), *(self.standing() if lift else ())]
            result = await self.dispatch.release(wrote, lift=lift, seconds=seconds)
            self._tell(result)
            self.attempts = self.attempts.noted(result, self.clock())
            done = [name for name, each in result.items() if each.result is Released.RELEASED]
            for name in done:
                self._remember(name, result[name])
            if self.journal.forget(name for name in done if not self.dispatch.writers[name].wrote) or done:
                await self.save()
        return result

    def _remember(self, der_id: str, release: Release) -> None:
        if release.stands_w is not None and release.held_below(self.dispatch.writers[der_id].fallback.p_ceiling_w):
            self.left.keep(der_id, stands_w=release.stands_w)
        else:
            self.left.forget([der_id])

    def _tell(self, result: Mapping[str, Release]) -> None:
        for der_id, release in self.attempts.news(result).items():
            given_back = release.result is Released.RELEASED
            self.on_event("released" if given_back else "not_released", der_id, str(release))
