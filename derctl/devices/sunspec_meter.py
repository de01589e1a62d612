"""SunSpec meters, models 201-204 and 211-214."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from derctl.core.exchange import Exchange, Read
from derctl.core.types import Can, Fallback, Rating, Reading
from derctl.devices.layout import Layout, View, find
from derctl.devices.measure import METERS, POINTS_METER, meter, plausible
from derctl.devices.types import Answers, Identity, Models, Options
from derctl.errors import NotRecognised


@dataclass(frozen=True, slots=True, kw_only=True)
class SunspecMeter:
    """A bound meter."""

    layout: Layout
    options: Options
    view: View
    problems: tuple[str, ...] = ()

    @property
    def identity(self) -> Identity:
        return self.layout.identity

    def identify(self) -> Exchange[Identity]:
        return self.layout.identify()

    @property
    def rating(self) -> Rating:
        return Rating(
            p_max_w=0.0, p_min_w=0.0, s_max_va=0.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=self.options.v_nom_v
        )

    @property
    def can(self) -> Can:
        return Can()

    @property
    def control(self) -> Mapping[str, Read]:
        return {"ac": self.view.read}

    @property
    def slow(self) -> Mapping[str, Read]:
        return {}

    def decode(self, answers: Answers) -> Reading:
        return plausible(meter(self.view.values(answers), sign=self.options.sign), self.rating)

    def absent_w(self, fallback: Fallback) -> float:
        return 0.0


def bind_meter(models: Models, options: Options) -> Exchange[SunspecMeter]:
    """Find a meter model, in whichever section of the chain."""
    layout = yield from find(models, options)
    block = layout.find(*METERS)
    if block is None:
        raise NotRecognised("no meter model (201-204, 211-214) in the chain")
    view = layout.view("ac", block, POINTS_METER)
    return SunspecMeter(layout=layout, options=options, view=view, problems=layout.chain.problems)
