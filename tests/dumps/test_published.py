"""Registers that makers and libraries publish, through the maps that ship, beside what their sources state."""

from __future__ import annotations

import math
import struct
from collections.abc import Collection
from functools import partial
from typing import Any

import pytest

from derctl.commission.described import UNSTATED
from derctl.commission.looking import Found, Shelf, looked
from derctl.core.exchange import Exchange, Read, Write
from derctl.core.pack import charging, discharging
from derctl.core.types import Fallback, Rating, Setpoint
from derctl.core.words import Bar, LimitsBy, Status, Timer
from derctl.devices import Options, Profile, kinds
from derctl.devices.maps.recognise import identified
from derctl.devices.sunspec.layout import find
from derctl.devices.types import Taken
from derctl.errors import BusTimeout, DeviceError, DeviceRefused, NotRecognised
from derctl.links.models import model
from derctl.site import profiles
from tests.fake import Fake
from tests.mapped import MAPS, found

WORD = Rating(p_max_w=9000.0, p_min_w=-9000.0, s_max_va=9000.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0)


def at(registers: dict[int, list[int]]) -> Fake:
    """Runs of registers by their first address."""
    return Fake(registers={first + i: word for first, words in registers.items() for i, word in enumerate(words)})


def victron(kind: str, **more: list[int]) -> Fake:
    """The maker's own test reads these registers (victronenergy/dbus_modbustcp, test/sim/registertest.py), of values
    that stand beside it (test/sim/battery.csv, system.csv, vebus.csv). more: others, `r820=...`."""
    tested: dict[str, dict[int, list[int]]] = {
        "battery": {
            259: [5200, 1200, 110, 345, 2600, 100, 64536, 850],
            267: [1] * 13,
            303: [1, 990, 565, 420, 1000, 500, 1000],
            318: [50, 500, 1, 1, 1, 1, 1, 1, 1],
            1282: [9, 20, 1, 1, 8, 2, 4, 4, 280, 400],
            1297: [1, 1, 1],
        },
        "system": {
            800: [0x6261, 0x6462, 0x6565, 0x6631, 0x3562, 0x6164, 1, 1, 10, 20, 30, 110, 120, 130],
            814: [210, 220, 230, 310, 320, 330, 410, 420, 430, 510, 520, 530, 1],
            840: [500, 100, 600, 85, 1, 65316, 1],
            850: [300, 200],
        },
        "grid": {
            2600: [100, 200, 300, 1100, 1200, 1300, 2100, 2200, 2300, 0x3132, 0x3334, 0x3536, 0x3700, 0, 0, 0],
            2616: [2310, 10, 2320, 20, 2330, 30, 0, 1100, 0, 1200, 0, 1300, 0, 2100, 0, 2200, 0, 2300],
        },
        "vebus": {
            3: [2310, 2320, 2330, 10, 20, 30, 5000, 5000, 5000, 23, 46, 69, 2310, 2320, 2330, 10, 20, 30, 5000, 250],
            23: [23, 46, 69, 5000, 250, 3, 0, 850, 4, 17, 1, 1, 1, 1, 111, 1, 1, 222, 333],
        },
    }
    return at(tested[kind] | {int(name[1:]): words for name, words in more.items()})


def test_a_battery_behind_a_victron_gx_permits_what_its_bms_says_now() -> None:
    fake = victron("battery")
    device = found("victron_gx_battery", fake)
    reading = fake.reading(device)
    assert (reading.soc_pct, reading.soh_pct, reading.limits_by) == (85.0, 99.0, LimitsBy.BMS)
    assert reading.p_charge_limit_w == pytest.approx(100.0 * 52.0), "CCL 100 A at 52 V"
    assert reading.p_discharge_limit_w == pytest.approx(50.0 * 52.0), "DCL 50 A"
    assert reading.dc_p_w == pytest.approx(-11.0 * 52.0), "11 A into the battery"
    pack = reading.pack
    assert pack is not None
    assert (pack.cell_min_v, pack.cell_max_v) == (pytest.approx(2.8), pytest.approx(4.0))
    assert (pack.t_min_c, pack.t_max_c) == (5.0, 50.0)
    assert reading.alarms == () and pack.bars == (), "all its alarms are warnings"


