"""What operators asked for and is still alive. Expiry runs on the monotonic clock: a wall clock may jump."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from derctl.core.types import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One request with the monotonic time at which it ends."""

    id: str
    kind: str
    der: str | None
    value_w: float
    ends_s: float


@dataclass(slots=True)
class Requests:
    """The latest request of a kind for a DER replaces the one before."""

    clock: Callable[[], float] = time.monotonic
    held: dict[tuple[str, str | None], Held] = field(default_factory=dict)

    def put(self, kind: str, der: str | None, value_w: float, *, request_id: str, seconds: float) -> None:
        """Hold a request for so many seconds from now."""
        ends_s = self.clock() + seconds
        self.held[kind, der] = Held(id=request_id, kind=kind, der=der, value_w=value_w, ends_s=ends_s)

    def clear(self, der: str | None) -> int:
        """Drop what concerns this DER (None: everything). Returns how many."""
        keys = [key for key in self.held if der is None or key[1] == der]
        for key in keys:
            del self.held[key]
        return len(keys)

    def alive(self) -> tuple[Request, ...]:
        """For the site state; the expired ones are forgotten."""
        now = self.clock()
        self.held = {key: held for key, held in self.held.items() if held.ends_s > now}
        return tuple(
            Request(id=held.id, kind=held.kind, der=held.der, value_w=held.value_w, remaining_s=held.ends_s - now)
            for held in self.held.values()
        )
