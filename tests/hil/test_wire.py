"""Every fault as a raw socket sees it, and the server's own manners."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hil.faults import NAMES, FaultBoard
from hil.frame_faults import ANSWER, REQUEST
from hil.register_faults import REGISTER
from hil.rig import Rig

MakeRig = Callable[..., Awaitable[Rig]]
SUNS = b"\x53\x75\x6e\x53"
TURN_S, PATIENCE, PAUSE = 0.005, 30, 8
"""Silence is so many turns of the loop without a byte: on a busy machine a turn takes longer, and the server, which
runs in the same loop, has as many of them. PATIENCE before the first byte, PAUSE between two."""


@dataclass
class Wire:
    """A client that hides nothing."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    tid: int = field(default=100)

    def frame(self, pdu: bytes, unit: int = 1) -> bytes:
        self.tid += 1
        return struct.pack(">HHHB", self.tid, 0, len(pdu) + 1, unit) + pdu

    async def ask(self, pdu: bytes, unit: int = 1) -> bytes:
        """All bytes that come back until it is silent or the end."""
        self.writer.write(self.frame(pdu, unit))
        return await self.all()

    async def all(self) -> bytes:
        received = b""
        while True:
            try:
                part = await self.within(PAUSE if received else PATIENCE)
            except ConnectionResetError:
                return received + b"RST"
            if not part:
                return received if part is None else received + b"FIN"
            received += part

    async def within(self, turns: int) -> bytes | None:
        """What comes in so many turns; b"" at the end; None: silence."""
        reading = asyncio.ensure_future(self.reader.read(4096))
        for _ in range(turns):
            if (await asyncio.wait({reading}, timeout=TURN_S))[0]:
                return await reading
        reading.cancel()
        await asyncio.wait({reading})
        return None if reading.cancelled() else reading.result()

    async def frames(self, pdu: bytes, unit: int = 1) -> tuple[int, int, int, bytes]:
        """(tid offset, length error, unit, pdu) of the one answer."""
        content = await self.ask(pdu, unit)
        tid, _, length, answered = struct.unpack_from(">HHHB", content)
        return tid - self.tid, length - (len(content) - 6), answered, content[7:]


async def until(true: Callable[[], Any]) -> None:
    """Wait for what must come at last."""
    async with asyncio.timeout(60.0):
        while not true():  # noqa: ASYNC110 the server's progress, which sets no event
            await asyncio.sleep(TURN_S)


def read(address: int, count: int, function: int = 3) -> bytes:
    return struct.pack(">BHH", function, address, count)


def write_one(address: int, value: int) -> bytes:
    return struct.pack(">BHH", 6, address, value)


def write_many(address: int, *values: int) -> bytes:
    return struct.pack(f">BHHB{len(values)}H", 16, address, len(values), 2 * len(values), *values)


SUNS_READ = read(40000, 2)


@pytest.fixture
async def site(make_rig: MakeRig) -> Any:
    return await make_rig(
        devices=({"id": "pv1", "face": "pv_1xx"}, {"id": "other", "face": "meter", "endpoint": "pv1", "unit": 7})
    )


OPENED: list[asyncio.StreamWriter] = []


async def dial(rig: Rig, name: str = "pv1") -> Wire:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.endpoint_of(name).port)
    OPENED.append(writer)
    return Wire(reader, writer)


@pytest.fixture(autouse=True)
async def hang_up() -> AsyncIterator[None]:
    """Closes what a test dialled."""
    yield
    for writer in OPENED:
        writer.transport.abort()
    OPENED.clear()
    await asyncio.sleep(0)


def point_at(rig: Rig, model: int, name: str, device: str = "pv1") -> int:
    bank = rig.units[device].face.bank
    image = bank.image(model)
    return bank.start[id(image)] + image.slots[name].at


# -- manners --------------------------------------------------------------------------------------------------------


async def test_a_read_answers_its_request(site: Rig) -> None:
    wire = await dial(site)
    assert await wire.frames(SUNS_READ) == (0, 0, 1, b"\x03\x04" + SUNS)


