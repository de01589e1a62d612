"""What a writer writes, what it makes of the answer, and what it says of it."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.types import NOTHING, Bound, Capability, Decision, Fallback, Port, Setpoint, SiteState
from derctl.core.words import FallbackBy, Reason, Released, Timer, What
from derctl.daemon.actuate.deadband import Written
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.actuate.release import Release
from derctl.daemon.channel.claim import Claim
from derctl.daemon.course import Course
from derctl.devices.types import Reversion
from derctl.errors import BusLate, BusTimeout, DeviceRefused
from tests.writing import Desk, FakeDevice, ceiling


async def failing(desk: Desk, error: Exception, setpoint: Setpoint) -> None:
    desk.bus.error = error
    await desk.tick(setpoint)
    desk.bus.error = None


# -- the reason given -----------------------------------------------------------------------------------------------


async def test_a_write_that_came_too_late_is_no_sign_of_an_unreachable_device() -> None:
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    await failing(desk, BusLate("too late to send"), ceiling(3000.0))
    assert desk.writer.account.trouble.code is None
    assert await desk.tick(ceiling(3000.0)) == 1, "the next tick decides"


async def test_an_unreachable_device_is_called_so_until_it_answers_even_if_nothing_has_to_be_written() -> None:
    """The setpoint went back to what the device holds."""
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    await failing(desk, BusTimeout("no answer"), ceiling(3000.0))
    assert desk.writer.account.trouble.code == "unreachable"
    assert await desk.tick(ceiling(4000.0), fresh=False) == 0
    assert desk.writer.account.trouble.code == "unreachable"
    assert await desk.tick(ceiling(4000.0)) == 0
    assert (desk.writer.account.trouble.code, desk.writer.account.outcome.reason) == (None, None)


async def test_a_device_that_polls_well_and_never_answers_a_write_stays_unreachable() -> None:
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    for _ in range(3):
        await failing(desk, BusTimeout("no answer"), ceiling(3000.0))
        assert desk.writer.account.trouble.code == "unreachable"
    desk.bus.error = BusTimeout("no answer")
    await desk.tick(ceiling(3000.0))
    assert desk.writer.account.outcome.reason == "unreachable"


async def test_what_was_polled_before_a_write_does_not_ask_for_it_again() -> None:
    """On a slow bus several decisions come before the next poll has ended; the same was written for ever."""
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    stale = desk.device.holds
    await desk.tick(ceiling(3000.0))
    desk.device.holds, now = stale, desk.device.holds
    assert now == ceiling(3000.0)
    for age_s in (2.0, 3.0, 4.0):
        desk.age_s = age_s
        assert await desk.tick(ceiling(3000.0)) == 0
    desk.age_s = 0.5
    assert await desk.tick(ceiling(3000.0)) == 1, "that was polled afterwards: something else set it"


def codes(desk: Desk) -> list[str]:
    return [event for event, _, _ in desk.events]


async def late(desk: Desk, times: int, *, seconds: float = 1.0) -> list[str | None]:
    """The reason after each of so many writes in a row that came too late."""
    desk.bus.error = BusLate("too late to send")
    found: list[str | None] = []
    for _ in range(times):
        await desk.tick(ceiling(3000.0), seconds=seconds)
        found.append(desk.writer.account.trouble.code)
    desk.bus.error = None
    return found


async def test_three_writes_in_a_row_that_came_too_late_are_said_once_and_not_counted() -> None:
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    assert await late(desk, 6) == [None, None, "late", "late", "late", "late"]
    desk.bus.error = BusLate("too late to send")
    await desk.tick(ceiling(3000.0))
    assert desk.writer.account.outcome.reason == "late"
    assert (codes(desk), desk.writer.writes) == (["write_late"], 1)


async def test_late_is_over_when_a_write_gets_through_whatever_the_device_makes_of_it() -> None:
    for refuses in (False, True):
        desk = Desk()
        await desk.tick(ceiling(4000.0))
        await late(desk, 3)
        desk.device.deaf = refuses
        assert await desk.tick(ceiling(3000.0)) == 1
        assert desk.writer.account.trouble.code is None
        assert await late(desk, 2) == [None, None], "counted anew"


async def test_late_is_over_when_nothing_has_to_be_written_any_more() -> None:
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    await late(desk, 3)
    assert await desk.tick(ceiling(4000.0)) == 0
    assert (desk.writer.account.trouble.code, desk.writer.account.outcome.reason) == (None, None)
    assert await late(desk, 2) == [None, None]


async def test_a_tick_in_the_pause_that_a_device_wants_between_writes_does_not_end_being_late() -> None:
    """SMA: 2 s. Nothing is tried in each second tick, though it would have to be written."""
    desk = Desk(write_min_interval_s=2.0)
    await desk.tick(ceiling(4000.0))
    await desk.tick(ceiling(4000.0))
    assert await late(desk, 6) == [None, None, None, None, "late", "late"]
    assert codes(desk) == ["write_late"]


async def test_a_timeout_in_between_is_another_thing_and_counted_as_sent() -> None:
    desk = Desk()
    await desk.tick(ceiling(4000.0))
    await late(desk, 2)
    before = desk.writer.writes
    await failing(desk, BusTimeout("no answer"), ceiling(3000.0))
    assert (desk.writer.account.trouble.code, desk.writer.writes - before) == ("unreachable", 1)
    assert await late(desk, 3) == ["unreachable", "unreachable", "late"]


# -- a device that may have forgotten -------------------------------------------------------------------------------


async def writes(desk: Desk, setpoint: Setpoint, *, seconds: int, p_w: float | None = 1000.0) -> list[int]:
    """The seconds, from now, at which it was written, at a tick each."""
    return [second for second in range(1, seconds + 1) if await desk.tick(setpoint, p_w)]


async def test_a_steady_limit_that_is_obeyed_is_not_written_again() -> None:
    desk = Desk(readback="effect_only")
    assert await writes(desk, ceiling(3000.0), seconds=3600, p_w=3000.0) == [1]


@pytest.mark.parametrize("found_anew", [False, True])
async def test_after_a_reconnection_a_device_that_cannot_be_read_is_told_again(found_anew: bool) -> None:
    """Limit 3 kW with `stands`, and no sun that would show that it was forgotten."""
    desk = Desk(readback="effect_only")
    assert await writes(desk, ceiling(3000.0), seconds=60) == [1]
    if found_anew:
        desk.channel.device = desk.device = FakeDevice()
    else:
        desk.bus.line.generation += 1
    assert await writes(desk, ceiling(3000.0), seconds=3600) == [1]


async def test_a_limit_that_ended_while_the_connection_was_lost_is_lifted_in_a_device_that_cannot_be_read() -> None:
    desk = Desk(readback="effect_only", fallback=Fallback())
    await desk.tick(ceiling(3000.0))
    desk.bus.line.generation += 1
    await desk.tick(ceiling(5000.0))
    assert desk.device.holds == ceiling(5000.0)


async def test_after_a_reconnection_a_timer_is_armed_anew_and_what_just_stands_is_left_alone() -> None:
    timed = Desk(fallback=Fallback(p_ceiling_w=2000.0, by=FallbackBy.REVERSION, after_s=600.0))
    stands = Desk(fallback=Fallback(p_ceiling_w=5000.0, by=FallbackBy.STANDS))
    for desk in (timed, stands):
        assert await writes(desk, ceiling(3000.0), seconds=60) == [1]
        desk.bus.line.generation += 1
    assert await writes(timed, ceiling(3000.0), seconds=60) == [1]
    assert await writes(stands, ceiling(3000.0), seconds=60) == []


async def test_a_storm_of_reconnections_keeps_the_time_that_a_device_wants_between_writes() -> None:
    """SMA: 2 s."""
    desk = Desk(readback="effect_only", write_min_interval_s=2.0)
    began = []
    for _ in range(6):
        desk.bus.line.generation += 1
        began.append(await desk.tick(ceiling(3000.0)))
    assert began == [1, 0, 1, 0, 1, 0]
    desk.bus.error = BusTimeout("no answer")
    assert await writes(desk, ceiling(2000.0), seconds=6) == [1, 3, 5]


async def test_a_limit_that_is_not_kept_is_written_again_ever_less_often_and_said() -> None:
    """settle_s 10 s, then patience: a device that can't be read and gives 4.9 kW under a limit of 3 kW."""
    desk = Desk(readback="effect_only")
    at = await writes(desk, ceiling(3000.0), seconds=250, p_w=4900.0)
    gaps = [after - before for before, after in itertools.pairwise(at)]
    assert at[0] == 1 and gaps[:8] == [11] * 6 + [16, 30] and set(gaps[8:]) == {30}
    assert [event[0] for event in desk.events] == ["not_followed"]
    assert (desk.writer.account.outcome.achieved, desk.writer.account.outcome.reason) == ("no", "not_followed")
    assert desk.writer.account.hold.told is None, "what it holds is not known"


