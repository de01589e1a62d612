"""SunSpec inverters with PV or storage behind them: 101-103 / 111-113 with 120-124, or 701-704 with 713."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from derctl.core.exchange import Exchange, Read
from derctl.core.types import NOTHING, Capability, Fallback, Port, Rating, Reading, Setpoint
from derctl.devices.kind import Models
from derctl.devices.plausible import plausible
from derctl.devices.sunspec.controls.controls import Controls
from derctl.devices.sunspec.controls.m123 import build_123
from derctl.devices.sunspec.controls.m124 import build_124
from derctl.devices.sunspec.controls.m704 import build_704
from derctl.devices.sunspec.found import Found
from derctl.devices.sunspec.layout import Layout, View, find
from derctl.devices.sunspec.measure import INVERTERS, POINTS_1XX, POINTS_701, inverter
from derctl.devices.sunspec.nameplate import rating
from derctl.devices.sunspec.own import Own, own_of
from derctl.devices.sunspec.wrong import not_a
from derctl.devices.types import Answers, Options, Reversion

PV = Capability(ac=Port(limit=True, var=True), pv=Port())
STORAGE = Capability(ac=Port(aim=True, var=True), battery=Port())
"""The most that each kind takes. Everything is told at the AC terminals; what is behind them takes nothing."""

CHARGE = {713: ("SoC", "SoH"), 124: ("ChaState",)}
"""Where a battery's state stands."""

ANY_MESSAGE = (
    "its reversion timer starts again with every Modbus message: a fallback by reversion comes true only once nothing"
    " asks it any more, be it derctl or another client"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SunspecDer(Found):
    """A bound inverter. can: by the control groups that were found.

    ac, charge: measurements, and the battery's state where there is one.
    """

    rating: Rating
    can: Capability
    ac: View
    charge: View | None
    controls: Controls
    own: Own = field(default_factory=Own)

    @property
    def control(self) -> Mapping[str, Read]:
        return {view.name: view.read for view in (self.ac, *self.controls.views.values())}

    @property
    def slow(self) -> Mapping[str, Read]:
        charge = () if self.charge is None else (self.charge,)
        return {view.name: view.read for view in (*charge, *self.own.views.values())}

    @property
    def reversion(self) -> Reversion:
        return self.controls.reversion

    def decode(self, answers: Answers) -> Reading:
        values = self.ac.values(answers)
        soc, soh = self._charge(answers)
        on, off = self.own.states(answers, self.options.own_functions)
        told = self.can.steer or self.can.var
        accepted = self.controls.accepted(answers) if told else None
        reading = inverter(
            self.ac.block.model_id, values, soc_pct=soc, soh_pct=soh, accepted=accepted, own_on=on, own_off=off
        )
        return plausible(reading, self.rating)

    def _charge(self, answers: Answers) -> tuple[float | None, float | None]:
        """State of charge and of health, percent."""
        if self.charge is None or self.charge.name not in answers:
            return None, None
        values = self.charge.values(answers)
        soc = values.get("SoC", values.get("ChaState"))
        return soc if soc is not None and 0.0 <= soc <= 100.0 else None, values.get("SoH")

    def promises(self, answers: Answers, fallback: Fallback) -> bool | None:
        return self.controls.promises(answers, fallback)

    def absent_w(self, fallback: Fallback) -> float:
        return self.controls.absent_w(fallback)

    def sendable(self, setpoint: Setpoint) -> Setpoint:
        return self.controls.sendable(setpoint)

    def write(
        self, setpoint: Setpoint, fallback: Fallback, answers: Answers, *, give_back_var: bool = False
    ) -> Exchange[Setpoint]:
        return self.controls.write(setpoint, fallback, answers, give_back_var=give_back_var)

    def release(
        self, fallback: Fallback, *, lift: bool, held: Setpoint = NOTHING, believed: bool = True
    ) -> Exchange[Setpoint]:
        return self.controls.release(fallback, lift=lift, held=held, believed=believed)


def bind_pv(models: Models, options: Options) -> Exchange[SunspecDer]:
    """Find a PV inverter and learn its rating, measurements and control groups."""
    return (yield from _bind(models, options, PV))


def bind_storage(models: Models, options: Options) -> Exchange[SunspecDer]:
    """Find a battery inverter: power through 704 or 124, state from 713 or 124 unless a BMS of its own tells more."""
    return (yield from _bind(models, options, STORAGE))


def _bind(models: Models, options: Options, kind: Capability) -> Exchange[SunspecDer]:
    layout = yield from find(models, options)
    ac = layout.find(*INVERTERS)
    if ac is None:
        expected = "sunspec_storage" if kind.store else "sunspec_pv"
        raise not_a(expected, layout, "no inverter model (701, 101-103, 111-113) in the chain")
    rated, stated = yield from rating(layout, options, storage=kind.store)
    controls = yield from _controls(layout, options, rated, kind.ac, stated=stated)
    return SunspecDer(
        layout=layout,
        options=options,
        problems=(*layout.chain.problems, *controls.problems),
        rating=rated,
        can=replace(kind, ac=controls.port),
        ac=layout.view("ac", ac, POINTS_701 if ac.model_id == 701 else POINTS_1XX),
        charge=_charge_of(layout) if kind.store else None,
        controls=controls,
        own=own_of(layout),
    )


def _charge_of(layout: Layout) -> View | None:
    block = layout.find(*CHARGE)
    return None if block is None else layout.view("soc", block, CHARGE[block.model_id])


def _controls(layout: Layout, options: Options, rated: Rating, want: Port, *, stated: bool) -> Exchange[Controls]:
    """704 before the older models. Without groups where the device is only read; its problems say why."""
    profile = options.profile
    unread = Controls(rating=rated, profile=profile)
    if layout.chain.repaired:
        return replace(unread, problems=("the chain had to be repaired: this device is only read",))
    if not stated:
        return replace(unread, problems=("the rating is the site file's word: this device is only read",))
    if layout.find(704) is not None:
        found = yield from build_704(layout, rated, profile, want)
    else:
        found = yield from build_123(layout, rated, profile, want)
        found = found.joined((yield from build_124(layout, rated, profile, want)))
    if found == unread:
        return replace(unread, problems=("no control model (704, 123, 124): this device is only read",))
    if profile.timer_rearm == "any_message" and found.port != Port():
        return replace(found, problems=(*found.problems, ANY_MESSAGE))
    return found
