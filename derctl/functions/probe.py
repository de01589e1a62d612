"""The coded step that the meter at the point of connection has to show (core/belief.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from derctl.core import first
from derctl.core.dataclass import dataclass
from derctl.core.evidence import Need
from derctl.core.types import DerState, SiteProposal, SiteState
from derctl.functions.operator import Nothing
from derctl.functions.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Settings):
    """A dip of the sum: first stores give less or charge more, then PV gives less. Only those that may be told every
    few seconds. A rise is left to the loops.

    While somebody on trial is moved there is none; who only waits for that is no part of it. Where some were never
    seen to move the meter and others were, those others make it: what the first claim is known as little as the meter
    is. At first nobody was seen, and the steps tell it of all of them.
    """

    kind: ClassVar[str] = "probe"
    rank: ClassVar[int] = 15

    def start(self) -> Nothing:
        """Nothing."""
        return Nothing()

    def step(
        self, memory: Nothing, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Nothing, SiteProposal]:
        """One step. most_w is of the sum of those whose power counts: what the others of them give is no part of the
        ceiling."""
        unseen = first.unseen_of(site.ders)
        able = [der for der in ders if der.controllable and der.can.volatile and der.trial is None]
        steered = [der for der in able if der.id not in unseen]
        if any(map(first.tried, site.ders)) or (unseen and not steered):
            return memory, SiteProposal(by=self.kind, rank=self.rank, over=(), need=NO_STEPS)
        most_w = None if site.poc is None else site.poc.belief.most_w
        if most_w is not None:
            ours = {der.id for der in steered} | unseen
            for der in site.ders:
                if der.fresh and der.trial is None and der.id not in ours:
                    most_w -= der.reading.p_w or 0.0
        return memory, SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=tuple([der.id for der in steered]),
            p_ceiling_w=most_w,
            need=STEPS,
        )


STEPS, NO_STEPS = Need(steps=True), Need(steps=False)
