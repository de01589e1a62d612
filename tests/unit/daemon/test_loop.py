"""The scan cycle's own time: what is missed is counted and never made up for, and dt is what really passed."""

from __future__ import annotations

import asyncio
from typing import Any

from derctl.core.plan import Plan
from derctl.core.types import SiteState, Tick
from derctl.daemon.loop import Loop


class Time:
    """A clock that moves only when something takes time."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class SlowPoller:
    """Polling takes the next of these times."""

    def __init__(self, time: Time, takes: list[float]) -> None:
        self.time = time
        self.takes = takes
        self.asked: list[float] = []

    async def poll(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.time.now += self.takes.pop(0)


class Still:
    """Image, gate and dispatch of a site without DERs."""

    open = True

    def snapshot(self, now_s: float) -> SiteState:
        return SiteState(t_s=now_s, tick_s=1.0, f_nom_hz=50.0, ders=())

    def evaluate(self) -> bool:
        return True

    def offer(self, *_: Any) -> None:
        return None


def run(takes: list[float], monkeypatch: Any) -> tuple[Loop, list[Tick], list[str]]:
    time, ticks, order = Time(), [], []
    still: Any = Still()
    poller: Any = SlowPoller(time, list(takes))

    async def sleep(seconds: float) -> None:
        time.now += seconds

    monkeypatch.setattr(asyncio, "sleep", sleep)

    def report(tick: Tick) -> None:
        ticks.append(tick)
        order.append("report")
        if tick.n == len(takes):
            loop.stop()

    loop = Loop(
        tick_s=1.0,
        plan=Plan(),
        poller=poller,
        image=still,
        gate=still,
        dispatch=still,
        report=report,
        vouch=lambda: order.append("vouch"),
        clock=time,
    )
    with asyncio.Runner() as runner:
        runner.run(loop.run())
    return loop, ticks, order


def test_ticks_in_time_stay_on_the_grid(monkeypatch: Any) -> None:
    loop, ticks, _ = run([0.1, 0.3, 0.2], monkeypatch)
    assert [round(tick.dt_s, 9) for tick in ticks] == [0.0, 1.2, 0.9]
    assert (loop.ticks, loop.beat.missed, loop.beat.overran) == (3, 0, 0)


def test_a_tick_that_overruns_is_counted_and_the_missed_ones_are_not_replayed(monkeypatch: Any) -> None:
    loop, ticks, _ = run([0.1, 3.5, 0.1], monkeypatch)
    assert loop.ticks == 3
    assert loop.beat.missed == 3 and loop.beat.overran == 1
    assert abs(ticks[1].dt_s - 4.4) < 1e-9
    assert abs(ticks[2].state.t_s - 105.1) < 1e-9, "the next tick is on the grid again, not made up for"
    assert abs(loop.beat.worst_s - 3.5) < 1e-9


def test_the_watchdog_is_vouched_for_only_after_the_tick_is_reported(monkeypatch: Any) -> None:
    _, _, order = run([0.1, 0.1], monkeypatch)
    assert order == ["report", "vouch"] * 2


def test_while_nothing_is_written_nobody_s_memory_winds_up_and_what_stands_is_looked_at(monkeypatch: Any) -> None:
    """Recorded is what was really used, so that a tick can be replayed."""
    for gate_open, kept in ((False, {"elsewhere": 2}), (True, {"volt_var/pv1": 1, "elsewhere": 2})):
        monkeypatch.setattr(Still, "open", gate_open)
        time, looks, ticks = Time(), list[Any](), list[Tick]()
        still: Any = Still()
        poller: Any = SlowPoller(time, [0.1])

        def standing(state: SiteState, dt_s: float, open_: bool, into: list[Any] = looks) -> SiteState:
            into.append((state.t_s, dt_s, open_))
            return state

        loop = Loop(
            tick_s=1.0,
            plan=Plan(),
            poller=poller,
            image=still,
            gate=still,
            dispatch=still,
            report=ticks.append,
            vouch=lambda: None,
            memories={"volt_var/pv1": 1, "elsewhere": 2},
            standing=standing,
            clock=time,
        )
        with asyncio.Runner() as runner:
            runner.run(loop.tick())
        assert ticks[0].memories == kept
        assert looks == [(100.1, 0.0, gate_open)]
