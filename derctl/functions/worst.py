"""What DERs may come to give that nobody measures: who is silent or not ours, and how far each may be off. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core.capability import held_w, told_w
from derctl.core.lost import HOLD_S
from derctl.core.types import DerState


def pending_w(ders: Sequence[DerState]) -> float:
    """By how much stores that are silent may come to give more than they did when they were heard last: until their
    timers have surely ended, and the meter shows it."""
    silent = [der for der in ders if der.can.store and not der.fresh and not der.unseen]
    return sum((_pending_w(der) for der in silent if der.age_s < der.fallback.after_s + HOLD_S), 0.0)


def _pending_w(der: DerState) -> float:
    known = der.reading.p_w if der.reading.p_w is not None else told_w(der)
    return max(worst_w(der) - known, 0.0) if known is not None and known < 0.0 else 0.0


def surely(most_w: float, steered: Sequence[DerState]) -> float:
    """What they are told, so that they give no more than most_w though nobody measures it: each may be off."""
    return most_w - min(sum((der.beyond_w for der in steered), 0.0), max(most_w, 0.0))


def worst_w(der: DerState) -> float:
    """The most a DER out of our hands may give. One that is silent: what it gave and holds as long as its timer may
    run, and what it does after that from the start, since nobody here knows when the timer was set."""
    full, given = der.rating.p_max_w, max(der.reading.p_w or 0.0, 0.0)
    if der.fresh:
        return given if der.reading.p_w is not None else full
    after = full if der.absent_w is None else der.absent_w
    return max(given, held_w(der), after) if der.age_s < der.fallback.after_s else after
