"""Reactive power of a device with a register map: told, read back, and given back as a SunSpec device's."""

from __future__ import annotations

import math
from typing import Any

import pytest

from derctl.core.engine import step
from derctl.core.exchange import Write
from derctl.core.plan import Plan
from derctl.core.types import Fallback, Setpoint
from derctl.core.words import Timer
from derctl.devices.maps.line import Type
from derctl.devices.types import Reversion
from derctl.devices.writable import barred
from derctl.errors import DeviceRefused
from derctl.functions.const_pf import ConstPf
from derctl.functions.const_var import ConstVar
from derctl.functions.volt_var import VoltVar
from tests import make
from tests.fake import Fake
from tests.unit.devices.test_maps import AFTER, PV, acme, found, packed, sent

VAR = PV.replace(
    "    - {name: p_w, address: 10, type: s32}\n",
    "    - {name: p_w, address: 10, type: s32}\n    - {name: q_max_var, address: 3}\n"
    "    - {name: s_max_va, address: 4}\n    - {name: q_var, address: 14, type: s16}\n",
).replace(
    "    limit:\n",
    "      - {name: q_mode, address: 110, volatile: true}\n"
    "      - {name: q_var, address: 111, type: s16, scale: 10, volatile: true}\n"
    "    var:\n"
    "      give: [{point: q_var, of: var}, {point: q_mode, value: 2}]\n"
    "      release: [{point: q_mode, value: 0}]\n"
    "    limit:\n",
)
"""As PV, with a fixed reactive power in a register that counts in 10 var."""
POINT = "      - {name: q_mode, address: 110, volatile: true}\n"
TIMED = (
    (POINT, f"{POINT}      - {{name: q_s, address: 112, volatile: true}}\n"),
    ("of: var}, {point: q_mode, value: 2}]", "of: var}, {point: q_s, of: seconds}, {point: q_mode, value: 2}]"),
)


def varied(*changes: tuple[str, str], **at: Any) -> tuple[Fake, Any]:
    fake = acme(**{"r1": (0, 8000), "r3": 4000, "r4": 8800, "r10": packed(Type.S32, 5000), "r14": 120} | at)
    return fake, found(fake, VAR, *changes)


def test_reactive_power_is_told_behind_the_power_and_reads_back() -> None:
    fake, device = varied()
    assert device.can.var and device.can.limit and not device.can.aim and device.can.volatile
    rating = device.rating
    assert (rating.q_inj_max_var, rating.q_abs_max_var, rating.s_max_va) == (4000.0, 4000.0, 8800.0)
    reading = fake.reading(device)
    assert (reading.q_var, reading.accepted) == (120.0, Setpoint(p_ceiling_w=8000.0)), "it is given no var yet"
    wanted = Setpoint(p_ceiling_w=4000.0, q_var=-1500.0)
    assert fake.run(device.write(wanted, AFTER, fake.poll(device))) == wanted == fake.reading(device).accepted
    assert sent(fake) == [(101, (500,)), (100, (1,)), (111, (0x10000 - 150,)), (110, (2,))]


def test_var_goes_to_the_nearest_step_inside_what_it_can_give() -> None:
    fake, device = varied()
    assert device.sendable(Setpoint(q_var=1234.0)) == Setpoint(q_var=1230.0)
    assert device.sendable(Setpoint(q_var=-1236.0)) == Setpoint(q_var=-1240.0)
    assert device.sendable(Setpoint(q_var=9000.0)) == Setpoint(q_var=4000.0)
    assert fake.run(device.write(Setpoint(q_var=-9000.0), AFTER, {})).q_var == -4000.0
    assert device.beyond(Write(address=111, values=(400,)), {}) == ""
    said = device.beyond(Write(address=111, values=(500,)), {})
    assert "own.q_var would say 5000, and 4000 var is all that it is rated for" in said
    assert barred("own.q_var") is None and device.points_of(Write(address=111, values=(1,))) == ("own.q_var",)


def test_var_is_given_back_where_it_is_told_no_more_and_at_the_end() -> None:
    fake, device = varied()
    fake.run(device.write(Setpoint(p_ceiling_w=4000.0, q_var=800.0), AFTER, {}))
    fake.ops.clear()
    taken = fake.run(device.write(Setpoint(p_ceiling_w=4000.0), AFTER, fake.poll(device), give_back_var=True))
    assert taken == Setpoint(p_ceiling_w=4000.0) and sent(fake)[-1] == (110, (0,))
    fake.run(device.write(Setpoint(p_ceiling_w=4000.0, q_var=800.0), AFTER, {}))
    fake.ops.clear()
    kept = fake.run(device.write(Setpoint(p_ceiling_w=4000.0), AFTER, fake.poll(device)))
    assert kept.q_var == 800.0 and (110, (0,)) not in sent(fake), "it is held, not given back"
    fake.ops.clear()
    assert fake.run(device.release(Fallback(), lift=True)) == Setpoint(p_ceiling_w=8000.0)
    assert sent(fake) == [(110, (0,)), (101, (1000,)), (100, (0,))], "var first"
    fake.ops.clear()
    fake.run(device.release(Fallback(), lift=True))
    assert (110, (0,)) not in sent(fake), "it had none"


