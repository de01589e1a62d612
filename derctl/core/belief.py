"""What the meter at the point of connection is believed to be, by steps that a coin chooses.

A doublet is two halves, one low and one high; a coin chooses the order. With r = coin * (step of the meter - step of
the DERs), a right meter shows minus what the load moved, which knows nothing of the coin; a meter of slope s shows
(s - 1) times the step beside that (docs/sources.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from derctl.core import pace
from derctl.core.capability import DARK, least_rise_w, told_w
from derctl.core.could import HELD_DOWN
from derctl.core.doublet import (
    ALIKE,
    NOTHING,
    WINDOW_S,
    Doublet,
    Mean,
    between,
    ended_low,
    known,
    low_w,
    made,
    measured,
    span_w,
)
from derctl.core.evidence import NOTHING_NEEDED, Evidence, Need
from derctl.core.noise import APART, UNKNOWN, Noise, again, jumping, learned, passed, ratio, spread_w
from derctl.core.pace import LATE_S, Pace
from derctl.core.types import DerState, PocState
from derctl.core.value import replace, value
from derctl.core.words import Belief

SLOPES = (-1.0, 0.0, 0.1, 2.0 / 3.0)
"""What a wrong meter shows of a step: reversed, none, a tenth (a wrong CT ratio), two of three phases."""
DOUBLET_PU = 0.07
"""The step of a doublet, per unit of the DERs' rating."""
CALM_PU, CALM_SPREADS = 0.04, 16.0
"""Where a proof is renewed, and nothing jumps again and again, it is so many times what the load spreads by, and at
least so much: a larger one tells no more of the meter, and costs sun."""
RISE_PU, RISE_MIN_PU, RISE_MARGIN_W = 0.04, 0.01, 50.0
"""Where there is nothing to dip: a rise by so much at most, and at least, into what the meter shows as import, less
this. A dip is as small where there is no more to dip."""
RISE_SPREADS = 2.0
"""A rise is so many times what the load spreads by, at least."""
DIP_SPREADS = 8.0
"""What is dipped of little before a proof is so many times that, at least: as a usual step beside a usual load."""
QUICK_S, QUICK_RISES, QUICK_REFRESH_S = 0.5, 4, 3.0
"""As long as it is not known how late a meter is, so many rises take one that refreshes so often for no later than
QUICK_S. It can be proven by them and not doubted: one that is later shows them as the coin falls."""
GIVEN_UP = (Belief.DOUBTED, Belief.LOST)
RESTS, DOUBTED_RESTS, RESTED_MAX = 1, 3, 8
"""So many doublets without a step after each one with a step, until it is proven, and while it is doubted. A rise may
follow another one: it takes nothing from anybody. RESTED_MAX of them live on what was learned before."""
STEADY = 0.25
"""The sun alone makes a step where the DERs move by no more than this share of it before the end of each half."""
DOUBTED_FROM = 9.0
"""Log of the likelihood ratio from which a right meter is given up."""
PROVEN_FROM = (8.0, 8.0, 8.0, 6.0)
RISEN_FROM = (8.0, 8.0, 8.0, 2.5)
"""Log of the likelihood ratio that a right meter must have against each of SLOPES; after a rise, which is too small
to tell two phases of three for certain: what depends on it then tells them."""
RENEWED_FROM = 4.5
"""The same, to renew a proof; against what is told from a right meter in one or two doublets."""
SUSPECT_FROM = 1.5
"""From here on the next doublet doesn't wait."""
SETTLE_S = 2.0
"""A setpoint on its way and the DERs' own dead time."""
JITTER_S = 1.0
"""Halves are longer by up to three of these, by the coin's seed, so that no load that cycles keeps time with them."""


@value
class Rises:
    """made: rises since the last proof. low_w: what the meter showed in the low half of one that was just made, None
    after anything else."""

    made: int = 0
    low_w: float | None = None


NO_RISES = Rises()


@value
class Followed:
    """What the slope is made of: squares of what the DERs moved, and that times what the meter showed."""

    moves: float = 0.0
    shows: float = 0.0


NOT_FOLLOWED = Followed()


