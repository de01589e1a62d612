"""`identify`: one DER is stepped, in power and in var, and what it and the meter make of that is found out.

A square wave of a tenth of its rating, or what the user allows, shows how it answers and what moves its voltage. The
meter is believed by the same steps as in the running daemon. No limit goes above what stood in it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import NamedTuple

from derctl.commission import fit, seen
from derctl.commission.pull import Pulls, grain, pulls
from derctl.core import belief
from derctl.core.capability import DARK, clamp
from derctl.core.doublet import NOTHING as NO_LEAD
from derctl.core.doublet import WINDOW_S
from derctl.core.identified import Identified, MeterFound, Response
from derctl.core.pace import LATE_S
from derctl.core.stages import Heard, Play, Sample, Stage
from derctl.core.types import Capability, Rating, Setpoint
from derctl.core.value import replace, value
from derctl.core.words import Belief, Flaw

STEP_PU, LEAST_PU = 0.1, 0.03
"""A step, in shares of the rating, and the least one that is still told from noise."""
BELOW_PU = 0.02
"""A limit is so far below what the sun gives, that it is the limit that holds it."""
LISTEN_S = 12.0
"""Before anything is moved: what the load and the sun do by themselves."""
FIRST_S, FIRST_MOST_S = 10.0, 60.0
"""The first steps stand at least so long, at most so long, and else 1.5 times what the profile says."""
FOUR_TAU = 1.75
"""Of the time to 90 %: a lag is within 2 % then (docs/sources.md)."""
TAIL_S = LATE_S + WINDOW_S + 1.0
"""A half goes on for so long once it has settled: a meter may be LATE_S behind."""
SELDOM_S = 2.0
"""Where registers refresh more seldom, two steps tell too little of how long a half has to be."""
GOLDEN, MORE_MOST_S = 0.618, 5.0
"""By such a share of a refresh the halves are longer, of this at most: no two steps fall on the same place in it."""
IGNORED, FOLLOWED = 0.2, (0.7, 1.3)
"""What of a step is made by one that ignores it, at most, and by one that follows it."""
UNMOVED, TOO_MUCH = 0.05, 1.4
"""What a meter that shows nothing shows of a step, at most; and what one does at least that shows too much."""
DOWN_PU = (0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01)
"""Limits that are tried, in shares of the rating, to see whether it goes off."""
OFF = 0.3
"""One that gives less than this share of a limit is off."""


@value
class Subject:
    """One DER as it stands. most_w: no limit and no target goes above it. least_w: no target goes below it, and no
    limit to what its profile says sends it off. within_w: how far it may be moved from what it gives. settle_s: as
    its profile has it. meter: there is one."""

    rating: Rating
    can: Capability
    most_w: float
    least_w: float = 0.0
    within_w: float
    periods: int = 10
    settle_s: float = 10.0
    meter: bool = True


@value
class Found:
    """notes: what could not be found out, and why."""

    der: Identified
    meter: MeterFound | None = None
    notes: tuple[str, ...] = ()


class _Levels(NamedTuple):
    """high_w, low_w: of a limit, or of a target (aims)."""

    high_w: float
    low_w: float
    aims: bool = False

    def at(self, level_w: float, q_var: float | None = None) -> Setpoint:
        if self.aims:
            return Setpoint(p_target_w=level_w, q_var=q_var)
        return Setpoint(p_ceiling_w=level_w, q_var=q_var)


class _Run(NamedTuple):
    """heard: of the square wave; () where it did not get so far. gain None: it could not be told."""

    heard: tuple[Heard, ...] = ()
    half_s: float = 0.0
    drop_s: float = 0.0
    gain: float | None = None
    refused: str = ""


def identify(subject: Subject, memory: belief.Memory) -> Play[tuple[Found, belief.Memory]]:
    """memory: what is believed of the meter until now."""
    size_va = subject.rating.s_max_va
    before = yield Stage(seconds=LISTEN_S, says="nothing is moved yet")
    still = yield Stage(seconds=LISTEN_S, says="nothing is moved yet")
    quiet = (before, still)
    scale_w = subject.rating.per_unit_w
    memory = seen.paced(memory, _all(quiet), scale_w, before.at_s)
    memory, _ = seen.doubled(memory, before, still, scale_w, LISTEN_S)
    found, notes, run_p, run_q = Identified(rated_va=size_va), [], _Run(), _Run()
    refresh_s = fit.refresh_s(_all(quiet))
    levels, why = _levels(subject, still)
    if levels is None:
        notes.append(why)
    else:
        run_p = yield from _waved(subject, _power_stages(levels), seen.power, seen.told_w, refresh_s, "power")
        memory = _metered(memory, run_p, scale_w)
        found = _power_told(found, run_p, notes)
    if not subject.can.var or size_va <= 0.0:
        notes.append("var: it takes none")
    else:
        stages = _var_stages(subject, levels)
        run_q = yield from _waved(subject, stages, seen.var, seen.told_var, refresh_s, "var")
        found = _var_told(found, run_q, notes)
    refresh_s = fit.refresh_s(_all((*quiet, *run_p.heard, *run_q.heard)))
    found = replace(found, refresh_s=refresh_s)
    runs = [seen.halves(run.heard, size_va, run.drop_s) for run in (run_p, run_q)]
    volts = [each.v_pu for each in _all((*run_p.heard, *run_q.heard)) if each.v_pu is not None]
    found = _pulled(found, pulls(runs, grain(volts)), notes)
    if levels is not None and not levels.aims and found.fall is not None:
        found = yield from _least(subject, levels, found, notes)
    meter = _meter_found(memory) if subject.meter and run_p.heard else None
    return Found(der=found, meter=meter, notes=tuple(notes)), memory


def _all(heard: Sequence[Heard]) -> list[Sample]:
    return [sample for each in heard for sample in each.samples]


def _levels(subject: Subject, quiet: Heard) -> tuple[_Levels | None, str]:
    """Between which its power goes, or why not."""
    size_w = subject.rating.size_w
    step_w, least_w = min(STEP_PU * size_w, subject.within_w), LEAST_PU * size_w
    p_w = seen.tail(quiet, seen.power, 0.0)
    if step_w < least_w:
        return None, f"power: {subject.within_w:g} W is too little to be told from noise; {least_w:.0f} W would do"
    if p_w is None:
        return None, "power: what it gives is not measured"
    if subject.can.limit:
        high_w = min(p_w, subject.most_w) - BELOW_PU * size_w
        low_w = max(high_w - step_w, subject.least_w)
        if high_w - low_w >= least_w:
            return _Levels(high_w, low_w), ""
        if not subject.can.aim:
            return None, f"power: it gives {p_w:.0f} W, too little to be stepped down: try again with more sun"
    if not subject.can.aim:
        return None, "power: it takes no setpoint"
    high_w = clamp(p_w + step_w, subject.least_w + step_w, subject.most_w)
    low_w = max(high_w - step_w, subject.least_w)
    if high_w - low_w < least_w:
        return None, "power: its limits leave no room for a step"
    return _Levels(high_w, low_w, aims=True), ""


def _power_stages(levels: _Levels) -> tuple[Setpoint, Setpoint]:
    return levels.at(levels.high_w), levels.at(levels.low_w)


def _var_stages(subject: Subject, levels: _Levels | None) -> tuple[Setpoint, Setpoint]:
    """The power is held meanwhile, where it can be."""
    rating = subject.rating
    amount = min(STEP_PU * rating.s_max_va, subject.within_w)
    up, down = min(amount, rating.q_inj_max_var), -min(amount, rating.q_abs_max_var)
    if levels is None:
        return Setpoint(q_var=up), Setpoint(q_var=down)
    return levels.at(levels.high_w, up), levels.at(levels.high_w, down)


def _waved(
    subject: Subject,
    levels: tuple[Setpoint, Setpoint],
    part: seen.Part,
    told: seen.Told,
    refresh_s: float | None,
    what: str,
) -> Generator[Stage, Heard, _Run]:
    """First slowly, to see how long it takes; then as a square wave whose halves are as long as that needs."""
    held_s = refresh_s or 1.0
    first_s = clamp(1.5 * subject.settle_s + held_s, FIRST_S, FIRST_MOST_S)
    slow: list[Heard] = []
    for n in range(3):
        heard = yield Stage(setpoint=levels[n % 2], seconds=first_s, says=f"{what}: first steps, {n + 1} of 3")
        if heard.refused:
            return _Run(refused=heard.refused)
        slow.append(heard)
    held_s = fit.refresh_s(_all(slow)) or held_s
    gain = seen.gain(slow, part, told, 0.6 * first_s)
    if gain is None or abs(gain) < IGNORED:
        return _Run(gain=gain)
    answer = fit.respond(seen.edges(slow, part, told, 0.6 * first_s), gain)
    way_s = 0.6 * first_s if answer is None else answer.dead_s + FOUR_TAU * answer.t90_s
    if held_s > SELDOM_S:
        way_s = max(way_s, 0.6 * first_s)
    drop_s = way_s + held_s
    half_s = drop_s + TAIL_S
    wave: list[Heard] = []
    count = 2 * subject.periods + 1
    for n in range(count):
        says = f"{what}: half {n + 1} of {count}, {(count - n) * half_s:.0f} s left"
        more_s = n * GOLDEN % 1.0 * min(refresh_s or 0.0, MORE_MOST_S)
        heard = yield Stage(setpoint=levels[n % 2], seconds=half_s + more_s, says=says)
        if heard.refused:
            return _Run(refused=heard.refused)
        wave.append(heard)
    return _Run(tuple(wave), half_s, drop_s, seen.gain(wave, part, told, drop_s))


def _metered(memory: belief.Memory, run: _Run, scale_w: float) -> belief.Memory:
    """The halves one after the other, as doublets that share none."""
    if not run.heard:
        return memory
    memory = seen.paced(memory, _all(run.heard), scale_w, run.heard[0].at_s)
    lead = NO_LEAD
    for first, second in zip(run.heard[::2], run.heard[1::2], strict=False):
        memory, lead = seen.doubled(memory, first, second, scale_w, run.half_s, lead)
    return memory


def _power_told(found: Identified, run: _Run, notes: list[str]) -> Identified:
    flaw = _flaw(run, (Flaw.SETPOINT_IGNORED, Flaw.SETPOINT_INVERTED, Flaw.SETPOINT_PARTLY), "power", notes)
    edges = seen.edges(run.heard, seen.power, seen.told_w, run.drop_s)
    fall = fit.respond([each for each in edges if each.step < 0.0], run.gain or 0.0)
    rise = fit.respond([each for each in edges if each.step > 0.0], run.gain or 0.0)
    return replace(found, fall=fall, rise=rise, flaws=(*found.flaws, *flaw))


def _var_told(found: Identified, run: _Run, notes: list[str]) -> Identified:
    flaw = _flaw(run, (Flaw.VAR_IGNORED, Flaw.VAR_INVERTED, Flaw.VAR_PARTLY), "var", notes)
    answer = fit.respond(seen.edges(run.heard, seen.var, seen.told_var, run.drop_s), run.gain or 0.0)
    return replace(found, var=answer, flaws=(*found.flaws, *flaw))


def _flaw(run: _Run, words: tuple[Flaw, Flaw, Flaw], what: str, notes: list[str]) -> tuple[Flaw, ...]:
    ignored, inverted, partly = words
    if run.refused:
        notes.append(f"{what}: refused: {run.refused}")
        return (ignored,)
    if run.gain is None:
        notes.append(f"{what}: what it makes of a step is not measured")
        return ()
    if abs(run.gain) < IGNORED:
        return (ignored,)
    if run.gain < 0.0:
        return (inverted,)
    return () if FOLLOWED[0] <= run.gain <= FOLLOWED[1] else (partly,)


def _pulled(found: Identified, known: Pulls, notes: list[str]) -> Identified:
    if known.p is None and known.q is None:
        notes.append("voltage: what moves it was not measured")
    against = known.q is not None and known.q.v_pu + 2.0 * known.q.error < 0.0
    flaws = (Flaw.VAR_AGAINST_VOLTAGE,) if against else ()
    return replace(found, dv_dp=known.p, dv_dq=known.q, flaws=(*found.flaws, *flaws))


def _least(
    subject: Subject, levels: _Levels, found: Identified, notes: list[str]
) -> Generator[Stage, Heard, Identified]:
    """Lower and lower limits, as far as is allowed, until it goes off. The last act: it may be off for long then."""
    size_w, answer = subject.rating.size_w, found.fall or Response(dead_s=0.0, t90_s=0.0, gain=1.0)
    stands_s = answer.dead_s + FOUR_TAU * answer.t90_s + (found.refresh_s or 1.0) + 4.0
    floor_w = max(levels.high_w - subject.within_w, subject.can.least_w, subject.least_w)
    limits = [share * size_w for share in DOWN_PU if floor_w <= share * size_w < levels.high_w]
    least_w: float | None = None
    for limit_w in limits:
        says = f"how little keeps it awake: {limit_w:.0f} W"
        heard = yield Stage(setpoint=levels.at(limit_w), seconds=stands_s, says=says)
        given_w = seen.tail(heard, seen.power, stands_s - 3.0)
        dark = any(each.status in DARK for each in heard.samples[-1:])
        if heard.refused or given_w is None:
            notes.append("minimum: a limit that low was refused, or not heard")
            break
        if dark or given_w < OFF * limit_w:
            yield Stage(setpoint=levels.at(levels.high_w), seconds=stands_s, says="up again")
            return replace(found, least_w=least_w, flaws=(*found.flaws, Flaw.MINIMUM_ON))
        least_w = limit_w
    if not limits or limits[-1] > DOWN_PU[-1] * size_w:
        allow = f"--within {levels.high_w:.0f} would allow it"
        notes.append(f"minimum: not looked for below {least_w or levels.low_w:.0f} W; {allow}")
    return replace(found, least_w=least_w)


def _meter_found(memory: belief.Memory) -> MeterFound:
    """What the daemon would believe of it now."""
    told = belief.told(memory)
    flaws: tuple[Flaw, ...] = ()
    slope = told.slope or 0.0
    if told.belief is Belief.LOST or (told.belief is Belief.DOUBTED and abs(slope) < UNMOVED):
        flaws = (Flaw.METER_UNMOVED,)
    elif told.belief is Belief.DOUBTED and slope < 0.0:
        flaws = (Flaw.METER_REVERSED,)
    elif told.belief is Belief.DOUBTED or slope > TOO_MUCH:
        flaws = (Flaw.METER_SCALED,)
    return MeterFound(
        belief=told.belief, slope=told.slope, delay_s=told.delay_s, refresh_s=told.refresh_s, flaws=flaws
    )
