"""What can come with every tick is noted so often at most, and then with how many came between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from derctl.core.dataclass import dataclass

NOTED = 30.0
"""Of one thing so many are noted at once (docs/sources.md)."""
NOTED_EVERY_S = 60.0
"""And then one in this time."""
THINGS_MAX = 256
"""Different things that are counted."""


@dataclass(slots=True)
class Seen:
    """tokens as of at_s; skipped: how many were not noted since."""

    at_s: float
    tokens: float = NOTED
    skipped: int = 0


@dataclass(slots=True)
class Often:
    """clock: monotonic."""

    clock: Callable[[], float]
    seen: dict[str, Seen] = field(default_factory=dict)

    def came(self, thing: str) -> int | None:
        """How many of it were not noted since the last that was; None: nor is this one."""
        now_s, known = self.clock(), self.seen.get(thing)
        if known is None:
            if len(self.seen) >= THINGS_MAX:
                del self.seen[next(iter(self.seen))]
            known = self.seen[thing] = Seen(now_s)
        known.tokens = min(NOTED, known.tokens + (now_s - known.at_s) / NOTED_EVERY_S)
        known.at_s = now_s
        if known.tokens < 1.0:
            known.skipped += 1
            return None
        known.tokens -= 1.0
        skipped, known.skipped = known.skipped, 0
        return skipped
