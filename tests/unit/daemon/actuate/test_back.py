"""A device that was away: what it was told is on it again at once, and nothing higher."""

from __future__ import annotations

import pytest

from derctl.core.types import Fallback, Reading, Setpoint
from derctl.core.words import Bind, FallbackBy, Released
from derctl.daemon.actuate.release import Release
from derctl.errors import DeviceRefused
from tests.writing import STANDS, Desk, ceiling

REVERTS = Fallback(p_ceiling_w=1_000.0, by=FallbackBy.REVERSION, after_s=60.0)


async def forgot(desk: Desk) -> None:
    """It restarts: silent for ten ticks, then as delivered."""
    for _ in range(10):
        await desk.tick(ceiling(3000.0), fresh=False)
    desk.device.holds = Setpoint(p_ceiling_w=5000.0)
    desk.channel.back_s = desk.now_s + 1.0


@pytest.mark.parametrize("fallback", [STANDS, REVERTS])
async def test_what_a_device_forgot_is_written_with_its_first_good_poll(fallback: Fallback) -> None:
    desk = Desk(fallback=fallback)
    await desk.tick(ceiling(3000.0), 3000.0)
    await forgot(desk)
    assert await desk.tick(ceiling(3000.0), 4800.0) == 1
    assert desk.device.holds == ceiling(3000.0)


@pytest.mark.parametrize("fallback", [STANDS, REVERTS])
async def test_what_it_gave_without_its_limit_is_no_reason_for_a_higher_one(fallback: Fallback) -> None:
    """A loop that starts from what is measured would let it stand at 4.6 kW, and take it down from there."""
    desk = Desk(fallback=fallback)
    await desk.tick(ceiling(3000.0), 3000.0)
    await forgot(desk)
    for _ in range(10):
        await desk.tick(ceiling(4600.0), 4800.0)
        assert desk.device.holds == ceiling(3000.0)
    await desk.tick(ceiling(2000.0), 3000.0)
    assert desk.device.holds == ceiling(2000.0), "a lower one goes through"
    desk.now_s += 10.0
    await desk.tick(ceiling(4600.0), 2000.0)
    assert desk.device.holds == ceiling(4600.0), "and afterwards any"


async def test_the_fallback_that_is_written_first_is_no_bound_for_what_comes_then() -> None:
    """The last decision before it was heard again knew nothing of it."""
    desk = Desk()
    await desk.tick(ceiling(3000.0), 3000.0)
    await forgot(desk)
    await desk.tick(ceiling(1000.0), 4800.0)
    await desk.tick(ceiling(4600.0), 1000.0)
    assert desk.device.wrote[-2:] == [ceiling(1000.0), ceiling(3000.0)]


async def test_one_that_was_never_told_a_limit_gets_what_is_decided() -> None:
    desk = Desk()
    desk.channel.back_s = desk.now_s
    await desk.tick(ceiling(4000.0), 3000.0)
    assert desk.device.holds == ceiling(4000.0)


async def test_what_is_refused_of_a_device_is_not_said_to_be_released() -> None:
    desk = Desk()
    await desk.tick(ceiling(3000.0), 3000.0)
    desk.channel.bond.binding.missing = "model 124: exception 4"
    assert await desk.writer.release(lift=False) == Release(
        Released.REFUSED, "model 124: exception 4", stands_w=desk.device.holds.p_ceiling_w
    )


# -- heard behind the tick ------------------------------------------------------------------------------------------


def heard(desk: Desk, accepted: Setpoint, *, later_s: float = 0.6, gate: bool = True) -> None:
    """A poll that came back so long after its tick."""
    desk.now_s += later_s
    desk.channel.measured.reading, desk.channel.measured.read_s = Reading(p_w=4800.0, accepted=accepted), desk.now_s
    desk.writer.heard(gate)


async def test_what_a_late_poll_shows_to_be_forgotten_does_not_wait_for_the_next_tick() -> None:
    desk = Desk()
    await desk.tick(ceiling(3000.0), 3000.0)
    desk.device.holds = Setpoint(p_ceiling_w=5000.0)
    heard(desk, desk.device.holds)
    await desk.writer.errand.wait()
    assert desk.device.holds == ceiling(3000.0)


async def test_a_late_poll_that_shows_what_was_told_writes_nothing() -> None:
    desk = Desk()
    await desk.tick(ceiling(3000.0), 3000.0)
    heard(desk, ceiling(3000.0))
    assert not desk.writer.errand.busy