def test_a_gx_is_asked_for_runs_without_holes_and_a_givenergy_for_its_block() -> None:
    """mappings.cpp refuses a read over a register that it doesn't have; GivEnergy's library reads 60 at once."""
    battery = found("victron_gx_battery", victron("battery"))
    asked = [(read.address, read.count) for read in battery.control.values()]
    assert asked == [(259, 16), (304, 5), (318, 9), (1290, 2)]
    vebus = found("victron_vebus", victron("vebus"), declared=WORD)
    assert [(read.address, read.count) for read in vebus.control.values()] == [(3, 29), (37, 1), (40, 2)]
    givenergy = found("givenergy", Spaces(GIVENERGY), declared=WORD)
    assert [(read.address, read.count) for read in givenergy.control.values()] == [(0, 60)]


def test_a_limit_that_the_bms_takes_back_counts_at_once() -> None:
    fake = victron("battery")
    device = found("victron_gx_battery", fake)
    fake.registers |= {307: 0, 308: 55}
    reading = fake.reading(device)
    assert (reading.p_charge_limit_w, reading.p_discharge_limit_w) == (0.0, pytest.approx(5.5 * 52.0))


@pytest.mark.parametrize(
    ("limit_v", "volts", "share", "bars"),
    [
        (56.5, 52.0, 1.0, ()),
        (54.0, 53.73, 0.5, ()),
        (54.0, 54.0, 0.0, (Bar.OVER_VOLT,)),
        (53.5, 54.1, 0.0, (Bar.OVER_VOLT,)),
        (0.0, 52.0, 0.0, (Bar.OVER_VOLT,)),
    ],
)
def test_nothing_is_charged_at_the_voltage_that_the_battery_accepts_now(
    limit_v: float, volts: float, share: float, bars: tuple[Bar, ...]
) -> None:
    """CVL: "the maximum charge voltage that the battery currently accepts" (Victron, Color Control GX manual, 11.5).
    How it goes down within 1 % below is derctl's choice. One that is gone once it was told lets nothing in."""
    fake = victron("battery")
    device = found("victron_gx_battery", fake)
    fake.registers |= {305: round(10.0 * limit_v), 259: round(100.0 * volts)}
    pack = fake.reading(device).pack
    assert pack is not None
    left = charging(pack)
    assert (left.share, left.bars) == (pytest.approx(share, abs=0.01), bars)
    assert discharging(pack).share == 1.0, "and what is above may be discharged"


@pytest.mark.parametrize(
    ("address", "name", "bars"),
    [
        (268, "battery_under_voltage", (Bar.UNDER_VOLT,)),
        (269, "battery_over_voltage", (Bar.OVER_VOLT,)),
        (273, "battery_under_temperature", ()),
        (274, "battery_over_temperature", (Bar.OVER_TEMP,)),
        (320, "charge_over_current", (Bar.OVER_CHARGE_CURRENT,)),
        (321, "discharge_over_current", (Bar.OVER_DISCHARGE_CURRENT,)),
        (323, "internal_failure", ()),
        (324, "charge_over_temperature", (Bar.TOO_HOT_TO_CHARGE,)),
        (325, "charge_under_temperature", (Bar.TOO_COLD_TO_CHARGE,)),
        (326, "cell_under_voltage", (Bar.UNDER_VOLT,)),
    ],
)
def test_an_alarm_of_a_battery_behind_a_gx_bars_what_it_means(address: int, name: str, bars: tuple[Bar, ...]) -> None:
    """By the maker's list: 2 is an alarm, 1 a warning."""
    fake = victron("battery")
    fake.registers[address] = 2
    reading = fake.reading(found("victron_gx_battery", fake))
    assert reading.alarms == (name,)
    assert reading.pack is not None and reading.pack.bars == bars


