"""How many security events there were since derctl started, and of each kind the last: for `status` and `doctor`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.words import Incident


@dataclass(slots=True)
class Kind:
    """n: since the start. grave: of those, the ones that are more than the course of things. t, at_s, severity, who,
    text: of the last grave one, and where there was none of the last."""

    n: int = 0
    grave: int = 0
    t: str = ""
    at_s: float = 0.0
    severity: str = ""
    who: str = ""
    text: str = ""


@dataclass(slots=True)
class Counted:
    """monotonic: the wall clock may jump, and that is one of them."""

    monotonic: Callable[[], float] = time.monotonic
    kinds: dict[Incident, Kind] = field(default_factory=dict)

    def came(self, incident: Incident, *, grave: bool, t: str, severity: str, who: str, text: str) -> int:
        """How many there are of it now."""
        kind = self.kinds.setdefault(incident, Kind())
        kind.n, kind.grave = kind.n + 1, kind.grave + grave
        if grave or not kind.grave:
            kind.t, kind.at_s, kind.severity, kind.who, kind.text = t, self.monotonic(), severity, who, text
        return kind.n

    def view(self) -> dict[str, Any]:
        """Plain values, by incident; only those that there were."""
        now_s = self.monotonic()
        return {
            str(incident): {
                "n": kind.n,
                "grave": kind.grave,
                "t": kind.t,
                "age_s": round(now_s - kind.at_s, 1),
                "severity": kind.severity,
                "who": kind.who,
                "text": kind.text,
            }
            for incident, kind in self.kinds.items()
        }
