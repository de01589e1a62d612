"""What the sun is measured to give: no store draws more than that unasked, and none draws what another gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from derctl.core.capability import DARK, clamp, held_w
from derctl.core.lost import HOLD_S, HOLD_SAMPLES
from derctl.core.types import DerState, PocState
from derctl.core.value import replace, value

HELD_DOWN = 0.95
"""PV that gives this share of its limit may have more to give."""

START_SHARE = 0.01
"""What a store may draw so that PV that is held down can begin to rise, per unit of the store's rating."""


@value
class Seen:
    """The last power that was measured of a DER, in which sample, and how long ago."""

    der: str
    p_w: float
    sample: int
    silent_s: float


@value
class Memory:
    """Of each DER that has been measured lately."""

    seen: tuple[Seen, ...] = ()


def watched(memory: Memory, ders: Iterable[DerState], dt_s: float) -> Memory:
    """One tick on. What isn't measured now stands for as long as a narrowing is held (core/lost.py)."""
    before = {each.der: each for each in memory.seen}
    found = [_seen(before.get(der.id), der, dt_s) for der in ders]
    return Memory(seen=tuple(each for each in found if each is not None))


def _seen(before: Seen | None, der: DerState, dt_s: float) -> Seen | None:
    if der.fresh and der.reading.p_w is not None:
        return Seen(der=der.id, p_w=der.reading.p_w, sample=der.sample, silent_s=der.age_s)
    if before is None or der.reading.status in DARK or _refuted(before, der):
        return None
    after = replace(before, silent_s=before.silent_s + dt_s)
    holds = after.silent_s < HOLD_S or (der.fresh and der.sample - after.sample < HOLD_SAMPLES)
    return after if holds else None


def _refuted(before: Seen, der: DerState) -> bool:
    """It answers, and what it says does not count, its registers stand still: nor does what it said before."""
    return not der.fresh and der.sample > before.sample


def measured_w(ders: Sequence[DerState], seen: Mapping[str, float], poc: PocState | None, meter_pu: float) -> float:
    """What all stores together may draw, W. seen: power by DER, as measured lately, of those that count. meter_pu:
    how much of that, per unit of the stores' rating, may be of PV that isn't ours, or is not measured: what goes out
    there and no DER is measured to give."""
    ours = [der for der in ders if not der.can.store]
    stores = [der for der in ders if der.can.store]
    sun_w = sum(_sun(der, seen.get(der.id, 0.0)) for der in ours)
    if any(_held_down(der, seen[der.id]) for der in ours if der.id in seen):
        sun_w += START_SHARE * sum(der.rating.size_w for der in stores)
    poc_w = None if poc is None or not poc.fresh or meter_pu <= 0.0 else poc.reading.p_w
    if poc_w is not None and all(der.id in seen or der.trial is not None for der in stores):
        most_w = meter_pu * sum(der.rating.size_w for der in stores)
        sun_w += clamp(poc_w - sum(seen.values()), 0.0, most_w) if most_w > 0.0 else 0.0
    return sun_w


def _sun(der: DerState, p_w: float) -> float:
    """While PV is held down nobody knows what it could give: twice what it gives, so that it rises step by step."""
    p_w = max(p_w, 0.0)
    return max(p_w, min(2.0 * p_w, der.rating.p_max_w)) if _held_down(der, p_w) else p_w


def _held_down(der: DerState, p_w: float) -> bool:
    return p_w >= HELD_DOWN * held_w(der) and der.reading.status not in DARK
