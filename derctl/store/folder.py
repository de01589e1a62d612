"""One site's directory: one instance holds it, and its files are old or new, never mixed."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from derctl.errors import DerctlError
from derctl.store.sealed import copy_of, sealed

ROOM_BYTES = 65_536
"""What is left of a disk that is nearly full belongs to the state: records of what was take none of it."""
READ_MAX = 33_554_432
"""Bytes of a file that is read: what a broken file system calls its size may be more than the memory."""

T = TypeVar("T")


class AlreadyRunning(DerctlError):
    """Another instance holds this site."""


class Folder:
    """One site's directory. Holding it is the single-instance lock: of the directory itself, since a file in it may
    be deleted; in `spare` where there is no directory. writes, bytes: what the card took so far."""

    def __init__(self, path: Path, spare: Path) -> None:
        self.path = path
        self.spare = spare
        self.problem: str | None = None
        self.writes = 0
        self.bytes = 0
        self._locks: list[int] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="disk")

    def hold(self) -> None:
        """Take the lock. A directory that can't be written (a read-only card, a full disk) is no reason not to
        start: `problem` says so. Raises AlreadyRunning, or OSError."""
        locks: list[int] = []
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            locks.append(os.open(self.path, os.O_RDONLY | os.O_DIRECTORY))
            locks.append(open_own(self.path / "derctl.lock", os.O_RDWR | os.O_NONBLOCK))
        except OSError as error:
            lost = (
                "the folder is locked itself; what can't be saved will be said"
                if locks
                else "nothing will survive a restart"
            )
            self.problem = f"{error.filename or self.path}: {error.strerror}: {lost}"
            if not locks:
                locks.append(_lock_in(self.spare))
        try:
            for lock in locks:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _close(locks)
            raise AlreadyRunning(f"{self.path} is held by another instance") from None
        self._locks = locks

    def let_go(self) -> None:
        """Give the lock back."""
        locks, self._locks = self._locks, []
        _close(locks)

    def lacks(self, name: str) -> bool:
        """Whether there is nothing of this name, not even something that can't be read. Raises OSError."""
        try:
            (self.path / name).lstat()
        except FileNotFoundError:
            return True
        return False

    def read(self, name: str) -> bytes | None:
        """A file, None where it isn't there. Raises OSError, or ValueError for what nobody reads to its end: a pipe,
        a device, or more than READ_MAX."""
        try:
            with open(self.path / name, "rb", opener=_open_at_once) as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise ValueError("this is no file")
                if found.st_size > READ_MAX:
                    raise ValueError(f"{found.st_size} bytes, more than {READ_MAX}")
                return file.read()
        except FileNotFoundError:
            return None

    async def replace(self, name: str, content: bytes) -> None:
        """A JSON object in one piece, sealed, with its copy; one at a time, by a thread of its own: a look-up of a
        name that hangs keeps no file from the disk. Raises OSError (a full or read-only disk)."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._replace, name, sealed(content))

    async def on_disk(self, work: Callable[..., T], *args: Any) -> T:
        """Whatever reads or writes here, by the same thread. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def _replace(self, name: str, content: bytes) -> None:
        for each in (copy_of(name), name):
            replace_file(self.path / each, content)
            self.writes += 1
            self.bytes += len(content)

    async def aside(self, work: Callable[[], T]) -> T:
        """Done by that thread, between its writes."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def append(self, name: str, old: str, content: bytes, most_bytes: int) -> None:
        """A sealed line at the end of a file; by the same thread. One of most_bytes becomes `old`, in whose place it
        comes. Raises OSError."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._append, name, old, content, most_bytes)

    def _append(self, name: str, old: str, content: bytes, most_bytes: int) -> None:
        append_line(self.path / name, self.path / old, content, most_bytes)
        self.writes += 1
        self.bytes += len(content)

    def set_aside(self, name: str) -> str:
        """Keep what can't be used of a file under another name. The file itself stays until it is written again: a
        kill before that must not make it a missing one. Returns what to say of it."""
        aside = f"{name}.unreadable"
        try:
            content = self.read(name)
            if content is not None:
                replace_file(self.path / aside, content)
        except (OSError, ValueError):
            return ""
        return "" if content is None else f"; kept as {aside}"


def _open_at_once(path: str, flags: int) -> int:
    """A pipe that nobody writes to would never open."""
    return os.open(path, flags | os.O_NONBLOCK)


def _lock_in(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    return open_own(folder / "derctl.lock", os.O_RDWR | os.O_NONBLOCK)


def _close(locks: list[int]) -> None:
    for lock in locks:
        os.close(lock)


def scarce(folder: Path) -> bool:
    """Whether the disk has no more room than the state needs. Raises OSError."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize < ROOM_BYTES


def leave_room(folder: Path) -> None:
    """Before a record is written. Raises OSError, as a full disk does."""
    if scarce(folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def open_own(path: Path, flags: int, mode: int = 0o640) -> int:
    """A file that belongs to whom its folder does, so that the daemon can use what `sudo derctl release` wrote.

    Through no link: in a folder that is the daemon's, root would write where the link leads.
    """
    file = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, mode)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(file, owner.st_uid, owner.st_gid)
    return file


def replace_file(path: Path, content: bytes, mode: int = 0o640) -> None:
    """Old or new, never mixed: write beside, fsync, rename, fsync the directory. Raises OSError."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)  # what somebody else put there is not written to
    try:
        with os.fdopen(open_own(beside, os.O_WRONLY | os.O_EXCL, mode), "wb") as file:
            file.write(content)  # all of it: os.write would be short, without an error, where the disk fills up
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
    beside.replace(path)
    _keep_names(path.parent)


def append_line(path: Path, old: Path, content: bytes, most_bytes: int) -> None:
    """On disk when it returns. What a kill, or a full disk, left without its end gets one: it harms no other line.
    Raises OSError."""
    leave_room(path.parent)
    with suppress(FileNotFoundError):
        if path.lstat().st_size >= most_bytes:
            path.replace(old)
    with os.fdopen(open_own(path, os.O_RDWR | os.O_APPEND | os.O_NONBLOCK), "ab") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "this is no file", str(path))
        torn = found.st_size > 0 and os.pread(file.fileno(), 1, found.st_size - 1) != b"\n"
        file.write((b"\n" if torn else b"") + content + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if found.st_size == 0:
        _keep_names(path.parent)


def _keep_names(path: Path) -> None:
    """What was made or renamed in a folder is still so after a power cut."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
