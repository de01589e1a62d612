"""`scan`: who is there, as what it can be used, and the rows for the site file."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest
import yaml

from derctl.cli.look import Pulse, endpoint
from derctl.cli.proposal import site_rows
from derctl.commission.described import Use
from derctl.devices import Identity, Profile
from derctl.devices.sunspec.section import Section, Seen
from hil.rig import Rig
from tests.cli.calls import At, ByPysunspec2, Called, Here, Speaking


@pytest.mark.parametrize(
    ("name", "unit", "kind", "says"),
    [
        ("pv1", 1, "sunspec_pv", "5000 W"),
        ("pv2", 1, "sunspec_pv", "10000 W"),
        ("bat", 1, "sunspec_storage", "target"),
        ("bat", 2, "sunspec_bms", "reads"),
        ("meter", 1, "sunspec_meter", "reads"),
    ],
)
async def test_scan_says_who_is_there_and_as_what_it_can_be_configured(
    at: At,
    here: Here,
    name: str,
    unit: int,
    kind: str,
    says: str,
) -> None:
    code, out, _ = await here("scan", at(name), "-u", str(unit))
    assert code == 0
    serial = {("pv1", 1): "1001", ("pv2", 1): "1002", ("bat", 1): "1003", ("bat", 2): "1004", ("meter", 1): "1005"}
    assert f"serial {serial[name, unit]}" in out.splitlines()[0]
    [line] = [line for line in out.splitlines() if line.startswith(f"as {kind}:")]
    assert says in line


async def test_scan_as_json_carries_chain_rating_and_what_it_can_be_given(
    at: At,
    here: Here,
    by_pysunspec2: ByPysunspec2,
) -> None:
    code, out, _ = await here("scan", at("pv2"), "--json")
    found = json.loads(out)
    theirs = await by_pysunspec2("pv2", 1)
    assert code == 0
    assert found["base"] == 0
    assert sorted(block["model"] for block in found["models"]) == [model_id for model_id, _ in theirs]
    assert found["kinds"]["sunspec_pv"]["rating"]["p_max_w"] == dict(theirs)[702]["WMax"]
    assert found["kinds"]["sunspec_pv"]["can"]["ac"] == {"limit": True, "aim": False, "var": True}


async def test_a_scan_asks_nothing_twice_and_walks_the_chain_once(at: At, rig: Rig, here: Here) -> None:
    code, _, err = await here("scan", at("pv1"), "--progress")
    asked = answers_of(err)
    assert code == 0
    assert len({*asked}) == len(asked) == rig.units["pv1"].count.requests
    assert [pair for pair in asked if pair[1] == 2] == [(40000, 2), *((a, 2) for a in HEADERS)]
    assert len(asked) <= 15


HEADERS = [40002, 40070, 40122, 40150, 40182, 40228, 40254]
"""pv1's models 1, 103, 120, 121, 122, 123 and the end, from their lengths in the definitions."""


def answers_of(err: Any) -> Any:
    """(address, count) of each answer that --progress told."""
    return [tuple(map(int, line.split("s")[0].split()[1:4:2])) for line in err.splitlines()]


async def test_progress_is_told_while_it_works_only_where_it_is_wanted(
    at: At, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await here("scan", at("meter")))[2] == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    _, _, err = await here("scan", at("meter"))
    assert "asking for 2 registers at 40070" in err
    assert err.endswith("\r\x1b[K")


async def test_a_scan_says_as_what_a_device_cannot_be_used_and_why(at: At, here: Here) -> None:
    _, out, _ = await here("scan", at("pv1"))
    lines = {line.partition(":")[0]: line.partition(": ")[2] for line in out.splitlines() if "as sunspec_" in line}
    assert {*lines} == {
        "as sunspec_pv",
        *(f"not as sunspec_{kind}" for kind in ("storage", "hybrid", "meter", "bms")),
    }
    assert "charge" in lines["not as sunspec_storage"] and "charge" in lines["not as sunspec_hybrid"]
    assert lines["not as sunspec_meter"] == "it answers as an inverter (model 103)"


def rows_of(out: Any) -> Any:
    """The site file's rows as scan prints them."""
    return yaml.safe_load(out.partition("for the site file:\n")[2])


