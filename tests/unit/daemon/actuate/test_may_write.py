"""What may be written at all: by the site file, the gate and the journal, and to whom after every wait."""

from __future__ import annotations

import asyncio

import pytest

from derctl.core.types import Setpoint
from derctl.core.words import Bind, Reason, Released
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.errors import BusTimeout
from derctl.links.line import Pace
from derctl.links.turns import Priority
from tests import make
from tests.writing import Desk, FakeDevice, ceiling


async def test_a_der_that_the_site_file_keeps_from_control_is_never_written() -> None:
    desk = Desk(control=False)
    for watts in (4000.0, 100.0, 0.0):
        assert await desk.tick(ceiling(watts)) == 0
    assert (desk.device.wrote, desk.journalled) == ([], [])
    assert (desk.writer.account.outcome.achieved, desk.writer.account.outcome.reason) == ("unknown", "gate_closed")
    assert desk.writer.account.outcome.desired == ceiling(0.0), "what it would have been told is said"


async def test_nothing_is_written_through_a_closed_gate() -> None:
    desk = Desk()
    assert await desk.tick(ceiling(4000.0), gate=False) == 0
    assert (desk.device.wrote, desk.writer.account.outcome.reason) == ([], "gate_closed")
    assert await desk.tick(ceiling(4000.0)) == 1


async def test_its_name_is_in_the_journal_before_anything_leaves() -> None:
    desk = Desk()
    for watts in (4000.0, 2000.0):
        await desk.tick(ceiling(watts))
    assert desk.journalled == [("pv1", 0), ("pv1", 1)]
    assert desk.device.wrote == [ceiling(4000.0), ceiling(2000.0)]


async def test_a_device_that_is_not_verified_is_neither_written_nor_put_in_the_journal() -> None:
    desk = Desk()
    desk.channel.bond.verified = False
    assert await desk.tick(ceiling(4000.0)) == 0
    assert (desk.device.wrote, desk.journalled) == ([], [])


@pytest.mark.parametrize("state", [bind for bind in Bind if bind not in {Bind.OK, Bind.FROZEN}])
async def test_a_device_that_is_lost_is_not_written(state: Bind) -> None:
    desk = Desk()
    desk.channel.state = state
    assert await desk.tick(ceiling(4000.0)) == 0
    assert desk.journalled == []


async def test_a_connection_that_is_lost_while_the_journal_is_saved_keeps_the_write_back() -> None:
    """Another device may answer on the next one."""
    desk = Desk()
    desk.meanwhile = lambda: setattr(desk.channel.bond, "verified", False)
    assert await desk.tick(ceiling(4000.0)) == 0
    assert (desk.device.wrote, len(desk.journalled)) == ([], 1)


async def test_a_device_that_is_found_anew_while_the_journal_is_saved_is_the_one_that_is_written() -> None:
    desk, other = Desk(), FakeDevice()
    desk.meanwhile = lambda: setattr(desk.channel, "device", other)
    assert await desk.tick(ceiling(4000.0)) == 1
    assert (desk.device.wrote, other.wrote) == ([], [ceiling(4000.0)])
    assert desk.writer.account.hold.on == ((1, -1e9), other)


async def test_a_wish_that_came_while_the_journal_was_saved_is_the_one_that_is_written() -> None:
    desk = Desk()
    desk.meanwhile = lambda: desk.offer(ceiling(1000.0))
    await desk.tick(ceiling(4000.0))
    assert desk.device.wrote == [ceiling(1000.0)]


async def test_a_decision_that_is_older_than_a_tick_when_the_journal_is_saved_is_dropped() -> None:
    desk = Desk()

    def later() -> None:
        desk.now_s += 1.5

    desk.meanwhile = later
    assert await desk.tick(ceiling(4000.0)) == 0
    assert desk.device.wrote == []


async def test_while_one_is_being_written_no_other_write_begins() -> None:
    desk = Desk()
    desk.offer(ceiling(4000.0))
    assert desk.writer.wrote, "what is on its way counts as written"
    desk.offer(ceiling(3000.0))
    await desk.writer.errand.wait()
    assert len(desk.journalled) == 1 and desk.device.wrote == [ceiling(3000.0)]


async def test_only_the_device_that_was_verified_is_released() -> None:
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    desk.channel.bond.verified = False
    assert (await desk.writer.release(lift=False)).result is Released.UNREACHABLE
    assert desk.device.released == [] and desk.writer.wrote


