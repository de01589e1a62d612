"""The intervals on disk: a table in SQLite, each record chained to the one before, and how far the broker has them.

Write-ahead log, synced at each commit: a kill or a power cut leaves the last commit, whole. For one thread.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derctl.core.dataclass import dataclass
from derctl.store import rows
from derctl.store.chain import Broken, Head, Line, head_of, linked
from derctl.store.folder import leave_room, open_own, scarce
from derctl.store.interval import seconds_of
from derctl.store.signer import Signer
from derctl.store.wal import PAGE, lost

if TYPE_CHECKING:
    import sqlite3

FILE, SIDES = rows.FILE, rows.SIDES
VERSION = 1
ROOM_PU = 0.05
"""Share of the records that goes at once where there is no room for another one."""
ROOM_LEAST = 8
CACHE_KB = 256
LOG_MAX = 8_388_608
"""Bytes of the write-ahead log that are looked at before it is used: it is given back at 64 pages."""

TABLES = f"""
CREATE TABLE IF NOT EXISTS interval (n INTEGER PRIMARY KEY, text TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, n INTEGER NOT NULL, hash TEXT NOT NULL);
PRAGMA user_version = {VERSION};
"""


@dataclass(slots=True)
class RecordFile:
    """most_bytes, keep_s: bounds, of size and age. chain: the file's own name: another file has another.

    sent, kept_sent: the last that the broker has, and what is on disk of that. problems: for people. dropped: records
    that went, since the start; full: the last ones for want of room. extent: as of the last commit. signed: the head,
    None: it is not.
    """

    folder: Path
    most_bytes: int
    keep_s: float
    chain: str = ""
    head: Head = field(default_factory=Head)
    first: Head = field(default_factory=Head)
    sent: int = 0
    kept_sent: int = 0
    problems: list[str] = field(default_factory=list)
    dropped: int = 0
    full: bool = False
    extent: rows.Extent = rows.EMPTY
    signer: Signer | None = None
    signed: str | None = None
    _db: sqlite3.Connection | None = None

    def open(self) -> Mapping[str, Any] | None:
        """The last record, None: there is none. What can't be used is set aside. Raises OSError."""
        import sqlite3

        try:
            return self._opened()
        except (sqlite3.DatabaseError, ValueError) as error:
            if isinstance(error, sqlite3.DatabaseError) and not rows.unusable(error):
                raise rows.not_kept(error) from error
            self._set_aside(str(error))
        try:
            return self._opened()
        except sqlite3.Error as error:
            raise rows.not_kept(error) from error

    def _opened(self) -> Mapping[str, Any] | None:
        import sqlite3

        self.close()
        os.close(open_own(self.folder / FILE, os.O_RDWR))
        _check_log(self.folder / f"{FILE}-wal")
        self._db = db = sqlite3.connect(self.folder / FILE, isolation_level=None, check_same_thread=False)
        db.text_factory = rows.text
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"cache_size=-{CACHE_KB}", "wal_autocheckpoint=64"):
            db.execute(f"PRAGMA {pragma}")
        [verdict] = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise ValueError(verdict)
        [version] = db.execute("PRAGMA user_version").fetchone()
        if version not in {0, VERSION}:
            raise ValueError(f"version {version} is not known here; {VERSION} is the newest")
        if version == 0:
            db.executescript(TABLES)
        return self._found(db)

    def _found(self, db: sqlite3.Connection) -> Mapping[str, Any] | None:
        """Raises ValueError where the last record is not as it was written."""
        marks = rows.marks(db)
        if "chain" not in marks:
            marks["chain"] = (0, secrets.token_hex(4))
            db.execute("INSERT INTO mark VALUES ('chain', 0, ?)", (marks["chain"][1],))
        self.chain, self.first = marks["chain"][1], rows.first(db, marks)
        n, text = marks.get("sent", (0, ""))
        if text and text != rows.hash_at(db, n, self.first):
            self.problems.append(f"{FILE}: how far the broker is can't be read; it gets all of them again")
            n = self.first.n
        self.sent = self.kept_sent = n
        self.extent = rows.extent_of(self.folder, db)
        seal = rows.seal_of(marks)
        if self.signer is not None and self.signer.known is None and seal is not None and seal.keys:
            self.signer.known = seal.keys[-1].x
        last = db.execute("SELECT n, text, hash FROM interval ORDER BY n DESC LIMIT 1").fetchone()
        if last is None:
            self.head = self.first
            return None
        line = rows.record_of(*last)
        plain, self.head = line.plain, head_of(line)
        self.signed = marks["signed"][1] if marks.get("signed", (0, ""))[0] == line.n else None
        if plain.get("chain") != self.chain:
            raise ValueError(f"record {line.n} is of chain {plain.get('chain')}, the file of {self.chain}")
        return plain

    def _set_aside(self, why: str) -> None:
        """Nothing of it is lost, and nothing of it is used."""
        self.close()
        for side in SIDES:
            with suppress(FileNotFoundError):
                (self.folder / f"{FILE}{side}").replace(self.folder / f"{FILE}.unreadable{side}")
        self.problems.append(f"{FILE}: {why}; kept as {FILE}.unreadable, and a new chain begins")

    def append(self, plains: Sequence[Mapping[str, Any]]) -> None:
        """All or none, in one commit. Raises OSError."""
        import sqlite3

        try:
            self._append(plains, _oldest(self.head.n - self.first.n) if scarce(self.folder) else 0)
        except sqlite3.Error as error:
            if isinstance(error, sqlite3.DatabaseError) and rows.unusable(error):
                self._set_aside(str(error))
                self.open()
                return self.append(plains)
            if not rows.full(error) or not self.head.n - self.first.n:
                raise rows.not_kept(error) from error
            try:
                self._append(plains, _oldest(self.head.n - self.first.n))
            except sqlite3.Error as again:
                raise rows.not_kept(again) from again
        return None

    def _append(self, plains: Sequence[Mapping[str, Any]], room: int = 0) -> None:
        """room: so many of the oldest go, and the log is given back. Raises OSError where none can go for it."""
        if room and not self.head.n - self.first.n:
            leave_room(self.folder)
        db = self._open_db()
        head, lines = self.head, []
        for plain in plains:
            line = linked(head, {**plain, "chain": self.chain})
            head = head_of(line)
            lines.append(line)
        upto = self._too_old(db, lines, room)
        token, keys = _signed(self.signer, self.chain, head)
        db.execute("BEGIN IMMEDIATE")
        try:
            first = self._dropped(db, upto)
            db.executemany(
                "INSERT INTO interval VALUES (?, ?, ?)", [(each.n, each.text, each.hash) for each in lines]
            )
            rows.mark(db, "sent", self.sent, rows.hash_at(db, self.sent, first))
            if token is not None:
                rows.mark(db, "signed", head.n, token)
                rows.mark(db, "keys", 0, keys)
            if self.signer is not None and self.signer.audit.n:
                rows.mark(db, "audit", self.signer.audit.n, rows.noted(self.signer.audit))
            db.execute("COMMIT")
        except BaseException:
            with suppress(Exception):
                db.execute("ROLLBACK")
            raise
        if room:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.dropped += first.n - self.first.n
        self.full, self.kept_sent = bool(room), self.sent
        self.head, self.first, self.signed = head, first, token
        self.extent = rows.extent_of(self.folder, db)

    def _too_old(self, db: sqlite3.Connection, lines: Sequence[Line], room: int) -> int:
        """The last record that has to go."""
        upto = self.first.n + room
        [pages] = db.execute("PRAGMA page_count").fetchone()
        [free] = db.execute("PRAGMA freelist_count").fetchone()
        if (pages - free) * PAGE > self.most_bytes:
            upto = max(upto, self.first.n + _oldest(self.head.n - self.first.n))
        newest = seconds_of(str(lines[-1].plain["to"]))
        for n, text in db.execute("SELECT n, text FROM interval ORDER BY n LIMIT 64"):
            ended = rows.ended_s(text)
            if ended is not None and newest - ended <= self.keep_s:
                break
            upto = upto if ended is None else max(upto, n)
        return min(upto, self.head.n)

    def _dropped(self, db: sqlite3.Connection, upto: int) -> Head:
        """What the oldest that is left hangs on."""
        if upto <= self.first.n:
            return self.first
        [text] = db.execute("SELECT hash FROM interval WHERE n = ?", (upto,)).fetchone()
        db.execute("DELETE FROM interval WHERE n <= ?", (upto,))
        rows.mark(db, "first", upto, text)
        return Head(n=upto, hash=text)

    def _open_db(self) -> sqlite3.Connection:
        if self._db is None:
            self.open()
        assert self._db is not None
        return self._db

    def after(self, n: int, count: int) -> list[Line]:
        """The next records behind that one, without those that were changed. Raises OSError."""
        import sqlite3

        found: list[Line] = []
        try:
            while not found:
                came = (
                    self._open_db()
                    .execute("SELECT n, text, hash FROM interval WHERE n > ? ORDER BY n LIMIT ?", (n, count))
                    .fetchall()
                )
                if not came:
                    break
                n = came[-1][0]
                for each in came:
                    with suppress(Broken):
                        found.append(rows.record_of(*each))
        except sqlite3.Error as error:
            if isinstance(error, sqlite3.DatabaseError) and rows.unusable(error):
                self._set_aside(str(error))
                self.open()
                return []
            raise rows.not_kept(error) from error
        return found

    def keep_sent(self) -> None:
        """How far the broker has them, in a commit of its own. Raises OSError."""
        import sqlite3

        try:
            db = self._open_db()
            rows.mark(db, "sent", self.sent, rows.hash_at(db, self.sent, self.first))
            self.kept_sent = self.sent
        except sqlite3.Error as error:
            raise rows.not_kept(error) from error

    def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(Exception):
                db.close()


def _signed(signer: Signer | None, chain: str, head: Head) -> tuple[str | None, str]:
    """And the keys, for whoever looks at the file."""
    if signer is None:
        return None, ""
    token = signer.head("ledger", chain, head)
    return token, json.dumps([each.plain for each in signer.keys])


def _check_log(path: Path) -> None:
    """Raises ValueError where commits would be lost without a word."""
    with suppress(FileNotFoundError), path.open("rb") as log:
        count = lost(log.read(LOG_MAX))
        if count:
            raise ValueError(f"its write-ahead log was changed: {count} commits can't be read")


def _oldest(count: int) -> int:
    """How many of so many records go at once."""
    return max(ROOM_LEAST, int(ROOM_PU * count))