async def test_one_that_keeps_its_limit_again_is_believed_again() -> None:
    desk = Desk(readback="effect_only")
    await writes(desk, ceiling(3000.0), seconds=60, p_w=4900.0)
    assert desk.writer.account.outcome.reason == "not_followed"
    await writes(desk, ceiling(3000.0), seconds=30, p_w=2990.0)
    assert (desk.writer.account.outcome.reason, desk.writer.account.hold.told) == (None, ceiling(3000.0))
    assert await writes(desk, ceiling(3000.0), seconds=3600, p_w=2990.0) == []


async def test_an_old_reading_does_not_show_that_a_limit_is_not_kept() -> None:
    desk = Desk(readback="effect_only")
    await desk.tick(ceiling(3000.0))
    assert [await desk.tick(ceiling(3000.0), 4900.0, fresh=False) for _ in range(60)] == [0] * 60
    desk.age_s = 55.0
    assert await desk.tick(ceiling(3000.0), 4900.0) == 0, "from before it could show"
    desk.age_s = 45.0
    assert await desk.tick(ceiling(3000.0), 4900.0) == 1


# -- what a release is told -----------------------------------------------------------------------------------------


async def released_with(desk: Desk, *, lift: bool = False) -> Setpoint:
    """What the device's release hears of as held."""
    assert (await desk.writer.release(lift=lift)).result == "released"
    return desk.device.released[-1]


