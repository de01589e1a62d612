"""Whether setpoints may leave the daemon: the mode that was asked for, and what stands against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """The Pi-absent state of the site: the most that may be exported without derctl, no load counted."""

    by_der: dict[str, float]
    unknown: tuple[str, ...] = ()
    limit_w: float | None = None

    @property
    def p_export_w(self) -> float:
        return sum(self.by_der.values())

    @property
    def holds(self) -> bool:
        """Whether it keeps the contract. Without a contract there is nothing to break."""
        return self.limit_w is None or (not self.unknown and self.p_export_w <= self.limit_w + 0.5)

    @property
    def objection(self) -> tuple[str, str] | None:
        """Code and text of what stands against control."""
        if self.holds:
            return None
        if self.unknown:
            names = ", ".join(self.unknown)
            return "rating_unknown", f"nothing is known yet of {names}: give rating.p_max_w or a fallback"
        parts = " + ".join(f"{name} {watts:.0f} W" for name, watts in self.by_der.items())
        text = f"without derctl the site may export {parts} = {self.p_export_w:.0f} W, the contract allows"
        return "fallback_breaks_contract", f"{text} {self.limit_w:.0f} W"


@dataclass(slots=True)
class Gate:
    """armed: what the site file or an operator asked for. open: armed, and the Pi-absent state keeps the contract."""

    armed: bool
    absence: Callable[[], Absence]
    on_event: Callable[[str, str, str], None]
    last: Absence = field(default_factory=lambda: Absence(by_der={}))
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
