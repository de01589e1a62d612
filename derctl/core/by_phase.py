"""Splitting what one phase may carry: the split of a sum, of what each DER gives there. And what is uneven of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from derctl.core.allocation import Slot
from derctl.core.arbitration import Band
from derctl.core.feeding import Shares
from derctl.core.types import Bound, DerState, PhaseEdges, Rating, Reading, Setpoint, SiteProposal
from derctl.core.value import replace

Narrow = Callable[[Sequence[Slot], SiteProposal], Mapping[str, Band]]


def ceilings(wish: SiteProposal) -> list[tuple[SiteProposal, Shares]]:
    """What a wish lets each phase carry, as a wish of its own, with the shares of those in its `over`."""
    edges = wish.phases
    if edges is None:
        return []
    made = [(_of_phase(wish, edges, k), limit_w) for k, limit_w in enumerate(edges.ceiling_w)]
    return [(replace(part, p_ceiling_w=limit_w), shares) for (part, shares), limit_w in made]


def floors(wish: SiteProposal) -> list[tuple[SiteProposal, Shares]]:
    """The same of what each phase has to carry at least."""
    edges = wish.phases
    if edges is None:
        return []
    made = [(_of_phase(wish, edges, k), limit_w) for k, limit_w in enumerate(edges.floor_w)]
    return [(replace(part, p_floor_w=limit_w), shares) for (part, shares), limit_w in made]


def _of_phase(wish: SiteProposal, edges: PhaseEdges, phase: int) -> tuple[SiteProposal, Shares]:
    here = [(der, each[phase]) for der, each in zip(edges.over, edges.shares_pu, strict=True) if each[phase] > 0.0]
    over, shares = tuple([der for der, _ in here]), tuple([share for _, share in here])
    return SiteProposal(by=wish.by, rank=wish.rank, over=over, why=edges.why, blind=wish.blind), shares


def narrowed(narrow: Narrow, shares: Shares, slots: Sequence[Slot], wish: SiteProposal) -> dict[str, Band]:
    """The bands that a split of the phase makes of these slots. shares: what of each is there."""
    parts = [slot if share == 1.0 else _part(slot, share) for slot, share in zip(slots, shares, strict=True)]
    of = {slot.der.id: (slot, share) for slot, share in zip(slots, shares, strict=True)}
    return {name: _whole(band, *of[name]) for name, band in narrow(parts, wish).items()}


def drawn_pu(slots: Sequence[Slot], shares: Shares) -> float:
    """Of a W that stores draw of the sun in all phases, what they draw in this one at least."""
    return min((share for slot, share in zip(slots, shares, strict=True) if slot.der.can.store), default=1.0)


def _part(slot: Slot, share: float) -> Slot:
    """What of it is in the phase."""

    def of(value: float | None) -> float | None:
        return None if value is None else value * share

    band = slot.band
    return Slot(
        der=_der(slot.der, share),
        band=replace(band, low_w=band.low_w * share, high_w=band.high_w * share, target_w=of(band.target_w)),
        hard_low_w=slot.hard_low_w * share,
        hard_high_w=slot.hard_high_w * share,
        asked_w=slot.asked_w * share,
        seen_w=of(slot.seen_w),
        could_w=of(slot.could_w),
        deaf=slot.deaf,
    )


def _whole(band: Band, slot: Slot, share: float) -> Band:
    """The band of the DER by that of its part. What did not move there is what it was."""
    if share == 1.0:
        return band
    part, before = _part(slot, share).band, slot.band
    new = band.bounds[len(before.bounds) :]
    return Band(
        low_w=before.low_w if band.low_w == part.low_w else band.low_w / share,
        high_w=before.high_w if band.high_w == part.high_w else band.high_w / share,
        target_w=before.target_w,
        target_by=before.target_by,
        bounds=(*before.bounds, *(_bound(bound, share) for bound in new)),
    )


def _bound(bound: Bound, share: float) -> Bound:
    return replace(bound, value=bound.value / share)


def _der(der: DerState, share: float) -> DerState:
    return replace(
        der,
        rating=_rating(der.rating, share),
        reading=_reading(der.reading, share),
        written=_told(der.written, share),
    )


def _rating(rating: Rating, share: float) -> Rating:
    return replace(rating, p_max_w=rating.p_max_w * share, p_min_w=rating.p_min_w * share)


def _reading(reading: Reading, share: float) -> Reading:
    p_w = None if reading.p_w is None else reading.p_w * share
    return replace(reading, p_w=p_w, accepted=_told(reading.accepted, share))


def _told(told: Setpoint | None, share: float) -> Setpoint | None:
    if told is None:
        return None
    ceiling_w, target_w = told.p_ceiling_w, told.p_target_w
    return replace(
        told,
        p_ceiling_w=None if ceiling_w is None else ceiling_w * share,
        p_target_w=None if target_w is None else target_w * share,
    )