async def test_what_a_release_read_back_is_what_the_device_holds_now() -> None:
    """Until the next poll `release` said of a battery at rest that -5,000 W stood in it."""
    desk = Desk()
    await desk.tick(ceiling(2000.0))
    assert desk.writer.account.outcome.accepted == ceiling(2000.0)
    desk.device.holds, desk.now_s = ceiling(5000.0), desk.now_s + 0.5
    await released_with(desk)
    assert (desk.writer.account.outcome.accepted, desk.writer.account.outcome.accepted_s) == (
        ceiling(5000.0),
        desk.now_s,
    )


async def test_a_release_knows_what_was_written_last_also_after_the_connection_was_lost() -> None:
    """Var that was written earlier and not given back is still in the device."""
    desk = Desk(readback="effect_only")
    await desk.tick(Setpoint(p_ceiling_w=4000.0, q_var=-300.0))
    await desk.tick(ceiling(3000.0), seconds=5.0)
    desk.bus.line.generation += 1
    desk.channel.bond.verified = False
    await desk.tick(ceiling(3000.0))
    desk.channel.bond.verified = True
    assert desk.writer.account.hold.written is None
    assert await released_with(desk) == Setpoint(p_ceiling_w=3000.0, q_var=-300.0)


async def test_a_release_that_runs_out_of_time_leaves_the_write_that_it_waited_for_alone() -> None:
    """A write over a slow bus takes more than the 2 s of a release; its end is no bug of the writer's."""
    desk, answer = Desk(), asyncio.Event()
    execute = desk.bus.execute

    async def slow(*given: Any, **named: Any) -> Any:
        await answer.wait()
        return await execute(*given, **named)

    desk.bus.execute = slow
    desk.writer.offer(Decision(der="pv1", setpoint=ceiling(3000.0)), desk.state(1000.0), True, desk.now_s)
    result = await Dispatch({"pv1": desk.writer}).release(["pv1"], lift=False, seconds=0.01)
    assert {name: each.result for name, each in result.items()} == {"pv1": "unreachable"}
    assert "too slowly" in result["pv1"].text, "who is only slow is not called gone"
    answer.set()
    await desk.writer.errand.wait()
    desk.writer.errand.raise_bugs()
    assert desk.device.holds == ceiling(3000.0)


