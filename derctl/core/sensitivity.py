"""How far the power and the var of the DERs move the voltage at the terminals of each, as the sun shows it. Pure.

A loop reacts to noise and to loads, so what it moves says little of the grid (docs/sources.md, section 9). The sun
does not: what it moves, at once and through volt-var, is learned from; what is held down or aimed is only counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from derctl.core import claims
from derctl.core.capability import DARK
from derctl.core.could import held_down
from derctl.core.evidence import Contradiction
from derctl.core.types import DerState, PocState
from derctl.core.value import replace, value
from derctl.core.words import Doubt

STEP_S = 1.5
"""A look is no sooner than this after the last one."""
GAP_S = 20.0
"""What moved in so long a gap is not known to have moved at once."""
RESTS_S = 6.0
"""What lasts longer is the grid's: each value is taken against what it was in the mean of about so long."""
FAST_S, SLOW_S = 4.0, 10.0
"""The sun's movement is seen in both: the power follows it at once, var through the loop's response."""
LOOKS = 8
"""So many make a lesson: what is left unexplained lasts less long than that."""
MOVED_PU = 0.005
"""From this movement of the sum on (root mean square, in shares of the rating) there is something to learn."""
FORGETS = 0.01
"""What each lesson takes of those before."""
STANDS_PU = 0.02
"""Var that moves by less than this share of what power does stands still."""
SURE_P, SURE_Q = 0.2, 0.15
"""It is known from this standard error on, in shares of itself; less where it stands on few lessons."""
LESSONS_ONE, LESSONS_TWO = 2.0, 3.0
"""So many lessons of one size it has to stand on at least, one slope alone or two of them."""


@value
class Learned:
    """Of one voltage. z, y: the sun's movement within FAST_S and within SLOW_S, p, q, v: of the sum's power, of its
    var and of the voltage; each pair is the sum of their products, older ones count less. pp_2, qq_2: of squares.
    zz_e, zy_e, yy_e: of what was left unexplained of zv and yv."""

    zp: float = 0.0
    zq: float = 0.0
    zv: float = 0.0
    yp: float = 0.0
    yq: float = 0.0
    yv: float = 0.0
    pp: float = 0.0
    qq: float = 0.0
    pp_2: float = 0.0
    qq_2: float = 0.0
    zz_e: float = 0.0
    zy_e: float = 0.0
    yy_e: float = 0.0


NOTHING = Learned()


@value
class Sensitivity:
    """What the sum's power and var move of a voltage, all per unit of the DERs' ratings; None: not known. spread_*:
    the standard error, in shares of itself; None: nothing moved. contradicted: the voltage does not go with the power
    any more (core/claims.py)."""

    dv_dp_pu: float | None = None
    dv_dq_pu: float | None = None
    spread_p: float | None = None
    spread_q: float | None = None
    contradicted: bool = False


UNKNOWN = Sensitivity()


@value
class Terminal:
    """Of one DER: what its voltage was lately, None: not known; its part of the lesson, whole where it was measured
    in all of it; what was learned, and what that amounts to. against: what speaks against the power."""

    der: str
    v: float | None = None
    whole: bool = False
    zv: float = 0.0
    yv: float = 0.0
    learned: Learned = NOTHING
    known: Sensitivity = UNKNOWN
    against: float = 0.0


METER = Terminal(der="")


@value
class Course:
    """Of the sum, per unit of size_va: what it was lately, and the sun's part of it. names: all; over: whose sum it
    is; sunny: whose part is the sun's."""

    size_va: float = 0.0
    names: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    sunny: tuple[str, ...] = ()
    p: float = 0.0
    q: float = 0.0
    fast: float = 0.0
    slow: float = 0.0


@value
class Lesson:
    """The sums since it began, as in Learned; n: looks."""

    n: int = 0
    zp: float = 0.0
    zq: float = 0.0
    yp: float = 0.0
    yq: float = 0.0
    pp: float = 0.0
    qq: float = 0.0


NO_LESSON = Lesson()


@value
class Memory:
    """t_s: of the last look; None: before the first. meter: its power, per unit, in the place of a voltage."""

    t_s: float | None = None
    course: Course = Course()
    lesson: Lesson = NO_LESSON
    terminals: tuple[Terminal, ...] = ()
    meter: Terminal = METER


START = Memory()


class _Sum(NamedTuple):
    size_va: float
    names: tuple[str, ...]
    over: tuple[str, ...]
    sunny: tuple[str, ...]
    p: float
    q: float
    sun: float


