"""What is written down of each DER: what derctl wrote to it and has not given back, and what releases left in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field

from derctl.core.types import Fallback
from derctl.core.words import Record
from derctl.store.journal import LEFT, Journal

GONE_S = 20.0
"""For how long a device reads back that nothing stands in it before that is believed of what a release left."""


@dataclass(slots=True)
class Records:
    """written: from before the first write until the release. left: limits that a release left standing.

    stamp: the wall time as text, for a reader of the journal. tell: what News takes.
    """

    written: Journal
    stamp: Callable[[], str]
    tell: Callable[[str, str, str], None]
    left: Journal = field(init=False)
    _empty_s: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.left = Journal(self.written.folder, LEFT)

    def load(self, ours: Mapping[str, Fallback], *, touch: bool) -> None:
        """What was there before the restart. A journal that can't be read is said, and counts as if it named all.

        ours: the DERs that derctl may write. touch: False where only somebody looks; it raises OSError then.
        """
        try:
            self._copied(self.written.load(), self.written)
        except (OSError, ValueError) as error:
            if not touch and isinstance(error, OSError):
                raise
            self.written.presume({name: asdict(each) for name, each in ours.items()})
            self._unreadable(self.written, error, touch=touch)
        self._load_left(ours, touch=touch)

    def _load_left(self, ours: Collection[str], *, touch: bool) -> None:
        """What releases left. Where that can't be read, or there is no journal, it is not known of any other DER; so
        it stays for each until it is written again, or is known to hold nothing."""
        known = not self.written.missing
        try:
            self._copied(self.left.load(), self.left)
        except (OSError, ValueError) as error:
            known = False
            self._unreadable(self.left, error, touch=touch)
        if not known:
            named = self.written.entries.keys() | self.left.entries.keys()
            self.left.unknown(name for name in ours if name not in named)

    def _copied(self, problem: str | None, journal: Journal) -> None:
        if problem is not None:
            self.tell("journal_copy_used", "", f"{journal.file}: {problem}")

    def _unreadable(self, journal: Journal, error: OSError | ValueError, *, touch: bool) -> None:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        aside = f"; kept as {journal.folder.set_aside(journal.file)}" if touch else ""
        self.tell("journal_unreadable", "", f"{journal.file}: {why}{aside}")

    def of(self, der_id: str) -> Record:
        """What is written down of a DER."""
        if der_id in self.written.entries:
            return Record.WRITTEN
        if self.unknown(der_id):
            return Record.MISSING
        if der_id in self.left.entries:
            return Record.LEFT
        return Record.MISSING if self.written.missing else Record.NOTHING

    def unknown(self, der_id: str) -> bool:
        """Whether nobody knows what was left in it."""
        return der_id in self.left.entries and not isinstance(self.left.entries[der_id], dict)

    @property
    def contradicted(self) -> Mapping[str, float]:
        """W that a DER read back when its power contradicted that."""
        return self.left.contradicted | self.written.contradicted

    @property
    def unsaved(self) -> bool:
        """Whether something of it is not on disk."""
        return self.written.unsaved or self.left.unsaved

    def note(self, der_id: str, fallback: Fallback) -> None:
        """It is about to be written."""
        if der_id not in self.written.entries:
            self.left.forget([der_id])
            self.written.note(der_id, since=self.stamp(), fallback=asdict(fallback))

    def leave(self, der_id: str, stands_w: float | None, said_w: float | None) -> None:
        """A release left this limit in it; None: something else. said_w: what its power contradicts."""
        self.left.keep(der_id, stands_w=stands_w)
        self.left.doubt(der_id, said_w)

    def empty(self, der_ids: Collection[str], now_s: float) -> None:
        """These read back that nothing stands in them any more: believed after a while, since a poll may have begun
        before a release."""
        self._empty_s = {name: self._empty_s.get(name, now_s) for name in der_ids}
        self.left.forget(name for name, since_s in self._empty_s.items() if now_s - since_s > GONE_S)

    async def save(self) -> None:
        """What isn't on disk yet: a full disk keeps nobody from control, and is said once."""
        for journal in (self.written, self.left):
            problem = await journal.save()
            if problem is not None:
                self.tell("journal_not_saved", "", problem)
