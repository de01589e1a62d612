"""The grid functions that a device runs itself, as far as it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.devices.sunspec.layout import Layout, View
from derctl.devices.types import Answers

OWN_FUNCTIONS = {
    "volt_var": ((705, "Ena"), (126, "ModEna")),
    "volt_watt": ((706, "Ena"), (132, "ModEna")),
    "freq_droop": ((711, "Ena"), (134, "ModEna"), (127, "ModEna")),
    "watt_var": ((712, "Ena"), (131, "ModEna")),
}
"""Where a device says whether it runs a function itself."""
ALL_OFF: tuple[tuple[str, ...], tuple[str, ...]] = ((), tuple(OWN_FUNCTIONS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """views: the blocks that tell, by name. by_function: which of them tell about each function."""

    views: Mapping[str, View] = field(default_factory=dict)
    by_function: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def states(self, answers: Answers, word: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those that are on and those that are off; every model that could run one must say off. word: `off` is the
        installer's, for all of them."""
        if word == "off":
            return ALL_OFF
        on, off = [], []
        for function, names in self.by_function.items():
            states = [_enabled(self.views[name].values(answers)) for name in names if name in answers]
            if any(state is True for state in states):
                on.append(function)
            elif states and len(states) == len(names) and all(state is False for state in states):
                off.append(function)
        return tuple(on), tuple(off)


def own_of(layout: Layout) -> Own:
    """The models that a device has of them."""
    views: dict[str, View] = {}
    by_function: dict[str, tuple[str, ...]] = {}
    for function, places in OWN_FUNCTIONS.items():
        there = {f"own{number}": (block, point) for number, point in places if (block := layout.find(number))}
        views |= {name: layout.view(name, block, (point,)) for name, (block, point) in there.items()}
        if there:
            by_function[function] = tuple(there)
    return Own(views=views, by_function=by_function)


def _enabled(values: dict[str, Any]) -> bool | None:
    raw = values.get("Ena", values.get("ModEna"))
    return None if raw is None else bool(raw & 1)
