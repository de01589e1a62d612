"""What the meter at the point of connection is believed to be, and on what evidence (core/belief.py)."""

from __future__ import annotations

from collections.abc import Iterable

from derctl.core.value import value
from derctl.core.words import Belief, Doubt


@value
class Contradiction:
    """What speaks against the meter beside the steps; text: with its numbers."""

    by: Doubt
    text: str


@value
class Evidence:
    """belief: the verdict. slope: what it shows of a step, where that was measured. delay_s: how late it is.
    refresh_s: how often it shows something new. confidence: log of the likelihood ratio against the likeliest fault.

    age_s: age of the evidence; None without any. most_w: the most that the DERs' sum may be now for the sake of
    a doublet; None: there is none. dip_w: how far that is below what they gave. rise_w: what may go out beyond what
    may without a meter, for the same sake. limited: an export limit is kept by it.
    steps: somebody makes them, so that it can be told. why, text: what else speaks against it, or why it can't be
    told; None: nothing. jumps: by what loads jump again and again, W.
    """

    belief: Belief = Belief.UNPROVEN
    slope: float | None = None
    delay_s: float | None = None
    refresh_s: float | None = None
    confidence: float = 0.0
    age_s: float | None = None
    most_w: float | None = None
    dip_w: float = 0.0
    rise_w: float = 0.0
    limited: bool = False
    steps: bool = False
    why: Doubt | None = None
    text: str = ""
    jumps: tuple[float, ...] = ()

    @property
    def contradicted(self) -> bool:
        """Something else than a step speaks against it."""
        return self.why is not None and self.why not in UNTOLD

    @property
    def wrong(self) -> bool:
        """By the steps it is not to be believed, or it is not heard."""
        return self.steps and (self.belief is Belief.DOUBTED or self.belief is Belief.LOST)


UNTOLD = frozenset({Doubt.FOLLOWERS, Doubt.FOLLOWER_SUSPECTED, Doubt.VOLTAGE, Doubt.DER_PHASE})
"""What says nothing of the meter itself, or suspects it only."""
NOTHING_KNOWN = Evidence()


@value
class Need:
    """What depends on the meter now: exposed_w is what more than the agreement may go out if it is wrong, or what
    stores do because of it, W.

    suspect: a step of ours was not shown. always_pu: doublets of this step all the time, per unit of the rating; 0:
    not all the time. age_s: from which age evidence is renewed. steps: somebody makes the steps of a doublet; else it
    learns from what the sun does. limited: an export limit is kept by it: nothing more goes out for a step.
    """

    exposed_w: float = 0.0
    suspect: bool = False
    always_pu: float = 0.0
    age_s: float = 240.0
    steps: bool = True
    limited: bool = False


NOTHING_NEEDED = Need(steps=False)


def together(needs: Iterable[Need]) -> Need:
    """All that depends on the one meter."""
    found = NOTHING_NEEDED
    for each in needs:
        found = Need(
            exposed_w=max(found.exposed_w, each.exposed_w),
            suspect=found.suspect or each.suspect,
            always_pu=max(found.always_pu, each.always_pu),
            age_s=min(found.age_s, each.age_s),
            steps=found.steps or each.steps,
            limited=found.limited or each.limited,
        )
    return found
