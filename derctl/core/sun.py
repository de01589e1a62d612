"""What the sun is measured to give: no store draws more than that unasked, and none draws what another gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from derctl.core.capability import DARK
from derctl.core.could import DOUBLE, Could, held_down
from derctl.core.could import watched as watched_could
from derctl.core.lost import HOLD_S, HOLD_SAMPLES
from derctl.core.types import DerState, PocState, Setpoint
from derctl.core.value import made, replace, value

START_SHARE = 0.01
"""What a store may draw so that PV that is held down can begin to rise, per unit of the store's rating."""


@value
class Seen:
    """The last power that was measured of a DER, in which sample, and how long ago."""

    der: str
    p_w: float
    sample: int
    silent_s: float


_new_seen = made(Seen)


@value
class Memory:
    """Of each DER that has been measured lately. could: what PV could give."""

    seen: tuple[Seen, ...] = ()
    could: tuple[Could, ...] = ()


def watched(memory: Memory, ders: Sequence[DerState], dt_s: float) -> Memory:
    """One tick on. What isn't measured now stands for as long as a narrowing is held (core/lost.py)."""
    before = {each.der: each for each in memory.seen}
    found = [_seen(before.get(der.id), der, dt_s) for der in ders]
    could = watched_could(memory.could, ders, dt_s)
    return Memory(seen=tuple(each for each in found if each is not None), could=could)


def _seen(before: Seen | None, der: DerState, dt_s: float) -> Seen | None:
    if der.fresh and der.reading.p_w is not None:
        return _new_seen(der=der.id, p_w=der.reading.p_w, sample=der.sample, silent_s=der.age_s)
    if before is None or der.reading.status in DARK or _refuted(before, der):
        return None
    after = replace(before, silent_s=before.silent_s + dt_s)
    holds = after.silent_s < HOLD_S or (der.fresh and der.sample - after.sample < HOLD_SAMPLES)
    return after if holds else None


def _refuted(before: Seen, der: DerState) -> bool:
    """It answers, and what it says does not count, its registers stand still: nor does what it said before."""
    return not der.fresh and der.sample > before.sample


def measured_w(
    ders: Sequence[DerState], seen: Mapping[str, float], poc: PocState | None, meter_pu: float, *, heard: bool = True
) -> float:
    """What all stores together may draw, W. seen: power by DER, as measured lately, of those that count. meter_pu:
    how much of that, per unit of the stores' rating, may be of PV that isn't ours, or is not measured: what goes out
    there and no DER is measured to give. heard: whether the meter may be right. What was never seen to move it gives
    no more than it shows; where there is none, and nobody was ever seen, what they claim is all that is known."""
    ours = [der for der in ders if not der.can.store and not der.unseen]
    claims = [der for der in ders if not der.can.store and der.unseen]
    stores = [der for der in ders if der.can.store]
    sun_w = sum(_sun(der, seen.get(der.id, 0.0)) for der in ours)
    start_w = START_SHARE * sum(der.rating.size_w for der in stores)
    if any(held_down(der, seen[der.id]) for der in ours if der.id in seen):
        sun_w += start_w
    shown_w = _shown_w(ours, stores, seen, poc)
    if shown_w is not None and meter_pu > 0.0:
        sun_w += min(shown_w, meter_pu * sum(der.rating.size_w for der in stores))
    if not claims:
        return sun_w
    return sun_w + _claimed_w(claims, seen, start_w, shown_w, proven=meter_pu >= 1.0, heard=heard, alone=not ours)


def _shown_w(
    ours: Sequence[DerState], stores: Sequence[DerState], seen: Mapping[str, float], poc: PocState | None
) -> float | None:
    """What goes out at the meter, or into the stores, and nobody who was seen is measured to give. What an unseen
    store draws counts as far as it was told to, and so does what one on trial draws, or it would leave what it took a
    moment ago. None: that is not known."""
    poc_w = None if poc is None or not poc.fresh else poc.reading.p_w
    if poc_w is None or any(der.id not in seen and der.trial is None for der in stores):
        return None
    drawn_w = sum(_drawn_w(der, seen.get(der.id)) for der in stores)
    return max(poc_w - sum(seen.get(der.id, 0.0) for der in ours) - drawn_w, 0.0)


def _drawn_w(store: DerState, p_w: float | None) -> float:
    """Of one that was never seen no more than it was told, as far as that is known; of one on trial only what is."""
    told = store.written or store.reading.accepted
    if p_w is None:  # on trial
        p_w, told = store.reading.p_w or 0.0, told or Setpoint(p_target_w=0.0)
    elif told is None or not store.unseen:
        return p_w
    return max(p_w, min(told.p_target_w or 0.0, 0.0))


def _claimed_w(
    claims: Sequence[DerState],
    seen: Mapping[str, float],
    start_w: float,
    shown_w: float | None,
    *,
    proven: bool,
    heard: bool,
    alone: bool,
) -> float:
    """Of those who were never seen. A meter that is relied on has shown already what they give."""
    given = [(der, (der.reading.p_w or 0.0) if der.trial is not None else seen.get(der.id, 0.0)) for der in claims]
    presses = any(held_down(der, p_w) for der, p_w in given)
    claimed_w = sum(_sun(der, p_w) for der, p_w in given) + (start_w if presses else 0.0)
    if shown_w is None or not heard:
        return claimed_w if alone else 0.0
    more_w = shown_w + start_w if presses else 0.0
    return more_w if proven else min(claimed_w, shown_w + more_w)


def _sun(der: DerState, p_w: float) -> float:
    """While PV is held down nobody knows what it could give: twice what it gives, so that it rises step by step."""
    p_w = max(p_w, 0.0)
    return max(p_w, min(DOUBLE * p_w, der.rating.p_max_w)) if held_down(der, p_w) else p_w
