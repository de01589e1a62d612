"""What derctl wrote and has not given back: on disk before the first write, released when control ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from derctl.core.value import replace
from derctl.core.words import Record, Released, Seen
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.actuate.release import Attempts, Release, not_in_file, not_written, released_before
from derctl.daemon.actuate.standing import Standing, told_of
from derctl.daemon.channel.claim import Claim
from derctl.links.ending import end
from derctl.store.journal import LEFT, Journal

RELEASE_S = 2.0
"""How long a stop or an operator waits for a release."""
PATIENT_S = 30.0
"""How long one that is tried again may take: over a bus of a request a second it is more than RELEASE_S."""

GONE_S = 20.0
"""For how long a device reads back that nothing stands in it before that is believed of what a release left."""


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
    _gone_s: dict[str, float] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _again: asyncio.Task[dict[str, Release]] | None = None

    def __post_init__(self) -> None:
        self.left = Journal(self.journal.folder, LEFT)

    @property
    def releasing(self) -> bool:
        """Whether a release is under way."""
        return self._lock.locked()

    def restore(self, *, touch: bool = True) -> None:
        """What was written before the restart. A journal that can't be read is said, and counts as if it named all.

        touch: False where only somebody looks; it raises OSError then.
        """
        writers = self.dispatch.writers
        try:
            self._copied(self.journal.load(), self.journal)
        except (OSError, ValueError) as error:
            if not touch and isinstance(error, OSError):
                raise
            self.journal.presume({name: asdict(each.fallback) for name, each in writers.items() if each.control})
            self._unreadable(self.journal, error, touch=touch)
        for name in (name for name in self.journal.entries if name not in writers):
            self.on_event("not_released", name, not_in_file().text)
        self._restore_left(touch=touch)
        for name, said_w in (self.left.contradicted | self.journal.contradicted).items():
            if name in writers:
                writers[name].channel.claim = Claim(void=True, said_w=said_w)

    def _restore_left(self, *, touch: bool) -> None:
        """What releases left. Where that can't be read, or there is no journal, it is not known of any other DER; so
        it stays for each until it is written again, or is known to hold nothing."""
        known = not self.journal.missing
        try:
            self._copied(self.left.load(), self.left)
        except (OSError, ValueError) as error:
            known = False
            self._unreadable(self.left, error, touch=touch)
        if not known:
            named = self.journal.entries.keys() | self.left.entries.keys()
            ours = (name for name, writer in self.dispatch.writers.items() if writer.control)
            self.left.unknown(name for name in ours if name not in named)

    def _copied(self, problem: str | None, journal: Journal) -> None:
        if problem is not None:
            self.on_event("journal_copy_used", "", f"{journal.file}: {problem}")

    def _unreadable(self, journal: Journal, error: OSError | ValueError, *, touch: bool) -> None:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        aside = f"; kept as {journal.folder.set_aside(journal.file)}" if touch else ""
        self.on_event("journal_unreadable", "", f"{journal.file}: {why}{aside}")

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
        for name in self._left():
            self.journal.doubt(name, self.dispatch.writers[name].said_w)
        self._forget_gone()
        if self.journal.missing and all(map(self._given_back, self.dispatch.writers)):
            self.journal.begin()
        for journal in (self.journal, self.left):
            problem = await journal.save()
            if problem is not None:
                self.on_event("journal_not_saved", "", problem)

    def _forget_gone(self) -> None:
        """What stands no more: it reads back so for a while, since a poll may have begun before a release."""
        now_s = self.clock()
        gone = {name for name, each in self.standing().items() if _gone(each.standing)}
        self._gone_s = {name: self._gone_s.get(name, now_s) for name in gone}
        self.left.forget(name for name, since_s in self._gone_s.items() if now_s - since_s > GONE_S)
        self.left.forget(name for name in self.dispatch.writers if self._unknown(name) and self._given_back(name))

    def record(self, der_id: str) -> Record:
        """What is written down of a DER."""
        if der_id in self.journal.entries:
            return Record.WRITTEN
        if self._unknown(der_id):
            return Record.MISSING
        if der_id in self.left.entries:
            return Record.LEFT
        return Record.MISSING if self.journal.missing else Record.NOTHING

    def _unknown(self, der_id: str) -> bool:
        """Whether nobody knows what was left in it."""
        return der_id in self.left.entries and not isinstance(self.left.entries[der_id], dict)

    def stands(self, der_id: str) -> Standing:
        """What stands in a DER."""
        return self.dispatch.writers[der_id].standing(self.record(der_id))

    async def release(self, *, lift: bool, seconds: float = RELEASE_S) -> dict[str, Release]:
        """Release every DER that derctl wrote; forget those that are released. lift: also those left with a limit, or
        that hold something of which nothing is written down. Says of the others what stands in them, and names those
        that the site file lacks."""
        if self._again is not None:
            await end([self._again])  # somebody waits for this one, which begins it all again
        result = await self._release(None, lift=lift, seconds=seconds)
        return result | self._others(result)

    def _others(self, result: Mapping[str, Release]) -> dict[str, Release]:
        """Of the rest: what stands in them, and what may stand in those of which no record is there."""
        writers = self.dispatch.writers
        before = {name: each for name, each in self.standing().items() if name not in result}
        rest = {name: self.stands(name) for name, writer in writers.items() if name not in result and writer.control}
        gone = {name: not_in_file() for name in self.journal.entries if name not in writers}
        return (
            gone
            | before
            | {name: not_written(each) for name, each in rest.items() if name not in before and told_of(each)}
        )

    async def release_of(self, leaving: Sequence[str]) -> dict[str, Release]:
        """Release these, as far as derctl wrote them: it will not write them any more."""
        wrote = [der_id for der_id in leaving if der_id in self.journal.entries]
        return await self._release(wrote, lift=False, seconds=RELEASE_S) if wrote else {}

    def standing(self) -> dict[str, Release]:
        """What earlier releases left, for the DERs that were not written since."""
        limits = self.left.stands
        names = [name for name in self.dispatch.writers if self.record(name) is Record.LEFT]
        return {name: replace(released_before(limits.get(name)), standing=self.stands(name)) for name in names}

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
                wrote = [*self._left(), *(self._to_lift() if lift else ())]
            result = await self.dispatch.release(wrote, lift=lift, seconds=seconds)
            self._tell(result)
            self.attempts = self.attempts.noted(result, self.clock())
            done = [name for name, each in result.items() if each.result is Released.RELEASED]
            for name in done:
                self._remember(name, result[name])
            if self.journal.forget(name for name in done if not self.dispatch.writers[name].wrote) or done:
                await self.save()
        return {name: replace(each, standing=self.stands(name)) for name, each in result.items()}

    def _to_lift(self) -> list[str]:
        """Besides what was written: what a release left, what reads back something beside the fallback, and where
        there is no record, what does not tell."""
        found = []
        for name, writer in self.dispatch.writers.items():
            each, ceiling_w = self.stands(name), writer.promise.p_ceiling_w
            if each.record is Record.WRITTEN or not (writer.control or each.record is Record.LEFT):
                continue
            unseen = each.seen is not Seen.READ_BACK
            left = each.record is Record.LEFT and released_before(self.left.stands.get(name)).held_below(ceiling_w)
            if each.held_back(ceiling_w) or (unseen and (left or each.record is Record.MISSING)):
                found.append(name)
        return found

    def _given_back(self, der_id: str) -> bool:
        """Whether it is known that nothing of derctl's stands in it, but its fallback."""
        writer, each = self.dispatch.writers[der_id], self.stands(der_id)
        known = each.seen in {Seen.READ_BACK, Seen.AS_WRITTEN}
        return not writer.control or (known and not each.held_back(writer.promise.p_ceiling_w))

    def _remember(self, der_id: str, release: Release) -> None:
        """What was left in it, its fallback too: it stands until somebody takes it off."""
        writer = self.dispatch.writers[der_id]
        each = writer.standing(Record.LEFT)
        if each.anything or each.seen is Seen.NOT_KNOWN:
            self.left.keep(der_id, stands_w=release.stands_w)
            self.left.doubt(der_id, writer.said_w)
        else:
            self.left.forget([der_id])

    def _tell(self, result: Mapping[str, Release]) -> None:
        for der_id, release in self.attempts.news(result).items():
            given_back = release.result is Released.RELEASED
            self.on_event("released" if given_back else "not_released", der_id, str(release))


def _gone(standing: Standing | None) -> bool:
    """Whether it reads back that nothing stands in it."""
    return standing is not None and standing.seen is Seen.READ_BACK and not standing.anything