async def test_pipelined_requests_are_answered_in_order(site: Rig) -> None:
    wire = await dial(site)
    wire.writer.write(wire.frame(SUNS_READ) + wire.frame(read(40002, 1)) + wire.frame(SUNS_READ, 7))
    content = await wire.all()
    assert [content[0:2], content[13:15], content[24:26]] == [struct.pack(">H", n) for n in (101, 102, 103)]


async def test_a_request_may_come_byte_by_byte(site: Rig) -> None:
    wire = await dial(site)
    for byte in wire.frame(SUNS_READ):
        wire.writer.write(bytes((byte,)))
        await asyncio.sleep(0.002)
    assert (await wire.all()).endswith(SUNS)


async def test_units_behind_one_endpoint_are_told_apart(site: Rig) -> None:
    wire = await dial(site)
    first, second = await wire.ask(read(40070, 1)), await wire.ask(read(40070, 1), 7)
    assert (first[-2:], second[-2:]) == (struct.pack(">H", 103), struct.pack(">H", 203))


SHORT_WRITE = struct.pack(">BHHB", 16, 40000, 2, 4) + b"\x00"
REFUSED = [
    *((read(40000, 126), 3), (read(40000, 0), 3), (read(39999, 2), 2), (read(50000, 2), 2)),
    *((b"\x2b\x0e\x01\x00\x00", 1), (write_one(40000, 1), 2), (b"\x03\x00", 3), (SHORT_WRITE, 3)),
]


@pytest.mark.parametrize(("pdu", "code"), REFUSED)
async def test_what_a_device_cannot_do_is_an_exception(site: Rig, pdu: bytes, code: int) -> None:
    wire = await dial(site)
    _, _, _, answer = await wire.frames(pdu)
    assert answer == bytes((pdu[0] | 0x80, code))


async def test_an_unknown_unit_gets_0b_or_silence(make_rig: MakeRig) -> None:
    for manner, expected in (("0x0B", b"\x83\x0b"), ("silent", b"")):
        rig = await make_rig(devices=({"id": "pv1", "face": "pv_1xx", "habits": {"unknown_unit": manner}},))
        wire = await dial(rig)
        assert (await wire.ask(SUNS_READ, 99))[7:] == expected


async def test_a_frame_that_is_not_modbus_ends_the_connection(site: Rig) -> None:
    wire = await dial(site)
    wire.writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await wire.all() in (b"FIN", b"RST")


async def test_a_write_is_echoed_logged_and_read_back(site: Rig) -> None:
    wire = await dial(site)
    at = point_at(site, 123, "WMaxLimPct")
    assert (await wire.frames(write_many(at, 505, 0, 60, 0, 1)))[3] == struct.pack(">BHH", 16, at, 5)
    assert (await wire.ask(read(at, 5)))[9:] == struct.pack(">5H", 505, 0, 60, 0, 1)
    record = site.units["pv1"].log[-1]
    assert (record.address, record.accepted, record.unit_id) == (at, True, 1)
    assert site.units["pv1"].face.command().p_ceiling_w == pytest.approx(5050.0)


async def test_a_device_of_short_reads_refuses_longer_ones_as_its_habit_says(make_rig: MakeRig) -> None:
    for code in (3, 2):
        habits = {"max_regs": 50, "too_long_code": code}
        rig = await make_rig(
            devices=({"id": "pv1", "face": "pv_1xx", "rating": {"p_max_w": 5000}, "habits": habits},)
        )
        wire = await dial(rig)
        assert len((await wire.ask(read(40000, 50)))[9:]) == 100
        assert (await wire.ask(read(40000, 51)))[7:] == bytes((0x83, code))
        wire.writer.close()


