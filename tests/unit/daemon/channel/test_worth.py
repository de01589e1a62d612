"""What is no claim goes no further than the channel: with SunSpec's driver, through a day, a night, a break."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.types import Setpoint
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.expected import Expected
from derctl.devices import Options, Profile
from derctl.devices.sunspec.der import bind_pv
from derctl.links.models import model
from tests.fake import Fake, lay_out
from tests.wire import Alone

LIAR = {"WMaxLimPct": 0, "WMaxLim_Ena": 1}


class Line(Alone):
    """A PV inverter of 5 kW that reads back a limit of 0 W, on a bus of one unit."""

    def __init__(self, **profile: Any) -> None:
        self.now_s = 1000.0
        self.fake: Fake = lay_out("pv_103", m123=LIAR)
        kind: Any = SimpleNamespace(bind=lambda options: bind_pv(model, options))
        wired: Any = self
        options = Options(profile=replace(Profile(), **profile))
        self.channel = Channel(
            id="pv1",
            bus=wired,
            unit=1,
            expected=Expected(kind=kind, options=options),
            clock=lambda: self.now_s,
            born_s=self.now_s,
        )

    async def execute(self, unit: int, exchange: Any, **_: Any) -> Any:
        return self.fake.run(exchange)

    async def request(self, unit: int, read: Any, **_: Any) -> tuple[int, ...]:
        return tuple(self.fake.registers[read.address + i] for i in range(read.count))

    async def gives(self, watts: int, seconds: int) -> Setpoint | None:
        """What it is said to have accepted after so many polls."""
        for second in range(seconds):
            self.fake.put(103, W=watts + second % 2)
            await self.channel.poll()
            self.now_s += 1.0
        return self.channel.measured.reading.accepted


async def test_by_day_its_claim_goes_after_the_settle_time_and_at_night_it_does_not_come_back() -> None:
    line = Line()
    assert await line.gives(1080, 5) == Setpoint(p_ceiling_w=0.0)
    assert line.channel.measured.claim.doubtful
    assert await line.gives(1080, 20) is None
    assert line.channel.measured.profile.readback == "effect_only"
    assert await line.gives(0, 3600) is None
    line.generation += 1
    assert await line.gives(0, 60) is None, "nor after a reconnection"
    line.fake.put(123, WMaxLimPct=100, WMaxLim_Ena=0)
    assert await line.gives(1080, 60) is None, "nor as long as it only claims that nothing limits it"


@pytest.mark.parametrize("watts", [0, 1080, 4900])
async def test_under_effect_only_it_is_no_claim_from_the_start(watts: int) -> None:
    line = Line(readback="effect_only")
    assert await line.gives(watts, 2) is None


@pytest.mark.parametrize("point", ["WMaxLimPct", "WMaxLim_Ena"])
async def test_one_that_does_not_show_what_it_is_told_can_not_be_read_back_whatever_its_profile_says(
    point: str,
) -> None:
    """An SMA under the generic profile: nothing, from a device without the points, is not no limit."""
    line = Line()
    line.fake.put(123, **{point: None})
    assert await line.gives(1080, 2) is None
    assert (line.channel.measured.profile.readback, line.channel.measured.claim.void) == ("effect_only", False)
    assert line.channel.measured.believed(Setpoint()) is None
    line.fake.put(123, WMaxLimPct=100, WMaxLim_Ena=1)
    assert await line.gives(1080, 2) == Setpoint(p_ceiling_w=5000.0), "once it tells, it counts"
    assert line.channel.measured.profile.readback == "values"
