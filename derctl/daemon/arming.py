"""Whether setpoints may leave the daemon: the mode that was asked for, and what stands against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from derctl.site import Absence

__all__ = ["Absence", "Gate"]


@dataclass(slots=True)
class Gate:
    """armed: what the site file or an operator asked for. open: armed, and the Pi-absent state keeps the contract."""

    armed: bool
    absence: Callable[[], Absence]
    on_event: Callable[[str, str, str], None]
    last: Absence = field(default_factory=Absence)
    _was_open: bool = False

    def evaluate(self) -> bool:
        """Once a tick; says so when it opens or closes."""
        self.last = self.absence()
        now_open = self.armed and self.last.objection is None
        if now_open != self._was_open:
            self._was_open = now_open
            self.on_event("mode_control" if now_open else "mode_observe", "", self.reason or "")
        return now_open

    @property
    def open(self) -> bool:
        return self._was_open

    @property
    def reason(self) -> str | None:
        """Why setpoints don't leave, None while they do."""
        if not self.armed:
            return "not armed"
        objection = self.last.objection
        return None if objection is None else f"{objection[0]}: {objection[1]}"
