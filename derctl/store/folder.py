"""One site's directory: one instance holds it, and its files are old or new, never mixed."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from derctl.errors import DerctlError


class AlreadyRunning(DerctlError):
    """Another instance holds this site."""


class Folder:
    """One site's directory. Holding it is the single-instance lock, which lies in `spare` if that can't be used."""

    def __init__(self, path: Path, spare: Path) -> None:
        self.path = path
        self.spare = spare
        self.problem: str | None = None
        self._lock: TextIO | None = None
        self._writing = asyncio.Lock()

    def hold(self) -> None:
        """Take the lock. A directory that can't be written (a read-only card, a full disk) is no reason not to
        control: then the lock lies in `spare`, and `problem` says so. Raises AlreadyRunning, or OSError."""
        try:
            lock = _lock_in(self.path)
        except OSError as error:
            self.problem = f"{self.path}: {error.strerror}: nothing will survive a restart"
            lock = _lock_in(self.spare)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise AlreadyRunning(f"{self.path} is held by another instance") from None
        self._lock = lock

    def let_go(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def read(self, name: str) -> bytes | None:
        """A file, None where it isn't there. Raises OSError."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    async def replace(self, name: str, content: bytes) -> None:
        """A file in one piece, one at a time, off the loop's path. Raises OSError (a full or read-only disk)."""
        async with self._writing:
            await asyncio.to_thread(replace_file, self.path / name, content)

    def set_aside(self, name: str) -> str:
        """Keep a file that can't be used under another name, so that it isn't overwritten. Returns that name."""
        aside = f"{name}.unreadable"
        with suppress(OSError):
            (self.path / name).replace(self.path / aside)
        return aside


def _lock_in(folder: Path) -> TextIO:
    folder.mkdir(parents=True, exist_ok=True)
    return os.fdopen(_open(folder / "derctl.lock", os.O_RDWR | os.O_APPEND), "a+", encoding="ascii")


def _open(path: Path, flags: int) -> int:
    """A file that belongs to whom its folder does, so that the daemon can use what `sudo derctl release` wrote.

    Through no link: in a folder that is the daemon's, root would write where the link leads.
    """
    file = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o640)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(file, owner.st_uid, owner.st_gid)
    return file


def replace_file(path: Path, content: bytes) -> None:
    """Old or new, never mixed: write beside, fsync, rename, fsync the directory. Raises OSError."""
    beside = path.with_suffix(".new")
    try:
        with os.fdopen(_open(beside, os.O_WRONLY | os.O_TRUNC), "wb") as file:
            file.write(content)  # all of it: os.write would be short, without an error, where the disk fills up
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