async def test_a_release_of_what_this_process_never_wrote_is_told_nothing() -> None:
    """After a kill: the journal knows names, not setpoints."""
    assert await released_with(Desk(readback="effect_only")) == NOTHING


async def test_a_release_goes_by_what_was_written_where_the_power_contradicts_what_is_read() -> None:
    """An SMA reads 0 % and enabled by day and by night; by day it gives 1,080 W."""
    desk = Desk()
    await desk.tick(ceiling(3000.0))
    course = Course(setpoint=ceiling(0.0), since_s=0.0, astray_s=desk.now_s)
    for claim in (Claim(course=course), Claim(void=True, said_w=0.0)):
        desk.channel.measured.claim = claim
        desk.device.holds = ceiling(0.0)
        assert await released_with(desk) == ceiling(3000.0)
        assert desk.device.believed[-1] is False


async def test_a_release_of_a_device_that_never_took_over_and_reads_back_less_leaves_it_alone() -> None:
    """Armed by night: it reads 0 W, gives nothing, and shows nothing of what is written."""
    desk = Desk()
    desk.device.holds, desk.device.deaf = ceiling(0.0), True
    await writes(desk, ceiling(3000.0), seconds=60, p_w=0.0)
    assert (await released_with(desk), desk.device.believed[-1]) == (NOTHING, False)
    taker = Desk()
    await writes(taker, ceiling(3000.0), seconds=60, p_w=0.0)
    taker.device.holds = ceiling(0.0)
    await taker.tick(ceiling(3000.0), seconds=0.0)
    await released_with(taker)
    assert taker.device.believed[-1] is True, "it had taken it over: somebody has lowered it since"


async def test_of_a_write_that_got_lost_the_lower_limit_of_both_may_stand() -> None:
    desk = Desk(readback="effect_only")
    await desk.tick(ceiling(3000.0))
    await failing(desk, BusTimeout("no answer"), ceiling(5000.0))
    assert await released_with(desk) == ceiling(3000.0)
    await failing(desk, BusTimeout("no answer"), ceiling(1000.0))
    assert await released_with(desk) == ceiling(1000.0)


async def test_after_a_release_a_limit_may_still_stand_and_var_does_not() -> None:
    desk = Desk(readback="effect_only")
    await desk.tick(Setpoint(p_ceiling_w=3000.0, q_var=-300.0))
    await released_with(desk)
    await failing(desk, BusLate("too late to send"), ceiling(5000.0))
    assert await released_with(desk) == ceiling(3000.0)
    await released_with(desk, lift=True)
    assert await released_with(desk) == NOTHING


# -- var that nobody asks for any more ------------------------------------------------------------------------------


VAR = Setpoint(p_ceiling_w=5000.0, q_var=-300.0)
PLAIN = ceiling(5000.0)


async def with_var(readback: str = "values") -> Desk:
    """A device that was told var, and then for some seconds of another limit only."""
    desk = Desk(readback=readback)
    await desk.tick(VAR)
    assert await writes(desk, ceiling(4000.0), seconds=5) == [1]
    return desk


@pytest.mark.parametrize("readback", ["values", "effect_only"])
async def test_var_is_given_back_once_when_nobody_has_asked_for_it_for_ten_seconds(readback: str) -> None:
    desk = await with_var(readback)
    assert await writes(desk, ceiling(4000.0), seconds=300) == [5], "10 s after the last tick that asked for var"
    assert desk.device.gave_back == [False, False, True]
    assert desk.device.holds == ceiling(4000.0)
    assert await released_with(desk) == ceiling(4000.0)


