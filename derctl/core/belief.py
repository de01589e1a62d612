"""What the meter at the point of connection is believed to be, by steps that a coin chooses.

A doublet is two halves, one low and one high; a coin chooses the order. With r = coin * (step of the meter - step of
the DERs), a right meter shows minus what the load moved, which knows nothing of the coin; a meter of slope s shows
(s - 1) times the step beside that (docs/sources.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from derctl.core.capability import told_w
from derctl.core.evidence import Evidence
from derctl.core.sun import HELD_DOWN
from derctl.core.types import DerState, PocState
from derctl.core.value import replace, value
from derctl.core.words import Belief

SLOPES = (-1.0, 0.0, 0.1, 2.0 / 3.0)
"""What a wrong meter shows of a step: reversed, none, a tenth (a wrong CT ratio), two of three phases."""
DOUBLET_PU = 0.07
"""The step of a doublet, per unit of the DERs' rating."""
STEADY = 0.25
"""The sun alone makes a step where the DERs move by no more than this share of it before the end of each half."""
TAIL = 2.0
"""Degrees of freedom of Student's t: loads jump, and one jump must not decide."""
DOUBTED_FROM = 9.0
"""Log of the likelihood ratio from which a right meter is given up."""
PROVEN_FROM = (8.0, 8.0, 8.0, 6.0)
"""Log of the likelihood ratio that a right meter must have against each of SLOPES."""
RENEWED_FROM = 4.5
"""The same, to renew a proof; against what is told from a right meter in one or two doublets."""
SUSPECT_FROM = 1.5
"""From here on the next doublet doesn't wait."""
LATE_S = 5.0
"""How late a meter may be before it is known how late it is."""
SETTLE_S = 2.0
"""A setpoint on its way and the DERs' own dead time."""
WINDOW_S = 2.0
"""A half is averaged over this, or over one refresh of the meter."""
JITTER_S = 1.0
"""Halves are longer by up to three of these, by the coin's seed, so that no load that cycles keeps time with them."""
NOISE_MIN_W, NOISE_RATE = 15.0, 0.3
"""The least that a load is believed to move, and how fast what it moves is learned, per doublet without a step."""
STILL_S, STILL_REFRESHES = 15.0, 8.0
"""For how long a meter may show exactly the same, DERs moving by DOUBLET_PU, until it is given up."""


@value
class Pace:
    """refresh_s: seconds between two values of the meter, the longest of late. late_s: as measured, None before.

    shown_w, since_s: what it shows, and for how long. low_w, high_w: between what the DERs' sum was meanwhile.
    """

    refresh_s: float = 1.0
    late_s: float | None = None
    shown_w: float | None = None
    since_s: float = 0.0
    low_w: float = 0.0
    high_w: float = 0.0


@value
class Mean:
    """Of one half: sums and counts of the meter and of the DERs, each over its own window.

    low_w, high_w: between what the DERs' sum was in both windows and between them.
    """

    poc_w: float = 0.0
    poc_n: int = 0
    ders_w: float = 0.0
    ders_n: int = 0
    low_w: float | None = None
    high_w: float | None = None


@value
class Doublet:
    """coded: with a step, else only to learn what the load does. coin: +1 low then high. at_s: since it began.

    base_w: the DERs' sum at the start. free: nothing held the DERs, what moved them is the sun.
    moved_s, seen_s: when the second step showed half of itself in the DERs and in the meter.
    """

    coded: bool = False
    coin: float = 1.0
    half_s: float = 6.0
    late_s: float = LATE_S
    window_s: float = WINDOW_S
    at_s: float = 0.0
    base_w: float = 0.0
    step_w: float = 0.0
    free: bool = True
    first: Mean = Mean()
    second: Mean = Mean()
    moved_s: float | None = None
    seen_s: float | None = None


