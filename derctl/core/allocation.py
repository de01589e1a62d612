"""Splitting what the site wants between DERs: who is aimed first, then who generates, by its present power."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from derctl.core.arbitration import Band, aim_of, aimed
from derctl.core.capability import DARK
from derctl.core.could import DOUBLE, IDLE_SHARE, held_down
from derctl.core.feeding import alone_in, levelled
from derctl.core.types import Bound, DerState, SiteProposal
from derctl.core.value import made, replace, value
from derctl.core.words import Reason, What

SUN = SiteProposal(by="sun_only", rank=0, over=(), why=Reason.NO_MEASURED_SUN)
"""Who binds a store that would draw more than the sun is measured to give (core/sun.py)."""


@value
class Slot:
    """One DER in a split. hard_*: what seniors of the asking function left; band: what everyone left.

    asked_w: what it draws since somebody asked it for that, not counted against the sun. seen_w: its power as it was
    measured last; None: not lately. could_w: what it could give, where it was watched (core/could.py). deaf: it gives
    what it gave though it was told less (core/heed.py).
    """

    der: DerState
    band: Band
    hard_low_w: float
    hard_high_w: float
    asked_w: float = 0.0
    seen_w: float | None = None
    could_w: float | None = None
    deaf: bool = False

    def unasked_w(self, aim_w: float) -> float:
        """What it draws beyond that."""
        return max(-aim_w - self.asked_w, 0.0)


_new_band, _new_bound = made(Band), made(Bound)


def water_fill(amount: float, weights: Sequence[float], rooms: Sequence[float]) -> list[float]:
    """Shares of `amount` in proportion to `weights`, none above its room; what a full one leaves goes to the others.

    amount, weights and rooms are >= 0. The shares sum to min(amount, sum(rooms of weight > 0)).
    """
    shares = [0.0] * len(weights)
    open_ = [i for i, weight in enumerate(weights) if weight > 0.0 and rooms[i] > 0.0]
    left = amount
    while open_ and left > 0.0:
        total = sum(weights[i] for i in open_)
        full = [i for i in open_ if shares[i] + left * weights[i] / total >= rooms[i]]
        if not full:
            for i in open_:
                shares[i] += left * weights[i] / total
            break
        for i in full:
            left -= rooms[i] - shares[i]
            shares[i] = rooms[i]
        open_ = [i for i in open_ if i not in full]
    return shares


def potential_w(der: DerState, high_w: float, could_w: float | None = None) -> float:
    """The most a PV inverter may give now: its present power. While it is held down nobody knows: what it could give,
    where it was watched, else twice its power, so that storage makes room step by step, and not for a night."""
    reading = der.reading
    if reading.p_w is None:
        return 0.0 if reading.status in DARK else high_w
    p_w = max(reading.p_w, 0.0)
    if could_w is not None and reading.status not in DARK:
        return min(high_w, max(p_w, could_w))
    if held_down(der, reading.p_w):
        return min(high_w, DOUBLE * p_w + IDLE_SHARE * der.rating.p_max_w)
    return min(high_w, p_w)


def cap(slots: Sequence[Slot], wish: SiteProposal, sun_w: float = math.inf) -> Mapping[str, Band]:
    """Bands in which the sum of ceilings and targets is at most `wish.p_ceiling_w`, as far as seniors allow.

    Who is aimed (storage) is sent down first: to rest, then to draw from what the sun is measured to give. Then who
    generates is curtailed in proportion to present power; one that is not measured sends no store down. What can't be
    told anything counts with what it may give.
    """
    assert wish.p_ceiling_w is not None
    stores, others = _parted(slots)
    aims = [aim_of(slot.band) for slot in stores]
    wanted = [max(potential_w(slot.der, slot.band.high_w), _least(slot)) for slot in others]
    sure = sum(_sure(slot) for slot in others if _shows(slot, wish))
    limit_w = wish.p_ceiling_w - sum(
        potential_w(s.der, s.band.high_w, s.could_w) for s in slots if not s.der.can.steer
    )
    downs = _sent_down(
        [slot if _shows(slot, wish) else _resting(slot) for slot in stores], aims, sum(aims) + sure - limit_w, sun_w
    )
    bands = {
        slot.der.id: _sent(slot, down, wish)
        for slot, aim, down in zip(stores, aims, downs, strict=True)
        if down.aim_w < aim or down.by_sun
    }
    left_w = sum(_given_w(slot, down.aim_w, wish) for slot, down in zip(stores, downs, strict=True))
    bands |= _curtail(others, wanted, limit_w - left_w, wish)
    return bands | _made_up(others, wanted, limit_w - left_w, wish)


def _given_w(store: Slot, aim_w: float, wish: SiteProposal) -> float:
    """What it leaves of the sum: what it is sent to, but for one that does not go there."""
    if store.deaf and store.der.reading.p_w is not None:
        aim_w = max(aim_w, store.der.reading.p_w)
    return aim_w if _shows(store, wish) else max(aim_w, 0.0)


def _made_up(slots: Sequence[Slot], wanted: Sequence[float], budget: float, wish: SiteProposal) -> dict[str, Band]:
    """The ceilings of the others where somebody does not heed its own: they have what it leaves."""
    deaf_w = sum(max(slot.der.reading.p_w or 0.0, 0.0) for slot in slots if slot.deaf)
    heed = [(slot, want) for slot, want in zip(slots, wanted, strict=True) if not slot.deaf]
    if len(heed) == len(slots) or not heed:
        return {}
    return _curtail([slot for slot, _ in heed], [want for _, want in heed], budget - deaf_w, wish)


def _shows(slot: Slot, wish: SiteProposal) -> bool:
    """Whether what it gives sends a store down, and what it draws is room for the others."""
    return not (wish.blind and slot.der.unseen)


def _resting(slot: Slot) -> Slot:
    """No further than to rest: its draw frees nothing."""
    return replace(slot, hard_low_w=max(slot.hard_low_w, min(aim_of(slot.band), 0.0)))


def _sure(slot: Slot) -> float:
    """What it is known to give or may rise to: of one that is not measured now, what was measured last."""
    if slot.der.reading.p_w is not None:
        return max(potential_w(slot.der, slot.band.high_w, slot.could_w), _least(slot))
    return max(min(slot.seen_w or 0.0, slot.band.high_w), _least(slot))


@value
class _Down:
    """Where a store is sent. by_sun: it would go further if more sun were measured."""

    aim_w: float
    by_sun: bool


def _sent_down(stores: Sequence[Slot], aims: Sequence[float], excess_w: float, sun_w: float) -> list[_Down]:
    """No store draws while another gives, and all of them together no more than the sun does."""
    left = max(excess_w, 0.0)
    rooms = [max(aim - max(slot.hard_low_w, 0.0), 0.0) for aim, slot in zip(aims, stores, strict=True)]
    aims = [aim - cut for aim, cut in zip(aims, water_fill(left, rooms, rooms), strict=True)]
    left -= min(left, sum(rooms))
    sun = max(sun_w - sum(slot.unasked_w(aim) for aim, slot in zip(aims, stores, strict=True)), 0.0)
    rooms = [max(aim - slot.hard_low_w, 0.0) for aim, slot in zip(aims, stores, strict=True)]
    cuts = water_fill(min(left, sun), rooms, rooms)
    return [
        _Down(aim_w=aim - cut, by_sun=left > sun and room > cut)
        for aim, cut, room in zip(aims, cuts, rooms, strict=True)
    ]


def _sent(slot: Slot, down: _Down, wish: SiteProposal) -> Band:
    band = slot.band
    if down.aim_w < aim_of(band):
        band = _pushed(band, down.aim_w, What.CEILING, wish)
    return _pushed(band, down.aim_w, What.FLOOR, SUN) if down.by_sun else band


def from_sun(slots: Sequence[Slot], sun_w: float) -> Mapping[str, Band]:
    """Bands in which stores that were aimed below 0 W draw no more than the sun is measured to give."""
    stores, _ = _parted(slots)
    wanted = [slot.unasked_w(aim_of(slot.band)) for slot in stores]
    shares = water_fill(sun_w, wanted, wanted)
    return {
        slot.der.id: _pushed(slot.band, -slot.asked_w - share, What.FLOOR, SUN)
        for slot, share, want in zip(stores, shares, wanted, strict=True)
        if share < want
    }


def _parted(slots: Sequence[Slot]) -> tuple[list[Slot], list[Slot]]:
    """Those that are aimed, and those that only a ceiling holds."""
    held = [slot for slot in slots if slot.der.can.limit and not aimed(slot.der, slot.band)]
    return [slot for slot in slots if aimed(slot.der, slot.band)], held


def _curtail(slots: Sequence[Slot], wanted: Sequence[float], budget: float, wish: SiteProposal) -> dict[str, Band]:
    """Ceilings that add up to the budget: down to what seniors leave, and below 0 W only where that isn't enough and
    the DER takes targets too."""
    if sum(slot.band.high_w for slot in slots) <= budget:
        return {}
    floors = [_least(slot) for slot in slots]
    weights = [_weight(slot.der, w) for w, slot in zip(wanted, slots, strict=True)]
    rooms = [slot.band.high_w - floor for slot, floor in zip(slots, floors, strict=True)]
    shares = water_fill(max(budget - sum(floors), 0.0), weights, rooms)
    depths = [max(-slot.hard_low_w, 0.0) if slot.der.can.aim else 0.0 for slot in slots]
    cuts = water_fill(max(sum(floors) - budget, 0.0), depths, depths)
    tops = [floor + share - cut for floor, share, cut in zip(floors, shares, cuts, strict=True)]
    return {
        slot.der.id: _pushed(slot.band, top, What.CEILING, wish)
        for slot, top in zip(slots, tops, strict=True)
        if top < slot.band.high_w
    }


def _weight(der: DerState, wanted_w: float) -> float:
    """Its present power; one that isn't measured now counts with its rating, or its share would wither."""
    share = IDLE_SHARE if der.reading.p_w is not None else 1.0
    return max(wanted_w, share * der.rating.p_max_w)