async def test_a_device_that_keeps_its_var_is_not_asked_again() -> None:
    desk = await with_var()
    desk.device.deaf = True
    assert len(await writes(desk, ceiling(4000.0), seconds=300)) == 1
    assert desk.device.holds.q_var == -300.0


async def test_a_glitch_of_less_than_ten_seconds_costs_no_write() -> None:
    desk = Desk(fallback=Fallback(p_ceiling_w=5000.0, by=FallbackBy.STANDS, after_s=600.0))
    await desk.tick(VAR)
    for _ in range(3):
        assert await writes(desk, PLAIN, seconds=9) == []
        assert await desk.tick(VAR) == 0


async def test_var_that_ran_out_by_itself_or_is_not_derctls_is_left_alone() -> None:
    """A timer gave it back; later somebody else sets it."""
    desk = await with_var()
    desk.device.holds = replace(desk.device.holds, q_var=None)
    assert await writes(desk, ceiling(4000.0), seconds=60) == []
    desk.device.holds = replace(desk.device.holds, q_var=500.0)
    assert await writes(desk, ceiling(4000.0), seconds=60) == []
    stranger = Desk()
    stranger.device.holds = VAR
    assert await writes(stranger, PLAIN, seconds=60) == [1], "the fallback is armed, no more"
    assert stranger.device.gave_back == [False]


async def test_var_is_given_back_also_when_the_connection_was_lost_in_between() -> None:
    desk = await with_var("effect_only")
    desk.bus.line.generation += 1
    assert len(await writes(desk, ceiling(4000.0), seconds=300)) == 2
    assert desk.device.holds.q_var is None


async def test_a_lost_give_back_is_sent_again_and_one_that_is_refused_three_times_no_more() -> None:
    desk = await with_var()
    await writes(desk, ceiling(4000.0), seconds=4)
    desk.bus.error = BusTimeout("no answer")
    assert await writes(desk, ceiling(4000.0), seconds=4) == [1, 2, 3, 4]
    desk.bus.error = None
    desk.device.refuses = DeviceRefused(3, function=16, address=1, count=1)
    assert len(await writes(desk, ceiling(4000.0), seconds=600)) == 3
    assert [event[0] for event in desk.events] == ["write_refused"]
    assert await desk.tick(ceiling(3000.0)) == 1 and desk.writer.account.trouble.code is None, "the rest goes on"


# -- the code of what stands in the way -----------------------------------------------------------------------------


async def test_another_setpoint_than_the_one_that_was_taken_is_an_override_said_once_and_put_right() -> None:
    """A second master, or an inverter that restarted and forgot."""
    desk = Desk()
    await desk.tick(ceiling(2000.0), p_w=1900.0)
    assert await desk.tick(ceiling(2000.0), p_w=1900.0) == 0
    assert desk.writer.account.outcome.reason is None
    desk.device.holds, desk.device.deaf = ceiling(5000.0), True
    for _ in range(3):
        await desk.tick(ceiling(2000.0), p_w=1900.0)
    assert [event for event, _, _ in desk.events].count("override") == 1
    desk.device.deaf = False
    desk.now_s += 60.0
    await desk.tick(ceiling(2000.0), p_w=1900.0)
    assert desk.device.holds == ceiling(2000.0)
    for _ in range(12):
        await desk.tick(ceiling(2000.0), p_w=1900.0)
    assert desk.writer.account.outcome.reason is None
    desk.device.holds = ceiling(4000.0)
    await desk.tick(ceiling(2000.0), p_w=1900.0)
    assert (desk.writer.account.outcome.reason, desk.device.holds) == ("override", ceiling(2000.0))
    assert [event for event, _, _ in desk.events].count("override") == 2


