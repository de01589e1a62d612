"""What goes onto the wire for a setpoint: parameters first, enable last, decoded again by pysunspec2.

Offsets in here are those of SunSpec's model definitions, counted from the model's ID register.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.exchange import Read, Write
from derctl.core.types import NOTHING, Fallback, Setpoint
from derctl.core.words import FallbackBy, Timer
from derctl.devices import Profile
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.errors import DecodeError, DeviceRefused, NotRecognised
from tests.fake import bound, from_dump, lay_out

ENABLE = {"pv_103": (123, 9), "pv_7xx": (704, 14), "storage_7xx": (704, 22), "storage_124": (124, 5)}
"""Model, and where its enable stands in it."""
ANY_W = st.floats(-1e7, 1e7) | st.floats(-6000, 6000)


def do(fake: Any, device: Any, fallback: Any = None, **setpoint: Any) -> Any:
    answers = fake.poll(device)
    return fake.run(device.write(Setpoint(**setpoint), fallback or Fallback(), answers))


def steps(fake: Any, model_id: Any) -> Any:
    """(offset from the model's ID, values, function) of each write."""
    start = fake.places[model_id]
    return [(op.address - start, op.values, op.function) for op in fake.writes]


def test_123_limits_in_one_write_of_five_registers_with_the_enable_last() -> None:
    """[5..9] WMaxLimPct, WinTms = 0, RvrtTms, RmpTms, WMaxLim_Ena = 1; percent of 121.WMax."""
    fake = lay_out("pv_103")
    device = bound(fake, bind_pv)
    accepted = do(fake, device, Fallback(after_s=60.0), p_ceiling_w=2000.0)
    assert steps(fake, 123) == [(5, (400, 0, 60, 0, 1), 16)]  # 40.0 % of 5000 W, scale factor -1
    assert fake.get(123, "WMaxLimPct") == 40.0
    assert accepted.p_ceiling_w == 2000.0


def test_the_base_is_the_setting_and_without_one_the_rating() -> None:
    fake = lay_out("pv_103")
    fake.put(121, WMax=None)
    device = bound(fake, bind_pv)
    assert device.rating.p_max_w == 6000
    do(fake, device, p_ceiling_w=1500.0)
    assert fake.get(123, "WMaxLimPct") == 25.0


def test_704_limits_with_timer_and_target_before_the_enable() -> None:
    """[15..19] WMaxLimPct, Rvrt, EnaRvrt, RvrtTms (2), then [14] WMaxLimPctEna = 1."""
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv)
    accepted = do(fake, device, Fallback(p_ceiling_w=1000.0, after_s=90000.0), p_ceiling_w=2000.0)
    assert steps(fake, 704) == [(15, (400, 200, 1, 1, 24464), 16), (14, (1,), 16)]
    assert fake.get(704, "WMaxLimPctRvrt") == 20.0
    assert fake.get(704, "WMaxLimPctRvrtTms") == 90000
    assert accepted.p_ceiling_w == 2000.0


def test_704_without_a_declared_ceiling_reverts_to_disabled() -> None:
    fake = lay_out("pv_7xx")
    do(fake, bound(fake, bind_pv), Fallback(after_s=30.0), p_ceiling_w=500.0)
    assert fake.get(704, "WMaxLimPctEnaRvrt") == 0
    assert fake.get(704, "WMaxLimPctRvrtTms") == 30


@pytest.mark.parametrize(("name", "point"), [("pv_103", "WMaxLimPct_RvrtTms"), ("pv_7xx", "WMaxLimPctRvrtTms")])
@pytest.mark.parametrize(("by", "seconds"), [("reversion", 45), ("stands", 0), ("device", 45)])
def test_a_limit_that_is_meant_to_stand_has_no_timer(name: str, point: str, by: str, seconds: int) -> None:
    fake = lay_out(name)
    do(fake, bound(fake, bind_pv), Fallback(p_ceiling_w=1000.0, by=FallbackBy(by), after_s=45.0), p_ceiling_w=900.0)
    assert fake.get(123 if name == "pv_103" else 704, point) == seconds


def test_704_sets_storage_in_watts_with_mode_timer_and_rest_before_the_enable() -> None:
    """[23..32] WSetMod, WSet (2), WSetRvrt (2), WSetPct, WSetPctRvrt, WSetEnaRvrt, RvrtTms (2), then [22] WSetEna."""
    fake = lay_out("storage_7xx")
    fake.put(704, WSetPct=12.5)
    device = bound(fake, bind_storage)
    accepted = do(fake, device, Fallback(p_ceiling_w=0.0, after_s=60.0), p_target_w=-1500.0)
    assert steps(fake, 704) == [(23, (1, 0xFFFF, 64036, 0, 0, 125, 0, 1, 0, 60), 16), (22, (1,), 16)]
    assert fake.get(704, "WSet") == -1500
    assert fake.get(704, "WSetPct") == 12.5  # not used, as it was: FranklinWH refuses some percentages
    assert accepted.p_target_w == -1500.0


def test_704_in_percent_where_the_device_has_no_watts() -> None:
    """OutBack implements WSetPct alone, although WSet's scale factor is there (docs/sources.md, dumps)."""
    fake = lay_out("storage_7xx")
    fake.put(704, WSet=None, WSetRvrt=None, WSetMod=0)
    device = bound(fake, bind_storage)
    accepted = do(fake, device, Fallback(p_ceiling_w=0.0), p_target_w=1250.0)
    assert (fake.get(704, "WSetMod"), fake.get(704, "WSetPct"), fake.get(704, "WSet")) == (0, 25.0, None)
    assert accepted.p_target_w == 1250.0


