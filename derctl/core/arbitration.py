"""Bands, narrowed in rank order. A junior never widens what a senior left; within a rank ceilings beat floors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter

from derctl.core.capability import clamp, q_box, room
from derctl.core.types import Bound, DerState, Proposal, Rating
from derctl.core.value import made, value
from derctl.core.words import Priority, Reason, What

RANK, SENIORS_FIRST, BY_VALUE = attrgetter("rank"), attrgetter("rank", "by"), itemgetter(0, 1)
LAST = 99
"""Junior to every function: whoever aims takes over."""


@value
class Band:
    """What is left of a DER's active power, in W. `bounds` names each narrowing that took effect, in order."""

    low_w: float
    high_w: float
    target_w: float | None = None
    target_by: Bound | None = None
    bounds: tuple[Bound, ...] = ()


_new_band, _new_bound = made(Band), made(Bound)


def whole(rating: Rating) -> Band:
    """The band before anyone spoke: the rating."""
    return _new_band(low_w=rating.p_min_w, high_w=rating.p_max_w)


def fold(band: Band, proposals: Iterable[Proposal], *, up_to: int | None = None) -> Band:
    """Narrow by every proposal of rank <= up_to (all, if None), seniors first. Order within a rank doesn't matter."""
    heard = [
        each
        for each in proposals
        if (up_to is None or each.rank <= up_to)
        and not (each.p_ceiling_w is None and each.p_floor_w is None and each.p_target_w is None)
    ]
    if len(heard) < 2:
        return _narrow(band, heard) if heard else band
    for _, group in groupby(sorted(heard, key=SENIORS_FIRST), key=RANK):
        band = _narrow(band, tuple(group))
    return band


def _narrow(band: Band, group: Sequence[Proposal]) -> Band:
    ceilings = [(each.p_ceiling_w, each.by, each) for each in group if each.p_ceiling_w is not None]
    floors = [(-each.p_floor_w, each.by, each) for each in group if each.p_floor_w is not None]
    for ceiling_w, by, each in sorted(ceilings, key=BY_VALUE):
        band = lower(band, ceiling_w, by=by, rank=each.rank, why=each.why)
    for below_w, by, each in sorted(floors, key=BY_VALUE):
        band = lift(band, -below_w, by=by, rank=each.rank, why=each.why)
    for proposal in group:
        if proposal.p_target_w is not None and band.target_by is None:
            band = _aim(band, proposal)
    return band


def lower(band: Band, ceiling_w: float, *, by: str, rank: int, why: Reason | None = None) -> Band:
    """Bring the ceiling down to the nearest value inside the band."""
    high = clamp(ceiling_w, band.low_w, band.high_w)
    if high >= band.high_w:
        return band
    return _with(band, _new_bound(by=by, rank=rank, what=What.CEILING, value=high, why=why), high_w=high)


def lift(band: Band, floor_w: float, *, by: str, rank: int, why: Reason | None = None) -> Band:
    """Bring the floor up to the nearest value inside the band."""
    low = clamp(floor_w, band.low_w, band.high_w)
    if low <= band.low_w:
        return band
    return _with(band, _new_bound(by=by, rank=rank, what=What.FLOOR, value=low, why=why), low_w=low)


def confine(band: Band, most_w: float, *, by: str) -> Band:
    """Both edges into -most_w..most_w, whoever set them: a rating gives way to no rank."""
    high = clamp(band.high_w, -most_w, most_w)
    low = clamp(band.low_w, -most_w, most_w)
    if high != band.high_w:
        band = _with(band, Bound(by=by, rank=0, what=What.CEILING, value=high), high_w=high)
    if low != band.low_w:
        band = _with(band, Bound(by=by, rank=0, what=What.FLOOR, value=low), low_w=low)
    return band


def _aim(band: Band, wish: Proposal) -> Band:
    assert wish.p_target_w is not None
    bound = _new_bound(by=wish.by, rank=wish.rank, what=What.TARGET, value=wish.p_target_w, why=wish.why)
    return _new_band(
        low_w=band.low_w, high_w=band.high_w, target_w=wish.p_target_w, target_by=bound, bounds=band.bounds
    )


def rested(band: Band, der: DerState) -> Band:
    """One that nobody aims at, and that takes nothing but targets, goes to rest from where it was, not at once."""
    if der.rest_w is None or not der.fresh or not der.can.rest or band.target_by is not None:
        return band
    return _aim(band, Proposal(by="slow_rest", rank=LAST, p_target_w=der.rest_w))


