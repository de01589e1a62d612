"""Recorded devices without SunSpec through the register maps that ship, beside what their sources state."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from derctl.core.exchange import Read, Write
from derctl.core.pack import charging, discharging
from derctl.core.types import Fallback, Setpoint
from derctl.core.words import Bar, LimitsBy, Status
from derctl.devices.nominal import System
from derctl.devices.types import Taken
from derctl.errors import NotRecognised
from tests.fake import Fake
from tests.mapped import found
from tests.recorded import dump, registers_of


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


AT_EASE = dict.fromkeys(range(0x1200, 0x1290), 0) | {0x1278: 1, 0x1279: 1}
"""The coils of a Seplos whose switches are on, and which complains of nothing; no capture has them."""


def test_a_seplos_pack_reads_as_its_source_says() -> None:
    fake = from_registers(dump("seplos_v3_pack1"), more=AT_EASE)
    reading = fake.reading(found("seplos_v3", fake))
    assert (reading.soc_pct, reading.soh_pct) == (pytest.approx(47.9), pytest.approx(99.9))
    assert reading.dc_p_w == pytest.approx(52.34 * 7.2), "-7.2 A: it discharges"
    assert reading.p_charge_limit_w == reading.p_discharge_limit_w == pytest.approx(180.0 * 52.34)


def test_a_luna_reads_as_its_source_says() -> None:
    """Two captures of two devices; what neither has is written by the table of the maker's document."""
    more = dict.fromkeys((*range(32064, 32090), *range(32106, 32108)), 65535)
    more |= {30075: 0, 30076: 6600, 37758: 0, 37759: 10000, 37046: 0, 37047: 5000, 37048: 0, 37049: 5000}
    more |= {32080: 0, 32081: 1200, 32066: 2301, 32069: 1150, 32070: 1150, 32071: 0, 32085: 5001}
    more |= {40125: 1000}
    more |= {37750 + i: 0 for i in range(10) if 37750 + i not in more}
    fake = from_registers(dump("huawei_luna2000"), dump("huawei_sun2000_6ktl"), more=more)
    device = found("huawei_sun2000_luna2000", fake, taken=Taken(points=("own.limit_pct",)))
    reading = fake.reading(device)
    assert device.identity.model == "SUN2000-6KTL-L1"
    assert device.identity.firmware == "V200R001C00SPC130"
    assert (reading.soc_pct, reading.dc_p_w) == (79.0, -3334.0), "+3334 W charging, by its source"
    assert (reading.p_w, reading.v_v, reading.f_hz) == (1200.0, pytest.approx(230.1), pytest.approx(50.01)), (
        "wlcrs/huawei_solar#507: one with a single phase has its voltage in 32066, and half of it in 32069"
    )
    assert device.nominal.system is System.SINGLE
    assert (reading.p_charge_limit_w, reading.p_discharge_limit_w) == (5000.0, 5000.0)
    assert reading.limits_by is LimitsBy.CHAIN
    assert device.can.store and device.can.pv is not None and device.can.limit and not device.can.aim
    assert reading.accepted == Setpoint(p_ceiling_w=6600.0), "100 % is no limit"
    assert device.habits.profile.guarded, "nobody says whether its limit is stored"
    taken = fake.run(device.write(Setpoint(p_ceiling_w=3300.0), Fallback(), fake.poll(device)))
    assert (fake.registers[40125], taken) == (500, Setpoint(p_ceiling_w=3300.0)), "the maker's document: gain 10, %"
    assert "told apart from the PV" in "; ".join(device.problems), "its forced charging is not used"


