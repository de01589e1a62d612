"""Register maps: numbers of every type, requests that tear none, and devices that are read and told by them."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.exchange import Read, Write
from derctl.core.types import Fallback, Rating, Setpoint
from derctl.core.value import replace
from derctl.core.words import FallbackBy, LimitsBy, SeenBy, Status, Timer
from derctl.devices import CATALOGUE, Options, Profile
from derctl.devices.fact import Fact
from derctl.devices.maps.blocks import blocks_of
from derctl.devices.maps.line import Line, Type
from derctl.devices.maps.map import RegisterMap
from derctl.devices.maps.number import number, size, text, value, words_of
from derctl.devices.types import Reversion, Taken
from derctl.devices.writable import barred
from derctl.errors import BusTimeout, DeviceRefused, NotRecognised, SettingError
from derctl.site.lines import parse
from derctl.site.profiles import profile
from tests.fake import Fake

FACT = Fact(by=SeenBy.DOCUMENT, source="the manual")
FORMATS = {Type.U16: ">H", Type.S16: ">h", Type.U32: ">I", Type.S32: ">i", Type.U64: ">Q", Type.F32: ">f"}


def line(kind: Type = Type.U16, **more: Any) -> Line:
    given: dict[str, Any] = {"name": "x", "address": 0, "type": kind, "fact": FACT} | more
    return Line(**given)


def packed(kind: Type, raw: float, *, low_first: bool = False) -> tuple[int, ...]:
    data = struct.pack(FORMATS[kind], raw)
    words = struct.unpack(f">{len(data) // 2}H", data)
    return words[::-1] if low_first else words


@pytest.mark.parametrize("low_first", [False, True])
@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        *((Type.U16, each) for each in (0, 1, 0x8000, 0xFFFF)),
        *((Type.S16, each) for each in (-0x8000, -1, 0, 0x7FFF)),
        *((Type.U32, each) for each in (0, 0x12345678, 0xFFFFFFFF)),
        *((Type.S32, each) for each in (-0x80000000, -4409, 0x7FFFFFFF)),
        *((Type.U64, each) for each in (0, 75_347, 2**40 + 3)),
        *((Type.F32, each) for each in (0.0, -1234.5, 50.0)),
    ],
)
def test_a_number_of_every_type_is_the_one_that_struct_packs(kind: Type, raw: float, *, low_first: bool) -> None:
    there = line(kind, low_first=low_first)
    words = packed(kind, raw, low_first=low_first)
    assert len(words) == size(there)
    assert number(there, words) == raw
    assert words_of(there, raw) == words


def test_scale_offset_and_sign_make_the_unit() -> None:
    assert number(line(Type.U16, scale=0.1, offset=-273.1), (2981,)) == pytest.approx(25.0)
    assert number(line(Type.S32, scale=10.0, sign=-1), packed(Type.S32, -7)) == 70.0
    assert number(line(part="high"), (0x6401,)) == 0x64
    assert number(line(part="low"), (0x6401,)) == 1


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (line(absent=(0xFFFF,)), (0xFFFF,)),
        (line(Type.U32, absent=(0xFFFFFFFF,)), (0xFFFF, 0xFFFF)),
        (line(Type.F32), packed(Type.F32, math.nan)),
        (line(Type.F32), packed(Type.F32, math.inf)),
        (line(scale=0.1, valid=(0.0, 100.0)), (1001,)),
        (line(Type.S16, valid=(0.0, 100.0)), (0xFFFF,)),
        (line(bits=((0, "a"),), absent=(0xFFFF,)), (0xFFFF,)),
    ],
)
def test_what_means_nothing_is_none_and_never_0(there: Line, words: tuple[int, ...]) -> None:
    assert value(there, words) is None


def test_coils_are_one_number_of_which_the_first_is_the_lowest_bit() -> None:
    coils = line(Type.BITS, function=1, registers=4, bits=((0, "a"), (3, "d")))
    assert value(coils, (1, 0, 0, 1)) == ("a", "d") and value(coils, (0, 1, 1, 0)) == ()
    assert number(line(Type.BITS, function=1, registers=1), (1,)) == 1.0
    [block] = blocks_of(a_map(coils, gap=8), [coils, replace(coils, name="next", address=coils.address + 6)], 125)
    assert (block.read.function, block.read.count) == (1, 10), "each coil counts as one"


@pytest.mark.parametrize(
    ("pick", "words", "wanted"),
    [
        ("highest", (3300, 3346, 0, 3310), 3.346),
        ("lowest", (3300, 3346, 0, 3310), 3.3),
        ("highest", (0, 0, 0, 0), None),
    ],
)
def test_the_highest_or_the_lowest_of_several_is_one_that_means_something(
    pick: str, words: tuple[int, ...], wanted: float | None
) -> None:
    there = line(count=4, pick=pick, scale=0.001, absent=(0,))
    assert size(there) == 4
    assert value(there, words) == (wanted if wanted is None else pytest.approx(wanted))


def test_several_numbers_of_two_registers_are_picked_from() -> None:
    there = line(Type.S32, count=2, pick="lowest")
    assert value(there, packed(Type.S32, 70_000) + packed(Type.S32, -5)) == -5.0


def test_states_bits_and_texts() -> None:
    states = line(states=((2, Status.ON), (7, Status.FAULT)))
    assert [value(states, (raw,)) for raw in (2, 7, 3)] == [Status.ON, Status.FAULT, Status.UNKNOWN]
    assert value(line(bits=((0, "low"), (3, "high"), (9, "no"))), (0b1001,)) == ("low", "high")
    words = struct.unpack(">3H", b"AC\x1bE\0X")
    assert value(line(Type.STRING, registers=3), words) == "AC?E"
    assert text(line(Type.U32), (0x12, 0x34)) == str(0x120034)
    assert text(line(absent=(5,)), (5,)) == ""


@given(st.integers(-(2**31), 2**31 - 1), st.sampled_from([0.1, 1.0, 10.0]), st.sampled_from([1, -1]))
def test_what_is_written_reads_back_and_is_never_more(raw: int, scale: float, sign: int) -> None:
    there = line(Type.S32, scale=scale, sign=sign)
    wanted = raw * scale * 0.7
    words = words_of(there, wanted)
    read = number(there, words)
    assert read is not None
    assert abs(read) <= abs(wanted) + 1e-5 * scale
    assert abs(read - wanted) < scale


@pytest.mark.parametrize(
    ("kind", "words", "wanted"),
    [
        (Type.S16, (0xFFF4, 0xFFFF), -1.2),
        (Type.S16, (12, 2), 1200.0),
        (Type.U16, (2301, 0, 0, 0xFFFF), 230.1),
        (Type.U32, (0, 12345, 0xFFFE), 123.45),
        (Type.S16, (12, 0x8000), None),
        (Type.S16, (12, 11), None),
    ],
)
def test_a_number_s_power_of_ten_stands_behind_it(kind: Type, words: tuple[int, ...], wanted: float | None) -> None:
    there = line(kind, exponent=len(words) - 1)
    assert size(there) == len(words)
    assert number(there, words) == (wanted if wanted is None else pytest.approx(wanted))


def test_a_number_and_its_power_of_ten_are_read_in_one_request() -> None:
    lines = [line(name="v", address=10, exponent=3), line(Type.S16, name="p", address=14, exponent=1)]
    assert reads(a_map(*lines), 5) == [(3, 10, 4), (3, 14, 2)]
    assert reads(a_map(*lines), 6) == [(3, 10, 6)]
    overlapping = [line(name="a", address=10, exponent=3), line(name="b", address=11, exponent=2)]
    assert reads(a_map(*overlapping), 125) == [(3, 10, 4)]


@pytest.mark.parametrize(("kind", "wanted"), [(Type.U16, -1.0), (Type.U16, 65536.0), (Type.S16, 40000.0)])
def test_what_a_register_cannot_hold_is_not_written(kind: Type, wanted: float) -> None:
    with pytest.raises(SettingError):
        words_of(line(kind), wanted)


def a_map(*lines: Line, gap: int = 0, step: int = 1) -> RegisterMap:
    return RegisterMap(
        kind="map_meter", maker="A", model="B", fact=FACT, signature=(), lines=lines, gap=gap, step=step
    )


def reads(made: RegisterMap, max_regs: int) -> list[tuple[int, int, int]]:
    return [(b.read.function, b.read.address, b.read.count) for b in blocks_of(made, made.lines, max_regs)]


def test_neighbours_are_read_together_as_far_as_the_map_allows() -> None:
    lines = [line(Type.F32, name=str(at), address=at) for at in (0, 2, 10, 30)]
    assert reads(a_map(*lines), 125) == [(3, 0, 4), (3, 10, 2), (3, 30, 2)]
    assert reads(a_map(*lines, gap=6), 125) == [(3, 0, 12), (3, 30, 2)]
    assert reads(a_map(*lines, gap=99), 10) == [(3, 0, 4), (3, 10, 2), (3, 30, 2)]
    other = line(Type.F32, name="f4", address=4, function=4)
    assert reads(a_map(*lines[:2], other), 125) == [(3, 0, 4), (4, 4, 2)]


def test_with_two_numbers_a_register_the_next_one_is_two_further() -> None:
    lines = [line(Type.S32, name="v", address=0x1290), line(name="soc", address=0x12A6, part="low")]
    assert reads(a_map(*lines, gap=30, step=2), 122) == [(3, 0x1290, 12)]
    odd = line(name="odd", address=0x12A7)
    assert reads(a_map(*lines, odd, gap=30, step=2), 122) == [(3, 0x1290, 12), (3, 0x12A7, 1)]


@given(
    st.lists(st.tuples(st.sampled_from([*FORMATS]), st.integers(0, 5)), min_size=1, max_size=40),
    st.integers(4, 125),
    st.integers(0, 30),
)
def test_no_request_ends_inside_a_number_and_none_is_too_long(
    places: list[tuple[Type, int]], max_regs: int, gap: int
) -> None:
    at, lines = 0, []
    for i, (kind, hole) in enumerate(places):
        lines.append(line(kind, name=str(i), address=at + hole))
        at += hole + size(lines[-1])
    blocks = blocks_of(a_map(gap=gap), lines, max_regs)
    held = {each.name: (b.read.address + where, b.read) for b in blocks for each, where in b.places}
    for each in lines:
        address, read = held[each.name]
        assert address == each.address
        assert read.address <= address and address + size(each) <= read.address + read.count
        assert read.count <= max_regs


HEAD = """\
name: acme
title: ACME
reads: all
controls: some
failsafe: none
map:
  maker: ACME
  model: X1
  by: document
  source: the manual
  signature: [{address: 0, values: [4242]}]