def test_what_no_bms_tells_behind_a_gx_is_no_bms() -> None:
    """mappings.cpp answers 0 for a value that nobody tells."""
    with pytest.raises(NotRecognised, match=r"305 .* reads 0, not 5 to 6000"):
        found("victron_gx_battery", victron("battery", r305=[0, 0, 0, 0]))


def test_alarms_are_known_as_far_as_they_are_told() -> None:
    fake = victron("battery", r268=[2, 0])
    device = found("victron_gx_battery", fake)
    places = {line.name: block.name for block in device.start.fast for line, _ in block.places}
    answers = dict(fake.poll(device))
    del answers[places["alarms_d"]]
    assert device.decode(answers).alarms == ("battery_under_voltage",)
    assert device.decode({}).alarms is None


def test_the_grid_of_a_gx_is_what_its_phases_add_up_to() -> None:
    fake = victron("system")
    device = found("victron_gx_meter", fake, sign=-1)
    reading = fake.reading(device)
    assert reading.p_w == -(410.0 + 420.0 + 430.0) and reading.p_phase_w == (-410.0, -420.0, -430.0)
    assert device.identity.serial == "badbeef15bad"
    fake.registers |= {820: 65036, 821: 0, 822: 0}
    one = fake.reading(device)
    assert one.p_w == 500.0, "one phase, and 500 W to the grid"


def test_a_grid_meter_behind_a_gx_is_read_on_its_own_unit() -> None:
    fake = victron("grid")
    device = found("victron_grid_meter", fake, sign=-1)
    reading = fake.reading(device)
    assert (reading.p_w, reading.p_phase_w) == (-600.0, (-100.0, -200.0, -300.0)), "it has these W going in"
    assert reading.v_v == pytest.approx(232.0) and device.identity.serial == "1234567"
    fake.registers[2600] = 0x10000 - 900
    assert fake.reading(device).p_w == 400.0, "one phase feeds in"


def test_without_a_phase_a_sum_is_no_power() -> None:
    fake = victron("system")
    device = found("victron_gx_meter", fake, sign=-1)
    assert device.decode({}).p_w is None
    [block] = device.start.fast
    assert device.without({block.name: "exception 2"}) is None


def test_a_multiplus_feeds_what_leaves_its_ac_input() -> None:
    fake = victron("vebus")
    device = found("victron_vebus", fake, declared=WORD)
    reading = fake.reading(device)
    assert reading.p_w == -(230.0 + 460.0 + 690.0), "its test has these W going in"
    assert reading.v_v == pytest.approx(232.0) and reading.f_hz == pytest.approx(50.0)
    assert reading.dc_p_w == pytest.approx(-25.0 * 50.0)
    assert (reading.status, reading.limits_by) == (Status.ON, LimitsBy.NOBODY)
    assert device.can.aim and device.can.store and device.can.pv is None
    fake.run(device.write(Setpoint(p_target_w=-690.0), Fallback(), fake.poll(device)))
    assert [fake.registers[at] for at in (37, 40, 41)] == [230, 230, 230], "ESS mode 3: negative is discharge"
    fake.registers |= {12: 65436, 13: 0, 14: 0, 4: 0, 5: 0}
    alone = fake.reading(device)
    assert alone.p_w == 1000.0 and alone.v_v == pytest.approx(231.0)


GIVENERGY = {
    (4, 0): (
        "00010000006c10b90000098b000120f90000000000110000fb8f138400050b202882007a0000007b000000013a920000017500bd00e3"
        "0000855b0000000200000004ccd200000030002f0037000000000000017601730208011e000160f500002beb00011477033401bb096a"
        "1386018a00e6000000d6002e"
    ),
    (3, 0): (
        "200300030824000000008ca00e10000144463232343447303030454132333032473030300bcc03980000039800020000c00000421770"
        "0001000000000011000100040007008c001a0007000d0017001600130000000200000000000000650001000000000064000000000001"
        "000100ba0000000001000001"
    ),
}
"""Answers of an inverter at night, by function and address: dewet22/givenergy-modbus, tests/fixtures/captures,
hybrid_gen2_arm920_60s.log, frames 1 and 6."""


