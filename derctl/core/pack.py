"""What a battery's management system tells of the battery, and what that leaves of charging and discharging. Pure."""

from __future__ import annotations

from derctl.core.value import value
from derctl.core.words import Bar

CELL_TAPER_V, PACK_TAPER_PU = 0.05, 0.01
"""Below its bound by so much a cell voltage, and by such a share a battery voltage, begins to leave less power."""

BOTH = frozenset({Bar.OVER_TEMP, Bar.CONTACTOR_OPEN, Bar.BATTERY_FAULT})
CHARGE = BOTH | {
    *(Bar.OVER_VOLT, Bar.FULL, Bar.OVER_CHARGE_CURRENT),
    *(Bar.TOO_HOT_TO_CHARGE, Bar.TOO_COLD_TO_CHARGE, Bar.CHARGE_OFF),
}
DISCHARGE = BOTH | {
    *(Bar.UNDER_VOLT, Bar.EMPTY, Bar.OVER_DISCHARGE_CURRENT),
    *(Bar.TOO_HOT_TO_DISCHARGE, Bar.TOO_COLD_TO_DISCHARGE, Bar.DISCHARGE_OFF),
}
"""What each bars. Who is empty or too low may be charged, and who is full or too high discharged."""


@value
class Bounds:
    """Of a battery, where it or the site file tells them. None: not told.

    v: of the whole, cell: of a single cell; t: of the cells or modules, for each way.
    """

    v_high_v: float | None = None
    v_low_v: float | None = None
    cell_high_v: float | None = None
    cell_low_v: float | None = None
    charge_t_low_c: float | None = None
    charge_t_high_c: float | None = None
    discharge_t_low_c: float | None = None
    discharge_t_high_c: float | None = None


NO_BOUNDS = Bounds()


@value
class Pack:
    """What the battery is now. None: not told.

    battery_v, battery_a: at its DC terminals, + on discharge. The limits: what it permits now, all positive, as it
    tells them. cell_max_v, t_max_c: of the highest and the warmest cell or module; cell_min_v, t_min_c: of the
    lowest and the coldest. closed: its contactor. bars: what it says itself that bars a way.
    """

    battery_v: float | None = None
    battery_a: float | None = None
    charge_limit_a: float | None = None
    discharge_limit_a: float | None = None
    charge_limit_w: float | None = None
    discharge_limit_w: float | None = None
    cell_max_v: float | None = None
    cell_min_v: float | None = None
    t_max_c: float | None = None
    t_min_c: float | None = None
    closed: bool | None = None
    bars: tuple[Bar, ...] = ()
    bounds: Bounds = NO_BOUNDS


@value
class Left:
    """Of one way: the share of the power that is left, 0 to 1, and what bars it."""

    share: float = 1.0
    bars: tuple[Bar, ...] = ()


def charging(pack: Pack, own: Bounds = NO_BOUNDS) -> Left:
    """What is left of charging. own: the site file's bounds; the tighter ones count."""
    told, found = pack.bounds, _said(pack, CHARGE)
    if _below(pack.t_min_c, told.charge_t_low_c, own.charge_t_low_c):
        found.append(Bar.TOO_COLD_TO_CHARGE)
    if _above(pack.t_max_c, told.charge_t_high_c, own.charge_t_high_c):
        found.append(Bar.TOO_HOT_TO_CHARGE)
    share = min(
        _room(pack.cell_max_v, told.cell_high_v, own.cell_high_v, taper=CELL_TAPER_V),
        _room(pack.battery_v, told.v_high_v, own.v_high_v, taper=PACK_TAPER_PU * (pack.battery_v or 0.0)),
    )
    return _left(share, found, Bar.OVER_VOLT)


def discharging(pack: Pack, own: Bounds = NO_BOUNDS) -> Left:
    """The same of discharging."""
    told, found = pack.bounds, _said(pack, DISCHARGE)
    if _below(pack.t_min_c, told.discharge_t_low_c, own.discharge_t_low_c):
        found.append(Bar.TOO_COLD_TO_DISCHARGE)
    if _above(pack.t_max_c, told.discharge_t_high_c, own.discharge_t_high_c):
        found.append(Bar.TOO_HOT_TO_DISCHARGE)
    share = min(
        _room(_minus(pack.cell_min_v), _minus(told.cell_low_v), _minus(own.cell_low_v), taper=CELL_TAPER_V),
        _room(
            _minus(pack.battery_v),
            _minus(told.v_low_v),
            _minus(own.v_low_v),
            taper=PACK_TAPER_PU * (pack.battery_v or 0.0),
        ),
    )
    return _left(share, found, Bar.UNDER_VOLT)


def _said(pack: Pack, way: frozenset[Bar]) -> list[Bar]:
    """Of what the battery says itself."""
    own = (*pack.bars, Bar.CONTACTOR_OPEN) if pack.closed is False else pack.bars
    return [bar for bar in own if bar in way]


def _left(share: float, found: list[Bar], at_its_end: Bar) -> Left:
    if share <= 0.0:
        found.append(at_its_end)
    return Left(share=0.0 if found else share, bars=tuple(dict.fromkeys(found)))


def _room(now: float | None, *bounds: float | None, taper: float) -> float:
    """1 far below the lowest bound, 0 at it. Nothing bounds what is not told."""
    known = [bound for bound in bounds if bound is not None]
    if now is None or not known:
        return 1.0
    room = min(known) - now
    return 0.0 if room <= 0.0 else min(1.0, room / taper)


def _minus(volts: float | None) -> float | None:
    return None if volts is None else -volts


def _below(now: float | None, *bounds: float | None) -> bool:
    return now is not None and any(bound is not None and now < bound for bound in bounds)


def _above(now: float | None, *bounds: float | None) -> bool:
    return now is not None and any(bound is not None and now > bound for bound in bounds)
