"""The connection agreement's limit at the point of connection: a ceiling on export, on import where one is agreed.

Export is positive here. The law and its gain are derived in docs/sources.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from derctl.core import first
from derctl.core.dataclass import dataclass
from derctl.core.evidence import Need
from derctl.core.types import DerState, SiteProposal, SiteState
from derctl.core.value import replace
from derctl.functions import export_meter, export_phases
from derctl.functions.apart import parted
from derctl.functions.export_closed import closed, noted
from derctl.functions.export_credit import credited
from derctl.functions.export_memory import Memory, Scene, scene_of
from derctl.functions.export_open import eased, obeyed, opened, unproven
from derctl.functions.export_sum import gathered
from derctl.functions.export_terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractExportLimit(Terms):
    """Keeps the export at the point of connection below the agreed limit: down at once, up on a ramp.

    sum = what the DERs gave when the meter measured + the headroom that it shows (functions/meter_loop.py).

    Without a meter that can be believed, or before it was seen to follow a step of the inverters: the sum of all
    inverters stays below the limit, local load not counted.
    """

    kind: ClassVar[str] = "contract_export_limit"
    rank: ClassVar[int] = 15

    def start(self) -> Memory:
        """Nothing allowed beyond what is measured at the first sample."""
        return Memory()

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal]:
        """One step: is the meter heard, whose sum is it, where does it go, and how much of the load counts."""
        memory = replace(memory, since_s=memory.since_s + dt_s, heard_s=memory.heard_s + dt_s)
        memory = export_meter.heard(memory, self, ders, site)
        scene = scene_of(memory, ders, site, dt_s)
        memory = obeyed(gathered(memory, scene), self, scene)
        memory = self._led(noted(memory, self, scene), scene)
        memory = export_phases.stepped(memory, self, scene)
        memory, need = credited(memory, self, scene)
        return memory, self._said(memory, scene, need)

    def _led(self, memory: Memory, scene: Scene) -> Memory:
        """The sum, one tick on its way."""
        if memory.lost:
            return opened(memory, self, scene)
        if memory.waiting:
            return replace(memory, floor_w=eased(memory.floor_w, scene))
        memory = closed(memory, self, scene)
        return memory if memory.trust.proven else unproven(memory, self, scene)

    def _said(self, memory: Memory, scene: Scene, need: Need) -> SiteProposal:
        rise_w, unseen = export_meter.rise_w(memory, scene.poc), first.unseen_of(scene.site.ders)
        part = parted(memory.alone, memory.ceiling_w, scene.steered, rise_w, unseen)
        return SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=part.over,
            p_ceiling_w=part.ceiling_w,
            p_floor_w=memory.floor_w,
            why=export_meter.why(memory, self, scene),
            meter_pu=export_meter.meter_pu(memory, self, scene.poc),
            need=need,
            apart_w=part.apart_w,
            blind=not memory.relied,
            phases=export_phases.edges(memory, self, scene.poc),
        )