def test_704_percentages_count_from_wmax_and_not_from_the_discharge_rate() -> None:
    """Percent of 702.WMax (model 704). A battery that discharges at 3 kW behind 5 kW: 3 kW are 60 %."""
    fake = lay_out("storage_7xx", m702={"WDisChaRteMax": 3000, "WChaRteMax": 4000})
    fake.put(704, WSet=None, WSetMod=0)
    device = bound(fake, bind_storage)
    assert (device.rating.p_max_w, device.rating.p_min_w) == (3000, -4000)
    assert do(fake, device, p_target_w=3000.0).p_target_w == 3000
    assert fake.get(704, "WSetPct") == 60.0
    assert do(fake, device, p_target_w=-4000.0).p_target_w == -4000
    assert fake.get(704, "WSetPct") == -80.0


def test_704_with_neither_watts_nor_percent_is_refused_before_any_write() -> None:
    fake = lay_out("storage_7xx")
    fake.put(704, WSet=None, WSetPct=None, WSetPct_SF=None)
    with pytest.raises(DecodeError, match="WSetPct"):
        do(fake, bound(fake, bind_storage), p_target_w=100.0)
    assert fake.writes == []


def test_124_writes_rates_and_timers_before_the_mode() -> None:
    """[12..16] OutWRte, InWRte, WinTms, RvrtTms, RmpTms, then [5] StorCtl_Mod: both bits, both rates at one power."""
    fake = lay_out("storage_124")
    device = bound(fake, bind_storage)
    accepted = do(fake, device, Fallback(p_ceiling_w=0.0, after_s=60.0), p_target_w=1000.0)
    minus = 0x10000 - 2500
    assert steps(fake, 124) == [(12, (2500, minus, 0, 60, 0), 16), (5, (3,), 16)]  # 25.00 % of WChaMax 4000 W
    assert accepted.p_target_w == 1000.0
    do(fake, device, p_target_w=-1000.0)
    assert (fake.get(124, "OutWRte"), fake.get(124, "InWRte")) == (-25.0, 25.0)


@pytest.mark.parametrize(("w_cha_max", "percent"), [(11520, 21.7), (2500, 100.0), (5000, 50.0)])
def test_124_counts_from_wchamax_whatever_the_inverter_is_rated(w_cha_max: int, percent: float) -> None:
    """A Symo Hybrid says 11520 there (callifo/fronius_modbus): percent of that, not of the inverter."""
    fake = lay_out("storage_124")
    fake.put(124, WChaMax=w_cha_max)
    accepted = do(fake, bound(fake, bind_storage), p_target_w=2500.0)
    assert fake.get(124, "OutWRte") == pytest.approx(percent, abs=0.01)
    assert accepted.p_target_w == pytest.approx(2500.0, abs=1.0)


def test_124_that_never_says_its_base_is_no_storage() -> None:
    """SMA shows model 124 with every value not implemented: a percentage of nothing is not a setpoint."""
    fake = lay_out("storage_124")
    fake.put(124, WChaMax=None)
    assert do(fake, bound(fake, bind_storage), p_target_w=1000.0).p_target_w == 1000.0  # then of 120 MaxChaRte
    assert fake.get(124, "OutWRte") == 25.0
    fake.put(120, MaxChaRte=None)
    with pytest.raises(NotRecognised, match="WChaMax"):
        bound(fake, bind_storage)


def test_a_battery_charges_no_faster_than_its_nameplate() -> None:
    fake = lay_out("storage_124", m120={"MaxChaRte": 3000})
    assert bound(fake, bind_storage).rating.p_min_w == -3000


@pytest.mark.parametrize(
    ("there", "mode", "point", "offset", "percent"),
    [
        ({}, 2, "VArMaxPct", 16, 50.0),  # of 2200 var
        ({"VArMaxPct": None}, 1, "VArWMaxPct", 15, 22.0),  # of 5000 W
    ],
)
def test_123_var_says_what_it_is_a_percentage_of(
    there: Any, mode: int, point: str, offset: int, percent: float
) -> None:
    """[21] VArPct_Mod, the matching point, [18..20] timers, [22] VArPct_Ena = 1."""
    fake = lay_out("pv_103")
    fake.put(123, VArPct_Mod=3, **there)
    device = bound(fake, bind_pv)
    accepted = do(fake, device, Fallback(after_s=60.0), q_var=-1100.0)
    raw = (0x10000 - round(percent * 10),)
    expected = [(21, (mode,), 16), (offset, raw, 16), (18, (0, 60, 0), 16), (22, (1,), 16)]
    assert steps(fake, 123) == expected
    assert fake.get(123, point) == -percent
    assert accepted.q_var == pytest.approx(-1100.0)


def test_123_leaves_the_var_mode_alone_where_it_is_right_already() -> None:
    fake = lay_out("pv_103")
    do(fake, bound(fake, bind_pv), q_var=220.0)
    assert [offset for offset, _, _ in steps(fake, 123)] == [16, 18, 22]


def test_704_sets_var_with_mode_and_priority_before_the_enable() -> None:
    """[36..46] VarSetMod, VarSetPri, VarSet (2), Rvrt (2), Pct, PctRvrt, EnaRvrt, RvrtTms (2), then [35]."""
    fake = lay_out("pv_7xx")
    accepted = do(fake, bound(fake, bind_pv), Fallback(after_s=60.0), q_var=-1100.0)
    assert steps(fake, 704) == [(36, (4, 1, 0xFFFF, 64436, 0, 0, 0, 0, 0, 0, 60), 16), (35, (1,), 16)]
    assert fake.get(704, "VarSet") == -1100
    assert accepted.q_var == -1100.0


