"""A meter by its register map."""

from __future__ import annotations

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import Reading
from derctl.devices.maps.mapped import Observed, started
from derctl.devices.maps.words import METER, METER_MODELS, renamed
from derctl.devices.nominal import System
from derctl.devices.sunspec.measure import meter
from derctl.devices.types import Answers, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class MapMeter(Observed):
    """A bound meter."""

    def decode(self, answers: Answers) -> Reading:
        model = METER_MODELS[self.start.system or System.THREE]
        return meter(model, renamed(self.values(answers), METER), sign=self.options.sign)


def bind_meter(options: Options) -> Exchange[MapMeter]:
    """Find a meter by its map's signature. Raises NotRecognised."""
    return MapMeter(start=(yield from started("map_meter", options)))
