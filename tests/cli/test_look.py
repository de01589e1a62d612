"""`scan` and `read` on simulated devices, beside pysunspec2's own TCP client."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
import socket
import struct
from importlib import resources

import pytest
import sunspec2.modbus.client
import yaml

from derctl.cli.look import Pulse, add_endpoint, ask, endpoint
from derctl.cli.scan import _site_rows
from derctl.core.exchange import Write
from derctl.devices import Identity, Profile
from derctl.links.wires.wire import ReadOnly

ENDPOINTS = [("pv1", 1), ("pv2", 1), ("bat", 1), ("bat", 2), ("meter", 1)]


def address(rig, name):
    return f"127.0.0.1:{rig.ports()[name]}"


def flat(group, prefix=""):
    """pysunspec2's cvalues by the paths that derctl prints."""
    values = {prefix + name: point.cvalue for name, point in group.points.items()}
    for name, inner in group.groups.items():
        for index, instance in enumerate(inner if isinstance(inner, list) else [inner]):
            values |= flat(instance, f"{prefix}{name}[{index}].")
    return values


def by_pysunspec2(port, unit):
    """[(model id, values)] as the other client reads them."""
    device = sunspec2.modbus.client.SunSpecModbusClientDeviceTCP(slave_id=unit, ipaddr="127.0.0.1", ipport=port)
    try:
        device.scan()
        models = [model for key, found in device.models.items() if isinstance(key, int) for model in found]
        for model in models:
            model.read()
        return sorted((model.model_id, flat(model)) for model in models)
    finally:
        device.close()


@pytest.mark.parametrize(("name", "unit"), ENDPOINTS)
async def test_read_gives_what_pysunspec2_reads_from_the_same_server(rig, here, name, unit):
    code, out, err = await here("read", address(rig, name), "-u", str(unit), "--json")
    assert (code, err) == (0, "")
    ours = {table["model"]: {row["path"]: row["value"] for row in table["points"]} for table in json.loads(out)}
    theirs = dict(await asyncio.to_thread(by_pysunspec2, rig.ports()[name], unit))
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
async def test_scan_says_who_is_there_and_as_what_it_can_be_configured(rig, here, name, unit, kind, says):
    code, out, _ = await here("scan", address(rig, name), "-u", str(unit))
    assert code == 0
    serial = {("pv1", 1): "1001", ("pv2", 1): "1002", ("bat", 1): "1003", ("bat", 2): "1004", ("meter", 1): "1005"}
    assert f"serial {serial[name, unit]}" in out.splitlines()[0]
    [line] = [line for line in out.splitlines() if line.startswith(f"as {kind}:")]
    assert says in line


async def test_scan_as_json_carries_chain_rating_and_what_it_can_be_given(rig, here):
    code, out, _ = await here("scan", address(rig, "pv2"), "--json")
    found = json.loads(out)
    theirs = await asyncio.to_thread(by_pysunspec2, rig.ports()["pv2"], 1)
    assert code == 0
    assert found["base"] == 0
    assert sorted(block["model"] for block in found["models"]) == [model_id for model_id, _ in theirs]
    assert found["kinds"]["sunspec_pv"]["rating"]["p_max_w"] == dict(theirs)[702]["WMax"]
    assert found["kinds"]["sunspec_pv"]["can"]["ac"] == {"limit": True, "aim": False, "var": True}


async def test_read_shows_one_model_when_asked_for_one(rig, here):
    code, out, _ = await here("read", address(rig, "meter"), "203")
    assert code == 0
    assert "serial 1005" in out.splitlines()[0]
    assert out.splitlines()[0].endswith("unit 1  base 40000")
    assert out.splitlines()[1].startswith("203 ")
    [row] = [line.split() for line in out.splitlines() if line.strip().startswith("W ")]
    assert row[-1] == "W"