def test_a_schneider_meter_reads_as_its_source_says() -> None:
    """Registers and figures of PM3200DataTests.java (SolarNetwork/solarnetwork-node): one phase is wired."""
    nothing = (65472, 0)
    registers = {
        2999: (16443, 38526, *nothing, *nothing),
        3027: (17260, 31128, *nothing, *nothing),
        3053: (16138, 19556, *nothing, *nothing, 16138, 19556, 48862, 21990, *nothing, *nothing, 48862, 21990),
        3069: (16177, 28793, *nothing, *nothing, 16177, 28793),
        3107: (48973, 51073, 16968, 12166),
        3203: (0, 0, 7, 31493, 0, 0, 0, 0),
    }
    words = dict.fromkeys(range(2999, 3242), 0)
    words |= {address + i: word for address, stands in registers.items() for i, word in enumerate(stands)}
    fake = Fake(registers=words)
    reading = fake.reading(found("schneider_iem3000", fake, sign=-1))
    assert reading.p_w == pytest.approx(-541.0, abs=1.0), "541 W of import, rounded up"
    assert reading.v_v == pytest.approx(236.47498) and reading.f_hz == pytest.approx(50.046, abs=1e-3)
    assert (reading.energy_in_wh, reading.energy_wh) == (490_245.0, 0.0)
    assert reading.p_phase_w is None, "two phases are not wired, and nobody knows what they carry"


FLOATS = {
    "eastron_sdm120": {0x0C: -850.5, 0x18: 120.25, 0x00: 231.5, 0x06: -3.75, 0x46: 50.0, 0x48: 1234.5, 0x4A: 17.25},
    "eastron_sdm72": {0x34: -2500.5, 0x48: 1234.5, 0x4A: 17.25},
    "janitza_umg": {19026: -2500.5, 19000: 231.5, 19002: 230.0, 19004: 229.5, 19050: 50.0, 19042: 100.5},
    "shelly_pro_3em": {1013: -2500.5, 1020: 231.5, 1040: 230.0, 1060: 229.5, 1024: -2000.0, 1044: -500.0, 1064: -0.5},
}


@pytest.mark.parametrize("name", FLOATS)
def test_a_meter_of_floats_reads_what_stands_at_the_addresses_of_its_source(name: str) -> None:
    """Addresses of mbmd, OpenEMS and dbus-modbus-client; the numbers are exact in 32 bits."""
    registers = dict.fromkeys(range(0x0400 + 400), 0) | dict.fromkeys(range(18990, 19060), 0)
    for address, value in FLOATS[name].items():
        high, low = struct.unpack(">HH", struct.pack(">f", value))
        first, second = (low, high) if name == "shelly_pro_3em" else (high, low)
        registers |= {address: first, address + 1: second}
    holding = {0x14: struct.unpack(">HH", struct.pack(">f", 1.0))}
    fake = Holding(registers=registers, holding=holding)
    reading = fake.reading(found(name, fake, sign=-1))
    power = FLOATS[name].get(0x0C) or FLOATS[name].get(0x34) or -2500.5
    assert reading.p_w == pytest.approx(-power), "negative for export here, as the source's import is positive"
    if name == "eastron_sdm120":
        assert (reading.v_v, reading.f_hz, reading.q_var) == (231.5, 50.0, -120.25)
    if name.startswith("eastron"):
        assert (reading.energy_in_wh, reading.energy_wh) == (1_234_500.0, 17_250.0)
    if name == "shelly_pro_3em":
        assert reading.p_phase_w == pytest.approx([2000.0, 500.0, 0.5])


class Holding(Fake):
    """Registers of function 3 that are others than those of function 4."""

    def __init__(self, *, registers: dict[int, int], holding: dict[int, tuple[int, ...]]) -> None:
        super().__init__(registers=registers)
        self.holding = holding

    def _answer(self, op: Read | Write) -> tuple[int, ...]:
        if isinstance(op, Read) and op.function == 3 and op.address in self.holding:
            return self.holding[op.address]
        return super()._answer(op)


