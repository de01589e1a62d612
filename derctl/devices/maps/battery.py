"""What a register map tells of a battery: its state of charge, what it permits now, and its alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.pack import NO_BOUNDS, Bounds, Pack
from derctl.core.types import Reading
from derctl.core.words import Bar, LimitsBy, Status
from derctl.devices.maps.number import Value
from derctl.devices.maps.quantities import ALARMS, BOUNDS
from derctl.devices.maps.words import BATTERY, renamed
from derctl.devices.sunspec.limits import PERMITS, permitted_w

WAYS = (("charge_on", "AChaMax", "WChaRteMax"), ("discharge_on", "ADisChaMax", "WDisChaRteMax"))

BARS = {
    "fully_charged": Bar.FULL,
    "battery_over_voltage": Bar.OVER_VOLT,
    "cell_over_voltage": Bar.OVER_VOLT,
    "battery_under_voltage": Bar.UNDER_VOLT,
    "cell_under_voltage": Bar.UNDER_VOLT,
    "battery_over_temperature": Bar.OVER_TEMP,
    "mos_over_temperature": Bar.OVER_TEMP,
    "charge_over_temperature": Bar.TOO_HOT_TO_CHARGE,
    "charge_under_temperature": Bar.TOO_COLD_TO_CHARGE,
    "discharge_over_temperature": Bar.TOO_HOT_TO_DISCHARGE,
    "discharge_under_temperature": Bar.TOO_COLD_TO_DISCHARGE,
    "charge_over_current": Bar.OVER_CHARGE_CURRENT,
    "discharge_over_current": Bar.OVER_DISCHARGE_CURRENT,
}
"""What an alarm of this name bars; of any other name it is told and bars nothing."""

LIMITS = {
    "what it may be charged with": {"charge_limit_a", "charge_limit_w"},
    "what it may give": {"discharge_limit_a", "discharge_limit_w"},
}
BESIDE = {
    "its cells": {"cell_max_v", "cell_min_v"},
    "its temperatures": {"t_max_c", "t_min_c"},
    "its alarms": {*ALARMS},
}
"""What a battery tells of itself, each by any of these quantities."""
UNREAD = (
    "nobody reads of its battery: {}. Its inverter keeps that by itself, and derctl its state of charge, where"
    " soc_guard or reserve are; give it bms: {{bus, unit, profile}}, if its BMS can be read"
)
OFF = {"charge_on": Bar.CHARGE_OFF, "discharge_on": Bar.DISCHARGE_OFF}
PACK = (
    *("battery_v", "battery_a", "charge_limit_a", "discharge_limit_a", "charge_limit_w", "discharge_limit_w"),
    *("cell_max_v", "cell_min_v", "t_max_c", "t_min_c"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """stated: the quantities that it told when it was found, in SunSpec's words."""

    stated: frozenset[str] = frozenset()

    @property
    def states(self) -> bool:
        """Whether it tells any limit at all."""
        return bool(self.stated & PERMITS)

    def told(self, values: Mapping[str, Value | None], by: LimitsBy) -> Reading:
        """Limits in W, as of a SunSpec battery; 0 W that way which it blocks, and both ways in a fault. Unknown where
        whether a way is blocked can't be read now."""
        known: dict[str, Any] = dict(values)
        named = renamed(values, BATTERY)
        off = known.get("status") is Status.FAULT
        charge, discharge = (
            0.0 if off or known.get(on) == 0.0 else self._permitted(known, named, on, amps, watts)
            for on, amps, watts in WAYS
        )
        return Reading(
            soc_pct=known.get("soc_pct"),
            soh_pct=known.get("soh_pct"),
            dc_p_w=dc_power(known),
            p_charge_limit_w=charge,
            p_discharge_limit_w=discharge,
            limits_by=by if self.states else LimitsBy.NOBODY,
            alarms=alarms_of(known),
            pack=pack_of(known, off=off),
            status=Status.FAULT if off else known.get("status") or Status.ON,
        )

    def _permitted(
        self, known: Mapping[str, Any], named: dict[str, Any], on: str, amps: str, watts: str
    ) -> float | None:
        if on in self.stated and known.get(on) is None:
            return None
        return permitted_w(named, self.stated, amps, watts)


def pack_of(known: Mapping[str, Any], *, off: bool) -> Pack:
    """What it tells of itself, and what of that bars a way."""
    said = [BARS[alarm] for alarm in alarms_of(known) or () if alarm in BARS]
    said += [bar for on, bar in OFF.items() if known.get(on) == 0.0]
    said += [Bar.BATTERY_FAULT] if off else []
    told: dict[str, Any] = {name: known[name] for name in PACK if name in known}
    bounds: dict[str, Any] = {name: known[name] for name in BOUNDS if name in known}
    return Pack(bars=tuple(dict.fromkeys(said)), bounds=Bounds(**bounds) if bounds else NO_BOUNDS, **told)


def alarms_of(known: Mapping[str, Any]) -> tuple[str, ...] | None:
    """All that it tells, wherever they stand; None where nothing tells any."""
    told = [known[name] for name in ALARMS if known.get(name) is not None]
    return tuple(alarm for each in told for alarm in each) if told else None


def dc_power(values: Mapping[str, Any]) -> float | None:
    """As it is told, in one number or in one for each way, else voltage times current; discharge is positive."""
    if "dc_p_w" in values:
        told: float | None = values["dc_p_w"]
        return told
    if "discharge_w" in values:
        out_w, in_w = values["discharge_w"], values.get("charge_w")
        return None if out_w is None or in_w is None else float(out_w - in_w)
    volts, amps = values.get("battery_v"), values.get("battery_a")
    return None if volts is None or amps is None else float(volts * amps)


def battery_of(values: Mapping[str, Value | None]) -> Battery:
    """By what it told when it was found."""
    there = {name: value for name, value in values.items() if value is not None}
    ways = {on for on, _, _ in WAYS if on in there}
    return Battery(stated=frozenset({*renamed(there, BATTERY), *ways}))


def unread(values: Mapping[str, Value | None]) -> str:
    """Which limits of its battery a device does not tell, and what stands in for them; "" where it tells what it
    permits each way."""
    there = {name for name, value in values.items() if value is not None}
    missing = [what for what, names in LIMITS.items() if there.isdisjoint(names)]
    if missing:
        missing += [what for what, names in BESIDE.items() if there.isdisjoint(names)]
    return UNREAD.format(", ".join(missing)) if missing else ""
