"""An inverter with PV or a battery behind it, by its register map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Write
from derctl.core.types import NOTHING, Capability, Fallback, Port, Rating, Reading, Setpoint
from derctl.core.value import replace
from derctl.core.words import FallbackBy, LimitsBy, Status
from derctl.devices.fitting import unverified
from derctl.devices.maps.battery import Battery, battery_of, unread
from derctl.devices.maps.blocks import asked, blocks_of
from derctl.devices.maps.map import RegisterMap
from derctl.devices.maps.mapped import Mapped, Start, started
from derctl.devices.maps.number import Value
from derctl.devices.maps.orders import Orders, confirmed, varied
from derctl.devices.maps.points import Points, point_at
from derctl.devices.maps.quantities import RATING
from derctl.devices.maps.release import Release
from derctl.devices.maps.words import INVERTER, INVERTER_MODELS, renamed
from derctl.devices.nominal import System
from derctl.devices.sunspec.controls.rated import Rated
from derctl.devices.sunspec.der import GUARDED
from derctl.devices.sunspec.limits import with_bms
from derctl.devices.sunspec.measure import inverter
from derctl.devices.sunspec.nameplate import DECLARED
from derctl.devices.types import Answers, Options, Reversion
from derctl.errors import NotRecognised

PV = Capability(ac=Port(limit=True), pv=Port())
STORAGE = Capability(ac=Port(aim=True), battery=Port())
HYBRID = Capability(ac=Port(limit=True), pv=Port(), battery=Port())
"""What is behind each kind; what its terminals take its map says."""
NO_WRITES = "its map names no control point that derctl may write: this device is only read"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapDer(Mapped):
    """A bound inverter. battery: what its own registers tell of it; None: it has none, or another device tells.
    orders: how it is told; None: it is only read."""

    rated: Rating
    can: Capability
    battery: Battery | None = None
    orders: Orders | None = None

    @property
    def rating(self) -> Rating:
        return self.rated

    @property
    def reversion(self) -> Reversion:
        return Reversion() if self.orders is None else self.orders.reversion

    def without(self, refused: Mapping[str, str]) -> MapDer | None:
        left = Mapped.without(self, refused)
        gone = [block for block in self.start.own if block.name in refused]
        if left is None or not gone:
            return left
        problem = f"its control points are refused, so it is only read: {refused[gone[0].name]}"
        start, can = replace(left.start, own=()), replace(self.can, ac=Port())
        return replace(left, start=start, can=can, orders=None, problems=(*left.problems, problem))

    def promises(self, answers: Answers, fallback: Fallback) -> bool | None:
        if self.orders is None:
            return True if fallback.by == FallbackBy.DEVICE else None
        return self.orders.promises(answers, fallback)

    def rate(self) -> Exchange[Rating]:
        return (yield from rated(self.start, storage=self.can.store))[0]

    def decode(self, answers: Answers) -> Reading:
        values: dict[str, Any] = dict(self.values(answers))
        model = INVERTER_MODELS[self.start.system or System.THREE]
        reading = inverter(model, renamed(values, INVERTER), phase=self.options.phase)
        words = None if self.orders is None else self.orders.points.words(answers)
        accepted = None if self.orders is None or not words else self.orders.accepted(words)
        reading = replace(reading, status=values.get("status") or Status.UNKNOWN, accepted=accepted)
        if not self.can.store:
            return reading
        if self.battery is None:
            return replace(reading, limits_by=LimitsBy.NOBODY)
        return with_bms(reading, self.battery.told(values, LimitsBy.CHAIN))

    def points_of(self, write: Write) -> tuple[str, ...]:
        places = range(write.address, write.address + len(write.values))
        control = None if self.orders is None else self.orders.points.control
        return tuple(dict.fromkeys(point_at(control, address) for address in places))

    def beyond(self, write: Write, answers: Answers) -> str:
        if self.orders is None:
            return ""
        points, orders = self.orders.points, self.orders.all
        return next(filter(None, (points.beyond(order, write) for order in orders)), "")

    def sendable(self, setpoint: Setpoint) -> Setpoint:
        return NOTHING if self.orders is None else self.orders.sendable(setpoint)

    def write(
        self,
        setpoint: Setpoint,
        fallback: Fallback,
        answers: Answers,
        *,
        give_back_var: bool = False,
        toggle: bool = False,
    ) -> Exchange[Setpoint]:
        if self.orders is None:
            return NOTHING
        blind = self.options.profile.readback == "effect_only"
        words = None if blind else self.orders.points.words(answers)
        return (yield from self.orders.write(setpoint, fallback, words, give_back_var=give_back_var))

    def release(
        self,
        fallback: Fallback,
        *,
        lift: bool,
        held: Setpoint = NOTHING,
        believed: bool = True,
    ) -> Exchange[Setpoint]:
        if self.orders is None:
            return NOTHING
        believed = believed and self.options.profile.readback == "values"
        release = Release(orders=self.orders, fallback=fallback, lift=lift, held=held, believed=believed)
        return (yield from release.run())

    def absent_w(self, fallback: Fallback) -> float:
        if self.orders is not None:
            return self.orders.absent_w(fallback)
        held = fallback.by == FallbackBy.DEVICE and fallback.p_ceiling_w is not None
        return (fallback.p_ceiling_w or 0.0) if held else self.rating.p_max_w


def bind_pv(options: Options) -> Exchange[MapDer]:
    """Find a PV inverter by its map's signature. Raises NotRecognised."""
    return (yield from _bind("map_pv", options, PV))


