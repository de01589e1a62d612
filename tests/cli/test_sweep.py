"""`scan` over several places: who is found, what is said where nobody is, and that nothing is written."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from derctl.cli.sought import sought
from derctl.links import mdns
from hil.rig import Rig
from hil.scenario import parse
from tests.cli.calls import At, Here, Speaking

FAST = ("--timeout", "0.3")


def told(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out)
    return found


async def test_a_sweep_finds_each_unit_of_each_place_and_writes_nothing(at: At, rig: Rig, here: Here) -> None:
    places = [at(name) for name in ("pv1", "pv2", "bat", "meter")]
    code, out, _ = await here("scan", *places, "--units", "1-3", "--json", *FAST)
    found = told(out)["found"]
    assert code == 0
    assert {(each["place"], each["unit"], each["uses"][0]["kind"], each["uses"][0]["serial"]) for each in found} == {
        (at("pv1"), 1, "sunspec_pv", "1001"),
        (at("pv2"), 1, "sunspec_pv", "1002"),
        (at("bat"), 1, "sunspec_storage", "1003"),
        (at("bat"), 2, "sunspec_bms", "1004"),
        (at("meter"), 1, "sunspec_meter", "1005"),
    }
    assert {each["uses"][0]["serial"]: each["profile"] for each in found}["1002"] == "generic_7xx"
    assert [unit.count.writes for unit in rig.units.values()] == [0] * len(rig.units)
    assert {rig.endpoints[name].connects for name in ("pv1", "pv2", "bat", "meter")} == {1}, "one connection each"


async def test_a_sweep_says_which_fallback_works_there_and_why(at: At, here: Here) -> None:
    """SunSpec's 123 has WMaxLimPct_RvrtTms and no target for it; 704 has WMaxLimPctRvrt, where it goes to."""
    _, out, _ = await here("scan", at("pv1"), at("pv2"), "--units", "1", *FAST)
    blocks = " ".join(out.replace("#", " ").split())
    assert "fallback.by stands: the timer of model 123 lets go of the limit" in blocks
    assert "fallback.by reversion: the timer of model 704 goes to a target" in blocks
    rows = [line for line in out.splitlines() if line.startswith("  - {id: pv")]
    assert "by: stands" in rows[0] and "rating: {p_max_w: 5000}" in rows[0]
    assert "by: reversion" in rows[1] and "id: pv2" in rows[1]
    assert "nothing written" in out
    assert "derctl init" in out


async def test_a_device_that_answers_under_any_unit_is_one(here: Here, at: At, rig: Rig) -> None:
    units = rig.endpoints["pv1"].units
    units |= dict.fromkeys(range(2, 10), units[1])
    code, out, _ = await here("scan", at("pv1"), "--units", "1-9", "--json", *FAST)
    [found] = told(out)["found"]
    assert code == 0
    assert (found["unit"], found["also"]) == (1, [2, 3])


async def test_where_nobody_listens_the_scan_says_what_to_try(here: Here) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
    code, out, err = await here("scan", place, "--units", "1-2", *FAST)
    assert code == 69
    assert "connection refused" in out and "next: " in out and "Is Modbus TCP on" in " ".join(out.split())
    assert "at most about" in err


async def test_who_takes_the_connection_and_says_nothing_is_named(here: Here, speaking: Speaking) -> None:
    place = await speaking(lambda request: None)
    code, out, _ = await here("scan", place, "--units", "1-2", "--timeout", "0.1")
    said = " ".join(out.split())
    assert code == 69
    assert f"{place} takes the connection and says nothing" in said and "only connection" in said
    code, out, _ = await here("scan", place, "--units", "1", "--timeout", "0.1", "--json")
    assert (code, told(out)["silent"]) == (69, [place])


async def test_what_answers_and_is_not_understood_is_named(here: Here, speaking: Speaking) -> None:
    place = await speaking(lambda request: bytes([request[7] | 0x80, 2]))
    code, out, _ = await here("scan", place, "--units", "4", *FAST)
    assert code == 69
    assert f"! {place} unit 4: " in out and "signature of any register map" in " ".join(out.split())


async def test_a_gateway_that_answers_for_nobody_is_no_device(here: Here, speaking: Speaking) -> None:
    place = await speaking(lambda request: bytes([request[7] | 0x80, 0x0B]))
    code, out, _ = await here("scan", place, "--units", "1-3", "--json", *FAST)
    assert (code, told(out)["found"], told(out)["odd"]) == (69, [], [])


