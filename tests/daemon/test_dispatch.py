"""One DER's writer, on a bus and a device that do what the test says, with a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from derctl.core.types import Can, Decision, DerState, Fallback, Rating, Reading, Setpoint, Status
from derctl.daemon.dispatch import Writer
from derctl.devices import Profile
from derctl.errors import BusLate, BusTimeout

PV = Rating(p_max_w=5000.0, p_min_w=0.0, s_max_va=5000.0, q_inj_max_var=2200.0, q_abs_max_var=2200.0, v_nom_v=230.0)
STANDS = Fallback(p_ceiling_w=5000.0, by="stands")


@dataclass
class FakeDevice:
    """Takes what it is told, unless `deaf`. holds: what it reads back."""

    holds: Setpoint = field(default_factory=Setpoint)
    wrote: list[Setpoint] = field(default_factory=list)
    deaf: bool = False

    def sendable(self, setpoint: Setpoint) -> Setpoint:
        return setpoint

    def write(self, setpoint: Setpoint, fallback: Fallback, answers: Any) -> Any:
        self.wrote.append(setpoint)
        if not self.deaf:
            given = {name: value for name, value in _parts(setpoint) if value is not None}
            self.holds = replace(self.holds, **given)
        return self.holds
        yield


def _parts(setpoint: Setpoint) -> list[tuple[str, float | None]]:
    return [(name, getattr(setpoint, name)) for name in ("p_ceiling_w", "p_target_w", "q_var")]


@dataclass
class FakeBus:
    """Raises `error` at the next exchange, else runs it to its end."""

    generation: int = 1
    error: Exception | None = None

    async def execute(self, unit: int, exchange: Any, **_: Any) -> Any:
        if self.error is not None:
            exchange.close()
            raise self.error
        try:
            next(exchange)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("the fake device asks for nothing")


class Desk:
    """A writer with all that it needs. `tick` offers a decision and waits until it is written."""

    def __init__(self, *, fallback: Fallback = STANDS, **profile: Any) -> None:
        self.now_s = 1000.0
        self.device = FakeDevice()
        self.bus = FakeBus()
        self.events: list[tuple[str, str, str]] = []
        channel: Any = SimpleNamespace(
            device=self.device,
            state="ok",
            verified=True,
            reason=None,
            unit=1,
            bus=self.bus,
            answers={},
            options=SimpleNamespace(profile=replace(Profile(), **profile)),
        )
        self.channel = channel
        self.writer = Writer(
            id="pv1",
            channel=channel,
            fallback=fallback,
            control=True,
            tick_s=1.0,
            journal=self._journal,
            on_event=lambda *event: self.events.append(event),
            clock=lambda: self.now_s,
        )

    async def _journal(self, der_id: str) -> None:
        return

    @property
    def readable(self) -> bool:
        return self.channel.options.profile.readback == "values"

    def state(self, p_w: float | None, *, fresh: bool = True) -> DerState:
        accepted = self.device.holds if self.readable else Setpoint()
        return DerState(
            id="pv1",
            rating=PV,
            can=Can(ceiling=True, var=True),
            reading=Reading(p_w=p_w, q_var=0.0, status=Status.ON, accepted=accepted),
            age_s=0.1,
            sample=1,
            fresh=fresh,
            controllable=fresh,
        )

    async def tick(
        self, setpoint: Setpoint, p_w: float | None = 1000.0, *, fresh: bool = True, seconds: float = 1.0
    ) -> int:
        """How many times it was written in this tick."""
        before = len(self.device.wrote)
        self.now_s += seconds
        self.writer.offer(Decision(der="pv1", setpoint=setpoint), self.state(p_w, fresh=fresh), gate_open=True)
        await self.writer.wait()
        self.writer.raise_bugs()
        return len(self.device.wrote) - before


def ceiling(watts: float) -> Setpoint:
    return Setpoint(p_ceiling_w=watts)


async def failing(desk: Desk, error: Exception, setpoint: Setpoint) -> None:
    desk.bus.error = error
    await desk.tick(setpoint)
    desk.bus.error = None


# -- the reason given -----------------------------------------------------------------------------------------------


async def test_a_write_that_came_too_late_is_no_sign_of_an_unreachable_device() -> None:
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    await failing(desk, BusLate("too late to send"), ceiling(3000.0))
    assert desk.writer.problem is None
    assert await desk.tick(ceiling(3000.0)) == 1, "the next tick decides"


async def test_an_unreachable_device_is_called_so_until_it_answers_even_if_nothing_has_to_be_written() -> None:
    """The setpoint went back to what the device holds."""
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    await failing(desk, BusTimeout("no answer"), ceiling(3000.0))
    assert desk.writer.problem == "unreachable"
    assert await desk.tick(ceiling(4000.0), fresh=False) == 0
    assert desk.writer.problem == "unreachable"
    assert await desk.tick(ceiling(4000.0)) == 0
    assert (desk.writer.problem, desk.writer.outcome.reason) == (None, None)


async def test_a_device_that_polls_well_and_never_answers_a_write_stays_unreachable() -> None:
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    for _ in range(3):
        await failing(desk, BusTimeout("no answer"), ceiling(3000.0))
        assert desk.writer.problem == "unreachable"
    desk.bus.error = BusTimeout("no answer")
    await desk.tick(ceiling(3000.0))
    assert desk.writer.outcome.reason == "unreachable"
