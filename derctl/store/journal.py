"""What derctl wrote to which DER and has not released, on disk before the write, so that a kill can't lose it; and
which limits its releases left standing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from derctl.core.text import error_text
from derctl.store.folder import Folder
from derctl.store.sealed import first_good

FILE = "written.json"
LEFT = "standing.json"
CONTRADICTED = "contradicted_w"


class Entry(msgspec.Struct, kw_only=True, frozen=True):
    """What of an entry has to be of a kind, for whoever reads it."""

    since: str | None = None
    fallback: dict[str, Any] = {}
    stands_w: float | None = None
    contradicted_w: float | None = None


class Book:
    """Entries by DER id. Saved when asked; what could not be is saved later.

    missing: there was no file, so that nobody knows what stood in it; until something of it is saved.
    """

    file: ClassVar[str]

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.entries: dict[str, Any] = {}
        self._saved = self.entries
        self._told = False
        self.missing = False

    @staticmethod
    def parse(content: bytes, checked: bool) -> dict[str, Any]:
        """An older version's has no checksum."""
        entries = msgspec.json.decode(content, type=dict[str, dict[str, Any]])
        msgspec.convert(entries, dict[str, Entry])
        return dict(entries)

    @property
    def unsaved(self) -> bool:
        """Whether something of it is not on disk, as far as is known.

        Each change makes new entries: equal ones may be older than a save that is still under way.
        """
        return self.entries is not self._saved

    def load(self) -> str | None:
        """What was wrong with the file, where its copy counts; that goes to disk again. Raises OSError, or ValueError
        where both are none of ours. A missing file is missing, whatever its copy says: somebody took it away."""
        self.missing = self.folder.lacks(self.file)
        found, problem = (None, None) if self.missing else first_good(self.folder.read, self.file, self.parse)
        self.entries = found or {}
        self._saved = self.entries if problem is None else {}
        return problem

    def begin(self) -> None:
        """There was no file, and it is known now that nothing is to be given back: the next save makes one."""
        self.entries = dict(self.entries)

    def doubt(self, der_id: str, said_w: float | None) -> None:
        """What it reads back is contradicted by its power: whoever releases it after a restart has to know. None: no
        more."""
        entry = self.entries.get(der_id)
        if not isinstance(entry, dict) or (CONTRADICTED in entry) is (said_w is not None):
            return
        known = {name: value for name, value in entry.items() if name != CONTRADICTED}
        self.entries = {**self.entries, der_id: known if said_w is None else known | {CONTRADICTED: said_w}}

    @property
    def contradicted(self) -> dict[str, float]:
        """W that a DER read back when its power contradicted that."""
        told = {name: entry.get(CONTRADICTED) for name, entry in self.entries.items() if isinstance(entry, dict)}
        return {name: float(said_w) for name, said_w in told.items() if isinstance(said_w, int | float)}

    def forget(self, released: Iterable[str]) -> bool:
        """They are given back. Returns whether one of them was there."""
        gone = set(released) & self.entries.keys()
        if gone:
            self.entries = {name: entry for name, entry in self.entries.items() if name not in gone}
        return bool(gone)

    async def save(self) -> str | None:
        """To disk, if it isn't there. Returns what kept it from it, once; what is not on disk is tried again."""
        if not self.unsaved:
            return None
        entries = self.entries
        try:
            await self.folder.replace(self.file, msgspec.json.encode(entries))
        except OSError as error:
            told, self._told = self._told, True
            return None if told else error_text(error)
        self._saved, self._told, self.missing = entries, False, False
        return None


class Journal(Book):
    """What was written to which DER: since when, and its declared fallback then."""

    file = FILE

    def note(self, der_id: str, *, since: str, fallback: Mapping[str, Any]) -> None:
        """It is about to be written."""
        if der_id not in self.entries:
            self.entries = {**self.entries, der_id: {"since": since, "fallback": dict(fallback)}}

    def presume(self, fallbacks: Mapping[str, Mapping[str, Any]]) -> None:
        """The file can't be read: whatever may be written counts as written."""
        self.entries = {name: {"since": None, "fallback": dict(each)} for name, each in fallbacks.items()}


class Left(Book):
    """Which limits the releases left standing. None: it is not known."""

    file = LEFT

    @staticmethod
    def parse(content: bytes, checked: bool) -> dict[str, Any]:
        """What was left may be unknown: null."""
        entries = msgspec.json.decode(content, type=dict[str, dict[str, Any] | None])
        msgspec.convert(entries, dict[str, Entry | None])
        return dict(entries)

    def unknown(self, der_ids: Iterable[str]) -> None:
        """Nobody knows what was left in these: the file is missing, or can't be read."""
        found = dict.fromkeys(der_ids)
        if found:
            self.entries = {**self.entries, **found}

    def keep(self, der_id: str, *, stands_w: float | None) -> None:
        """It was released, and this limit was left in it; None: something else, such as rest."""
        self.entries = {**self.entries, der_id: {"stands_w": stands_w}}

    @property
    def stands(self) -> dict[str, float]:
        """W of the limits that were left, where an entry tells one."""
        told = {name: entry.get("stands_w") for name, entry in self.entries.items() if isinstance(entry, dict)}
        return {name: float(limit_w) for name, limit_w in told.items() if isinstance(limit_w, int | float)}