async def test_what_a_device_never_took_or_cannot_tell_is_no_override() -> None:
    for desk in (Desk(), Desk(readback="effect_only")):
        desk.device.deaf = True
        for _ in range(5):
            await desk.tick(ceiling(2000.0), p_w=1900.0)
        assert "override" not in [event for event, _, _ in desk.events]


ASKED: dict[str, Any] = {"requested": Setpoint(p_ceiling_w=3000.0), "requested_by": "operator_limit"}
BY_CONTRACT = Bound(by="contract_export_limit", rank=15, what=What.CEILING, value=1000.0)
BY_BMS = Bound(by="bms_guard", rank=0, what=What.CEILING, value=1000.0)
LIMITED = Capability(ac=Port(limit=True))
IN_THE_WAY: dict[str, tuple[Decision, Capability, str | None]] = {
    "nobody asked": (Decision(der="pv1", setpoint=ceiling(1000.0)), LIMITED, None),
    "it got it": (Decision(der="pv1", setpoint=ceiling(3000.0), **ASKED), LIMITED, None),
    "a senior": (Decision(der="pv1", setpoint=ceiling(1000.0), bound_by=(BY_CONTRACT,), **ASKED), LIMITED,
        "senior_bound"),
    "a senior without its meter": (
        Decision(
            der="pv1", setpoint=ceiling(1000.0), bound_by=(replace(BY_CONTRACT, why=Reason.METER_LOST),), **ASKED),
        LIMITED, "meter_lost"),
    "the battery's own limit": (
        Decision(der="pv1", setpoint=ceiling(1000.0), bound_by=(BY_CONTRACT, BY_BMS), **ASKED), LIMITED,
        "bms_limit"),
    "a senior, and a battery that would charge": (
        Decision(der="pv1", setpoint=Setpoint(p_target_w=-3000.0), requested=Setpoint(p_target_w=-1500.0),
            requested_by="setpoint", bound_by=(BY_BMS, BY_CONTRACT)),
        Capability(ac=Port(limit=True, aim=True)), "senior_bound"),
    "the battery's own charge limit": (
        Decision(der="pv1", setpoint=Setpoint(p_target_w=-800.0), requested=Setpoint(p_target_w=-1500.0),
            requested_by="setpoint", bound_by=(replace(BY_BMS, what=What.FLOOR, value=-800.0),)),
        Capability(ac=Port(limit=True, aim=True)), "bms_limit"),
    "a device that is only read": (Decision(der="pv1", setpoint=Setpoint(), **ASKED), Capability(), "not_supported"),
    "a target for PV": (
        Decision(der="pv1", setpoint=ceiling(5000.0), requested=Setpoint(p_target_w=1.0), requested_by="setpoint"),
        LIMITED, "not_supported"),
}  # fmt: skip


@pytest.mark.parametrize("case", IN_THE_WAY)
async def test_what_keeps_a_request_from_being_the_decision_has_a_code(case: str) -> None:
    decision, can, code = IN_THE_WAY[case]
    desk = Desk()
    state = replace(desk.state(500.0), can=can)
    desk.writer.offer(decision, state, True, desk.now_s)
    await desk.writer.errand.wait()
    desk.now_s += 1.0
    desk.writer.offer(decision, replace(desk.state(500.0), can=can), True, desk.now_s)
    await desk.writer.errand.wait()
    assert desk.writer.account.outcome.reason == code


async def test_a_reading_from_before_the_write_is_no_override() -> None:
    desk = Desk()
    await desk.tick(ceiling(2000.0), p_w=1900.0)
    desk.device.holds, desk.device.deaf, desk.age_s = ceiling(5000.0), True, 5.0
    await desk.tick(ceiling(2000.0), p_w=1900.0)
    desk.age_s, frozen_s = 0.1, desk.now_s + 1.0
    between = Written(setpoint=ceiling(2000.0), at_s=frozen_s - 0.05)  # between reading and freezing
    desk.writer.account.hold = replace(desk.writer.account.hold, written=between)
    desk.now_s = frozen_s + 0.2  # deciding took its time
    state = SiteState(t_s=frozen_s, tick_s=1.0, f_nom_hz=50.0, ders=(desk.state(1900.0),))
    decision = Decision(der="pv1", setpoint=ceiling(2000.0))
    Dispatch({"pv1": desk.writer}).offer([decision], state, gate_open=True)
    await desk.writer.errand.wait()
    assert "override" not in [event for event, _, _ in desk.events]


