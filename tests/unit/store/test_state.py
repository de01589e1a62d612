"""What survives: the lock, the version, old or new and never mixed, and disks that say no."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from derctl.store.answered import ANYBODY, Answered
from derctl.store.folder import AlreadyRunning, Folder, replace_file
from derctl.store.journal import Journal
from derctl.store.sealed import sealed
from derctl.store.state import MIGRATIONS, UNKNOWN, VERSION, ArmWord, Surviving, load, save, wrote_never

ROOT = Path(__file__).resolve().parents[3]


def folder_of(path: Path) -> Folder:
    return Folder(path, path / "spare")


def python(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", source, *arguments], env=environment, capture_output=True, text=True, check=False
    )


# -- one instance ---------------------------------------------------------------------------------------------------


def test_a_second_instance_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first, second = folder_of(tmp_path / "site"), folder_of(tmp_path / "site")
    first.hold()
    with pytest.raises(AlreadyRunning):
        second.hold()
    first.let_go()
    second.hold()
    second.let_go()


def test_another_process_is_refused_and_the_lock_of_a_killed_one_is_free(tmp_path: Path) -> None:
    source = (
        "import os, sys, pathlib; from derctl.store.folder import *\n"
        "Folder(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[1])).hold(); keep = os.kill(os.getpid(), 9)"
    )
    mine = folder_of(tmp_path)
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
    first, second = (Folder(tmp_path / "file" / "site", tmp_path / "run") for _ in range(2))
    first.hold()
    assert first.problem is not None
    assert "nothing will survive" in first.problem
    with pytest.raises(AlreadyRunning):
        second.hold()
    first.let_go()


def test_where_no_directory_can_be_written_it_is_an_oserror(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Folder(tmp_path / "file" / "site", tmp_path / "file" / "run").hold()


# -- what is read ---------------------------------------------------------------------------------------------------


STATE = Surviving(
    saved=1.5,
    word=ArmWord(armed=True, by="anna", since="yesterday"),
    requests=[{"kind": "limit_power", "id": "a", "ends": 2.0, "remaining_s": 3.0}],
    memories={"freq_droop/pv1": {"p_pre": 0.5, "side": 1, "y": 0.4}},
    seen={"ops": Answered(ids={"a": (1.0, 2.0)}, gap=0.5), "home": Answered(gap=1.0)},
    proven_meter="M-1 +1",
)


async def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    assert load(folder) == (Surviving(), None), "nothing there yet"
    await save(folder, STATE)
    assert load(folder) == (STATE, None)
    assert (tmp_path / "state.json").stat().st_mode & 0o007 == 0
    assert msgspec.json.decode((tmp_path / "state.json").read_bytes())["version"] == VERSION


AS_0_1_WROTE_IT = {
    "version": 1,
    "saved": 1_790_000_000.5,
    "armed": False,
    "requests": [
        {"id": "a", "kind": "limit_power", "der": None, "value_w": 1.0, "ends": 2.0, "left_s": 3.0},
        {"id": "b", "kind": "set_battery_power", "der": "bat1", "value_w": -5.0, "left_s": 4.0},
    ],
    "droop": {"freq_droop/pv1": {"p_pre": 0.5, "side": 1, "y": 0.4}},
    "seen": {"a": 2.0},
    "proven_meter": "M-1 +1",
}


def test_the_file_of_an_older_version_is_migrated_and_no_word_of_it_is_lost(tmp_path: Path) -> None:
    """Version 1, as 0.1 wrote it: an update must not forget an operator's disarm."""
    (tmp_path / "state.json").write_bytes(msgspec.json.encode(AS_0_1_WROTE_IT))
    state, problem = load(folder_of(tmp_path))
    assert problem is None
    assert state.word == ArmWord(armed=False, by="operator", since="2026-09-21T14:13:20.000Z")
    same = {"by": "operator", "der": None}
    assert state.requests == [
        same | {"id": "a", "kind": "limit_power", "p_ceiling_w": 1.0, "ends": 2.0, "remaining_s": 3.0},
        same
        | {"id": "b", "kind": "set_battery_power", "der": "bat1", "p_target_w": -5.0}
        | {"ends": None, "remaining_s": 4.0},
    ]
    assert state.memories == AS_0_1_WROTE_IT["droop"]
    assert (state.seen, state.proven_meter, state.version) == (
        {ANYBODY: Answered(ids={"a": (2.0, 2.0)})},
        "M-1 +1",
        VERSION,
    )
    assert state.saved == AS_0_1_WROTE_IT["saved"], "droop is revived by its age"


