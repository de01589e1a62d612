"""One step under way: what it began with, and what it leaves so far. It lives as long as the step."""

from __future__ import annotations

from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.plan import Memories, Memory
from derctl.core.types import SiteState


@dataclass(slots=True, kw_only=True)
class Turn:
    """before: the memories that it began with. after: those that it leaves. state: as those see it who are asked
    next."""

    before: Memories
    state: SiteState
    dt_s: float
    after: dict[str, Memory] = field(default_factory=dict)
