"""An inverter with PV or a battery behind it, by its register map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from derctl.core.exchange import Exchange
from derctl.core.types import Capability, Fallback, Port, Rating, Reading
from derctl.core.value import replace
from derctl.core.words import FallbackBy, LimitsBy, Status
from derctl.devices.maps.battery import Battery, battery_of
from derctl.devices.maps.blocks import asked, blocks_of
from derctl.devices.maps.mapped import Mapped, Start, started
from derctl.devices.maps.number import Value
from derctl.devices.maps.quantities import RATING
from derctl.devices.maps.words import INVERTER, INVERTER_MODELS, renamed
from derctl.devices.nominal import System
from derctl.devices.sunspec.limits import with_bms
from derctl.devices.sunspec.measure import inverter
from derctl.devices.sunspec.nameplate import DECLARED
from derctl.devices.types import Answers, Options, Reversion
from derctl.errors import NotRecognised

PV = Capability(ac=Port(limit=True), pv=Port())
STORAGE = Capability(ac=Port(aim=True), battery=Port())
"""The most that each kind takes."""
NO_WRITES = "its map names no control point that derctl may write: this device is only read"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapDer(Mapped):
    """A bound inverter. battery: what its own registers tell of it; None: it has none, or another device tells."""

    rated: Rating
    can: Capability
    battery: Battery | None = None

    @property
    def rating(self) -> Rating:
        return self.rated

    @property
    def reversion(self) -> Reversion:
        return Reversion()

    def promises(self, answers: Answers, fallback: Fallback) -> bool | None:
        return True if fallback.by == FallbackBy.DEVICE else None

    def rate(self) -> Exchange[Rating]:
        return (yield from rated(self.start, storage=self.can.store))[0]

    def decode(self, answers: Answers) -> Reading:
        values: dict[str, Any] = dict(self.values(answers))
        model = INVERTER_MODELS[self.start.map.system or System.THREE]
        reading = inverter(model, renamed(values, INVERTER), phase=self.options.phase)
        reading = replace(reading, status=values.get("status") or Status.UNKNOWN)
        if not self.can.store:
            return reading
        if self.battery is None:
            return replace(reading, limits_by=LimitsBy.NOBODY)
        return with_bms(reading, self.battery.told(values, LimitsBy.CHAIN))

    def absent_w(self, fallback: Fallback) -> float:
        held = fallback.by == FallbackBy.DEVICE and fallback.p_ceiling_w is not None
        return (fallback.p_ceiling_w or 0.0) if held else self.rating.p_max_w


def bind_pv(options: Options) -> Exchange[MapDer]:
    """Find a PV inverter by its map's signature. Raises NotRecognised."""
    return (yield from _bind("map_pv", options, PV))


def bind_storage(options: Options) -> Exchange[MapDer]:
    """Find a battery inverter by its map's signature. Raises NotRecognised."""
    return (yield from _bind("map_storage", options, STORAGE))


def _bind(kind: str, options: Options, can: Capability) -> Exchange[MapDer]:
    start = yield from started(kind, options)
    rating, problem = yield from rated(start, storage=can.store)
    battery = None
    if can.store and options.bms_here is not False:
        battery = battery_of((yield from asked(start.fast)))
    problems = tuple(filter(None, (problem, NO_WRITES)))
    return MapDer(start=start, problems=problems, rated=rating, can=replace(can, ac=Port()), battery=battery)


def rated(start: Start, *, storage: bool) -> Exchange[tuple[Rating, str]]:
    """What it is rated for, and why it is only read at that, "" where nothing speaks against writing it. Raises
    NotRecognised where nobody says how large it is."""
    options, values = start.options, dict[str, Value | None]()
    for block in blocks_of(start.map, start.map.named(RATING), options.profile.max_regs):
        values |= yield from asked((block,))
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
        p_min_w=-charge,
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