def test_a_refused_var_keeps_no_power_from_being_given_back() -> None:
    fake, device = varied()
    fake.run(device.write(Setpoint(p_ceiling_w=4000.0, q_var=800.0), AFTER, {}))
    fake.refuse = lambda op: 4 if isinstance(op, Write) and op.address == 110 else None
    fake.ops.clear()
    with pytest.raises(DeviceRefused):
        fake.run(device.release(Fallback(), lift=True))
    assert (100, (0,)) in sent(fake)


@pytest.mark.parametrize(
    ("point", "steps", "raw"),
    [
        ("type: s16, scale: 10, volatile: true}", "of: var}", 0x10000 - 200),
        ("type: s16, scale: 0.1, volatile: true}", "of: var_percent}", 0x10000 - 500),
        ("type: s16, scale: 0.01, volatile: true}", "of: va_percent}", 0x10000 - 2273),
        ("type: s16, scale: 10, sign: -1, volatile: true}", "of: var}", 200),
    ],
)
def test_each_base_of_var_says_the_same(point: str, steps: str, raw: int) -> None:
    fake, device = varied(("type: s16, scale: 10, volatile: true}", point), ("of: var}", steps))
    wanted = device.sendable(Setpoint(q_var=-2000.0))
    taken = fake.run(device.write(wanted, AFTER, {}))
    assert (111, (raw,)) in sent(fake)
    assert taken.q_var == pytest.approx(-2000.0, abs=1.0) and taken.q_var == pytest.approx(wanted.q_var)


def test_a_device_may_have_one_register_for_each_way_of_var() -> None:
    two = (
        "[{point: q_var, of: var}, {point: q_mode, value: 2}]",
        "[{point: q_var, of: var_size}, {point: q_mode, value: 2}]\n"
        "      take: [{point: q_var, of: var_size}, {point: q_mode, value: 3}]",
    )
    fake, device = varied(two)
    for q_var, words in ((600.0, 2), (-600.0, 3)):
        fake.ops.clear()
        assert fake.run(device.write(Setpoint(q_var=q_var), AFTER, {})).q_var == q_var
        assert sent(fake) == [(111, (60,)), (110, (words,))]


def test_a_timer_of_its_var_is_told_with_it_and_kept_up() -> None:
    fake, device = varied(*TIMED)
    fake.run(device.write(Setpoint(q_var=100.0), AFTER, {}))
    assert (112, (120,)) in sent(fake)
    assert device.reversion == Reversion(timer=Timer.NONE, lapses_s=math.inf), "its limit has none"


def test_without_a_word_on_how_much_there_is_no_var_and_it_is_said() -> None:
    _, device = varied(r3=0)
    assert not device.can.var and device.can.limit
    assert any("its var is not told, since no register" in text for text in device.problems)


def test_var_that_wears_its_memory_out_is_not_told_and_leaves_the_limit_as_it_is() -> None:
    stored = ("address: 111, type: s16, scale: 10, volatile: true", "address: 111, type: s16, scale: 10")
    fake, device = varied(stored)
    assert not device.can.var and device.can.limit and device.can.volatile
    assert not device.habits.profile.guarded and not device.habits.profile.wears("own.limit_pct")
    assert "its var is not told, since that wears out own.q_var" in device.problems
    assert device.sendable(Setpoint(p_ceiling_w=4000.0, q_var=10.0)) == Setpoint(p_ceiling_w=4000.0)
    assert "own.3.110" not in device.control and not fake.writes


@pytest.mark.parametrize("by", ["report", "assumed"])
def test_var_that_nobody_confirmed_is_named_and_not_written(by: str) -> None:
    _, device = varied(("address: 111, type", f"address: 111, by: {by}, source: a forum, type"))
    assert not device.can.var and device.can.limit
    assert any(
        f"its var is not written, since nobody has confirmed q_var at 111 (0x006F, function 3) ({by}" in text
        for text in device.problems
    )


def test_a_device_may_take_var_and_nothing_else() -> None:
    limit = VAR[VAR.index("    limit:\n") :]
    _, device = varied((limit, ""))
    assert device.can.var and not device.can.steer
    assert device.absent_w(Fallback()) == 8000.0 and device.promises({}, Fallback()) is True


@pytest.mark.parametrize(
    ("function", "q_var"),
    [
        (ConstVar(q_pu=0.25), 2200.0),
        (ConstPf(pf=0.9, excitation="absorbing"), -5000.0 * math.tan(math.acos(0.9))),
        (VoltVar(category="B"), -3872.0),
    ],
)
def test_the_modes_of_reactive_power_use_it_like_any_other_device(function: Any, q_var: float) -> None:
    """1547's defaults: at 1.08 pu volt-var of category B absorbs 44 % of the rated VA, as far as the device can."""
    volts = ("    - {name: p_w,", "    - {name: v_a_v, address: 20, scale: 0.1}\n    - {name: p_w,")
    fake, device = varied(volts, r20=2484)
    reading = fake.reading(device)
    state = make.der("pv1", device.rating, device.can, p_w=reading.p_w, q_var=reading.q_var, v_v=reading.v_v)
    plan, memories = Plan(der_functions=((function, ("pv1",)),)), dict[str, Any]()
    for _ in range(200):
        memories, [decision] = step(plan, memories, make.site(state), 1.0)
    wanted = device.sendable(decision.setpoint)
    assert wanted.q_var == pytest.approx(q_var, abs=10.0), "on a step of 10 var"
    taken = fake.run(device.write(wanted, AFTER, fake.poll(device)))
    assert taken.q_var == pytest.approx(wanted.q_var)