@pytest.mark.parametrize("name", ["carlo_gavazzi_em24_e1", "carlo_gavazzi_em340"])
def test_older_carlo_gavazzi_meters_have_the_registers_of_an_em540(name: str) -> None:
    """As mbmd and dbus-modbus-client have them; the words are those of the EM540's capture."""
    words = dump("carlo_gavazzi_em540_fw143_input")["probes"]["read_120_registers"]["words"]
    registers = dict(enumerate(words)) | {0xA000: 7} | dict.fromkeys(range(0x5000, 0x5007), 0x3031)
    fake = Alone(registers=registers, alone=(11, 1650))
    reading = fake.reading(found(name, fake, sign=-1))
    assert reading.p_w == pytest.approx(440.9)
    assert reading.p_phase_w == pytest.approx([47.1, 337.5, 56.3])
    assert reading.v_v == pytest.approx(233.0, abs=0.5) and reading.f_hz == pytest.approx(49.9)


def test_an_em24_that_is_set_to_another_application_is_refused_with_the_register() -> None:
    words = dump("carlo_gavazzi_em540_fw143_input")["probes"]["read_120_registers"]["words"]
    fake = Alone(registers=dict(enumerate(words)) | {0xA000: 2}, alone=(11, 1650))
    with pytest.raises(NotRecognised, match=r"40960 .* reads 2, not 7"):
        found("carlo_gavazzi_em24_e1", fake)


def sungrow() -> Fake:
    """The maker counts from 1, and so does the recording. What it did not implement is answered by nothing."""
    return Fake(
        registers={number - 1: word for number, word in registers_of(dump("sungrow_dump_master_read")).items()}
    )


def test_a_sungrow_hybrid_reads_as_its_source_says() -> None:
    fake = sungrow()
    device = found("sungrow_sh", fake)
    reading = fake.reading(device)
    assert device.rating.p_max_w == 8000.0 and device.rating.e_max_wh == 9600.0
    assert device.identity.serial == "A2350415770"
    assert reading.v_v == pytest.approx((227.5 + 230.0 + 229.8) / 3.0) and reading.f_hz == pytest.approx(49.9)
    assert (reading.soc_pct, reading.soh_pct, reading.p_w) == (0.0, 100.0, 0.0)
    assert reading.p_charge_limit_w == pytest.approx(30.0 * 191.6)
    assert reading.p_discharge_limit_w == pytest.approx(28.0 * 191.6)
    assert (reading.dc_p_w, reading.status) == (0.0, Status.ON), "an empty battery, and 0x0040: it runs"
    assert fake.registers[13000] == 0b101000, "its house draws, and from the grid"
    assert not device.can.steer
    assert device.nominal.system is System.THREE, "3P4L, by its source"


def test_a_sungrow_with_one_phase_says_so_and_is_read_there() -> None:
    """Its output type is 0; what its other two phases read then is nothing of the grid's."""
    fake = sungrow()
    fake.registers[5001], fake.registers[5019], fake.registers[5020] = 0, 1140, 3
    device = found("sungrow_sh", fake, phase=1)
    reading = fake.reading(device)
    assert device.nominal.system is System.SINGLE and reading.v_v == pytest.approx(227.5)
    assert reading.v_phase_v == (None, pytest.approx(227.5), None), "the site file says in which"


@pytest.mark.parametrize(
    ("flow", "raw", "wanted"),
    [
        (0b101010, 663, -663.0),
        (0b001100, 663, 663.0),
        (0b101010, 65536 - 663, -663.0),
        (0, 65536 - 663, -663.0),
        (0, 0, 0.0),
        (0, 184, None),
        (0b000110, 184, None),
        (0xFFFF, 184, None),
        (0b000100, 0x7FFF, None),
    ],
)
def test_a_sungrow_s_battery_goes_the_way_that_its_flow_says(flow: int, raw: int, wanted: float | None) -> None:
    """Bits as evcc and sungrow-hass have them. evcc-io/evcc#18838 discharges 184 W with no bit set, and #17461
    charges with no sign: with neither nobody knows."""
    fake = sungrow()
    fake.registers |= {13000: flow, 13021: raw}
    assert fake.reading(found("sungrow_sh", fake)).dc_p_w == wanted