class Spaces(Fake):
    """Input registers that are others than the holding ones."""

    def __init__(self, answers: dict[tuple[int, int], str]) -> None:
        self.spaces: dict[int, dict[int, int]] = {3: {}, 4: {}}
        for (function, first), data in answers.items():
            words = bytes.fromhex(data)
            for i in range(0, len(words), 2):
                self.spaces[function][first + i // 2] = int.from_bytes(words[i : i + 2], "big")
        super().__init__(registers=self.spaces[3] | self.spaces[4])

    def _outside(self, op: Read | Write) -> int | None:
        assert isinstance(op, Read)
        return None if all(op.address + i in self.spaces[op.function] for i in range(op.count)) else 2

    def _answer(self, op: Read | Write) -> tuple[int, ...]:
        assert isinstance(op, Read)
        return tuple(self.spaces[op.function][op.address + i] for i in range(op.count))


def test_a_givenergy_hybrid_feeds_from_its_battery_at_night() -> None:
    """Its library reads 244.3 V, 49.96 Hz, 373 W towards the busbar, 443 W of discharge and 46 %; no sun."""
    fake = Spaces(GIVENERGY)
    device = found("givenergy", fake, declared=WORD)
    reading = fake.reading(device)
    assert (reading.p_w, reading.dc_p_w, reading.soc_pct) == (373.0, 443.0, 46.0)
    assert reading.v_v == pytest.approx(244.3) and reading.f_hz == pytest.approx(49.96)
    pack = reading.pack
    assert pack is not None
    assert (pack.battery_v, pack.battery_a) == (pytest.approx(52.39), pytest.approx(8.2))
    assert pack.battery_v * pack.battery_a == pytest.approx(443.0, rel=0.05)
    assert (reading.status, device.identity.serial, device.identity.firmware) == (Status.ON, "EA2302G000", "920")
    assert not device.can.steer and device.can.store
    assert all(read.count <= 60 for read in (*device.control.values(), *device.slow.values()))


def test_the_clamp_of_a_givenergy_counts_what_its_house_leaves() -> None:
    """373 W of the inverter less 371 W of its house are 2 W to the grid."""
    fake = Spaces(GIVENERGY)
    reading = fake.reading(found("givenergy_meter", fake, sign=1))
    assert reading.p_w == 2.0
    assert reading.energy_wh == pytest.approx(8_053_000.0) and reading.energy_in_wh == pytest.approx(31_457_800.0)


def test_another_givenergy_is_refused_by_its_type_code() -> None:
    fake = Spaces(GIVENERGY)
    fake.spaces[3][0] = 0x4001
    with pytest.raises(NotRecognised, match=r"0 .* reads 16385"):
        found("givenergy", fake, declared=WORD)


def text(said: str, registers: int) -> list[int]:
    """Two characters a register."""
    data = said.encode().ljust(2 * registers, b"\0")
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


def float_low(value: float) -> list[int]:
    """32 bits, the low word first."""
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return [low, high]


TRACE = (
    "0942030d031d0317fffe0fae0fbe0fb7090b090a0921ffff159000001384fffe15980000f3b2ffffd901fffe01fc6b6200001cbefffd1dc0"
    "ffff15e400008000144d80008000fffe00040000ffffffffffffffff00000000ffffffffffffffff00000000"
)
"""40071 to 40120 of a SolarEdge hybrid: evcc-io/evcc#12708, trace of 2024-04-02."""
BATTERY = {57666: 9200.0, 57668: 5650.0, 57670: 8192.0, 57708: 23.0, 57710: 0.0, 57712: 821.0, 57714: -0.84}
BATTERY |= {57716: 690.0, 57730: 99.0, 57732: 28.888887}
"""Of a SolarEdge Home Battery that charges (status 3): nmakel/solaredge_modbus#90."""


def solaredge(*, dynamic: bool = False) -> Fake:
    """dynamic: with the block of SolarEdge's application note on dynamic control (1.1, August 2021): 32-bit numbers
    with their low word first, F304 the rated power, F310 60 s and F312 100 % as it is delivered."""
    registers = dict.fromkeys((*range(40000, 40121), *range(57348, 57754)), 0)
    if dynamic:
        block = {62212: float_low(10_000.0), 62224: [60, 0], 62226: float_low(100.0), 62242: float_low(100.0)}
        registers |= dict.fromkeys(range(62208, 62244), 0)
        registers |= {first + i: word for first, words in block.items() for i, word in enumerate(words)}
    at_once = {40004: text("SolarEdge ", 16), 40020: text("SE10K-RWB48", 16), 40069: [103, 50]}
    at_once |= {40071: [int(TRACE[i : i + 4], 16) for i in range(0, len(TRACE), 4)]}
    at_once |= {address: float_low(value) for address, value in BATTERY.items()} | {57734: [3, 0]}
    for first, words in at_once.items():
        registers |= {first + i: word for i, word in enumerate(words)}
    return Fake(registers=registers)


def test_a_storedge_reads_its_inverter_and_its_battery() -> None:
    """SunSpec has 5520 W with 10^0, 2315 V with 10^-1, 4996 Hz with 10^-2 and -3150 var with 10^-1."""
    fake = solaredge()
    device = found("solaredge_storedge", fake, declared=WORD)
    reading = fake.reading(device)
    assert reading.p_w == 5520.0 and reading.f_hz == pytest.approx(49.96)
    assert reading.v_v == pytest.approx((231.5 + 231.4 + 233.7) / 3.0) and reading.q_var == pytest.approx(-315.0)
    assert reading.energy_wh == 0x01FC6B62
    assert (reading.dc_p_w, reading.soh_pct, reading.status) == (-690.0, 99.0, Status.ON), "it charges with 690 W"
    assert reading.soc_pct == pytest.approx(28.89, abs=0.01)
    assert (reading.p_charge_limit_w, reading.p_discharge_limit_w) == (5650.0, 8192.0)
    assert (device.identity.name, device.can.steer) == ("SolarEdge SE10K-RWB48", False)


NAMED = ("own.dynamic", "own.timeout", "own.after_pct", "own.limit_pct")


def test_a_storedge_is_limited_by_the_dynamic_commands_of_its_maker_s_note() -> None:
    """Enable before anything else; timeout, what it falls to and the switch are stored: only where they change. The
    note is known as others quote it, so the site file names its points."""
    fake = solaredge(dynamic=True)
    assert not found("solaredge_storedge", fake).can.steer
    device = found("solaredge_storedge", fake, taken=Taken(points=NAMED))
    assert device.rating.p_max_w == 10_000.0 and device.can.limit and not device.can.aim
    assert device.reversion.timer is Timer.TARGET and not device.habits.profile.guarded
    fallback = Fallback(p_ceiling_w=1000.0, after_s=30.0)
    fake.run(device.write(Setpoint(p_ceiling_w=2500.0), fallback, fake.poll(device)))
    assert [(write.address, list(write.values)) for write in fake.writes] == [
        (62208, [1]),
        (62224, [30, 0]),
        (62226, float_low(10.0)),
        (62242, float_low(25.0)),
    ]
    assert fake.reading(device).accepted == Setpoint(p_ceiling_w=2500.0)
    assert device.promises(fake.poll(device), fallback) is True and device.absent_w(fallback) == 1000.0
    fake.ops.clear()
    fake.run(device.write(Setpoint(p_ceiling_w=2600.0), fallback, fake.poll(device)))
    assert [write.address for write in fake.writes] == [62242]


def test_a_solaredge_without_a_battery_is_no_storedge() -> None:
    """What is not there reads as -3.4e38 (WillCodeForCats/solaredge-modbus-multi) or NaN."""
    for nothing in (float_low(-3.4e38), float_low(math.nan), [0, 0]):
        fake = solaredge()
        fake.registers |= {57666: nothing[0], 57667: nothing[1]}
        with pytest.raises(NotRecognised, match=r"57666"):
            found("solaredge_storedge", fake, declared=WORD)


SHELF = Shelf(profiles=profiles(), kinds=kinds(model), find=partial(find, model))


def chained() -> Fake:
    """The same with the mark and the end of its SunSpec chain: 1 103."""
    fake = solaredge()
    fake.registers |= {40000: 0x5375, 40001: 0x6E53, 40002: 1, 40003: 65, 40121: 0xFFFF, 40122: 0}
    return fake


def scanned(fake: Fake, silent: Collection[int] = ()) -> Found:
    """As `scan` looks at it."""
    exchange = looked(Options(profile=Profile(bases=(40000,)), declared=UNSTATED), SHELF)
    op = next(exchange)
    while True:
        assert isinstance(op, Read)
        try:
            if op.address in silent:
                op = exchange.throw(BusTimeout("no answer"))
                continue
            try:
                answer = fake.served(op)
            except DeviceRefused as error:
                op = exchange.throw(error)
            else:
                op = exchange.send(answer)
        except StopIteration as stop:
            assert isinstance(stop.value, Found)
            return stop.value


def test_a_storedge_is_found_by_the_registers_that_tell_of_its_battery_and_not_as_pv_alone() -> None:
    found = scanned(chained())
    assert found.profile == "solaredge" and found.kinds["sunspec_pv"]["usable"]
    assert [(use.kind, use.profile) for use in found.uses] == [("map_hybrid", "solaredge_storedge")]
    assert found.uses[0].row["can"]["battery"] is not None


def test_a_solaredge_without_a_battery_is_pv_and_its_silence_is_no_failure() -> None:
    fake = chained()
    fake.registers |= {57666: 0xFFFF, 57667: 0xFF7F}
    for each in (scanned(fake), scanned(chained(), silent={57666})):
        assert each.own == () and {use.profile for use in each.uses} == {""}
        assert "sunspec_pv" in {use.kind for use in each.uses}


def test_what_its_chain_can_limit_stays_with_that_and_its_battery_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    limited = {"ac": {"limit": True}, "battery": None}
    row: Any = {"usable": True, "role": "der", "rating": None, "can": limited}
    monkeypatch.setattr("derctl.commission.looking.used_as", lambda kind, options: _gives(row))
    found = scanned(chained())
    assert [fit.profile.name for fit in found.own] == ["solaredge_storedge"]
    assert {use.profile for use in found.uses} == {""}


def _gives(row: Any) -> Exchange[Any]:
    yield from ()
    return row


KOSTAL = {152: 50.01, 158: 231.5, 164: 230.25, 170: 229.75, 172: 4210.5, 174: 12.0, 200: -8.5, 214: 24.0, 216: 312.5}
KOSTAL |= {1066: 7000.0, 1068: 10240.0, 1076: 4718.0, 1078: 5000.0, 1034: 0.0}
KOSTAL |= {220: 50.0, 224: -1200.5, 230: 231.0, 234: -800.25, 240: 230.0, 244: 300.75, 250: 229.0, 252: -1700.0}
"""Addresses, units and signs of the maker's document: 200 is negative while it charges, 252 for feed-in."""


def kostal() -> Fake:
    registers = dict.fromkeys((*range(130), *range(150, 180), *range(200, 218), *range(218, 260), 514), 0)
    registers |= dict.fromkeys((*range(531, 576), 588, *range(768, 832), *range(1024, 1083)), 0)
    whole = {address: float_low(value) for address, value in KOSTAL.items()}
    whole |= {531: [8500, 0], 535: text("KOSTAL", 16), 559: text("92092VF600009", 16), 588: [4], 514: [63]}
    whole |= {768: text("PLENTICORE plus", 32), 38: text("01.29.12038", 8), 1080: [2]}
    for first, words in whole.items():
        registers |= {first + i: word for i, word in enumerate(words)}
    return Fake(registers=registers)


def test_a_plenticore_tells_what_its_battery_permits() -> None:
    fake = kostal()
    device = found("kostal_plenticore", fake)
    reading = fake.reading(device)
    assert (reading.p_w, reading.soc_pct) == (4210.5, 63.0)
    assert reading.v_v == pytest.approx((231.5 + 230.25 + 229.75) / 3.0)
    assert reading.dc_p_w == pytest.approx(-8.5 * 312.5), "a battery current below 0 charges"
    assert (reading.p_charge_limit_w, reading.p_discharge_limit_w) == (4718.0, 5000.0)
    assert reading.limits_by is LimitsBy.CHAIN
    assert (device.rating.p_max_w, device.rating.e_max_wh) == (8500.0, 10240.0)
    assert (device.identity.name, device.identity.firmware) == ("KOSTAL PLENTICORE plus", "01.29.12038")
    assert not device.can.steer
    assert any("told apart from the PV's behind the same terminals" in problem for problem in device.problems)
    assert all(read.count <= 60 for read in device.control.values())


def test_the_meter_of_a_plenticore_feeds_in_below_0() -> None:
    fake = kostal()
    reading = fake.reading(found("kostal_meter", fake, sign=-1))
    assert reading.p_w == 1700.0 and reading.p_phase_w == (1200.5, 800.25, -300.75)
    assert reading.f_hz == 50.0


@pytest.mark.parametrize(("address", "word"), [(5, 1), (588, 0), (532, 1)])
def test_a_plenticore_that_says_its_numbers_otherwise_is_refused(address: int, word: int) -> None:
    fake = kostal()
    fake.registers[address] = word
    with pytest.raises(NotRecognised, match=rf"register {address} .* reads {word}, not"):
        found("kostal_plenticore", fake)


def sma(klass: int, **told: int) -> Fake:
    """Numbers of 32 bits, the high word first, by SMA's register numbers (PyPI sma-modbus, after SMA's lists). Blocks
    are those that a device serves; what is not told is SMA's NaN."""
    served = ((30001, 30004), (30051, 30060), (30201, 30202), (30231, 30232), (30769, 30796), (30803, 30804))
    served += ((30843, 30852), (31389, 31404), (32221, 32228), (32239, 32276), (33017, 33044))
    registers = {at: 0xFFFF for first, last in served for at in range(first, last + 1)}
    numbers = {30051: klass, 30055: 461, 30057: 3_014_567_890, 30201: 307} | {int(k[1:]): v for k, v in told.items()}
    for address, raw in numbers.items():
        registers |= {address: (raw & 0xFFFFFFFF) >> 16, address + 1: raw & 0xFFFF}
    return Fake(registers=registers)


def test_an_sma_smart_energy_tells_the_currents_that_its_battery_permits() -> None:
    told = {
        "r30775": -1250,
        "r30783": 23012,
        "r30803": 5001,
        "r30845": 64,
        "r30851": 40250,
        "r31393": 1400,
        "r31395": 0,
    }
    told |= {"r32221": 254, "r32227": -15, "r32251": 12500, "r32257": 25000, "r32269": 3301, "r32275": 3312}
    fake = sma(8009, **told, r33017=10000, r33019=10000, r33025=10000)
    device = found("sma_smart_energy", fake)
    reading = fake.reading(device)
    assert (reading.p_w, reading.soc_pct, reading.dc_p_w) == (-1250.0, 64.0, -1400.0)
    assert reading.p_charge_limit_w == pytest.approx(12.5 * 402.5)
    assert reading.p_discharge_limit_w == pytest.approx(25.0 * 402.5)
    assert reading.v_v == pytest.approx(230.12) and reading.f_hz == pytest.approx(50.01)
    pack = reading.pack
    assert pack is not None
    assert (pack.t_max_c, pack.t_min_c) == (pytest.approx(25.4), pytest.approx(-1.5))
    assert (pack.cell_min_v, pack.cell_max_v) == (pytest.approx(3.301), pytest.approx(3.312))
    assert (device.rating.p_max_w, device.rating.p_min_w) == (10000.0, -10000.0)
    assert (device.identity.serial, reading.status, device.can.steer) == ("3014567890", Status.ON, False)


def test_an_sma_that_sleeps_tells_nothing_rather_than_its_nan() -> None:
    fake = sma(8009, r30845=64, r33017=10000, r30775=-0x80000000)
    reading = fake.reading(found("sma_smart_energy", fake))
    assert (reading.p_w, reading.dc_p_w, reading.v_v, reading.p_charge_limit_w) == (None, None, None, None)
    assert reading.soc_pct == 64.0


def test_an_sma_battery_inverter_is_read_and_says_what_nobody_confirmed() -> None:
    fake = sma(8007, r30775=3300, r30783=23100, r30803=4998, r30845=51, r30851=5210, r30231=6000)
    device = found("sma_battery", fake)
    reading = fake.reading(device)
    assert (reading.p_w, reading.soc_pct, device.rating.p_max_w) == (3300.0, 51.0, 6000.0)
    assert not device.can.steer
    assert any("power_w at 40149" in problem and "not written" in problem for problem in device.problems)
    with pytest.raises(NotRecognised, match=r"30051 .* reads 8007, not 8009"):
        found("sma_smart_energy", fake)


SAX = {43: 4600, 44: 3500, 45: 2, 46: 71, 47: 16384 + 850, 48: 16384 - 120}


def test_a_sax_counts_from_16384() -> None:
    """evcc takes 16384 off both, and has discharge and import positive."""
    fake = Fake(registers=dict(SAX))
    device = found("sax", fake, declared=WORD)
    reading = fake.reading(device)
    assert (reading.p_w, reading.soc_pct, device.can.steer) == (850.0, 71.0, False)
    assert fake.reading(found("sax_meter", fake, sign=-1)).p_w == 120.0
    fake.registers[47] = 16384 - 2100
    assert fake.reading(device).p_w == -2100.0
    fake.registers[47] = 0
    with pytest.raises(NotRecognised, match=r"47 .* reads -16384, not"):
        found("sax", fake, declared=WORD)


@pytest.mark.parametrize(
    ("fake", "fitting"),
    [
        (victron("battery"), {"victron_gx_battery"}),
        (victron("system"), {"victron_gx_meter"}),
        (victron("grid"), {"victron_grid_meter"}),
        (victron("vebus"), {"victron_vebus"}),
        (Spaces(GIVENERGY), {"givenergy", "givenergy_meter"}),
        (solaredge(), {"solaredge_storedge"}),
        (kostal(), {"kostal_plenticore", "kostal_meter"}),
        (sma(8009, r30845=64), {"sma_smart_energy"}),
        (sma(8007, r30845=64), {"sma_battery"}),
        (Fake(registers=SAX), {"sax", "sax_meter"}),
    ],
)
def test_each_device_is_recognised_by_its_own_maps_and_by_no_other(fake: Fake, fitting: set[str]) -> None:
    """What `scan` goes by, with reads alone."""
    fits = set()
    for name, profile in MAPS.items():
        assert profile.map is not None
        try:
            fake.run(identified(profile.map, profile.max_regs))
        except DeviceError:
            continue
        fits.add(name)
    assert fits == fitting
    assert not fake.writes