def watched(memory: Memory, ders: Sequence[DerState], poc: PocState | None, t_s: float) -> Memory:
    """One tick on."""
    since_s = math.inf if memory.t_s is None else t_s - memory.t_s
    if since_s < STEP_S:
        return memory
    now, course = _sum(ders), memory.course
    if since_s > GAP_S or not now.sunny or now[:4] != (course.size_va, course.names, course.over, course.sunny):
        return _anew(memory, ders, poc, now, t_s)
    p, q, z, y = now.p - course.p, now.q - course.q, now.sun - course.fast, now.sun - course.slow
    keeps = math.exp(-since_s / RESTS_S)
    terminals = tuple(
        [_heard(each, _v_pu(der), keeps, z, y) for each, der in zip(memory.terminals, ders, strict=True)]
    )
    meter = _heard(memory.meter, _shown_pu(poc, now.size_va), keeps, z, y)
    course = Course(
        size_va=now.size_va,
        names=now.names,
        over=now.over,
        sunny=now.sunny,
        p=now.p - keeps * p,
        q=now.q - keeps * q,
        fast=now.sun - math.exp(-since_s / FAST_S) * z,
        slow=now.sun - math.exp(-since_s / SLOW_S) * y,
    )
    was = memory.lesson
    lesson = Lesson(
        n=was.n + 1,
        zp=was.zp + z * p,
        zq=was.zq + z * q,
        yp=was.yp + y * p,
        yq=was.yq + y * q,
        pp=was.pp + p * p,
        qq=was.qq + q * q,
    )
    if lesson.n >= LOOKS:
        moved = lesson.pp >= lesson.n * MOVED_PU * MOVED_PU
        terminals = tuple([_taught(each, lesson, moved=moved) for each in terminals])
        meter, lesson = _taught(meter, lesson, moved=moved), NO_LESSON
    return Memory(t_s=t_s, course=course, lesson=lesson, terminals=terminals, meter=meter)


def _sum(ders: Sequence[DerState]) -> _Sum:
    """Of all that are heard, and whose word counts. Var that nobody tells may move the voltage, too."""
    names, over, sunny = [], [], []
    p_w, q_var, sun_w, size_va, whole = 0.0, 0.0, 0.0, 0.0, True
    for der in ders:
        names.append(der.id)
        size_va += der.rating.s_max_va
        given_w = der.reading.p_w if der.fresh and der.trial is None else None
        if given_w is None:
            continue
        over.append(der.id)
        p_w += given_w
        if der.reading.q_var is None:
            whole = False
            continue
        q_var += der.reading.q_var
        if not der.can.store and der.reading.status not in DARK and not held_down(der, given_w):
            sunny.append(der.id)
            sun_w += given_w
    if size_va <= 0.0:
        return _Sum(0.0, tuple(names), (), (), 0.0, 0.0, 0.0)
    shares = p_w / size_va, q_var / size_va, sun_w / size_va
    return _Sum(size_va, tuple(names), tuple(over), tuple(sunny) if whole else (), *shares)


def _anew(memory: Memory, ders: Sequence[DerState], poc: PocState | None, now: _Sum, t_s: float) -> Memory:
    """Nothing is known of what went before. What was learned stays, unless it was of another rating."""
    same = now.size_va == memory.course.size_va
    known = {each.der: each for each in memory.terminals} if same else {}
    return Memory(
        t_s=t_s,
        course=Course(
            size_va=now.size_va,
            names=now.names,
            over=now.over,
            sunny=now.sunny,
            p=now.p,
            q=now.q,
            fast=now.sun,
            slow=now.sun,
        ),
        terminals=tuple([_begun(known.get(der.id, Terminal(der=der.id)), _v_pu(der)) for der in ders]),
        meter=_begun(memory.meter if same else METER, _shown_pu(poc, now.size_va)),
    )


def _begun(terminal: Terminal, v_pu: float | None) -> Terminal:
    return replace(terminal, v=v_pu, whole=v_pu is not None, zv=0.0, yv=0.0)


def _v_pu(der: DerState) -> float | None:
    return der.v_pu if der.fresh else None


def _shown_pu(poc: PocState | None, size_va: float) -> float | None:
    shown_w = None if poc is None or not poc.fresh or size_va <= 0.0 else poc.reading.p_w
    return None if shown_w is None else shown_w / size_va


def _heard(terminal: Terminal, v_pu: float | None, keeps: float, z: float, y: float) -> Terminal:
    was = terminal.v
    if v_pu is None or was is None:
        return terminal if v_pu is was else replace(terminal, v=v_pu, whole=False, zv=0.0, yv=0.0)
    v = v_pu - was
    return Terminal(
        der=terminal.der,
        v=v_pu - keeps * v,
        whole=terminal.whole,
        zv=terminal.zv + z * v,
        yv=terminal.yv + y * v,
        learned=terminal.learned,
        known=terminal.known,
        against=terminal.against,
    )


def _taught(terminal: Terminal, lesson: Lesson, *, moved: bool) -> Terminal:
    """The lesson is over. One in which nothing moved teaches nothing."""
    if moved and terminal.whole:
        against = _against(terminal, lesson)
        contradicted, learned = claims.suspected(against, terminal.known.contradicted), terminal.learned
        if contradicted or against < claims.UNSURE:
            learned = _more(learned, lesson, terminal.zv, terminal.yv)
        known = replace(told(learned), contradicted=contradicted)
        terminal = replace(terminal, learned=learned, known=known, against=against)
    return _begun(terminal, terminal.v)