async def test_what_is_not_implemented_is_shown_only_when_asked_for(rig, here):
    _, short, _ = await here("read", address(rig, "pv1"), "120")
    _, whole, _ = await here("read", address(rig, "pv1"), "120", "--all")
    assert "WHRtg " not in short
    [row] = [line.split() for line in whole.splitlines() if line.strip().startswith("WHRtg ")]
    assert row[1:3] == ["65535", "-"]


async def test_the_verbs_that_look_write_nothing(rig, here, outside):
    for name, unit in ENDPOINTS:
        assert (await here("scan", address(rig, name), "-u", str(unit)))[0] == 0
        assert (await here("read", address(rig, name), "-u", str(unit)))[0] == 0
    code, _, _ = await asyncio.to_thread(outside, "read", address(rig, "pv1"), "--json")
    assert code == 0
    for unit in [rig.units[name] for name in ("pv1", "pv2", "bat1", "bms1", "meter")]:
        assert unit.count.requests > 0
        assert unit.count.writes == 0
        assert unit.log == []


async def test_what_a_program_reads_is_json_whatever_the_registers_hold(rig, here):
    """Text, floats that are no number, models without a definition."""
    rig.units["pv1"].face.bank.image(1).put("SN", None)
    for name, unit in ENDPOINTS:
        _, out, _ = await here("read", address(rig, name), "-u", str(unit), "--json")
        for table in json.loads(out, parse_constant=pytest.fail):
            assert table["points"]
            assert all(row.keys() == {"path", "raw", "value", "unit", "name"} for row in table["points"])


async def lines_of(here, *words):
    """The rows that `read` prints, by path: the words behind it."""
    _, out, _ = await here("read", *words)
    rows = [line.split() for line in out.splitlines() if line.startswith("  ")]
    return {row[0]: row[1:] for row in rows}


async def test_an_enumeration_and_a_bitfield_have_names(rig, here):
    """Words of the official model definitions."""
    bank = rig.units["bat1"].face.bank
    bank.image(701).put_raw("InvSt", 2)
    bank.image(701).put_raw("Alrm", 1 << 1 | 1 << 4 | 1 << 30)
    bank.publish()
    rows = await lines_of(here, address(rig, "bat"), "701")
    definition = json.loads((resources.files("sunspec2") / "models/json/model_701.json").read_text())
    points = {point["name"]: point for point in definition["group"]["points"]}
    alarms = {symbol["value"]: symbol["name"] for symbol in points["Alrm"]["symbols"]}
    assert rows["InvSt"] == ["2", "2", "STARTING"]
    assert " ".join(rows["Alrm"][2:]) == f"{alarms[1]}, {alarms[4]}, bit 30"
    _, out, _ = await here("read", address(rig, "bat"), "701", "--json")
    [table] = json.loads(out)
    [row] = [row for row in table["points"] if row["path"] == "InvSt"]
    assert row == {"path": "InvSt", "raw": 2, "value": 2, "unit": "", "name": "STARTING"}


async def test_the_points_of_a_group_that_repeats_have_units_too(rig, here):
    rows = await lines_of(here, address(rig, "pv2"), "705", "711")
    assert rows["Crv[0].Pt[0].V"][-1] == "VNomPct"
    assert rows["Crv[0].RspTms"][-1] == "Secs"
    assert rows["Ctl[0].DbOf"][-1] == "Hz"


def called(rig, **words):
    """pv1 calls itself so."""
    bank = rig.units["pv1"].face.bank
    for name, text in words.items():
        bank.image(1).put(name, text)
    bank.publish()


async def test_what_a_device_calls_itself_does_not_reach_the_terminal_as_it_is(rig, here):
    """Escape sequences, a line break, a right-to-left mark."""
    called(rig, Md="\x1b[2Jx\r\n", SN="12\u202e34")
    for verb in ("scan", "read"):
        code, out, _ = await here(verb, address(rig, "pv1"))
        assert code == 0
        assert all(line.isprintable() for line in out.splitlines())
        assert "[2Jx" in out.splitlines()[0]