def test_704_var_in_percent_of_varmax_where_the_device_has_no_var() -> None:
    fake = lay_out("pv_7xx")
    fake.put(704, VarSet=None, VarSetMod=0)
    accepted = do(fake, bound(fake, bind_pv), q_var=1100.0)
    assert (fake.get(704, "VarSetMod"), fake.get(704, "VarSetPct")) == (1, 50.0)
    assert accepted.q_var == 1100.0


def test_power_goes_before_var_and_all_is_read_back_last() -> None:
    fake = lay_out("pv_7xx")
    accepted = do(fake, bound(fake, bind_pv), p_ceiling_w=1000.0, q_var=300.0)
    assert [offset for offset, _, _ in steps(fake, 704)] == [15, 14, 36, 35]
    assert isinstance(fake.ops[-1], Read)
    assert (accepted.p_ceiling_w, accepted.q_var) == (1000.0, 300.0)


@pytest.mark.parametrize("name", ["pv_103", "pv_7xx", "storage_7xx", "storage_124"])
def test_a_device_that_takes_function_6_only_gets_single_registers_with_the_enable_last(name: str) -> None:
    """Kostal refuses function 16 (evcc PR#31487)."""
    fake = lay_out(name)
    fake.refuse = lambda op: 1 if isinstance(op, Write) and op.function == 16 else None
    storage = name.startswith("storage")
    device = bound(fake, bind_storage if storage else bind_pv, writes="registers")
    asked = {"p_target_w": 1000.0} if storage else {"p_ceiling_w": 1000.0}
    accepted = do(fake, device, Fallback(p_ceiling_w=500.0, after_s=60.0), **asked)
    assert {op.function for op in fake.writes} == {6}
    assert accepted == (Setpoint(**asked, p_ceiling_w=None) if storage else Setpoint(p_ceiling_w=1000.0))
    enable = ENABLE[name]
    assert steps(fake, enable[0])[-1][0] == enable[1]


SINGLE_123 = [(5, (400,), 16), (6, (0,), 16), (7, (60,), 16), (8, (0,), 16), (9, (1,), 16)]


def test_a_device_that_takes_points_singly_gets_five_writes_for_123() -> None:
    """The first fall-back: five single FC16, the enable last."""
    fake = lay_out("pv_103")
    accepted = do(fake, bound(fake, bind_pv, writes="points"), Fallback(after_s=60.0), p_ceiling_w=2000.0)
    assert steps(fake, 123) == SINGLE_123
    assert accepted.p_ceiling_w == 2000.0


@pytest.mark.parametrize("code", [2, 3, 4])
def test_a_device_that_refuses_a_block_gets_its_points_singly(code: int) -> None:
    fake = lay_out("pv_103")
    fake.refuse = lambda op: code if isinstance(op, Write) and len(op.values) > 1 else None
    accepted = do(fake, bound(fake, bind_pv), Fallback(after_s=60.0), p_ceiling_w=2000.0)
    assert steps(fake, 123)[1:] == SINGLE_123
    assert accepted.p_ceiling_w == 2000.0


def test_a_wide_point_is_never_cut_in_two() -> None:
    fake = lay_out("storage_7xx")
    do(fake, bound(fake, bind_storage, writes="points"), Fallback(after_s=90000.0), p_target_w=-1500.0)
    assert (24, (0xFFFF, 64036), 16) in steps(fake, 704)
    assert (31, (1, 24464), 16) in steps(fake, 704)


@pytest.mark.parametrize("name", ["pv_103", "storage_124"])
@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_a_device_of_both_functions_gets_a_block_and_by_function_6_what_is_refused_so(name: str, code: int) -> None:
    fake, storage = lay_out(name), name.startswith("storage")
    device = bound(fake, bind_storage if storage else bind_pv, writes="both")
    asked = {"p_target_w": 1000.0} if storage else {"p_ceiling_w": 1000.0}
    accepted = do(fake, device, **asked)
    blocks = [op.function for op in fake.writes]
    assert set(blocks) == {16}
    fake.ops.clear()
    fake.refuse = lambda op: code if isinstance(op, Write) and op.function == 16 else None
    assert do(fake, device, **asked) == accepted
    taken = [op for op in fake.writes if op.function == 6]
    assert len(fake.writes) - len(taken) == len(blocks)
    number, offset = ENABLE[name]
    assert taken[-1].address == fake.places[number] + offset, "the enable is the last"


WIDE_704 = {"WMaxLimPctRvrtTms": 18, "WSet": 24, "WSetRvrt": 26, "WSetRvrtTms": 31, "VarSet": 38}
"""Points of two registers, and where the first stands in model 704."""


@pytest.mark.parametrize(("name", "bind"), [("pv_7xx", bind_pv), ("storage_7xx", bind_storage)])
def test_function_6_never_writes_half_of_a_number(name: str, bind: Any) -> None:
    """What does not fit into one register is not told, and that is said: half of it is another number."""
    fake = lay_out(name)
    fake.put(704, WSetPct=0.0, WSetPctRvrt=0.0, WSetPct_SF=-1)
    device = bound(fake, bind, writes="registers")
    asked = {"p_target_w": -1500.0} if bind is bind_storage else {"p_ceiling_w": 1000.0}
    do(fake, device, Fallback(p_ceiling_w=500.0, after_s=90000.0), q_var=300.0, **asked)
    touched = {op.address - fake.places[704] for op in fake.writes}
    assert touched and touched.isdisjoint({*WIDE_704.values(), *(each + 1 for each in WIDE_704.values())})
    said = next(text for text in device.problems if "one register in a request" in text)
    assert ("WSetRvrtTms" if bind is bind_storage else "WMaxLimPctRvrtTms") in said
    assert device.reversion.timer is Timer.NONE
    if bind is bind_storage:
        assert fake.get(704, "WSetMod") == 0 and fake.get(704, "WSetPct") == -30.0, "in percent instead"


