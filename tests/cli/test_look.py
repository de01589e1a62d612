"""What `scan` and `read` share: they write nothing, and say what goes wrong at the cabinet."""

from __future__ import annotations

import argparse
import asyncio
import re
import socket
import struct
from dataclasses import replace
from typing import Any, cast

import pytest

from derctl.cli.look import add_endpoint, ask, endpoint
from derctl.core.exchange import Write
from derctl.errors import WriteBarred
from derctl.links.wires.wire import ReadOnly
from hil.faces.bank import Refused
from hil.rig import Rig
from tests.cli.calls import At, Here, Outside, Speaking

ENDPOINTS = [("pv1", 1), ("pv2", 1), ("bat", 1), ("bat", 2), ("meter", 1)]


async def test_the_verbs_that_look_write_nothing(
    at: At,
    rig: Rig,
    here: Here,
    outside: Outside,
) -> None:
    for name, unit in ENDPOINTS:
        assert (await here("scan", at(name), "-u", str(unit)))[0] == 0
        assert (await here("read", at(name), "-u", str(unit)))[0] == 0
    code, _, _ = await asyncio.to_thread(outside, "read", at("pv1"), "--json")
    assert code == 0
    for device in [rig.units[name] for name in ("pv1", "pv2", "bat1", "bms1", "meter")]:
        assert device.count.requests > 0
        assert device.count.writes == 0
        assert device.log == []


async def test_no_text_of_a_device_commands_the_terminal(at: At, rig: Rig, here: Here) -> None:
    bank = rig.units["pv1"].face.bank
    bank.image(1).put("Mn", "Ma\x1b]0;owned\x07\nforged: line")
    bank.publish([1])
    for verb in ("read", "scan"):
        _, out, _ = await here(verb, at("pv1"), *(["1"] if verb == "read" else []))
        assert "Ma?]0;owned? forged: line" in out
        assert all(line.isprintable() for line in out.splitlines())


async def test_a_read_only_wire_cannot_write() -> None:
    with pytest.raises(TypeError):
        await ReadOnly(cast(Any, None)).request(1, Write(address=1, values=(1,)))


def limiting() -> Any:
    yield Write(address=40233, values=(0, 0, 0, 0, 1))


async def test_even_a_driver_that_wants_to_write_cannot_through_a_verb_that_looks(at: At, rig: Rig) -> None:
    parser = argparse.ArgumentParser()
    add_endpoint(parser)
    args = parser.parse_args([at("pv1")])
    with pytest.raises(WriteBarred, match="nobody permits"):
        await asyncio.to_thread(ask, args, limiting())
    assert rig.units["pv1"].log == []


async def test_looking_leaves_no_connection_behind(at: At, here: Here) -> None:
    """SolarEdge serves one client and keeps a lost one's place for two minutes."""
    for _ in range(3):
        code, out, _ = await here("scan", at("solo"))
        assert code == 0, out


MARKER = b"\x03\x04SunS"


async def test_a_device_that_is_later_than_the_deadline_is_not_called_silent(speaking: Speaking, here: Here) -> None:
    place = await speaking(lambda head: MARKER, delay_s=0.3)
    code, _, err = await here("scan", place, "--timeout", "0.2")
    assert code == 69
    late = r"within 0\.2 s, but answers arrive late, after 0\.[34] s: raise timeout_s to 1 \(here: --timeout\)$"
    assert re.search(late, readable(err).strip())
    assert "unit id" not in err


async def test_a_gateway_that_counts_for_itself_is_told_once(speaking: Speaking, here: Here) -> None:
    """kellerza/sunsynk#680: the transaction id of the answer never matches."""
    place = await speaking(lambda head: MARKER, transaction=777)
    _, _, err = await here("scan", place, "--timeout", "0.2")
    assert readable(err).count("but answers arrive under another transaction id (777 for 1)") == 1
    assert readable(err).strip().endswith("header: ignore_transaction (here: --header)")


async def test_a_device_that_takes_its_time_is_waited_for_and_its_time_told(speaking: Speaking, here: Here) -> None:
    """wlcrs/tmodbus#88: the deadline is the daemon's, and what the daemon needs is said."""
    place = await speaking(lambda head: MARKER if head[8:10] == b"\x9c\x40" else b"\x83\x02", delay_s=1.2)
    code, _, err = await here("scan", place, "--base", "40000")
    assert code == 69
    assert "40000: SunS, but 40002: exception 2" in err, "it was asked again, with a longer deadline"


