"""Piecewise-linear curves, flat beyond their ends (IEEE 1547-2018 figures H.4, H.5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from derctl.core.dataclass import dataclass
from derctl.errors import SettingError


@dataclass(frozen=True, slots=True)
class Curve:
    """Points (x, y) with x never falling; two equal x make a step, taken from the left at the step itself."""

    points: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, points: Iterable[Sequence[float]], *, name: str = "curve") -> Curve:
        """Check the order. Raises SettingError naming the first point that is out of order."""
        pairs = tuple((float(x), float(y)) for x, y in points)
        if len(pairs) < 2:
            raise SettingError(name, pairs, "two or more points")
        for index in range(1, len(pairs)):
            if pairs[index][0] < pairs[index - 1][0]:
                raise SettingError(f"{name}[{index}]", pairs[index][0], f">= {pairs[index - 1][0]} (points in order)")
        return cls(pairs)

    def __call__(self, x: float) -> float:
        """y at x."""
        return along(self.points, x)


def along(points: Sequence[tuple[float, float]], x: float) -> float:
    """y at x on the curve through these points."""
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y1 if x1 == x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


def falling(curve: Curve, *, name: str) -> None:
    """A curve that feeds back on what it follows must never rise. Raises SettingError naming the first rise."""
    for index, ((_, before), (_, y)) in enumerate(pairwise(curve.points), 1):
        if y > before:
            raise SettingError(
                f"{name}[{index}]", y, f"at most {before:.10g} (a rising curve drives away from nominal)"
            )
