"""A process killed while it replaces a file leaves the old one or the new one."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from derctl.store.folder import Folder
from derctl.store.journal import Journal
from derctl.store.state import load

WRITER = """
import asyncio, json, sys
from pathlib import Path
from derctl.store.folder import Folder
from derctl.store.answered import Answered
from derctl.store.state import Surviving, save
def ids(n):
    return {f"{n}-{i}": Answered(ids={"a": (0.0, float(n))}) for i in range(3000)}
async def main():
    folder = Folder(Path(sys.argv[1]), Path(sys.argv[1]))
    folder.hold()
    n = int(sys.argv[2])
    while True:
        await save(folder, Surviving(saved=float(n), seen=ids(n)))
        await folder.replace("written.json", json.dumps({"pv1": {"n": n, "pad": str(n) * 5000}}).encode())
        n += 1
asyncio.run(main())
"""

KILLED_AT = """
import os, sys
from pathlib import Path
from derctl.store import folder as statefile
count = 0
def counted(call):
    def act(*given, **more):
        global count
        count += 1
        if count == int(sys.argv[2]):
            os.kill(os.getpid(), 9)
        return call(*given, **more)
    return act
os.open, os.fdopen, os.fsync, Path.replace = map(counted, (os.open, os.fdopen, os.fsync, Path.replace))
statefile.replace_file(Path(sys.argv[1]), b"new" * 100_000)
"""


def test_killed_before_any_of_its_steps_it_leaves_old_or_new(tmp_path: Path, run_python: Any) -> None:
    path = tmp_path / "state.json"
    found = []
    for step in range(1, 9):
        path.write_bytes(b"old")
        with run_python(["-c", KILLED_AT, str(path), str(step)]) as process:
            code = process.wait(60.0)
        assert path.read_bytes() in {b"old", b"new" * 100_000}
        found.append((code, path.read_bytes() == b"old"))
    assert found[0] == (-9, True)
    assert (-9, False) in found, "killed after the rename"
    assert found[-1] == (0, False), "all steps were tried"


@pytest.mark.parametrize("seed", [1])
def test_killed_at_random_moments_state_and_journal_are_whole_and_never_older(
    tmp_path: Path, run_python: Any, seed: int
) -> None:
    chance = random.Random(seed)
    last = journal = 0
    for _ in range(20):
        with run_python(["-c", WRITER, str(tmp_path), str(last + 1)]) as process:
            deadline = time.monotonic() + 60.0
            while not _beyond(tmp_path, last):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.002)
            time.sleep(chance.uniform(0.0, 0.03))
            process.send_signal(signal.SIGKILL)
            process.wait()
        folder = Folder(tmp_path, tmp_path)
        folder.hold()
        state, problem = load(folder)
        assert problem is None
        n = int(state.saved)
        assert {who: each.ids for who, each in state.seen.items()} == {
            f"{n}-{i}": {"a": (0.0, float(n))} for i in range(3000)
        }
        assert n > last
        journalled = Journal(folder)
        journalled.load()
        if wrote := journalled.entries.get("pv1"):
            assert wrote["pad"] == str(wrote["n"]) * 5000
            assert journal <= wrote["n"] <= n
            journal = wrote["n"]
        last = n
        folder.let_go()
    assert last >= 20


def _beyond(folder: Path, last: int) -> bool:
    try:
        return int(json.loads((folder / "state.json").read_bytes())["saved"]) > last
    except FileNotFoundError:
        return False
