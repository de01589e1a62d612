"""What the functions of the site want, split over the DERs in its order, inside what each of them has left."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

from derctl.core import allocation, by_phase
from derctl.core.arbitration import Band, aim_of
from derctl.core.feeding import Shares
from derctl.core.hearing import Hearing, left
from derctl.core.types import SiteProposal
from derctl.core.value import made, replace
from derctl.core.words import Reason

Edge = tuple[SiteProposal, Callable[[Sequence[allocation.Slot], SiteProposal], Mapping[str, Band]]]
"""A wish that narrows, and how its split does it."""

_new_slot = made(allocation.Slot)


class Split:
    """The DERs of a site as allocation sees them, and the order in which wishes are split over them.

    seen: their power as it was measured lately, W. could: what the sun lets them give, W. sun_w: of all of them.
    deaf: who does not do what it is told.
    """

    def __init__(
        self,
        hearings: Mapping[str, Hearing],
        *,
        seen: Mapping[str, float],
        could: Mapping[str, float],
        sun_w: float,
        deaf: Collection[str],
    ) -> None:
        self._hearings, self._stores = hearings, [each for each in hearings.values() if each.der.can.store]
        self._seen, self._could, self._sun_w, self._deaf = seen, could, sun_w, deaf

    def over(self, wishes: Iterable[SiteProposal]) -> None:
        """Targets first, since they narrow nothing, seniors before juniors. Then floors and ceilings from junior to
        senior, so that seniors have the last word, and within a rank ceilings. No store draws more than the sun gives
        unless a DER's own function, or an operator, asks it to."""
        ordered = sorted(wishes, key=lambda wish: (wish.rank, wish.by))
        for wish in ordered:
            if wish.p_target_w is not None:
                self._apply(allocation.share_target(self._slots(wish), wish))
        self._apply(allocation.from_sun([_store(each) for each in self._stores], self._sun_w))
        for wish, narrow in sorted(self._edges(ordered), key=lambda edge: -edge[0].rank):
            self._apply(narrow(self._slots(wish), wish))
            for der_id, most_w in wish.apart_w:
                alone = replace(wish, over=(der_id,), p_ceiling_w=most_w, why=Reason.ON_TRIAL)
                self._apply(allocation.cap(self._slots(alone), alone, self._sun_w))

    def _edges(self, ordered: Sequence[SiteProposal]) -> list[Edge]:
        """Floors before what the phases allow, and that before ceilings, within a rank."""
        edges: list[Edge] = [(wish, allocation.hold_up) for wish in ordered if wish.p_floor_w is not None]
        for wish in ordered:
            low, high = by_phase.floors(wish), by_phase.ceilings(wish)
            edges += [(part, partial(by_phase.narrowed, allocation.hold_up, at)) for part, at in low]
            edges += [(part, partial(self._cap_in, at)) for part, at in high]
        edges += [(wish, self._cap) for wish in ordered if wish.p_ceiling_w is not None]
        return edges

    def _cap(
        self, slots: Sequence[allocation.Slot], wish: SiteProposal, of_sun_pu: float = 1.0
    ) -> Mapping[str, Band]:
        """What the stores elsewhere draw is no sun for those here."""
        elsewhere = [_store(each) for each in self._stores if each.der.id not in wish.over]
        drawn_w = sum(slot.unasked_w(aim_of(slot.band)) for slot in elsewhere)
        return allocation.cap(slots, wish, (self._sun_w - drawn_w) * of_sun_pu)

    def _cap_in(self, at: Shares, slots: Sequence[allocation.Slot], wish: SiteProposal) -> Mapping[str, Band]:
        cap = partial(self._cap, of_sun_pu=by_phase.drawn_pu(slots, at))
        return by_phase.narrowed(cap, at, slots, wish)

    def _slots(self, wish: SiteProposal) -> list[allocation.Slot]:
        return [self._slot(self._hearings[der_id], wish.rank) for der_id in wish.over]

    def _slot(self, hearing: Hearing, rank: int) -> allocation.Slot:
        """One DER in the split of a wish of this rank."""
        hard = hearing.left if hearing.last <= rank else left(hearing, up_to=rank)
        return _new_slot(
            der=hearing.der,
            band=hearing.band,
            hard_low_w=hard.low_w,
            hard_high_w=hard.high_w,
            asked_w=hearing.asked_w,
            seen_w=self._seen.get(hearing.der.id),
            could_w=self._could.get(hearing.der.id),
            deaf=hearing.der.id in self._deaf,
        )

    def _apply(self, bands: Mapping[str, Band]) -> None:
        for der_id, band in bands.items():
            self._hearings[der_id].band = band


def _store(hearing: Hearing) -> allocation.Slot:
    """What it draws is all that is asked of it."""
    band = hearing.band
    return allocation.Slot(
        der=hearing.der, band=band, hard_low_w=band.low_w, hard_high_w=band.high_w, asked_w=hearing.asked_w
    )