# -- the release of a site ------------------------------------------------------------------------------------------


async def test_one_that_does_not_answer_keeps_no_other_from_being_released() -> None:
    """Those that go down first: for half of the time at most."""
    began: list[str] = []

    def writer(name: str, goal_w: float | None, held_w: float, seconds: float) -> Any:
        async def release(*, lift: bool) -> Release:
            began.append(name)
            await asyncio.sleep(seconds)
            return Release(Released.RELEASED)

        accepted = Setpoint(p_ceiling_w=held_w)
        return SimpleNamespace(
            account=SimpleNamespace(outcome=SimpleNamespace(accepted=accepted)),
            promised=SimpleNamespace(told=Fallback(p_ceiling_w=goal_w)),
            release=release,
            lost=False,
        )

    writers = {
        "up": writer("up", None, 500.0, 0.0),
        "down": writer("down", 500.0, 5000.0, 0.0),
        "silent": writer("silent", 500.0, 5000.0, 60.0),
    }
    asked_s = asyncio.get_running_loop().time()
    found = await Dispatch(writers).release(list(writers), lift=False, seconds=0.4)
    assert asyncio.get_running_loop().time() - asked_s == pytest.approx(0.4)
    words = {name: each.result for name, each in found.items()}
    assert words == {"up": "released", "down": "released", "silent": "unreachable"}
    assert began == ["down", "silent", "up"]
    assert await Dispatch({}).release([], lift=False, seconds=0.4) == {}


def held_writer(held: Setpoint, goal_w: float | None, result: Released, began: list[str], name: str) -> Any:
    """One that holds this, and whose release gives that. goal_w: its fallback."""

    async def release(*, lift: bool) -> Release:
        began.append(name)
        return Release(result)

    return SimpleNamespace(
        account=SimpleNamespace(outcome=SimpleNamespace(accepted=held)),
        promised=SimpleNamespace(told=Fallback(p_ceiling_w=goal_w)),
        release=release,
        lost=result is Released.UNREACHABLE,
    )


CHARGES, RESTS, LIMITED = Setpoint(p_target_w=-3000.0), Setpoint(p_target_w=0.0), ceiling(500.0)
RISING = [  # what it holds, its fallback, lift -> whether its release may make it give more
    (CHARGES, 0.0, False, True),
    (CHARGES, None, False, True),
    (RESTS, None, False, True),  # back to its own mode
    (RESTS, 0.0, False, False),
    (LIMITED, 2000.0, False, False),  # the limit stands where it is
    (LIMITED, 2000.0, True, True),
    (LIMITED, None, True, True),
    (LIMITED, 500.0, True, False),
]


@pytest.mark.parametrize(("held", "goal_w", "lift", "rises"), RISING)
@pytest.mark.parametrize("lost", [Released.UNREACHABLE, Released.REFUSED, None])
async def test_while_one_is_lost_or_not_released_no_release_makes_another_give_more(
    held: Setpoint, goal_w: float | None, lift: bool, rises: bool, lost: Released | None
) -> None:
    began: list[str] = []
    writers = {"bat1": held_writer(held, goal_w, Released.RELEASED, began, "bat1")}
    writers["pv1"] = held_writer(ceiling(5000.0), 500.0, lost or Released.RELEASED, began, "pv1")
    found = await Dispatch(writers).release(["bat1", "pv1"], lift=lift, seconds=0.2)
    waits = rises and lost is not None
    assert found["bat1"].result == ("waits" if waits else "released")
    assert ("bat1" in began) is not waits and "pv1" in began
    if waits:
        assert str(found["bat1"]).startswith("waits: it would give more, and pv1 is lost or not released")


