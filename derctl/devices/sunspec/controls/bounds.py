"""What a setpoint's registers can mean: not more than all of what the device is rated for.

The last look at a write before the wire, by the scale factors that count. Whatever made it say more was wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from derctl.core.exchange import Registers, Write
from derctl.devices.most import MOST_PU
from derctl.devices.sunspec.layout import View
from derctl.sunspec.decode import exponent_of, raw_at, value_of

Bounds = Mapping[str, float]
"""The most that each point can be told, in its unit, without its sign."""


def percents(*points: str) -> Bounds:
    """Points in percent of what the device can give."""
    return dict.fromkeys(points, 100.0)


def says(view: View, words: Registers, point: str) -> float | None:
    """What a point says in these registers of its model, in its unit; None where it says nothing."""
    place = view.model.fixed[point]
    assert isinstance(place.sf, str)
    scale = view.model.fixed[place.sf]
    value = value_of(place, raw_at(place, 0, words), {place.sf: exponent_of(scale, raw_at(scale, 0, words), None)})
    return value if isinstance(value, int | float) else None


def within(view: View, words: Registers, point: str, most: float) -> bool:
    """Whether it can be true; what says nothing can."""
    value = says(view, words, point)
    return value is None or abs(value) <= MOST_PU * most


def beyond(view: View, words: Registers, bounds: Bounds, write: Write) -> str:
    """The points of a write that would say more than they can mean, in words. words: of the block that it goes to."""
    first, found = write.address - view.block.address, list[str]()
    touched = _touched(view, bounds, range(first, first + len(write.values)))
    if not touched:
        return ""
    after = [*words[:first], *write.values, *words[first + len(write.values) :]]
    for point in touched:
        if not within(view, after, point, bounds[point]):
            told, most = says(view, after, point), bounds[point]
            found.append(f"{view.model.id}.{point} would say {told:.6g}, and {most:.6g} is all that it can mean")
    return "; ".join(found)


def _touched(view: View, points: Iterable[str], registers: range) -> list[str]:
    return [
        point for point in points if (at := view.model.fixed[point]).offset in registers and at.end - 1 in registers
    ]
