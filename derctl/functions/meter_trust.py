"""Does the meter at the point of connection follow what the inverters do? A frozen or reversed one does not.

A meter is proven once it followed a step of theirs and one back, and doubted once it slept through some or went
the other way.
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
PROOF_S, USUAL_S = 4.0, 1.0
"""A meter that shows something new more seldom than the second has its refresh more."""
POINT_S = 0.05
"""How close the points of the track stand at least."""
PROOF_OFF, BIG_PU, BIG_OFF = 0.15, 0.3, 0.05
"""So near the meter has to come to it, in shares of the step; once on the way down and once on the way up, since a
load that jumps goes one way. No load is taken for a step as big as the second that is matched within the third."""

PROBE_EVERY_S, PROBE_S, PROBE_PU = 60.0, 5.0, 0.15
"""Until a meter is proven, and while it is doubted, it has no say: load is not counted, and what it alone shows is
not stored.

For PROBE_S in every PROBE_EVERY_S there is a step of this share of the rating, so that it has one to follow
(docs/sources.md)."""
DRAWS_PU = 0.02
"""A store that draws less than this share of its rating draws nothing."""


@value
class Point:
    """Where the inverters and the meter stood at one sample, W. ders: whose powers; ders_w: their sum."""

    t_s: float
    ders: tuple[str, ...]
    powers: tuple[float, ...]
    ders_w: float
    poc_w: float


@value
class Trust:
    """strikes: consecutive steps that the meter contradicted. slept: steps since it last moved at all.

    Doubted from STRIKES on. A meter that is only a sample or two late moves between the inverters' steps.
    judged: where the last step ended, or the inverters' rest; since then squares: the sum of the inverters' squared
    movements, products: of theirs and the meter's. track: the last PROOF_S. went: the
    way of the last step that was matched, -1 or 1; 0: of none; until_s: when it ended, and the next one begins.
    """

    sample: int = -1
    strikes: int = 0
    slept: int = 0
    agreed: int = 0
    doubted: bool = False
    went: float = 0.0
    until_s: float = -1e9
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
    """Take in the meter's newest sample. Steps may take several samples: what small ones add up to is judged; where
    it shows something new every few seconds, within one of those more.

    Where an inverter is heard again, its power is no step: the comparison starts anew. Where one counts no more it
    goes on with the others: the first step of a site is made while it is found out who moves the meter.
    """
    if poc.sample == trust.sample or poc.reading.p_w is None:
        return trust
    heard = {der.id: der.reading.p_w for der in ders if der.reading.p_w is not None}
    here = Point(
        t_s=t_s,
        ders=tuple(heard),
        powers=tuple(heard.values()),
        ders_w=sum(heard.values(), 0.0),
        poc_w=poc.reading.p_w,
    )
    scale = sum(der.rating.per_unit_w for der in ders)
    if scale <= 0.0:  # nobody is heard, or nobody has a rating: no step is measured from here
        return replace(trust, sample=poc.sample, judged=None, track=())
    trust, began = _without(trust, here), trust.judged
    if began is None or not trust.track:
        return _from_here(replace(trust, sample=poc.sample, track=(here,)), here)
    if began.ders != here.ders:
        began = trust.track[-1]
        trust = _from_here(trust, began)
    at_rest = abs(here.ders_w - trust.track[0].ders_w) < REST_PU * scale
    window_s = PROOF_S + max((poc.belief.refresh_s or 0.0) - USUAL_S, 0.0)
    trust = _proved(_added(trust, here, poc.sample, window_s), here, poc.belief.jumps, scale, window_s)
    if abs(here.ders_w - began.ders_w) >= STEP_PU * scale:
        return _from_here(_judged(trust), here)
    return _from_here(trust, here) if at_rest else trust


def _without(trust: Trust, here: Point) -> Trust:
    """The track of those that still count; nothing of it where somebody is new."""
    if not trust.track or trust.track[-1].ders == here.ders:
        return trust
    if not set(here.ders) < set(trust.track[-1].ders):
        return replace(trust, track=())
    return replace(trust, track=tuple([_of(point, here.ders) for point in trust.track]))


def _of(point: Point, ders: tuple[str, ...]) -> Point:
    powers = dict(zip(point.ders, point.powers, strict=True))
    kept = tuple([powers[name] for name in ders])
    return replace(point, ders=ders, powers=kept, ders_w=sum(kept, 0.0))


def _from_here(trust: Trust, here: Point) -> Trust:
    return replace(trust, judged=here, squares=0.0, products=0.0)


def _added(trust: Trust, here: Point, sample: int, window_s: float) -> Trust:
    """The point joins the track; of what is older than the window, the newest stays. Points that come faster than
    POINT_S take the place of the one before, or a fast tick would keep thousands."""
    last = trust.track[-1]
    track = trust.track[max(_old(trust.track, here, window_s) - 1, 0) :]
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


def _old(track: tuple[Point, ...], here: Point, window_s: float) -> int:
    """How many of them are older than that."""
    return sum(1 for _ in takewhile(lambda point: here.t_s - point.t_s >= window_s, track))


def _proved(trust: Trust, here: Point, jumps: Sequence[float], scale: float, window_s: float) -> Trust:
    """Weigh the last few seconds together; a step and one back share none of them. What a load that cycles may have
    done as well proves nothing."""
    moved, off = _followed(trust.track[0], here)
    if abs(moved) >= BIG_PU * scale > 0.0 and off <= BIG_OFF and not _jumped(trust.track[0], here, jumps):
        return replace(trust, went=1.0 if moved > 0.0 else -1.0, until_s=here.t_s, proven=True)
    track = tuple([point for point in trust.track if point.t_s >= trust.until_s])
    moved, off = _followed(track[0], here)
    if abs(moved) < PROOF_PU * scale or moved == 0.0:
        return trust
    way = 1.0 if moved > 0.0 else -1.0
    if off > PROOF_OFF:
        leaving = _old(track, here, window_s) > 0 and abs(here.ders_w - track[1].ders_w) < PROOF_PU * scale
        return replace(trust, went=0.0) if leaving else trust
    if _jumped(track[0], here, jumps):
        return trust
    return replace(trust, went=way, until_s=here.t_s, proven=trust.proven or trust.went == -way)


def _followed(began: Point, here: Point) -> tuple[float, float]:
    """What the inverters moved, and by how much the meter is off that, in shares of it."""
    moved = here.ders_w - began.ders_w
    return moved, abs((here.poc_w - began.poc_w) / moved - 1.0) if moved != 0.0 else 0.0


def _jumped(began: Point, here: Point, jumps: Sequence[float]) -> bool:
    seen_w, near_w = abs(here.poc_w - began.poc_w), PROOF_OFF * abs(here.ders_w - began.ders_w)
    return any(abs(jump - seen_w) <= near_w for jump in jumps)


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
