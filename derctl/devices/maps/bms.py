"""A battery management system by its register map. Read only."""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import Reading
from derctl.core.words import LimitsBy
from derctl.devices.maps.battery import Battery, battery_of
from derctl.devices.maps.mapped import Observed, started
from derctl.devices.types import Answers, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class MapBms(Observed):
    """A bound BMS."""

    VITAL: ClassVar[tuple[str, ...]] = ("soc_pct",)

    battery: Battery = field(default_factory=Battery)

    def decode(self, answers: Answers) -> Reading:
        return self.battery.told(self.values(answers), LimitsBy.BMS)


def bind_bms(options: Options) -> Exchange[MapBms]:
    """Find a BMS by its map's signature. Raises NotRecognised."""
    start = yield from started("map_bms", options)
    battery = battery_of(start.first)
    problems = () if battery.states else (f"the map of {start.map.name} tells no limit that the battery sets",)
    return MapBms(start=start, battery=battery, problems=problems)