async def test_unit_1_alone_is_asked_of_one_place_and_the_others_are_pointed_to(
    here: Here, speaking: Speaking
) -> None:
    place = await speaking(lambda request: None)
    _, _, err = await here("scan", place, "--timeout", "0.1")
    assert f"derctl scan {place} --units usual" in err
    _, _, err = await here("scan", place, "-u", "1", "--timeout", "0.1")
    assert "--units usual" not in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "say where: "),
        (("10.0.0.0/8",), "16,777,216 addresses"),
        (("10.0.0.9-3",), "no range"),
        (("tls://10.0.0.1", "--units", "1-3"), "over TLS is looked at alone"),
        (("10.0.0.1", "--units", "0-999"), "not in 0 to 255"),
        (("10.0.0.1", "--units", "x"), "no list of numbers"),
        (("10.0.0.1", "--parities", "odd,9"), "no list of none, even, odd"),
    ],
)
async def test_a_word_that_makes_no_sense_is_refused(
    here: Here, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        await here("scan", *words)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_a_range_of_addresses_is_each_of_them_and_a_host_each_of_its_ports() -> None:
    assert sought("10.0.0.0/30").hosts == ("10.0.0.1", "10.0.0.2")
    assert sought("10.0.0.9-11").hosts == ("10.0.0.9", "10.0.0.10", "10.0.0.11")
    assert sought("10.0.0.254-10.0.1.1:1502") == sought("10.0.0.254-1.1:1502") or sought("10.0.0.254-1.1:1502").hosts
    assert sought("10.0.0.254-10.0.1.1:1502").hosts == ("10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1")
    assert sought("10.0.0.254-10.0.1.1:1502").port == 1502
    assert (sought("inverter").hosts, sought("inverter").exact) == (("inverter",), False)
    assert sought("inverter:1502").exact
    assert (sought("/dev/ttyUSB0").exact, sought("/dev/ttyUSB0:19200").exact) == (False, True)


@pytest.fixture
async def line() -> AsyncIterator[Rig]:
    devices = [{"id": "pv", "face": "pv_1xx", "endpoint": "line", "unit": 3, "serial": "31"}]
    made = Rig(
        parse({"name": "line", "plant": {"loads": {}}, "serial": {"line": {"baud": 19200}}, "devices": devices})
    )
    await made.start()
    yield made
    await made.stop()


async def test_a_serial_port_is_tried_at_each_baud_rate_until_somebody_answers(line: Rig, here: Here) -> None:
    code, out, _ = await here("scan", str(line.ports()["line"]), "--units", "2,3", "--json")
    [found] = told(out)["found"]
    assert code == 0
    assert found["place"] == f"{line.ports()['line']}:19200"
    assert (found["unit"], found["wire"]["rtu"]["baud"]) == (3, 19200)
    assert line.units["pv"].count.writes == 0


async def test_a_serial_port_where_nobody_answers_gets_its_own_advice(line: Rig, here: Here) -> None:
    code, out, _ = await here(
        "scan", str(line.ports()["line"]), "--units", "9", "--bauds", "9600", "--timeout", "0.1"
    )
    said = " ".join(out.split())
    assert code == 69
    assert "nobody answers on" in said and "A and B swapped" in said and "--bauds" in said


def answer_of(name: str, host: bytes, port: int) -> bytes:
    """A response as RFC 6762 has it: PTR, SRV and A, names shortened as RFC 1035, 4.1.4."""
    service = b"\x07_modbus\x04_tcp\x05local\x00"
    head = bytes.fromhex("0000 8400 0000 0003 0000 0000".replace(" ", ""))
    instance = bytes([len(name)]) + name.encode() + b"\xc0\x0c"
    ptr = service + bytes.fromhex("000c 0001 00000078".replace(" ", "")) + len(instance).to_bytes(2) + instance
    where = 12 + len(service) + 10
    target = b"\x02gx\xc0" + bytes([12 + 13])
    srv = b"\xc0" + bytes([where]) + bytes.fromhex("0021800100000078")
    srv += (6 + len(target)).to_bytes(2) + b"\0\0\0\0" + port.to_bytes(2) + target
    a = b"\x02gx\x05local\x00" + bytes.fromhex("0001800100000078") + b"\0\x04" + host
    return head + ptr + srv + a


def test_who_announces_himself_is_read_from_the_message() -> None:
    message = answer_of("meter", bytes([10, 0, 0, 7]), 1502)
    assert mdns.answered(message, "10.0.0.99") == [mdns.Announced(host="10.0.0.7", port=1502, name="meter")]
    for end in range(len(message)):
        assert len(mdns.answered(message[:end], "10.0.0.99")) <= 1
    assert mdns.answered(b"\xc0\x0c" * 40, "x") == []
    assert mdns.answered(message[:2] + b"\0\0" + message[4:], "x") == [], "a question is no answer"


async def test_one_question_is_heard_and_its_answer_taken() -> None:
    heard: list[bytes] = []

    class Device(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            heard.append(data)
            self.transport.sendto(answer_of("meter", bytes([127, 0, 0, 1]), 502), addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Device, local_addr=("127.0.0.1", 0))
    try:
        found = await asyncio.to_thread(mdns.announced, transport.get_extra_info("sockname"), 0.5)
    finally:
        transport.close()
    assert [(each.host, each.port) for each in found] == [("127.0.0.1", 502)]
    assert heard[0].endswith(b"\x07_modbus\x04_tcp\x05local\x00\x00\x0c\x00\x01")