async def test_a_release_says_what_stands_and_leaves_nothing_written() -> None:
    desk = Desk()
    await desk.tick(Setpoint(p_ceiling_w=4000.0, q_var=100.0))
    release = await desk.writer.release(lift=False)
    assert (release.result, release.stands_w) == (Released.RELEASED, 4000.0)
    assert desk.device.released == [Setpoint(p_ceiling_w=4000.0, q_var=100.0)]
    assert not desk.writer.wrote


async def test_a_device_that_does_not_answer_its_release_has_not_refused_it() -> None:
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    desk.bus.error = BusTimeout("no answer")
    release = await desk.writer.release(lift=False)
    assert (release.result, release.text) == (Released.UNREACHABLE, "")
    assert desk.writer.wrote


async def test_a_bug_in_a_write_comes_out_at_the_next_tick() -> None:
    desk = Desk()
    desk.bus.error = ZeroDivisionError("a bug")
    desk.offer(ceiling(4000.0))
    await desk.writer.errand.wait()
    with pytest.raises(ZeroDivisionError):
        desk.writer.errand.raise_bugs()
    desk.writer.errand.raise_bugs()


async def test_a_release_waits_for_the_write_that_is_under_way() -> None:
    desk = Desk()
    desk.offer(ceiling(4000.0))
    release = asyncio.create_task(desk.writer.release(lift=True))
    assert (await release).result is Released.RELEASED
    assert desk.device.wrote == [ceiling(4000.0)] and not desk.writer.wrote


async def test_writes_and_releases_go_before_everything_else_on_the_wire() -> None:
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    await desk.writer.release(lift=True)
    assert desk.bus.priorities == [Priority.WRITE, Priority.WRITE]
    assert desk.device.lifted == [True]


async def test_what_the_device_reads_back_is_known_as_soon_as_it_is_written() -> None:
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    assert (desk.writer.account.outcome.accepted, desk.writer.account.outcome.accepted_s) == (
        ceiling(4000.0),
        desk.now_s,
    )


@pytest.mark.parametrize(("pace", "wrote"), [(Pace(timeout_s=3.0), 0), (Pace(timeout_s=3.0, min_interval_s=1.0), 1)])
async def test_only_where_the_bus_cannot_keep_the_tick_may_a_decision_be_older(pace: Pace, wrote: int) -> None:
    desk = Desk()
    desk.bus.line.pace = pace

    def later() -> None:
        desk.now_s += 1.5

    desk.meanwhile = later
    assert await desk.tick(ceiling(4000.0)) == wrote


async def test_a_setpoint_has_its_time_from_when_it_was_written_and_not_from_when_it_was_wished() -> None:
    desk = Desk(settle_s=10.0)
    for _ in range(30):
        await desk.tick(ceiling(2000.0), p_w=4000.0, gate=False)
    await desk.tick(ceiling(2000.0), p_w=4000.0)
    await desk.tick(ceiling(2000.0), p_w=4000.0)
    assert desk.writer.account.outcome.achieved == "pending"
    for _ in range(11):
        await desk.tick(ceiling(2000.0), p_w=4000.0)
    assert desk.writer.account.outcome.achieved == "no"


async def test_an_override_that_cannot_be_put_right_yet_is_told_once() -> None:
    desk = Desk(write_min_interval_s=60.0)
    await desk.tick(ceiling(2000.0), p_w=1900.0)
    desk.device.holds = ceiling(5000.0)
    for _ in range(5):
        await desk.tick(ceiling(2000.0), p_w=1900.0)
    assert [event for event, _, _ in desk.events] == ["override"]


async def test_a_bug_in_a_write_comes_out_of_the_dispatch_of_the_next_decisions() -> None:
    desk = Desk()
    desk.bus.error = ZeroDivisionError("a bug")
    desk.offer(ceiling(4000.0))
    await desk.writer.errand.wait()
    with pytest.raises(ZeroDivisionError):
        Dispatch({"pv1": desk.writer}).offer([], make.site(), gate_open=True)


async def test_of_a_device_that_is_not_heard_it_is_said_why() -> None:
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    desk.channel.bond.binding.reason = Reason.FROZEN
    await desk.tick(ceiling(4000.0), fresh=False)
    assert (desk.writer.account.outcome.achieved, desk.writer.account.outcome.reason) == ("unknown", "frozen")
