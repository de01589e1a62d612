"""Piecewise-linear curves, held constant beyond their ends."""

import itertools
from bisect import bisect_right
from collections.abc import Sequence

Points = tuple[tuple[float, float], ...]


def points_of(pairs: Sequence[Sequence[float]]) -> Points:
    """[[x, y], ...] as it stands in YAML; x must not fall."""
    points = tuple((float(x), float(y)) for x, y in pairs)
    if any(later[0] < earlier[0] for earlier, later in itertools.pairwise(points)):
        raise ValueError(f"x falls in {pairs}")
    return points


def interpolate(points: Points, x: float) -> float:
    """y at x. Two points with the same x make a step; the later one counts from x on."""
    if not points:
        raise ValueError("a curve needs a point")
    if x < points[0][0]:
        return points[0][1]
    after = bisect_right(points, x, key=lambda point: point[0])
    if after >= len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[after - 1], points[after]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
