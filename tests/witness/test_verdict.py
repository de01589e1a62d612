"""`make witness`: a difference is seen, named and counted; what nobody judged is said and is no difference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.test_locks import entries
from witness import __main__ as program
from witness import images, judge
from witness.clients import by_mbpoll
from witness.devices import compared
from witness.judge import Judges
from witness.verdict import Row, differing, failed, same, table

AGREES = Row(judge="mbpoll", wire="tcp", what="reads", compared=3)
DIFFERS = Row(judge="tmodbus", wire="tls", what="serves", compared=3, wrong=("pv: 103#1.W: 1 there, 2 here",))
ABSENT = Row(judge="kaco-modbus", wire="", what="", why_not="no Python 3.12 or newer")


@pytest.mark.parametrize(
    ("left", "right", "is_same"),
    [
        (4966, 4966.0, True),
        (49.99, 49.990000000000002, True),
        (4966, 4967, False),
        (0, None, False),
        (None, "", True),
        ("Elkor\x00 Hardware", "Elkor", True),
        ("SB3.6 ", "SB3.6", True),
        ("1001", "1002", False),
        ("not there", 5, False),
        (1, "1", False),
    ],
)
def test_two_readings_are_the_same_or_not(left: Any, right: Any, is_same: bool) -> None:
    assert same(left, right) is is_same


def test_each_value_that_differs_is_named_with_both_sides() -> None:
    there: Mapping[str, Any] = {"103#1.W": 1, "103#1.Hz": 50, "1#1.Mn": "HIL", "1#1.Pad": 0}
    here = {"103#1.W": 2, "103#1.Hz": 50}
    names = compared(there)
    assert differing({**there}, {**here}, names) == (
        "103#1.W: 1 there, 2 here",
        "1#1.Mn: 'HIL' there, 'not there' here",
    )


@pytest.mark.parametrize(
    ("rows", "is_failed"),
    [
        ([AGREES], False),
        ([AGREES, ABSENT], False),
        ([AGREES, DIFFERS], True),
        ([Row(judge="a", wire="", what="")], True),
    ],
)
def test_a_difference_fails_and_so_does_a_judge_that_compared_nothing(rows: list[Row], is_failed: bool) -> None:
    assert failed(rows) is is_failed


def test_the_table_says_who_judged_what_and_who_did_not() -> None:
    lines = table([AGREES, DIFFERS, ABSENT], {"tmodbus": "1.1.0"}).splitlines()
    assert [re.split(r"  +", line.strip()) for line in lines] == [
        ["judge", "wire", "what", "compared"],
        ["mbpoll", "tcp", "reads", "3", "agrees"],
        ["tmodbus 1.1.0", "tls", "serves", "3", "DIFFERS"],
        ["pv: 103#1.W: 1 there, 2 here"],
        ["kaco-modbus", "NOT JUDGED"],
        ["no Python 3.12 or newer"],
    ]


async def test_without_a_newer_python_each_judge_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("witness.clients.shutil.which", lambda name: None)
    rows = await program.rows_of(Judges(python=None, why_not=program.NO_PYTHON), tmp_path)
    kept = {"mbpoll", "tmodbus", "fronius-modbus", "kaco-modbus", "solaredged"}
    maps = {"huawei-solar", "goodwe", "carlo-gavazzi-energy-meter-modbus", "jkctl"}
    assert {row.judge for row in rows} == kept | maps
    assert {row.word for row in rows} == {"NOT JUDGED"}
    assert not failed(rows)


async def test_a_register_that_mbpoll_reads_otherwise_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    async def poll(command: tuple[str, ...], unit: int, addresses: list[int]) -> dict[int, int]:
        places = {str(place): name for name, place in rig.ports().items()}
        endpoint = rig.endpoints[places[command[-1] if "rtu" in command else command[-2]]]
        name = endpoint.units[unit].name
        return {at: images.registers_of(rig, name)[at] ^ (at == 40002) for at in addresses}

    rig = images.bench()
    await rig.start()
    monkeypatch.setattr("witness.clients.shutil.which", lambda name: name)
    monkeypatch.setattr("witness.clients._polled", poll)
    rows = await by_mbpoll(rig)
    await rig.stop()
    assert [(row.wire, row.word) for row in rows] == [("tcp", "DIFFERS"), ("rtu", "DIFFERS")]
    assert "made_pv_1xx at 40002: 0x0000 there, 0x0001 in the device" in rows[0].wrong
    assert "made_rtu at 40002: 0x0000 there, 0x0001 in the device" in rows[1].wrong


def test_each_judge_is_pinned_with_its_hashes() -> None:
    for lock in judge.LOCKS:
        assert all(hashes for _, hashes in entries(f"witness/{lock.name}"))
        wanted = re.findall(r"^([a-z-]+)(?:\[.*\])?==(\S+)$", lock.with_suffix(".in").read_text(), re.M)
        assert wanted and dict(wanted).items() <= judge.versions().items()
