"""Blocks that a device refuses while the rest of it answers: they are missed, not the device. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.value import replace
from derctl.devices import Device

LOST_AFTER = 3
"""Polls in a row in which a block was refused before what stands in it is no longer offered (docs/sources.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """refused: polls in a row, by block. why: what it was refused with last. left: of the device, None while nothing
    of it is lost."""

    refused: Mapping[str, int] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)
    left: Device | None = None

    @property
    def lost(self) -> dict[str, str]:
        """Why, by block: what is not offered now."""
        return {name: why for name, why in self.why.items() if self.refused[name] >= LOST_AFTER}

    def text(self, whole: Device) -> str:
        """What is lost, in words; "" where nothing is."""
        return "" if self.left is None else "; ".join(self.left.problems[len(whole.problems) :])


def polled(parts: Parts, why: Mapping[str, str], whole: Device) -> Parts:
    """After a poll in which these blocks were refused; one that answered is back at once."""
    now = Parts(refused={name: parts.refused.get(name, 0) + 1 for name in why}, why=dict(why))
    if not now.lost:
        return now
    return replace(now, left=parts.left if now.lost == parts.lost else whole.without(now.lost))
