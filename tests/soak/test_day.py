"""A broker that was away for a day: all of it arrives in order, what is measured now comes first, and control does
not notice. The day passes in simulated time; the daemon that hands it over, its devices and its broker are real."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from derctl.core.types import Reading
from derctl.core.value import replace
from derctl.daemon.clock import Clock
from derctl.daemon.feeding import BACKFILL_PER_S
from derctl.daemon.keeping import Keeping
from derctl.site.schema import RecordsSection
from derctl.store.folder import Folder
from derctl.store.rows import FILE, SIDES
from tests import make
from tests.attack import Attack
from tests.soak.conftest import House
from tests.soak.received import BEGAN_WH, Counted, Received
from tests.soak.test_kills import AGREED_W, awake, killed, recorded, unkept, whole

W = 2400.0
STEP_S = 5.0
EVENTS = 300
"""Of the daemon's own, that wait with it."""
ALONE_TICKS = 30
LIVE_S = 2.0
TOLERANCE_W = 150.0
CONTAINED_S = 15.0
"""As in the scenario of a dark day."""
LIVE = ("poc", "der/pv1/measurement", "der/pv2/measurement", "der/bat1/measurement")


async def passed(folder: Path, seconds: float) -> int:
    """A ledger of so long until now, none of which a broker has; how many records there are. It ends at what hil's
    meter shows at first, and by a kill."""
    for side in SIDES:
        (folder / f"{FILE}{side}").unlink(missing_ok=True)
    end = time.time()
    wall = end - seconds
    file = SimpleNamespace(
        site=SimpleNamespace(id="demo"), records=RecordsSection(interval_s=60), poc=object(), ders=[]
    )
    keeping = Keeping(
        site=cast(Any, SimpleNamespace(file=file)),
        folder=Folder(folder, folder),
        clock=Clock("assume", lambda: wall),
        tell=lambda event, der, text: None,
        monotonic=lambda: wall,
    )
    await keeping.begin()
    while wall < end:
        shown_wh = BEGAN_WH - 1.0 - W * (end - wall) / 3600.0
        reading = Reading(p_w=W, energy_wh=max(shown_wh, 0.0), energy_in_wh=BEGAN_WH)
        keeping.report(make.site(poc=replace(make.meter(W), reading=reading), tick_s=STEP_S))
        if len(keeping.pending) >= 5:
            await keeping.save()
        wall += STEP_S
    await keeping.save()
    keeping.file.close()
    return keeping.file.head.n


async def asked(house: House) -> None:
    """So that events wait, too."""
    for n in range(EVENTS):
        await house.ask("limit_power", p_ceiling_w=2000.0 + n % 3, der="pv1", expires_s=0.5)


def over_of(house: House) -> list[float]:
    """How long the export is above what is agreed at a stretch, from now on: the longest, and the last; s."""
    over, loop = [0.0, 0.0], asyncio.get_running_loop()
    before_s = [loop.time()]

    def look() -> None:
        now_s = loop.time()
        above = house.run.rig.world.state.poc.p_w > AGREED_W + TOLERANCE_W
        over[1] = over[1] + now_s - before_s[0] if above else 0.0
        over[0], before_s[0] = max(over), now_s

    house.run.rig.each_step.append(look)
    return over


async def period_s(house: House, work: Callable[[], Any]) -> tuple[float, int]:
    """From tick to tick, while that is done, and how many ticks there were."""
    before, began = (await house.status())["loop"]["ticks"], time.monotonic()
    await work()
    ticks = (await house.ticks(1))["loop"]["ticks"] - before
    return (time.monotonic() - began) / ticks, ticks


@pytest.mark.scenario
@pytest.mark.soak(full=1440, short=60)
async def test_after_a_day_without_a_broker_all_comes_in_order_behind_what_is_measured_now(
    house: Callable[..., Any], attack: Attack
) -> None:
    """count: minutes."""

    async with house(recorded, broker=True) as h:
        folder = h.run.directory / "state"
        await h.until(awake)
        await h.run.broker.end()
        await killed(h)
        count = await passed(folder, 60.0 * attack.count)
        plant = Counted(h.run.rig)
        await h.run.child.start()
        await h.until(lambda status: status["mode"] == "control" and h.run.rig.world.state.poc.p_w < AGREED_W)
        over = over_of(h)

        async def alone() -> None:
            await asked(h)
            await h.ticks(ALONE_TICKS)

        alone_s, _ = await period_s(h, alone)
        received = Received(h.run.mqtt_port, h.run.prefix)
        listening = asyncio.create_task(received.listen())
        await h.run.broker.start()

        async def all_there() -> None:
            while len(received.firsts()[0]) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.5)

        back_s, ticks = await period_s(h, all_there)
        status = await h.status()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        hashes, again, problems = received.firsts()
        kept = await asyncio.to_thread(whole, folder)
        problems += [f"record {each.n} is another one" for each in kept if hashes.get(each.n, each.hash) != each.hash]
        came = {topic: [at_s for at_s, _ in received.came[topic]] for topic in (*LIVE, "interval")}
        online_s, since = received.came["online"][0]
        first_s = {topic: times[0] - online_s for topic, times in came.items()}
        now_s = [next(at_s - online_s for at_s, t in received.came[topic] if t > since) for topic in LIVE]
        took_s = came["interval"][count - 1] - came["interval"][0]
        attack.found(
            records=count,
            events=len(received.came["event"]),
            arrived=len(hashes),
            again=again,
            live_first_s=f"{max(first_s[topic] for topic in LIVE):.2f}",
            measured_since_s=f"{max(now_s):.2f}",
            interval_first_s=f"{first_s['interval']:.2f}",
            per_s=f"{(count - 1) / took_s:.1f}",
            period_alone_s=f"{alone_s:.4f}",
            period_back_s=f"{back_s:.4f}",
            over_the_limit_s=f"{over[0]:.1f}",
            wrong=len(problems),
        )
        assert await h.run.child.end()
        _, _, wrong = await asyncio.to_thread(unkept, folder, plant)
        assert not problems + wrong, "\n".join(problems + wrong)
        assert [*hashes] == [*range(1, len(hashes) + 1)] and again == 0
        assert max(now_s) < LIVE_S, "measured since, not what waited"
        assert min(first_s["interval"] - first_s[topic] for topic in LIVE) > 0.0
        assert (count - 1) / took_s < 1.05 * BACKFILL_PER_S
        assert back_s == pytest.approx(alone_s, abs=0.01 + 1.0 / ticks), "a look is up to half a tick late"
        assert over[0] < CONTAINED_S
        attack.in_time(status["loop"])
        h.held(I7="it was killed")
