"""When a release that failed is tried again: what can't be reached soon, what was refused ever less often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

AGAIN_S = 10.0
REFUSED_MAX_S = 3600.0
"""A device that says no is asked again, since its operator may change it, and is not flooded: 8640 writes a day are
what wears its memory out. 10 s doubled up to an hour make 31 on the first day."""


@dataclass(slots=True)
class Retry:
    """By DER. Times are on the monotonic clock."""

    _due_s: dict[str, float] = field(default_factory=dict)
    _refusals: dict[str, int] = field(default_factory=dict)

    def note(self, result: Mapping[str, str], now_s: float) -> None:
        """result: the words of Dispatch.release; any but these two is what the device answered."""
        for der_id, word in result.items():
            refusals = 0 if word in {"released", "unreachable"} else self._refusals.get(der_id, 0) + 1
            self._refusals[der_id] = refusals
            self._due_s[der_id] = now_s + min(REFUSED_MAX_S, AGAIN_S * 2.0 ** min(refusals, 16))

    def forget(self, der_id: str) -> None:
        """It is written again: the next release is a new one."""
        self._due_s.pop(der_id, None)
        self._refusals.pop(der_id, None)

    def due(self, wrote: Iterable[str], now_s: float) -> list[str]:
        """Those whose time has come."""
        return [der_id for der_id in wrote if now_s > self._due_s.get(der_id, -1e9)]
