"""The audit log on disk: who asked for what, and what became of it. Appended only, each record hangs on the last.

Lines of `HASH TEXT`. A kill leaves at most one torn line at the end: it is set aside. Old files go, the chain stays.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.text import error_text
from derctl.store.chain import Broken, Head, Line, checked, head_of, line_of, linked
from derctl.store.folder import leave_room, open_own
from derctl.store.seal import Seal, Signed, keys_of
from derctl.store.seal import checked as seal_checked

NAME = re.compile(r"^audit-(\d{9})\.log$")
"""audit-N.log begins with record N."""
FILE_BYTES_MAX = 1_048_576
"""A file that is as large gets no more."""
FILES_MAX = 8
"""The oldest goes when there are more."""
SIGNATURE = "signature"
"""What a record of one is called."""
TORN = "audit.torn"
"""Where what a kill left of a line is kept."""
LINE_MAX = 65_536
"""Bytes of a line that is read."""

Plain = Mapping[str, Any]


@dataclass(slots=True)
class AuditFile:
    """The end of the log, for its one writer. problems: what was found wrong with it, for people. written: bytes."""

    folder: Path
    head: Head = field(default_factory=Head)
    problems: list[str] = field(default_factory=list)
    written: int = 0
    _file: int | None = None
    _size: int = 0
    _unsynced: bool = False

    def open(self) -> None:
        """Find the end, and set aside what is torn there. Raises OSError."""
        names = files(self.folder)
        if not names:
            return self._begin()
        path = self.folder / names[-1]
        whole, torn = _split(path.read_bytes())
        if _is_record(torn[:-1]):
            self._end_line(path, len(whole) + len(torn) - 1)
            whole += torn
        elif torn:
            self._set_aside(path, len(whole), torn)
        try:
            self.head = last_of(self.folder)
        except Broken as error:
            return self._anew(names[-1], error_text(error))
        self._file = open_own(path, os.O_WRONLY | os.O_APPEND)
        self._size = len(whole)
        return None

    def _begin(self) -> None:
        name = f"audit-{self.head.n + 1:09d}.log"
        self._file = open_own(self.folder / name, os.O_WRONLY | os.O_APPEND)
        self._size = os.fstat(self._file).st_size
        _sync_folder(self.folder)

    def _set_aside(self, path: Path, whole: int, torn: bytes) -> None:
        aside = open_own(self.folder / TORN, os.O_WRONLY | os.O_TRUNC)
        try:
            _write(aside, torn[:LINE_MAX])
        finally:
            os.close(aside)
        os.truncate(path, whole)
        self.problems.append(f"{path.name}: its last record was torn ({len(torn)} bytes); kept as {TORN}")

    def _end_line(self, path: Path, at: int) -> None:
        """No kill leaves another byte there."""
        file = open_own(path, os.O_WRONLY)
        try:
            os.pwrite(file, b"\n", at)
        finally:
            os.close(file)
        self.problems.append(f"{path.name}: the end of its last line was changed, and is mended")

    def _anew(self, name: str, why: str) -> None:
        """The end can't be used: it stays as it is, for whoever asks, and another file begins behind it."""
        lines = (self.folder / name).read_bytes().count(b"\n")
        self.head = Head(n=_first(name) + lines - 1)
        self.problems.append(f"{name}: {why}; a new chain begins behind it")
        self._begin()

    def append(self, plains: Sequence[Plain]) -> None:
        """Into the kernel's hands, so that no kill of ours loses them. Raises OSError: then none is there."""
        leave_room(self.folder)
        if self._file is None:
            self.open()
        assert self._file is not None
        head, lines = self.head, []
        for plain in plains:
            line = linked(head, plain)
            head = head_of(line)
            lines.append(f"{line.hash} {line.text}\n")
        content = "".join(lines).encode()
        try:
            _write(self._file, content)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self.head, self._unsynced = head, True
        self._size += len(content)
        self.written += len(content)
        if self._size >= FILE_BYTES_MAX:
            self._rotate()

    def _rotate(self) -> None:
        self.sync()
        self.close()
        self._begin()
        for name in files(self.folder)[:-FILES_MAX]:
            (self.folder / name).unlink(missing_ok=True)

    def sync(self) -> None:
        """On the card. Raises OSError."""
        if self._file is not None and self._unsynced:
            os.fdatasync(self._file)
            self._unsynced = False

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def files(folder: Path) -> list[str]:
    """Names, oldest first. Raises OSError."""
    return sorted(name for name in os.listdir(folder) if NAME.match(name))  # noqa: PTH208


def was_signed(folder: Path) -> bool:
    """Whether somebody has signed it, be it in a record that was changed since. Raises OSError."""
    mark = f'"what":"{SIGNATURE}"'.encode()
    return any(mark in (folder / name).read_bytes() for name in files(folder))