def test_a_setpoint_that_has_no_point_of_one_register_is_not_offered_to_function_6() -> None:
    fake = lay_out("storage_7xx")
    fake.put(704, WSetPct=None, VarSetPct=None)
    device = bound(fake, bind_storage, writes="registers")
    assert (device.can.aim, device.can.var) == (False, False)
    assert bound(fake, bind_storage).can.aim


def test_half_a_number_is_not_the_way_round_a_refusal_either() -> None:
    """A device of both functions that takes no block of a 704: nothing of it is written."""
    fake = lay_out("storage_7xx")
    device = bound(fake, bind_storage, writes="both")
    fake.refuse = lambda op: 1 if isinstance(op, Write) and op.function == 16 else None
    with pytest.raises(DeviceRefused):
        do(fake, device, p_target_w=1000.0)
    assert all(op.function == 16 for op in fake.writes)


def test_an_enable_that_is_written_apart_is_a_request_of_its_own() -> None:
    fake = lay_out("pv_103")
    do(fake, bound(fake, bind_pv, enable="apart"), Fallback(after_s=60.0), p_ceiling_w=2000.0)
    assert steps(fake, 123) == [(5, (400, 0, 60, 0), 16), (9, (1,), 16)]


@pytest.mark.parametrize(
    ("name", "model_id", "enable", "asked"),
    [
        ("pv_103", 123, 9, {"p_ceiling_w": 1000.0}),
        ("pv_7xx", 704, 14, {"p_ceiling_w": 1000.0}),
        ("storage_124", 124, 5, {"p_target_w": 1000.0}),
    ],
)
def test_an_enable_that_is_toggled_goes_off_and_on_behind_all_that_it_needs(
    name: str, model_id: int, enable: int, asked: dict[str, float]
) -> None:
    """1, 0, 1 (callifo/fronius_modbus#58): what stood is not lifted before the new value is in the device."""
    fake = lay_out(name)
    device = bound(fake, bind_storage if name.startswith("storage") else bind_pv)
    plain = do(fake, device, **asked)
    before = steps(fake, model_id)
    fake.ops.clear()
    answers = fake.poll(device)
    assert fake.run(device.write(Setpoint(**asked), Fallback(), answers, toggle=True)) == plain
    sent = steps(fake, model_id)
    place, values, function = before[-1]
    assert place <= enable < place + len(values) and values[enable - place]
    off = tuple(0 if place + at == enable else word for at, word in enumerate(values))
    assert sent == [*before[:-1], (place, off, function), (enable, (values[enable - place],), 16)]


def test_an_enable_that_was_toggled_off_is_asked_on_until_somebody_has_to_know() -> None:
    """A refusal between the two would leave the inverter without any limit."""
    fake = lay_out("pv_103")
    device = bound(fake, bind_pv)
    do(fake, device, p_ceiling_w=2500.0)
    enable = next(place for place, values, _ in steps(fake, 123)[-1:]) + 4
    for refused, raises in ((2, False), (3, True)):
        fake.ops.clear()
        left = refused

        def busy(op: Any) -> int | None:
            nonlocal left
            on = isinstance(op, Write) and op.values == (1,)
            left -= on
            return 6 if on and left >= 0 else None

        fake.refuse = busy
        answers = fake.poll(device)
        exchange = device.write(Setpoint(p_ceiling_w=2000.0), Fallback(), answers, toggle=True)
        if raises:
            with pytest.raises(DeviceRefused):
                fake.run(exchange)
        else:
            fake.run(exchange)
        block, *tail = [(place, values) for place, values, _ in steps(fake, 123)][-4:]
        assert block[1][-1] == 0 and tail == [(enable, (1,))] * 3


def test_a_toggled_write_that_switches_off_switches_off_once() -> None:
    fake = lay_out("pv_103")
    device = bound(fake, bind_pv)
    do(fake, device, p_ceiling_w=1000.0, q_var=100.0)
    fake.ops.clear()
    answers = fake.poll(device)
    fake.run(device.write(Setpoint(p_ceiling_w=1000.0), Fallback(), answers, give_back_var=True, toggle=True))
    assert [values for place, values, _ in steps(fake, 123) if place == 22] == [(0,)]


GATED = Profile(gate=(11790, 0x5355), until_told=("123.WMaxLimPct_*",))


def gated(word: int, *, veto: bool = False) -> Any:
    """A device whose gate stands so; veto: it refuses although that is open."""
    fake = lay_out("pv_103")
    fake.registers[11790] = word

    def refuse(op: Any) -> int | None:
        shut = veto or fake.registers[11790] != 0x5355
        return 4 if isinstance(op, Write) and op.address != 11790 and shut else None

    fake.refuse = refuse
    return fake


def test_a_closed_gate_is_opened_and_the_write_goes_out_once_more() -> None:
    fake = gated(0)
    device = bound(fake, bind_pv, profile=GATED)
    assert do(fake, device, p_ceiling_w=2000.0).p_ceiling_w == 2000.0
    block, gate, again = fake.writes
    assert gate == Write(address=11790, values=(0x5355,), function=6) and block == again
    assert device.points_of(gate) == ("gate",)
    fake.ops.clear()
    do(fake, device, p_ceiling_w=1000.0)
    assert gate not in fake.writes and Read(address=11790, count=1) not in fake.ops


