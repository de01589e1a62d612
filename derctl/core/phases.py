"""One phase of a meter that shows nothing of what the DERs do in it, or the opposite: a clamp that is off or turned.

Judged by the doublets of core/belief.py: what a phase shows of a step less what the DERs gave to it is minus what its
load moved, and knows nothing of the coin. The meter may count its phases in another order than the DERs do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import permutations
from math import exp, log, sqrt

from derctl.core.doublet import Doublet
from derctl.core.evidence import Contradiction
from derctl.core.noise import RATE, TAIL
from derctl.core.types import DerState
from derctl.core.value import replace, value
from derctl.core.words import Doubt

Phases = tuple[float, ...]

SHOWS = (0.0, -1.0)
"""What a wrong phase shows of a step: nothing, or the opposite."""
PHASE_NOISE_W, PHASE_NOISE_MIN_W = 35.0, 10.0
"""What the load of one phase is believed to move between halves, at first and at least."""
NO_FIT = -7.0
"""Log-likelihood of what fits nothing: where a load jumped by more than the step there is no verdict at all."""
PHASE_FROM = 10.0
"""Log of the likelihood ratio from which a phase is given up; there are six ways to be wrong."""
SURE = 18.0
"""Log of the likelihood ratio beyond which more evidence against a phase adds nothing: so it can be found right."""
KEEPS = 0.9
"""What is kept of the evidence for an order of the phases, per doublet."""
NAMES = "ABC"


@value
class Mean:
    """Of one half: sums and counts of the meter's phases and of the DERs', each over its own window."""

    poc_w: Phases = ()
    poc_n: int = 0
    ders_w: Phases = ()
    ders_n: int = 0


@value
class Memory:
    """whole: all phases were known since the doublet began. orders: evidence for each order of the phases.

    against: log-likelihood of each of SHOWS against a right phase, phase by phase. moved_w, shown_w: of each phase in
    the last step.
    """

    whole: bool = False
    first: Mean = Mean()
    second: Mean = Mean()
    noise_w: Phases = ()
    orders: Phases = ()
    against: Phases = ()
    moved_w: Phases = ()
    shown_w: Phases = ()


START = Memory()


def given_w(ders: Sequence[DerState], count: int) -> Phases | None:
    """What the DERs give to each phase; None where that is not known of one that is told what to give."""
    given = [0.0] * count
    for der in ders:
        phases = der.reading.p_phase_w
        if phases is None or len(phases) < count or any(phases[count:]):
            if der.controllable:
                return None
            continue
        for i in range(count):
            given[i] += phases[i]
    return tuple(given)


def step(
    memory: Memory, before: Doublet | None, now: Doublet | None, shown_w: Phases, given_w: Phases | None, dt_s: float
) -> Memory:
    """One tick on. before, now: the doublet of the belief, one tick ago and now. shown_w: the meter's phases."""
    if before is None or now is None or now.at_s <= before.at_s:
        if memory.whole and before is not None and before.at_s + dt_s >= 2.0 * before.half_s:
            memory = _weighed(memory, before)
        whole = now is not None and given_w is not None
        if memory.whole is whole and memory.first is NOTHING is memory.second:
            return memory
        return replace(memory, whole=whole, first=NOTHING, second=NOTHING)
    if given_w is None:
        return replace(memory, whole=False) if memory.whole else memory
    second = now.at_s > now.half_s
    mean = memory.second if second else memory.first
    after = taken_in(mean, shown_w, given_w, now)
    if after is mean:
        return memory
    return replace(memory, second=after) if second else replace(memory, first=after)


NOTHING = Mean()


def taken_in(mean: Mean, shown_w: Phases, given_w: Phases, doublet: Doublet) -> Mean:
    """One tick of the half in which the doublet is. The windows are those of the belief."""
    left_s = doublet.half_s * (2.0 if doublet.at_s > doublet.half_s else 1.0) - doublet.at_s
    window_s, lag_s = doublet.window_s, doublet.late_s
    if left_s < window_s:
        mean = replace(mean, poc_w=_plus(mean.poc_w, shown_w), poc_n=mean.poc_n + 1)
    if lag_s <= left_s < window_s + lag_s:
        mean = replace(mean, ders_w=_plus(mean.ders_w, given_w), ders_n=mean.ders_n + 1)
    return mean


def _plus(a: Phases, b: Phases) -> Phases:
    return tuple([x + y for x, y in zip(a, b, strict=True)]) if a else b