@value
class Memory:
    """against, right: log-likelihood of each of SLOPES against a right meter, and the other way round; never below 0.

    noise: what the load moves between halves. seed: of the coin. rested: doublets without a step since
    the last with one. suspect: somebody asked for a doublet now.
    over: the DERs in the sum. heard: whether it is; need: of the last tick.
    """

    belief: Belief = Belief.UNPROVEN
    pace: Pace = Pace()
    doublet: Doublet | None = None
    against: tuple[float, ...] = (0.0,) * len(SLOPES)
    right: tuple[float, ...] = (0.0,) * len(SLOPES)
    noise: Noise = UNKNOWN
    seed: int = 1
    rested: int = 0
    rises: Rises = NO_RISES
    age_s: float | None = None
    suspect: bool = False
    followed: Followed = NOT_FOLLOWED
    over: tuple[str, ...] = ()
    heard: bool = True
    need: Need = NOTHING_NEEDED


def start(site: str) -> Memory:
    """Nothing is known. site: its name, from which the coin is thrown, so that a tick can be replayed."""
    seed = 1
    for letter in site:
        seed = (seed * 31 + ord(letter)) % 2**31
    return Memory(seed=_thrown(seed))


def needing(memory: Memory, need: Need) -> Memory:
    """After the functions have spoken: what depends on the meter until the next tick."""
    return memory if need == memory.need else replace(memory, need=need)


def unmoved(memory: Memory) -> Memory:
    """While nothing is written nobody makes a step."""
    doublet = None if memory.doublet is None or memory.doublet.coded else memory.doublet
    return replace(memory, need=NOTHING_NEEDED, doublet=doublet)


def step(
    memory: Memory, ders: Sequence[DerState], poc: PocState | None, need: Need, dt_s: float
) -> tuple[Memory, Evidence]:
    """One tick on. ders: those that are heard, and not on trial. What is not heard is not believed; once it is heard
    again, what was known of it is as old as it is."""
    age_s = None if memory.age_s is None else memory.age_s + dt_s
    shown_w = None if poc is None or not poc.fresh else poc.reading.p_w
    heard, suspect = shown_w is not None, memory.suspect or need.suspect
    memory = replace(memory, age_s=age_s, suspect=suspect, heard=heard)
    if shown_w is None:
        memory = replace(memory, doublet=None)
        return memory, told(memory)
    sight = _sight(ders, shown_w)
    over = tuple([der.id for der in ders])
    if over != memory.over:  # who comes or goes makes no step
        memory = replace(memory, over=over, doublet=None, pace=pace.other(memory.pace, sight.ders_w))
    memory = _watched(memory, sight, dt_s)
    return (after := _on(memory, need, sight, dt_s)), told(after)


def _on(memory: Memory, need: Need, sight: _Sight, dt_s: float) -> Memory:
    """The doublet one tick on, or the next one."""
    doublet = memory.doublet
    if doublet is None:
        return replace(memory, doublet=_begun(memory, need, sight))
    if doublet.coded and (not need.steps or _in_vain(memory, need, doublet)):
        return replace(memory, doublet=None)
    before_s, free = doublet.at_s, doublet.free and all(map(_free, sight.ders))
    doublet = measured(replace(doublet, at_s=doublet.at_s + dt_s, free=free), sight.shown_w, sight.ders_w)
    if doublet.at_s >= 2.0 * doublet.half_s:
        lead = NOTHING if ended_low(doublet) else doublet.second
        memory = weighed(replace(memory, doublet=None), doublet, sight.scale_w)
        return replace(memory, doublet=_begun(memory, need, sight, lead))
    memory = replace(memory, doublet=doublet)
    if doublet.coded:
        return memory
    lead = doublet.first if before_s < doublet.half_s <= doublet.at_s else NOTHING
    coded = _begun(memory, need, sight, lead) if _wanted(memory, need, lead) else doublet
    return replace(memory, doublet=coded) if coded.coded else memory


def _in_vain(memory: Memory, need: Need, doublet: Doublet) -> bool:
    """Before its dip, which nobody needs any more: the sun that was let out by the meter's word has gone."""
    before = doublet.coin < 0.0 and doublet.at_s < doublet.half_s and not doublet.rise
    asked = need.exposed_w > 0.0 or need.always_pu > 0.0 or memory.suspect
    return before and not asked and memory.belief not in GIVEN_UP


class _Sight(NamedTuple):
    """ders: who is in the sum, steered: who of them may be moved. scale_w: what a step is a share of."""

    ders: Sequence[DerState]
    steered: Sequence[DerState]
    shown_w: float
    ders_w: float
    scale_w: float


