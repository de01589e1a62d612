"""How points go out: neighbours together as far as the device takes that, by function 16 or by function 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from derctl.core.exchange import Exchange, Write
from derctl.devices.profile import Profile
from derctl.devices.sunspec.layout import View
from derctl.errors import DeviceRefused

UNTAKEN = frozenset({2, 3, 4})
"""Exception codes that a device may answer where it takes the points of a block singly only."""
NO_BLOCKS = frozenset({1, 2, 3, 4})
"""The same of one that takes function 6 only."""

Words = Mapping[str, tuple[int, ...]]
"""The registers of points by name, in the order in which they go out."""


def sent(view: View, profile: Profile, values: Words) -> Exchange[None]:
    """All of them. Raises DeviceRefused."""
    for run in _runs(view, profile, tuple(values)):
        yield from _run(view, profile, {point: values[point] for point in run})


def _run(view: View, profile: Profile, values: Words) -> Exchange[None]:
    """In one request, else point by point, else register by register by function 6."""
    way = profile.writes
    if way == "registers":
        yield from _singly(view, values)
        return
    try:
        yield from _together(view, values)
    except DeviceRefused as refused:
        if way == "both" and refused.code in NO_BLOCKS and all(len(words) == 1 for words in values.values()):
            yield from _singly(view, values)
        elif len(values) == 1 or refused.code not in UNTAKEN:
            raise
        else:
            for point, words in values.items():
                yield from _together(view, {point: words})


def _together(view: View, values: Words) -> Exchange[None]:
    words = tuple(word for each in values.values() for word in each)
    yield Write(address=view.offset(next(iter(values))), values=words)


def _singly(view: View, values: Words) -> Exchange[None]:
    """Function 6 has one register: half a number never goes out."""
    for point, words in values.items():
        (word,) = words
        yield Write(address=view.offset(point), values=(word,), function=6)


def _runs(view: View, profile: Profile, points: Sequence[str]) -> list[list[str]]:
    """Points that lie behind one another, together; each alone, or the enable, where the profile says so."""
    runs: list[list[str]] = []
    fixed = view.model.fixed
    blocks, apart = profile.writes in {"block", "both"}, profile.enable == "apart"
    for point in points:
        after = runs and fixed[runs[-1][-1]].end == fixed[point].offset
        if after and blocks and not (apart and point == points[-1]):
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs
