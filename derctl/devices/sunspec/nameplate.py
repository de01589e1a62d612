"""Ratings from models 120/121/124 or 702/713: the setting where it is stated, else the rating.

A size of 0 is not stated. 0 as a setting for charging or for var is a word: none of it.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import Rating
from derctl.core.value import replace
from derctl.devices.nominal import Nominal, nominal_of
from derctl.devices.sunspec.layout import Layout
from derctl.devices.types import Options
from derctl.errors import NotRecognised

POINTS_120 = ("WRtg", "VARtg", "VArRtgQ1", "VArRtgQ4", "WHRtg", "MaxChaRte", "MaxDisChaRte")
POINTS_121 = ("WMax", "VAMax", "VArMaxQ1", "VArMaxQ4", "VRef", "ECPNomHz")
POINTS_702 = (
    *("WMaxRtg", "VAMaxRtg", "VarMaxInjRtg", "VarMaxAbsRtg", "WChaRteMaxRtg", "WDisChaRteMaxRtg"),
    *("WMax", "VAMax", "VarMaxInj", "VarMaxAbs", "WChaRteMax", "WDisChaRteMax", "VNom", "VNomRtg"),
)


DECLARED = "the rating is the site file's word: this device is only read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plate:
    """only_read: why the device can only be read at this rating, "" where it can be controlled."""

    rating: Rating
    nominal: Nominal = field(default_factory=Nominal)
    only_read: str = ""


def plate_of(layout: Layout, options: Options, *, storage: bool) -> Exchange[Plate]:
    """What the device is rated for. Raises NotRecognised where nobody says how large it is.

    A device that has the models and does not fill them in (some at night) is asked again later, not taken at the
    site file's word. One that refuses them is read at it meanwhile.
    """
    plate = yield from _plate(layout, options, storage=storage)
    rated = plate.rating
    if storage and rated.p_min_w == 0.0 and not (yield from _charges(layout)):
        if not layout.lacks:
            raise NotRecognised("no charge rating (702 WChaRteMax, 124 WChaMax, 120 MaxChaRte): no storage behind it")
        if options.declared is not None:
            rated = replace(rated, p_min_w=options.declared.p_min_w)
    return replace(plate, rating=rated)


def _plate(layout: Layout, options: Options, *, storage: bool) -> Exchange[Plate]:
    word = options.declared if options.declared is not None and options.declared.p_max_w else None
    if layout.find(120, 121, 702) is None:
        if word is None:
            text = (
                "no model 120, 121 or 702 says how large the inverter is: with rating.p_max_w in the site file it is"
            )
            early = (
                ""
                if layout.chain.ended
                else f" (its map was not seen to the end: {'; '.join(layout.chain.problems)})"
            )
            raise NotRecognised(f"{text} read, but not controlled{early}")
        return Plate(rating=word, only_read=DECLARED)
    rate = _ratings_1xx if layout.find(702) is None else _ratings_702
    try:
        plate = yield from rate(layout, options.v_nom_v, storage=storage)
    except NotRecognised:
        refused = [text for number, text in layout.unread.items() if number in {120, 121, 702}]
        if word is None and refused:
            unknown = f"{', '.join(refused)} was refused, so nobody knows how large the inverter is"
            raise NotRecognised(f"{unknown}: with rating.p_max_w in the site file it is read meanwhile") from None
        if word is None or not layout.unread:
            raise
        plate = Plate(rating=word)
    only_read = _unsure(layout)
    rated = word if only_read and word is not None else plate.rating
    return replace(plate, rating=rated, only_read=only_read)


def _unsure(layout: Layout) -> str:
    """Percentages count from the setting in model 121 or 702: where that may be and was not read, none is written."""
    refused = [text for number, text in layout.unread.items() if number in {121, 702}]
    if refused:
        return f"{refused[0]} was refused, so its rating is not sure: this device is only read"
    seen = layout.chain.ended or layout.find(121, 702) is not None
    return "" if seen else "no model 121 was seen so far, so its rating is not sure: this device is only read"


def _ratings_1xx(layout: Layout, v_nom_v: float, *, storage: bool) -> Exchange[Plate]:
    """From models 120 and 121, and 124's WChaMax for storage."""
    plate = yield from _maybe(layout, 120, POINTS_120)
    set_ = yield from _maybe(layout, 121, POINTS_121)
    store = (yield from _maybe(layout, 124, ("WChaMax",))) if storage else {}
    p_max = _stated(set_.get("WMax"), plate.get("WRtg"))
    if p_max is None:
        raise NotRecognised("neither model 121 WMax nor model 120 WRtg says how large the inverter is")
    charge = [float(w) for w in (store.get("WChaMax"), plate.get("MaxChaRte")) if w]
    rated = Rating(
        p_max_w=p_max,
        p_min_w=-min(*charge, p_max) if storage and charge else 0.0,
        s_max_va=_stated(set_.get("VAMax"), plate.get("VARtg")) or p_max,
        q_inj_max_var=abs(_allowed(set_.get("VArMaxQ1"), plate.get("VArRtgQ1"))),
        q_abs_max_var=abs(_allowed(set_.get("VArMaxQ4"), plate.get("VArRtgQ4"))),
        v_nom_v=v_nom_v,
        e_max_wh=_stated(plate.get("WHRtg")) if storage else None,
    )
    return Plate(rating=rated, nominal=nominal_of(set_.get("VRef"), set_.get("ECPNomHz")))