async def test_a_write_that_is_read_in_parts_is_read_back_once_all_of_it_was(site: Rig) -> None:
    wire = await dial(site)
    at, unit = point_at(site, 123, "WMaxLimPct"), site.units["pv1"]
    await wire.frames(write_many(at, 505, 0, 60, 0, 1))
    await wire.ask(read(at - 3, 5))
    assert unit.unverified
    await wire.frames(write_many(at, 505, 0, 60, 0, 1))
    await wire.ask(read(at + 2, 3))
    assert unit.unverified, "what was read before the last write counts no more"
    await wire.ask(read(at, 2))
    assert not unit.unverified


async def test_a_write_to_registers_that_nobody_read_is_blind(site: Rig) -> None:
    wire = await dial(site)
    at, count = point_at(site, 123, "WMaxLimPct"), site.units["pv1"].count
    await wire.ask(read(at, 4))
    await wire.frames(write_many(at, 505, 0, 60, 0))
    assert count.blind == 0
    await wire.frames(write_many(at, 505, 0, 60, 0, 1))
    assert (count.writes, count.blind) == (2, 1)
    await FaultBoard(site).start("blackhole", "pv1")
    assert await wire.ask(write_many(at, 505, 0, 60, 0, 1)) == b""
    assert (count.writes, count.blind) == (2, 2), "one that is lost is blind too"


async def test_a_write_counts_as_verified_only_when_it_was_read(site: Rig) -> None:
    wire = await dial(site)
    at = point_at(site, 123, "WMaxLimPct")
    await wire.ask(write_one(at, 505))
    assert site.units["pv1"].unverified
    await wire.ask(read(at - 2, 2))
    assert site.units["pv1"].unverified
    await wire.ask(read(at - 2, 5))
    assert not site.units["pv1"].unverified


async def test_half_of_a_long_point_cannot_be_written(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=({"id": "pv1", "face": "pv_7xx"},))
    wire = await dial(rig)
    _, _, _, answer = await wire.frames(write_one(point_at(rig, 704, "WSet"), 1))
    assert answer == b"\x86\x02"


@pytest.mark.parametrize(("how", "left"), [("refused", b"RST"), ("silent", b""), ("kick_oldest", SUNS)])
async def test_one_client_too_many(make_rig: MakeRig, how: str, left: bytes) -> None:
    habits = {"max_clients": 1, "extra_clients": how}
    rig = await make_rig(devices=({"id": "pv1", "face": "pv_1xx", "habits": habits},))
    first = await dial(rig)
    await first.ask(SUNS_READ)
    second = await dial(rig)
    assert (await second.ask(SUNS_READ)).endswith(left)
    assert (await first.ask(SUNS_READ)).endswith(b"FIN" if how == "kick_oldest" else SUNS)


async def test_idle_clients_lose_their_socket(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=({"id": "pv1", "face": "pv_1xx", "habits": {"idle_timeout_s": 0.3}},))
    wire = await dial(rig)
    await rig.run(0.6)
    assert await wire.all() == b"FIN"


async def test_requests_closer_than_the_minimum_interval_wait(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=({"id": "pv1", "face": "pv_1xx", "habits": {"min_interval_s": 0.2}},))
    wire = await dial(rig)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    wire.writer.write(wire.frame(SUNS_READ) + wire.frame(SUNS_READ) + wire.frame(SUNS_READ))
    await wire.reader.readexactly(39)
    assert loop.time() - began_s > 0.39


# -- faults of frames -----------------------------------------------------------------------------------------------

NORMAL = b"\x03\x04" + SUNS
SEEN: dict[str, tuple[dict[str, Any], Callable[[tuple[int, int, int, bytes]], bool]]] = {
    "wrong_tid": ({"offset": 3}, lambda f: f == (3, 0, 1, NORMAL)),
    "own_numbers": ({"transaction": "one", "unit_id": 7}, lambda f: f == (-100, 0, 7, NORMAL)),
    "tid_zero": ({}, lambda f: f == (-101, 0, 1, NORMAL)),
    "wrong_unit": ({"unit_id": 9}, lambda f: f == (0, 0, 9, NORMAL)),
    "wrong_function": ({}, lambda f: f == (0, 0, 1, b"\x04" + NORMAL[1:])),
    "wrong_length": ({"offset": 4}, lambda f: f == (0, 4, 1, NORMAL)),
    "short_pdu": ({}, lambda f: f == (0, 0, 1, b"\x03\x02" + SUNS[:2])),
    "long_pdu": ({}, lambda f: f == (0, 0, 1, b"\x03\x06" + SUNS + b"\x12\x34")),
    "bit_flip": ({}, lambda f: f[3] != NORMAL and len(f[3]) == len(NORMAL)),
    "exception": ({"code": 6}, lambda f: f == (0, 0, 1, b"\x83\x06")),
    "random_exception": ({}, lambda f: f[3][0] == 0x83),
}


