"""What the settings of a device's own registers ask of the plant: the acts of its map, its dead-man, its latches."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

from hil.faces.register_map import Act, DeadManSpec, RegisterMap
from hil.faces.view import Rating
from hil.plant.ems import Ems
from hil.plant.inverter import InverterCommand
from hil.plant.reversion import DeadMan, armed, elapse

OF_INVERTER = ("p_ceiling_w", "p_floor_w", "p_target_w", "q_var")
OF_EMS = ("battery_w", "grid_w", "export_max_w", "charge_max_w", "discharge_max_w")


class Asked:
    """Settings by name, of one unit or of several that are one device (each a service of a Victron GX)."""

    def __init__(self, rating: Rating) -> None:
        self.rating = rating
        self.settings: dict[str, float] = {}
        self.acts: list[Act] = []
        self.dead_men: list[DeadManSpec] = []
        self.timers: dict[str, DeadMan] = {}
        self._latched: dict[str, dict[str, float]] = {}

    def join(self, spec: RegisterMap, delivered: Mapping[str, float]) -> None:
        """The settings and acts of one more map."""
        self.settings.update(delivered)
        self.acts.extend(spec.acts)
        self.dead_men.extend(spec.dead_men)
        self.timers.update({each.restarts[0]: DeadMan() for each in spec.dead_men})

    def write(self, written: Mapping[str, float]) -> None:
        """These were written, in one request."""
        self.settings.update(written)
        for name in written:
            self._latched[name] = dict(self.settings)
        for each in self.dead_men:
            if set(each.restarts) & set(written):
                after_s = each.after_s * (self.settings[each.of_setting] if each.of_setting else 1.0)
                self.timers[each.restarts[0]] = armed(after_s, enabled=True)

    def elapse(self, dt_s: float) -> dict[str, float]:
        """Let dt_s pass; the settings that fall back now."""
        fallen: dict[str, float] = {}
        for each in self.dead_men:
            name = each.restarts[0]
            self.timers[name], over = elapse(self.timers[name], dt_s)
            if over:
                fallen.update({k: v for k, v in each.falls.items() if self.settings[k] != v})
        self.settings.update(fallen)
        return fallen

    def forget(self, delivered: Mapping[str, float]) -> None:
        """It restarted: these are its settings now."""
        self.settings.update(delivered)
        self._latched = {}
        self.timers = {name: DeadMan() for name in self.timers}

    def value(self, on: str) -> float | None:
        """What the first act that holds asks for; None where none does."""
        act = next((act for act in self.acts if act.on == on and self._holds(act)), None)
        if act is None:
            return None
        settings = self._latched.get(act.latched, self.settings)
        value = (sum(settings[name] for name in act.of_settings) if act.of_settings else act.value) * act.scale
        return value / 100.0 * float(getattr(self.rating, act.percent_of)) if act.percent_of else value

    def _holds(self, act: Act) -> bool:
        if act.alive and self.timers[act.alive].remaining_s is None:
            return False
        if any(self.settings.get(name) in among for name, among in act.unless.items()):
            return False
        return all(self.settings.get(name) in among for name, among in act.when.items())

    def command(self) -> InverterCommand:
        """All of it."""
        asked: dict[str, Any] = {on: self.value(on) for on in OF_INVERTER}
        pf, connect = self.value("pf"), self.value("connect")
        if pf is not None and abs(pf) >= 0.1:
            asked["tan_phi"] = sqrt(1.0 - min(1.0, pf * pf)) / pf
        ems = Ems(**{on: self.value(on) for on in OF_EMS})
        return InverterCommand(**asked, connect=connect is None or connect != 0.0, ems=ems)


ON = frozenset((*OF_INVERTER, *OF_EMS, "pf", "connect", "charge_max_a", "discharge_max_a"))
"""All that an act may ask for."""
