"""Irradiance as a share of standard conditions, by a profile over plant time."""

from dataclasses import dataclass
from math import pi, sin

from hil.plant.curve import Points, interpolate


@dataclass(frozen=True, slots=True, kw_only=True)
class SunProfile:
    """Points [t_s, share], or a clear day between sunrise and sunset; `start_h` is the hour of day at t = 0."""

    points: Points = ()
    clear_day: bool = False
    start_h: float = 12.0
    sunrise_h: float = 6.0
    sunset_h: float = 20.0
    peak: float = 1.0

    def at(self, t_s: float) -> float:
        """Share of standard irradiance, never negative."""
        share = self.peak
        if self.clear_day:
            share *= self._elevation((self.start_h + t_s / 3600.0) % 24.0)
        if self.points:
            share *= interpolate(self.points, t_s)
        return max(0.0, share)

    def _elevation(self, hour: float) -> float:
        if not self.sunrise_h < hour < self.sunset_h:
            return 0.0
        return float(sin(pi * (hour - self.sunrise_h) / (self.sunset_h - self.sunrise_h)) ** 1.3)