def power_w(der: DerState) -> float | None:
    """What it gives, or gave a moment ago; None: not known. One that says that it is dark gives nothing."""
    if der.reading.p_w is not None:
        return der.reading.p_w
    return 0.0 if der.reading.status in DARK else der.seen_w


def _sight(ders: Sequence[DerState], shown_w: float) -> _Sight:
    steered = [der for der in ders if der.controllable and der.can.volatile]
    ders_w, scale_w = 0.0, 0.0
    for der in ders:
        ders_w += power_w(der) or 0.0
    for der in steered or ders:
        scale_w += der.rating.per_unit_w
    return _Sight(ders, steered, shown_w, ders_w, scale_w)


def _free(der: DerState) -> bool:
    told = told_w(der)
    return told is None or (der.reading.p_w or 0.0) < HELD_DOWN * told


def _watched(memory: Memory, sight: _Sight, dt_s: float) -> Memory:
    """Whether it changes at all; one that stands still though DERs moved is lost until it changes."""
    paced = pace.step(memory.pace, sight.shown_w, sight.ders_w, sight.scale_w, dt_s)
    jumped_w = pace.alone_w(memory.pace, paced, APART)
    if jumped_w > 0.0:
        memory = replace(memory, noise=jumping(memory.noise, jumped_w))
    if pace.still(paced, sight.scale_w):
        return replace(memory, belief=Belief.LOST, pace=paced, right=(0.0,) * len(SLOPES), age_s=None)
    back = memory.belief is Belief.LOST and paced.since_s == 0.0
    return replace(memory, belief=Belief.UNPROVEN if back else memory.belief, pace=paced)


def _begun(memory: Memory, need: Need, sight: _Sight, lead: Mean = NOTHING) -> Doublet:
    """The next doublet, with a step where one is wanted and possible."""
    step = _stepped(memory, need, sight) if _wanted(memory, need, lead) else NO_STEP
    quick = step.rise and _quick(memory)
    known_s = LATE_S if memory.pace.late_s is None else memory.pace.late_s + 0.5
    late_s = QUICK_S if quick else known_s
    half_s = late_s + memory.pace.refresh_s + SETTLE_S + _window_s(memory.pace)
    if not quick:
        half_s += _jitter_s(memory, need, coded=step.step_w > 0.0)
    coin = 1.0 if (memory.seed >> 16) & 1 else -1.0
    return Doublet(
        coded=step.step_w > 0.0,
        coin=coin,
        half_s=half_s,
        late_s=late_s,
        window_s=_window_s(memory.pace),
        base_w=sight.ders_w,
        step_w=step.step_w,
        rise=step.rise,
        quick=quick,
        lead=lead,
    )


def _jitter_s(memory: Memory, need: Need, *, coded: bool) -> float:
    """Where steps follow one another there is less of it, and none where nobody is moved."""
    if need.always_pu > 0.0 and not coded:
        return 0.0
    return (0.5 if need.always_pu > 0.0 else 1.0) * JITTER_S * ((memory.seed >> 17) & 3)


def _quick(memory: Memory) -> bool:
    known = memory.pace
    return known.late_s is None and known.refresh_s <= QUICK_REFRESH_S and memory.rises.made < QUICK_RISES


class _Step(NamedTuple):
    step_w: float
    rise: bool = False


NO_STEP = _Step(0.0)


def _stepped(memory: Memory, need: Need, sight: _Sight) -> _Step:
    """What is possible. Who gives can give less for a moment; where nobody does, somebody gives of an import that the
    meter shows; where that is none, a little is dipped of the little that is given. Before a proof that little has to
    stand out of what the load does; it is dipped where it is more than may be given."""
    given_w = sum(max(power_w(der) or 0.0, 0.0) for der in sight.steered)
    step_w = need.always_pu * sight.scale_w or _dip_w(memory, sight.scale_w)
    if given_w >= 1.2 * step_w > 0.0:
        return _Step(step_w)
    up_w, least_w = _rise_w(memory, sight), RISE_MIN_PU * sight.scale_w
    dip_w = given_w / 1.2
    if memory.belief is not Belief.PROVEN:
        dip_w = dip_w if dip_w >= max(up_w, DIP_SPREADS * spread_w(memory.noise)) else 0.0
        up_w = up_w if dip_w < least_w else 0.0
    if up_w > 0.0:
        return _Step(up_w, rise=True)
    return _Step(dip_w) if dip_w >= max(least_w, 2.0 * memory.noise.usual_w) > 0.0 else NO_STEP