def test_a_sungrow_that_refuses_its_flow_tells_no_battery_power() -> None:
    fake = sungrow()
    fake.registers |= {13021: 663}
    device = found("sungrow_sh", fake)
    answers = dict(fake.poll(device))
    del answers[next(block.name for block in device.start.fast for line, _ in block.places if line.name == "flow")]
    assert device.decode(answers).dc_p_w is None


def test_the_meter_of_a_sungrow_imports_what_its_house_draws() -> None:
    """Its export power says -402 W, a moment away from the meter's 398 W; its energies are 156.6 and 18.2 kWh."""
    fake = sungrow()
    reading = fake.reading(found("sungrow_meter", fake, sign=-1))
    assert reading.p_w == -398.0 and reading.p_phase_w == (-648.0, 652.0, -402.0)
    assert (reading.energy_in_wh, reading.energy_wh) == (156_600.0, 18_200.0)


def test_a_goodwe_hybrid_reads_as_its_source_says() -> None:
    fake = from_registers(dump("goodwe_gw10k_et"))
    device = found("goodwe_et", fake)
    reading = fake.reading(device)
    assert (device.identity.model, device.identity.serial[:4], device.rating.p_max_w) == (
        "GW10K-ET",
        "9010",
        10_000.0,
    )
    assert (reading.soc_pct, reading.soh_pct, reading.dc_p_w) == (68.0, 99.0, -2512.0)
    assert reading.p_w == 831.0 and abs(reading.p_w - (336.0 + 287.0 + 206.0)) < 5.0, "the sum of its phases"
    assert reading.p_phase_w == (336.0, 287.0, 206.0), "as uneven as it tells them"
    assert reading.v_v == pytest.approx(240.63, abs=0.01) and reading.f_hz == pytest.approx(49.99)
    assert reading.p_charge_limit_w == reading.p_discharge_limit_w == pytest.approx(25.0 * 254.2)


def test_the_meter_of_a_goodwe_reads_the_sum_of_its_phases() -> None:
    fake = from_registers(dump("goodwe_gw10k_et"))
    reading = fake.reading(found("goodwe_meter", fake, sign=1))
    assert reading.p_w == -110.0 and reading.p_phase_w == (-57.0, -46.0, -6.0)
    assert reading.f_hz == pytest.approx(50.05)


@pytest.mark.parametrize(
    ("coils", "alarms", "bars"),
    [
        ((), (), ()),
        ((0x1248, 0x124A, 0x1260), (), ()),
        ((0x1249,), ("cell_over_voltage",), (Bar.OVER_VOLT,)),
        (
            (0x124B, 0x1253),
            ("cell_under_voltage", "charge_under_temperature"),
            (Bar.UNDER_VOLT, Bar.TOO_COLD_TO_CHARGE),
        ),
        ((0x1264, 0x128B), ("discharge_over_current", "discharge_mos"), (Bar.OVER_DISCHARGE_CURRENT,)),
    ],
)
def test_a_seplos_protects_itself_from_what_its_coils_say_and_its_warnings_bar_nothing(
    coils: tuple[int, ...], alarms: tuple[str, ...], bars: tuple[Bar, ...]
) -> None:
    """Bit by bit as shining-man/bsc_fw has them: TB02 at 0x1248, TB03 at 0x1250, TB05 at 0x1260, TB15 at 0x1288."""
    more = AT_EASE | dict.fromkeys(coils, 1)
    fake = from_registers(dump("seplos_v3_pack1"), more=more)
    device = found("seplos_v3", fake)
    [read] = [read for read in device.control.values() if read.function == 1]
    assert (read.address, read.count) == (0x1248, 72)
    reading = fake.reading(device)
    assert reading.alarms == alarms and reading.pack.bars == bars
    fake.registers[0x1279] = 0
    blocked = fake.reading(device)
    assert blocked.p_charge_limit_w == 0.0 and blocked.p_discharge_limit_w > 0.0, "its charge switch is open"