"""
METER = f"""{HEAD}  kind: map_meter
  system: three
  lines:
    - {{name: p_w, address: 10, type: s32}}
    - {{name: p_a_w, address: 12, type: s16}}
    - {{name: p_b_w, address: 13, type: s16}}
    - {{name: p_c_w, address: 14, type: s16}}
    - {{name: v_a_v, address: 20, scale: 0.1}}
    - {{name: energy_wh, address: 30, type: u32, slow: true}}
    - {{name: serial, address: 40, type: string, registers: 2}}
"""
BMS = f"""{HEAD}  kind: map_bms
  lines:
    - {{name: soc_pct, address: 10, valid: [0, 100]}}
    - {{name: battery_v, address: 11, scale: 0.1, absent: [0xFFFF]}}
    - {{name: battery_a, address: 12, type: s16, scale: 0.1, sign: -1}}
    - {{name: charge_limit_a, address: 13, absent: [0xFFFF]}}
    - {{name: discharge_limit_w, address: 14, absent: [0xFFFF]}}
    - {{name: charge_on, address: 15, absent: [0xFFFF]}}
    - {{name: status, address: 16, states: [{{raw: 1, means: on}}, {{raw: 9, means: fault}}]}}
    - {{name: alarms, address: 17, bits: [{{bit: 1, name: cell_count}}]}}