def _least(slot: Slot) -> float:
    """What a senior's floor leaves one that generates at least."""
    return min(max(slot.hard_low_w, 0.0), slot.band.high_w)


def hold_up(slots: Sequence[Slot], wish: SiteProposal) -> Mapping[str, Band]:
    """Bands in which who is aimed lifts the sum to at least `wish.p_floor_w`, as far as seniors allow (never PV)."""
    assert wish.p_floor_w is not None
    stores, _ = _parted(slots)
    aims = [aim_of(slot.band) for slot in stores]
    given = sum(min(s.band.high_w, s.der.reading.p_w or 0.0) for s in slots if not aimed(s.der, s.band))
    lack = wish.p_floor_w - given - sum(aims)
    rooms = [max(slot.hard_high_w - aim, 0.0) for aim, slot in zip(aims, stores, strict=True)]
    lifts = water_fill(max(lack, 0.0), rooms, rooms)
    return {
        s.der.id: _pushed(s.band, aim + up, What.FLOOR, wish)
        for s, aim, up in zip(stores, aims, lifts, strict=True)
        if up > 0.0
    }


def share_target(slots: Sequence[Slot], wish: SiteProposal) -> Mapping[str, Band]:
    """Split `wish.p_target_w` over those that no senior aimed, by rating times SoC distance to the bound.

    What seniors aim the others at is part of the sum.
    """
    assert wish.p_target_w is not None
    aims = [slot for slot in slots if slot.der.can.aim]
    stores = [slot for slot in aims if _open_to(slot.band, wish)]
    goal = wish.p_target_w - sum(aim_of(slot.band) for slot in aims if not _open_to(slot.band, wish))
    discharging = goal >= 0.0
    weights = [_reach(slot.der, discharging=discharging) for slot in stores]
    rooms = [max(slot.band.high_w if discharging else -slot.band.low_w, 0.0) for slot in stores]
    sign = 1.0 if discharging else -1.0
    first = _uneven(stores, abs(goal), weights, rooms, [-sign * w for w in wish.uneven_w])
    left = [room - w for room, w in zip(rooms, first, strict=True)]
    shares = [w + more for w, more in zip(first, water_fill(abs(goal) - sum(first), weights, left), strict=True)]
    return {slot.der.id: _aimed(slot.band, sign * share, wish) for slot, share in zip(stores, shares, strict=True)}


