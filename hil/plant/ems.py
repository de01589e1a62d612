"""The energy management of a storage inverter or a hybrid: its own regulation, and who feeds what behind one port."""

from dataclasses import dataclass

GAIN = 0.3
"""How much of what is off at the point of connection it takes back at a time: our choice, stable with its lag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ems:
    """What its registers ask; None is free. `battery_w` at the battery (+ discharge), `grid_w` and `export_max_w` at
    the point of connection (+ export), the largest charge and discharge as positive W."""

    battery_w: float | None = None
    grid_w: float | None = None
    export_max_w: float | None = None
    charge_max_w: float | None = None
    discharge_max_w: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What stands behind one AC port: sun that could be had, what the battery could give and take, all DC W >= 0."""

    sun_w: float
    give_w: float
    take_w: float
    efficiency: float

    def ac_w(self, dc_w: float) -> float:
        """At the terminals, for W at the DC side; losses in both directions."""
        return dc_w * self.efficiency if dc_w > 0.0 else dc_w / self.efficiency

    @property
    def most_w(self) -> float:
        """The most that it can give, AC."""
        return self.ac_w(self.sun_w + self.give_w)

    @property
    def least_w(self) -> float:
        """The least: with a battery that takes all it can. The sun is taken first."""
        return self.ac_w(self.sun_w - self.take_w)

    def shared(self, dc_w: float) -> tuple[float, float]:
        """Battery (+ discharge) and sun, for what flows to the AC side; sun that nobody takes is lost."""
        battery_w = min(max(dc_w - self.sun_w, -self.take_w), self.give_w)
        return battery_w, min(max(dc_w - battery_w, 0.0), self.sun_w)


def aimed_w(ems: Ems, behind: Behind, now_w: float, poc_w: float) -> float | None:
    """What the device's own energy management wants at its AC terminals; None: it has no wish."""
    wanted: float | None = None
    if ems.battery_w is not None:
        battery_w = min(max(ems.battery_w, -behind.take_w), behind.give_w)
        wanted = behind.ac_w(behind.sun_w + battery_w)
    elif ems.grid_w is not None:
        wanted = min(max(now_w + GAIN * (ems.grid_w - poc_w), behind.least_w), behind.most_w)
    return wanted


def capped_w(ems: Ems, now_w: float, poc_w: float) -> float | None:
    """The most that it may give so that no more leaves the site than `export_max_w`; None: no such limit."""
    return None if ems.export_max_w is None else now_w + GAIN * (ems.export_max_w - poc_w)
