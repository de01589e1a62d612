"""I5: whether the daemon's memory grows, from the middle of each of its lives to its end.

What it takes in to start with is no growth, however long a busy machine needs for that: modules, the devices that are
found, the ring of recorded ticks. A leak goes on.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SETTLED_S, GROWTH_MB = 12.0, 8.0
"""A life whose half is shorter is not judged; so much more than at its half is a leak."""
EVERY_S = 1.0


@dataclass(slots=True)
class Memory:
    """starts: which life it is. stale: the status that the one before left. seen_s, seen_mb: of this life.

    grown_mb: the most of all lives.
    """

    starts: int = 0
    stale: Mapping[str, Any] | None = None
    seen_s: list[float] = field(default_factory=list)
    seen_mb: list[float] = field(default_factory=list)
    grown_mb: float = 0.0

    def weigh(self, daemon: Mapping[str, Any], status: Mapping[str, Any] | None, now_s: float) -> None:
        """Once per plant step; a life begins with its first tick."""
        if daemon.get("starts") != self.starts:
            self.starts, self.stale = int(daemon.get("starts") or 0), status
            self.seen_s, self.seen_mb = [], []
        rss_mb = daemon.get("rss_mb")
        ticks = status is not None and status is not self.stale and (status.get("loop") or {}).get("ticks")
        if rss_mb is None or not (self.seen_s or ticks):
            return
        if not self.seen_s or now_s - self.seen_s[-1] >= EVERY_S:
            self.seen_s.append(now_s)
            self.seen_mb.append(float(rss_mb))
        half_s = (now_s - self.seen_s[0]) / 2.0
        if half_s >= SETTLED_S:
            middle = bisect_right(self.seen_s, self.seen_s[0] + half_s) - 1
            self.grown_mb = max(self.grown_mb, float(rss_mb) - self.seen_mb[middle])

    def faults(self) -> list[str]:
        """In words."""
        return [f"{self.grown_mb:.1f} MB more than at half its life"] if self.grown_mb > GROWTH_MB else []
