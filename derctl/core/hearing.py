"""What was said about one DER in a tick, and what that leaves of its rating."""

from __future__ import annotations

from dataclasses import field

from derctl.core import fallback
from derctl.core.arbitration import RANK, Band, aim_of, confine, fold, reserved_w, rested, whole
from derctl.core.dataclass import dataclass
from derctl.core.types import DerState, Proposal


@dataclass(slots=True)
class Hearing:
    """Of one DER. reserved_w: see arbitration. left, last: what all who speak for it alone leave, and the rank of the
    most junior of them. band: what the site's wishes leave of that so far. asked_w: what it is asked to draw."""

    der: DerState
    proposals: list[Proposal] = field(default_factory=list)
    abstained: dict[str, str] = field(default_factory=dict)
    reserved_w: float | None = None
    left: Band = field(init=False)
    last: int = 0
    band: Band = field(init=False)
    asked_w: float = 0.0


def narrow(hearing: Hearing, *, stopped: bool) -> None:
    """What the DER functions leave of it, and what stands before them. stopped: somebody has stopped the site."""
    der = hearing.der
    hearing.proposals = [*fallback.heard_of(der, hearing.proposals), *fallback.standing(der)]
    if stopped:
        hearing.proposals.append(fallback.STOP)
    hearing.reserved_w = reserved_w(der, hearing.proposals)
    hearing.left, hearing.last = left(hearing), max(map(RANK, hearing.proposals), default=0)
    hearing.band = rested(hearing.left, der)
    hearing.asked_w = max(-aim_of(hearing.band), 0.0)


def left(hearing: Hearing, up_to: int | None = None) -> Band:
    """What proposals up to a rank leave of the rating, and reactive priority of the circle."""
    band = fold(whole(hearing.der.rating), hearing.proposals, up_to=up_to)
    return band if hearing.reserved_w is None else confine(band, hearing.reserved_w, by="s_max_va")
