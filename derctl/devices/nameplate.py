"""Ratings from models 120/121/124 or 702/713: the setting where it is implemented, else the rating."""

from __future__ import annotations

from typing import Any

from derctl.core.exchange import Exchange
from derctl.core.types import Rating
from derctl.devices.layout import Layout, first
from derctl.devices.types import Options
from derctl.errors import NotRecognised

POINTS_120 = ("WRtg", "VARtg", "VArRtgQ1", "VArRtgQ4", "WHRtg", "MaxChaRte", "MaxDisChaRte")
POINTS_121 = ("WMax", "VAMax", "VArMaxQ1", "VArMaxQ4")
POINTS_702 = (
    *("WMaxRtg", "VAMaxRtg", "VarMaxInjRtg", "VarMaxAbsRtg", "WChaRteMaxRtg", "WDisChaRteMaxRtg"),
    *("WMax", "VAMax", "VarMaxInj", "VarMaxAbs", "WChaRteMax", "WDisChaRteMax"),
)


def rating(layout: Layout, options: Options, *, storage: bool) -> Exchange[tuple[Rating, bool]]:
    """The rating, and whether the device itself states it. Raises NotRecognised where nobody does.

    A device that has the models and does not fill them in (some at night) is asked again later, not taken at the
    site file's word.
    """
    if layout.find(120, 121, 702) is None:
        if options.declared is None or not options.declared.p_max_w:
            text = (
                "no model 120, 121 or 702 says how large the inverter is: with rating.p_max_w in the site file it is"
            )
            raise NotRecognised(f"{text} read, but not controlled")
        return options.declared, False
    rate = _ratings_1xx if layout.find(702) is None else _ratings_702
    return (yield from rate(layout, options.v_nom_v, storage=storage)), True


def _ratings_1xx(layout: Layout, v_nom_v: float, *, storage: bool) -> Exchange[Rating]:
    """From models 120 and 121, and 124's WChaMax for storage."""
    plate = yield from _maybe(layout, 120, POINTS_120)
    set_ = yield from _maybe(layout, 121, POINTS_121)
    store = (yield from _maybe(layout, 124, ("WChaMax",))) if storage else {}
    p_max = first(set_.get("WMax"), plate.get("WRtg"))
    if not p_max:
        raise NotRecognised("neither model 121 WMax nor model 120 WRtg says how large the inverter is")
    charge = [float(w) for w in (store.get("WChaMax"), plate.get("MaxChaRte")) if w is not None]
    return Rating(
        p_max_w=float(p_max),
        p_min_w=-min(*charge, float(p_max)) if storage and charge else 0.0,
        s_max_va=float(first(set_.get("VAMax"), plate.get("VARtg"), p_max)),
        q_inj_max_var=abs(float(first(set_.get("VArMaxQ1"), plate.get("VArRtgQ1"), 0.0))),
        q_abs_max_var=abs(float(first(set_.get("VArMaxQ4"), plate.get("VArRtgQ4"), 0.0))),
        v_nom_v=v_nom_v,
        e_max_wh=plate.get("WHRtg") if storage else None,
    )


def _ratings_702(layout: Layout, v_nom_v: float, *, storage: bool) -> Exchange[Rating]:
    """From model 702, and 713's WHRtg for storage."""
    values = yield from _maybe(layout, 702, POINTS_702)
    store = (yield from _maybe(layout, 713, ("WHRtg",))) if storage else {}
    p_max = first(values.get("WMax"), values.get("WMaxRtg"))
    if not p_max:
        raise NotRecognised("model 702 states neither WMax nor WMaxRtg")
    charge = first(values.get("WChaRteMax"), values.get("WChaRteMaxRtg"), 0.0)
    discharge = first(values.get("WDisChaRteMax"), values.get("WDisChaRteMaxRtg"), p_max)
    return Rating(
        p_max_w=min(float(p_max), float(discharge)) if storage and discharge else float(p_max),
        p_min_w=-float(charge) if storage else 0.0,
        s_max_va=float(first(values.get("VAMax"), values.get("VAMaxRtg"), p_max)),
        q_inj_max_var=float(first(values.get("VarMaxInj"), values.get("VarMaxInjRtg"), 0.0)),
        q_abs_max_var=float(first(values.get("VarMaxAbs"), values.get("VarMaxAbsRtg"), 0.0)),
        v_nom_v=v_nom_v,
        e_max_wh=store.get("WHRtg"),
    )


def base_704(layout: Layout) -> Exchange[float | None]:
    """What percentages of WMax in model 704 count from (sunspec.md a.7): the setting, else the rating."""
    plate = yield from _maybe(layout, 702, ("WMax", "WMaxRtg"))
    base: float | None = first(plate.get("WMax"), plate.get("WMaxRtg"))
    return base


def base_124(layout: Layout) -> Exchange[float]:
    """What model 124's rates count from, in both directions (sunspec.md a.7). For a device with a charge rating."""
    store = yield from _maybe(layout, 124, ("WChaMax",))
    plate = yield from _maybe(layout, 120, ("MaxChaRte",))
    return float(first(store.get("WChaMax"), plate.get("MaxChaRte")))


def _maybe(layout: Layout, model_id: int, points: tuple[str, ...]) -> Exchange[dict[str, Any]]:
    block = layout.find(model_id)
    if block is None:
        return {}
    return (yield from layout.once(block, points))
