"""What must survive a restart: versioned, replaced in one piece, written off the loop's path."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import msgspec

from derctl.errors import DerctlError

VERSION = 1


class AlreadyRunning(DerctlError):
    """Another instance holds this site."""


class SavedRequest(msgspec.Struct, kw_only=True):
    """A request that is alive. ends: wall time, s since 1970, None where the clock was not set when it was saved.

    left_s: what was left when it was saved.
    """

    id: str
    kind: str
    der: str | None
    value_w: float
    ends: float | None
    left_s: float


class SavedDroop(msgspec.Struct, kw_only=True):
    """A droop event in progress, in per unit of the rating."""

    p_pre: float
    side: int
    y: float


class Surviving(msgspec.Struct, kw_only=True):
    """armed: an operator's word, None: the site file's. droop: by memory key.

    seen: ids of commands already answered, with expiry.
    proven_meter: serial and sign of the meter that was seen to follow the inverters.
    """

    version: int = VERSION
    saved: float = 0.0
    armed: bool | None = None
    requests: list[SavedRequest] = []
    droop: dict[str, SavedDroop] = {}
    seen: dict[str, float] = {}
    proven_meter: str | None = None


class StateDir:
    """One site's directory. Holding it is the single-instance lock, which lies in `spare` if that can't be used."""

    def __init__(self, path: Path, spare: Path) -> None:
        self.path = path
        self.spare = spare
        self.problem: str | None = None
        self._lock: TextIO | None = None
        self._saving = asyncio.Lock()

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

    def load(self) -> tuple[Surviving, str | None]:
        """What was saved, and what was wrong with it (then nothing of it is used, and the file is kept aside)."""
        file = self.path / "state.json"
        try:
            state = msgspec.json.decode(file.read_bytes(), type=Surviving)
        except FileNotFoundError:
            return Surviving(), None
        except (msgspec.DecodeError, OSError) as error:
            return Surviving(), self._set_aside(file, str(error))
        if state.version != VERSION:
            return Surviving(), self._set_aside(file, f"version {state.version} is not {VERSION}")
        return state, None

    @staticmethod
    def _set_aside(file: Path, problem: str) -> str:
        with suppress(OSError):
            file.replace(file.with_name("state.json.unreadable"))
        return f"{file}: {problem}; kept as state.json.unreadable"

    async def save(self, state: Surviving) -> None:
        """Raises OSError (a full or read-only disk)."""
        async with self._saving:
            await asyncio.to_thread(replace_file, self.path / "state.json", msgspec.json.encode(state))

    def journal(self) -> dict[str, Any]:
        """What derctl wrote and hasn't released: DER id to where it is. Raises msgspec.DecodeError, OSError."""
        try:
            found: dict[str, Any] = msgspec.json.decode((self.path / "written.json").read_bytes(), type=dict)
        except FileNotFoundError:
            return {}
        return found

    async def set_journal(self, entries: dict[str, Any]) -> None:
        """Raises OSError."""
        async with self._saving:
            await asyncio.to_thread(replace_file, self.path / "written.json", msgspec.json.encode(entries))


def _lock_in(folder: Path) -> TextIO:
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / "derctl.lock").open("a+", encoding="ascii")


def replace_file(path: Path, data: bytes) -> None:
    """Old or new, never mixed: write beside, fsync, rename, fsync the directory. Raises OSError."""
    beside = path.with_suffix(".new")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as file:
            file.write(data)  # all of it: os.write would be short, without an error, where the disk fills up
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
