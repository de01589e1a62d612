"""The contract's ceilings for DERs on trial (core/trial.py), each for itself: they are no part of the sum.

What they claim gives the others nothing, and takes nothing from them: the others make up for what is measured.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from derctl.core.capability import assumed_w, held_w, present_w, told_w
from derctl.core.heed import BEYOND_PU
from derctl.core.response import ramp
from derctl.core.types import DerState
from derctl.core.value import value

PRESSED_S = 3.0
"""Over the limit for so long, they are taken back too. The others come first: they are known to move the meter."""
TRIED_SHARE = 0.33
"""What of an excess is taken back from them at a sample, and given of a headroom: how late they are nobody knows."""
SLACK_PU = 0.05
"""So much above what it gives may be left to one on trial, in shares of its rating: what the sun does in a moment."""
TRIED_PU = 0.2
"""So much more than when it came may it give until it was seen to move the meter; or, if it draws nothing, all
that the meter leaves: that is free whatever it really gives."""
IDLE_PU_PER_S = 0.01
"""It rises so fast where the meter leaves next to nothing, and no more than SEEN_PU."""
SEEN_PU = 0.15
"""Who gives less can't be seen to move by as much."""


@value
class Alone:
    """One DER and the ceiling of its own, W."""

    der: str
    ceiling_w: float


@value
class Law:
    """One step of the contract's loop. taken_w: what is taken back of an excess; room_w: what is given of a headroom;
    relax_pu: the most that may rise in a second. pressed: the others were not enough. held: one
    of them is moved, and what the meter leaves is of that."""

    headroom_w: float
    taken_w: float
    room_w: float
    relax_pu: float
    dt_s: float
    pressed: bool
    held: bool


def entered(alone: Sequence[Alone], tried: Sequence[DerState]) -> tuple[Alone, ...]:
    """Who is new among them is raised by nothing that it says. One that did not go away was let what it gives."""
    before = {each.der: each for each in alone}
    return tuple(before.get(der.id) or Alone(der=der.id, ceiling_w=_first(der)) for der in tried)


def _first(der: DerState) -> float:
    assert der.trial is not None
    if der.trial.p_w is None:
        return present_w(der)
    if der.unseen:
        return max(der.trial.p_w, _low_w(der))
    return min(max(der.trial.p_w, _low_w(der)), held_w(der))


def _low_w(der: DerState) -> float:
    """A store that charges goes on with it while the meter leaves no room for what it would not take any more."""
    return der.rating.p_min_w if der.can.store and der.can.aim else 0.0


def stepped(alone: Sequence[Alone], tried: Sequence[DerState], law: Law) -> tuple[Alone, ...]:
    """One sample of the meter on. tried: in the order of alone."""
    return tuple(
        Alone(der=der.id, ceiling_w=_ceiling_w(each.ceiling_w, der, law, law.room_w / len(tried)))
        for each, der in zip(alone, tried, strict=True)
    )


def _ceiling_w(before: float, der: DerState, law: Law, room_w: float) -> float:
    """Down with what it gives, but for the slack. Each is taken back by the whole: some may move nothing."""
    assert der.trial is not None
    per_unit_w = der.rating.per_unit_w
    given_w = before if der.trial.p_w is None else max(der.trial.p_w, _low_w(der))
    ceiling = min(before, given_w + max(law.headroom_w, 0.0) + SLACK_PU * per_unit_w)
    if law.headroom_w < 0.0:
        return max(min(ceiling, given_w) - law.taken_w, _low_w(der)) if law.pressed else ceiling
    if law.headroom_w < SLACK_PU * per_unit_w:
        unseen = 0.0 <= given_w < SEEN_PU * per_unit_w and not law.held
        room_w = IDLE_PU_PER_S * per_unit_w * law.dt_s if unseen else 0.0
    free_w = 0.0 if der.can.store else law.headroom_w
    most = min(max(max(der.trial.gave_w, 0.0) + TRIED_PU * per_unit_w, free_w), der.rating.p_max_w)
    goal = min(ceiling, given_w) + room_w
    risen = ramp(ceiling, goal, up_per_s=law.relax_pu * per_unit_w, dt_s=law.dt_s)
    return max(ceiling, min(risen, most))


@value
class Part:
    """The sum's ceiling, W, whose it is, and who has one of its own."""

    over: tuple[str, ...]
    ceiling_w: float | None
    apart_w: tuple[tuple[str, float], ...]


def parted(
    alone: Sequence[Alone],
    ceiling_w: float | None,
    steered: Sequence[DerState],
    rise_w: float,
    unseen: Collection[str],
) -> Part:
    """Those on trial are apart. Before the meter is proven, those too whose word counts as little as its own, and who
    give more than they are told: what they claim would take all of the coin's rise, and it never were. They are
    raised by nothing for that. rise_w: of the coin now."""
    over, own = tuple([der.id for der in steered]), tuple([(each.der, each.ceiling_w) for each in alone])
    if rise_w <= 0.0 or ceiling_w is None:
        return Part(over=over, ceiling_w=ceiling_w, apart_w=own)
    given = {der.id: max(assumed_w(der), 0.0) for der in steered if der.id in unseen or _beyond(der)}
    given_w = sum(given.values())
    if not 0 < len(given) < len(over) or ceiling_w - given_w >= rise_w:
        return Part(over=over, ceiling_w=ceiling_w, apart_w=own)
    left_w = max(ceiling_w - rise_w, 0.0)
    own += tuple([(name, w * min(left_w / max(given_w, 1.0), 1.0)) for name, w in given.items()])
    return Part(over=tuple([name for name in over if name not in given]), ceiling_w=rise_w, apart_w=own)


def _beyond(der: DerState) -> bool:
    told, p_w = told_w(der), der.reading.p_w
    return told is not None and p_w is not None and p_w - told > max(der.beyond_w, BEYOND_PU * der.rating.size_w)
