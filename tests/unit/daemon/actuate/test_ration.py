"""Memory that wears out: how often it is written, what that keeps back, and what goes out all the same."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.exchange import Write
from derctl.core.types import NOTHING, Fallback, Setpoint
from derctl.core.words import FallbackBy, Released
from derctl.daemon.actuate.ledger import Ledger
from derctl.daemon.actuate.ration import Ration, both, rationed, tightens
from derctl.daemon.actuate.wear import DAY_S, OVER_EVERY_S, left_of
from derctl.devices import Profile
from derctl.errors import BusTimeout, WriteBarred
from tests.writing import Desk, FakeDevice, ceiling

LOW = Fallback(p_ceiling_w=1000.0, by=FallbackBy.STANDS)
FLASH = Profile(volatile=False, writes_a_day=8)
"""Two of eight writes are kept for what tightens."""
WATTS = st.none() | st.floats(-5000.0, 5000.0)
ANY = st.builds(Setpoint, p_ceiling_w=st.none() | st.floats(0.0, 5000.0), p_target_w=WATTS)


def flash(**profile: Any) -> Desk:
    return Desk(fallback=LOW, volatile=False, writes_a_day=8, **profile)


def told(desk: Desk) -> list[float | None]:
    return [each.p_ceiling_w for each in desk.device.wrote]


async def test_what_raises_leaves_a_part_of_the_day_to_what_tightens() -> None:
    desk = flash()
    for n in range(20):
        await desk.tick(ceiling(1000.0 + 100.0 * n), seconds=600.0)
    assert told(desk) == [1000.0, 1100.0, 1200.0, 1300.0, 1400.0, 1500.0]
    assert [name for name, _, _ in desk.events] == ["write_budget"]
    assert "2 of 8 writes a day are left" in desk.events[0][2]
    assert desk.writer.account.outcome.reason == "write_budget"


async def test_a_tightening_goes_out_with_what_is_left_and_beyond_it_to_the_fallback_and_to_nothing() -> None:
    desk = flash()
    for n in range(8):
        await desk.tick(ceiling(4000.0 + 100.0 * n), seconds=60.0)
    assert told(desk)[-1] == 4500.0
    for watts in (3500.0, 3000.0, 2500.0, 2400.0, 900.0, 800.0, 700.0):
        for _ in range(3):
            await desk.tick(ceiling(watts), seconds=60.0)
    assert told(desk)[6:] == [3500.0, 3000.0, 1000.0, 0.0]


async def test_beyond_the_day_s_writes_a_tightening_waits_a_minute_after_the_last_one() -> None:
    desk = flash()
    for n in range(8):
        await desk.tick(ceiling(4000.0 - 100.0 * n), seconds=1.0)
    assert len(told(desk)) == 8
    for _ in range(int(OVER_EVERY_S) - 2):
        assert await desk.tick(ceiling(3000.0), seconds=1.0) == 0
    await desk.tick(ceiling(3000.0), seconds=3.0)
    assert told(desk)[8:] == [1000.0]


async def test_a_write_that_is_a_day_old_counts_no_more_and_no_two_days_run_into_one() -> None:
    """At most so many in any 24 hours, whatever the clock on the wall says."""
    desk, times = flash(), list[float]()
    for n in range(3 * 96):
        sent = await desk.tick(ceiling(1000.0 + 200.0 * (n % 20)), seconds=DAY_S / 96.0)
        times += [desk.now_s] * sent
    assert len(times) > 16
    for at_s in times:
        assert sum(at_s <= other < at_s + DAY_S for other in times) <= 8 + 2, "what tightens may go beyond"
    assert desk.writer.account.ration.left(FLASH) is not None


async def test_a_second_master_that_tightens_is_not_answered_when_little_is_left() -> None:
    desk = flash()
    for n in range(6):
        await desk.tick(ceiling(4000.0 + 100.0 * n), seconds=600.0)
    desk.device.holds = ceiling(2000.0)
    assert await desk.tick(ceiling(4500.0), seconds=600.0) == 0
    desk.device.holds = ceiling(5000.0)
    assert await desk.tick(ceiling(4500.0), seconds=600.0) == 1, "one that loosens is"


async def test_a_limit_that_stands_in_memory_that_wears_is_not_written_again_and_again() -> None:
    desk = Desk(fallback=Fallback(p_ceiling_w=1000.0), volatile=False)
    for _ in range(200):
        await desk.tick(ceiling(3000.0), seconds=30.0)
    assert told(desk) == [3000.0]


async def test_a_release_goes_out_whatever_is_left_and_counts() -> None:
    desk = flash()
    for n in range(8):
        await desk.tick(ceiling(4000.0 - 100.0 * n), seconds=10.0)
    assert desk.writer.account.ration.left(FLASH) == 0
    assert (await desk.writer.release(lift=False)).result is Released.RELEASED
    assert desk.writer.account.ration.ledger.wear("pv1").counts == {"123.WMaxLimPct": 9, "123.WMaxLim_Ena": 9}


async def test_a_point_that_is_never_written_is_kept_from_the_wire_and_said() -> None:
    desk = Desk()
    desk.device.points = ("703.ES",)
    await desk.tick(ceiling(3000.0))
    assert desk.device.wrote == [] or desk.device.holds == Setpoint()
    assert desk.events == [
        (
            "write_refused",
            "pv1",
            "703.ES is an enter-service setting, which derctl never writes (ders[].may_write names exceptions)",
        )
    ]
    desk.writer.account.ration.named = frozenset({"703.ES"})
    await desk.tick(ceiling(2000.0))
    assert desk.device.holds == ceiling(2000.0)


async def test_what_would_say_too_much_is_kept_from_the_wire_and_said() -> None:
    desk = Desk()
    desk.device.says_too_much = "704.VarSetPct would say 1976.6, and 100 is all that it can mean"
    await desk.tick(ceiling(3000.0))
    assert desk.device.wrote == []
    assert desk.events == [
        (
            "write_refused",
            "pv1",
            "704.VarSetPct would say 1976.6, and 100 is all that it can mean: derctl keeps it back",
        )
    ]
    assert desk.writer.account.ration.ledger.wear("pv1").counts == {}


def test_a_named_point_has_the_day_s_writes_of_memory_that_wears_out() -> None:
    """No profile calls it volatile."""
    ration, device = Ration("pv1", named=frozenset({"703.ES"})), FakeDevice(points=("703.ES",))
    permit = ration.permit(device, Profile(writes_a_day=2), {}, urgent=False)  # type: ignore[arg-type]
    for _ in range(2):
        permit(Write(address=1, values=(1,)))
    with pytest.raises(WriteBarred, match=r"703\.ES"):
        permit(Write(address=1, values=(1,)))
    assert ration.left(Profile(writes_a_day=2)) is None, "setpoints are not counted for it"


@given(wanted=ANY, held=ANY, spent=st.booleans(), fallback_w=st.none() | st.floats(0.0, 5000.0))
def test_what_is_rationed_never_gives_more_than_what_is_held_or_wanted(
    wanted: Setpoint, held: Setpoint, spent: bool, fallback_w: float | None
) -> None:
    found = rationed(wanted, held, fallback_w, spent=spent)
    for got, before, asked in ((found.p_ceiling_w, held.p_ceiling_w, wanted.p_ceiling_w),):
        assert got is None or got <= min(each for each in (before, asked) if each is not None) or got == before
    if found.p_target_w is not None:
        assert held.p_target_w is not None
        assert abs(found.p_target_w) <= abs(held.p_target_w)
        assert found.p_target_w * held.p_target_w >= 0.0


@pytest.mark.parametrize(
    ("wanted", "held", "found"),
    [
        (3000.0, 2000.0, 2000.0),
        (1000.0, 2000.0, 0.0),
        (-1000.0, 2000.0, 0.0),
        (500.0, None, None),
        (None, -5.0, -5.0),
    ],
)
def test_a_store_goes_to_rest_once_nothing_is_left(
    wanted: float | None, held: float | None, found: float | None
) -> None:
    after = rationed(Setpoint(p_target_w=wanted), Setpoint(p_target_w=held), 0.0, spent=True)
    assert after.p_target_w == found
    if wanted == 1000.0:
        assert rationed(Setpoint(p_target_w=wanted), Setpoint(p_target_w=held), 0.0, spent=False).p_target_w == 1000.0


@pytest.mark.parametrize(
    ("desired", "accepted", "less"),
    [
        (ceiling(1.0), ceiling(2.0), True),
        (ceiling(2.0), ceiling(2.0), False),
        (ceiling(2.0), NOTHING, True),
        (NOTHING, ceiling(2.0), False),
        (Setpoint(p_target_w=1.0), Setpoint(p_target_w=-2.0), True),
        (Setpoint(p_target_w=-3.0), Setpoint(p_target_w=2.0), True),
        (Setpoint(p_target_w=-3.0), Setpoint(p_target_w=-2.0), False),
        (Setpoint(p_target_w=-3.0), NOTHING, True),
    ],
)
def test_less_power_is_a_lower_limit_or_a_target_nearer_to_rest(
    desired: Setpoint, accepted: Setpoint, less: bool
) -> None:
    assert tightens(desired, accepted) is less


def test_what_was_never_told_is_what_reads_back() -> None:
    read = Setpoint(p_ceiling_w=5000.0, p_target_w=1.0, q_var=2.0)
    assert both(ceiling(3.0), read) == Setpoint(p_ceiling_w=3.0, p_target_w=1.0, q_var=2.0)
    assert both(ceiling(3.0), None) == ceiling(3.0)


def test_counters_survive_and_a_day_that_nobody_measured_does_not_pass() -> None:
    now_s, saves = 5000.0, list[int]()
    ledger = Ledger(changed=lambda: saves.append(1), clock=lambda: now_s)
    ledger.wrote("pv1", ("123.WMaxLimPct",), FLASH)
    ledger.wrote("pv2", ("123.WMaxLimPct",), Profile())
    assert saves == [1], "what wears nothing out is saved with the next thing that is"
    now_s += 100.0
    saved = ledger.plain()
    assert saved == {
        "pv1": {"counts": {"123.WMaxLimPct": 1}, "ages_s": {"123.WMaxLimPct": [100.0]}},
        "pv2": {"counts": {"123.WMaxLimPct": 1}, "ages_s": {}},
    }
    for away_s, left in ((0.0, 7), (DAY_S - 100.5, 7), (DAY_S, 8)):
        again = Ledger(clock=lambda: 3.0)
        assert again.revive(saved, away_s) == {}
        assert again.view("pv1", FLASH) == {"counts": {"123.WMaxLimPct": 1}, "a_day": 8, "left": left}
        assert again.view("pv2", Profile()) == {"counts": {"123.WMaxLimPct": 1}, "a_day": None, "left": None}
    assert [*Ledger().revive({"pv1": {"counts": []}}, 0.0)] == ["pv1"]


async def test_one_that_can_t_be_read_back_and_does_not_obey_keeps_the_day_s_writes() -> None:
    desk = flash(readback="effect_only")
    times = list[float]()
    for _ in range(2 * int(DAY_S) // 30):
        sent = await desk.tick(ceiling(2000.0), 4000.0, seconds=30.0)
        times += [desk.now_s] * sent
    assert 6 < len(times) <= 24, "tried again and again, and ever less often"
    assert max(sum(at_s <= other < at_s + DAY_S for other in times) for at_s in times) <= 8
    assert desk.writer.account.outcome.reason == "write_budget"
    assert await desk.tick(ceiling(1500.0), 4000.0, seconds=60.0) == 1, "less is not kept back"


async def test_a_write_that_broke_off_is_tried_again_and_beyond_the_day_s_ever_more_rarely() -> None:
    desk = flash(readback="effect_only")
    await desk.tick(ceiling(2000.0), 2000.0)
    desk.device.deaf, desk.bus.error_after_permit = True, BusTimeout("no answer")
    times = list[float]()
    for _ in range(int(DAY_S) // 20):
        times += [desk.now_s] * (await desk.tick(ceiling(900.0), 2000.0, seconds=20.0))
    waits = [after - before for before, after in pairwise(times)]
    assert waits[:5] == [20.0] * 5
    assert max(waits) >= 900.0
    assert len(times) <= 8 + DAY_S / 900.0 + 5


async def test_the_count_is_on_disk_before_the_write_whatever_ends_the_process() -> None:
    desk, disk, saves = flash(), [dict[str, Any]()], list[float]()
    ledger = desk.writer.account.ration.ledger

    async def keep() -> None:
        saves.append(desk.now_s)
        disk[0] = ledger.ahead()

    ledger.keep = keep
    for n in range(8):
        await desk.tick(ceiling(4000.0 - 100.0 * n), seconds=60.0)
        killed = Ledger(clock=lambda: desk.now_s)
        killed.revive(disk[0], 0.0)
        assert killed.view("pv1", FLASH)["left"] <= ledger.view("pv1", FLASH)["left"] == 7 - n
        assert await desk.tick(ceiling(4000.0 - 100.0 * n), seconds=1.0) == 0
    assert len(saves) <= 8, "no more than one save for each write"
    assert ledger.settle()
    assert ledger.ahead() == ledger.plain()
    assert not ledger.settle()


async def test_a_disk_that_takes_nothing_keeps_nobody_from_writing_and_is_tried_again() -> None:
    desk, tried = flash(), list[int]()

    async def keep() -> None:
        tried.append(1)
        raise OSError(28, "No space left on device")

    desk.writer.account.ration.ledger.keep = keep
    await desk.tick(ceiling(3000.0))
    await desk.tick(ceiling(2000.0))
    assert told(desk) == [3000.0, 2000.0]
    assert len(tried) == 2


async def test_neither_a_write_nor_a_release_waits_for_a_disk_that_hangs() -> None:
    desk = flash()

    async def keep() -> None:
        await asyncio.Event().wait()

    desk.writer.account.ration.ledger.keep = keep
    await desk.tick(ceiling(3000.0))
    assert told(desk) == [3000.0]
    assert desk.writer.account.ration.ledger.reserved == {}, "nothing is counted on that is not on disk"
    assert (await desk.writer.release(lift=False)).result is Released.RELEASED


def test_what_may_have_been_written_before_a_kill_counts_for_each_point_and_no_point_is_named_so() -> None:
    ledger = Ledger(clock=lambda: 1000.0)
    ledger.revive(
        {"pv1": {"counts": {"123.WMaxLimPct": 9}, "ages_s": {"123.WMaxLimPct": [5.0], "*": [5.0, 5.0]}}}, 0.0
    )
    assert ledger.view("pv1", FLASH) == {"counts": {"123.WMaxLimPct": 9}, "a_day": 8, "left": 5}
    assert left_of(ledger.wear("pv1"), "123.WMaxLim_Ena", FLASH, 1000.0) == 6


def test_what_an_older_file_knows_never_takes_a_count_back() -> None:
    ledger = Ledger(clock=lambda: 1000.0)
    ledger.revive({"pv1": {"counts": {"123.WMaxLimPct": 9, "a": 1}}}, 0.0)
    ledger.revive({"pv1": {"counts": {"123.WMaxLimPct": 4, "b": 2}}}, 0.0)
    assert ledger.wear("pv1").counts == {"123.WMaxLimPct": 9, "a": 1, "b": 2}


async def test_after_a_restart_without_a_write_left_less_than_what_reads_back_waits_no_longer_than_a_minute() -> None:
    """However many writes a kill has cost."""
    desk = flash()
    desk.device.holds = ceiling(4500.0)
    ages = [0.0] * 14
    desk.writer.account.ration.ledger.revive({"pv1": {"ages_s": {"*": ages}}}, 0.0)
    assert await desk.tick(ceiling(3000.0), seconds=OVER_EVERY_S - 2.0) == 0
    assert await desk.tick(ceiling(3000.0), seconds=3.0) == 1
    assert told(desk) == [1000.0], "to the fallback at once"