@value
class Memory:
    """against, right: log-likelihood of each of SLOPES against a right meter, and the other way round; never below 0.

    noise_w: what the load moves between halves, the median. seed: of the coin. rested: the last doublet had no step.
    suspect: somebody asked for a doublet now. moves, shows: sums that slope is made of. over: the DERs in the sum.
    """

    belief: Belief = Belief.UNPROVEN
    pace: Pace = Pace()
    doublet: Doublet | None = None
    against: tuple[float, ...] = (0.0,) * len(SLOPES)
    right: tuple[float, ...] = (0.0,) * len(SLOPES)
    noise_w: float = 60.0
    seed: int = 1
    rested: bool = False
    age_s: float | None = None
    suspect: bool = False
    moves: float = 0.0
    shows: float = 0.0
    over: tuple[str, ...] = ()


@value
class Need:
    """What depends on the meter now: exposed_w is what more than the agreement may go out if it is wrong, W.

    suspect: a step of ours was not shown. always: doublets all the time. age_s: from which age evidence is renewed.
    steps: somebody makes the steps of a doublet; else it learns from what the sun does.
    """

    exposed_w: float = 0.0
    suspect: bool = False
    always: bool = False
    age_s: float = 240.0
    steps: bool = True


def start(site: str) -> Memory:
    """Nothing is known. site: its name, from which the coin is thrown, so that a tick can be replayed."""
    seed = 1
    for letter in site:
        seed = (seed * 31 + ord(letter)) % 2**31
    return Memory(seed=_thrown(seed))


def step(
    memory: Memory, ders: Sequence[DerState], poc: PocState | None, need: Need, dt_s: float
) -> tuple[Memory, Evidence]:
    """One tick on. ders: those that can be told, and are heard."""
    age_s = None if memory.age_s is None else memory.age_s + dt_s
    memory = replace(memory, age_s=age_s, suspect=memory.suspect or need.suspect)
    shown_w = None if poc is None or not poc.fresh else poc.reading.p_w
    if shown_w is None:
        memory = replace(memory, belief=Belief.LOST, doublet=None, right=(0.0,) * len(SLOPES))
        return memory, told(memory)
    ders_w = sum(der.reading.p_w or 0.0 for der in ders)
    scale_w = sum(der.rating.per_unit_w for der in ders)
    over = tuple([der.id for der in ders])
    if over != memory.over:  # who comes or goes makes no step
        pace = replace(memory.pace, low_w=ders_w, high_w=ders_w)
        memory = replace(memory, over=over, doublet=None, pace=pace)
    memory = _watched(memory, shown_w, ders_w, scale_w, dt_s)
    doublet = memory.doublet
    if doublet is None:
        memory = replace(memory, doublet=_begun(memory, need, ders_w, scale_w))
    else:
        free = doublet.free and all(map(_free, ders))
        doublet = _measured(replace(doublet, at_s=doublet.at_s + dt_s, free=free), shown_w, ders_w)
        if doublet.at_s >= 2.0 * doublet.half_s:
            memory = _weighed(replace(memory, doublet=None, rested=not doublet.coded), doublet, scale_w)
            memory = replace(memory, doublet=_begun(memory, need, ders_w, scale_w))
        elif not doublet.coded and (coded := _begun(memory, need, ders_w, scale_w)).coded:
            memory = replace(memory, doublet=coded)
        else:
            memory = replace(memory, doublet=doublet)
    return memory, told(memory)


def _free(der: DerState) -> bool:
    told = told_w(der)
    return told is None or (der.reading.p_w or 0.0) < HELD_DOWN * told


def _watched(memory: Memory, shown_w: float, ders_w: float, scale_w: float, dt_s: float) -> Memory:
    """How often it changes; and whether it stands still though DERs moved."""
    pace = memory.pace
    if pace.shown_w is None or shown_w != pace.shown_w:
        since_s = pace.since_s + dt_s
        known = pace.shown_w is not None
        refresh_s = max(since_s, pace.refresh_s + 0.02 * (since_s - pace.refresh_s)) if known else pace.refresh_s
        refresh_s = min(refresh_s, 15.0)
        return replace(
            memory,
            belief=Belief.UNPROVEN if memory.belief is Belief.LOST else memory.belief,
            pace=replace(pace, refresh_s=refresh_s, shown_w=shown_w, since_s=0.0, low_w=ders_w, high_w=ders_w),
        )
    low_w = ders_w if ders_w < pace.low_w else pace.low_w
    high_w = ders_w if ders_w > pace.high_w else pace.high_w
    pace = replace(pace, since_s=pace.since_s + dt_s, low_w=low_w, high_w=high_w)
    still = high_w - low_w >= 0.5 * DOUBLET_PU * scale_w
    if still and pace.since_s >= max(STILL_S, STILL_REFRESHES * _usual(pace)):
        return replace(memory, belief=Belief.LOST, pace=pace, right=(0.0,) * len(SLOPES))
    return replace(memory, pace=pace)