"""
STORE = f"""{HEAD}  kind: map_storage
  lines:
    - {{name: p_max_w, address: 1, type: u32}}
    - {{name: p_charge_max_w, address: 3}}
    - {{name: p_w, address: 10, type: s32}}
    - {{name: soc_pct, address: 12, valid: [0, 100]}}
  control:
    points:
      - {{name: forced, address: 100, volatile: true}}
      - {{name: charge_w, address: 101, type: u32, scale: 10, volatile: true}}
      - {{name: discharge_w, address: 103, type: u32, scale: 10, volatile: true}}
      - {{name: minutes, address: 105, scale: 60, valid: [60, 3600], volatile: true}}
    target:
      timer: no_target
      give: [{{point: discharge_w, of: size}}, {{point: minutes, of: seconds}}, {{point: forced, value: 2}}]
      take: [{{point: charge_w, of: size}}, {{point: minutes, of: seconds}}, {{point: forced, value: 1}}]
      release: [{{point: forced, value: 0}}]
"""
PV = f"""{HEAD}  kind: map_pv
  lines:
    - {{name: p_max_w, address: 1, type: u32}}
    - {{name: p_w, address: 10, type: s32}}
  control:
    points:
      - {{name: limit_on, address: 100, volatile: true}}
      - {{name: limit_pct, address: 101, scale: 0.1, volatile: true}}
    limit:
      give: [{{point: limit_pct, of: percent}}, {{point: limit_on, value: 1}}]
      release: [{{point: limit_pct, value: 1000}}, {{point: limit_on, value: 0}}]
"""

HYBRID = f"""{HEAD}  kind: map_hybrid
  lines:
    - {{name: p_max_w, address: 1, type: u32}}
    - {{name: p_w, address: 10, type: s32}}
    - {{name: soc_pct, address: 12, valid: [0, 100]}}
    - {{name: dc_p_w, address: 13, type: s16}}
  control:
    points:
      - {{name: dynamic, address: 100, volatile: false, once: true}}
      - {{name: timeout, address: 101, type: u32, valid: [1, 3600], volatile: false, once: true}}
      - {{name: after_pct, address: 103, type: f32, words: low, volatile: false, once: true}}
      - {{name: limit_pct, address: 105, type: f32, words: low, volatile: true}}
    limit:
      timer: target
      give:
        - {{point: dynamic, value: 1}}
        - {{point: timeout, of: seconds}}
        - {{point: after_pct, of: fallback_percent}}
        - {{point: limit_pct, of: percent}}
      release: [{{point: limit_pct, value: 0x42C80000}}]
"""
PHASES = f"""{HEAD}  kind: map_storage
  lines:
    - {{name: p_w, address: 10, type: s32}}
    - {{name: soc_pct, address: 12, valid: [0, 100]}}
  control:
    points:
      - {{name: a_w, address: 100, type: s16, scale: 3, sign: -1, volatile: true}}
      - {{name: b_w, address: 103, type: s16, scale: 3, sign: -1, volatile: true}}
      - {{name: c_w, address: 104, type: s16, scale: 3, sign: -1, volatile: true}}
    target:
      timer: no_target
      lapses_s: 10
      give: [{{point: a_w, of: watts}}, {{point: b_w, of: watts}}, {{point: c_w, of: watts}}]
      release: [{{point: a_w, value: 0}}, {{point: b_w, value: 0}}, {{point: c_w, value: 0}}]