def between(first: Phases, m: int, second: Phases, n: int, coin: float) -> Phases:
    return tuple([coin * (y / n - x / m) for x, y in zip(first, second, strict=True)])


def _weighed(memory: Memory, doublet: Doublet) -> Memory:
    first, second = memory.first, memory.second
    if not (first.poc_n and first.ders_n and second.poc_n and second.ders_n):
        return memory
    coin = doublet.coin if doublet.coded else 1.0
    moved_w = between(first.ders_w, first.ders_n, second.ders_w, second.ders_n, coin)
    shown_w = between(first.poc_w, first.poc_n, second.poc_w, second.poc_n, coin)
    if len(shown_w) != len(memory.noise_w):
        count = len(shown_w)
        memory = Memory(
            noise_w=(PHASE_NOISE_W,) * count,
            orders=(0.0,) * len(_orders(count)),
            against=(0.0,) * (count * len(SHOWS)),
        )
    if not doublet.coded:
        return _quiet(memory, moved_w, shown_w)
    if not 0.5 * doublet.step_w <= sum(moved_w) <= 1.5 * doublet.step_w:
        return memory
    return _judged(memory, moved_w, shown_w)


@cache
def _orders(count: int) -> tuple[tuple[int, ...], ...]:
    return tuple(permutations(range(count)))


def _best(memory: Memory) -> tuple[int, ...]:
    orders = _orders(len(memory.noise_w))
    return orders[max(range(len(orders)), key=lambda i: memory.orders[i])]


def _quiet(memory: Memory, moved_w: Phases, shown_w: Phases) -> Memory:
    """What the load does, where there was no step."""
    noise = list(memory.noise_w)
    for phase, source in enumerate(_best(memory)):
        rate = RATE if abs(shown_w[phase] - moved_w[source]) > noise[phase] else -RATE
        noise[phase] = max(noise[phase] * exp(rate), PHASE_NOISE_MIN_W)
    return replace(memory, noise_w=tuple(noise))


def _judged(memory: Memory, moved_w: Phases, shown_w: Phases) -> Memory:
    noise_w = memory.noise_w
    fits = [
        sum(fit(shown_w[i] - moved_w[source], noise_w[i]) for i, source in enumerate(order))
        for order in _orders(len(noise_w))
    ]
    memory = replace(memory, orders=tuple([KEEPS * x + fit for x, fit in zip(memory.orders, fits, strict=True)]))
    step_w = tuple([moved_w[source] for source in _best(memory)])
    against = [_against(i, shows, noise_w, step_w, shown_w) for i in range(len(noise_w)) for shows in SHOWS]
    against = [min(max(x + more, 0.0), SURE) for x, more in zip(memory.against, against, strict=True)]
    return replace(memory, against=tuple(against), moved_w=step_w, shown_w=shown_w)


def _against(phase: int, shows: float, noise_w: Phases, moved_w: Phases, shown_w: Phases) -> float:
    """The phase has to miss its part, and the sum too: an inverter that feeds unevenly gives to the others what this
    one misses."""
    missed_w = shown_w[phase] - moved_w[phase]
    alone = fit(shown_w[phase] - shows * moved_w[phase], noise_w[phase]) - fit(missed_w, noise_w[phase])
    rest_w = sum(shown_w) - shown_w[phase] - sum(moved_w) + moved_w[phase]
    rest_noise_w = sqrt(sum([w * w for i, w in enumerate(noise_w) if i != phase]))
    return min(alone, fit(rest_w, rest_noise_w) - fit(rest_w + missed_w, rest_noise_w))


def fit(miss_w: float, noise_w: float) -> float:
    """Log-likelihood of what is missed, Student's t, but for a constant."""
    x = miss_w * 0.816 / noise_w
    return max(-0.5 * (TAIL + 1.0) * log(1.0 + x * x / TAIL), NO_FIT)


def contradiction(memory: Memory) -> Contradiction | None:
    """The phase that is wrong, with its numbers."""
    most = max(memory.against, default=0.0)
    if most < PHASE_FROM:
        return None
    phase, shows = divmod(memory.against.index(most), len(SHOWS))
    by = (Doubt.PHASE_LOST, Doubt.PHASE_REVERSED)[shows]
    shown_w, moved_w = round(memory.shown_w[phase]), round(memory.moved_w[phase])
    text = f"the DERs moved {moved_w:,} W in phase {NAMES[phase]}, where the meter shows {shown_w:,} W of it"
    return Contradiction(by=by, text=text)