def _usual(pace: Pace) -> float:
    return min(pace.refresh_s, 10.0)


def _begun(memory: Memory, need: Need, ders_w: float, scale_w: float) -> Doublet:
    """The next doublet, with a step where one is wanted and possible."""
    step_w = DOUBLET_PU * scale_w
    coded = need.steps and _wanted(memory, need) and ders_w >= 1.2 * step_w > 0.0
    late_s = LATE_S if memory.pace.late_s is None else memory.pace.late_s + 0.5
    half_s = late_s + memory.pace.refresh_s + SETTLE_S + _window_s(memory.pace)
    half_s += JITTER_S * ((memory.seed >> 17) & 3)
    coin = 1.0 if (memory.seed >> 16) & 1 else -1.0
    return Doublet(
        coded=coded,
        coin=coin,
        half_s=half_s,
        late_s=late_s,
        window_s=_window_s(memory.pace),
        base_w=ders_w,
        step_w=step_w,
    )


def _window_s(pace: Pace) -> float:
    return max(WINDOW_S, pace.refresh_s)


def _wanted(memory: Memory, need: Need) -> bool:
    if need.always or memory.suspect:
        return True
    if memory.belief is not Belief.PROVEN:
        return memory.rested
    if need.exposed_w <= 0.0:
        return False
    return max(memory.against) >= SUSPECT_FROM or memory.age_s is None or memory.age_s >= need.age_s


def _measured(doublet: Doublet, shown_w: float, ders_w: float) -> Doublet:
    """The windows stand at the end of each half; the DERs' is earlier by what the meter is late."""
    second = doublet.at_s > doublet.half_s
    left_s = doublet.half_s * (2.0 if second else 1.0) - doublet.at_s
    mean = doublet.second if second else doublet.first
    window_s, lag_s = doublet.window_s, doublet.late_s
    if left_s < window_s:
        mean = replace(mean, poc_w=mean.poc_w + shown_w, poc_n=mean.poc_n + 1)
    if left_s < window_s + lag_s:
        mean = _spanned(mean, ders_w)
    if lag_s <= left_s < window_s + lag_s:
        mean = replace(mean, ders_w=mean.ders_w + ders_w, ders_n=mean.ders_n + 1)
    if not second:
        return replace(doublet, first=mean)
    half_w = 0.5 * doublet.step_w
    first = doublet.first
    if doublet.moved_s is None and doublet.coin * (ders_w - first.ders_w / max(first.ders_n, 1)) >= half_w:
        doublet = replace(doublet, moved_s=doublet.at_s)
    if doublet.seen_s is None and doublet.coin * (shown_w - first.poc_w / max(first.poc_n, 1)) >= half_w:
        doublet = replace(doublet, seen_s=doublet.at_s)
    return replace(doublet, second=mean)


def _spanned(mean: Mean, ders_w: float) -> Mean:
    low_w = ders_w if mean.low_w is None or ders_w < mean.low_w else mean.low_w
    high_w = ders_w if mean.high_w is None or ders_w > mean.high_w else mean.high_w
    return replace(mean, low_w=low_w, high_w=high_w)


def _span_w(mean: Mean) -> float:
    return (mean.high_w or 0.0) - (mean.low_w or 0.0)


