"""What the tick sees of a device that was lost for a while."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from msgspec import structs

from derctl.config import DerSection
from derctl.config.schema import FallbackSection
from derctl.core.exchange import Exchange, Read
from derctl.core.types import Can, Fallback, Rating, Reading
from derctl.daemon.channel import REBIND_S, Channel
from derctl.daemon.image import Image, absent, absent_w
from derctl.daemon.requests import Requests
from derctl.devices import Identity, Options
from derctl.errors import DecodeError

RATING = Rating(
    p_max_w=8000.0, p_min_w=0.0, s_max_va=8000.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0, e_max_wh=None
)


class Inverter:
    """8 kW, held to its fallback by a timer of its own. `broken`: its registers make no sense."""

    def __init__(self, *, serial: str = "1", rating: Rating = RATING) -> None:
        self.identity = Identity(maker="M", serial=serial)
        self.rating = rating
        self.can = Can(ceiling=True)
        self.control = {"ac": Read(address=1, count=1)}
        self.slow: dict[str, Read] = {}
        self.problems: tuple[str, ...] = ()
        self.broken = False

    def decode(self, answers: Any) -> Reading:
        if self.broken:
            raise DecodeError("model 0 where 103 was")
        return Reading(p_w=1000.0)

    def absent_w(self, fallback: Fallback) -> float:
        return self.rating.p_max_w if fallback.p_ceiling_w is None else fallback.p_ceiling_w


class Wire:
    """Answers every poll. found: what a walk over the map finds, None: nothing that makes sense."""

    def __init__(self) -> None:
        self.found: Inverter | None = Inverter()
        self.connected = True
        self.generation = 1
        self.count = 0

    async def execute(self, *_: Any, **__: Any) -> Inverter:
        if self.found is None:
            raise DecodeError("no map there")
        return self.found

    async def request(self, *_: Any, **__: Any) -> tuple[int, ...]:
        self.count += 1
        return (self.count,)


def nothing(*_: Any) -> Exchange[Any]:
    return None
    yield


SECTION = DerSection(id="pv1", bus="b", unit=1, kind="sunspec_pv")
"""Without a rating and without a fallback."""


def channel_on(wire: Wire, now: list[float]) -> Channel:
    bus: Any = wire
    kind: Any = SimpleNamespace(bind=nothing)
    return Channel(id="pv1", bus=bus, unit=1, kind=kind, options=Options(), models=nothing, clock=lambda: now[0])


async def lost() -> tuple[Channel, Wire, list[float]]:
    """A channel whose device was found, polled, and forgotten since its registers make no sense any more."""
    wire, now = Wire(), [1000.0]
    channel = channel_on(wire, now)
    await channel.poll()
    assert channel.state == "ok" and wire.found is not None
    wire.found.broken = True
    await channel.poll()
    wire.found = None
    now[0] += REBIND_S
    await channel.poll()
    assert channel.device is None and channel.state == "unreachable"
    return channel, wire, now


async def test_a_der_that_was_forgotten_counts_as_what_it_was() -> None:
    channel, _, _ = await lost()
    assert absent([SECTION], {"pv1": channel}) == ({"pv1": 8000.0}, [])
    held = structs.replace(SECTION, fallback=FallbackSection(p_ceiling_w=2000.0))
    assert absent_w(held, channel) == 2000.0
    assert absent_w(structs.replace(held, control=False), channel) == 8000.0


async def test_a_der_that_was_never_found_is_still_unknown() -> None:
    wire = Wire()
    wire.found = None
    channel = channel_on(wire, [1000.0])
    await channel.poll()
    assert absent([SECTION], {"pv1": channel}) == ({}, ["pv1"])


async def test_a_der_that_was_forgotten_has_its_rating_and_can_be_given_nothing() -> None:
    channel, _, now = await lost()
    site: Any = SimpleNamespace(site=SimpleNamespace(tick_s=1.0, f_nom_hz=50.0, v_nom_v=230.0), ders=[SECTION])
    state = Image(site, {"pv1": channel}, {}, None, Requests()).snapshot(now[0])
    (der,) = state.ders
    assert (der.rating, der.absent_w) == (RATING, 8000.0)
    assert (der.can, der.fresh, der.controllable) == (Can(), False, False)


async def test_of_another_device_in_its_place_nothing_is_known() -> None:
    channel, wire, now = await lost()
    wire.found = Inverter(serial="2", rating=replace(RATING, p_max_w=20_000.0))
    now[0] += REBIND_S
    await channel.poll()
    assert channel.reason == "identity_changed"
    assert absent([SECTION], {"pv1": channel}) == ({}, ["pv1"])
