"""The device's nominal voltage and frequency against the site file's: a wrong nominal makes right voltages wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from enum import Enum

from derctl.core.dataclass import dataclass
from derctl.core.types import Reading
from derctl.core.words import Status

TOLERANCE_PU = 0.1
"""A nominal that differs by more is another one: 230 and 240 V are neighbours, 230 and 120 or 400 V are not."""
THREE_V = (208.0, 230.0, 240.0, 380.0, 400.0, 415.0, 480.0, 690.0)
SPLIT_V = (208.0, 220.0, 240.0)
"""Usual between the lines (IEC 60038, ANSI C84.1): who states one of them may mean those, or to neutral."""
NEIGHBOUR_PU = 0.3
"""What is nearer than this was not mistaken between the lines and to neutral."""
BAND_PU = 0.02
"""A nominal is one of those within this: it is a round number."""
STATED_V = (50.0, 1000.0)
STATED_HZ = (45.0, 65.0)
"""What is stated outside of this is not filled in, or not scaled: it says nothing."""
MEASURED_HIGH_PU = 1.5
"""No grid stands so high: what is measured tells of a wrong nominal."""


class System(Enum):
    """How a device is connected. lines: the voltage between its lines, of the one to neutral."""

    SINGLE = 1
    SPLIT = 2
    THREE = 3

    @property
    def lines(self) -> float:
        return {System.SINGLE: 1.0, System.SPLIT: 2.0, System.THREE: math.sqrt(3.0)}[self]


FEEDS_PU: Mapping[str, tuple[float, ...]] = {
    "A": (1.0, 0.0, 0.0),
    "B": (0.0, 1.0, 0.0),
    "C": (0.0, 0.0, 1.0),
    "AB": (0.5, 0.5, 0.0),
    "ABC": (1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0),
}
"""What of a device's power is in phase A, B and C, by the site file's word for where it feeds."""
SPREAD = {System.SPLIT: "AB", System.THREE: "ABC"}


def feeds_pu(declared: str | None, system: System | None) -> tuple[float, ...] | None:
    """What of its power is in each phase: by the site file, else by how it is connected; None where that leaves it
    open, as of one with a single phase."""
    word = SPREAD.get(system) if declared is None and system is not None else declared
    return None if word is None else FEEDS_PU[word]


def phase_problem(declared: str | None, system: System | None) -> str | None:
    """What the site file says of its phases against how the device is connected; None where it fits."""
    if declared is None or system is None or _spreads(declared, system):
        return None
    words = {System.SINGLE: "one phase", System.SPLIT: "a split phase", System.THREE: "three phases"}
    fits = " or ".join(word for word in FEEDS_PU if _spreads(word, system))
    return f"the device has {words[system]}, the site file says phase: {declared}. Write {fits}"


def _spreads(declared: str, system: System) -> bool:
    """Whether one that is connected so may feed there. One phase and a split one are taken for each other."""
    if system is System.THREE:
        return len(declared) > 1
    return len(declared) < len("ABC")


FACTORS = (2.0, math.sqrt(3.0), 1.0 / math.sqrt(3.0), 0.5)
"""What one takes for the other by mistake: between the lines, and to neutral."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nominal:
    """What a device states, None where it doesn't. v_v: to neutral or between the lines, nobody says which."""

    system: System | None = None
    v_v: float | None = None
    f_hz: float | None = None

    def voltages(self) -> tuple[float, ...]:
        """What it may mean to neutral."""
        if self.v_v is None:
            return ()
        kinds = tuple(System) if self.system is None else (System.SINGLE, self.system)
        return tuple(dict.fromkeys(self.v_v / kind.lines for kind in kinds))

    def settles(self, v_nom_v: float) -> bool:
        """Whether its word on the voltage needs no measurement beside it."""
        if self.v_v is None or not any(near(volts, v_nom_v) for volts in self.voltages()):
            return False
        if not near(self.v_v, v_nom_v):  # it stands between the lines, so the site file's is to neutral
            return True
        usual = {System.SINGLE: (), System.SPLIT: SPLIT_V, System.THREE: THREE_V, None: (*SPLIT_V, *THREE_V)}
        return not any(near(v_nom_v, volts, BAND_PU) for volts in usual[self.system])


