"""How much energy went which way: out of counters, which wrap, restart and jump, or of the power where there is none.
Pure; times are monotonic, W and Wh positive in their own direction."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from derctl.core.dataclass import dataclass
from derctl.core.types import Reading


class How(StrEnum):
    """How a counter came from one reading to the next (docs/glossary.md)."""

    COUNTED = "counted"
    WRAPPED = "wrapped"
    RESTARTED = "restarted"
    STEPPED_BACK = "stepped_back"
    JUMPED = "jumped"


class By(StrEnum):
    """What an energy comes from."""

    COUNTER = "counter"
    POWER = "power"
    BOTH = "both"


ACC32_WH = 4_294_967_296.0
"""SunSpec's acc32 begins anew behind 32 bits, at any of its scale factors."""
SCALES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
SPARE_PU = 1.25
"""A device may give so much more than it is rated for before its counter is not believed (docs/sources.md)."""
STEP_MOST_WH = 1000.0
"""The coarsest counters show whole kWh."""
HOLD_S = 10.0
"""A power counts no longer than this without another one, or three ticks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """wh None: it can't be told from the counter."""

    how: How
    wh: float | None


def moved(before_wh: float, now_wh: float, most_wh: float) -> Moved:
    """most_wh: what can have gone through meanwhile at most, by its rating."""
    up = now_wh - before_wh
    if up >= 0.0:
        return Moved(how=How.COUNTED, wh=up) if up <= most_wh + STEP_MOST_WH else Moved(how=How.JUMPED, wh=None)
    for step in SCALES:
        if before_wh < ACC32_WH * step and up + ACC32_WH * step <= most_wh + 2.0 * step:
            return Moved(how=How.WRAPPED, wh=up + ACC32_WH * step)
    if now_wh <= most_wh + STEP_MOST_WH and now_wh < before_wh / 2.0:
        return Moved(how=How.RESTARTED, wh=now_wh)
    if -up <= STEP_MOST_WH:
        return Moved(how=How.STEPPED_BACK, wh=0.0)
    return Moved(how=How.JUMPED, wh=None)


@dataclass(slots=True)
class Side:
    """One direction of one device. last_wh: its counter; None: it has none, as far as is known. at_s: when that was.

    counted_wh, power_wh: since the interval began; None: nothing is known of it.
    """

    last_wh: float | None = None
    at_s: float = 0.0
    counted_wh: float | None = None
    power_wh: float | None = None
    hows: set[How] = field(default_factory=set)

    def look(self, now_wh: float | None, power_wh: float | None, most_w: float, now_s: float) -> None:
        """power_wh: what its power makes since the look before; None: that is not known."""
        if now_wh is None:
            if power_wh is not None:
                self.power_wh = (self.power_wh or 0.0) + power_wh
            return
        if self.last_wh is not None:
            found = moved(self.last_wh, now_wh, most_w * SPARE_PU * max(now_s - self.at_s, 0.0) / 3600.0)
            if found.how is not How.COUNTED:
                self.hows.add(found.how)
            if found.how is How.STEPPED_BACK:
                now_wh = self.last_wh  # counted once it is above that again
            if found.wh is not None:
                self.counted_wh = (self.counted_wh or 0.0) + found.wh
            elif power_wh is not None:
                self.power_wh = (self.power_wh or 0.0) + power_wh
        elif power_wh is not None:
            self.power_wh = (self.power_wh or 0.0) + power_wh
        self.last_wh, self.at_s = now_wh, now_s

    @property
    def wh(self) -> float | None:
        """Since the interval began."""
        if self.counted_wh is None and self.power_wh is None:
            return None
        return (self.counted_wh or 0.0) + (self.power_wh or 0.0)

    @property
    def by(self) -> By | None:
        if self.counted_wh is not None:
            return By.BOTH if self.power_wh else By.COUNTER
        return None if self.power_wh is None else By.POWER

    def begin(self) -> None:
        """Another interval."""
        self.counted_wh = self.power_wh = None
        self.hows = set()


@dataclass(slots=True)
class Meter:
    """One device. most_w: what it can give or take. hold_s: how long a power counts. covered_s: how long of the
    interval its power was known. seen: whether it was heard in it.

    out: generated, discharged, exported; into: the other way.
    """

    most_w: float
    hold_s: float = HOLD_S
    out: Side = field(default_factory=Side)
    into: Side = field(default_factory=Side)
    covered_s: float = 0.0
    seen: bool = False
    v_v: tuple[float, float] | None = None
    p_w: tuple[float, float] | None = None
    _power: tuple[float, float] | None = None

    def look(self, reading: Reading, now_s: float) -> None:
        """A fresh reading."""
        dt_s = None if self._power is None else now_s - self._power[0]
        known = dt_s is not None and 0.0 <= dt_s <= self.hold_s and reading.p_w is not None
        out_wh = into_wh = None
        if known and dt_s is not None and reading.p_w is not None:
            wh = reading.p_w * dt_s / 3600.0
            out_wh, into_wh = max(wh, 0.0), max(-wh, 0.0)
            self.covered_s += dt_s
        self.out.look(reading.energy_wh, out_wh, self.most_w, now_s)
        self.into.look(reading.energy_in_wh, into_wh, self.most_w, now_s)
        self._power = None if reading.p_w is None else (now_s, reading.p_w)
        self.p_w, self.v_v = _range(self.p_w, reading.p_w), _range(self.v_v, reading.v_v)
        self.seen = True

    def begin(self) -> None:
        """Another interval."""
        self.out.begin()
        self.into.begin()
        self.covered_s, self.seen, self.v_v, self.p_w = 0.0, False, None, None


def _range(known: tuple[float, float] | None, value: float | None) -> tuple[float, float] | None:
    """Least and most so far."""
    if value is None:
        return known
    return (value, value) if known is None else (min(known[0], value), max(known[1], value))
