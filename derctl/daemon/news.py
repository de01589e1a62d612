"""Something that a person may want to know: to the log, to `status`, and to whoever else hears of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.daemon.log import priority_of

TEXT_MAX = 8192
"""Characters of an event's text."""
KEPT = 50
"""Events that `status` shows."""


@dataclass(slots=True)
class News:
    """stamp: the wall time as text. hearers: called with each event as `status` and the topic have it."""

    log: Any
    stamp: Callable[[], str]
    hearers: Sequence[Callable[[Mapping[str, Any]], None]] = ()
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def tell(self, name: str, der: str, text: str) -> None:
        """der: empty where it is the site's."""
        stamp, text = self.stamp(), text[:TEXT_MAX]
        self.log.log(priority_of(name), name, der=der or None, text=text)
        event = {"t": stamp, "event": name, "der": der or None, "text": text}
        self.events.append(event)
        for hear in self.hearers:
            hear(event)
