"""SunSpec meters, models 201-204 and 211-214."""

from __future__ import annotations

from dataclasses import dataclass, replace

from derctl.core.exchange import Exchange
from derctl.core.types import Reading
from derctl.devices.kind import Models
from derctl.devices.sunspec.layout import find
from derctl.devices.sunspec.measure import METERS, POINTS_METER, meter, plausible, without_volts
from derctl.devices.sunspec.observed import Observed
from derctl.devices.types import Answers, Options
from derctl.errors import NotRecognised


@dataclass(frozen=True, slots=True, kw_only=True)
class SunspecMeter(Observed):
    """A bound meter."""

    def decode(self, answers: Answers) -> Reading:
        """0 V or 0 Hz: its voltage taps are lost, and the 0 W that it makes of that are no measurement."""
        reading = meter(self.view.values(answers), sign=self.options.sign)
        if without_volts(reading):
            reading = replace(reading, p_w=None, q_var=None)
        return plausible(reading, self.rating)


def bind_meter(models: Models, options: Options) -> Exchange[SunspecMeter]:
    """Find a meter model, in whichever section of the chain."""
    layout = yield from find(models, options)
    block = layout.find(*METERS)
    if block is None:
        raise NotRecognised("no meter model (201-204, 211-214) in the chain")
    view = layout.view("ac", block, POINTS_METER)
    return SunspecMeter(layout=layout, options=options, view=view, problems=layout.chain.problems)