def test_a_release_opens_it_too() -> None:
    fake = gated(0)
    device = bound(fake, bind_pv, profile=GATED)
    stands = Fallback(by=FallbackBy.STANDS, p_ceiling_w=1000.0)
    fake.run(device.release(stands, lift=False, held=Setpoint(p_ceiling_w=3000.0)))
    assert fake.get(123, "WMaxLimPct") == 20.0


@pytest.mark.parametrize(("word", "veto", "code"), [(0x5355, True, 4), (0, False, 6)])
def test_what_is_refused_for_another_reason_writes_no_gate(word: int, veto: bool, code: int) -> None:
    """It is stored: one that stands open is never written again (the machine's veto answers 4 as well)."""
    fake = gated(word, veto=veto)
    device = bound(fake, bind_pv, profile=GATED)
    if code != 4:
        fake.refuse = lambda op: code if isinstance(op, Write) else None
    with pytest.raises(DeviceRefused):
        do(fake, device, p_ceiling_w=2000.0)
    assert all(op.address != 11790 for op in fake.writes)


def test_a_gate_that_does_not_open_is_a_refusal() -> None:
    fake = gated(0)
    device = bound(fake, bind_pv, profile=GATED)
    fake.store = lambda address, value: None if address == 11790 else value
    with pytest.raises(DeviceRefused):
        do(fake, device, p_ceiling_w=2000.0)
    assert [op.address for op in fake.writes].count(11790) == 1
    assert fake.get(123, "WMaxLim_Ena") == 0


def test_a_gate_is_stored_whatever_else_is_volatile() -> None:
    assert GATED.wears("gate") and not GATED.guarded


@pytest.mark.parametrize(("profile", "armed"), [(Profile(), False), (GATED, True)])
def test_a_timer_that_hides_until_it_is_told_is_armed_with_the_first_write(profile: Profile, armed: bool) -> None:
    """Wattsonic: its timers read 0xFFFF while a control is released (package wattsonic-modbus-docs)."""
    fake = lay_out("pv_103")
    fake.put(123, WMaxLimPct_WinTms=None, WMaxLimPct_RvrtTms=None, WMaxLimPct_RmpTms=None)
    device = bound(fake, bind_pv, profile=profile)
    do(fake, device, Fallback(after_s=60.0), p_ceiling_w=2000.0)
    assert fake.get(123, "WMaxLimPct_RvrtTms") == (60 if armed else None)


@pytest.mark.parametrize("code", [1, 5, 6])
def test_a_block_refused_for_another_reason_is_not_tried_in_pieces(code: int) -> None:
    fake = lay_out("pv_103")
    fake.refuse = lambda op: code if isinstance(op, Write) else None
    with pytest.raises(DeviceRefused):
        do(fake, bound(fake, bind_pv), p_ceiling_w=2000.0)
    assert len(fake.writes) == 1


def strict(fake: Any, model_id: Any) -> None:
    """Refuse each write that touches a point which reads as not implemented, as many devices do."""
    made = fake.decoded(model_id)
    missing = {
        fake.places[model_id] + point.offset + i
        for point in made.points.values()
        if point.value is None
        for i in range(point.len)
    }
    fake.refuse = lambda op: (
        2 if isinstance(op, Write) and missing & set(range(op.address, op.address + len(op.values))) else None
    )


def test_123_leaves_out_the_points_that_a_device_does_not_have() -> None:
    """KACO implements no WinTms and no RmpTms (dump)."""
    fake = lay_out("pv_103", m123={"WMaxLimPct_WinTms": None, "WMaxLimPct_RmpTms": None, "VArPct_RmpTms": None})
    strict(fake, 123)
    accepted = do(fake, bound(fake, bind_pv), Fallback(after_s=60.0), p_ceiling_w=2000.0, q_var=220.0)
    assert steps(fake, 123) == [
        *[(5, (400,), 16), (7, (60,), 16), (9, (1,), 16)],
        *[(16, (100,), 16), (18, (0, 60), 16), (22, (1,), 16)],
    ]
    assert (accepted.p_ceiling_w, accepted.q_var) == (2000.0, 220.0)


def test_124_leaves_out_the_points_that_a_device_does_not_have() -> None:
    fake = lay_out("storage_124", m124={"InOutWRte_WinTms": None, "InOutWRte_RvrtTms": None})
    strict(fake, 124)
    assert do(fake, bound(fake, bind_storage), p_target_w=1000.0).p_target_w == 1000.0
    assert [offset for offset, _, _ in steps(fake, 124)] == [12, 16, 5]


NOT_OUTBACK = {"WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms", "WSet", "WSetRvrt", "WSetPctRvrt"}
NOT_OUTBACK |= {
    "WSetEnaRvrt",
    "WSetRvrtTms",
    "VarSet",
    "VarSetRvrt",
    "VarSetPctRvrt",
    "VarSetEnaRvrt",
    "VarSetRvrtTms",
}