def _weighed(memory: Memory, doublet: Doublet, scale_w: float) -> Memory:
    """What a doublet says: of the load where it had no step, else of the meter."""
    first, second = doublet.first, doublet.second
    if not (first.poc_n and first.ders_n and second.poc_n and second.ders_n):
        return memory
    ders_w = second.ders_w / second.ders_n - first.ders_w / first.ders_n
    poc_w = second.poc_w / second.poc_n - first.poc_w / first.poc_n
    if doublet.coded:
        step_w, coin = doublet.coin * ders_w, doublet.coin
        if not 0.5 * doublet.step_w <= step_w <= 1.5 * doublet.step_w:
            return memory  # sun or load moved more than the coin did
        step_w = doublet.step_w
        memory = _paced(memory, doublet)
    elif doublet.free and abs(ders_w) >= DOUBLET_PU * scale_w:
        if max(_span_w(first), _span_w(second)) > STEADY * abs(ders_w):
            return memory  # how late the meter is decides what it should have shown
        step_w, coin = abs(ders_w), 1.0 if ders_w > 0.0 else -1.0
    else:
        return _quiet(memory, abs(poc_w - ders_w))
    return _judged(memory, coin * (poc_w - ders_w), step_w, coin * poc_w, coded=doublet.coded)


def _quiet(memory: Memory, moved_w: float) -> Memory:
    rate = NOISE_RATE if moved_w > memory.noise_w else -NOISE_RATE
    return replace(memory, noise_w=max(memory.noise_w * exp(rate), NOISE_MIN_W))


def _paced(memory: Memory, doublet: Doublet) -> Memory:
    """How late it was in this step; forgets slowly what was longer."""
    pace = memory.pace
    memory = replace(memory, seed=_thrown(memory.seed), suspect=False)
    if doublet.moved_s is None or doublet.seen_s is None:
        return memory
    late_s = min(max(doublet.seen_s - doublet.moved_s, 0.0), LATE_S)
    if pace.late_s is not None:
        late_s = max(late_s, pace.late_s - 0.2)
    return replace(memory, pace=replace(pace, late_s=late_s))


def _thrown(seed: int) -> int:
    """A linear congruential generator; its upper bits are the coin."""
    return (seed * 1_103_515_245 + 12_345) % 2**31


def _judged(memory: Memory, r_w: float, step_w: float, shown_w: float, *, coded: bool) -> Memory:
    ratios = [_ratio(r_w, (slope - 1.0) * step_w, memory.noise_w / 0.816) for slope in SLOPES]
    against = tuple(max(a + ratio, 0.0) for a, ratio in zip(memory.against, ratios, strict=True))
    right = tuple(max(a - ratio, 0.0) for a, ratio in zip(memory.right, ratios, strict=True))
    memory = replace(
        memory,
        against=against,
        right=right,
        moves=0.9 * memory.moves + step_w * step_w,
        shows=0.9 * memory.shows + step_w * shown_w,
    )
    if max(against) >= DOUBTED_FROM:
        zeros = (0.0,) * len(SLOPES)
        return replace(memory, belief=Belief.DOUBTED, right=zeros, age_s=None)
    proven = memory.belief is Belief.PROVEN
    enough = (RENEWED_FROM,) * 3 if proven else PROVEN_FROM
    if all(a >= b for a, b in zip(right, enough, strict=False)) and max(against) < SUSPECT_FROM:
        kept = (*(0.0,) * 3, right[3]) if proven else (0.0,) * len(SLOPES)
        return replace(memory, belief=Belief.PROVEN, age_s=0.0, right=kept)
    return memory


def _ratio(r_w: float, shift_w: float, scale_w: float) -> float:
    """Log-likelihood of r under a shift against none, Student's t."""
    there, here = (r_w - shift_w) / scale_w, r_w / scale_w
    return 0.5 * (TAIL + 1.0) * log((TAIL + here * here) / (TAIL + there * there))


def told(memory: Memory) -> Evidence:
    """What the memory amounts to."""
    doublet, most_w = memory.doublet, None
    if doublet is not None and doublet.coded:
        low = (doublet.at_s < doublet.half_s) == (doublet.coin > 0.0)
        most_w = doublet.base_w - doublet.step_w if low else doublet.base_w
    return Evidence(
        belief=memory.belief,
        slope=memory.shows / memory.moves if memory.moves > 0.0 else None,
        delay_s=memory.pace.late_s,
        refresh_s=memory.pace.refresh_s,
        confidence=min(memory.right) - max(memory.against),
        age_s=memory.age_s,
        most_w=most_w,
    )