def _dip_w(memory: Memory, scale_w: float) -> float:
    """Of a usual step."""
    most_w = DOUBLET_PU * scale_w
    if memory.belief is not Belief.PROVEN or memory.suspect or again(memory.noise):
        return most_w
    return min(max(CALM_SPREADS * spread_w(memory.noise), CALM_PU * scale_w), most_w)


def _rise_w(memory: Memory, sight: _Sight) -> float:
    """How far the sum may rise, 0: not at all. Right after a rise DERs still give of it, and the import is what it
    was without. Where no export is limited stores draw less, of what they draw."""
    awake = [der for der in sight.steered if der.reading.status not in DARK]
    low_w = memory.rises.low_w
    shown_w = sight.shown_w if low_w is None else min(sight.shown_w, low_w)
    free_w = -shown_w - RISE_MARGIN_W
    if not memory.need.limited:
        free_w = max(free_w, -sum(min(power_w(der) or 0.0, 0.0) for der in awake if der.can.store))
    up_w = min(RISE_PU * sight.scale_w, free_w, sum(map(_room_w, awake)))
    least_w = max(RISE_MIN_PU * sight.scale_w, RISE_SPREADS * spread_w(memory.noise), least_rise_w(awake))
    return up_w if up_w >= least_w else 0.0


def _room_w(der: DerState) -> float:
    most_w = der.rating.p_max_w if der.most_w is None else der.most_w
    return max(most_w - (power_w(der) or 0.0), 0.0)


def _window_s(pace: Pace) -> float:
    return max(WINDOW_S, pace.refresh_s)


def _wanted(memory: Memory, need: Need, lead: Mean) -> bool:
    """Where nothing depends on it nobody is moved, but for one that is given up: else it stayed so for good.

    lead: where the DERs stood before, not moved. Where steps follow one another it is needed: one that ends low and
    the next that begins there would take them down, step by step.
    """
    if not need.steps:
        return False
    always = need.always_pu > 0.0
    if memory.suspect:
        return True
    if always and memory.belief is not Belief.UNPROVEN:
        return memory.rested >= RESTS or known(lead)
    if memory.belief in GIVEN_UP:
        return memory.rested >= DOUBTED_RESTS
    if need.exposed_w <= 0.0 and not always:
        return False
    if memory.belief is Belief.UNPROVEN:
        return memory.rested >= RESTS
    return max(memory.against) >= SUSPECT_FROM or memory.age_s is None or memory.age_s >= need.age_s


def due(memory: Memory) -> bool:
    """A step is made, or is wanted: who comes and goes would else be moved so often that there never was one."""
    if memory.doublet is not None and memory.doublet.coded:
        return True
    old = memory.age_s is not None and memory.age_s >= memory.need.age_s
    return memory.suspect or memory.belief in GIVEN_UP or (memory.need.exposed_w > 0.0 and old)


def weighed(memory: Memory, doublet: Doublet, scale_w: float) -> Memory:
    """What a doublet says: of the load where it had no step, else of the meter."""
    first, second = doublet.first, doublet.second
    memory = replace(
        memory, rested=_rested(memory.rested, doublet), rises=replace(memory.rises, low_w=low_w(doublet))
    )
    if not (known(first) and known(second)):
        return memory
    ders_w, poc_w = between(first, second)
    if doublet.coded:
        memory = _learned(replace(memory, seed=_thrown(memory.seed)), doublet)
        moved = made(doublet)
        if moved is None:
            return memory  # sun or load moved more than the coin did
        ders_w, poc_w, coin = moved
        step_w = min(coin * ders_w, doublet.step_w) if doublet.rise else coin * ders_w
        rises = replace(memory.rises, made=memory.rises.made + 1 if doublet.rise else 0)
        memory = replace(memory, suspect=False, rises=rises)
    elif doublet.free and abs(ders_w) >= DOUBLET_PU * scale_w:
        memory = replace(memory, noise=passed(memory.noise))
        if max(span_w(first), span_w(second)) > STEADY * abs(ders_w):
            return memory  # how late the meter is decides what it should have shown
        step_w, coin = abs(ders_w), 1.0 if ders_w > 0.0 else -1.0
    else:
        return replace(memory, noise=passed(learned(memory.noise, poc_w, ders_w)))
    return _judged(memory, _Shown(coin * (poc_w - ders_w), step_w, coin * poc_w, doublet.rise, doublet.quick))


