"""`scan` and `read` on simulated devices, beside pysunspec2's own TCP client."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import socket

import pytest
import sunspec2.modbus.client

from derctl.cli.look import add_endpoint, ask, endpoint
from derctl.core.exchange import Write
from derctl.links.wires.wire import ReadOnly
from derctl.site import wire_at

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
    assert out.splitlines()[0].startswith("203 ")
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
            assert all(row.keys() == {"path", "raw", "value", "unit"} for row in table["points"])


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
    assert "40001: 0x6E53 0x0001" in readable(err)  # the marker's second half and model 1's id


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
    place, _ = wire_at(endpoint(text), 1.0)
    assert place == name
