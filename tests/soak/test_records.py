"""SIGKILL while records are kept: the ledger is whole and as the meter counted, and no acknowledged word is lost."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from derctl.store.audit import records as audited
from derctl.store.audit import verified
from derctl.store.chain import checked
from derctl.store.interval import seconds_of
from derctl.store.looked import read_only
from tests import recording
from tests.attack import Attack

LIVES_S = (0.0, 0.4)
"""How long it lives from its first line on."""


def life(folder: Path, epoch: float, seconds: float) -> list[list[str]]:
    """One life of the program, and all whole lines that it said."""
    command = [sys.executable, "-m", "tests.recording", str(folder), str(epoch)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
    assert first == b"BEGUN\n"
    return [line.decode().split() for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]


@pytest.mark.soak(full=200, short=4, pieces=2)
def test_killed_at_any_moment_no_record_is_lost_or_there_twice(tmp_path: Path, attack: Attack) -> None:
    chance, epoch, said = attack.chance, time.time(), []
    for _ in range(attack.count):
        said += life(tmp_path, epoch, chance.uniform(*LIVES_S))
        verified(tmp_path)  # what the kill left, torn or not
    said += life(tmp_path, epoch, 1.5)  # the last one has time to hand over what is left
    _, first, lines = read_only(tmp_path)
    ledger = list(lines)
    count, _, last = checked(ledger, first)
    plains = [each.plain for each in ledger]
    given = [line[1:] for line in said if line[0] == "I"]
    acknowledged = {line[1] for line in said if line[0] == "A"}
    kept = {each.plain["text"] for each in audited(tmp_path) if each.plain["what"] == "command"}
    attack.found(
        kills=attack.count + 1,
        intervals=count,
        gaps=sum(each["why"] == "not_running" for each in plains),
        given=len(given),
        given_again=len(given) - len({line[0] for line in given}),
        acknowledged=len(acknowledged),
        audit_records=verified(tmp_path).count,
    )
    assert not [line for line in said if line[0] == "E" and line[1] != "records_set_aside"]
    assert last.n == count == len({each["n"] for each in plains})
    assert all(a["to"] == b["from"] for a, b in itertools.pairwise(plains))
    spans = seconds_of(plains[-1]["to"]) - seconds_of(plains[0]["from"])
    moved = sum(each["import_wh"] or 0.0 for each in plains)
    assert moved == pytest.approx(recording.W * spans / 3600.0, abs=recording.W * recording.INTERVAL_S / 3600.0)
    assert {each["by"]["import_wh"] for each in plains if each["why"] != "started"} == {"counter"}
    assert moved > 0.0
    numbers = sorted({int(line[0]) for line in given})
    assert numbers == list(range(1, numbers[-1] + 1)) and numbers[-1] >= count - 4
    assert len({(line[0], line[1]) for line in given}) == len(numbers), "the same number is the same record"
    assert not acknowledged - kept