@pytest.mark.parametrize(("later_s", "gate", "control"), [(1.1, True, True), (0.6, False, True), (0.6, True, False)])
async def test_an_old_decision_a_closed_gate_and_a_der_that_is_only_read_write_nothing(
    later_s: float, gate: bool, control: bool
) -> None:
    desk = Desk(control=control)
    await desk.tick(ceiling(3000.0), 3000.0)
    desk.device.holds = Setpoint(p_ceiling_w=5000.0)
    heard(desk, desk.device.holds, later_s=later_s, gate=gate)
    assert not desk.writer.errand.busy


@pytest.mark.parametrize(
    ("forgets", "target", "wrote"), [(True, None, [ceiling(3000.0)]), (False, None, []), (True, -500.0, [])]
)
async def test_a_decision_that_was_made_in_its_silence_lets_nothing_dip(
    forgets: bool, target: float | None, wrote: list[Setpoint]
) -> None:
    """It asks for the fallback; what stood before is asserted, and the next tick decides."""
    desk = Desk()
    await desk.tick(Setpoint(p_ceiling_w=3000.0, p_target_w=target), 3000.0)
    desk.channel.state = Bind.UNREACHABLE
    await desk.tick(ceiling(1000.0), fresh=False)
    desk.channel.state = Bind.OK
    desk.device.wrote.clear()
    if forgets:
        desk.device.holds = Setpoint(p_ceiling_w=5000.0)
    heard(desk, desk.device.holds)
    await desk.writer.errand.wait()
    assert desk.device.wrote == wrote


async def test_one_that_can_not_be_read_back_is_told_again_after_a_silence() -> None:
    desk = Desk(readback="effect_only")
    await desk.tick(ceiling(3000.0), 3000.0)
    await forgot(desk)
    assert await desk.tick(ceiling(3000.0), 2900.0) == 1


async def test_before_the_first_decision_and_while_one_is_written_a_late_poll_changes_nothing() -> None:
    desk = Desk()
    heard(desk, Setpoint())
    assert not desk.writer.errand.busy
    desk.offer(ceiling(3000.0))
    assert desk.writer.errand.busy
    heard(desk, Setpoint(p_ceiling_w=5000.0), later_s=0.0)
    await desk.writer.errand.wait()
    assert desk.device.wrote == [ceiling(3000.0)]


async def test_a_late_poll_writes_nothing_over_what_may_be_somebody_s_limit() -> None:
    desk = Desk()
    await desk.tick(ceiling(3000.0), 3000.0)
    desk.writer.spared_w = lambda: 2500.0
    heard(desk, Setpoint(p_ceiling_w=2500.0))
    assert not desk.writer.errand.busy


@pytest.mark.parametrize(("code", "wrote"), [(6, 12), (4, 6)], ids=["busy", "fault"])
async def test_one_that_is_busy_after_a_restart_is_asked_at_each_tick_until_it_takes_its_limit(
    code: int, wrote: int
) -> None:
    """It answers reads, and is busy for writes for 12 s; one in fault is asked less and less often."""
    desk = Desk()
    await desk.tick(ceiling(2000.0))
    desk.device.holds = Setpoint(p_ceiling_w=5000.0)
    desk.channel.back_s = desk.now_s
    desk.bus.error = DeviceRefused(code, function=16, address=40187, count=5)
    tries = [await desk.tick(ceiling(2000.0), 5000.0) for _ in range(12)]
    assert sum(tries) <= wrote and (code == 4 or sum(tries) == wrote)
    desk.bus.error = None
    assert (await desk.tick(ceiling(2000.0), 5000.0) == 1) is (code == 6)


async def test_what_a_restart_undid_is_not_laid_at_the_door_of_a_second_master() -> None:
    desk = Desk()
    await desk.tick(ceiling(2000.0))
    await desk.tick(ceiling(2000.0))
    desk.device.holds, desk.device.deaf = Setpoint(p_ceiling_w=5000.0), True
    desk.channel.back_s = desk.now_s
    await desk.tick(ceiling(2000.0))
    who = "its restart, or something else while it was away, set its limit to 5,000 W"
    assert [text for event, _, text in desk.events if event == "override"] == [
        f"{who} (derctl: 2,000 W); written again"
    ]


async def test_one_that_is_busy_for_ever_is_asked_less_and_less_often_in_the_end() -> None:
    desk = Desk()
    await desk.tick(ceiling(2000.0))
    desk.device.holds = Setpoint(p_ceiling_w=5000.0)
    desk.channel.back_s = desk.now_s
    desk.bus.error = DeviceRefused(6, function=16, address=40187, count=5)
    tries = [await desk.tick(ceiling(2000.0), 5000.0) for _ in range(200)]
    assert sum(tries[:28]) == 28 and sum(tries[100:]) <= 5