def test_a_seplos_pack_tells_its_cells_and_temperatures() -> None:
    """3.270 to 3.272 V, by its source."""
    fake = from_registers(dump("seplos_v3_pack1"), more=AT_EASE)
    pack = fake.reading(found("seplos_v3", fake)).pack
    assert pack is not None
    assert (pack.cell_min_v, pack.cell_max_v) == (pytest.approx(3.270, abs=0.001), pytest.approx(3.272, abs=0.001))
    assert pack.t_min_c is not None and pack.t_max_c is not None and 0.0 < pack.t_min_c <= pack.t_max_c < 60.0
    assert (pack.charge_limit_a, pack.discharge_limit_a, pack.bars) == (180.0, 180.0, ())


@pytest.mark.parametrize(
    ("bits", "fets", "bars"),
    [
        (1 << 9, 0x0101, (Bar.TOO_COLD_TO_CHARGE,)),
        (1 << 11 | 1 << 12, 0x0101, (Bar.UNDER_VOLT,)),
        (0, 0x0001, (Bar.CHARGE_OFF,)),
        (1 << 5, 0x0100, (Bar.OVER_VOLT, Bar.DISCHARGE_OFF)),
        (1 << 2, 0x0101, ()),
    ],
)
def test_what_a_jk_complains_of_bars_the_way_that_it_means(bits: int, fets: int, bars: tuple[Bar, ...]) -> None:
    fake = jk()
    fake.registers |= {0x12A0: bits >> 16, 0x12A2: bits & 0xFFFF, 0x12C0: fets}
    pack = fake.reading(found("jk_bms", fake)).pack
    assert pack is not None and pack.bars == bars


@pytest.mark.parametrize(
    ("cell", "millivolts", "into", "out"),
    [(3, 3346, 1.0, 1.0), (3, 3625, 0.5, 1.0), (15, 3650, 0.0, 1.0), (0, 2525, 1.0, 0.5), (9, 2400, 1.0, 0.0)],
)
def test_a_jk_s_highest_and_lowest_cell_bound_it_before_its_switches_open(
    cell: int, millivolts: int, into: float, out: float
) -> None:
    """16 cells of 3.346 V in the frame, and nothing where there is none; it opens at 3.65 and 2.5 V here."""
    fake = jk()
    device = found("jk_bms", fake)
    pack = fake.reading(device).pack
    assert pack is not None
    assert (pack.cell_max_v, pack.cell_min_v) == (pytest.approx(3.346, abs=0.002), pytest.approx(3.346, abs=0.002))
    fake.registers[0x1200 + 2 * cell] = millivolts
    pack = fake.reading(device).pack
    assert pack is not None
    assert (charging(pack).share, discharging(pack).share) == (pytest.approx(into), pytest.approx(out))


@pytest.mark.parametrize(("kind", "system"), [(0, System.SINGLE), (1, System.THREE)])
def test_the_meter_of_a_huawei_says_how_it_is_connected(kind: int, system: System) -> None:
    """Its type, by PyPI huawei-solar 2.5.0: 0 is one phase, 1 three. What one phase leaves out reads 0."""
    registers = dict.fromkeys((*range(30000, 30050), *range(37100, 37139)), 0)
    registers |= {30000: 0x5355, 30001: 0x4E32, 30002: 0x3030, 30003: 0x3000, 37100: 1, 37125: kind}
    registers |= {37102: 2301, 37114: 640, 37118: 5001}
    fake = Fake(registers=registers)
    device = found("huawei_meter", fake)
    reading = fake.reading(device)
    assert device.nominal.system is system
    assert (reading.p_w, reading.v_v) == (640.0, pytest.approx(230.1)), "positive is export"
