"""What is written down of each DER: what derctl wrote to it and has not given back, and what releases left in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, field

from derctl.core.dataclass import dataclass
from derctl.core.types import Fallback
from derctl.core.words import Record
from derctl.daemon.actuate.ledger import Ledger
from derctl.daemon.actuate.recall import Recall
from derctl.store.journal import Journal, Left

GONE_S = 20.0
"""For how long a device reads back that nothing stands in it before that is believed of what a release left."""


@dataclass(slots=True)
class Records:
    """written: from before the first write until the release. left: limits that a release left standing.

    ledger: how often each register was written.
    stamp: the wall time as text, for a reader of the journal. tell: what News takes.
    """

    written: Journal
    stamp: Callable[[], str]
    tell: Callable[[str, str, str], None]
    ledger: Ledger = field(default_factory=Ledger)
    left: Left = field(init=False)
    _empty_s: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.left = Left(self.written.folder)

    def load(self, ours: Mapping[str, Fallback], *, touch: bool) -> None:
        """What was there before the restart. ours: the DERs that derctl may write. touch: False where only somebody
        looks; it raises OSError then."""
        Recall(self.written, self.left, self.tell, touch).all_of(ours)

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