@pytest.mark.parametrize("name", SEEN)
async def test_a_frame_is_wrong_in_its_own_way_and_right_again_afterwards(site: Rig, name: str) -> None:
    args, expected = SEEN[name]
    board = FaultBoard(site)
    wire = await dial(site)
    number = await board.start(name, "pv1", **args)
    seen = await wire.frames(SUNS_READ)
    assert expected(seen), seen
    await board.stop(number)
    assert await wire.frames(SUNS_READ) == (0, 0, 1, NORMAL)


RAW: dict[str, tuple[dict[str, Any], Callable[[bytes], bool]]] = {
    "drop_request": ({}, lambda c: c == b""),
    "drop_response": ({}, lambda c: c == b""),
    "blackhole": ({}, lambda c: c == b""),
    "duplicate": ({}, lambda c: c.count(SUNS) == 2),
    "garbage": ({"size": 33, "where": "instead"}, lambda c: len(c) == 33 and SUNS not in c),
    "rst": ({}, lambda c: c == b"RST"),
    "closes": ({}, lambda c: c.endswith(SUNS + b"FIN")),
    "fin": ({}, lambda c: c == b"FIN"),
    "half_close": ({}, lambda c: c.endswith(b"FIN") and SUNS not in c),
    "merge": ({"wait_s": 0.1}, lambda c: c.endswith(SUNS)),
    "split": ({"at_byte": 4, "gap_s": 0.02}, lambda c: c.endswith(SUNS)),
    "slow_loris": ({"gap_s": 0.01}, lambda c: c.endswith(SUNS)),
}


@pytest.mark.parametrize("name", RAW)
async def test_bytes_as_the_fault_leaves_them(site: Rig, name: str) -> None:
    args, expected = RAW[name]
    wire = await dial(site)
    await FaultBoard(site).start(name, "pv1", **args)
    content = await wire.ask(SUNS_READ)
    assert expected(content), content


async def test_a_device_that_answers_with_mutated_frames_tells_how_many_and_keeps_them(
    site: Rig, tmp_path: Path
) -> None:
    wire = await dial(site)
    await FaultBoard(site).start("mutated", "pv1", most=5, keep=str(tmp_path / "kept"))
    sent = b"".join([await (await dial(site)).ask(SUNS_READ) for _ in range(20)]) + await wire.ask(SUNS_READ)
    frames = [bytes.fromhex(each) for each in (tmp_path / "kept").read_text().split()]
    assert sent == b"".join(frames)
    assert 21 < len(frames) == site.units["pv1"].count.mutated
    assert len(set(frames)) > 21 and {len(frame) for frame in frames} > {13}


async def test_a_dropped_request_is_not_carried_out_but_a_dropped_response_is(site: Rig) -> None:
    board, at = FaultBoard(site), point_at(site, 123, "WMaxLimPct")
    wire = await dial(site)
    number = await board.start("drop_request", "pv1")
    await wire.ask(write_one(at, 100))
    assert not site.units["pv1"].log
    await board.stop(number)
    await board.start("drop_response", "pv1")
    assert await wire.ask(write_one(at, 100)) == b""
    assert len(site.units["pv1"].log) == 1


async def test_latency_is_added(site: Rig) -> None:
    wire = await dial(site)
    loop = asyncio.get_running_loop()
    await FaultBoard(site).start("latency", "pv1", seconds=0.2)
    began_s = loop.time()
    wire.writer.write(wire.frame(SUNS_READ))
    await wire.reader.readexactly(13)
    assert loop.time() - began_s > 0.19