def bind_storage(options: Options) -> Exchange[MapDer]:
    """Find a battery inverter by its map's signature. Raises NotRecognised."""
    return (yield from _bind("map_storage", options, STORAGE))


def bind_hybrid(options: Options) -> Exchange[MapDer]:
    """Find an inverter with sun and a battery behind it: its AC terminals are limited, its battery is its own. Raises
    NotRecognised."""
    return (yield from _bind("map_hybrid", options, HYBRID))


def _bind(kind: str, options: Options, can: Capability) -> Exchange[MapDer]:
    start = yield from started(kind, options)
    rating, problem = yield from rated(start, storage=can.store)
    battery, missing = None, ""
    if can.store and options.bms_here is not False:
        battery = battery_of(start.first)
        missing = unread(start.first)
    orders, why = (None, (problem,)) if problem and not in_watts(start.map) else told(start, rating)
    if orders is not None:
        start = replace(start, own=orders.points.blocks)
    least_w, port = (0.0, Port()) if orders is None else (orders.least_w, orders.port)
    can = replace(can, ac=port, volatile=not options.profile.guarded, least_w=least_w)
    unseen = "" if orders is None else unverified(options, start.identity)
    return MapDer(
        start=start,
        problems=(*why, *filter(None, (missing, unseen))),
        rated=rating,
        can=can,
        battery=battery,
        orders=orders,
        unseen=unseen,
    )


def in_watts(made: RegisterMap) -> bool:
    """Whether such a device can be told something although no register of its says how large it is: that is the site
    file's word then, and nothing of what it is told counts from it."""
    control = made.control
    orders = [] if control is None else [order for order in (control.limit, control.target) if order is not None]
    return not made.named({"p_max_w": ""}) and bool(orders) and not any(order.shares for order in orders)


def told(start: Start, rating: Rating) -> tuple[Orders | None, tuple[str, ...]]:
    """How it is told, by what of its map is confirmed, and why it isn't."""
    made, profile = start.map, start.options.profile
    if made.control is None:
        return None, (NO_WRITES,)
    control, problems = confirmed(made.control, profile, start.options.taken.points)
    control, more = varied(control, rating, profile)
    problems = (*problems, *more)
    if not control.orders:
        return None, (*problems, "this device is only read")
    lines = [point.line for point in control.used]
    found = () if profile.readback == "effect_only" else blocks_of(replace(made, gap=0), lines, profile.max_regs)
    blocks = tuple(replace(block, name=f"own.{block.name}") for block in found)
    if profile.guarded:
        problems = (*problems, GUARDED.format(profile.writes_a_day))
    points = Points(control=control, rated=Rated(rating=rating, profile=profile), blocks=blocks)
    return Orders(points=points, **control.orders), problems


def rated(start: Start, *, storage: bool) -> Exchange[tuple[Rating, str]]:
    """What it is rated for, and why it is only read at that, "" where nothing speaks against writing it. Raises
    NotRecognised where nobody says how large it is."""
    options, values = start.options, dict[str, Value | None]()
    for block in blocks_of(start.map, start.map.named(RATING), options.profile.max_regs):
        values |= yield from asked((block,), silent=options.profile.silence_is_missing)
    p_max, declared = _stated(values, "p_max_w"), options.declared
    if p_max is None:
        if declared is None or not declared.p_max_w:
            text = f"no register of {start.map.name} says how large it is: with rating.p_max_w in the site file"
            raise NotRecognised(f"{text} it is read, but not controlled")
        return declared, DECLARED
    charge = _stated(values, "p_charge_max_w") if storage else 0.0
    if charge is None:
        charge = -declared.p_min_w if declared is not None else 0.0
    var = _stated(values, "q_max_var") or 0.0
    rating = Rating(
        p_max_w=p_max,
        p_min_w=0.0 - charge,
        s_max_va=_stated(values, "s_max_va") or p_max,
        q_inj_max_var=var,
        q_abs_max_var=var,
        v_nom_v=options.v_nom_v,
        e_max_wh=_stated(values, "e_max_wh") if storage else None,
    )
    return rating, ""


def _stated(values: dict[str, Value | None], name: str) -> float | None:
    value = values.get(name)
    return value if isinstance(value, float) and value > 0.0 else None
