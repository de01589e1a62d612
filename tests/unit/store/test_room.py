"""On a disk that is nearly full the state has the last of the room: records of what was take none of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from derctl.store.audit import AuditFile
from derctl.store.folder import ROOM_BYTES, append_line, replace_file
from derctl.store.records import RecordFile


@pytest.fixture
def nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimpleNamespace(f_bavail=ROOM_BYTES // 4096 - 1, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda folder: disk)


@pytest.mark.usefixtures("nearly_full")
def test_no_record_takes_the_state_s_room(tmp_path: Path) -> None:
    plain = {"to": "2026-11-28T12:00:00.000Z"}
    writes: tuple[Callable[[], object], ...] = (
        lambda: AuditFile(tmp_path).append([plain]),
        lambda: append_line(tmp_path / "shadow.log", tmp_path / "shadow.old", b"{}", 1000),
        lambda: RecordFile(tmp_path, 1_000_000, 1e9).append([plain]),
    )
    for write in writes:
        with pytest.raises(OSError) as refused:
            write()
        assert refused.value.errno == errno.ENOSPC
    replace_file(tmp_path / "state.json", b"{}")
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
