"""Does the meter at the point of connection follow what the inverters do? A frozen or reversed one does not.

A meter is proven once it followed a step of theirs, and doubted once it slept through some or went the other way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from derctl.core.capability import told_w
from derctl.core.types import DerState, PocState
from derctl.core.value import replace, value

STEP_PU = 0.05
"""A change of the inverters' sum below this share of their rating says nothing about the meter (docs/sources.md)."""
REST_PU = 0.005
"""Inverters that moved less than this within PROOF_S are at rest: what the meter does then the load does."""
AGREES = 0.25
"""The meter must show at least this share of the inverters' step, with its sign; load may hide the rest.

Sample by sample, each with the weight of what the inverters moved in it: what a load does in between counts little.
"""
STRIKES = 3
"""Consecutive contradictions before the meter is doubted, and agreements before it is believed again."""
PROOF_PU = 0.1
"""The step that proves a meter, within PROOF_S (it may be late), in share of the rating (docs/sources.md)."""
PROOF_S = 4.0
POINT_S = 0.05
"""How close the points of the track stand at least."""
PROVEN = 2
"""Points that prove: a step matched within a quarter gives two; within a half, as it leaves PROOF_S behind, one."""

PROBE_EVERY_S, PROBE_S, PROBE_PU = 60.0, 5.0, 0.15
"""Until a meter is proven, and while it is doubted, it has no say: load is not counted, and what it alone shows is
not stored.

For PROBE_S in every PROBE_EVERY_S there is a step of this share of the rating, so that it has one to follow
(docs/sources.md)."""
DRAWS_PU = 0.02
"""A store that draws less than this share of its rating draws nothing."""


@value
class Point:
    """Where the inverters' sum and the meter stood at one sample, W. ders: who is in the sum."""

    t_s: float
    ders: tuple[str, ...]
    ders_w: float
    poc_w: float


@value
class Trust:
    """strikes: consecutive steps that the meter contradicted. slept: steps since it last moved at all.

    Doubted from STRIKES on. A meter that is only a sample or two late moves between the inverters' steps.
    judged: where the last step ended, or the inverters' rest; since then squares: the sum of the inverters' squared
    movements, products: of theirs and the meter's. track: the last PROOF_S. points: towards being proven.
    """

    sample: int = -1
    strikes: int = 0
    slept: int = 0
    agreed: int = 0
    doubted: bool = False
    points: int = 0
    proven: bool = False
    judged: Point | None = None
    squares: float = 0.0
    products: float = 0.0
    track: tuple[Point, ...] = ()


def probing(unproven_s: float) -> bool:
    """Whether it is time for a step. unproven_s: for how long the meter has been heard without following one."""
    return unproven_s % PROBE_EVERY_S < PROBE_S


def passed_s(unproven_s: float, ders: Iterable[DerState], dt_s: float) -> float:
    """One tick on. A step does not end while a store that is told to charge draws nothing: that does no harm,
    whatever the meter, and what is asked has to stand until it is seen that it is not followed."""
    after_s = unproven_s + dt_s
    ends = probing(unproven_s) and not probing(after_s)
    return unproven_s if ends and any(map(_idles, ders)) else after_s


def _idles(der: DerState) -> bool:
    told, p_w, least_w = told_w(der), der.reading.p_w, -DRAWS_PU * der.rating.size_w
    return der.can.store and told is not None and told < least_w and p_w is not None and p_w >= least_w


def shown_pu(trust: Trust, unproven_s: float) -> float:
    """What of an export that only the meter shows counts (SiteProposal.meter_pu): before the proof now and then a
    step, no more, since a wrong meter may show any export for good."""
    if trust.doubted:
        return 0.0
    if trust.proven:
        return 1.0
    return PROBE_PU if probing(unproven_s) else 0.0


def weigh(trust: Trust, poc: PocState, ders: Sequence[DerState], t_s: float) -> Trust:
    """Take in the meter's newest sample. Steps may take several samples: what small ones add up to is judged.

    Where an inverter is not heard any more or again, its power is no step: the comparison starts anew.
    """
    if poc.sample == trust.sample or poc.reading.p_w is None:
        return trust
    heard = {der.id: der.reading.p_w for der in ders if der.reading.p_w is not None}
    here = Point(t_s=t_s, ders=tuple(heard), ders_w=sum(heard.values(), 0.0), poc_w=poc.reading.p_w)
    scale = sum(der.rating.per_unit_w for der in ders)
    if scale <= 0.0:  # nobody is heard, or nobody has a rating: no step is measured from here
        return replace(trust, sample=poc.sample, judged=None, track=())
    began = trust.judged
    if began is None or not trust.track or began.ders != here.ders:
        return _from_here(replace(trust, sample=poc.sample, track=(here,)), here)
    at_rest = abs(here.ders_w - trust.track[0].ders_w) < REST_PU * scale
    trust = _proved(_added(trust, here, poc.sample), here, scale)
    if abs(here.ders_w - began.ders_w) >= STEP_PU * scale:
        return _from_here(_judged(trust), here)
    return _from_here(trust, here) if at_rest else trust


def _from_here(trust: Trust, here: Point) -> Trust:
    return replace(trust, judged=here, squares=0.0, products=0.0)


def _added(trust: Trust, here: Point, sample: int) -> Trust:
    """The point joins the track; of what is older than PROOF_S, the newest stays. Points that come faster than
    POINT_S take the place of the one before, or a fast tick would keep thousands."""
    last = trust.track[-1]
    track = trust.track[max(_old(trust.track, here) - 1, 0) :]
    if len(track) > 1 and here.t_s - track[-2].t_s < POINT_S:
        track = track[:-1]
    moved, seen = here.ders_w - last.ders_w, here.poc_w - last.poc_w
    return replace(
        trust,
        sample=sample,
        slept=trust.slept if seen == 0.0 else 0,
        squares=trust.squares + moved * moved,
        products=trust.products + moved * seen,
        track=(*track, here),
    )


def _old(track: tuple[Point, ...], here: Point) -> int:
    """How many of them are older than PROOF_S."""
    return sum(1 for _ in takewhile(lambda point: here.t_s - point.t_s >= PROOF_S, track))


def _proved(trust: Trust, here: Point, scale: float) -> Trust:
    """Weigh the last few seconds together; those that proved something are not weighed again."""
    track = trust.track
    moved, shown = here.ders_w - track[0].ders_w, here.poc_w - track[0].poc_w
    if abs(moved) < PROOF_PU * scale or moved == 0.0:
        return trust
    off = abs(shown / moved - 1.0)
    leaving = _old(track, here) > 0 and abs(here.ders_w - track[1].ders_w) < PROOF_PU * scale
    if off > (0.5 if leaving else 0.25):
        return replace(trust, points=0) if shown * moved < 0.0 else trust
    points = trust.points + (2 if off <= 0.25 else 1)
    return replace(trust, track=(here,), points=points, proven=trust.proven or points >= PROVEN)


def _judged(trust: Trust) -> Trust:
    if trust.products >= AGREES * trust.squares:
        agreed = trust.agreed + 1
        return replace(trust, strikes=0, agreed=agreed, doubted=trust.doubted and agreed < STRIKES)
    if trust.products == 0.0:
        slept = trust.slept + 1
        return replace(trust, slept=slept, agreed=0, doubted=trust.doubted or slept >= STRIKES)
    if trust.products <= -AGREES * trust.squares:
        strikes = trust.strikes + 1
        return replace(trust, strikes=strikes, agreed=0, doubted=trust.doubted or strikes >= STRIKES)
    return trust