def test_outback_takes_a_setpoint_although_it_has_neither_watts_nor_timers() -> None:
    fake = from_dump("outback")
    assert {name for name in NOT_OUTBACK if fake.get(704, name) is None} == NOT_OUTBACK
    strict(fake, 704)
    device = bound(fake, bind_storage)
    accepted = do(fake, device, Fallback(p_ceiling_w=0.0, after_s=60.0), p_target_w=device.rating.p_max_w / 4)
    assert [offset for offset, _, _ in steps(fake, 704)] == [23, 28, 22]
    assert fake.get(704, "WSetPct") == pytest.approx(25.0, abs=0.1)
    assert accepted.p_target_w == pytest.approx(device.rating.p_max_w / 4, abs=8.0)


def test_outback_takes_a_limit_without_a_reversion_target() -> None:
    fake = from_dump("outback")
    strict(fake, 704)
    device = bound(fake, bind_pv)
    assert do(fake, device, p_ceiling_w=device.rating.p_max_w / 2).p_ceiling_w is not None
    assert [offset for offset, _, _ in steps(fake, 704)] == [15, 14]
    assert fake.get(704, "WMaxLimPct") == 50.0


def test_kaco_takes_a_limit_as_it_stands() -> None:
    fake = from_dump("kaco_blueplanet_86tl3_blueplanet_86tl3")
    strict(fake, 123)
    device = bound(fake, bind_pv)
    assert do(fake, device, Fallback(after_s=60.0), p_ceiling_w=device.rating.p_max_w / 2).p_ceiling_w is not None
    assert [offset for offset, _, _ in steps(fake, 123)] == [5, 7, 9]


def test_where_control_points_never_read_as_anything_all_of_them_are_written() -> None:
    """SMA's model 123 reads as not implemented and takes writes (technical information)."""
    fake = lay_out("pv_103")
    timers = {f"WMaxLimPct_{name}": None for name in ("WinTms", "RvrtTms", "RmpTms")}
    fake.put(123, WMaxLimPct=None, WMaxLim_Ena=None, **timers)
    do(fake, bound(fake, bind_pv, readback="effect_only"), Fallback(after_s=60.0), p_ceiling_w=2000.0)
    assert steps(fake, 123) == [(5, (400, 0, 60, 0, 1), 16)]


def test_the_limit_and_its_enable_are_written_however_they_read() -> None:
    fake = lay_out("pv_103")
    device = bound(fake, bind_pv)
    fake.put(123, WMaxLimPct=None, WMaxLim_Ena=None)
    do(fake, device, Fallback(after_s=60.0), p_ceiling_w=2000.0)
    assert steps(fake, 123) == [(5, (400, 0, 60, 0, 1), 16)]


@pytest.mark.parametrize("name", ["pv_103", "pv_7xx"])
def test_the_scale_factor_of_the_last_poll_is_the_one_that_is_written_with(name: str) -> None:
    """evcc-io/evcc#16008: a scale factor ignored on writing is a wrong limit."""
    control = 123 if name == "pv_103" else 704
    fake = lay_out(name)
    device = bound(fake, bind_pv)
    for sf in (-2, 0, -1):
        fake.put(control, WMaxLimPct_SF=sf, WMaxLimPct=100)
        assert do(fake, device, p_ceiling_w=2000.0).p_ceiling_w == 2000.0
        assert fake.get(control, "WMaxLimPct") == 40


@pytest.mark.parametrize("name", ["pv_103", "pv_7xx"])
def test_without_a_scale_factor_nothing_is_written(name: str) -> None:
    control = 123 if name == "pv_103" else 704
    fake = lay_out(name)
    device = bound(fake, bind_pv)
    fake.put(control, WMaxLimPct_SF=None)
    with pytest.raises(DecodeError, match="WMaxLimPct"):
        do(fake, device, p_ceiling_w=2000.0)
    assert fake.writes == []


@pytest.mark.parametrize(("sf", "percent"), [(0, 40.0), (-1, 40.9), (-2, 40.99)])
def test_a_ceiling_between_two_steps_takes_the_lower(sf: int, percent: float) -> None:
    fake = lay_out("pv_103", m123={"WMaxLimPct_SF": sf})
    do(fake, bound(fake, bind_pv), p_ceiling_w=2049.9)  # 40.998 % of 5000 W
    assert fake.get(123, "WMaxLimPct") == percent


@given(ceiling_w=ANY_W, name=st.sampled_from(["pv_103", "pv_7xx"]), sf=st.sampled_from([-2, -1, 0]))
def test_a_ceiling_is_clamped_to_the_rating_and_never_rounded_up(ceiling_w: Any, name: str, sf: Any) -> None:
    control = 123 if name == "pv_103" else 704
    fake = lay_out(name)
    device = bound(fake, bind_pv)
    fake.put(control, WMaxLimPct_SF=sf, WMaxLimPct=100)
    accepted = do(fake, device, p_ceiling_w=ceiling_w).p_ceiling_w
    inside = min(max(ceiling_w, 0.0), 5000.0)
    assert inside - 50.0 * 10.0**sf - 1e-3 <= accepted <= inside + 1e-3
    assert 0 <= fake.get(control, "WMaxLimPct") <= 100


TARGETS = [  # (device, its scale factor, one step of it in W)
    *[("storage_7xx", {"WSet_SF": sf}, 10.0**sf) for sf in (-3, -1, 0, 1, 2)],
    *[("storage_7xx", {"WSet": None, "WSetPct_SF": sf}, 50.0 * 10.0**sf) for sf in (-2, -1, 0)],
    *[("storage_124", {"InOutWRte_SF": sf}, 40.0 * 10.0**sf) for sf in (-2, -1, 0)],
]


