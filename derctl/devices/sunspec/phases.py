"""Active power of each phase: as the device tells it, else from each phase's current and voltage."""

from __future__ import annotations

from itertools import product
from typing import Any

from derctl.devices.nominal import System

SUM_W, SUM_PU = 50.0, 0.05
"""What a meter's phases may miss of its sum, in W and in shares of them; some maps leave them 0."""
NAMES = {System.SPLIT: "AB", System.THREE: "ABC"}
"""Who has more than one phase, by the letters of their points."""
POINTS_701 = ("WL1", "WL2", "WL3")
POINTS = ("WphA", "WphB", "WphC")
"""Of a register map; models 101 to 113 have none."""

Phases = tuple[float, ...]
Volts = tuple[float | None, ...]


def metered(system: System, values: dict[str, Any], *, sign: int) -> tuple[Phases | None, float | None]:
    """Of a meter, where it measures all of its phases and they make up its W; and what its WphA..C add up to, where
    they have their signs. By AphA..C only where one way of giving them signs makes up W."""
    names, p_w = NAMES.get(system, ""), values.get("W")
    found = [values.get(f"Wph{name}") for name in names]
    there = tuple(watts for watts in found if watts is not None)
    if p_w is None or not names:
        return None, None
    if len(there) < len(names) or not any(there):
        return _turned(_by_amps(names, values, p_w), sign), None
    if min(there) >= 0.0 > p_w:  # without signs
        return None, None
    total = sum(there)
    return _turned(there, sign) if _makes_up(there, p_w) else None, sign * total


def _turned(phases: Phases | None, sign: int) -> Phases | None:
    return None if phases is None else tuple(sign * watts for watts in phases)


def _makes_up(phases: Phases, p_w: float) -> bool:
    return abs(sum(phases) - p_w) <= max(SUM_W, SUM_PU * sum(map(abs, phases)))


def _by_amps(names: str, values: dict[str, Any], p_w: float) -> Phases | None:
    """Currents tell no direction, so W has to: of all ways that make it up none may say anything else of a phase."""
    sizes = _volt_amps(names, values)
    if sizes is None or not any(sizes):
        return None
    ways = [way for way in product(*({size, -size} for size in sizes)) if _makes_up(way, p_w)]
    if min(sizes) < 0.0:  # these do
        ways = [way for way in (sizes, tuple(-size for size in sizes)) if _makes_up(way, p_w)]
    if not ways or any(max(phase) - min(phase) > SUM_W for phase in zip(*ways, strict=True)):
        return None
    return min(ways, key=lambda way: abs(sum(way) - p_w))


def _volt_amps(names: str, values: dict[str, Any]) -> Phases | None:
    amps = [values.get(f"Aph{name}") for name in names]
    volts = [values.get(f"PhVph{name}") or values.get("PhV") for name in names]
    pairs = [(a, v) for a, v in zip(amps, volts, strict=True) if a is not None and v is not None]
    return tuple(a * v for a, v in pairs) if len(pairs) == len(names) else None


def given(model_id: int, system: System | None, values: dict[str, Any], phase: int | None) -> Phases | None:
    """Of an inverter: as a 701 or a register map tells it, else shared as its currents are, else alike. phase: 0 to
    2, of one that has only one, by the site file's word; None: it is not known where that is."""
    p_w = values.get("W")
    if p_w is None:
        return None
    if system in {System.SINGLE, None}:
        return None if phase is None else tuple(p_w if each == phase else 0.0 for each in range(3))
    assert system is not None
    names = NAMES[system]
    told = [values.get(point) for point in (POINTS_701 if model_id == 701 else POINTS)[: len(names)]]
    there = tuple(watts for watts in told if watts is not None)
    if len(there) == len(names) and _makes_up(there, p_w):
        return there
    if model_id == 701:
        return _alike(p_w, len(names))
    sizes = _volt_amps(names, values)
    whole = 0.0 if sizes is None else sum(sizes)
    if sizes is None or whole <= 0.0:
        return _alike(p_w, len(names))
    return tuple(p_w * size / whole for size in sizes)


def volts(system: System | None, each: Volts, own: float | None, phase: int | None) -> Volts | None:
    """To neutral, by the phases that it has; of one that has only one, in its own, where that is known."""
    names = "" if system is None else NAMES.get(system, "")
    if names:
        found = each[: len(names)]
        return found if any(found) else None
    if phase is None or not own:
        return None
    return tuple(own if at == phase else None for at in range(3))


def _alike(p_w: float, count: int) -> Phases:
    return (p_w / count,) * count
