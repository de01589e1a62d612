"""What stood in a device before derctl wrote it: somebody's limit binds until it is lifted, all else rises on a ramp.

Pure; daemon/standings carries it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from derctl.core.requests import LimitRequest
from derctl.core.types import NOTHING, DerState
from derctl.core.value import replace, value
from derctl.devices import Profile

RISE_PU_PER_S = 0.1
"""How fast a limit that stood in a device is relaxed, share of the rating (docs/sources.md)."""
SAME_PU = 0.005
"""Limits nearer to each other than this share of the rating are one and the same: registers have steps."""


@value
class Standing:
    """limit_w: somebody else's limit that was found, None: none. lifted: an operator said that it need not be kept.

    own_w: what stood last while derctl had written, None: it never had. rise_w: the most that it gets now, None: its
    rating. rest_w: where one rests that takes targets alone, None: at 0 W.
    """

    limit_w: float | None = None
    lifted: bool = False
    own_w: float | None = None
    rise_w: float | None = None
    rest_w: float | None = None

    @property
    def found_w(self) -> float | None:
        """The found limit, while it has to be kept."""
        return None if self.lifted else self.limit_w


def read_w(der: DerState, profile: Profile, *, settled: bool = True) -> float | None:
    """The limit that a device reads back, its full rating where it holds none; None where it tells nothing now.

    What can't be read back, and what the measured power contradicts, is no limit. settled: it has stood for long
    enough that the power had to follow.
    """
    ceiling_w = (der.reading.accepted or NOTHING).p_ceiling_w
    if not der.fresh or not der.can.limit or profile.readback == "effect_only" or ceiling_w is None:
        return None
    most_w = ceiling_w + profile.tolerance_pct / 100.0 * der.rating.size_w
    if settled and der.reading.p_w is not None and der.reading.p_w > most_w:
        return der.rating.p_max_w
    return min(ceiling_w, der.rating.p_max_w)


def told_by_power(der: DerState, profile: Profile, limit_w: float, *, settled: bool) -> bool:
    """Whether the power tells by now that this is a limit, or that it is none: one that gives more may be on its way
    down, and that one gives nothing under a limit of nothing may be the night."""
    if near(limit_w, der.rating.p_max_w, der.rating.p_max_w):
        return True
    small_w, p_w = profile.tolerance_pct / 100.0 * der.rating.size_w, der.reading.p_w
    if limit_w <= small_w and (p_w is None or p_w <= small_w):
        return False
    return settled or p_w is None or p_w <= limit_w + small_w


def near(a: float | None, b: float | None, full_w: float) -> bool:
    """Whether both are the same limit."""
    return a is not None and b is not None and abs(a - b) <= SAME_PU * full_w


def come_back(standing: Standing, reads_w: float, full_w: float) -> Standing:
    """What derctl wrote stands in it: it starts there. A limit that was found before that counts, whatever a timer
    made of it since."""
    return _starting(replace(standing, own_w=reads_w), reads_w, full_w)


def watched(standing: Standing, reads_w: float, full_w: float, own: Iterable[float | None]) -> Standing:
    """Nothing of derctl's is to be kept in it, and this stands. own: the limits that a release may have left."""
    if near(reads_w, full_w, full_w):
        return Standing(own_w=standing.own_w)
    if any(near(reads_w, limit_w, full_w) for limit_w in (standing.own_w, *own)):
        own_w = reads_w if standing.own_w is None else standing.own_w
        return replace(standing, own_w=own_w, rise_w=reads_w)
    if near(reads_w, standing.limit_w, full_w):
        return replace(standing, rise_w=reads_w)
    return Standing(limit_w=reads_w, own_w=standing.own_w, rise_w=reads_w)


def _starting(standing: Standing, reads_w: float, full_w: float) -> Standing:
    return replace(standing, rise_w=None if near(reads_w, full_w, full_w) else reads_w)


def risen(standing: Standing, reads_w: float | None, full_w: float, dt_s: float) -> Standing:
    """A tick in which it is written: up the ramp, to the limit that was found, or until nothing binds."""
    if reads_w is not None and reads_w != standing.own_w:
        standing = replace(standing, own_w=reads_w)
    if standing.rise_w is None:
        return standing
    goal_w = full_w if standing.found_w is None else min(standing.found_w, full_w)
    up_w = min(goal_w, standing.rise_w + RISE_PU_PER_S * full_w * dt_s)
    return replace(standing, rise_w=None if up_w >= goal_w else up_w)


def resting(rest_w: float | None, der: DerState, dt_s: float, *, written: bool) -> float | None:
    """What it gives by itself while it isn't written; from there to 0 W on the ramp."""
    if not der.can.rest:
        return None
    if not written:
        return der.reading.p_w
    if rest_w is None:
        return None
    left_w = abs(rest_w) - RISE_PU_PER_S * der.rating.size_w * dt_s
    return math.copysign(left_w, rest_w) if left_w > 0.0 else None


def lifted(standing: Standing) -> Standing:
    """An operator's word: the limit that was found need not be kept. It is relaxed on the ramp."""
    if standing.found_w is None:
        return standing
    rise_w = standing.limit_w if standing.rise_w is None else standing.rise_w
    return replace(standing, lifted=True, rise_w=rise_w)


def halted(standing: Standing, der: DerState, reads_w: float | None, *, blind: bool) -> Standing:
    """A tick in which nobody may be raised: it keeps what stands in it; one that tells no limit, what it gave first.

    A store is not made to charge on by this: it may always come to rest. blind: what reads back is worth nothing.
    """
    p_w = der.reading.p_w
    if not der.can.limit:
        told_w = None if blind else (der.reading.accepted or NOTHING).p_target_w
        present_w = p_w if told_w is None else told_w
        return replace(standing, rise_w=None if present_w is None else max(present_w, 0.0))
    if reads_w is not None:
        return _starting(standing, reads_w, der.rating.p_max_w)
    return standing if standing.rise_w is not None else replace(standing, rise_w=p_w)


def asserted(request: LimitRequest, ders: Sequence[tuple[DerState, Profile]]) -> bool:
    """Whether an operator's limit stands in the devices that it concerns, by what they read back, or, where they
    can't be read back, by what was written to them since. ders: those that derctl may write."""
    concerned = [(der, profile) for der, profile in ders if request.der in {None, der.id}]
    if not all(der.fresh for der, _ in concerned):
        return False
    steered = [(der, profile) for der, profile in concerned if der.can.steer]
    others_w = sum(max(der.reading.p_w or 0.0, 0.0) for der, _ in concerned if not der.can.steer)
    told = [_held_w(der, profile) for der, profile in steered]
    allowed_w = max(request.p_ceiling_w - others_w, 0.0) + sum(SAME_PU * der.rating.size_w for der, _ in steered)
    known = [max(each, 0.0) for each in told if each is not None]
    return len(known) == len(told) and sum(known) <= allowed_w


def _held_w(der: DerState, profile: Profile) -> float | None:
    """The most that a device holds to; None: not known."""
    if profile.readback == "effect_only":
        held = der.written or NOTHING
        ceiling_w, target_w = held.p_ceiling_w, held.p_target_w
    else:
        held = der.reading.accepted or NOTHING
        ceiling_w, target_w = (read_w(der, profile) if der.can.limit else None), held.p_target_w
    known = [each for each in (ceiling_w, target_w) if each is not None]
    return min(known, default=None)
