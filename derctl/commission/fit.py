"""How a DER answers a step: dead time, time to 90 %, ramp, gain, from registers that refresh now and then."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from derctl.core.identified import Response
from derctl.core.response import LN10
from derctl.core.stages import Sample
from derctl.core.value import value

BIN_S = 0.1
"""Points that lie so near to each other are taken together."""
FEWEST, GAPS = 6, 3
"""Fewer points tell nothing of the way, fewer gaps nothing of the refresh."""
MOVED = 0.2
"""Of a step that is made by less than this share it is not told how fast."""
STRAIGHT = 0.85
"""A ramp leaves less than this share of what the best lag leaves unexplained; else it is a lag."""
GRID, FINE, ROUNDS = 16, 5, 4
"""So many values of each time are tried at first, then so many around the best, so often."""
LEAST_S = 0.05
"""No way is shorter; a poll would not see it."""
HELD = 0.9
"""Registers are held between two refreshes where fewer than this share of the polls shows something new."""


@value
class Edge:
    """One step: when it was told, from which value to which, and what stood there before."""

    at_s: float
    step: float
    before: float
    points: tuple[tuple[float, float], ...]


class _Point(NamedTuple):
    t_s: float
    y: float
    weight: float


Shape = Callable[[float], float]
"""What of the way is gone after so many times its length."""


def news(samples: Sequence[Sample]) -> tuple[tuple[float, Sample], ...]:
    """Those that show something new, and when that was measured. Where registers refresh more slowly than they are
    polled it was between two polls, in the mean half way."""
    found = [(samples[0].t_s, samples[0])] if samples else []
    for before, here in pairwise(samples):
        if (here.p_w, here.q_var, here.v_pu) != (before.p_w, before.q_var, before.v_pu):
            found.append((0.5 * (before.t_s + here.t_s), here))
    if len(found) < HELD * len(samples):
        return tuple(found)
    return tuple((each.t_s, each) for _, each in found)


def refresh_s(samples: Sequence[Sample]) -> float | None:
    """How often something new is shown; None: nothing ever is. Where a value comes again by chance, it seems longer:
    so the middle of all."""
    times = [t_s for t_s, _ in news(samples)]
    gaps = sorted(after - before for before, after in pairwise(times))
    if len(gaps) < GAPS:
        return None
    middle = gaps[len(gaps) // 2]
    near = [gap for gap in gaps if 0.5 * middle <= gap <= 1.5 * middle]
    return sum(near) / len(near)


def respond(edges: Sequence[Edge], gain: float) -> Response | None:
    """The lag or the ramp that leaves the least of them unexplained; None: too little moved, or was heard.

    gain: of the step, as its levels tell it.
    """
    points = _together(edges)
    if len(points) < FEWEST or abs(gain) < MOVED:
        return None
    longest_s = max(point.t_s for point in points)
    lag, ramp = _best(points, _lag, longest_s), _best(points, _straight, longest_s)
    if ramp.left < STRAIGHT * lag.left:
        speed = sum(abs(edge.step) for edge in edges) / len(edges) * abs(gain) / ramp.way_s
        return Response(dead_s=ramp.dead_s, t90_s=0.9 * ramp.way_s, gain=gain, ramp_w_per_s=speed)
    return Response(dead_s=lag.dead_s, t90_s=LN10 * lag.way_s, gain=gain)


def _together(edges: Sequence[Edge]) -> list[_Point]:
    """All of them as one, in shares of the step."""
    bins: dict[int, list[tuple[float, float]]] = {}
    for edge in edges:
        for t_s, y in edge.points:
            since_s = t_s - edge.at_s
            if since_s >= 0.0:
                bins.setdefault(int(since_s / BIN_S), []).append((since_s, (y - edge.before) / edge.step))
    found = []
    for _, each in sorted(bins.items()):
        n = len(each)
        found.append(_Point(sum(t for t, _ in each) / n, sum(y for _, y in each) / n, float(n)))
    return found


class _Fit(NamedTuple):
    left: float
    dead_s: float
    way_s: float


def _lag(x: float) -> float:
    return -math.expm1(-x)


def _straight(x: float) -> float:
    return min(x, 1.0)


def _best(points: Sequence[_Point], shape: Shape, longest_s: float) -> _Fit:
    """A coarse grid, then finer ones around the best."""
    dead = [0.5 * longest_s * n / GRID for n in range(GRID)]
    ratio = (longest_s / LEAST_S) ** (1.0 / GRID)
    way = [LEAST_S * ratio**n for n in range(GRID + 1)]
    best = min(_left(points, shape, d, w) for d in dead for w in way)
    wide_s = 0.5 * longest_s / GRID
    for _ in range(ROUNDS):
        ratio = ratio ** (1.0 / FINE) if ratio > 1.0 else 1.0
        steps = range(-FINE, FINE + 1)
        dead = [max(best.dead_s + wide_s * n / FINE, 0.0) for n in steps]
        way = [max(best.way_s * ratio**n, LEAST_S) for n in steps]
        best = min(_left(points, shape, d, w) for d in dead for w in way)
        wide_s /= FINE
    return best


def _left(points: Sequence[_Point], shape: Shape, dead_s: float, way_s: float) -> _Fit:
    """What is left unexplained, with the size of the step that leaves the least."""
    ss, sy, yy = 0.0, 0.0, 0.0
    for point in points:
        gone = shape((point.t_s - dead_s) / way_s) if point.t_s > dead_s else 0.0
        ss += point.weight * gone * gone
        sy += point.weight * gone * point.y
        yy += point.weight * point.y * point.y
    return _Fit(yy - sy * sy / ss if ss > 0.0 else yy, dead_s, way_s)
