"""A battery management system by models 802 and 803: state of charge and what it permits now. Read only."""

from __future__ import annotations

from collections.abc import Mapping

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Read
from derctl.core.types import Reading
from derctl.core.words import LimitsBy
from derctl.devices.fitting import met
from derctl.devices.kind import Models
from derctl.devices.profile import Habits
from derctl.devices.sunspec.found import incomplete
from derctl.devices.sunspec.limits import Limits, limits_of
from derctl.devices.sunspec.observed import Observed
from derctl.devices.sunspec.section import BATTERIES, chosen
from derctl.devices.sunspec.wrong import not_a
from derctl.devices.types import Answers, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class SunspecBms(Observed):
    """A bound BMS."""

    limits: Limits

    @property
    def control(self) -> Mapping[str, Read]:
        return self.limits.reads

    def decode(self, answers: Answers) -> Reading:
        self.confirm(answers)
        return self.limits.told(answers, LimitsBy.BMS)


def bind_bms(models: Models, options: Options) -> Exchange[SunspecBms]:
    """Find model 802."""
    whole, options = yield from met(models, options)
    layout = yield from chosen(whole, options.section, BATTERIES)
    block = layout.find(*BATTERIES)
    if block is None:
        raise not_a("sunspec_bms", layout, "no battery model (802) in the chain")
    limits = yield from limits_of(layout, block, layout.find(803))
    lacks, habits = layout.lacks, Habits(profile=options.profile, by=options.profile_by)
    problems = (*layout.chain.problems, *incomplete(lacks))
    return SunspecBms(
        layout=layout, options=options, view=limits.view, limits=limits, problems=problems, lacks=lacks, habits=habits
    )
