"""Something that a person may want to know: to the log, to `status`, and to the broker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from derctl.daemon.report.telemetry import Telemetry
from derctl.store.outbox import Outbox

KEPT = 50
"""Events that `status` shows."""


@dataclass(slots=True)
class News:
    """stamp: the wall time as text. outbox: None where the site has no broker."""

    log: Any
    stamp: Callable[[], str]
    outbox: Outbox | None
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def tell(self, name: str, der: str, text: str) -> None:
        """der: empty where it is the site's."""
        stamp = self.stamp()
        self.log.info(name, der=der or None, text=text)
        self.events.append({"t": stamp, "event": name, "der": der or None, "text": text})
        if self.outbox is not None:
            self.outbox.put(Telemetry.event(stamp, name, der, text))
