"""What a DER moves of its voltage: means of the halves of a square wave, second differences, least squares.

What drifts evenly falls out of a second difference; what does not, and the noise, makes the error (docs/sources.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from derctl.core.identified import Pull
from derctl.core.value import value

ALIKE = 1.75
"""Second differences share their halves: of a square wave the error is by so much larger than if they did not,
where the voltage is nothing but noise; where it walks, by less."""
SHARED = 1.94
"""So many of them tell as much of the error as one that stands alone."""
FEWEST = 4
"""Second differences that tell something of the error."""
FEW_TIMES = 4
"""Where each value came so often in the mean, they are the steps of a register."""
STANDS = 0.02
"""Power that moves by less than this share of what var does stands still, and the other way round."""


@value
class Half:
    """Means over the end of one half, per unit of the DER's rating."""

    p: float
    q: float
    v: float


class _Second(NamedTuple):
    p: float
    q: float
    v: float


class Pulls(NamedTuple):
    """Of power and of var; None: it did not move, or too few halves were heard."""

    p: Pull | None
    q: Pull | None


GRAIN_SD = 0.41
"""Two levels that are rounded to a step lie wrong to each other by so much of it (the square root of 1/6)."""


def grain(values: Sequence[float]) -> float:
    """The step of the register behind them; 0: they are too many different ones to tell."""
    found = sorted(set(values))
    if len(found) < 2 or FEW_TIMES * len(found) > len(values):
        return 0.0
    return min(after - before for before, after in pairwise(found))


def pulls(runs: Sequence[Sequence[Half]], grain_pu: float = 0.0) -> Pulls:
    """runs: of halves that followed one another. Both are fitted at once: the sun moves the power meanwhile.

    grain_pu: the step of the voltage's register.
    """
    rows = [each for run in runs for each in _seconds(run)]
    pp, qq = sum(row.p * row.p for row in rows), sum(row.q * row.q for row in rows)
    by_p, by_q = pp > STANDS * STANDS * qq, qq > STANDS * STANDS * pp
    if len(rows) < FEWEST + by_p + by_q:
        return Pulls(None, None)
    pq = sum(row.p * row.q for row in rows) if by_p and by_q else 0.0
    pv, qv = sum(row.p * row.v for row in rows), sum(row.q * row.v for row in rows)
    if not (by_p and by_q):
        slope_p, slope_q = (pv / pp if by_p else 0.0), (qv / qq if by_q else 0.0)
        in_p, in_q = (1.0 / pp if by_p else 0.0), (1.0 / qq if by_q else 0.0)
    elif (det := pp * qq - pq * pq) <= 0.0:
        return Pulls(None, None)
    else:
        slope_p, slope_q = (qq * pv - pq * qv) / det, (pp * qv - pq * pv) / det
        in_p, in_q = qq / det, pp / det
    free = len(rows) - by_p - by_q
    left = sum((row.v - slope_p * row.p - slope_q * row.q) ** 2 for row in rows) / free
    wide = ALIKE * _student(free / SHARED) / 2.0
    rounded = 2.0 * GRAIN_SD * grain_pu
    return Pulls(
        Pull(v_pu=slope_p, error=math.hypot(wide * math.sqrt(left * in_p), rounded / _rms(rows, 0)))
        if by_p
        else None,
        Pull(v_pu=slope_q, error=math.hypot(wide * math.sqrt(left * in_q), rounded / _rms(rows, 1)))
        if by_q
        else None,
    )


def _rms(rows: Sequence[_Second], which: int) -> float:
    """Of those that moved: twice the step."""
    moved = [row[which] ** 2 for row in rows]
    most = max(moved)
    made = [each for each in moved if each > 0.1 * most]
    return math.sqrt(sum(made) / len(made))


def _seconds(run: Sequence[Half]) -> list[_Second]:
    return [
        _Second(a.p - 2.0 * b.p + c.p, a.q - 2.0 * b.q + c.q, a.v - 2.0 * b.v + c.v)
        for a, b, c in zip(run, run[1:], run[2:], strict=False)
    ]


TABLE = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)


def _student(free: float) -> float:
    """Within so many errors lie 95 of 100, where so many values tell the error (Student's t)."""
    n = max(int(free), 1)
    return TABLE[n - 1] if n <= len(TABLE) else 1.96 + 2.4 / n