def _ratings_702(layout: Layout, v_nom_v: float, *, storage: bool) -> Exchange[Plate]:
    """From model 702, and 713's WHRtg for storage."""
    values = yield from _maybe(layout, 702, POINTS_702)
    store = (yield from _maybe(layout, 713, ("WHRtg",))) if storage else {}
    p_max = _stated(values.get("WMax"), values.get("WMaxRtg"))
    if p_max is None:
        raise NotRecognised("model 702 states neither WMax nor WMaxRtg")
    charge = _allowed(values.get("WChaRteMax"), values.get("WChaRteMaxRtg"))
    discharge = _stated(values.get("WDisChaRteMax"), values.get("WDisChaRteMaxRtg")) or p_max
    rated = Rating(
        p_max_w=min(p_max, discharge) if storage else p_max,
        p_min_w=-charge if storage else 0.0,
        s_max_va=_stated(values.get("VAMax"), values.get("VAMaxRtg")) or p_max,
        q_inj_max_var=_allowed(values.get("VarMaxInj"), values.get("VarMaxInjRtg")),
        q_abs_max_var=_allowed(values.get("VarMaxAbs"), values.get("VarMaxAbsRtg")),
        v_nom_v=v_nom_v,
        e_max_wh=_stated(store.get("WHRtg")),
    )
    return Plate(rating=rated, nominal=nominal_of(_stated(values.get("VNom"), values.get("VNomRtg")), None))


def base_704(layout: Layout) -> Exchange[float | None]:
    """What percentages of WMax in model 704 count from: the setting, else the rating."""
    plate = yield from _maybe(layout, 702, ("WMax", "WMaxRtg"))
    return _stated(plate.get("WMax"), plate.get("WMaxRtg"))


def base_124(layout: Layout) -> Exchange[float]:
    """What model 124's rates count from, in both directions. Raises NotRecognised without one."""
    store = yield from _maybe(layout, 124, ("WChaMax",))
    plate = yield from _maybe(layout, 120, ("MaxChaRte",))
    base = _stated(store.get("WChaMax"), plate.get("MaxChaRte"))
    if base is None:
        raise NotRecognised("neither model 124 WChaMax nor model 120 MaxChaRte says what the rates of 124 count from")
    return base


def _charges(layout: Layout) -> Exchange[bool]:
    """Whether 702 states a charge rating at all, if a setting forbids charging now."""
    return bool((yield from _maybe(layout, 702, ("WChaRteMaxRtg",))).get("WChaRteMaxRtg"))


def _allowed(*values: float | None) -> float:
    """The first that is there, 0 too; 0 without one."""
    return next((float(value) for value in values if value is not None), 0.0)


def _stated(*values: float | None) -> float | None:
    """The first that is neither missing nor 0."""
    return next((float(value) for value in values if value), None)


def _maybe(layout: Layout, model_id: int, points: tuple[str, ...]) -> Exchange[dict[str, Any]]:
    block = layout.find(model_id)
    if block is None:
        return {}
    return (yield from layout.asked(block, points))