def answers_of(err):
    """(address, count) of each answer that --progress told."""
    return [tuple(map(int, line.split("s")[0].split()[1:4:2])) for line in err.splitlines()]


async def test_a_scan_asks_nothing_twice_and_walks_the_chain_once(rig, here):
    code, _, err = await here("scan", address(rig, "pv1"), "--progress")
    asked = answers_of(err)
    assert code == 0
    assert len({*asked}) == len(asked) == rig.units["pv1"].count.requests
    assert [pair for pair in asked if pair[1] == 2] == [(40000, 2), *((a, 2) for a in HEADERS)]
    assert len(asked) <= 15


HEADERS = [40002, 40070, 40122, 40150, 40182, 40228, 40254]
"""pv1's models 1, 103, 120, 121, 122, 123 and the end, from their lengths in the definitions."""


async def test_progress_is_told_while_it_works_only_where_it_is_wanted(rig, here, monkeypatch):
    assert (await here("scan", address(rig, "meter")))[2] == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    _, _, err = await here("scan", address(rig, "meter"))
    assert "asking for 2 registers at 40070" in err
    assert err.endswith("\r\x1b[K")


async def test_a_scan_says_as_what_a_device_cannot_be_used_and_why(rig, here):
    _, out, _ = await here("scan", address(rig, "pv1"))
    lines = {line.partition(":")[0]: line.partition(": ")[2] for line in out.splitlines() if "as sunspec_" in line}
    assert {*lines} == {"as sunspec_pv", "not as sunspec_storage", "not as sunspec_meter", "not as sunspec_bms"}
    assert "charge" in lines["not as sunspec_storage"]
    assert lines["not as sunspec_meter"] == "it answers as an inverter (model 103)"


def rows_of(out):
    """The site file's rows as scan prints them."""
    return yaml.safe_load(out.partition("for the site file:\n")[2])


@pytest.mark.parametrize(("name", "kind", "who"), [("pv1", "sunspec_pv", "pv1"), ("bat", "sunspec_storage", "bat1")])
async def test_the_rows_for_the_site_file_are_taken_by_it(rig, here, tmp_path, name, kind, who):
    _, out, _ = await here("scan", address(rig, name))
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
async def test_a_serial_stands_in_the_rows_as_it_is(rig, here, serial):
    called(rig, SN=serial)
    _, out, _ = await here("scan", address(rig, "pv1"))
    assert rows_of(out)["ders"][0]["serial"] == serial


async def test_nobody_guesses_a_meters_sign(rig, here):
    _, out, _ = await here("scan", address(rig, "meter"))
    poc = rows_of(out)["poc"]
    assert poc["sign"] is None
    assert poc.items() >= {"kind": "sunspec_meter", "serial": "1005"}.items()
    assert re.search(r"# 1: its W is positive for export; -1: .*it reads [\d,]+ W now$", out, re.M)


async def test_a_profile_is_proposed_by_maker_and_model_and_says_what_it_would_do(rig, here):
    called(rig, Mn="KOSTAL", Md="PLENTICORE plus5.5")
    _, out, err = await here("scan", address(rig, "pv1"), "--progress")
    assert rows_of(out)["ders"][0]["profile"] == "kostal"
    later = answers_of(err)[9:]  # after the headers and model 1, which say whose device it is
    assert 0 < max(count for _, count in later) <= 60


def test_a_device_that_takes_its_time_gets_the_time_in_the_site_file():
    rating, can = {"p_min_w": 0.0}, {"battery": None}
    kinds = {"sunspec_bms": {"usable": True, "role": "bms", "text": "reads", "rating": rating, "can": can}}
    for slowest_s, row in ((0.2, {}), (1.4, {"timeout_s": 3.0})):
        pulse = Pulse(unit=1, lines=False, answers=12, slowest_s=slowest_s)
        rows = _site_rows(endpoint("h"), 1, Identity(), kinds, Profile(), pulse)
        [bus] = yaml.safe_load("\n".join(rows[:2]))["buses"]
        assert bus == {"id": "lan1", "tcp": {"host": "h", "port": 502}} | row