def test_of_a_word_of_version_2_the_site_file_s_mode_is_not_known_and_nothing_was_noted_of_limits(
    tmp_path: Path,
) -> None:
    old = {"version": 2, "saved": 5.0, "word": {"armed": False, "by": "anna", "since": "noon"}, "proven_meter": "M"}
    (tmp_path / "state.json").write_bytes(msgspec.json.encode(old))
    state, problem = load(folder_of(tmp_path))
    assert problem is None
    assert state.word == ArmWord(armed=False, by="anna", since="noon", mode=None)
    assert (state.found, state.proven_meter, state.version) == (None, "M", VERSION)


def test_ids_of_version_4_are_nobody_s_to_use_again(tmp_path: Path) -> None:
    """As it was saved, with its checksum: whose they were was not noted."""
    for seen, now in (
        ({"a": 2.0, "b": 3.5}, {ANYBODY: Answered(ids={"a": (2.0, 2.0), "b": (3.5, 3.5)})}),
        ({}, {}),
    ):
        old = {"version": 4, "word": {"armed": True, "by": "anna", "since": "noon"}, "seen": seen}
        (tmp_path / "state.json").write_bytes(sealed(msgspec.json.encode(old)))
        state, problem = load(folder_of(tmp_path))
        assert (state.seen, state.version, problem) == (now, VERSION, None)
        assert state.word == ArmWord(armed=True, by="anna", since="noon")


@pytest.mark.parametrize("seen", [5, [["a", 2.0]], {"a": "b"}, {"a": None}])
def test_ids_of_version_4_that_are_none_disarm(tmp_path: Path, seen: object) -> None:
    (tmp_path / "state.json").write_bytes(sealed(msgspec.json.encode({"version": 4, "seen": seen})))
    assert load(folder_of(tmp_path))[0] == Surviving(word=UNKNOWN)


@pytest.mark.parametrize(("armed", "word"), [(None, None), (True, True), (False, False)])
def test_each_word_of_version_1_is_understood(tmp_path: Path, armed: bool | None, word: bool | None) -> None:
    (tmp_path / "state.json").write_bytes(msgspec.json.encode(AS_0_1_WROTE_IT | {"armed": armed}))
    state, _ = load(folder_of(tmp_path))
    assert (None if state.word is None else state.word.armed) is word


def test_a_file_of_version_1_that_is_broken_somewhere_disarms(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(msgspec.json.encode(AS_0_1_WROTE_IT | {"requests": 5}))
    state, problem = load(folder_of(tmp_path))
    assert problem is not None and state == Surviving(word=UNKNOWN)


def test_a_file_that_is_nested_without_end_is_set_aside_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(b"[" * 100_000)
    state, problem = load(folder_of(tmp_path))
    assert state == Surviving(word=UNKNOWN)
    assert problem is not None and "kept as state.json.unreadable" in problem


def test_every_older_version_has_its_way_to_today_s() -> None:
    assert set(MIGRATIONS) == set(range(1, VERSION))


@pytest.mark.parametrize("version", [VERSION + 1, 99, 0, -1, None, "2", 1.5, True])
@pytest.mark.parametrize("word", [{"armed": False, "by": "anna", "since": "noon"}, None])
def test_a_version_that_is_not_known_disarms_and_the_file_is_kept_aside(
    tmp_path: Path, version: object, word: dict[str, Any] | None
) -> None:
    content = msgspec.json.encode({"version": version, "word": word, "armed": None, "requests": 5})
    (tmp_path / "state.json").write_bytes(content)
    state, problem = load(folder_of(tmp_path))
    assert state == Surviving(word=UNKNOWN)
    assert problem is not None
    assert (tmp_path / "state.json.unreadable").read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x00" * 512,
        b"[]",
        b'{"version": 1, "armed": "yes"}',
        b'{"version": 1, "requests": [{}]}',
        b'{"version": 1, "requests": 1}',
        b'{"version": 1, "saved": 1e300}',
        b'{"version": 2, "word": 1}',
        b'{"version": "1"}',
        b'{"seen": {"a": "\xff"}}',
    ],
)
def test_a_file_that_cannot_be_read_is_kept_aside_and_disarms_until_it_is_written_again(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "state.json").write_bytes(content)
    state, problem = load(folder_of(tmp_path))
    assert state == Surviving(word=UNKNOWN)
    assert problem is not None
    assert (tmp_path / "state.json.unreadable").read_bytes() == content
    assert load(folder_of(tmp_path)) == (state, problem), "a kill before the next save makes it no missing one"