@given(target_w=ANY_W, how=st.sampled_from(TARGETS))
def test_a_target_is_clamped_to_what_the_storage_can_and_is_never_more_than_asked(target_w: Any, how: Any) -> None:
    """In each direction; between two steps it takes the one nearer to rest."""
    name, points, step_w = how
    fake = lay_out(name)
    fake.put(704 if name == "storage_7xx" else 124, **points)
    accepted = do(fake, bound(fake, bind_storage), p_target_w=target_w).p_target_w
    most = 4000.0 if name == "storage_124" else 5000.0  # 124: 100 % is WChaMax, 4000 W
    inside = min(max(target_w, -4000.0), most)
    assert accepted * inside >= 0.0
    assert abs(inside) - step_w - 1e-3 <= abs(accepted) <= abs(inside) + 1e-3


@pytest.mark.parametrize(("asked", "out", "into"), [(-160.0, -1, 1), (160.0, 1, -1), (-99.0, 0, 0), (-200.0, -2, 2)])
def test_124_with_a_coarse_scale_charges_no_more_than_asked(asked: float, out: int, into: int) -> None:
    """1 % of 10 kW: 160 W are 100 W and not 200 W, and never 0 in one direction alone."""
    fake = lay_out("storage_124", m124={"InOutWRte_SF": 0, "WChaMax": 10000}, m120={"MaxChaRte": 10000})
    fake.put(121, WMax=10000)
    do(fake, bound(fake, bind_storage), p_target_w=asked)
    assert (fake.get(124, "OutWRte"), fake.get(124, "InWRte")) == (out, into)


@pytest.mark.parametrize(
    ("points", "asked", "point", "written"),
    [
        ({"WSet_SF": 2}, -1560.0, "WSet", -1500),
        ({"WSet_SF": 2}, 1590.0, "WSet", 1500),
        ({"WSet_SF": 0}, -1500.9, "WSet", -1500),
        ({"WSet_SF": 0}, 0.9, "WSet", 0),
        ({"WSet": None, "WSetPct_SF": 0}, -1299.0, "WSetPct", -25),
        ({"WSet": None, "WSetPct_SF": 0}, 1299.0, "WSetPct", 25),
    ],
)
def test_704_with_a_coarse_scale_gives_no_more_than_asked(
    points: Any, asked: float, point: str, written: int
) -> None:
    fake = lay_out("storage_7xx")
    fake.put(704, **points)
    do(fake, bound(fake, bind_storage), p_target_w=asked)
    assert fake.get(704, point) == written


@pytest.mark.parametrize("name", ["storage_7xx", "storage_124"])
@pytest.mark.parametrize("asked", [0.1 + 0.2, 1100.0, -2300.0, 3999.6, 1234.8])
def test_a_target_on_a_step_stays_on_it(name: str, asked: float) -> None:
    """Binary fractions: 0.3 W is 3 steps of 0.1 W, 0.29999999 too."""
    fake = lay_out(name)
    if name == "storage_7xx":
        fake.put(704, WSet_SF=-1)
    elif asked < 1.0:
        asked = 0.4 - 1e-12  # one step of 0.01 % of 4000 W
    accepted = do(fake, bound(fake, bind_storage), p_target_w=asked).p_target_w
    assert accepted == pytest.approx(asked, abs=1e-6)


@given(q_var=ANY_W, name=st.sampled_from(["pv_103", "pv_7xx"]))
def test_var_is_clamped_to_the_rating(q_var: Any, name: str) -> None:
    fake = lay_out(name)
    accepted = do(fake, bound(fake, bind_pv), q_var=q_var).q_var
    assert accepted == pytest.approx(min(max(q_var, -2200.0), 2200.0), abs=1.2)


@pytest.mark.parametrize(("asked", "written"), [(400.0, 0.0), (499.0, 0.0), (500.0, 10.0), (0.0, 0.0)])
def test_a_limit_below_what_keeps_the_inverter_awake_is_written_as_zero(asked: float, written: float) -> None:
    """Fronius: below 10 % the inverter may go to standby (Datamanager manual)."""
    fake = lay_out("pv_103")
    do(fake, bound(fake, bind_pv, min_limit_pct=10.0), p_ceiling_w=asked)
    assert fake.get(123, "WMaxLimPct") == written


def test_what_the_device_clips_is_what_is_accepted() -> None:
    fake = lay_out("pv_103")
    limit = fake.places[123] + 5
    fake.store = lambda address, value: max(value, 300) if address == limit else value
    assert do(fake, bound(fake, bind_pv), p_ceiling_w=500.0).p_ceiling_w == 1500.0


def test_what_the_device_ignores_is_not_accepted() -> None:
    fake = lay_out("pv_7xx")
    fake.store = lambda address, value: None
    accepted = do(fake, bound(fake, bind_pv), p_ceiling_w=500.0, q_var=100.0)
    assert (accepted.p_ceiling_w, accepted.q_var) == (5000.0, None)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 6])
def test_a_refusal_ends_the_write_before_the_enable(code: int) -> None:
    fake = lay_out("pv_7xx")
    fake.refuse = lambda op: code if isinstance(op, Write) else None
    with pytest.raises(DeviceRefused) as caught:
        do(fake, bound(fake, bind_pv), p_ceiling_w=500.0)
    assert caught.value.code == code
    assert {offset for offset, _, _ in steps(fake, 704)} == {15}
    assert fake.get(704, "WMaxLimPctEna") == 0


def test_what_nobody_asked_for_is_not_written() -> None:
    for name, bind in (("pv_103", bind_pv), ("pv_7xx", bind_pv), ("storage_7xx", bind_storage)):
        fake = lay_out(name)
        do(fake, bound(fake, bind))
        assert fake.writes == []