async def test_one_that_is_lost_and_was_never_written_counts_too() -> None:
    began: list[str] = []
    writers = {
        "bat1": held_writer(CHARGES, 0.0, Released.RELEASED, began, "bat1"),
        "pv1": held_writer(ceiling(5000.0), 500.0, Released.UNREACHABLE, began, "pv1"),
    }
    found = await Dispatch(writers).release(["bat1"], lift=False, seconds=0.2)
    assert {name: each.result for name, each in found.items()} == {"bat1": "waits"} and began == []


# -- a limit that stood in the device before ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "found_w", "timer", "told"),
    [
        (Fallback(p_ceiling_w=5000.0), None, Timer.TARGET, Fallback(p_ceiling_w=5000.0)),
        (Fallback(p_ceiling_w=5000.0), 3000.0, Timer.TARGET, Fallback(p_ceiling_w=3000.0)),
        (Fallback(p_ceiling_w=2000.0), 3000.0, Timer.TARGET, Fallback(p_ceiling_w=2000.0)),
        (Fallback(), 3000.0, Timer.TARGET, Fallback(p_ceiling_w=3000.0)),
        (Fallback(), 3000.0, Timer.NO_TARGET, Fallback(p_ceiling_w=3000.0, by=FallbackBy.STANDS)),
    ],
)
async def test_without_derctl_a_device_never_gives_more_than_the_limit_that_was_found_in_it(
    declared: Fallback, found_w: float | None, timer: Timer, told: Fallback
) -> None:
    """A timer without a target would let go of it: the last limit stands."""
    desk = Desk(fallback=declared)
    desk.device.reversion = Reversion(timer=timer)
    desk.writer.promised.found_w = lambda: found_w
    assert desk.writer.promised.told == told
    await desk.tick(ceiling(2000.0))
    await desk.writer.release(lift=True)
    assert desk.device.promised == [told, told]


@pytest.mark.parametrize(
    ("spared_w", "wanted_w", "writes"), [(3000.0, 3000.0, 0), (3000.0, 2900.0, 1), (None, 3000.0, 1)]
)
async def test_over_what_may_be_a_limit_only_a_lower_one_is_written(
    spared_w: float | None, wanted_w: float, writes: int
) -> None:
    desk = Desk()
    desk.writer.spared_w = lambda: spared_w
    assert await desk.tick(ceiling(wanted_w)) == writes
    assert (desk.writer.account.outcome.reason is Reason.GATE_CLOSED) is (writes == 0)


@pytest.mark.parametrize(
    ("fresh", "control", "can", "why"),
    [
        (True, True, Capability(ac=Port(limit=True)), None),
        (True, True, Capability(ac=Port(var=True)), None),
        (True, True, Capability(), "derctl can only read it"),
        (False, True, Capability(ac=Port(limit=True)), "no answer"),
        (True, False, Capability(ac=Port(limit=True)), "control: false in the site file"),
    ],
)
def test_why_one_would_not_be_written_is_said(fresh: bool, control: bool, can: Capability, why: str | None) -> None:
    desk = Desk(control=control)
    desk.channel.bond.binding.text = "no answer"
    assert desk.writer.kept_from(replace(desk.state(1.0, fresh=fresh), can=can)) == why


@pytest.mark.parametrize("error", [BusTimeout("no answer"), BusLate("too late to send")])
async def test_what_a_write_that_broke_off_left_in_one_that_can_not_be_read_back_is_written_over(
    error: Exception,
) -> None:
    """Only its answer was lost: the battery charges by it, and what is wanted now equals the write before it."""
    desk = Desk(fallback=Fallback(p_ceiling_w=0.0, by=FallbackBy.STANDS), readback="effect_only")
    rest, charge = Setpoint(p_target_w=0.0), Setpoint(p_target_w=-3000.0)
    await desk.tick(rest, 0.0)
    await failing(desk, error, charge)
    assert [await desk.tick(rest, -3000.0) for _ in range(4)] == [1, 0, 0, 0]
    assert desk.device.wrote[-1] == rest
