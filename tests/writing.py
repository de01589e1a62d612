"""One DER's writer, on a bus and a device that do what the test says, with a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from derctl.core.exchange import Permit, Write
from derctl.core.types import NOTHING, Decision, DerState, Fallback, Setpoint
from derctl.core.words import Bind, FallbackBy
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.channel.claim import Claim
from derctl.devices import Profile
from derctl.devices.types import Reversion
from derctl.links.line import Pace
from derctl.links.turns import Priority
from tests import make
from tests.wire import Alone

PV = make.rating(p_max_w=5000.0)
STANDS = Fallback(p_ceiling_w=5000.0, by=FallbackBy.STANDS)


@dataclass
class FakeDevice:
    """Takes what it is told, unless `deaf`. holds: what it reads back."""

    holds: Setpoint = field(default_factory=Setpoint)
    wrote: list[Setpoint] = field(default_factory=list)
    deaf: bool = False
    refuses: Exception | None = None
    toggled: list[bool] = field(default_factory=list)
    gave_back: list[bool] = field(default_factory=list)
    lifted: list[bool] = field(default_factory=list)
    released: list[Setpoint] = field(default_factory=list)
    promised: list[Fallback] = field(default_factory=list)
    reversion: Reversion = field(default_factory=Reversion)
    believed: list[bool] = field(default_factory=list)
    points: tuple[str, ...] = ("123.WMaxLimPct", "123.WMaxLim_Ena")
    says_too_much: str = ""

    def release(
        self,
        fallback: Fallback,
        *,
        lift: bool,
        held: Setpoint = NOTHING,
        believed: bool = True,
    ) -> Any:
        self.released.append(held)
        self.promised.append(fallback)
        self.believed.append(believed)
        self.lifted.append(lift)
        self.holds = Setpoint() if lift else replace(self.holds, q_var=None)
        return self.holds
        yield

    def points_of(self, write: Write) -> tuple[str, ...]:
        return self.points

    def beyond(self, write: Write, answers: Any) -> str:
        return self.says_too_much

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
    ) -> Any:
        self.wrote.append(setpoint)
        self.toggled.append(toggle)
        self.promised.append(fallback)
        self.gave_back.append(give_back_var)
        if give_back_var and self.refuses is not None:
            raise self.refuses
        if not self.deaf:
            given = {name: value for name, value in _parts(setpoint) if value is not None}
            self.holds = replace(self.holds, **given)
            if give_back_var:
                self.holds = replace(self.holds, q_var=None)
        return self.holds
        yield


def _parts(setpoint: Setpoint) -> list[tuple[str, float | None]]:
    return [(name, getattr(setpoint, name)) for name in ("p_ceiling_w", "p_target_w", "q_var")]


@dataclass
class FakeBus(Alone):
    """Raises `error` at the next exchange, else runs it to its end, and asks for its permit before;
    error_after_permit: what was sent gets no answer."""

    pace: Pace = field(default_factory=Pace)
    error: Exception | None = None
    error_after_permit: Exception | None = None
    priorities: list[Priority] = field(default_factory=list)

    async def execute(self, unit: int, exchange: Any, *, priority: Priority, permit: Permit, **_: Any) -> Any:
        self.priorities.append(priority)
        if self.error is not None:
            exchange.close()
            raise self.error
        permit(Write(address=40232, values=(0,)))
        if self.error_after_permit is not None:
            exchange.close()
            raise self.error_after_permit
        try:
            next(exchange)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("the fake device asks for nothing")


class Desk:
    """A writer with all that it needs. `tick` offers a decision and waits until it is written."""

    def __init__(self, *, fallback: Fallback = STANDS, control: bool = True, **profile: Any) -> None:
        self.now_s = 1000.0
        self.age_s = 0.1
        self.device = FakeDevice()
        self.bus = FakeBus()
        self.events: list[tuple[str, str, str]] = []
        self.journalled: list[tuple[str, int]] = []
        self.meanwhile: Callable[[], None] = lambda: None
        channel: Any = SimpleNamespace(
            device=self.device,
            state=Bind.OK,
            bond=SimpleNamespace(verified=True, binding=SimpleNamespace(reason=None, missing="")),
            unit=1,
            bus=self.bus,
            answers=SimpleNamespace(words={}, scales={}),
            back_s=-1e9,
            measured=SimpleNamespace(
                sample=1,
                claim=Claim(),
                profile=replace(Profile(), **profile),
                believed=lambda accepted: accepted if self.readable else None,
            ),
        )
        self.channel = channel
        self.writer = Writer(
            id="pv1",
            channel=channel,
            fallback=fallback,
            control=control,
            tick_s=1.0,
            journal=self._journal,
            on_event=lambda *event: self.events.append(event),
            clock=lambda: self.now_s,
        )
        self.writer.account.ration.ledger.clock = lambda: self.now_s

    async def _journal(self, der_id: str) -> None:
        """Notes how many setpoints had left before; the disk takes its time, and `meanwhile` happens."""
        self.journalled.append((der_id, len(self.device.wrote)))
        await asyncio.sleep(0.01)
        self.meanwhile()

    @property
    def readable(self) -> bool:
        return bool(self.channel.measured.profile.readback == "values")

    def state(self, p_w: float | None, *, fresh: bool = True) -> DerState:
        accepted = self.device.holds if self.readable else None
        return make.der(
            "pv1", PV, make.LIMITED, p_w=p_w, q_var=0.0, accepted=accepted, age_s=self.age_s, fresh=fresh,
            controllable=fresh, sample=self.channel.measured.sample,
        )  # fmt: skip

    def offer(self, setpoint: Setpoint, p_w: float | None = 1000.0, *, fresh: bool = True, gate: bool = True) -> None:
        """This tick's decision, from a poll of its own."""
        self.channel.measured.sample += fresh
        self.writer.offer(Decision(der="pv1", setpoint=setpoint), self.state(p_w, fresh=fresh), gate, self.now_s)

    async def tick(
        self,
        setpoint: Setpoint,
        p_w: float | None = 1000.0,
        *,
        fresh: bool = True,
        seconds: float = 1.0,
        gate: bool = True,
    ) -> int:
        """How many times a write was sent in this tick."""
        before = self.writer.writes
        self.now_s += seconds
        self.offer(setpoint, p_w, fresh=fresh, gate=gate)
        await self.writer.errand.wait()
        self.writer.errand.raise_bugs()
        return self.writer.writes - before


def ceiling(watts: float) -> Setpoint:
    return Setpoint(p_ceiling_w=watts)