@pytest.mark.parametrize(
    ("name", "point", "value", "accepted"),
    [
        ("pv_103", "WMaxLim_Ena", 0, 5000.0),  # not limited: the whole rating
        ("pv_103", "WMaxLim_Ena", None, None),
        ("pv_103", "WMaxLimPct", None, None),
        ("pv_103", "WMaxLimPct_SF", None, None),
        ("pv_7xx", "WMaxLimPctEna", 0, 5000.0),
        ("pv_7xx", "WMaxLimPctEna", None, None),
        ("pv_7xx", "WMaxLimPct", None, None),
        ("pv_7xx", "WMaxLimPct_SF", None, None),
    ],
)
def test_an_accepted_ceiling_is_what_reads_back_or_unknown(
    name: str, point: str, value: int | None, accepted: float | None
) -> None:
    control = 123 if name == "pv_103" else 704
    fake = lay_out(name)
    device = bound(fake, bind_pv)
    assert do(fake, device, p_ceiling_w=1000.0).p_ceiling_w == 1000.0
    changes = {point: value} | ({"WMaxLimPct_SF": -1, "WMaxLimPct": 20} if point.endswith("Ena") else {})
    fake.put(control, **changes)
    told = fake.reading(device).accepted
    assert (told is None) is (value is None), "what is not implemented is not no limit"
    assert (told or NOTHING).p_ceiling_w == accepted


@pytest.mark.parametrize(
    ("name", "model_id", "points", "field"),
    [
        ("storage_7xx", 704, {"WSetEna": 0}, "p_target_w"),
        ("storage_7xx", 704, {"WSetEna": None}, "p_target_w"),
        ("storage_7xx", 704, {"WSetMod": None}, "p_target_w"),
        ("storage_7xx", 704, {"WSet": None}, "p_target_w"),
        ("storage_124", 124, {"StorCtl_Mod": 0}, "p_target_w"),
        ("storage_124", 124, {"StorCtl_Mod": 2}, "p_target_w"),  # a bound on discharge is no setpoint
        ("storage_124", 124, {"StorCtl_Mod": None}, "p_target_w"),
        ("storage_124", 124, {"OutWRte": None}, "p_target_w"),
        ("pv_103", 123, {"VArPct_Ena": 0}, "q_var"),
        ("pv_103", 123, {"VArPct_Mod": 1}, "q_var"),  # another point is in force
        ("pv_103", 123, {"VArMaxPct": None}, "q_var"),
        ("pv_7xx", 704, {"VarSetEna": 0}, "q_var"),
        ("pv_7xx", 704, {"VarSetMod": 0}, "q_var"),  # percent of WMax, which derctl never writes
        ("pv_7xx", 704, {"VarSetMod": None}, "q_var"),
        ("pv_7xx", 704, {"VarSet": None}, "q_var"),
    ],
)
def test_a_setpoint_that_is_off_or_unreadable_is_not_accepted(
    name: str, model_id: int, points: Any, field: str
) -> None:
    fake = lay_out(name)
    storage = name.startswith("storage")
    device = bound(fake, bind_storage if storage else bind_pv)
    assert getattr(do(fake, device, **{field: 700.0}), field) == pytest.approx(700.0, abs=1.2)
    fake.put(model_id, **points)
    assert getattr(fake.reading(device).accepted or NOTHING, field) is None


VAR_ENABLE = {"pv_103": (123, "VArPct_Ena"), "pv_7xx": (704, "VarSetEna")}
VAR_ENABLE |= {"storage_7xx": (704, "VarSetEna"), "storage_124": (123, "VArPct_Ena")}


@pytest.mark.parametrize("name", VAR_ENABLE)
def test_var_is_given_back_after_the_power_and_only_when_told(name: str) -> None:
    """Without a reversion timer the last var stood for ever once volt_var abstained."""
    fake = lay_out(name)
    storage = name.startswith("storage")
    device = bound(fake, bind_storage if storage else bind_pv)
    power = {"p_target_w" if storage else "p_ceiling_w": 2000.0}
    assert do(fake, device, **power, q_var=300.0).q_var == pytest.approx(300.0, abs=1.2)
    model_id, point = VAR_ENABLE[name]
    assert do(fake, device, **power).q_var == pytest.approx(300.0, abs=1.2)  # not told
    fake.ops.clear()
    accepted = fake.run(device.write(Setpoint(**power), Fallback(), fake.poll(device), give_back_var=True))
    assert fake.get(model_id, point) == 0
    place = fake.places[model_id] + device.controls.groups.var.view.model.fixed[point].offset
    assert [op.address for op in fake.writes].index(place) == len(fake.writes) - 1 > 0
    assert accepted == Setpoint(**power)


def test_var_is_given_back_without_any_power_too() -> None:
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv)
    do(fake, device, q_var=300.0)
    fake.ops.clear()
    fake.run(device.write(Setpoint(), Fallback(), fake.poll(device), give_back_var=True))
    assert steps(fake, 704) == [(35, (0,), 16)]


def test_var_that_is_told_is_not_given_back() -> None:
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv)
    told = Setpoint(q_var=0.0)
    accepted = fake.run(device.write(told, Fallback(), fake.poll(device), give_back_var=True))
    assert (accepted.q_var, fake.get(704, "VarSetEna")) == (0.0, 1)


def test_what_takes_no_var_has_none_to_give_back() -> None:
    fake = lay_out("storage_124", m123=None)
    device = bound(fake, bind_storage)
    fake.run(device.write(Setpoint(), Fallback(), fake.poll(device), give_back_var=True))
    assert fake.writes == []
