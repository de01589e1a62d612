"""What a personality's habits do on the wire, seen by a client that is not ours (pysunspec2) or on a raw socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import pytest

from hil.faces.personality import personality
from hil.rig import Rig
from hil.world import Knob
from tests.hil.conftest import MakeRig
from tests.hil.test_faces import SUNNY_BOY, needs_recordings, passed, scan, write
from tests.hil.test_wire import until

HEADER = struct.Struct(">HHHB")


async def asked(rig: Rig, pdu: bytes, name: str = "pv1", wait_s: float = 1.0) -> bytes:
    """The PDU that comes back on a connection of its own; empty: none within wait_s, or the socket was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.ports()[name])
    writer.write(HEADER.pack(1, 0, len(pdu) + 1, 1) + pdu)
    try:
        head = await asyncio.wait_for(reader.readexactly(HEADER.size), wait_s)
        return await reader.readexactly(HEADER.unpack(head)[2] - 1)
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        return b""
    finally:
        writer.close()


def read_of(address: int, count: int) -> bytes:
    return struct.pack(">BHH", 3, address, count)


def one(name: str, face: str = "pv_1xx", **more: Any) -> tuple[dict[str, Any], ...]:
    return ({"id": "pv1", "face": face, "personality": name, "rating": {"p_max_w": 5000}, **more},)


def power_w(rig: Rig) -> float:
    return rig.world.state.ders["pv1"].inverter.p_w


async def test_a_datamanager_takes_a_new_limit_only_when_its_enable_goes_through_zero(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=one("fronius_datamanager", habits={"min_interval_s": 0.0}))
    device = await scan(rig, "pv1")
    await write(device, 123, WMaxLimPct=40.0, WMaxLim_Ena=1)
    passed(rig, 8.0)
    assert power_w(rig) == pytest.approx(2000.0, rel=0.01)
    await write(device, 123, WMaxLimPct=60.0, WMaxLim_Ena=1)
    passed(rig, 8.0)
    assert power_w(rig) == pytest.approx(2000.0, rel=0.01)
    await write(device, 123, WMaxLim_Ena=0)
    await write(device, 123, WMaxLim_Ena=1)
    passed(rig, 8.0)
    assert power_w(rig) == pytest.approx(3000.0, rel=0.01)
    device.close()


async def test_a_limit_in_a_kaco_lapses_and_still_reads_active(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=one("kaco"))
    device = await scan(rig, "pv1")
    assert device.models[123][0].WMaxLimPct_RvrtTms.value == 300
    await write(device, 123, WMaxLimPct=40.0, WMaxLim_Ena=1)
    passed(rig, 290.0)
    assert power_w(rig) == pytest.approx(2000.0, rel=0.01)
    passed(rig, 20.0)
    assert power_w(rig) == pytest.approx(5000.0, rel=0.01)
    await asyncio.to_thread(device.models[123][0].read)
    assert (device.models[123][0].WMaxLim_Ena.value, device.models[123][0].WMaxLimPct.cvalue) == (1, 40.0)
    device.close()


async def test_a_kostal_comes_enabled_keeps_its_limit_and_answers_no_read_over_two_models(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=one("kostal"))
    face = rig.units["pv1"].face
    image = face.bank.image(123)
    assert image.raw("WMaxLim_Ena") == 1
    image.put("WMaxLimPct", 30.0)
    face.power_on()
    assert image.get("WMaxLimPct") == 30.0
    at = face.bank.start[id(image)]
    assert await asked(rig, read_of(at - 2, 4)) == bytes((0x83, 2))
    assert (await asked(rig, read_of(at, 4)))[0] == 3


async def test_what_a_solaredge_does_not_serve_gets_no_answer(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=one("solaredge"))
    assert await asked(rig, read_of(39000, 2), wait_s=0.3) == b""


async def test_a_client_that_said_no_goodbye_keeps_its_place(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=one("solaredge", habits={"slot_held_s": 0.3}))
    endpoint = rig.endpoint_of("pv1")
    assert (await asked(rig, read_of(40000, 2)))[0] == 3
    await until(lambda: not endpoint.open)
    assert (await asked(rig, read_of(40000, 2)))[0] == 3, "a regular end frees the place"
    await until(lambda: not endpoint.open)
    _, writer = await asyncio.open_connection("127.0.0.1", rig.ports()["pv1"])
    await until(lambda: endpoint.open)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await until(lambda: not endpoint.open)
    assert await asked(rig, read_of(40000, 2)) == b""
    await until(lambda: endpoint.now_s > max(endpoint.held_until_s))
    assert (await asked(rig, read_of(40000, 2)))[0] == 3


async def test_a_slow_device_goes_by_a_setting_only_later(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=one("apsystems"))
    device = await scan(rig, "pv1")
    assert device.models[123][0].WMaxLimPct_RvrtTms.value is None
    device.close()
    bank = rig.units["pv1"].face.bank
    for point, word in (("WMaxLimPct", 400), ("WMaxLim_Ena", 1)):
        at = bank.start[id(bank.image(123))] + bank.image(123).slots[point].at
        assert (await asked(rig, struct.pack(">BHHBH", 16, at, 1, 2, word)))[0] == 16
    passed(rig, 290.0)
    assert power_w(rig) == pytest.approx(5000.0, rel=0.01)
    passed(rig, 20.0)
    assert power_w(rig) == pytest.approx(2000.0, rel=0.01)