async def test_what_a_bus_has_in_the_site_file_can_be_tried_by_a_scan(
    speaking: Speaking, here: Here, at: At, rig: Rig
) -> None:
    bank = rig.units["meter"].face.bank

    def answer(head: bytes) -> bytes:
        address, count = struct.unpack(">HH", head[8:])
        try:
            content = bank.read(address, count)
        except Refused as refused:
            return bytes((0x83, refused.code))
        return bytes((3, len(content))) + content

    place = await speaking(answer, transaction=1)
    code, out, _ = await here("scan", place, "--header", "ignore_transaction")
    assert code == 0, out
    assert "header: ignore_transaction" in out.partition("for the site file:")[2]


@pytest.mark.parametrize("verb", ["scan", "read"])
async def test_a_device_without_sunspec_is_said_to_be_one(speaking: Speaking, here: Here, verb: str) -> None:
    place = await speaking(lambda head: b"\x83\x02")
    code, out, err = await here(verb, place)
    assert (code, out) == (69, "")
    assert readable(err).startswith(f"{place} unit 1: answers Modbus, but has no SunSpec map: exception 2 at ")
    assert err.count("exception") == 1
    assert "40000, 0, 50000, 1, 4096" in err


async def test_a_map_that_begins_and_cannot_be_followed_is_not_called_missing(speaking: Speaking, here: Here) -> None:
    place = await speaking(lambda head: MARKER if head[8:10] == b"\x9c\x40" else b"\x83\x02")
    _, _, err = await here("scan", place)
    assert "40000: SunS, but 40002: " in readable(err)
    assert "no SunSpec map" not in err


async def test_a_device_that_falls_silent_is_not_asked_for_its_unit_id(speaking: Speaking, here: Here) -> None:
    answers = iter([MARKER, b"\x03\x04\x00\x01\x00\x42"])

    def answer(head: Any) -> Any:
        return next(answers, None)

    code, _, err = await here("scan", await speaking(answer), "--timeout", "0.3")
    assert code == 69
    assert "no answer within 0.3 s" in readable(err)
    assert "of 2 answers before" in err
    assert "unit id" not in err


def readable(err: Any) -> Any:
    """One line, short enough to be read, without a traceback."""
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return err


async def test_a_host_that_refuses_is_named_with_its_port_and_the_reason(
    here: Here,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    for verb in ("scan", "read"):
        code, out, err = await here(verb, f"127.0.0.1:{port}", "--timeout", "0.3")
        assert (code, out) == (69, "")
        assert readable(err) == f"127.0.0.1:{port}: connection refused: is Modbus TCP enabled in the inverter?\n"


async def test_a_host_that_does_not_exist_is_named(here: Here) -> None:
    code, _, err = await here("scan", "no-such-host.invalid", "-u", "1", "--timeout", "0.3")
    assert code == 69
    assert readable(err).startswith("no-such-host.invalid:502: ")
    assert "host" in err.removeprefix("no-such-host.invalid:502: ")


async def test_a_host_that_accepts_and_stays_silent_is_named_with_the_unit(
    here: Here,
) -> None:
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


async def test_a_wrong_unit_is_said_to_be_one(at: At, here: Here) -> None:
    code, _, err = await here("scan", at("pv1"), "-u", "9")
    assert code == 69
    assert at("pv1") in readable(err)
    assert "no such unit: 9" in err
    assert "SMA 126" in err


async def test_a_wrong_base_says_what_stood_there(at: At, here: Here) -> None:
    """No "SunS" is reported as such, and nothing is guessed."""
    code, _, err = await here("scan", at("pv1"), "--base", "40001")
    assert code == 69
    assert "0x6E53 0x0001 at 40001" in readable(err)  # the marker's second half and model 1's id


async def test_a_model_that_is_not_there_is_named_with_those_that_are(at: At, here: Here) -> None:
    code, _, err = await here("read", at("pv1"), "704")
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
def test_a_command_line_that_makes_no_sense_ends_with_2_before_any_connection(
    outside: Outside, words: list[str]
) -> None:
    code, out, err = outside(*words)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert words[-1] in err


@pytest.mark.parametrize(
    ("text", "name"),
    [("h", "h:502"), ("h:1502", "h:1502"), ("[::1]:1502", "[::1]:1502"), ("[::1]", "[::1]:502")],
)
def test_an_endpoint_is_a_host_and_perhaps_a_port(text: str, name: str) -> None:
    assert endpoint(text).name == name


async def test_a_device_of_short_reads_is_shown_like_any_other(at: At, rig: Rig, here: Here) -> None:
    plain = await here("read", at("pv2"), "1", "702", "705")
    face = rig.units["pv2"].face
    face.habits = replace(face.habits, max_regs=20)
    assert await here("read", at("pv2"), "1", "702", "705") == plain
    code, out, _ = await here("scan", at("pv2"))
    assert code == 0
    assert "it refuses 68 registers in one read: what is longer than 16 is read in parts" in out
