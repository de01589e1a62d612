"""The audit log: appended only, whole after a kill, bounded, and each change of it is found."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from derctl.store import audit
from derctl.store.audit import TORN, AuditFile, files, records, verified
from derctl.store.chain import Broken


def opened(folder: Path) -> AuditFile:
    file = AuditFile(folder)
    file.open()
    return file


def written(folder: Path, *texts: str) -> None:
    file = opened(folder)
    file.append([{"text": text} for text in texts])
    file.sync()
    file.close()


def texts(folder: Path) -> list[str]:
    return [each.plain["text"] for each in records(folder)]


def test_the_chain_goes_on_over_a_restart(tmp_path: Path) -> None:
    written(tmp_path, "a", "b")
    written(tmp_path, "c")
    found = verified(tmp_path)
    assert (found.count, found.last.n, found.torn, texts(tmp_path)) == (3, 3, 0, ["a", "b", "c"])


def test_an_empty_log_is_whole(tmp_path: Path) -> None:
    assert verified(tmp_path).count == 0
    opened(tmp_path).close()
    assert (files(tmp_path), verified(tmp_path).count) == (["audit-000000001.log"], 0)
    written(tmp_path, "a")
    assert verified(tmp_path).count == 1


@pytest.mark.parametrize("cut", [1, 10, 150])
def test_a_torn_last_record_is_set_aside_and_the_chain_goes_on(tmp_path: Path, cut: int) -> None:
    written(tmp_path, "a", "b")
    path = tmp_path / files(tmp_path)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert verified(tmp_path).torn == len(whole.splitlines()[1]) + 1 - cut
    file = opened(tmp_path)
    assert "torn" in file.problems[0]
    file.append([{"text": "c"}])
    file.close()
    assert (verified(tmp_path).count, texts(tmp_path)) == (2, ["a", "c"])
    assert (tmp_path / TORN).read_bytes() == whole.splitlines(keepends=True)[1][:-cut]


def test_old_files_go_and_the_chain_is_carried_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "FILE_BYTES_MAX", 1000)
    monkeypatch.setattr(audit, "FILES_MAX", 3)
    file = opened(tmp_path)
    for n in range(60):
        file.append([{"text": f"{n}"}])
    file.close()
    found = verified(tmp_path)
    assert (len(files(tmp_path)), found.last.n) == (3, 60)
    assert 0 < found.first.n == found.last.n - found.count
    assert texts(tmp_path)[-1] == "59"
    written(tmp_path, "after")
    assert verified(tmp_path).last.n == 61


def test_a_kill_just_after_the_rotation_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "FILE_BYTES_MAX", 300)
    file = opened(tmp_path)
    while len(files(tmp_path)) < 2:
        file.append([{"text": "a"}])
    last = file.head
    assert (tmp_path / files(tmp_path)[-1]).stat().st_size == 0
    assert opened(tmp_path).head == last


@pytest.mark.parametrize(("line", "said"), [(0, 1), (1, 2), (2, 3)])
def test_each_change_of_a_bit_is_found_where_it_is(tmp_path: Path, line: int, said: int) -> None:
    written(tmp_path, "a", "b", "c")
    path = tmp_path / files(tmp_path)[0]
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[line] = lines[line].replace('"text":"', '"text":"x')
    path.write_text("".join(lines), encoding="utf-8")
    with pytest.raises(Broken) as found:
        verified(tmp_path)
    assert found.value.n == said


def test_a_record_that_is_taken_out_is_found(tmp_path: Path) -> None:
    written(tmp_path, "a", "b", "c")
    path = tmp_path / files(tmp_path)[0]
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(lines[0] + lines[2], encoding="utf-8")
    with pytest.raises(Broken, match="record 2 is missing before it"):
        verified(tmp_path)


def test_an_end_that_cannot_be_read_stays_and_is_said_and_another_chain_begins(tmp_path: Path) -> None:
    written(tmp_path, "a", "b")
    path = tmp_path / files(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-30] + b"#" * 29 + b"\n")
    file = opened(tmp_path)
    assert "a new chain begins" in file.problems[0]
    file.append([{"text": "c"}])
    file.close()
    assert files(tmp_path) == ["audit-000000001.log", "audit-000000003.log"]
    with pytest.raises(ValueError, match=r"audit-000000001\.log: a line that is no record"):
        verified(tmp_path)
    assert opened(tmp_path).head.n == 3


def test_a_changed_end_of_the_last_line_is_no_torn_record(tmp_path: Path) -> None:
    """A kill leaves less of a line, never another byte behind a whole record: what was acknowledged is not lost."""
    written(tmp_path, "a", "b")
    path = tmp_path / files(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-1] + b"\x0b")
    with pytest.raises(Broken, match="the end of its line was changed") as found:
        verified(tmp_path)
    assert found.value.n == 2
    file = opened(tmp_path)
    assert "is mended" in file.problems[0]
    file.append([{"text": "c"}])
    file.close()
    assert (texts(tmp_path), verified(tmp_path).count) == (["a", "b", "c"], 3)


def test_a_line_that_is_no_record_is_named_by_its_place(tmp_path: Path) -> None:
    written(tmp_path, "a", "b", "c")
    path = tmp_path / files(tmp_path)[0]
    lines = path.read_bytes().splitlines(keepends=True)
    for middle in (b"no record\n", b"\xff\n", b"0 " + b"[" * 100_000 + b"\n", lines[1].replace(b'"n":2', b'"n":7')):
        path.write_bytes(lines[0] + middle + lines[2])
        with pytest.raises(Broken) as found:
            verified(tmp_path)
        assert found.value.n == 2


def test_a_write_that_fails_leaves_no_half_of_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "a")
    file, real, turns = opened(tmp_path), os.write, itertools.count()

    def full(number: int, content: bytes) -> int:
        if next(turns):
            raise OSError(28, "No space left on device")
        return real(number, content[:20])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            file.append([{"text": "b"}])
    assert verified(tmp_path).torn == 0
    file.append([{"text": "c"}])
    assert texts(tmp_path) == ["a", "c"]
