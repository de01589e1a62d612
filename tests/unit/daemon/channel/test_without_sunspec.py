"""Devices that know nothing of SunSpec, each one class and one row: found, polled and written like the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from derctl.core.engine import step
from derctl.core.exchange import Exchange, Read, Registers, Write
from derctl.core.plan import Plan
from derctl.core.requests import BatteryRequest, LimitRequest, Request
from derctl.core.types import NOTHING, Capability, DerState, Fallback, Port, Rating, Reading, Setpoint, SiteState
from derctl.core.words import Status
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.expected import Expected
from derctl.devices import Identity, Kind, Options, Reversion
from derctl.devices.profile import Habits
from derctl.errors import DeviceRefused, NotRecognised
from derctl.functions.operator import OperatorLimit, SetpointFunction
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from tests.wire import Up, now_s

BOTH = Capability(ac=Port(limit=True, aim=True), pv=Port(), battery=Port())
CHARGER = Capability(ac=Port(aim=True))


def rating(p_max_w: float, p_min_w: float) -> Rating:
    s = max(p_max_w, -p_min_w)
    return Rating(p_max_w=p_max_w, p_min_w=p_min_w, s_max_va=s, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0)


def signed(word: int) -> float:
    return float(word - 0x10000 if word & 0x8000 else word)


class Mapped:
    """Register 0 is the serial number, 1 the power, then what each kind has."""

    problems = lacks = ()
    reversion = Reversion()
    habits = Habits()
    slow: ClassVar[Mapping[str, Read]] = {}
    can = Capability()
    rating = rating(0.0, 0.0)
    control: ClassVar[Mapping[str, Read]] = {"all": Read(address=0, count=5)}

    def __init__(self, serial: int) -> None:
        self.identity = Identity(maker="Acme", model=type(self).__name__, serial=f"{serial:04d}")

    @classmethod
    def bind(cls, options: Options) -> Exchange[Any]:
        (serial,) = yield Read(address=0, count=1)
        if serial == 0:
            raise NotRecognised("no serial number in register 0")
        return cls(serial)

    def identify(self) -> Exchange[Identity]:
        (serial,) = yield Read(address=0, count=1)
        return Identity(maker="Acme", model=type(self).__name__, serial=f"{serial:04d}")

    def rate(self) -> Exchange[Rating]:
        yield from ()
        return self.rating

    def without(self, refused: Mapping[str, str]) -> None:
        return None

    def absent_w(self, fallback: Fallback) -> float:
        return self.rating.p_max_w


class Meter(Mapped):
    """Three registers: serial number, W (positive for import), V."""

    control: ClassVar = {"all": Read(address=0, count=3)}

    def decode(self, answers: Mapping[str, Registers]) -> Reading:
        _, watts, volts = answers["all"]
        return Reading(p_w=-signed(watts), v_v=volts / 10.0, status=Status.ON)


class Hybrid(Mapped):
    """Registers 2 to 4: limit in W, target in W, whether the target counts."""

    can, rating = BOTH, rating(8_000.0, -5_000.0)

    def decode(self, answers: Mapping[str, Registers]) -> Reading:
        return Reading(p_w=signed(answers["all"][1]), status=Status.ON, accepted=self._held(answers["all"]))

    def points_of(self, write: Write) -> tuple[str, ...]:
        return tuple(f"own.{write.address + place}" for place in range(len(write.values)))

    def beyond(self, write: Write, answers: Any) -> str:
        return ""

    def sendable(self, setpoint: Setpoint) -> Setpoint:
        return setpoint

    def write(
        self,
        setpoint: Setpoint,
        fallback: Fallback,
        answers: Any,
        *,
        give_back_var: bool = False,
        toggle: bool = False,
    ) -> Exchange[Setpoint]:
        if setpoint.p_ceiling_w is not None:
            yield Write(address=2, values=(round(max(setpoint.p_ceiling_w, 0.0)),), function=6)
        target = setpoint.p_target_w
        yield Write(address=3, values=(round(target or 0.0) & 0xFFFF, 0 if target is None else 1))
        return self._held((yield self.control["all"]))

    def release(
        self,
        fallback: Fallback,
        *,
        lift: bool,
        held: Setpoint = NOTHING,
        believed: bool = True,
    ) -> Exchange[Setpoint]:
        yield Write(address=4, values=(0,), function=6)
        return self._held((yield self.control["all"]))

    def _held(self, words: Registers) -> Setpoint:
        limit = float(words[2]) if self.can.limit else None
        return Setpoint(p_ceiling_w=limit, p_target_w=signed(words[3]) if words[4] else None)


class Charger(Hybrid):
    """Draws and never gives: a rating of 0."""

    can, rating = CHARGER, rating(0.0, -11_000.0)


KINDS = {
    "acme_meter": Kind(role="meter", bind=Meter.bind),
    "acme_hybrid": Kind(role="der", bind=Hybrid.bind, can=BOTH),
    "acme_charger": Kind(role="der", bind=Charger.bind, can=CHARGER),
}


@dataclass
class Box(Up):
    """The device: its sun shines, its limit and its target count at once."""

    registers: list[int]
    sun_w: float = 0.0

    async def request(self, unit: int, op: Read | Write) -> Registers:
        await asyncio.sleep(0.01)
        count = op.count if isinstance(op, Read) else len(op.values)
        if op.address + count > len(self.registers):
            raise DeviceRefused(2, function=op.function, address=op.address, count=count)
        if isinstance(op, Write):
            self.registers[op.address : op.address + count] = op.values
            return ()
        if len(self.registers) == 5:
            target = signed(self.registers[3])
            watts = target if self.registers[4] else min(self.sun_w, float(self.registers[2]))
            self.registers[1] = round(watts) & 0xFFFF
        return tuple(self.registers[op.address : op.address + count])


@asynccontextmanager
async def found(kind: str, box: Box) -> AsyncIterator[Channel]:
    bus = Bus(Line("lan", box, Pace(), clock=now_s))
    running = asyncio.create_task(bus.line.run())
    await bus.line.wait_connected()
    channel = Channel(
        id="x1", bus=bus, unit=1, expected=Expected(kind=KINDS[kind], options=Options()), clock=now_s, born_s=now_s()
    )  # fmt: skip
    await channel.poll()
    try:
        yield channel
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


PLAN = Plan(der_functions=((OperatorLimit(), ("x1",)), (SetpointFunction(), ("x1",))))


def limit(watts: float) -> Request:
    return LimitRequest(id="l", der="x1", by="local", remaining_s=60.0, p_ceiling_w=watts)


def target(watts: float) -> Request:
    return BatteryRequest(id="b", der="x1", by="local", remaining_s=60.0, p_target_w=watts)


async def asked(channel: Channel, *requests: Request, ticks: int = 3) -> Reading:
    """What the device reads after some ticks of polls, engine and writer."""
    writer = Writer(
        id="x1", channel=channel, fallback=Fallback(), control=True, tick_s=1.0, journal=_nothing,
        on_event=lambda *event: None, clock=now_s,
    )  # fmt: skip
    for _ in range(ticks):
        der = _state(channel)
        state = SiteState(t_s=now_s(), tick_s=1.0, f_nom_hz=50.0, ders=(der,), requests=requests)
        _, (decision,) = step(PLAN, {}, state, 1.0)
        writer.offer(decision, der, True, now_s())
        await writer.errand.wait()
        writer.errand.raise_bugs()
        await asyncio.sleep(1.0)
        await channel.poll()
    assert writer.account.trouble.code is None
    return channel.measured.reading


async def _nothing(der_id: str) -> None:
    return


def _state(channel: Channel) -> DerState:
    assert channel.device is not None
    device = channel.device
    return DerState(
        id="x1", rating=device.rating, can=device.can, reading=channel.measured.reading,
        age_s=now_s() - channel.measured.read_s,
        sample=channel.measured.sample, fresh=True, controllable=True,
    )  # fmt: skip


async def test_a_meter_of_three_registers_is_found_and_read() -> None:
    async with found("acme_meter", Box([17, (-1_200) & 0xFFFF, 2_315])) as channel:
        assert (channel.state, channel.bond.binding.known) == (
            "ok",
            Identity(maker="Acme", model="Meter", serial="0017"),
        )
        assert (channel.measured.reading.p_w, channel.measured.reading.v_v) == (1_200.0, 231.5)


async def test_a_device_that_is_none_of_its_kind_is_not_recognised() -> None:
    async with found("acme_meter", Box([0, 0, 0])) as channel:
        assert channel.device is None and "serial number" in channel.bond.binding.text


async def test_a_der_that_takes_both_has_its_sun_its_target_and_its_sun_again() -> None:
    async with found("acme_hybrid", Box([18, 0, 8_000, 0, 0], sun_w=6_000.0)) as channel:
        assert (await asked(channel)).p_w == 6_000.0
        assert (await asked(channel, limit(4_000.0))).p_w == 4_000.0
        reading = await asked(channel, target(-2_000.0))
        assert (reading.p_w, reading.accepted) == (-2_000.0, Setpoint(p_ceiling_w=8_000.0, p_target_w=-2_000.0))
        reading = await asked(channel)
        assert (reading.p_w, reading.accepted) == (6_000.0, Setpoint(p_ceiling_w=8_000.0))


@pytest.mark.parametrize(("requests", "p_w"), [((), 0.0), ((target(-3_000.0),), -3_000.0), ((target(5e3),), 0.0)])
async def test_a_charger_with_a_rating_of_nothing_rests_draws_and_never_gives(
    requests: tuple[Request, ...], p_w: float
) -> None:
    async with found("acme_charger", Box([19, 0, 0, 0, 0])) as channel:
        assert (await asked(channel, *requests)).p_w == p_w
        assert channel.state == "ok"