async def test_a_gate_stands_as_it_was_left_over_a_restart_too(make_rig: MakeRig) -> None:
    """Exception 4 while it is closed, any other word closes it (package wattsonic-modbus-docs, SunSpec map)."""
    rig = await make_rig(devices=one("wattsonic"))
    face = rig.units["pv1"].face
    at = face.bank.start[id(face.bank.image(123))] + face.bank.image(123).slots["WMaxLimPct"].at
    limit, gate = struct.pack(">BHH", 6, at, 400), read_of(11790, 1)
    assert await asked(rig, limit) == bytes((0x86, 4))
    assert await asked(rig, gate) == bytes((3, 2, 0, 0))
    opens = struct.pack(">BHH", 6, 11790, 0x5355)
    assert await asked(rig, opens) == opens
    assert await asked(rig, limit) == limit
    face.power_on()
    assert await asked(rig, gate) == bytes((3, 2, 0x53, 0x55))
    assert await asked(rig, struct.pack(">BHH", 6, 11790, 1))
    assert await asked(rig, limit) == bytes((0x86, 4))


async def test_a_timer_that_hides_is_seen_once_its_control_was_told(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=one("wattsonic"))
    face = rig.units["pv1"].face
    at = face.bank.start[id(face.bank.image(123))] + face.bank.image(123).slots["WMaxLimPct_RvrtTms"].at
    assert await asked(rig, read_of(at, 1)) == bytes((3, 2, 0xFF, 0xFF))
    assert await asked(rig, struct.pack(">BHH", 6, 11790, 0x5355))
    block = struct.pack(">BHHB5H", 16, at - 2, 5, 10, 400, 0, 60, 0, 1)
    assert await asked(rig, block) == block[:5]
    assert await asked(rig, read_of(at, 1)) == bytes((3, 2, 0, 60))
    face.power_on()
    assert await asked(rig, read_of(at, 1)) == bytes((3, 2, 0xFF, 0xFF))


async def test_an_outback_takes_percent_only_and_shows_what_its_recording_shows(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=one("outback_ess", "storage_7xx"))
    device = await scan(rig, "pv1")
    told = device.models[704][0]
    assert (told.WSet.value, told.WSetRvrtTms.value, told.WSetPct.cvalue) == (None, None, 0.0)
    assert device.models[701][0].ConnSt.value == 0
    assert device.models[702][0].WMax.value is None
    with pytest.raises(Exception, match="2"):
        await write(device, 704, WSet=100)
    await write(device, 704, WSetMod=0, WSetPct=-40.0, WSetEna=1)
    passed(rig, 8.0)
    assert power_w(rig) == pytest.approx(-2000.0, rel=0.01)
    device.close()


async def test_a_franklin_refuses_percentages_and_takes_watts(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=one("franklinwh", "storage_7xx", habits={"base": 40000}))
    device = await scan(rig, "pv1")
    with pytest.raises(Exception, match="3"):
        await write(device, 704, WSetPct=40.0)
    await write(device, 704, WSetMod=1, WSet=-1000, WSetEna=1)
    passed(rig, 8.0)
    assert power_w(rig) == pytest.approx(-1000.0, rel=0.01)
    assert rig.units["pv1"].face.violations == []
    device.close()


async def test_the_map_of_a_tripower_is_shorter_at_night(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=one("sma_tripower_x", "pv_7xx"), plant={"sun": {"points": [[0, 0.9]]}})
    bank = rig.units["pv1"].face.bank
    forced = rig.world.forced["pv1"]
    forced.irradiance = Knob(0.0)
    passed(rig, 2.0)
    rig._step(0.1)
    night = await scan(rig, "pv1")
    assert night.models[714][0].L.value == 18
    assert [model.error_info for model in night.model_list if model.error_info] == []
    night.close()
    forced.irradiance = None
    passed(rig, 2.0)
    rig._step(0.1)
    assert rig.units["pv1"].face.bank is bank


@needs_recordings
async def test_a_sunny_boy_has_holes_at_night(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=({**SUNNY_BOY, "unit": 1, "personality": "sma_sunny_boy"},), plant={"phases": 1})
    bank = rig.units["pv1"].face.bank
    ac, curves = (bank.start[id(bank.image(number))] for number in (101, 126))
    assert (await asked(rig, read_of(curves, 12)))[0] == 3
    rig.world.forced["pv1"].irradiance = Knob(0.0)
    passed(rig, 2.0)
    rig._step(0.1)
    assert await asked(rig, read_of(curves, 12)) == bytes((0x83, 2))
    assert (await asked(rig, read_of(curves, 2)))[0] == 3, "its header still tells where the next model is"
    assert (await asked(rig, read_of(ac + bank.image(101).slots["W"].at, 1)))[2:] == b"\x80\x00"
    rig.world.forced["pv1"].irradiance = None
    passed(rig, 2.0)
    rig._step(0.1)
    assert (await asked(rig, read_of(curves, 12)))[0] == 3


def test_a_word_that_a_personality_does_not_know_is_named() -> None:
    with pytest.raises(ValueError, match="timer 'sometimes' is none of per_group"):
        personality("kaco", {"timer": "sometimes"})
