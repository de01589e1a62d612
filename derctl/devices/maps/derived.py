"""What a map's lines say together: a sum of phases, and a power whose sign another register has."""

from __future__ import annotations

from collections.abc import Mapping

from derctl.devices.maps.map import RegisterMap
from derctl.devices.maps.number import Value
from derctl.devices.maps.quantities import PHASE_POWERS


def derived(made: RegisterMap, values: Mapping[str, Value | None]) -> dict[str, Value | None]:
    """The values with what they say together."""
    found = dict(values)
    if made.summed:
        found["p_w"] = summed(values)
    if made.named({"flow": ""}):
        found["dc_p_w"] = turned(values.get("dc_p_w"), values.get("flow"))
    return found


def summed(values: Mapping[str, Value | None]) -> float | None:
    """The power of all phases; None where one isn't known."""
    each = [values.get(name) for name in PHASE_POWERS]
    there = [watts for watts in each if isinstance(watts, float)]
    return sum(there) if len(there) == len(each) else None


def turned(watts: Value | None, flow: Value | None) -> float | None:
    """With the sign that its state says. Where that says neither, only a negative number tells its way: it may be one
    without a sign."""
    if not isinstance(watts, float) or not isinstance(flow, tuple):
        return None
    ways = [sign for name, sign in (("charging", -1.0), ("discharging", 1.0)) if name in flow]
    if len(ways) == 1:
        return ways[0] * abs(watts)
    return watts if watts <= 0.0 and not ways else None