async def test_a_late_answer_belongs_to_its_own_request_by_canary(site: Rig) -> None:
    board, at = FaultBoard(site), point_at(site, 103, "W")
    await board.start("canary", "pv1", address=at)
    await board.start("late_answer", "pv1", delay_s=1.0, first=1)
    wire = await dial(site)
    wire.writer.write(wire.frame(read(at, 1)))
    await until(lambda: site.units["pv1"].canaries)
    wire.writer.write(wire.frame(read(at, 1)))
    first, second = await wire.reader.readexactly(11), await wire.reader.readexactly(11)
    assert (first[:2], first[-2:]) == (struct.pack(">H", 102), b"\x00\x02")
    assert (second[:2], second[-2:]) == (struct.pack(">H", 101), b"\x00\x01")
    assert [number for _, number in site.units["pv1"].canaries] == [1, 2]


@pytest.mark.parametrize("pdu", [lambda at: write_one(at, 500), lambda at: write_many(at, 500)])
async def test_a_write_echo_may_lie_while_the_write_is_done(site: Rig, pdu: Callable[[int], bytes]) -> None:
    at = point_at(site, 123, "WMaxLimPct")
    wire = await dial(site)
    await FaultBoard(site).start("echo_differs", "pv1")
    sent = pdu(at)
    answer = (await wire.frames(sent))[3]
    assert answer != sent[:5]
    assert answer[:3] == sent[:3]
    assert site.units["pv1"].log[-1].accepted