async def test_saves_at_the_same_time_leave_the_last_one_whole(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    await asyncio.gather(*(save(folder, Surviving(saved=float(n), proven_meter="x" * 5000)) for n in range(20)))
    assert load(folder)[0].saved == 19.0


# -- disks ----------------------------------------------------------------------------------------------------------


def test_a_disk_that_fills_up_in_the_middle_keeps_the_old_file(tmp_path: Path) -> None:
    """A write near the end of the space is short before it fails; RLIMIT_FSIZE does the same to a process."""
    replace_file(tmp_path / "state.json", b"old")
    source = (
        "import resource, sys, pathlib; from derctl.store.folder import replace_file\n"
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


async def test_what_root_writes_belongs_to_whom_the_folder_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sudo derctl release` would leave a journal and a lock that the daemon can't open."""
    given: dict[str, tuple[int, int]] = {}

    def note(file: int, uid: int, gid: int) -> None:
        given[Path(f"/proc/self/fd/{file}").readlink().name] = (uid, gid)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", note)
    folder = folder_of(tmp_path)
    folder.hold()
    await save(folder, STATE)
    folder.let_go()
    owner = tmp_path.stat()
    assert given == dict.fromkeys(("derctl.lock", "state.json.new", "state.new"), (owner.st_uid, owner.st_gid))


@pytest.mark.parametrize("name", ["derctl.lock", "state.new"])
async def test_no_link_in_the_folder_leads_a_write_elsewhere(tmp_path: Path, name: str) -> None:
    victim, site = tmp_path / "victim", tmp_path / "site"
    victim.write_text("untouched")
    site.mkdir()
    (site / name).symlink_to(victim)
    folder = folder_of(site)
    folder.hold()
    with contextlib.suppress(OSError):
        await save(folder, STATE)
    folder.let_go()
    assert victim.read_text() == "untouched"
    if name == "derctl.lock":
        assert folder.problem is not None and f"{site / name}: " in folder.problem
        assert "survive" not in folder.problem and load(folder) == (STATE, None), "the state is saved all the same"
    else:
        assert folder.problem is None


def test_a_pipe_in_the_folder_stops_no_start_and_no_write(tmp_path: Path) -> None:
    for name in ("derctl.lock", "state.new"):
        os.mkfifo(tmp_path / name)
    folder = folder_of(tmp_path)
    folder.hold()
    replace_file(tmp_path / "state.json", b"new")
    folder.let_go()
    assert (tmp_path / "state.json").read_bytes() == b"new"


def odd(path: Path, kind: str) -> None:
    """What nobody reads to its end."""
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 2**40)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "terabyte"])
async def test_what_is_no_file_to_be_read_stops_no_start_and_its_copy_counts(tmp_path: Path, kind: str) -> None:
    folder, journal = folder_of(tmp_path), Journal(folder_of(tmp_path))
    await save(folder, STATE)
    journal.note("pv1", since="noon", fallback={})
    await journal.save()
    for name in ("state.json", "written.json"):
        odd(tmp_path / name, kind)
    state, problem = load(folder)
    assert state == STATE and problem is not None and "state.json.copy is used" in problem
    assert "kept as" not in problem and not (tmp_path / "state.json.unreadable").exists()
    again = Journal(folder_of(tmp_path))
    assert "written.json.copy is used" in str(again.load()) and set(again.entries) == {"pv1"} and not again.missing
    for name in ("state.json.copy", "written.json.copy"):
        odd(tmp_path / name, kind)
    state, problem = load(folder)
    assert state == Surviving(word=UNKNOWN) and problem is not None and "disarmed" in problem
    with pytest.raises((OSError, ValueError)):
        again.load()


async def test_what_was_refused_is_not_what_a_start_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is written first: where the disk fails after that, the file itself is still what was saved last."""
    folder, names = folder_of(tmp_path), list[str]()
    await save(folder, STATE)

    def full(path: Path, content: bytes) -> None:
        names.append(path.name)
        if len(names) == 2:
            raise OSError(28, "No space left on device")
        replace_file(path, content)

    with monkeypatch.context() as patched:
        patched.setattr("derctl.store.folder.replace_file", full)
        with pytest.raises(OSError, match="No space"):
            await save(folder, Surviving(saved=99.0))
    assert names == ["state.json.copy", "state.json"]
    assert load(folder) == (STATE, None)


def test_what_somebody_puts_there_at_the_last_moment_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hard link is no symbolic one: only a new file is certain."""
    victim, site = tmp_path / "victim", tmp_path / "site"
    victim.write_text("untouched")
    site.mkdir()
    unlink = Path.unlink

    def late(self: Path, missing_ok: bool = False) -> None:
        unlink(self, missing_ok=missing_ok)
        os.link(victim, self)

    monkeypatch.setattr(Path, "unlink", late)
    with pytest.raises(FileExistsError):
        replace_file(site / "state.json", b"new")
    assert victim.read_text() == "untouched"


def test_a_lock_file_that_is_deleted_or_led_elsewhere_lets_no_second_instance_in(tmp_path: Path) -> None:
    first, second = folder_of(tmp_path), folder_of(tmp_path)
    first.hold()
    lock = tmp_path / "derctl.lock"
    for link in (None, tmp_path / "elsewhere"):
        lock.unlink(missing_ok=True)
        if link is not None:
            lock.symlink_to(link)
        with pytest.raises(AlreadyRunning):
            second.hold()
    first.let_go()


async def test_a_directory_that_went_away_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await save(folder_of(tmp_path / "gone"), STATE)


async def test_a_disk_that_cannot_sync_is_an_oserror_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path)
    await save(folder, STATE)

    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="Input/output"):
            await save(folder, Surviving(saved=99.0))
    assert load(folder) == (STATE, None)
    await save(folder, Surviving(saved=99.0))
    assert load(folder)[0].saved == 99.0


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


# -- a state that is gone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["written.json", "standing.json"])
@pytest.mark.parametrize("content", [sealed(b'{"pv1":{"since":"2026-11-21T12:00:00.000Z"}}'), b"", b"\0" * 80])
def test_where_derctl_wrote_before_a_state_that_is_gone_is_unknown(tmp_path: Path, file: str, content: bytes) -> None:
    (tmp_path / file).write_bytes(content)
    state, problem = load(folder_of(tmp_path))
    assert state.word == UNKNOWN
    assert problem is not None and "there is none" in problem and "disarmed" in problem


@pytest.mark.parametrize("files", [[], ["written.json"], ["written.json", "standing.json"]])
def test_where_nothing_was_ever_written_it_is_a_first_start(tmp_path: Path, files: list[str]) -> None:
    for file in files:  # as a release before the first start leaves them
        (tmp_path / file).write_bytes(sealed(b"{}"))
    assert load(folder_of(tmp_path)) == (Surviving(), None)


@pytest.mark.parametrize(
    ("state", "files", "never"),
    [
        (Surviving(), (), True),
        (Surviving(known={"pv1": {}}), (), True),
        (Surviving(word=ArmWord(armed=False, by="ops", since="noon")), (), False),
        (Surviving(agreed="7 kW"), (), False),
        (Surviving(wear={"pv1": {}}), (), False),
        (Surviving(rests={"pv1": {}}), (), False),
        (Surviving(), ("written.json",), False),
        (Surviving(), ("standing.json.copy",), False),
        (None, (), False),
    ],
)
async def test_only_a_state_that_says_so_tells_that_nothing_was_ever_written(
    tmp_path: Path, state: Surviving | None, files: tuple[str, ...], never: bool
) -> None:
    folder = folder_of(tmp_path)
    if state is not None:
        await save(folder, state)
    for name in files:
        (tmp_path / name).write_text("{}")
    assert wrote_never(folder) is never


@pytest.mark.parametrize("broken", [("state.json",), ("state.json", "state.json.copy")])
async def test_a_state_that_is_broken_does_not_tell_that(tmp_path: Path, broken: tuple[str, ...]) -> None:
    folder = folder_of(tmp_path)
    await save(folder, Surviving())
    for name in broken:
        (tmp_path / name).write_text("broken")
    assert not wrote_never(folder)