@pytest.mark.parametrize(("name", "kind", "who"), [("pv1", "sunspec_pv", "pv1"), ("bat", "sunspec_storage", "bat1")])
async def test_the_rows_for_the_site_file_are_taken_by_it(
    at: At,
    rig: Rig,
    here: Here,
    tmp_path: Path,
    name: str,
    kind: str,
    who: str,
) -> None:
    _, out, _ = await here("scan", at(name))
    rows = rows_of(out)
    assert rows["ders"][0].items() >= {"id": who, "kind": kind, "unit": 1}.items()
    assert rows["buses"][0]["tcp"] == {"host": "127.0.0.1", "port": rig.ports()[name]}
    site = {"id": "house", "v_nom_v": 230, "f_nom_hz": 50, "state_dir": str(tmp_path), "socket": str(tmp_path / "s")}
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "site": site, **rows}))
    code, _, err = await here("check", "-c", str(path))
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    "serial", ["0123", "1e5", "null", "2026-01-01", "2026-99-99", "12:30", 'a"b, {c}: #d', "Ü 7", "A1"]
)
async def test_a_serial_stands_in_the_rows_as_it_is(
    called: Called,
    at: At,
    here: Here,
    serial: str,
) -> None:
    called(SN=serial)
    _, out, _ = await here("scan", at("pv1"))
    assert rows_of(out)["ders"][0]["serial"] == serial


async def test_a_device_that_states_no_rating_is_read_at_its_nameplate_s(speaking: Speaking, here: Here) -> None:
    """SolarEdge's own map ends behind model 103."""
    registers = solaredge(w=33300)

    def answer(head: Any) -> Any:
        address, count = struct.unpack(">HH", head[8:])
        words = registers[address : address + count]
        return struct.pack(f">BB{count}H", 3, 2 * count, *words) if len(words) == count else b"\x83\x02"

    place = await speaking(answer)
    _, out, _ = await here("scan", place)
    assert "as sunspec_pv: reads, 33,300 W now; it states no rating, so it is not controlled" in out
    [row] = rows_of(out)["ders"]
    assert (row["profile"], row["rating"]) == ("solaredge", {"p_max_w": None})
    assert "serial" not in row
    found = json.loads((await here("scan", place, "--json"))[1])
    assert found["kinds"]["sunspec_pv"]["rating"] is None


def solaredge(w: Any) -> Any:
    """A map from address 0: model 1 with L = 65 and a serial of zeros, 103 with W, by the official definitions."""
    words = [0] * 121
    words[:4] = [0x5375, 0x6E53, 1, 65]
    for offset, text in ((4, b"SolarEdge "), (20, b"SE33.3K"), (52, b"00000000")):
        padded = text + bytes(len(text) % 2)
        words[offset : offset + len(padded) // 2] = struct.unpack(f">{len(padded) // 2}H", padded)
    words[69:71] = [103, 50]
    words[69 + 14 : 69 + 16] = [w // 10, 1]
    return [*words, 0xFFFF, 0]


async def test_nobody_guesses_a_meters_sign(at: At, here: Here) -> None:
    _, out, _ = await here("scan", at("meter"))
    poc = rows_of(out)["poc"]
    assert poc["sign"] is None
    assert poc.items() >= {"kind": "sunspec_meter", "serial": "1005"}.items()
    assert re.search(r"# 1: its W is positive for export; -1: .*it reads [\d,]+ W now$", out, re.M)


async def test_a_unit_with_several_sections_shows_each_with_what_tells_it_from_the_others(at: At, here: Here) -> None:
    code, out, _ = await here("scan", at("many"))
    lines = out.splitlines()
    assert code == 0
    for number, opt in ((1, "no Opt"), (2, "Opt 'Production'"), (3, "Opt 'Export+Import'")):
        [line] = [line for line in lines if line.startswith(f"section {number} (")]
        assert opt in line and f"serial 1007-{number}" in line
        assert re.search(r"(103|203): [\d,-]+ W, [\d,]+ V", line)
    assert sum(line.startswith("as sunspec_meter, section ") for line in lines) == 2


async def test_the_rows_name_the_section_where_it_is_needed_and_are_taken(at: At, here: Here, tmp_path: Path) -> None:
    _, out, _ = await here("scan", at("many"))
    rows = rows_of(out)
    assert "section" not in rows["ders"][0], "one inverter"
    assert (rows["poc"]["section"], rows["poc"]["serial"]) == (3, "1007-3")
    [other] = [line for line in out.splitlines() if line.startswith("# or poc:")]
    assert yaml.safe_load(other.removeprefix("# or "))["poc"]["section"] == 2
    rows["poc"]["sign"] = 1
    rows["ders"][0]["rating"]["p_max_w"] = 10000
    site = {"id": "house", "v_nom_v": 230, "f_nom_hz": 50, "state_dir": str(tmp_path), "socket": str(tmp_path / "s")}
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "site": site, **rows}))
    code, _, err = await here("check", "-c", str(path))
    assert (code, err) == (0, "")