def nominal_of(v_v: float | None, f_hz: float | None) -> Nominal:
    """As it stands in the registers."""
    return Nominal(
        v_v=v_v if v_v is not None and STATED_V[0] <= v_v <= STATED_V[1] else None,
        f_hz=f_hz if f_hz is not None and STATED_HZ[0] <= f_hz <= STATED_HZ[1] else None,
    )


def near(value: float, wanted: float, tolerance_pu: float = TOLERANCE_PU) -> bool:
    """Within the tolerance of what is wanted."""
    return abs(value - wanted) <= tolerance_pu * wanted + 1e-9


def stated_problem(nominal: Nominal, v_nom_v: float, f_nom_hz: float) -> str | None:
    """What the device states against the site file; None where it fits, or states nothing."""
    if nominal.v_v is not None and not any(near(volts, v_nom_v) for volts in nominal.voltages()):
        said = f"the device states {nominal.v_v:.4g} V nominal, the site file says v_nom_v: {v_nom_v:g}"
        return f"{said}. {_mistake(nominal.voltages(), v_nom_v)}"
    if nominal.f_hz is not None and not near(nominal.f_hz, f_nom_hz):
        return f"the device states {nominal.f_hz:.4g} Hz nominal, the site file says f_nom_hz: {f_nom_hz:g}"
    return None


def measured_problem(nominal: Nominal, reading: Reading, v_nom_v: float, f_nom_hz: float) -> str | None:
    """What a device on the grid measures against the site file. Only what no disturbance explains counts.

    reading: before anything that can't be true was dropped from it. Where the device's own nominal voltage settles
    it, a low voltage is a disturbance.
    """
    if reading.status in {Status.OFF, Status.ASLEEP, Status.FAULT}:
        return None
    f_hz, v_v = reading.f_hz, reading.v_v
    if f_hz is not None and STATED_HZ[0] <= f_hz <= STATED_HZ[1] and not near(f_hz, f_nom_hz):
        return f"it measures {f_hz:.4g} Hz, the site file says f_nom_hz: {f_nom_hz:g}"
    if not v_v or nominal.settles(v_nom_v) or not _other(v_v / v_nom_v):
        return None
    said = f"it measures {v_v:.4g} V to neutral, the site file says v_nom_v: {v_nom_v:g}"
    return f"{said}. {_mistake((v_v,), v_nom_v)}"


def fits(reading: Reading, v_nom_v: float, f_nom_hz: float) -> bool:
    """Whether what is measured shows that the nominals are right: then it isn't looked at any more."""
    f_hz, v_v = reading.f_hz, reading.v_v
    return bool(v_v and f_hz and near(v_v, v_nom_v, 2.0 * TOLERANCE_PU) and near(f_hz, f_nom_hz))


def _other(v_pu: float) -> bool:
    return v_pu >= MEASURED_HIGH_PU or any(near(v_pu, factor) for factor in FACTORS)


def _mistake(volts: tuple[float, ...], v_nom_v: float) -> str:
    """What is likely wrong, and what to write."""
    for number, text in () if near(volts[0], v_nom_v, NEIGHBOUR_PU) else _guesses(v_nom_v):
        for value in volts:
            if near(number, value):
                return f"{text}: write v_nom_v: {value:.4g}"
    return "Is it the right device? Else write the voltage from phase to neutral"


def _guesses(v_nom_v: float) -> Iterator[tuple[float, str]]:
    yield v_nom_v / math.sqrt(3.0), f"{v_nom_v:g} V looks like the voltage between the lines"
    yield v_nom_v / 2.0, f"{v_nom_v:g} V looks like the voltage between the two legs of a split phase"
    yield v_nom_v * 2.0, "The device stands between the two legs of a split phase"
    yield v_nom_v * math.sqrt(3.0), "The device stands between two lines"