@pytest.fixture
async def speaking():
    """`await speaking(answer)`: where a server is that answers each request's 12 bytes so; None is no answer."""
    servers, writers = [], []

    async def start(answer, delay_s=0.0):
        async def serve(reader, writer):
            writers.append(writer)
            while head := await reader.read(12):
                await asyncio.sleep(delay_s)
                writer.write(answer(head) or b"")

        servers.append(await asyncio.start_server(serve, "127.0.0.1", 0))
        return f"127.0.0.1:{servers[-1].sockets[0].getsockname()[1]}"

    yield start
    for each in (*servers, *writers):
        each.close()
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


MARKER = b"\x03\x04SunS"


def framed(head, pdu, transaction=None):
    start = head[:2] if transaction is None else struct.pack(">H", transaction)
    return start + head[2:4] + struct.pack(">HB", len(pdu) + 1, head[6]) + pdu


async def test_a_device_that_is_later_than_the_deadline_is_not_called_silent(speaking, here):
    place = await speaking(lambda head: framed(head, MARKER), delay_s=0.3)
    code, _, err = await here("scan", place, "--timeout", "0.2")
    assert code == 69
    late = r"no answer within 0\.2 s, but one came after 0\.[34] s: the deadline is too short$"
    assert re.search(late, readable(err).strip())
    assert "unit id" not in err


async def test_a_gateway_that_counts_for_itself_is_told_once(speaking, here):
    """kellerza/sunsynk#680: the transaction id of the answer never matches."""
    place = await speaking(lambda head: framed(head, MARKER, transaction=777))
    _, _, err = await here("scan", place, "--timeout", "0.2")
    assert readable(err).count("but one came under transaction 777 for 1") == 1


@pytest.mark.parametrize("verb", ["scan", "read"])
async def test_a_device_without_sunspec_is_said_to_be_one(speaking, here, verb):
    place = await speaking(lambda head: framed(head, b"\x83\x02"))
    code, out, err = await here(verb, place)
    assert (code, out) == (69, "")
    assert readable(err).startswith(f"{place} unit 1: answers Modbus, but has no SunSpec map: exception 2 at ")
    assert err.count("exception") == 1
    assert "40000, 0, 50000, 1, 4096" in err


async def test_a_map_that_begins_and_cannot_be_followed_is_not_called_missing(speaking, here):
    place = await speaking(lambda head: framed(head, MARKER if head[8:10] == b"\x9c\x40" else b"\x83\x02"))
    _, _, err = await here("scan", place)
    assert "40000: SunS, but 40002: " in readable(err)
    assert "no SunSpec map" not in err


async def test_a_device_that_falls_silent_is_not_asked_for_its_unit_id(speaking, here):
    answers = iter([MARKER, b"\x03\x04\x00\x01\x00\x42"])

    def answer(head):
        pdu = next(answers, None)
        return None if pdu is None else framed(head, pdu)

    code, _, err = await here("scan", await speaking(answer), "--timeout", "0.3")
    assert code == 69
    assert "no answer within 0.3 s" in readable(err)
    assert "of 2 answers before" in err
    assert "unit id" not in err


async def test_no_text_of_a_device_commands_the_terminal(rig, here):
    bank = rig.units["pv1"].face.bank
    bank.image(1).put("Mn", "Ma\x1b]0;owned\x07\nforged: line")
    bank.publish([1])
    for verb in ("read", "scan"):
        _, out, _ = await here(verb, address(rig, "pv1"), *(["1"] if verb == "read" else []))
        assert "Ma?]0;owned? forged: line" in out
        assert all(line.isprintable() for line in out.splitlines())


async def test_a_read_only_wire_cannot_write():
    with pytest.raises(TypeError):
        await ReadOnly(None).request(1, Write(address=1, values=(1,)))


def limiting():
    yield Write(address=40233, values=(0, 0, 0, 0, 1))


