"""SunSpec meters, models 201-204 and 211-214."""

from __future__ import annotations

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import Reading
from derctl.devices.fitting import met
from derctl.devices.kind import Models
from derctl.devices.profile import Habits
from derctl.devices.sunspec.found import incomplete
from derctl.devices.sunspec.measure import METERS, POINTS_METER, meter
from derctl.devices.sunspec.observed import Observed
from derctl.devices.sunspec.section import chosen
from derctl.devices.sunspec.wrong import not_a
from derctl.devices.types import Answers, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class SunspecMeter(Observed):
    """A bound meter."""

    def decode(self, answers: Answers) -> Reading:
        self.confirm(answers)
        return meter(self.view.block.model_id, self.view.values(answers), sign=self.options.sign)


def bind_meter(models: Models, options: Options) -> Exchange[SunspecMeter]:
    """Find a meter model, in whichever section of the chain, if one alone has it. Raises SectionUnclear."""
    whole, options = yield from met(models, options)
    layout = yield from chosen(whole, options.section, METERS)
    block = layout.find(*METERS)
    if block is None:
        raise not_a("sunspec_meter", layout, "no meter model (201-204, 211-214) in the chain")
    view = layout.view("ac", block, POINTS_METER)
    lacks, habits = layout.lacks, Habits(profile=options.profile, by=options.profile_by)
    problems = (*layout.chain.problems, *incomplete(lacks))
    return SunspecMeter(layout=layout, options=options, view=view, problems=problems, lacks=lacks, habits=habits)
