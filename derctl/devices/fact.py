"""Who says what is known of a device, and whether derctl may rely on it."""

from __future__ import annotations

from derctl.core.dataclass import dataclass
from derctl.core.words import SeenBy

CONFIRMED = frozenset({SeenBy.CAPTURE, SeenBy.DOCUMENT})
"""Registers of a real device, or its maker's word. What others quote of that, people report, or nobody did, is not
confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Who says it, and where it can be read again."""

    by: SeenBy
    source: str

    @property
    def confirmed(self) -> bool:
        """Whether derctl may be less careful for its sake."""
        return self.by in CONFIRMED

    @property
    def quoted(self) -> bool:
        """Whether it is its maker's word as others print it: whoever wants to count on that says so."""
        return self.by is SeenBy.QUOTED