def _uneven(
    stores: Sequence[Slot],
    amount: float,
    weights: Sequence[float],
    rooms: Sequence[float],
    exports_w: Sequence[float],
) -> list[float]:
    """What those with a single phase take before the others: first in the phase that has the most to take, or, the
    other way round, that lacks the most."""
    first = [0.0] * len(stores)
    here = [[i for i, slot in enumerate(stores) if alone_in(slot.der) == phase] for phase in range(len(exports_w))]
    if not any(here):
        return first
    taken = levelled(amount, exports_w, [sum(rooms[i] for i in ids) for ids in here])
    for ids, phase_w in zip(here, taken, strict=True):
        for i, share in zip(
            ids, water_fill(phase_w, [weights[i] for i in ids], [rooms[i] for i in ids]), strict=True
        ):
            first[i] = share
    return first


def _open_to(band: Band, wish: SiteProposal) -> bool:
    return band.target_by is None or band.target_by.rank > wish.rank


def _reach(der: DerState, *, discharging: bool) -> float:
    soc = 50.0 if der.reading.soc_pct is None else der.reading.soc_pct
    distance = max(soc if discharging else 100.0 - soc, 1.0)
    return distance * (der.rating.p_max_w if discharging else -der.rating.p_min_w)


def _bound(wish: SiteProposal, what: What, value: float) -> Bound:
    return _new_bound(by=wish.by, rank=wish.rank, what=what, value=value, why=wish.why)


def _aimed(band: Band, aim_w: float, wish: SiteProposal) -> Band:
    bound = _bound(wish, What.TARGET, aim_w)
    return _new_band(low_w=band.low_w, high_w=band.high_w, target_w=aim_w, target_by=bound, bounds=band.bounds)


def _pushed(band: Band, aim_w: float, what: What, wish: SiteProposal) -> Band:
    """One edge of the band moved onto `aim_w`; the other gives way where it must."""
    return _new_band(
        low_w=aim_w if what is What.FLOOR else min(band.low_w, aim_w),
        high_w=aim_w if what is What.CEILING else max(band.high_w, aim_w),
        target_w=band.target_w,
        target_by=band.target_by,
        bounds=(*band.bounds, _bound(wish, what, aim_w)),
    )