async def test_as_json_each_section_has_its_identity_and_its_kinds(at: At, here: Here) -> None:
    found = json.loads((await here("scan", at("many"), "--json"))[1])
    assert [(each["section"], each["opt"], each["models"]) for each in found["sections"]] == [
        (1, "", [1, 103]),
        (2, "Production", [1, 203]),
        (3, "Export+Import", [1, 203]),
    ]
    assert [each["identity"]["serial"] for each in found["sections"]] == ["1007-1", "1007-2", "1007-3"]
    assert [*found["sections"][2]["kinds"]] == ["sunspec_meter"]
    assert "2 sections of this unit hold a meter" in found["kinds"]["sunspec_meter"]["text"]
    alone = json.loads((await here("scan", at("meter"), "--json"))[1])
    assert [each["section"] for each in alone["sections"]] == [1]


async def test_read_says_in_which_section_a_model_stands(at: At, here: Here) -> None:
    _, out, _ = await here("read", at("many"), "203")
    assert re.findall(r"^203 .*, section (\d)$", out, re.M) == ["2", "3"]
    tables = json.loads((await here("read", at("many"), "--json"))[1])
    assert [table["section"] for table in tables] == [1, 1, 2, 2, 3, 3]
    assert ", section" not in (await here("read", at("meter"), "203"))[1]


async def test_a_profile_is_proposed_by_maker_and_model_and_says_what_it_would_do(
    called: Called, at: At, here: Here
) -> None:
    called(Mn="KOSTAL", Md="PLENTICORE plus5.5")
    _, out, err = await here("scan", at("pv1"), "--progress")
    assert rows_of(out)["ders"][0]["profile"] == "kostal"
    later = answers_of(err)[9:]  # after the headers and model 1, which say whose device it is
    assert 0 < max(count for _, count in later) <= 60


def test_a_device_that_takes_its_time_gets_the_time_in_the_site_file() -> None:
    row = {"usable": True, "role": "bms", "text": "reads", "rating": {"p_min_w": 0.0}, "can": {"battery": None}}
    seen = Seen(section=Section(index=1, common=None, blocks=()))
    use = Use(kind="sunspec_bms", row=row, seen=seen, needed=False)
    for slowest_s, more in ((0.2, {}), (1.4, {"timeout_s": 3.0})):
        pulse = Pulse(unit=1, lines=False, answers=12, slowest_s=slowest_s)
        rows = site_rows(endpoint("h"), 1, [use], Profile(), pulse)
        [bus] = yaml.safe_load("\n".join(rows[:2]))["buses"]
        assert bus == {"id": "lan1", "tcp": {"host": "h", "port": 502}} | more


def seen_as(index: int, kind: str, *, stores: bool = False, several: bool = True) -> Use:
    """A section that can be used as this kind."""
    rating = {"p_min_w": -3000.0 if stores else 0.0}
    can: dict[str, Any] = {"battery": {} if kind == "sunspec_storage" else None}
    row = {"usable": True, "role": "der", "text": "", "rating": rating, "can": can, "now_w": 1.0}
    identity = Identity(serial=f"S{index}")
    seen = Seen(section=Section(index=index, common=None, blocks=()), identity=identity)
    return Use(kind=kind, row=row, seen=seen, needed=several)


def test_each_inverter_of_a_unit_gets_its_row_once_and_one_that_stores_as_a_battery() -> None:
    uses = [
        seen_as(1, "sunspec_pv"),
        seen_as(2, "sunspec_pv"),
        seen_as(3, "sunspec_pv"),
        seen_as(2, "sunspec_storage", stores=True),
    ]
    pulse = Pulse(unit=1, lines=False, answers=12, slowest_s=0.1)
    rows = yaml.safe_load("\n".join(site_rows(endpoint("h"), 1, uses, Profile(), pulse)))["ders"]
    assert [(row["id"], row["kind"], row["section"], row["serial"]) for row in rows] == [
        ("pv1", "sunspec_pv", 1, "S1"),
        ("bat1", "sunspec_storage", 2, "S2"),
        ("pv2", "sunspec_pv", 3, "S3"),
    ]
