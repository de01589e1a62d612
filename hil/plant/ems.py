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
