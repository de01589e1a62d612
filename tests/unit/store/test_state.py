"""What survives: the lock, the version, old or new and never mixed, and disks that say no."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from derctl.store.state import (
    VERSION,
    AlreadyRunning,
    SavedDroop,
    SavedRequest,
    StateDir,
    Surviving,
    replace_file,
)

ROOT = Path(__file__).resolve().parents[3]


def state_dir(path: Path) -> StateDir:
    return StateDir(path, path / "spare")


def python(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", source, *arguments], env=environment, capture_output=True, text=True, check=False
    )


# -- one instance ---------------------------------------------------------------------------------------------------


def test_a_second_instance_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first, second = state_dir(tmp_path / "site"), state_dir(tmp_path / "site")
    first.hold()
    with pytest.raises(AlreadyRunning):
        second.hold()
    first.let_go()
    second.hold()
    second.let_go()


def test_another_process_is_refused_and_the_lock_of_a_killed_one_is_free(tmp_path: Path) -> None:
    source = (
        "import os, sys, pathlib; from derctl.store.state import *\n"
        "StateDir(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[1])).hold(); keep = os.kill(os.getpid(), 9)"
    )
    mine = state_dir(tmp_path)
    mine.hold()
    assert "AlreadyRunning" in python(source, str(tmp_path)).stderr
    mine.let_go()
    assert python(source, str(tmp_path)).returncode == -9
    mine.hold()
    mine.let_go()


def test_a_directory_that_cannot_be_written_is_no_reason_not_to_run_and_still_one_instance_only(
    tmp_path: Path,
) -> None:
    """Root writes through any mode, so a file stands where the directory should be."""
    (tmp_path / "file").touch()
    first, second = (StateDir(tmp_path / "file" / "site", tmp_path / "run") for _ in range(2))
    first.hold()
    assert first.problem is not None
    assert "nothing will survive" in first.problem
    with pytest.raises(AlreadyRunning):
        second.hold()
    first.let_go()


def test_where_no_directory_can_be_written_it_is_an_oserror(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        StateDir(tmp_path / "file" / "site", tmp_path / "file" / "run").hold()


# -- what is read ---------------------------------------------------------------------------------------------------


STATE = Surviving(
    saved=1.5,
    armed=True,
    requests=[SavedRequest(id="a", kind="limit", der=None, value_w=1.0, ends=2.0, left_s=3.0)],
    droop={"freq_droop/pv1": SavedDroop(p_pre=0.5, side=1, y=0.4)},
    seen={"a": 2.0},
)


async def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    folder = state_dir(tmp_path)
    assert folder.load() == (Surviving(), None), "nothing there yet"
    await folder.save(STATE)
    assert folder.load() == (STATE, None)
    assert (tmp_path / "state.json").stat().st_mode & 0o007 == 0
    assert msgspec.json.decode((tmp_path / "state.json").read_bytes())["version"] == VERSION


def test_a_file_from_before_requests_could_be_without_an_end_is_still_read(tmp_path: Path) -> None:
    """As 0.1 wrote it."""
    request = b'{"id":"a","kind":"limit","der":null,"value_w":1.0,"ends":2.0,"left_s":3.0}'
    (tmp_path / "state.json").write_bytes(b'{"version":1,"saved":1.5,"armed":true,"requests":[%s]}' % request)
    state, problem = state_dir(tmp_path).load()
    assert (problem, state.requests) == (None, STATE.requests)


async def test_a_request_without_an_end_on_the_wall_clock_comes_back(tmp_path: Path) -> None:
    endless = SavedRequest(id="a", kind="limit", der=None, value_w=1.0, ends=None, left_s=3.0)
    await state_dir(tmp_path).save(Surviving(requests=[endless]))
    assert state_dir(tmp_path).load() == (Surviving(requests=[endless]), None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x00" * 512,
        b"[]",
        b'{"version": 1, "armed": "yes"}',
        b'{"version": "1"}',
        b'{"seen": {"a": "\xff"}}',
    ],
)
def test_a_file_that_cannot_be_read_is_kept_aside_and_nothing_of_it_is_used(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    state, problem = state_dir(tmp_path).load()
    assert state == Surviving()
    assert problem is not None
    assert (tmp_path / "state.json.unreadable").read_bytes() == content
    assert not (tmp_path / "state.json").exists()


@pytest.mark.parametrize("version", [0, 2, 99])
def test_another_versions_file_is_not_used_and_kept_aside(tmp_path: Path, version: int) -> None:
    content = msgspec.json.encode(STATE).replace(b'"version":1', b'"version":%d' % version)
    (tmp_path / "state.json").write_bytes(content)
    state, problem = state_dir(tmp_path).load()
    assert state == Surviving()
    assert problem is not None
    assert str(version) in problem
    assert (tmp_path / "state.json.unreadable").read_bytes() == content


async def test_the_journal_is_kept_beside_and_comes_back(tmp_path: Path) -> None:
    folder = state_dir(tmp_path)
    assert folder.journal() == {}
    await asyncio.gather(folder.set_journal({"pv1": {"since": "now"}}), folder.save(STATE))
    assert folder.journal() == {"pv1": {"since": "now"}}
    assert folder.load() == (STATE, None)
    (tmp_path / "written.json").write_bytes(b"[]")
    with pytest.raises(msgspec.DecodeError):
        folder.journal()


async def test_saves_at_the_same_time_leave_the_last_one_whole(tmp_path: Path) -> None:
    folder = state_dir(tmp_path)
    await asyncio.gather(*(folder.save(Surviving(saved=float(n), seen={"x" * 5000: 1.0})) for n in range(20)))
    assert folder.load()[0].saved == 19.0


# -- disks ----------------------------------------------------------------------------------------------------------


def test_a_disk_that_fills_up_in_the_middle_keeps_the_old_file(tmp_path: Path) -> None:
    """A write near the end of the space is short before it fails; RLIMIT_FSIZE does the same to a process."""
    replace_file(tmp_path / "state.json", b"old")
    source = (
        "import resource, sys, pathlib; from derctl.store.state import replace_file\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: replace_file(pathlib.Path(sys.argv[1]), b'new' * 1000)\n"
        "except OSError as error: print(type(error).__name__)"
    )
    done = python(source, str(tmp_path / "state.json"))
    assert (done.stdout.strip(), done.stderr) == ("OSError", "")
    assert (tmp_path / "state.json").read_bytes() == b"old"


def test_after_a_full_disk_the_next_save_works(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    replace_file(path, b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="large"):
            replace_file(path, b"new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [child.name for child in tmp_path.iterdir()] == ["state.json"], "what was begun takes no space"
    replace_file(path, b"newer")
    assert path.read_bytes() == b"newer"


async def test_a_directory_that_went_away_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await state_dir(tmp_path / "gone").save(STATE)


async def test_a_disk_that_cannot_sync_is_an_oserror_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = state_dir(tmp_path)
    await folder.save(STATE)

    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="Input/output"):
            await folder.save(Surviving(saved=99.0))
    assert folder.load() == (STATE, None)
    await folder.save(Surviving(saved=99.0))
    assert folder.load()[0].saved == 99.0


def test_the_file_is_on_the_disk_before_it_gets_its_name_and_the_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that a power cut respects: data, fsync, rename, fsync of the directory."""
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        done.append("fsync " + Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def note_replace(self: Path, target: Path) -> Path:
        done.append(f"rename {self.name} {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    replace_file(tmp_path / "state.json", b"{}")
    assert done == ["fsync state.new", "rename state.new state.json", f"fsync {tmp_path.name}"]
