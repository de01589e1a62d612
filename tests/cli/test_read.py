"""`read` on simulated devices, beside pysunspec2's own TCP client."""

from __future__ import annotations

import json
import math
from importlib import resources
from typing import Any

import pytest

from hil.rig import Rig
from tests.cli.calls import At, ByPysunspec2, Here

ENDPOINTS = [("pv1", 1), ("pv2", 1), ("bat", 1), ("bat", 2), ("meter", 1)]


@pytest.mark.parametrize(("name", "unit"), ENDPOINTS)
async def test_read_gives_what_pysunspec2_reads_from_the_same_server(
    at: At,
    here: Here,
    by_pysunspec2: ByPysunspec2,
    name: str,
    unit: Any,
) -> None:
    code, out, err = await here("read", at(name), "-u", str(unit), "--json")
    assert (code, err) == (0, "")
    ours = {table["model"]: {row["path"]: row["value"] for row in table["points"]} for table in json.loads(out)}
    theirs = dict(await by_pysunspec2(name, unit))
    assert ours.keys() == theirs.keys()
    compared = 0
    for model_id, values in theirs.items():
        assert ours[model_id].keys() == values.keys()
        for path, value in values.items():
            if path.rpartition(".")[2] in {"Pad", "Pad1", "Pad2"}:
                continue
            mine = ours[model_id][path]
            assert mine == value or (isinstance(mine, float) and math.isclose(mine, value)), (model_id, path)
            compared += value is not None
    assert compared > 20


async def test_read_shows_one_model_when_asked_for_one(at: At, here: Here) -> None:
    code, out, _ = await here("read", at("meter"), "203")
    assert code == 0
    assert "serial 1005" in out.splitlines()[0]
    assert out.splitlines()[0].endswith("unit 1  base 40000")
    assert out.splitlines()[1].split() == ["point", "raw", "value", "unit", "or", "meaning"]
    assert out.splitlines()[2].startswith("203 ")
    [row] = [line.split() for line in out.splitlines() if line.strip().startswith("W ")]
    assert row[-1] == "W"


async def test_what_is_not_implemented_is_shown_only_when_asked_for(at: At, here: Here) -> None:
    _, short, _ = await here("read", at("pv1"), "120")
    _, whole, _ = await here("read", at("pv1"), "120", "--all")
    assert "WHRtg " not in short
    [row] = [line.split() for line in whole.splitlines() if line.strip().startswith("WHRtg ")]
    assert row[1:3] == ["65535", "-"]


async def test_what_a_program_reads_is_json_whatever_the_registers_hold(at: At, rig: Rig, here: Here) -> None:
    """Text, floats that are no number, models without a definition."""
    rig.units["pv1"].face.bank.image(1).put("SN", None)
    for name, unit in ENDPOINTS:
        _, out, _ = await here("read", at(name), "-u", str(unit), "--json")
        for table in json.loads(out, parse_constant=pytest.fail):
            assert table["points"]
            assert all(row.keys() == {"path", "raw", "value", "unit", "name"} for row in table["points"])


async def lines_of(here: Any, *words: Any) -> Any:
    """The rows that `read` prints, by path: the words behind it."""
    _, out, _ = await here("read", *words)
    rows = [line.split() for line in out.splitlines() if line.startswith("  ")]
    return {row[0]: row[1:] for row in rows}


async def test_an_enumeration_and_a_bitfield_have_names(at: At, rig: Rig, here: Here) -> None:
    """Words of the official model definitions."""
    bank = rig.units["bat1"].face.bank
    bank.image(701).put_raw("InvSt", 2)
    bank.image(701).put_raw("Alrm", 1 << 1 | 1 << 4 | 1 << 30)
    bank.publish()
    rows = await lines_of(here, at("bat"), "701")
    definition = json.loads((resources.files("sunspec2") / "models/json/model_701.json").read_text())
    points = {point["name"]: point for point in definition["group"]["points"]}
    alarms = {symbol["value"]: symbol["name"] for symbol in points["Alrm"]["symbols"]}
    assert rows["InvSt"] == ["2", "2", "STARTING"]
    assert " ".join(rows["Alrm"][2:]) == f"{alarms[1]}, {alarms[4]}, bit 30"
    _, out, _ = await here("read", at("bat"), "701", "--json")
    [table] = json.loads(out)
    [row] = [row for row in table["points"] if row["path"] == "InvSt"]
    assert row == {"path": "InvSt", "raw": 2, "value": 2, "unit": "", "name": "STARTING"}


async def test_the_points_of_a_group_that_repeats_have_units_too(at: At, here: Here) -> None:
    rows = await lines_of(here, at("pv2"), "705", "711")
    assert rows["Crv[0].Pt[0].V"][-1] == "VNomPct"
    assert rows["Crv[0].RspTms"][-1] == "Secs"
    assert rows["Ctl[0].DbOf"][-1] == "Hz"