"""


def made(text: str, *changes: tuple[str, str]) -> Profile:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return profile(parse(text, "acme.yaml"))


def acme(**at: Any) -> Fake:
    """Registers by address, `r10=...`; all others up to 199 are 0, and the signature fits."""
    registers = dict.fromkeys(range(200), 0) | {0: 4242}
    for name, words in at.items():
        for i, word in enumerate(words if isinstance(words, tuple) else (words,)):
            registers[int(name[1:]) + i] = word
    return Fake(registers=registers)


def found(fake: Fake, text: str, *changes: tuple[str, str], **options: Any) -> Any:
    taken = made(text, *changes)
    assert taken.map is not None
    device = fake.run(CATALOGUE[taken.map.kind].bind(Options(profile=taken, **options)))
    fake.ops.clear()
    return device


def test_another_device_is_refused_with_the_register_that_says_so() -> None:
    with pytest.raises(NotRecognised, match=r"it is no ACME X1: register 0 \(0x0000, function 3\) reads 7, not 4242"):
        found(acme(r0=7), METER)
    deaf = Fake(registers={5: 5})
    with pytest.raises(NotRecognised, match=r"register 0 .* is refused \(exception 2"):
        found(deaf, METER)
    busy = acme()
    busy.refuse = lambda op: 6
    with pytest.raises(DeviceRefused):
        found(busy, METER)


def test_a_profile_without_such_a_map_finds_nothing() -> None:
    with pytest.raises(NotRecognised, match="has no register map of a map_meter"):
        acme().run(CATALOGUE["map_meter"].bind(Options(profile=made(BMS))))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_meter_s_sign_is_the_site_file_s(sign: Any) -> None:
    fake = acme(r10=packed(Type.S32, 600), r12=(100, 200, 300), r20=2301, r30=(1, 2), r40=(0x4142, 0x4300))
    device = found(fake, METER, sign=sign)
    reading = fake.reading(device)
    assert (reading.p_w, reading.v_v) == (sign * 600.0, pytest.approx(230.1))
    assert reading.p_phase_w == (sign * 100.0, sign * 200.0, sign * 300.0)
    assert reading.energy_wh == 0x10002
    assert (device.identity.serial, device.identity.name) == ("ABC", "ACME X1")
    assert device.rating.size_w == 0.0 and not device.can.steer


def test_a_serial_number_that_is_refused_is_not_told() -> None:
    fake = acme(r40=(0x4142, 0x4300))
    fake.refuse = lambda op: 2 if op.address == 40 else None
    assert found(fake, METER).identity.serial == ""
    fake.refuse = lambda op: 6 if op.address == 40 else None
    with pytest.raises(DeviceRefused):
        found(fake, METER)


def test_what_is_slow_is_not_in_the_fast_poll() -> None:
    device = found(acme(), METER)
    assert {read.address for read in device.control.values()} == {10, 20}
    assert [read.address for read in device.slow.values()] == [30]


def test_of_a_refused_block_nothing_is_known_and_without_its_power_no_meter_is_left() -> None:
    fake = acme(r10=packed(Type.S32, 600))
    device = found(fake, METER)
    left = device.without({"3.20": "exception 2"})
    assert "v_a_v" in left.problems[-1] and "exception 2" in left.problems[-1]
    assert left.decode({"3.10": (0, 600, 0, 0, 0)}).v_v is None
    assert device.without({"3.10": "exception 2"}) is None


def bms_told(**at: Any) -> Any:
    whole = {"r10": 55, "r11": 500, "r12": 0xFFF6, "r13": 100, "r14": 3000, "r15": 1, "r16": 1}
    fake = acme(**whole)
    device = found(fake, BMS)
    for name, word in at.items():
        fake.registers[int(name[1:])] = word
    return fake.reading(device)


def test_a_bms_tells_its_limits_in_w() -> None:
    reading = bms_told()
    assert (reading.soc_pct, reading.p_charge_limit_w, reading.p_discharge_limit_w) == (55.0, 5000.0, 3000.0)
    assert reading.dc_p_w == pytest.approx(50.0), "-1 A of its own is 1 A of discharge"
    assert (reading.limits_by, reading.status, reading.alarms) == (LimitsBy.BMS, Status.ON, ())


def test_a_limit_that_was_there_and_is_missing_is_no_wider_one() -> None:
    assert bms_told(r13=0xFFFF).p_charge_limit_w is None
    assert bms_told(r11=0xFFFF).p_charge_limit_w is None
    assert bms_told(r14=0xFFFF).p_discharge_limit_w is None
    assert bms_told(r15=0xFFFF).p_charge_limit_w is None


def test_a_blocked_way_is_0_w_and_a_fault_blocks_both() -> None:
    blocked = bms_told(r15=0, r17=2)
    assert (blocked.p_charge_limit_w, blocked.p_discharge_limit_w) == (0.0, 3000.0)
    assert blocked.alarms == ("cell_count",)
    broken = bms_told(r16=9)
    assert (broken.p_charge_limit_w, broken.p_discharge_limit_w, broken.status) == (0.0, 0.0, Status.FAULT)


AFTER = Fallback(after_s=120.0)


def store(*changes: tuple[str, str], **at: Any) -> tuple[Fake, Any]:
    options = {"taken": Taken(points=at.pop("may_write", ()))}
    fake = acme(**{"r1": (0, 5000), "r3": 4000, "r10": packed(Type.S32, -700), "r12": 60} | at)
    return fake, found(fake, STORE, *changes, **options)


def sent(fake: Fake) -> list[tuple[int, tuple[int, ...]]]:
    return [(write.address, write.values) for write in fake.writes]


def test_a_store_is_told_by_its_sequence_and_reads_back_what_it_took() -> None:
    fake, device = store()
    assert device.can.aim and not device.can.limit and device.can.volatile
    assert (device.rating.p_max_w, device.rating.p_min_w) == (5000.0, -4000.0)
    taken = fake.run(device.write(Setpoint(p_target_w=-1500.0), AFTER, {}))
    assert sent(fake) == [(101, (0, 150)), (105, (2,)), (100, (1,))], "what it means goes out last"
    assert taken == Setpoint(p_target_w=-1500.0)
    fake.ops.clear()
    assert fake.run(device.write(Setpoint(p_target_w=2000.0), AFTER, {})) == Setpoint(p_target_w=2000.0)
    assert sent(fake) == [(103, (0, 200)), (105, (2,)), (100, (2,))]
    assert fake.reading(device).accepted == Setpoint(p_target_w=2000.0)


def test_every_write_names_its_point_and_passes_the_choke_point() -> None:
    _, device = store()
    assert device.points_of(Write(address=103, values=(0, 200))) == ("own.discharge_w",)
    assert device.points_of(Write(address=99, values=(0, 0))) == ("register 99", "own.forced")
    assert barred("own.discharge_w") is None and barred("register 99") is not None
    assert not device.habits.profile.wears("own.forced") and not device.habits.profile.guarded


def test_a_setpoint_is_sent_inside_the_rating_on_a_step_towards_0() -> None:
    fake, device = store()
    assert device.sendable(Setpoint(p_target_w=-1509.0, q_var=5.0)) == Setpoint(p_target_w=-1500.0)
    assert fake.run(device.write(Setpoint(p_target_w=9000.0), AFTER, {})) == Setpoint(p_target_w=5000.0)
    assert fake.run(device.write(Setpoint(p_target_w=-9000.0), AFTER, {})) == Setpoint(p_target_w=-4000.0)


def test_its_timer_is_set_as_far_as_it_goes_and_ends_in_its_own_mode() -> None:
    fake, device = store()
    assert device.reversion.timer is Timer.NO_TARGET
    fake.run(device.write(Setpoint(p_target_w=0.0), Fallback(after_s=10.0), {}))
    assert (105, (1,)) in sent(fake)
    assert device.absent_w(Fallback(p_ceiling_w=1000.0)) == 5000.0
    assert device.absent_w(Fallback(p_ceiling_w=1000.0, by=FallbackBy.DEVICE)) == 1000.0


def test_it_is_given_back_to_its_own_mode_or_rests() -> None:
    fake, device = store()
    fake.run(device.write(Setpoint(p_target_w=2000.0), AFTER, {}))
    fake.ops.clear()
    left = fake.run(device.release(Fallback(p_ceiling_w=1000.0), lift=False))
    assert left == Setpoint(p_target_w=0.0)
    assert sent(fake) == [(103, (0, 0)), (105, (1,)), (100, (2,))]
    fake.ops.clear()
    assert fake.run(device.release(Fallback(), lift=False)) == Setpoint()
    assert sent(fake) == [(100, (0,))]


def test_a_refused_point_leaves_a_device_that_is_only_read() -> None:
    fake, device = store()
    left = device.without({"own.3.100": "exception 2"})
    assert not left.can.steer and left.reversion.timer is Timer.NONE
    assert "only read: exception 2" in left.problems[-1]
    assert "own.3.100" not in left.control
    assert left.absent_w(Fallback()) == 5000.0
    fake.ops.clear()
    assert left.sendable(Setpoint(p_target_w=7.0)) == Setpoint()
    assert fake.run(left.write(Setpoint(p_target_w=7.0), AFTER, {})) == Setpoint()
    assert fake.run(left.release(AFTER, lift=False)) == Setpoint()
    assert fake.ops == [], "nothing is asked of it, and nothing given back"


def test_a_power_that_is_more_than_its_rating_is_named_and_a_fixed_value_is_not() -> None:
    _, device = store()
    for watts, too_much in ((0, False), (5000, False), (5200, True)):
        said = device.beyond(Write(address=101, values=packed(Type.U32, watts // 10)), {})
        assert bool(said) is too_much
        assert not said or f"would say {watts}" in said
    assert device.beyond(Write(address=105, values=(2,)), {}) == ""
    assert device.beyond(Write(address=102, values=(0xFFFF,), function=6), {}) == "", "half a number tells nothing"
    left = device.without({"own.3.100": "exception 2"})
    assert left.beyond(Write(address=101, values=(1, 1)), {}) == "", "it has no control points any more"


@pytest.mark.parametrize("by", ["report", "assumed"])
def test_a_point_that_nobody_confirmed_is_not_written_and_named(by: str) -> None:
    _, device = store(("address: 105, scale: 60", f"address: 105, by: {by}, source: a forum, scale: 60"))
    assert not device.can.steer
    text = "; ".join(device.problems)
    assert f"minutes at 105 (0x0069, function 3) ({by}: a forum)" in text
    assert "its target is not written" in text and "only read" in text
    assert "own.3.100" not in device.control, "what is not written is not read for that"


def test_an_order_that_nobody_confirmed_is_not_given() -> None:
    _, device = store(("timer: no_target", "timer: no_target\n      by: report\n      source: a forum"))
    assert not device.can.steer
    assert any("what writing it does (report: a forum)" in text for text in device.problems)


QUOTED = ("address: 105, scale: 60", "address: 105, by: quoted, source: a forum, scale: 60")


def test_what_is_quoted_only_is_written_where_the_site_file_names_it() -> None:
    _, device = store(QUOTED)
    assert not device.can.steer
    [text] = [each for each in device.problems if "its target" in each]
    assert "as others quote it only" in text and "`may_write: [own.minutes]`" in text
    _, device = store(QUOTED, may_write=("own.minutes",))
    assert device.can.steer and not [each for each in device.problems if "its target" in each]
    _, device = store(("address: 105, scale: 60", "address: 105, by: report, source: a forum, scale: 60"))
    assert not device.can.steer


def test_an_order_that_is_quoted_only_wants_all_its_points_named() -> None:
    order = ("timer: no_target", "timer: no_target\n      by: quoted\n      source: a forum")
    names = ("own.discharge_w", "own.minutes", "own.forced", "own.charge_w")
    _, device = store(order, may_write=names[:3])
    assert not device.can.steer
    assert any("`may_write: [own.charge_w]`" in text for text in device.problems)
    _, device = store(order, may_write=names)
    assert device.can.steer


def test_a_report_is_not_written_whatever_the_site_file_names() -> None:
    doubt = ("address: 105, scale: 60", "address: 105, by: report, source: a forum, scale: 60")
    _, device = store(doubt, may_write=("own.minutes",))
    assert not device.can.steer


def test_the_power_of_a_battery_is_no_target_of_the_terminals() -> None:
    _, device = store(("timer: no_target", "at: battery\n      timer: no_target"))
    assert not device.can.steer
    assert any("told apart from the PV's behind the same terminals" in text for text in device.problems)


def test_points_whose_memory_may_wear_out_guard_the_device() -> None:
    lasting = "discharge_w, address: 103, type: u32, scale: 10, volatile: true"
    _, device = store((lasting, lasting.removesuffix(", volatile: true")))
    assert device.habits.profile.wears("own.discharge_w")
    assert device.habits.profile.guarded and not device.can.volatile
    assert device.reversion.timer is Timer.NONE, "to keep it up would take a write every minute"
    assert any("wear out" in text for text in device.problems)


def test_a_store_without_a_rating_is_read_at_the_site_file_s_word() -> None:
    word = Rating(
        p_max_w=3000.0, p_min_w=-3000.0, s_max_va=3000.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0
    )
    fake = acme()
    device = found(fake, STORE, declared=word)
    assert device.rating == word and not device.can.steer
    assert "the rating is the site file's word: this device is only read" in device.problems
    with pytest.raises(NotRecognised, match=r"with rating\.p_max_w in the site file"):
        found(acme(), STORE)


def test_pv_is_limited_in_percent_and_its_limit_stands_or_is_taken_off() -> None:
    fake = acme(r1=(0, 8000), r10=packed(Type.S32, 7000))
    device = found(fake, PV)
    assert device.can.limit and not device.can.aim
    assert fake.reading(device).accepted == Setpoint(p_ceiling_w=8000.0), "its limit is off"
    taken = fake.run(device.write(Setpoint(p_ceiling_w=3003.0), AFTER, {}))
    assert taken == Setpoint(p_ceiling_w=3000.0)
    assert sent(fake) == [(101, (375,)), (100, (1,))]
    stands = Fallback(p_ceiling_w=3000.0, by=FallbackBy.STANDS)
    assert device.absent_w(stands) == 3000.0
    assert device.promises(fake.poll(device), stands) is True
    assert device.promises(fake.poll(device), Fallback(p_ceiling_w=2000.0, by=FallbackBy.STANDS)) is False
    assert device.promises({}, stands) is None
    fake.ops.clear()
    assert fake.run(device.release(stands, lift=False)) == Setpoint(p_ceiling_w=3000.0)
    assert fake.run(device.release(Fallback(), lift=True)) == Setpoint(p_ceiling_w=8000.0)
    assert fake.writes[-1] == Write(address=100, values=(0,))


def share(pct: float) -> tuple[int, ...]:
    return packed(Type.F32, pct, low_first=True)


def hybrid(*changes: tuple[str, str], **at: Any) -> tuple[Fake, Any]:
    fake = acme(**{"r1": (0, 8000), "r10": packed(Type.S32, 3000), "r12": 60, "r13": 1000} | at)
    return fake, found(fake, HYBRID, *changes)


LATER = Fallback(p_ceiling_w=2000.0, after_s=90.0)


def test_a_hybrid_has_its_ports_and_is_limited_at_its_terminals() -> None:
    fake, device = hybrid()
    assert device.can.limit and not device.can.aim and device.can.store and device.can.pv is not None
    assert device.can.volatile and not device.habits.profile.guarded
    reading = fake.reading(device)
    assert (reading.p_w, reading.dc_p_w, reading.accepted) == (3000.0, 1000.0, Setpoint()), "nothing tells a limit"


def test_what_is_stored_is_written_once_and_the_limit_each_time() -> None:
    fake, device = hybrid()
    taken = fake.run(device.write(Setpoint(p_ceiling_w=4000.0), LATER, fake.poll(device)))
    assert sent(fake) == [(100, (1,)), (101, (0, 90)), (103, share(25.0)), (105, share(50.0))], (
        "what acts goes out last"
    )
    assert taken == Setpoint(p_ceiling_w=4000.0) == fake.reading(device).accepted
    fake.ops.clear()
    fake.run(device.write(Setpoint(p_ceiling_w=1000.0), LATER, fake.poll(device)))
    assert sent(fake) == [(105, share(12.5))]
    fake.ops.clear()
    fake.run(device.write(Setpoint(p_ceiling_w=1000.0), Fallback(after_s=90.0), fake.poll(device)))
    assert sent(fake) == [(103, share(100.0)), (105, share(12.5))]
    fake.ops.clear()
    fake.run(device.write(Setpoint(p_ceiling_w=1000.0), LATER, {}))
    assert len(fake.writes) == 4, "all of it, where nobody knows what stands there"
    wears = device.habits.profile.wears
    assert [wears(f"own.{name}") for name in ("dynamic", "timeout", "after_pct", "limit_pct")] == [True] * 3 + [False]


def test_a_timer_with_a_target_keeps_the_fallback_and_is_believed_by_what_reads_back() -> None:
    fake, device = hybrid()
    assert (device.reversion.timer, device.reversion.lapses_s) == (Timer.TARGET, math.inf)
    assert [device.absent_w(LATER), device.absent_w(Fallback(after_s=90.0))] == [2000.0, 8000.0]
    stands = Fallback(p_ceiling_w=2000.0, by=FallbackBy.STANDS)
    assert device.absent_w(stands) == 2000.0, "its timer runs whatever is declared, and ends at the same"
    assert device.promises(fake.poll(device), LATER) is False
    fake.run(device.write(Setpoint(p_ceiling_w=4000.0), LATER, {}))
    assert device.promises(fake.poll(device), LATER) is True
    assert device.promises(fake.poll(device), Fallback(p_ceiling_w=1000.0)) is False
    for address, words in ((100, (0,)), (101, (0, 0)), (103, share(80.0))):
        fake.run(device.write(Setpoint(p_ceiling_w=4000.0), LATER, {}))
        fake.registers |= {address + i: word for i, word in enumerate(words)}
        assert device.promises(fake.poll(device), LATER) is False
    assert device.promises({}, LATER) is None


def test_a_hybrid_is_given_back_by_a_limit_that_is_none() -> None:
    fake, device = hybrid()
    fake.run(device.write(Setpoint(p_ceiling_w=1000.0), LATER, {}))
    fake.ops.clear()
    assert fake.run(device.release(LATER, lift=False)) == Setpoint(p_ceiling_w=1000.0)
    assert sent(fake) == [(105, share(12.5))]
    assert fake.run(device.release(Fallback(after_s=90.0), lift=True)) == Setpoint(p_ceiling_w=8000.0)
    assert sent(fake)[-1] == (105, share(100.0))
    odd = Setpoint(p_ceiling_w=3333.0)
    assert device.sendable(odd) == odd, "a floating number has no steps"


def test_a_rating_that_gets_no_answer_is_the_site_file_s_word_where_its_profile_has_it_so() -> None:
    """SolarEdge answers nothing for a block that it does not serve."""
    silent = ("map:", "read: {silence_is_missing: {value: true, by: document, source: the manual}}\nmap:")
    word = Rating(p_max_w=5000.0, p_min_w=0.0, s_max_va=5000.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0)

    def deaf(*changes: tuple[str, str]) -> Any:
        profile_of = made(HYBRID, *changes)
        fake, exchange = acme(r12=60), CATALOGUE["map_hybrid"].bind(Options(profile=profile_of, declared=word))
        op = next(exchange)
        while True:
            assert isinstance(op, Read)
            try:
                gone = op.address == 1
                op = exchange.throw(BusTimeout("no answer")) if gone else exchange.send(fake.served(op))
            except StopIteration as stop:
                return stop.value

    device = deaf(silent)
    assert device.rating == word and not device.can.steer and "own.3.100" not in device.control
    with pytest.raises(BusTimeout):
        deaf()


def test_what_a_hybrid_would_be_let_without_derctl_passes_the_choke_point_too() -> None:
    _, device = hybrid()
    assert device.beyond(Write(address=103, values=share(100.0)), {}) == ""
    assert "own.after_pct would say 120" in device.beyond(Write(address=103, values=share(120.0)), {})


def test_the_power_of_a_battery_behind_a_hybrid_is_named_and_not_written() -> None:
    more = (
        "    target:\n      at: battery\n      give: [{point: limit_pct, of: watts}]\n      release: []\n    limit:"
    )
    _, device = hybrid(("    limit:", more))
    assert device.can.limit and not device.can.aim
    assert any("told apart from the PV's behind the same terminals" in text for text in device.problems)


def phases(**at: Any) -> tuple[Fake, Any]:
    word = Rating(
        p_max_w=6000.0, p_min_w=-3000.0, s_max_va=6000.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0
    )
    fake = acme(**{"r12": 60} | at)
    return fake, found(fake, PHASES, declared=word)


def test_each_phase_is_told_its_share_and_shares_that_differ_are_no_setpoint() -> None:
    fake, device = phases()
    taken = fake.run(device.write(Setpoint(p_target_w=-1500.0), AFTER, fake.poll(device)))
    assert sent(fake) == [(100, (500,)), (103, (500,)), (104, (500,))] and taken == Setpoint(p_target_w=-1500.0)
    assert device.sendable(Setpoint(p_target_w=1501.0)) == Setpoint(p_target_w=1500.0)
    fake.run(device.write(Setpoint(p_target_w=9000.0), AFTER, {}))
    assert sent(fake)[-1] == (104, (0x10000 - 2000,)), "inside its rating"
    fake.registers[103] = 0
    assert fake.reading(device).accepted == Setpoint()


def test_a_device_that_is_told_in_w_is_controlled_at_the_site_file_s_rating() -> None:
    """No register of such a maker says how large it is, and nothing that it is told counts from that."""
    _, device = phases()
    assert device.can.aim and (device.rating.p_max_w, device.rating.p_min_w) == (6000.0, -3000.0)
    assert device.reversion == Reversion(timer=Timer.NO_TARGET, lapses_s=10.0)
    assert device.absent_w(Fallback(p_ceiling_w=0.0)) == 6000.0, "what becomes of it then nobody promises"
    with pytest.raises(NotRecognised, match=r"with rating\.p_max_w in the site file"):
        found(acme(), PHASES)
    word = Rating(p_max_w=6000.0, p_min_w=0.0, s_max_va=6000.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0)
    line = "    - {name: p_max_w, address: 1, type: u32}\n"
    assert not found(acme(), PV, (line, ""), declared=word).can.steer, "percent of a word is another one's word"


def test_a_release_never_raises_what_stands_unless_it_is_lifted() -> None:
    fake = acme(r1=(0, 8000))
    device = found(fake, PV)
    fake.run(device.write(Setpoint(p_ceiling_w=1600.0), AFTER, {}))
    stands = Fallback(p_ceiling_w=3200.0, by=FallbackBy.STANDS)
    assert fake.run(device.release(stands, lift=False)) == Setpoint(p_ceiling_w=1600.0)
    assert fake.run(device.release(stands, lift=True)) == Setpoint(p_ceiling_w=3200.0)


def test_a_device_that_takes_function_6_only_gets_each_register_alone() -> None:
    fake, device = store(("map:", "write: {writes: {value: registers, by: document, source: the manual}}\nmap:"))
    fake.run(device.write(Setpoint(p_target_w=700_000.0), AFTER, {}))
    assert [(write.address, write.function) for write in fake.writes][:2] == [(103, 6), (104, 6)]


def test_limits_in_its_own_registers_are_those_of_its_chain_and_nobody_s_where_a_bms_tells() -> None:
    soc = "    - {name: soc_pct, address: 12, valid: [0, 100]}"
    more = (soc, f"{soc}\n    - {{name: charge_limit_w, address: 13}}")
    fake, device = store(more, r13=2500)
    reading = fake.reading(device)
    assert (reading.p_w, reading.soc_pct, reading.p_charge_limit_w) == (-700.0, 60.0, 2500.0)
    assert reading.limits_by is LimitsBy.CHAIN
    elsewhere = fake.reading(found(fake, STORE, more, bms_here=False))
    assert (elsewhere.p_charge_limit_w, elsewhere.limits_by) == (None, LimitsBy.NOBODY)


def test_a_device_that_refuses_a_part_is_found_without_it() -> None:
    """Older firmware has fewer registers. What it refuses in passing is asked again."""
    fake = acme(r10=(55, 500), r13=100, r14=3000, r15=1, r16=1)
    split = ("name: discharge_limit_w, address: 14", "name: discharge_limit_w, address: 114")
    fake.refuse = lambda op: 2 if op.address == 114 else None
    device = found(fake, BMS, split)
    assert device.battery.states
    left = device.without({"3.114": "exception 2"})
    assert "discharge_limit_w" in left.problems[-1]
    assert left.decode({"3.10": (55, 500, 0, 100), "3.15": (1, 1, 0)}).p_charge_limit_w == 5000.0
    fake.refuse = lambda op: 6 if op.address == 114 else None
    with pytest.raises(DeviceRefused):
        found(fake, BMS, split)


def test_a_rating_that_is_refused_is_the_site_file_s_word() -> None:
    word = Rating(
        p_max_w=3000.0, p_min_w=-3000.0, s_max_va=3000.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0
    )
    fake = acme(r1=(0, 5000))
    fake.refuse = lambda op: 2 if op.address == 1 else None
    assert found(fake, STORE, declared=word).rating == word


def test_who_it_is_and_its_rating_are_asked_again() -> None:
    fake, device = store()
    assert fake.run(device.identify()) == device.identity
    assert fake.run(device.rate()) == device.rating
    fake.registers[0] = 1
    with pytest.raises(NotRecognised):
        fake.run(device.identify())


def test_reads_of_a_device_stay_as_short_as_it_answers() -> None:
    fake = acme(r10=packed(Type.S32, 600))
    fake.refuse = lambda op: 3 if isinstance(op, Read) and op.count > 10 else None
    text = METER.replace("system: three", "system: three\n  gap: 90")
    device = found(fake, text)
    assert all(read.count <= 8 for read in device.control.values())


def test_a_battery_whose_limits_nobody_reads_says_which_are_missing_and_what_stands_in() -> None:
    _, device = store()
    [said] = [each for each in device.problems if "nobody reads of its battery" in each]
    assert "what it may be charged with, what it may give, its cells, its temperatures, its alarms." in said
    assert (
        "Its inverter keeps that by itself" in said and "soc_guard or reserve" in said and "bms: {bus, unit" in said
    )


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        (("charge_limit_w", "discharge_limit_w"), ""),
        (("charge_limit_w",), "battery: what it may give, its cells, its temperatures, its alarms."),
        (("discharge_limit_w", "cell_max_v"), "battery: what it may be charged with, its temperatures, its alarms."),
    ],
)
def test_only_what_is_missing_is_named(lines: tuple[str, ...], missing: str) -> None:
    soc = "    - {name: soc_pct, address: 12, valid: [0, 100]}"
    more = "".join(f"\n    - {{name: {name}, address: {13 + i}}}" for i, name in enumerate(lines))
    _, device = store((soc, soc + more))
    said = [each for each in device.problems if "nobody reads of its battery" in each]
    assert bool(said) is bool(missing) and all(missing in each for each in said)


def test_of_a_battery_that_another_device_tells_of_nothing_is_missing() -> None:
    fake = acme(r1=(0, 5000), r3=4000, r12=60)
    device = found(fake, STORE, bms_here=False)
    assert not [each for each in device.problems if "nobody reads of its battery" in each]


FIRMWARE = (
    "map:\n  maker",
    "firmware: {oldest: '1.2', newest: '1.4', by: capture, source: a device}\nmap:\n  maker",
)


@pytest.mark.parametrize(
    ("words", "taken", "said"),
    [
        ((0x312E, 0x3300), None, ""),
        ((0x312E, 0x3500), None, "profile acme was seen with firmware 1.2 to 1.4, not with firmware 1.5"),
        ((0x312E, 0x3500), "1.5", ""),
    ],
)
def test_a_firmware_that_the_map_was_not_seen_with_is_not_raised_until_the_site_file_takes_it(
    words: tuple[int, int], taken: str | None, said: str
) -> None:
    told = ("    - {name: p_w,", "    - {name: firmware, address: 60, type: string, registers: 2}\n    - {name: p_w,")
    fake = acme(r1=(0, 8000), r60=words)
    device = found(fake, PV, FIRMWARE, told, taken=Taken(firmware=taken))
    assert device.can.limit, "it is read and lowered"
    assert device.habits.unverified.startswith(said) and bool(device.habits.unverified) is bool(said)
    assert (device.habits.unverified in device.problems) is bool(said)
    limit = PV[PV.index("  control:") :]
    assert found(fake, PV, FIRMWARE, told, (limit, "")).habits.unverified == "", (
        "what is only read is raised by nobody"
    )


BLIND = ("map:\n  maker", "write: {readback: {value: effect_only, by: document, source: the manual}}\nmap:\n  maker")


def test_points_that_are_written_only_are_never_read_and_are_told_all_the_same() -> None:
    """SMA's own setpoints are such ones: a read of them is refused."""
    fake = acme(r1=(0, 8000), r10=packed(Type.S32, 7000))
    fake.refuse = lambda op: 2 if isinstance(op, Read) and op.address >= 100 else None
    device = found(fake, PV, BLIND)
    assert device.can.limit and not [name for name in device.control if name.startswith("own.")]
    assert fake.reading(device).accepted is None, "nothing is taken for what it reads back"
    assert fake.run(device.write(Setpoint(p_ceiling_w=4000.0), AFTER, fake.poll(device))) == Setpoint()
    assert sent(fake) == [(101, (500,)), (100, (1,))]
    stands = Fallback(p_ceiling_w=3000.0, by=FallbackBy.STANDS)
    assert device.promises(fake.poll(device), stands) is None
    fake.ops.clear()
    held = Setpoint(p_ceiling_w=4000.0)
    assert fake.run(device.release(stands, lift=False, held=held)) == Setpoint(p_ceiling_w=3000.0)
    assert sent(fake) == [(101, (375,)), (100, (1,))]
