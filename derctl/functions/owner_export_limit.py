"""The owner's own limit on export, junior to every rule: the contract's loop at another rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import ClassVar

from derctl.core.dataclass import dataclass
from derctl.core.types import DerState, SiteProposal, SiteState
from derctl.core.value import replace
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.export_memory import Memory
from derctl.functions.settings import Settings, number


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerExportLimit(Settings):
    """Keeps the export at the point of connection below what the owner wants, as `contract_export_limit` does."""

    kind: ClassVar[str] = "owner_export_limit"
    rank: ClassVar[int] = 50

    limit_w: float = number(low=0.0, high=1e8, source="the owner's word: most export, W")
    margin_w: float | None = number(
        None, low=0.0, high=1e6, source="kept below the limit; default as contract_export_limit", optional=True
    )
    _loop: ContractExportLimit = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        object.__setattr__(self, "_loop", ContractExportLimit(limit_w=self.limit_w, margin_w=self.margin_w))

    def start(self) -> Memory:
        """Nothing allowed beyond what is measured at the first sample."""
        return self._loop.start()

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal]:
        """One step."""
        memory, said = self._loop.step(memory, ders, site, dt_s)
        return memory, replace(said, by=self.kind, rank=self.rank)