def _with(band: Band, bound: Bound, *, low_w: float | None = None, high_w: float | None = None) -> Band:
    return _new_band(
        low_w=band.low_w if low_w is None else low_w,
        high_w=band.high_w if high_w is None else high_w,
        target_w=band.target_w,
        target_by=band.target_by,
        bounds=(*band.bounds, bound),
    )


def aimed(der: DerState, band: Band) -> bool:
    """Whether it gets a target. One that takes a ceiling too gets none while nobody aims at it: its sun flows. Only a
    ceiling below 0 W is a target as well, since no limit goes so low."""
    return der.can.rest or (der.can.aim and (band.target_by is not None or band.high_w < 0.0))


def aim_of(band: Band) -> float:
    """Where a DER that is aimed will be sent: its target, or rest (0 W), at the nearest edge of the band."""
    return clamp(0.0 if band.target_w is None else band.target_w, band.low_w, band.high_w)


def reserved_w(der: DerState, proposals: Iterable[Proposal]) -> float | None:
    """What a reactive mode with reactive priority leaves of the circle for P; None: no such mode.

    Reserved before anything is split, or a battery couldn't take what the split gives it.
    """
    wish = _mode(der, proposals)
    if wish is None or wish.q_priority == Priority.ACTIVE:
        return None
    if _after_power(wish):  # both are scaled onto the circle
        assert wish.q_per_w is not None
        return der.rating.s_max_va / math.hypot(1.0, wish.q_per_w)
    assert wish.q_var is not None
    return room(der.rating.s_max_va, q_box(der.rating, wish.q_var))


@value
class Reactive:
    """The reactive power that the one reactive mode gets, None without one, and who bound it."""

    q_var: float | None
    bounds: tuple[Bound, ...] = ()


_new_reactive = made(Reactive)


def reactive(der: DerState, band: Band, proposals: Iterable[Proposal]) -> Reactive:
    """Fit the most senior reactive proposal into the box and, with active priority, into the circle at the band's P.

    Reactive priority cuts P, active priority cuts Q (IEEE 1547-2018 5.3.1 and table 8 of 5.4; UL 1741 SB).
    """
    wish = _mode(der, proposals)
    if wish is None:
        return Reactive(q_var=None)
    q_var = _wanted(der, band, wish)
    q = q_box(der.rating, q_var)
    bounds = [] if q == q_var else [Bound(by="rating", rank=0, what=What.VAR, value=q)]
    if wish.q_priority == Priority.ACTIVE:
        most = room(der.rating.s_max_va, _largest_p(der, band))
        if abs(q) > most:
            q = most if q > 0 else -most
            bounds.append(Bound(by="s_max_va", rank=0, what=What.VAR, value=q))
    return _new_reactive(q_var=q, bounds=(_own(wish, q), *bounds))


def _mode(der: DerState, proposals: Iterable[Proposal]) -> Proposal | None:
    """The one reactive mode that is heard."""
    wishes = [proposal for proposal in proposals if proposal.q_var is not None]
    if not wishes or not der.can.var:
        return None
    return min(wishes, key=SENIORS_FIRST)


def _after_power(wish: Proposal) -> bool:
    """Whether its var follows the power; what is held of a mode that lost its input does not."""
    return wish.q_per_w is not None and wish.why is not Reason.HELD


def _wanted(der: DerState, band: Band, wish: Proposal) -> float:
    """Of a mode that follows the power: by where the DER is aimed, else by what it gives inside the band."""
    assert wish.q_var is not None
    if not _after_power(wish):
        return wish.q_var
    assert wish.q_per_w is not None
    p_w = aim_of(band) if aimed(der, band) else clamp(der.reading.p_w or 0.0, band.low_w, band.high_w)
    return wish.q_per_w * abs(p_w)


def _own(wish: Proposal, q_var: float) -> Bound:
    return _new_bound(by=wish.by, rank=wish.rank, what=What.VAR, value=q_var, why=wish.why)


def _largest_p(der: DerState, band: Band) -> float:
    """The largest |P| that the DER may reach inside the band."""
    if aimed(der, band):
        return abs(aim_of(band))
    return max(abs(band.high_w), abs(band.low_w) if band.low_w < 0 else 0.0)