async def test_filters_pick_what_a_fault_reaches(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    await board.start("exception", "pv1", code=4, fc=6)
    await board.start("exception", "pv1", code=6, addresses=[40002, 40010])
    assert (await wire.frames(SUNS_READ))[3] == NORMAL
    assert (await wire.frames(read(40000, 3)))[3] == b"\x83\x06"
    assert (await wire.frames(write_one(40123, 1)))[3] == b"\x86\x04"
    assert (await wire.frames(SUNS_READ, 7))[3] == NORMAL


async def test_every_nth_and_only_the_first(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    number = await board.start("exception", "pv1", every=2)
    assert [(await wire.frames(SUNS_READ))[3] == NORMAL for _ in range(4)] == [True, False, True, False]
    await board.stop(number)
    await board.start("exception", "pv1", first=1)
    assert [(await wire.frames(SUNS_READ))[3] == NORMAL for _ in range(3)] == [False, True, True]


# -- faults of connections ------------------------------------------------------------------------------------------


async def test_a_refused_endpoint_comes_back_on_its_port(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    number = await board.start("refuse", "pv1")
    assert await wire.all() == b"RST"
    with pytest.raises(ConnectionRefusedError):
        await dial(site)
    await board.stop(number)
    assert (await (await dial(site)).ask(SUNS_READ)).endswith(SUNS)


async def test_accept_then_silent_spares_old_connections(site: Rig) -> None:
    old = await dial(site)
    await old.ask(SUNS_READ)
    await FaultBoard(site).start("accept_then_silent", "pv1")
    assert await (await dial(site)).ask(SUNS_READ) == b""
    assert (await old.ask(SUNS_READ)).endswith(SUNS)


async def test_a_dead_device_is_silent_on_all_sockets_and_resets_them_on_return(site: Rig) -> None:
    board, old = FaultBoard(site), await dial(site)
    await old.ask(SUNS_READ)
    number = await board.start("dead", "pv1")
    assert (await old.ask(SUNS_READ), await (await dial(site)).ask(SUNS_READ)) == (b"", b"")
    await board.stop(number)
    assert await old.all() == b"RST"
    assert (await (await dial(site)).ask(SUNS_READ)).endswith(SUNS)


async def test_reset_on_connect_and_reset_now(site: Rig) -> None:
    board, old = FaultBoard(site), await dial(site)
    await old.ask(SUNS_READ)
    await board.start("rst_now", "pv1")
    assert await old.all() == b"RST"
    await board.start("rst_on_connect", "pv1")
    assert await (await dial(site)).ask(SUNS_READ) == b"RST"


async def test_a_rival_holds_the_only_connection(site: Rig) -> None:
    board = FaultBoard(site)
    cap = await board.start("connection_cap", "pv1", clients=1)
    rival = await board.start("rival", "pv1")
    await until(lambda: site.endpoint_of("pv1").open)
    assert await (await dial(site)).ask(SUNS_READ) == b"RST"
    await board.stop(rival)
    await until(lambda: not site.endpoint_of("pv1").open)
    assert (await (await dial(site)).ask(SUNS_READ)).endswith(SUNS)
    await board.stop(cap)


async def test_an_idle_kick_can_be_switched_on(site: Rig) -> None:
    wire = await dial(site)
    await FaultBoard(site).start("idle_kick", "pv1", after_s=0.3)
    await site.run(0.6)
    assert await wire.all() == b"FIN"


# -- faults of registers --------------------------------------------------------------------------------------------


async def shown(rig: Rig, wire: Wire, model: int, name: str, size: int = 1) -> bytes:
    return (await wire.ask(read(point_at(rig, model, name), size)))[9:]


def refreshed(rig: Rig) -> None:
    for unit in rig.units.values():
        unit.face.refresh(rig.world.view)


async def test_frozen_registers_stand_still_while_controls_echo(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    before = await shown(site, wire, 103, "W")
    number = await board.start("frozen", "pv1")
    at = point_at(site, 123, "WMaxLimPct")
    await wire.ask(write_many(at, 300, 0, 0, 0, 1))
    for _ in range(50):
        site.world.advance(0.1)
    refreshed(site)
    assert await shown(site, wire, 103, "W") == before
    assert await shown(site, wire, 123, "WMaxLimPct") == struct.pack(">H", 300)
    await board.stop(number)
    assert struct.unpack(">h", await shown(site, wire, 103, "W"))[0] == pytest.approx(3000, abs=2)


async def test_a_unit_that_restarted_has_forgotten_what_it_was_told_and_counts_until_it_is_told_again(
    site: Rig,
) -> None:
    unit, wire = site.units["pv1"], await dial(site)
    at = point_at(site, 123, "WMaxLimPct")
    await wire.ask(write_many(at, 300, 0, 60, 0, 1))
    assert unit.face.command().p_ceiling_w is not None and unit.told_s is None, "nobody restarted it"
    unit.restart(site.endpoint_of("pv1").now_s)
    assert unit.face.command().p_ceiling_w is None and unit.face.timers["ceiling"].remaining_s is None
    assert await shown(site, wire, 123, "WMaxLimPct") == struct.pack(">H", 1000), "as delivered"
    assert unit.told_s is None
    await wire.ask(write_many(at, 300, 0, 60, 0, 1))
    assert unit.told_s is not None and unit.back_s is not None and 0.0 < unit.told_s <= unit.back_s


async def test_points_can_be_not_implemented(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    number = await board.start("not_implemented", "pv1", point="103.W")
    assert await shown(site, wire, 103, "W") == b"\x80\x00"
    await board.stop(number)
    assert await shown(site, wire, 103, "W") != b"\x80\x00"
    await board.start("all_not_implemented", "pv1", model=103)
    assert await shown(site, wire, 103, "PhVphA") == b"\xff\xff"
    assert await shown(site, wire, 103, "ID") == struct.pack(">H", 103)


async def test_a_scale_factor_changes_and_the_watts_stay(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    before = struct.unpack(">h", await shown(site, wire, 103, "W"))[0]
    number = await board.start("scale_factor", "pv1", point="103.W_SF", to=1)
    assert struct.unpack(">h", await shown(site, wire, 103, "W"))[0] == pytest.approx(before / 10, abs=1)
    assert await shown(site, wire, 103, "W_SF") == b"\x00\x01"
    refreshed(site)
    await board.stop(number)
    refreshed(site)
    assert struct.unpack(">h", await shown(site, wire, 103, "W"))[0] == pytest.approx(before, abs=1)


async def test_a_limits_own_scale_factor_may_change(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    await wire.ask(write_many(point_at(site, 123, "WMaxLimPct"), 400, 0, 0, 0, 1))
    await board.start("scale_factor", "pv1", point="123.WMaxLimPct_SF", to=0)
    assert await shown(site, wire, 123, "WMaxLimPct") == struct.pack(">H", 40)
    assert site.units["pv1"].face.command().p_ceiling_w == 4000.0
    await wire.ask(write_one(point_at(site, 123, "WMaxLimPct"), 30))
    assert site.units["pv1"].face.command().p_ceiling_w == 3000.0


async def test_a_sign_flips_words_swap_and_values_stick(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    watts, energy = await shown(site, wire, 103, "W"), await shown(site, wire, 103, "WH", 2)
    await board.start("sign_flip", "pv1", point="103.W")
    await board.start("word_swap", "pv1", point="103.WH")
    await board.start("stuck_at", "pv1", point="103.Hz", to=49.5)
    assert struct.unpack(">h", await shown(site, wire, 103, "W"))[0] == -struct.unpack(">h", watts)[0]
    assert await shown(site, wire, 103, "WH", 2) == energy[2:] + energy[:2]
    assert await shown(site, wire, 103, "Hz") == struct.pack(">H", 4950)


async def test_a_meter_whose_clamps_fell_off_still_measures_the_voltage(make_rig: MakeRig) -> None:
    meter = {"id": "meter", "face": "meter", "rating": {"p_max_w": 20_000}}
    rig = await make_rig(devices=(meter,), plant={"phases": 3})
    unit = rig.units["meter"]
    before = unit.face.bank.image(203).get("W")

    def seen(name: str) -> float:
        image = unit.face.bank.image(203)
        (raw,) = struct.unpack(">h", unit.face.bank.read(unit.face.bank.start[id(image)] + image.slots[name].at, 1))
        return float(raw * image.scale(image.slots[name]))

    await FaultBoard(rig).start("clamps_off", "meter", model=203)
    refreshed(rig)
    assert before == pytest.approx(-1000.0, abs=50.0)
    for name in ("W", "WphA", "WphB", "WphC", "A", "AphA", "AphC", "VA", "VAphB", "VAR", "VARphC", "PF"):
        assert abs(seen(name)) <= 6.0, name
    assert (seen("PhV"), seen("Hz")) == (pytest.approx(230.0, abs=5.0), pytest.approx(50.0, abs=0.1))


async def test_spikes_come_and_go(site: Rig) -> None:
    await FaultBoard(site).start("spike", "pv1", point="103.W", to=32000, p=0.5)
    seen = set()
    for _ in range(20):
        refreshed(site)
        content = site.units["pv1"].face.bank.read(point_at(site, 103, "W"), 1)
        seen.add(content == struct.pack(">h", 32000))
    assert seen == {True, False}


async def test_another_serial_shows_up(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    number = await board.start("identity", "pv1", serial="STRANGER")
    assert (await shown(site, wire, 1, "SN", 16)).startswith(b"STRANGER")
    await board.stop(number)
    assert (await shown(site, wire, 1, "SN", 16)).startswith(b"HIL-pv1")


async def test_a_device_that_was_changed_holds_nothing_of_what_the_one_before_was_told(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    await wire.ask(write_many(point_at(site, 123, "WMaxLimPct"), 300, 0, 0, 0, 1))
    assert site.units["pv1"].face.command().p_ceiling_w == 3000.0
    await board.start("swapped", "pv1", serial="STRANGER")
    assert (await shown(site, wire, 1, "SN", 16)).startswith(b"STRANGER")
    assert site.units["pv1"].face.command().p_ceiling_w is None


async def test_a_map_that_moves_is_read_where_it_is_now(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    number = await board.start("moves", "pv1", base=0)
    assert site.units["pv1"].face.bank.read(0, 2) == b"SunS"
    assert (await shown(site, wire, 1, "SN", 16)).startswith(b"HIL-pv1")
    await board.stop(number)
    assert site.units["pv1"].face.bank.read(40000, 2) == b"SunS"


async def test_a_device_without_a_map_answers_garbage_and_the_same_each_time(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    before = await shown(site, wire, 103, "ID")
    number = await board.start("no_map", "pv1")
    garbage = await shown(site, wire, 103, "ID", 16)
    assert garbage[:2] != before and await shown(site, wire, 103, "ID", 16) == garbage
    await board.stop(number)
    assert await shown(site, wire, 103, "ID") == before


async def test_a_chain_without_end_shows_one_more_model_wherever_it_is_read(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    before = await shown(site, wire, 103, "ID", 2)
    number = await board.start("mirrors", "pv1")
    assert await shown(site, wire, 103, "ID", 2) == struct.pack(">HH", 64001, 1)
    assert (await wire.frames(read(65535 - 3, 2)))[3][0] == 3
    assert (await shown(site, wire, 1, "ID")) == struct.pack(">H", 1)
    await board.stop(number)
    assert await shown(site, wire, 103, "ID", 2) == before


async def test_a_length_may_lie(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    number = await board.start("length_lies", "pv1", model=120, to=65535)
    assert await shown(site, wire, 120, "L") == struct.pack(">H", 65535)
    await board.stop(number)
    assert await shown(site, wire, 120, "L") == struct.pack(">H", 26)


@pytest.mark.parametrize(("keeps_echo", "reads"), [(False, 1000), (True, 300)])
async def test_an_ignored_write_answers_well_and_does_nothing(site: Rig, keeps_echo: bool, reads: int) -> None:
    board, wire = FaultBoard(site), await dial(site)
    await board.start("write_ignored", "pv1", keeps_echo=keeps_echo)
    at = point_at(site, 123, "WMaxLimPct")
    assert (await wire.frames(write_many(at, 300, 0, 0, 0, 1)))[3][0] == 16
    assert await shown(site, wire, 123, "WMaxLimPct") == struct.pack(">H", reads)
    assert site.units["pv1"].face.command().p_ceiling_w is None


async def test_a_clipped_write_stores_the_nearest_allowed(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    await board.start("write_clipped", "pv1", point="123.WMaxLimPct", low=50.0, high=100.0)
    await wire.ask(write_many(point_at(site, 123, "WMaxLimPct"), 300, 0, 0, 0, 1))
    assert await shown(site, wire, 123, "WMaxLimPct") == struct.pack(">H", 500)


async def test_a_late_write_is_carried_out_later(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    await board.start("write_late", "pv1", delay_s=1.0)
    await wire.ask(write_many(point_at(site, 123, "WMaxLimPct"), 300, 0, 0, 0, 1))
    assert site.units["pv1"].face.command().p_ceiling_w is None
    await until(lambda: site.units["pv1"].face.command().p_ceiling_w == 3000.0)


async def test_clearing_ends_every_fault(site: Rig) -> None:
    board, wire = FaultBoard(site), await dial(site)
    await board.start("exception", "pv1")
    await board.start("frozen", "pv1")
    await board.start("wrong_tid", "other")
    await board.clear()
    assert not board.active
    assert await wire.frames(SUNS_READ) == (0, 0, 1, NORMAL)


async def test_an_unknown_fault_is_named(site: Rig) -> None:
    with pytest.raises(ValueError, match="no fault 'nonsense'"):
        await FaultBoard(site).start("nonsense", "pv1")


def test_every_fault_is_exercised_here() -> None:
    """A new fault needs a test in this file, one of serial lines in theirs: its name must appear."""
    files = (
        Path(__file__),
        Path(__file__).with_name("test_serial_line.py"),
        Path(__file__).parents[1] / "loopback" / "test_rtu.py",
    )
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    missing = [name for name in NAMES if f'"{name}"' not in text and name != "lognormal_latency"]
    assert missing == []
    assert len(REQUEST) + len(ANSWER) + len(REGISTER) > 30
