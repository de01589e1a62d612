"""Commands of principals that the site file does not list: counted, and said ever less often. They get no answer."""

from __future__ import annotations

from collections.abc import Callable

from derctl.core.dataclass import dataclass

SHOWN_MAX = 40
"""Characters of a stranger's name that the event shows."""
AGAIN_S = (60.0, 3600.0)
"""The least pause between two events; it doubles while more come, up to the longest."""
NEVER_S = -1e9


@dataclass(slots=True)
class Strangers:
    """tell: takes an event's text."""

    tell: Callable[[str], None]
    count: int = 0
    said_s: float = NEVER_S
    pause_s: float = 0.0

    def came(self, name: str, now_s: float) -> None:
        """A command of somebody who is not listed."""
        self.count += 1
        quiet_s = now_s - self.said_s
        if quiet_s < self.pause_s:
            return
        least_s, most_s = AGAIN_S
        self.pause_s = least_s if quiet_s > 2.0 * most_s else min(2.0 * self.pause_s, most_s)
        self.said_s = now_s
        text = f"{name[:SHOWN_MAX]!r} is not under mqtt.principals in the site file: no answer"
        self.tell(text if self.count == 1 else f"{text}; {self.count} such commands so far")