async def test_even_a_driver_that_wants_to_write_cannot_through_a_verb_that_looks(rig):
    parser = argparse.ArgumentParser()
    add_endpoint(parser)
    args = parser.parse_args([address(rig, "pv1")])
    with pytest.raises(TypeError, match="read-only"):
        await asyncio.to_thread(ask, args, limiting())
    assert rig.units["pv1"].log == []


async def test_looking_leaves_no_connection_behind(rig, here):
    """SolarEdge serves one client and keeps a lost one's place for two minutes."""
    for _ in range(3):
        code, out, _ = await here("scan", address(rig, "solo"))
        assert code == 0, out


def readable(err):
    """One line, short enough to be read, without a traceback."""
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return err


async def test_a_host_that_refuses_is_named_with_its_port_and_the_reason(here):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    for verb in ("scan", "read"):
        code, out, err = await here(verb, f"127.0.0.1:{port}", "--timeout", "0.3")
        assert (code, out) == (69, "")
        assert readable(err) == f"127.0.0.1:{port}: connection refused: is Modbus TCP enabled in the inverter?\n"


async def test_a_host_that_does_not_exist_is_named(here):
    code, _, err = await here("scan", "no-such-host.invalid", "--timeout", "0.3")
    assert code == 69
    assert readable(err).startswith("no-such-host.invalid:502: ")
    assert "host" in err.removeprefix("no-such-host.invalid:502: ")


async def test_a_host_that_accepts_and_stays_silent_is_named_with_the_unit(here):
    quiet = []
    server = await asyncio.start_server(lambda _, writer: quiet.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    code, _, err = await here("scan", f"127.0.0.1:{port}", "-u", "7", "--timeout", "0.2")
    assert code == 69
    assert f"127.0.0.1:{port} unit 7" in readable(err)
    assert "0.2 s" in err
    assert "unit id" in err
    server.close()
    for writer in quiet:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_a_wrong_unit_is_said_to_be_one(rig, here):
    code, _, err = await here("scan", address(rig, "pv1"), "-u", "9")
    assert code == 69
    assert address(rig, "pv1") in readable(err)
    assert "no such unit: 9" in err
    assert "SMA 126" in err


async def test_a_wrong_base_says_what_stood_there(rig, here):
    """No "SunS" is reported as such, and nothing is guessed."""
    code, _, err = await here("scan", address(rig, "pv1"), "--base", "40001")
    assert code == 69
    assert "0x6E53 0x0001 at 40001" in readable(err)  # the marker's second half and model 1's id


async def test_a_model_that_is_not_there_is_named_with_those_that_are(rig, here):
    code, _, err = await here("read", address(rig, "pv1"), "704")
    assert code == 69
    assert "704" in readable(err)
    assert "103" in err


@pytest.mark.parametrize(
    "words",
    [
        ["scan"],
        ["scan", "host:port"],
        ["scan", "host:0"],
        ["scan", "host:70000"],
        ["scan", ":502"],
        ["scan", "::1"],
        ["scan", "h", "-u", "256"],
        ["scan", "h", "-u", "-1"],
        ["scan", "h", "-u", "one"],
        ["scan", "h", "--base", "70000"],
        ["scan", "h", "--max-regs", "0"],
        ["scan", "h", "--max-regs", "126"],
        ["scan", "h", "--timeout", "0"],
        ["scan", "h", "--timeout", "nan"],
        ["read", "h", "W"],
    ],
)
def test_a_command_line_that_makes_no_sense_ends_with_2_before_any_connection(outside, words):
    code, out, err = outside(*words)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert words[-1] in err


@pytest.mark.parametrize(
    ("text", "name"),
    [("h", "h:502"), ("h:1502", "h:1502"), ("[::1]:1502", "[::1]:1502"), ("[::1]", "[::1]:502")],
)
def test_an_endpoint_is_a_host_and_perhaps_a_port(text, name):
    assert endpoint(text).name == name
