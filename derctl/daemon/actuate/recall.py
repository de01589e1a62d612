"""What the books on disk tell after a restart; one that can't be read is said, and tells the worst."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict

from derctl.core.dataclass import dataclass
from derctl.core.types import Fallback
from derctl.store.journal import Book, Journal, Left


@dataclass(frozen=True, slots=True)
class Recall:
    """tell: what News takes. touch: False where only somebody looks."""

    written: Journal
    left: Left
    tell: Callable[[str, str, str], None]
    touch: bool

    def all_of(self, ours: Mapping[str, Fallback]) -> None:
        """A journal that can't be read counts as if it named all of ours, the DERs that derctl may write. Raises
        OSError where only somebody looks."""
        try:
            self._copied(self.written.load(), self.written)
        except (OSError, ValueError) as error:
            if not self.touch and isinstance(error, OSError):
                raise
            self.written.presume({name: asdict(each) for name, each in ours.items()})
            self._unreadable(self.written, error)
        self._left(ours)

    def _left(self, ours: Collection[str]) -> None:
        """What releases left. Where that can't be read, or there is no journal, it is not known of any other DER; so
        it stays for each until it is written again, or is known to hold nothing."""
        known = not self.written.missing
        try:
            self._copied(self.left.load(), self.left)
        except (OSError, ValueError) as error:
            known = False
            self._unreadable(self.left, error)
        if not known:
            named = self.written.entries.keys() | self.left.entries.keys()
            self.left.unknown(name for name in ours if name not in named)

    def _copied(self, problem: str | None, book: Book) -> None:
        if problem is not None:
            self.tell("journal_copy_used", "", f"{book.file}: {problem}")

    def _unreadable(self, book: Book, error: OSError | ValueError) -> None:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        aside = book.folder.set_aside(book.file) if self.touch else ""
        self.tell("journal_unreadable", "", f"{book.file}: {why}{aside}")
