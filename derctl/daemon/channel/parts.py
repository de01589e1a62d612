"""Blocks that a device refuses while the rest of it answers: they are missed, not the device. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LOST_AFTER = 3
"""Polls in a row in which a block was refused before what stands in it is no longer offered (docs/sources.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """refused: polls in a row, by block. why: what it was refused with last."""

    refused: Mapping[str, int] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)

    @property
    def lost(self) -> dict[str, str]:
        """Why, by block: what is not offered now."""
        return {name: why for name, why in self.why.items() if self.refused[name] >= LOST_AFTER}


def polled(parts: Parts, why: Mapping[str, str]) -> Parts:
    """After a poll in which these blocks were refused; one that answered is back at once."""
    return Parts(refused={name: parts.refused.get(name, 0) + 1 for name in why}, why=dict(why))
