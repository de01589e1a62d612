"""Recorded devices without SunSpec through the register maps that ship, beside what their sources state."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from derctl.core.exchange import Read, Write
from derctl.core.words import LimitsBy, Status
from derctl.devices import CATALOGUE, Options
from derctl.site import profiles
from tests.fake import Fake
from tests.recorded import dump, registers_of

MAPS = {name: each for name, each in profiles().items() if each.map is not None}


def found(name: str, fake: Fake, **options: Any) -> Any:
    """The device, as the daemon finds it."""
    made = MAPS[name].map
    assert made is not None
    device = fake.run(CATALOGUE[made.kind].bind(Options(profile=MAPS[name], **options)))
    fake.ops.clear()
    return device


def from_registers(*dumps: dict[str, Any], more: dict[int, int] | None = None) -> Fake:
    registers: dict[int, int] = {}
    for each in dumps:
        registers |= registers_of(each)
    return Fake(registers=registers | (more or {}))


def em540() -> Fake:
    """0x000B read alone is the model code; all others as one probe of 120 registers read them at once."""
    recorded = dump("carlo_gavazzi_em540_fw143_input")
    words = recorded["probes"]["read_120_registers"]["words"]
    return Alone(registers=dict(enumerate(words)), alone=(11, recorded["probes"]["model_code_alone"]["words"][0]))


class Alone(Fake):
    """A register that reads as another number when it is read by itself."""

    def __init__(self, *, registers: dict[int, int], alone: tuple[int, int]) -> None:
        super().__init__(registers=registers)
        self.alone = alone

    def _answer(self, op: Read | Write) -> tuple[int, ...]:
        if isinstance(op, Read) and (op.address, op.count) == (self.alone[0], 1):
            return (self.alone[1],)
        return super()._answer(op)


def low_first(words: list[int], at: int) -> int:
    """As the capture's own notes have 32-bit numbers."""
    return int(struct.unpack(">i", struct.pack(">HH", words[at + 1], words[at]))[0])


def counted(address: int) -> float:
    """The capture has the same energies in Wh, as 64 bits, low word first, in registers that the map doesn't use."""
    words = registers_of(dump("carlo_gavazzi_em540_fw143_input"))
    return float(sum(words[address + i] << 16 * i for i in range(4)))


def test_an_em540_reads_as_its_capture_says() -> None:
    fake = em540()
    words = [fake.registers[i] for i in range(120)]
    device = found("carlo_gavazzi_em540", fake, sign=-1)
    reading = fake.reading(device)
    assert reading.p_w == pytest.approx(-low_first(words, 0x28) / 10.0)
    assert 440.0 <= reading.p_w <= 441.0, "0x0028 = -4409: it exports 440.9 W"
    assert reading.v_v == pytest.approx(233.0) and reading.f_hz == pytest.approx(49.9)
    assert reading.p_phase_w == pytest.approx([47.1, 337.5, 56.3])
    assert reading.q_var == pytest.approx(-706.8)
    exported_wh, imported_wh = (counted(address) for address in (0x051C, 0x0500))
    assert reading.energy_wh == pytest.approx(exported_wh, abs=100.0)
    assert reading.energy_in_wh == pytest.approx(imported_wh, abs=100.0)
    assert (exported_wh, imported_wh) == (75_347.0, 1_159.0)
    assert device.identity.model == "EM540"


def test_an_em540_is_read_in_one_request_that_ends_on_a_mapped_register() -> None:
    device = found("carlo_gavazzi_em540", em540(), sign=-1)
    assert [*device.control.values()] == [Read(address=0, count=80, function=4)]


def jk() -> Fake:
    """The broadcast's bytes as Modbus has them: numbers big-endian, two bytes of one word in their order."""
    data = bytes.fromhex(dump("jk_pb")["frame_hex"])[6:]
    words = {0x1200 + at: int.from_bytes(data[at : at + 2], "little") for at in range(0, 0x100, 2)}
    for number in (0x1290, 0x1298, 0x12A0, 0x12A8, 0x12AC, 0x12B0):
        words[number], words[number + 2] = words[number + 2], words[number]
    for number in (0x12A6, 0x12B8, 0x12C0):
        words[number] = int.from_bytes(data[number - 0x1200 : number - 0x1200 + 2], "big")
    settings = {0x106C: 16, 0x102C: 100_000, 0x1038: 150_000, 0x1004: 2500, 0x100C: 3650}
    for number, raw in settings.items():
        words |= {number: raw >> 16, number + 2: raw & 0xFFFF}
    words |= {number: 0 for number in (*range(0x1000, 0x1100, 2), *range(0x1400, 0x1480, 2)) if number not in words}
    return Stepped(registers=words)


class Stepped(Fake):
    """A register's number is its byte's: the next register is two further."""

    def _outside(self, op: Read | Write) -> int | None:
        assert isinstance(op, Read)
        return None if all(op.address + 2 * i in self.registers for i in range(op.count)) else 2

    def _answer(self, op: Read | Write) -> tuple[int, ...]:
        assert isinstance(op, Read)
        return tuple(self.registers[op.address + 2 * i] for i in range(op.count))


def test_a_jk_reads_as_its_frame_says() -> None:
    fake = jk()
    reading = fake.reading(found("jk_bms", fake))
    assert (reading.soc_pct, reading.soh_pct, reading.dc_p_w) == (100.0, 100.0, 0.0)
    assert reading.p_charge_limit_w == pytest.approx(100.0 * 53.529)
    assert reading.p_discharge_limit_w == pytest.approx(150.0 * 53.529)
    assert (reading.limits_by, reading.alarms, reading.status) == (LimitsBy.BMS, (), Status.ON)


def test_a_seplos_pack_reads_as_its_source_says() -> None:
    fake = from_registers(dump("seplos_v3_pack1"))
    reading = fake.reading(found("seplos_v3", fake))
    assert (reading.soc_pct, reading.soh_pct) == (pytest.approx(47.9), pytest.approx(99.9))
    assert reading.dc_p_w == pytest.approx(52.34 * 7.2), "-7.2 A: it discharges"
    assert reading.p_charge_limit_w == reading.p_discharge_limit_w == pytest.approx(180.0 * 52.34)


def test_a_luna_reads_as_its_source_says() -> None:
    """Two captures of two devices; what neither has is written by the table of the maker's document."""
    more = dict.fromkeys((*range(32064, 32090), *range(32106, 32108)), 65535)
    more |= {30075: 0, 30076: 6600, 37758: 0, 37759: 10000, 37046: 0, 37047: 5000, 37048: 0, 37049: 5000}
    more |= {32080: 0, 32081: 1200, 32069: 2301, 32085: 5001}
    more |= {37750 + i: 0 for i in range(10) if 37750 + i not in more}
    fake = from_registers(dump("huawei_luna2000"), dump("huawei_sun2000_6ktl"), more=more)
    device = found("huawei_sun2000_luna2000", fake)
    reading = fake.reading(device)
    assert device.identity.model == "SUN2000-6KTL-L1"
    assert device.identity.firmware == "V200R001C00SPC130"
    assert (reading.soc_pct, reading.dc_p_w) == (79.0, -3334.0), "+3334 W charging, by its source"
    assert (reading.p_w, reading.v_v, reading.f_hz) == (1200.0, pytest.approx(230.1), pytest.approx(50.01))
    assert (reading.p_charge_limit_w, reading.p_discharge_limit_w) == (5000.0, 5000.0)
    assert reading.limits_by is LimitsBy.CHAIN
    assert not device.can.steer and device.can.store