def _learned(memory: Memory, doublet: Doublet) -> Memory:
    """What the load did between what was before a dip and its high half."""
    high = doublet.second if doublet.coin > 0.0 else doublet.first
    noise = memory.noise
    if not doublet.rise and known(doublet.lead):
        ders_w, poc_w = between(doublet.lead, high)
        noise = learned(noise, poc_w, ders_w) if abs(ders_w) <= ALIKE * doublet.step_w else noise
    return replace(memory, noise=passed(noise))


def _rested(rested: int, doublet: Doublet) -> int:
    if doublet.rise:
        return max(rested - RESTS, 0)
    return 0 if doublet.coded else min(rested + 1, RESTED_MAX)


def _thrown(seed: int) -> int:
    """A linear congruential generator; its upper bits are the coin."""
    return (seed * 1_103_515_245 + 12_345) % 2**31


class _Shown(NamedTuple):
    """What the meter made of a step: what it showed beside it, and of it."""

    r_w: float
    step_w: float
    shown_w: float
    rise: bool
    quick: bool


def _judged(memory: Memory, shown: _Shown) -> Memory:
    step_w = shown.step_w
    ratios = [ratio(memory.noise, shown.r_w, (slope - 1.0) * step_w) for slope in SLOPES]
    against = memory.against
    if not shown.quick:
        against = tuple(max(a + more, 0.0) for a, more in zip(against, ratios, strict=True))
    right = tuple(max(a - more, 0.0) for a, more in zip(memory.right, ratios, strict=True))
    memory = replace(
        memory,
        against=against,
        right=right,
        followed=Followed(
            moves=0.9 * memory.followed.moves + step_w * step_w,
            shows=0.9 * memory.followed.shows + step_w * shown.shown_w,
        ),
    )
    if max(against) >= DOUBTED_FROM:
        zeros = (0.0,) * len(SLOPES)
        against = tuple(min(each, DOUBTED_FROM) for each in against)
        return replace(memory, belief=Belief.DOUBTED, against=against, right=zeros, age_s=None)
    proven = memory.belief is Belief.PROVEN
    first = RISEN_FROM if shown.rise else PROVEN_FROM
    enough = (RENEWED_FROM,) * 3 if proven else first
    if all(a >= b for a, b in zip(right, enough, strict=False)) and max(against) < SUSPECT_FROM:
        kept = (*(0.0,) * 3, right[3]) if proven else (0.0,) * len(SLOPES)
        return replace(memory, belief=Belief.PROVEN, age_s=0.0, right=kept, rises=replace(memory.rises, made=0))
    return memory


def told(memory: Memory) -> Evidence:
    """What the memory amounts to."""
    doublet, most_w, followed = memory.doublet, None, memory.followed
    dip_w, rise_w = 0.0, 0.0
    if doublet is not None and doublet.coded:
        low = (doublet.at_s < doublet.half_s) == (doublet.coin > 0.0)
        rise_w = doublet.step_w if doublet.rise and not low else 0.0
        dip_w = doublet.step_w if low and not doublet.rise else 0.0
        most_w = doublet.base_w - dip_w + rise_w
    return Evidence(
        belief=memory.belief if memory.heard else Belief.LOST,
        slope=followed.shows / followed.moves if followed.moves > 0.0 else None,
        delay_s=memory.pace.late_s,
        refresh_s=memory.pace.refresh_s,
        confidence=min(memory.right) - max(memory.against),
        age_s=memory.age_s,
        most_w=most_w,
        dip_w=dip_w,
        rise_w=rise_w,
        limited=memory.need.limited,
        steps=memory.need.steps,
        jumps=again(memory.noise),
    )


def contradicted(memory: Memory) -> Memory:
    """Something else speaks against it: it has to be proven anew."""
    if memory.belief is Belief.LOST:
        return memory
    return replace(memory, belief=Belief.DOUBTED, right=(0.0,) * len(SLOPES), age_s=None)
