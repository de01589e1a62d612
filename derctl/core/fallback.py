"""Rank 0: the limits that stand in a DER before any function has spoken, and what an old reading leaves of others."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core.capability import present_w, told_w
from derctl.core.types import DerState, Proposal
from derctl.core.words import FallbackBy, Reason

STOP = Proposal(by="emergency_stop", rank=0, p_ceiling_w=0.0, p_floor_w=0.0, p_target_w=0.0, q_var=0.0)
"""What each DER is asked for while somebody has stopped the site: nothing, either way."""

WHY = {"reverify_due": Reason.FIRMWARE_CHANGED}
"""Of the limits that stand before all functions: what there is to say beyond the name."""


def heard_of(der: DerState, proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    """Nobody aims at a DER whose reading is too old, or gives it var."""
    if der.fresh:
        return proposals
    return [each for each in proposals if each.p_target_w is None and each.q_var is None]


def standing(der: DerState) -> list[Proposal]:
    """A DER whose reading is too old is asked for its declared fallback. One whose last limit will stand without
    derctl is never given a higher one than that; so is one in which somebody else's was found. What stood in it is
    relaxed slowly. Nobody is raised unseen, but to rest; nor before the fallbacks are proven, nor with a firmware
    that nobody tried, or that nobody has acknowledged."""
    limits: dict[str, float | None] = {
        "found_limit": der.found_w,
        "slow_rise": der.rise_w,
        "reverify_due": der.reverify_w,
    }
    if not der.fresh:
        limits["comms_loss"] = der.fallback.p_ceiling_w
    elif der.fallback.by == FallbackBy.STANDS:
        limits["fallback_stands"] = der.fallback.p_ceiling_w
    if der.halted:
        limits["unproven_fallback"] = present_w(der)
    if der.unverified:
        limits["unverified"] = present_w(der)
    if (not der.fresh or der.reading.p_w is None) and not der.can.rest:
        told = told_w(der)
        limits["unmeasured"] = max(told, 0.0) if told is not None and der.can.aim else told
    return [Proposal(by=by, rank=0, p_ceiling_w=w, why=WHY.get(by)) for by, w in limits.items() if w is not None]
