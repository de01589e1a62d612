"""What a channel makes of readings that can't be true, of blank ones, and of a device that the file has otherwise."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.exchange import Exchange, Read
from derctl.core.types import Capability, Rating, Reading
from derctl.core.words import Bind, Reason, Status
from derctl.daemon.channel.binding import REBIND_S, Binding
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.expected import Expected
from derctl.devices import Identity, Options
from derctl.devices.profile import Habits
from tests import make
from tests.wire import Alone

RATING = make.rating(p_max_w=5000.0)
TEN_S = 10
NONE = Rating(p_max_w=0.0, p_min_w=0.0, s_max_va=0.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0)
WELL = Reading(p_w=1000.0, v_v=230.0, f_hz=50.0, energy_wh=5000.0, status=Status.ON)


class Line(Alone):
    """A bus with one device whose reading the test sets. misfit: what the site file has against what it measures."""

    def __init__(self, rating: Rating = RATING) -> None:
        self.now_s, self.count = 1000.0, 0
        self.seen, self.rating, self.serial = WELL, rating, "SN1"
        self.stated: str | None = None
        self.misfit: str | None = None
        self.events: list[tuple[str, str]] = []
        kind: Any = SimpleNamespace(bind=self.bind)
        wired: Any = self
        self.channel = Channel(
            id="pv1", bus=wired, unit=1, clock=lambda: self.now_s, born_s=self.now_s,
            expected=Expected(
                kind=kind, options=Options(), check=lambda device: self.stated,
                doubts=lambda device, seen: self.misfit,
            ),
            on_event=lambda event, who, text: self.events.append((event, text)),
        )  # fmt: skip

    async def execute(self, unit: int, exchange: Any, **_: Any) -> Any:
        with pytest.raises(StopIteration) as stop:
            next(exchange)
            exchange.send((1,))
        return stop.value.value

    async def request(self, *_: Any, **__: Any) -> tuple[int, ...]:
        self.count += 1
        return (self.count,)

    def bind(self, options: Options) -> Exchange[Any]:
        yield Read(address=0, count=1)
        return SimpleNamespace(
            identity=Identity(serial=self.serial), rating=self.rating, can=Capability(), problems=(), habits=Habits(),
            lacks=(), slow={}, control={"ac": Read(address=1, count=1)}, decode=lambda answers: self.seen,
        )  # fmt: skip

    async def poll(self, seen: Reading | None = None, times: int = 1) -> Any:
        """The binding and the reading afterwards."""
        self.seen = self.seen if seen is None else seen
        for _ in range(times):
            await self.channel.poll()
            self.now_s += 1.0
        return self.channel.bond.binding, self.channel.measured.reading

    def told(self, name: str) -> list[str]:
        return [text for event, text in self.events if event == name]


async def test_whatever_a_driver_hands_over_goes_through_the_same_gate() -> None:
    line = Line()
    _, reading = await line.poll(
        Reading(p_w=float("nan"), v_v=float("inf"), f_hz=1e12, energy_wh=-1.0, soc_pct=655.34)
    )
    assert reading == Reading()


@pytest.mark.parametrize("p_w", [1e12, -1e12, 3.4e38, float("inf"), float("nan"), None])
async def test_a_meter_that_measures_nothing_says_so_and_is_not_ok(p_w: float | None) -> None:
    line = Line(NONE)
    await line.poll()
    binding, reading = await line.poll(Reading(p_w=p_w, status=Status.ON))
    assert reading.p_w is None
    assert (binding.state, binding.reason) == (Bind.UNMEASURED, Reason.UNMEASURED)
    assert len(line.told("device_unmeasured")) == 1 and "measures nothing" in binding.text
    binding, _ = await line.poll(WELL)
    assert (binding.state, binding.reason, line.told("device_ok")) == (Bind.OK, None, ["answers again"])


async def test_a_battery_management_system_measures_no_power_and_is_well() -> None:
    binding, _ = await Line(NONE).poll(Reading(soc_pct=50.0, status=Status.ON))
    assert binding.state is Bind.OK


async def test_an_inverter_without_its_power_is_ok_for_its_voltage_and_says_what_is_missing() -> None:
    binding, reading = await Line().poll(Reading(v_v=230.0, f_hz=50.0, status=Status.ON))
    assert (binding.state, binding.reason, reading.v_v) == (Bind.OK, Reason.UNMEASURED, 230.0)
    assert "its power" in binding.text


async def test_an_inverter_that_shows_nothing_is_asleep_and_gives_nothing() -> None:
    binding, reading = await Line().poll(Reading())
    assert (binding.state, binding.reason) == (Bind.OK, None)
    assert (reading.status, reading.p_w, reading.q_var) == (Status.ASLEEP, 0.0, 0.0)


async def test_a_counter_that_steps_back_is_held_and_named_once() -> None:
    line = Line()
    await line.poll()
    for _ in range(3):
        binding, reading = await line.poll(Reading(p_w=1000.0, v_v=230.0, f_hz=50.0, energy_wh=0.0))
        assert (binding.state, binding.reason, reading.energy_wh) == (Bind.OK, Reason.IMPLAUSIBLE, 5000.0)
    assert line.told("value_held") == ["energy_wh reads 0 Wh after 5000 Wh"]
    binding, _ = await line.poll(WELL)
    assert (binding.reason, binding.text) == (None, "")


async def test_a_device_that_is_not_as_the_file_says_is_read_and_no_more() -> None:
    line = Line()
    line.stated = "the device states 230 V nominal, the site file says v_nom_v: 400"
    binding, reading = await line.poll(times=3)
    assert (binding.state, binding.reason, binding.text) == (Bind.REFUSED, Reason.MISMATCH, line.stated)
    assert (binding.device, binding.last, line.channel.bond.verified) == (None, None, False)
    assert (reading.p_w, line.channel.measured.sample) == (1000.0, 3)
    assert line.events == [("device_refused", line.stated)]
    line.stated, line.now_s = None, line.now_s + REBIND_S
    binding, _ = await line.poll()
    assert (binding.state, binding.barred) == (Bind.OK, None)


async def test_what_is_measured_against_the_file_bars_it_at_first_and_lets_it_go_when_it_is_right() -> None:
    line = Line()
    line.misfit = "it measures 230 V to neutral, the site file says v_nom_v: 400"
    binding, _ = await line.poll(Reading(p_w=1.0, v_v=133.0, f_hz=50.0, status=Status.ON), times=20)
    assert (binding.state, binding.text, binding.device) == (Bind.REFUSED, line.misfit, None)
    assert [event for event, _ in line.events] == ["found", "device_refused"]
    line.misfit = None
    binding, _ = await line.poll(WELL, times=int(REBIND_S) + 1)
    assert binding.state is Bind.OK


async def test_a_device_that_was_once_right_is_not_barred_by_what_it_measures_later() -> None:
    line = Line()
    await line.poll()
    line.misfit = "it measures 133 V to neutral"
    binding, reading = await line.poll(Reading(p_w=1.0, v_v=133.0, f_hz=50.0, status=Status.ON), times=5)
    assert (binding.state, reading.v_v) == (Bind.OK, 133.0)


async def found_anew(line: Line, p_max_w: float) -> None:
    """As after a long silence."""
    bond = line.channel.bond
    bond.binding = Binding(known=bond.binding.known, last=bond.binding.last)
    line.rating = make.rating(p_max_w=p_max_w)


async def test_a_rating_that_jumps_when_it_is_found_anew_stays_refused_until_it_is_as_before() -> None:
    """It was believed after nine seconds, and the site counted with ten times its power."""
    line = Line()
    await line.poll()
    before = line.channel.bond.binding.last
    await found_anew(line, 50_000.0)
    states = [(await line.poll())[0] for _ in range(6 * TEN_S)]
    assert {(each.state, each.reason) for each in states} == {(Bind.REFUSED, Reason.IMPLAUSIBLE)}
    assert all(each.last is before for each in states), "what it was found with still counts"
    [text] = line.told("device_refused")
    assert "5,000 W" in text and "50,000 W" in text and "rating: {p_max_w: 50000, s_max_va: 50000}" in text
    line.rating = RATING
    binding, _ = await line.poll(times=int(REBIND_S) + 1)
    assert binding.state is Bind.OK


async def test_a_rating_that_jumped_counts_once_the_site_file_says_so() -> None:
    line = Line()
    await line.poll()
    await found_anew(line, 4_000.0)
    binding, _ = await line.poll(times=2)
    assert binding.state is Bind.REFUSED
    expected = line.channel.finder.expected
    line.channel.finder.expected = replace(expected, options=Options(declared=line.rating))
    binding, _ = await line.poll(times=int(REBIND_S) + 1)
    assert binding.state is Bind.OK and binding.device.rating.p_max_w == 4_000.0


async def test_the_rating_of_before_the_restart_is_held_against_the_same_device() -> None:
    line = Line(make.rating(p_max_w=50_000.0))
    finder = line.channel.finder
    finder.expected = replace(finder.expected, recorded=lambda told: RATING if told.serial == "SN1" else None)
    binding, _ = await line.poll(times=3)
    assert (binding.state, binding.reason) == (Bind.REFUSED, Reason.IMPLAUSIBLE)
    line.serial = "SN2"
    binding, _ = await line.poll(times=int(REBIND_S) + 1)
    assert binding.state is Bind.OK, "nothing is known of another one"
