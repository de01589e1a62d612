"""The file of records for whoever only looks: all as of one moment, beside a daemon that writes it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from derctl.store import rows
from derctl.store.chain import Broken, Head, Line
from derctl.store.seal import Public, Seal

if TYPE_CHECKING:
    import sqlite3


def read_only(folder: Path, since: str | None = None) -> tuple[str, Head, Iterator[Line]]:
    """For whoever only looks: the chain's name, what the oldest record hangs on, the records; since: from the first
    that ends later, whatever is before it. Raises OSError, or Broken where one was changed."""
    _, chain, first, lines = looked_at(folder, since)
    return chain, first, lines


def keys_in(folder: Path) -> tuple[Public, ...]:
    """Those that signed, oldest first. Raises OSError."""
    seal, _, _, lines = looked_at(folder)
    with closing(lines):
        return () if seal is None else seal.keys


def audit_end(folder: Path) -> Head | None:
    """The last record of the audit log that was on the card with the ledger's last commit; None: nobody noted one, or
    it can't be read."""
    with suppress(OSError):
        path = folder / rows.FILE
        with closing(_opened(path)) as db:
            return rows.noted_by(_marks(db))
    return None


def looked_at(folder: Path, since: str | None = None) -> tuple[Seal | None, str, Head, Generator[Line]]:
    """The same with who vouches for it; None: nobody. since: from the first record that ends later, whatever is
    before it. All as of one moment."""
    import sqlite3

    db = _opened(folder / rows.FILE)
    marks = _marks(db)
    first = rows.first_by(marks)

    def lines() -> Generator[Line]:
        try:
            begin = 0 if since is None else _later(db, since)
            for each in db.execute("SELECT n, text, hash FROM interval WHERE n >= ? ORDER BY n", (begin,)):
                yield rows.record_of(*each)
        except sqlite3.Error as error:
            raise rows.not_kept(error) from error
        finally:
            db.close()

    return rows.seal_of(marks), marks["chain"][1] if "chain" in marks else "", first, lines()


def _opened(path: Path) -> sqlite3.Connection:
    """As of this moment. Raises OSError."""
    import sqlite3

    if not path.exists():
        raise FileNotFoundError(2, "there are no records", str(path))
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        db.text_factory = rows.text
        db.execute("BEGIN")
    except sqlite3.Error as error:
        raise rows.not_kept(error) from error
    return db


def _marks(db: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    """Raises OSError."""
    import sqlite3

    try:
        return rows.marks(db)
    except sqlite3.Error as error:
        raise rows.not_kept(error) from error


def _later(db: sqlite3.Connection, since: str) -> int:
    """The first that ends later, by its own word; behind the last where none does."""
    n = 0
    for each in db.execute("SELECT n, text, hash FROM interval ORDER BY n"):
        n = int(each[0])
        with suppress(Broken):
            if str(rows.record_of(*each).plain["to"]) > since:
                return n
    return n + 1
