"""What a DER is told in the end, who bound it, and what somebody had asked for."""

from __future__ import annotations

from collections.abc import Iterable

from derctl.core.arbitration import SENIORS_FIRST, Band, aim_of, aimed, reactive
from derctl.core.hearing import Hearing
from derctl.core.types import Bound, Decision, DerState, Proposal, Setpoint
from derctl.core.value import made
from derctl.core.words import Reason

_new_decision, _new_setpoint = made(Decision), made(Setpoint)

OPERATOR = 60
"""Rank from which a proposal counts as somebody's request rather than a rule."""


def decide(hearing: Hearing) -> Decision:
    """Var is decided last: it depends on the power."""
    der, band = hearing.der, hearing.band
    var = reactive(der, band, hearing.proposals)
    setpoint, bounds = _setpoint(der, band, var.q_var)
    requested = _requested(hearing.proposals)
    return _new_decision(
        der=der.id,
        setpoint=setpoint,
        bound_by=bounds + var.bounds,
        abstained=hearing.abstained,
        requested=None if requested is None else _as_setpoint(requested),
        requested_by=None if requested is None else requested.by,
    )


def _setpoint(der: DerState, band: Band, q_var: float | None) -> tuple[Setpoint, tuple[Bound, ...]]:
    ceiling_w = band.high_w if der.can.limit else None
    if not aimed(der, band):
        return _new_setpoint(p_ceiling_w=ceiling_w, q_var=q_var), band.bounds
    bounds = band.bounds if band.target_by is None else (band.target_by, *band.bounds)
    return _new_setpoint(p_ceiling_w=ceiling_w, p_target_w=aim_of(band), q_var=q_var), bounds


def _requested(proposals: Iterable[Proposal]) -> Proposal | None:
    asked = [each for each in proposals if each.rank >= OPERATOR and each.why is not Reason.RELAXING]
    return min(asked, key=SENIORS_FIRST, default=None)


def _as_setpoint(proposal: Proposal) -> Setpoint:
    return Setpoint(p_ceiling_w=proposal.p_ceiling_w, p_target_w=proposal.p_target_w, q_var=proposal.q_var)
