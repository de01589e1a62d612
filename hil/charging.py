"""I8: no store charges from the grid, or from another store, unasked. Judged by the plant's truth."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WINDOW_S = 60.0
ALLOWED_W, ALLOWED_PU = 100.0, 0.02
OVER_HZ = 0.01
"""A frequency further from nominal is a frequency function's matter."""

Sample = tuple[float, float]


@dataclass(slots=True)
class Unasked:
    """One store: what it charged beyond the sun, as a mean over WINDOW_S; nothing is counted before the start."""

    rating_w: float
    window: deque[Sample] = field(default_factory=deque)
    beyond_ws: float = 0.0
    worst_w: float = 0.0

    @property
    def allowed_w(self) -> float:
        """Mean that is no fault."""
        return max(ALLOWED_W, ALLOWED_PU * self.rating_w)

    def add(self, now_s: float, beyond_w: float, dt_s: float) -> None:
        """dt_s of plant time in which it charged beyond_w more than the sun gave."""
        self.window.append((now_s, beyond_w * dt_s))
        self.beyond_ws += beyond_w * dt_s
        while self.window[0][0] <= now_s - WINDOW_S:
            self.beyond_ws -= self.window.popleft()[1]
        self.worst_w = max(self.worst_w, self.beyond_ws / WINDOW_S)

    def forget(self) -> None:
        """It was asked to: the window begins anew."""
        self.window.clear()
        self.beyond_ws = 0.0


@dataclass(slots=True)
class Charging:
    """All stores of a site. Fed with snapshots."""

    f_nom_hz: float
    stores: dict[str, Unasked]
    _last_s: float | None = None

    def look(self, seen: Mapping[str, Any]) -> None:
        """Once per plant step. A store that was asked, by a command or the frequency, is judged from then on anew."""
        now_s = float(seen["t_s"])
        dt_s = 0.0 if self._last_s is None else now_s - self._last_s
        self._last_s = now_s
        powers = {id: float(der["p_w"]) for id, der in seen["der"].items()}
        sun_w = sum(max(p_w, 0.0) for id, p_w in powers.items() if id not in self.stores)
        sun_w += sum(max(-float(p_w), 0.0) for p_w in seen["load"].values())
        off_hz = abs(float(seen["poc"]["f_hz"]) - self.f_nom_hz)
        asked = asked_for(seen["status"])
        for id, store in self.stores.items():
            if off_hz > OVER_HZ or id in asked or None in asked:
                store.forget()
            else:
                others_w = sum(
                    max(-powers[other], 0.0) for other in self.stores if other != id and other not in asked
                )
                store.add(now_s, max(-powers[id], 0.0) - max(sun_w - others_w, 0.0), dt_s)

    def faults(self) -> list[str]:
        """Who charged unasked, and how much."""
        return [
            f"{id} charged {store.worst_w:.0f} W more than the sun gave, as a mean over {WINDOW_S:g} s "
            f"({store.allowed_w:.0f} W are allowed)"
            for id, store in self.stores.items()
            if store.worst_w > store.allowed_w
        ]


def asked_for(status: Mapping[str, Any] | None) -> set[str | None]:
    """Stores that an operator's setpoint is alive for, or the target of a demand-response event, which is of all of
    them (None); and those that such a one still holds on its ramp."""
    requests = [] if status is None else status.get("requests") or []
    aimed = [each["der"] for each in requests if each["kind"] == "set_battery_power" or _has_target(each)]
    ders = {} if status is None else status.get("ders") or {}
    return {*aimed, *(id for id, der in ders.items() if _held(der))}


def _has_target(request: Mapping[str, Any]) -> bool:
    targets = (request.get("p_target_w"), request.get("poc_target_w"))
    return request["kind"] == "demand_response" and targets != (None, None)


def _held(der: Mapping[str, Any]) -> bool:
    bounds = (der.get("setpoint") or {}).get("bound_by") or []
    return any(bound["by"] == "grid_target" for bound in bounds)