def _against(terminal: Terminal, lesson: Lesson) -> float:
    """As far as it is known what power moves there."""
    learned, fit = terminal.learned, _fit(terminal.learned)
    if fit is None or terminal.known.dv_dp_pu is None:
        return terminal.against
    shown = fit.p * lesson.zp
    spread = math.sqrt(learned.zz_e * lesson.pp / learned.pp)
    return claims.weighed(
        terminal.against, terminal.zv - shown - fit.q * lesson.zq, shown, spread, turns=not terminal.der
    )


def _more(known: Learned, lesson: Lesson, zv: float, yv: float) -> Learned:
    keeps = 1.0 - FORGETS
    known = Learned(
        zp=keeps * known.zp + lesson.zp,
        zq=keeps * known.zq + lesson.zq,
        zv=keeps * known.zv + zv,
        yp=keeps * known.yp + lesson.yp,
        yq=keeps * known.yq + lesson.yq,
        yv=keeps * known.yv + yv,
        pp=keeps * known.pp + lesson.pp,
        qq=keeps * known.qq + lesson.qq,
        pp_2=keeps * keeps * known.pp_2 + lesson.pp * lesson.pp,
        qq_2=keeps * keeps * known.qq_2 + lesson.qq * lesson.qq,
        zz_e=keeps * keeps * known.zz_e,
        zy_e=keeps * keeps * known.zy_e,
        yy_e=keeps * keeps * known.yy_e,
    )
    fit = _fit(known)
    if fit is None:
        return known
    z_e, y_e = zv - fit.p * lesson.zp - fit.q * lesson.zq, yv - fit.p * lesson.yp - fit.q * lesson.yq
    return replace(known, zz_e=known.zz_e + z_e * z_e, zy_e=known.zy_e + z_e * y_e, yy_e=known.yy_e + y_e * y_e)


class _Fit(NamedTuple):
    """p, q: the slopes; *_z, *_y: what of zv and of yv makes them."""

    p: float
    q: float
    p_z: float
    p_y: float
    q_z: float
    q_y: float


def _fit(known: Learned) -> _Fit | None:
    """The two slopes that explain zv and yv; the first alone where var stands still."""
    if known.qq <= STANDS_PU * STANDS_PU * known.pp:
        return _Fit(known.zv / known.zp, 0.0, 1.0 / known.zp, 0.0, 0.0, 0.0) if known.zp > 0.0 else None
    det = known.zp * known.yq - known.zq * known.yp
    if det == 0.0:
        return None
    p_z, p_y, q_z, q_y = known.yq / det, -known.zq / det, -known.yp / det, known.zp / det
    return _Fit(p_z * known.zv + p_y * known.yv, q_z * known.zv + q_y * known.yv, p_z, p_y, q_z, q_y)


def told(learned: Learned) -> Sensitivity:
    """What it amounts to."""
    fit = _fit(learned)
    if fit is None:
        return UNKNOWN
    lessons = LESSONS_TWO if fit.q_y else LESSONS_ONE
    spread_p = _spread(learned, fit.p, fit.p_z, fit.p_y)
    spread_q = _spread(learned, fit.q, fit.q_z, fit.q_y)
    return Sensitivity(
        dv_dp_pu=fit.p if _sure(spread_p, learned.pp, learned.pp_2, SURE_P, lessons) else None,
        dv_dq_pu=fit.q if _sure(spread_q, learned.qq, learned.qq_2, SURE_Q, lessons) else None,
        spread_p=spread_p,
        spread_q=spread_q,
    )


def _spread(known: Learned, slope: float, by_z: float, by_y: float) -> float | None:
    """White's estimate: it takes each lesson's own error, so that a kettle or a cloud needs no law of its own."""
    if slope == 0.0:
        return None
    square = by_z * by_z * known.zz_e + 2.0 * by_z * by_y * known.zy_e + by_y * by_y * known.yy_e
    return math.sqrt(max(square, 0.0)) / abs(slope)


def _sure(spread: float | None, moved: float, moved_2: float, sure: float, lessons: float) -> bool:
    """What stands on few lessons knows less of its own error."""
    if spread is None or moved * moved < lessons * moved_2:
        return False
    return spread <= sure * (1.0 - moved_2 / (moved * moved))


def suspicion(memory: Memory) -> Contradiction | None:
    """The meter shows no more what the sun moves, though the voltage of a DER still does."""
    if not memory.meter.known.contradicted:
        return None
    shows = [
        each.der for each in memory.terminals if each.known.dv_dp_pu is not None and each.against < claims.CLEARED
    ]
    if not shows:
        return None
    text = (
        f"it does not show any more what the sun moves, and the voltage of {', '.join(shows)} does: has its clamp"
        " come off, or does somebody follow it?"
    )
    return Contradiction(by=Doubt.VOLTAGE, text=text)