def bytes_of(folder: Path) -> int:
    """Of all files together. Raises OSError."""
    return sum((folder / name).stat().st_size for name in files(folder))


def _first(name: str) -> int:
    """The number of its first record."""
    return int(name.removeprefix("audit-").removesuffix(".log"))


def last_of(folder: Path) -> Head:
    """The last record, of the newest file that has one. Raises Broken, OSError."""
    for name in reversed(files(folder)):
        lines = _split((folder / name).read_bytes())[0].splitlines()
        if lines:
            return head_of(_parsed(lines[-1], name, _first(name) + len(lines) - 1))
    return Head()


def records(folder: Path) -> Iterator[Line]:
    """All, oldest first, without one at the very end that a kill has torn. Raises Broken, OSError."""
    names = files(folder)
    for name in names:
        whole, torn = _split((folder / name).read_bytes())
        lines, n = whole.splitlines(), _first(name)
        for at, raw in enumerate(lines):
            line = _parsed(raw, name, n + at)
            if at == 0 and name == names[0] and line.n != n:
                raise Broken(n, f"{_missing(n, line.n)} before record {line.n} ({name})")
            yield line
        if torn and (name != names[-1] or _is_record(torn[:-1])):
            raise Broken(n + len(lines), f"the end of its line was changed ({name})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """count: records that are there. first: what the oldest hangs on. torn: bytes of a record that a kill cut off.
    signed: the last signature, and up to which record; None: there is none."""

    count: int
    first: Head
    last: Head
    torn: int
    signed: Signed | None = None


def verified(folder: Path, root: str | None = None, noted: Sequence[Head] = ()) -> Verdict:
    """The whole log. root: a key that somebody had from the site before: it has to vouch for each signature, and one
    has to be there. noted: records that somebody has kept the hash of; of what was rotated out nothing is compared.
    Raises Broken (with the place), OSError."""
    hashes, signed = dict[int, str](), list[Signed]()

    def seen() -> Iterator[Line]:
        for line in records(folder):
            hashes[line.n] = line.hash
            for each in noted:
                compared(line, each)
            if line.plain.get("what") == SIGNATURE:
                signed.append(_signed(line, hashes, root))
            yield line

    count, first, last = checked(seen())
    for each in noted:
        reached(last, each)
    if root is not None and not signed:
        raise Broken(last.n, "nobody signed it")
    names = files(folder)
    torn = len(_split((folder / names[-1]).read_bytes())[1]) if names else 0
    return Verdict(count=count, first=first, last=last, torn=torn, signed=signed[-1] if signed else None)


def _missing(n: int, found: int) -> str:
    return f"records {n} to {found - 1} are missing" if found > n + 1 else f"record {n} is missing"


def compared(line: Line, noted: Head) -> None:
    """Raises Broken where it is not the record that was noted there."""
    if line.n == noted.n and line.hash != noted.hash:
        raise Broken(noted.n, "it is another one than was noted")


def reached(last: Head, noted: Head) -> None:
    """Raises Broken where the log ends before the record that was noted."""
    if noted.n > last.n:
        raise Broken(noted.n, f"it was noted, and the log ends with record {last.n}")


def _signed(line: Line, hashes: Mapping[int, str], root: str | None) -> Signed:
    """What a record of a signature says, if that is so. Raises Broken."""
    plain = line.plain
    try:
        found = seal_checked(Seal(token=str(plain["signature"]), keys=keys_of(plain["keys"])), root)
    except (ValueError, TypeError, LookupError) as error:
        raise Broken(line.n, str(error)) from error
    if found.what != "audit" or hashes.get(found.head.n, found.head.hash) != found.head.hash:
        raise Broken(line.n, f"record {found.head.n} was another one when it was signed")
    return found


def _parsed(raw: bytes, name: str, n: int) -> Line:
    """n: which record stands in this place. Raises Broken."""
    try:
        said, _, text = raw.decode().partition(" ")
        return line_of(text, said)
    except Broken as error:
        raise Broken(n, f"{str(error).partition(': ')[2]} ({name})") from error
    except (ValueError, RecursionError) as error:
        raise Broken(n, f"{name}: a line that is no record: {raw[:60]!r}") from error


def _is_record(raw: bytes) -> bool:
    """Whether it is a whole one."""
    with suppress(Broken):
        return bool(raw) and bool(_parsed(raw, "", 0))
    return False


def _split(content: bytes) -> tuple[bytes, bytes]:
    """What ends in a line's end, and what is behind it."""
    end = content.rfind(b"\n") + 1
    return content[:end], content[end:]


def _write(file: int, content: bytes) -> None:
    """All of it: a disk that fills up writes less, without an error."""
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
