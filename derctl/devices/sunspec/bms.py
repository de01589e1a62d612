"""A battery management system by models 802 and 803: state of charge and what it permits now. Read only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from derctl.core.exchange import Exchange, Read
from derctl.core.types import Reading
from derctl.core.words import Status
from derctl.devices.kind import Models
from derctl.devices.sunspec.layout import View, find
from derctl.devices.sunspec.observed import Observed
from derctl.devices.sunspec.wrong import not_a
from derctl.devices.types import Answers, Options

POINTS_802 = (
    *("SoC", "SoH", "V", "A", "W", "AChaMax", "ADisChaMax", "WChaRteMax", "WDisChaRteMax"),
    *("ChaSt", "State", "LocRemCtl", "WHRtg"),
)
POINTS_803 = ("NStr", "NStrCon")
FAULTS = frozenset({1, 6, 99})
"""Point State: disconnected, suspending, fault: no power may flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SunspecBms(Observed):
    """A bound BMS. bank: model 803, where it is there, says how many of its strings are connected.

    stated: the points of 802 that were implemented when it was bound.
    """

    bank: View | None = None
    stated: frozenset[str] = frozenset()

    @property
    def control(self) -> Mapping[str, Read]:
        views = [self.view] if self.bank is None else [self.view, self.bank]
        return {view.name: view.read for view in views}

    def decode(self, answers: Answers) -> Reading:
        """Limits in W: the smaller of the power limit and current limit times voltage, each where it is given.

        Unknown where a point that was given at bind is missing now: what is left would be a wider limit.
        0 W both ways in a fault, and while no string is connected.
        """
        values = self.view.values(answers)
        connected = None if self.bank is None else self.bank.values(answers)["NStrCon"]
        off = values.get("State") in FAULTS or connected == 0
        return Reading(
            soc_pct=values.get("SoC"),
            soh_pct=values.get("SoH"),
            dc_p_w=values.get("W"),
            p_charge_limit_w=0.0 if off else permitted_w(values, self.stated, "AChaMax", "WChaRteMax"),
            p_discharge_limit_w=0.0 if off else permitted_w(values, self.stated, "ADisChaMax", "WDisChaRteMax"),
            status=Status.FAULT if off else Status.ON,
        )


def permitted_w(values: dict[str, Any], stated: frozenset[str], current: str, power: str) -> float | None:
    """None where the battery states neither limit, or one that it stated once is missing. stated: once."""
    amps, volts, watts = values.get(current), values.get("V"), values.get(power)
    needed = {power, current}
    if current in stated or amps is not None:
        needed.add("V")
    if any(values.get(point) is None for point in needed & stated):
        return None
    limits = [watts, amps * volts if amps is not None and volts is not None else None]
    return min((limit for limit in limits if limit is not None), default=None)


def bind_bms(models: Models, options: Options) -> Exchange[SunspecBms]:
    """Find model 802."""
    layout = yield from find(models, options)
    block = layout.find(802)
    if block is None:
        raise not_a("sunspec_bms", layout, "no battery model (802) in the chain")
    view = layout.view("bms", block, POINTS_802)
    first = yield from layout.once(block, POINTS_802)
    stated = frozenset(point for point, value in first.items() if value is not None)
    strings = layout.find(803)
    bank = None if strings is None else layout.view("bank", strings, POINTS_803)
    problems = layout.chain.problems
    return SunspecBms(layout=layout, options=options, view=view, bank=bank, stated=stated, problems=problems)
