"""SunSpec inverters with PV or storage behind them: 101-103 / 111-113 with 120-124, or 701-704 with 713."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from derctl.core.exchange import Exchange, Read, Registers
from derctl.core.types import NOTHING, Capability, Fallback, Port, Rating, Reading, Setpoint
from derctl.core.words import Timer
from derctl.devices.steps import Steps, percent_of, plain
from derctl.devices.sunspec.controls.m123 import POINTS_123, VAR_123, Limit123, Var123
from derctl.devices.sunspec.controls.m124 import POINTS_124, Target124
from derctl.devices.sunspec.controls.m704 import POINTS_704, Limit704, Target704, Var704
from derctl.devices.sunspec.layout import Layout, View, find
from derctl.devices.sunspec.measure import INVERTERS, POINTS_1XX, POINTS_701, inverter, plausible
from derctl.devices.sunspec.nameplate import base_124, base_704, rating
from derctl.devices.types import Answers, Identity, Models, Options, Reversion
from derctl.errors import DeviceError, NotRecognised

OWN_FUNCTIONS = {
    "volt_var": ((705, "Ena"), (126, "ModEna")),
    "volt_watt": ((706, "Ena"), (132, "ModEna")),
    "freq_droop": ((711, "Ena"), (134, "ModEna"), (127, "ModEna")),
    "watt_var": ((712, "Ena"), (131, "ModEna")),
}
"""Where a device says whether it runs a function itself."""
CONTROLS = ("ctl", "sto")
"""Views with control groups: 123 or 704, and 124."""
STORAGE_713 = ("SoC", "SoH", "WHRtg")
STORAGE_124 = ("ChaState",)


PV = Capability(ac=Port(limit=True, var=True), pv=Port())
STORAGE = Capability(ac=Port(aim=True, var=True), battery=Port())
"""Everything is told at the AC terminals; what is behind them takes nothing of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SunspecDer:
    """A bound inverter. views by name; a control group that the device lacks is None."""

    layout: Layout
    rating: Rating
    can: Capability
    options: Options
    views: Mapping[str, View]
    fast: tuple[str, ...]
    limit: Limit123 | Limit704 | None = None
    target: Target124 | Target704 | None = None
    var: Var123 | Var704 | None = None
    timer: bool = True
    problems: tuple[str, ...] = ()
    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def identity(self) -> Identity:
        return self.layout.identity

    def identify(self) -> Exchange[Identity]:
        return self.layout.identify()

    @property
    def control(self) -> Mapping[str, Read]:
        return {name: self.views[name].read for name in self.fast}

    @property
    def slow(self) -> Mapping[str, Read]:
        return {name: view.read for name, view in self.views.items() if name not in self.fast}

    def decode(self, answers: Answers) -> Reading:
        ac = self.views["ac"]
        values = ac.values(answers)
        soc, soh = self._storage(answers)
        on, off = self._own(answers)
        accepted = self._accepted(answers) if self.limit or self.target or self.var else None
        reading = inverter(
            ac.block.model_id, values, soc_pct=soc, soh_pct=soh, accepted=accepted, own_on=on, own_off=off
        )
        return plausible(reading, self.rating)

    def _storage(self, answers: Answers) -> tuple[float | None, float | None]:
        """State of charge and of health, percent."""
        if "soc" not in self.views or "soc" not in answers:
            return None, None
        values = self.views["soc"].values(answers)
        soc = values.get("SoC", values.get("ChaState"))
        return soc if soc is not None and 0.0 <= soc <= 100.0 else None, values.get("SoH")

    def _own(self, answers: Answers) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What the device runs itself, as far as it tells; every model that could run it must say off."""
        if self.options.own_functions == "off":
            return (), tuple(OWN_FUNCTIONS)
        on, off = [], []
        for function, names in self.own.items():
            states = [_enabled(self.views[name].values(answers)) for name in names if name in answers]
            if any(state is True for state in states):
                on.append(function)
            elif states and len(states) == len(names) and all(state is False for state in states):
                off.append(function)
        return tuple(on), tuple(off)

    def _accepted(self, answers: Answers) -> Setpoint:
        limit, target, var = self.limit, self.target, self.var
        values = {name: self.views[name].values(answers) for name in CONTROLS if name in self.views}
        return Setpoint(
            p_ceiling_w=None if limit is None else limit.accepted_w(values[limit.view.name], self.rating.p_max_w),
            p_target_w=None if target is None else target.accepted_w(values[target.view.name]),
            q_var=None if var is None else var.accepted_var(values[var.view.name]),
        )

    def absent_w(self, fallback: Fallback) -> float:
        if self.target is not None:
            targeted = self.timer and isinstance(self.target, Target704)
            held = fallback.p_ceiling_w is not None and (targeted or fallback.by != "reversion")
            return max(fallback.p_ceiling_w or 0.0, 0.0) if held else self.rating.p_max_w
        if isinstance(self.limit, Limit123):
            return self.limit.absent_w(fallback, self.rating.p_max_w)
        if isinstance(self.limit, Limit704):
            return self.limit.absent_w(fallback, self.rating.p_max_w, timer=self.timer)
        held = fallback.by == "device" and fallback.p_ceiling_w is not None
        return (fallback.p_ceiling_w or 0.0) if held else self.rating.p_max_w

    @property
    def reversion(self) -> Reversion:
        group = self.target or self.limit
        if group is None or not self.timer:
            return Reversion()
        targeted = isinstance(group, Target704 | Limit704)
        return Reversion(timer=Timer.TARGET if targeted else Timer.NO_TARGET, model=group.view.block.model_id)

    def sendable(self, setpoint: Setpoint) -> Setpoint:
        setpoint = self._rated(setpoint)
        ceiling, target, q_var = setpoint.p_ceiling_w, setpoint.p_target_w, setpoint.q_var
        if self.limit is not None and ceiling is not None:
            ceiling = self._awake(self.limit.steps.down(ceiling))
        if self.target is not None and target is not None:
            target = self.target.steps.down(target)
        if self.var is not None and q_var is not None:
            q_var = self._on_step(q_var, self.var.steps)
        return replace(setpoint, p_ceiling_w=ceiling, p_target_w=target, q_var=q_var)

    def _rated(self, setpoint: Setpoint) -> Setpoint:
        """Inside the rating, between the steps of the registers too."""
        ceiling, target, q_var = setpoint.p_ceiling_w, setpoint.p_target_w, setpoint.q_var
        return Setpoint(
            p_ceiling_w=None if ceiling is None else self._awake(min(max(ceiling, 0.0), self.rating.p_max_w)),
            p_floor_w=setpoint.p_floor_w,
            p_target_w=None if target is None else self._inside(target),
            q_var=None if q_var is None else self._box(q_var),
        )

    def _on_step(self, q_var: float, steps: Steps) -> float:
        """The nearest step, but none outside the rating."""
        nearest = steps.nearest(q_var)
        return nearest if self._box(nearest) == nearest else steps.down(q_var)

    def write(
        self, setpoint: Setpoint, fallback: Fallback, answers: Answers, *, give_back_var: bool = False
    ) -> Exchange[Setpoint]:
        setpoint = self._rated(setpoint)
        if self.target is not None and setpoint.p_target_w is not None:
            yield from self.target.write(setpoint.p_target_w, fallback, answers)
        elif self.limit is not None and setpoint.p_ceiling_w is not None:
            yield from self.limit.write(setpoint.p_ceiling_w, fallback, answers)
        if self.var is not None and setpoint.q_var is not None:
            yield from self.var.write(setpoint.q_var, fallback, answers)
        elif self.var is not None and give_back_var:
            yield from self.var.release(answers)
        return (yield from self.read_back())

    def release(self, fallback: Fallback, *, lift: bool, held: Setpoint = NOTHING) -> Exchange[Setpoint]:
        """Var first; power is given back although var is refused. Raises the first refusal."""
        answers = yield from self._controls()
        refusals: list[DeviceError] = []
        power = self._release_power(fallback, answers, lift=lift, held=held)
        for part in (self._release_var(answers, held), power):
            try:
                yield from part
            except DeviceError as error:
                refusals.append(error)
        if refusals:
            raise refusals[0]
        return (yield from self.read_back())

    def _release_var(self, answers: Answers, held: Setpoint) -> Exchange[None]:
        if self.var is not None and (self._accepted(answers).q_var is not None or held.q_var is not None):
            yield from self.var.release(answers)

    def _release_power(self, fallback: Fallback, answers: Answers, *, lift: bool, held: Setpoint) -> Exchange[None]:
        if self.target is not None:
            yield from self.target.release(fallback, answers)
        elif self.limit is not None:
            present = self._accepted(answers).p_ceiling_w
            stands = self._stands(fallback, held.p_ceiling_w if present is None else present, lift=lift)
            if stands is not None:
                yield from self.limit.release(None if stands >= self.rating.p_max_w else stands, answers)

    def _stands(self, fallback: Fallback, present: float | None, *, lift: bool) -> float | None:
        """The ceiling that stays, W: never above the fallback, and unless lifted never above the present one.

        None: leave it as it is. What is there is not known then, and whatever is written may be more; only where the
        timer runs towards no limit at all does the fallback go in first.
        """
        full = self.rating.p_max_w
        low = full if fallback.p_ceiling_w is None else min(fallback.p_ceiling_w, full)
        if lift:
            return low
        if present is not None:
            return min(present, low)
        return low if fallback.by == "reversion" and low < full else None

    def read_back(self) -> Exchange[Setpoint]:
        """Read the control groups again and say what they hold."""
        return self._accepted((yield from self._controls()))

    def _controls(self) -> Exchange[dict[str, Registers]]:
        fresh: dict[str, Registers] = {}
        for name in CONTROLS:
            if name in self.views:
                fresh[name] = yield self.views[name].read
        return fresh

    def _inside(self, p_w: float) -> float:
        return min(max(p_w, self.rating.p_min_w), self.rating.p_max_w)

    def _awake(self, ceiling_w: float) -> float:
        """A limit below what keeps the inverter awake is written as 0."""
        least = self.options.profile.min_limit_pct / 100.0 * self.rating.p_max_w
        return 0.0 if ceiling_w < least - 1e-6 else ceiling_w

    def _box(self, q_var: float) -> float:
        return min(max(q_var, -self.rating.q_abs_max_var), self.rating.q_inj_max_var)


def capability(*, storage: bool, limit: object = None, target: object = None, var: object = None) -> Capability:
    """By the control groups that were found."""
    ac = Port(limit=limit is not None, aim=target is not None, var=var is not None)
    return replace(STORAGE if storage else PV, ac=ac)


def _enabled(values: dict[str, Any]) -> bool | None:
    raw = values.get("Ena", values.get("ModEna"))
    return None if raw is None else bool(raw & 1)


def bind_pv(models: Models, options: Options) -> Exchange[SunspecDer]:
    """Find a PV inverter and learn its rating, measurements and control groups."""
    return (yield from _bind(models, options, storage=False))


def bind_storage(models: Models, options: Options) -> Exchange[SunspecDer]:
    """Find a battery inverter: power through 704 or 124, state from 713 or 124 unless a BMS of its own tells more."""
    return (yield from _bind(models, options, storage=True))


def _bind(models: Models, options: Options, *, storage: bool) -> Exchange[SunspecDer]:
    layout = yield from find(models, options)
    ac = layout.find(*INVERTERS)
    if ac is None:
        raise NotRecognised("no inverter model (701, 101-103, 111-113) in the chain")
    rated, stated = yield from rating(layout, options, storage=storage)
    views = {"ac": layout.view("ac", ac, POINTS_701 if ac.model_id == 701 else POINTS_1XX)}
    problems = list(layout.chain.problems)
    _add_state(layout, views, storage=storage)
    own = _own_views(layout, views)
    der = SunspecDer(
        layout=layout,
        rating=rated,
        can=capability(storage=storage),
        options=options,
        views=views,
        fast=("ac",),
        own=own,
        problems=tuple(problems),
    )
    if layout.chain.repaired:
        return replace(der, problems=(*problems, "the chain had to be repaired: this device is only read"))
    if not stated:
        return replace(der, problems=(*problems, "the rating is the site file's word: this device is only read"))
    if layout.find(704) is not None:
        return (yield from _with_704(der, layout, storage=storage))
    if layout.find(123) is not None or layout.find(124) is not None:
        return (yield from _with_12x(der, layout, storage=storage))
    return replace(der, problems=(*problems, "no control model (704, 123, 124): this device is only read"))


def _add_state(layout: Layout, views: dict[str, View], *, storage: bool) -> None:
    state = layout.find(713, 124) if storage else None
    if state is not None:
        views["soc"] = layout.view("soc", state, STORAGE_713 if state.model_id == 713 else STORAGE_124)


def _own_views(layout: Layout, views: dict[str, View]) -> dict[str, tuple[str, ...]]:
    own: dict[str, tuple[str, ...]] = {}
    for function, places in OWN_FUNCTIONS.items():
        names = []
        for model_id, point in places:
            block = layout.find(model_id)
            if block is not None:
                name = f"own{model_id}"
                views[name] = layout.view(name, block, (point,))
                names.append(name)
        if names:
            own[function] = tuple(names)
    return own


def _with_704(der: SunspecDer, layout: Layout, *, storage: bool) -> Exchange[SunspecDer]:
    block = layout.find(704)
    assert block is not None
    view = layout.view("ctl", block, POINTS_704)
    values = yield from layout.once(block, POINTS_704)
    base = (yield from base_704(layout)) or der.rating.p_max_w
    profile = der.options.profile
    limit = target = None
    if storage:
        watts = values["WSet"] is not None
        steps = plain(values["WSet_SF"]) if watts else percent_of(base, values["WSetPct_SF"])
        target = Target704(view=view, base=base, profile=profile, steps=steps)
        reverts = ("WSetRvrtTms", "WSetEnaRvrt", "WSetRvrt" if watts else "WSetPctRvrt")
    else:
        limit = Limit704(view=view, base=base, profile=profile, steps=percent_of(base, values["WMaxLimPct_SF"]))
        reverts = ("WMaxLimPctRvrtTms", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrt")
    var_base = max(der.rating.q_inj_max_var, der.rating.q_abs_max_var)
    in_var = values["VarSet"] is not None
    steps = plain(values["VarSet_SF"]) if in_var else percent_of(var_base, values["VarSetPct_SF"])
    var = Var704(view=view, base=var_base, profile=profile, steps=steps) if var_base > 0.0 else None
    timer = all(values[point] is not None for point in reverts)
    honest = timer and der.options.profile.timer_rearm != "none"
    return replace(
        der,
        views={**der.views, "ctl": view},
        fast=("ac", "ctl"),
        limit=limit,
        target=target,
        var=var,
        timer=honest,
        can=capability(limit=limit, target=target, var=var, storage=storage),
        problems=der.problems if honest else (*der.problems, "no reversion timer that reverts"),
    )


def _with_12x(der: SunspecDer, layout: Layout, *, storage: bool) -> Exchange[SunspecDer]:
    views, fast, problems = dict(der.views), ["ac"], [*der.problems]
    timer = der.options.profile.timer_rearm != "none"
    profile = der.options.profile
    limit = target = var = None
    immediate = layout.find(123)
    if immediate is not None:
        view = views["ctl"] = layout.view("ctl", immediate, POINTS_123)
        fast.append("ctl")
        values = yield from layout.once(immediate, POINTS_123)
        base, steps = der.rating.p_max_w, percent_of(der.rating.p_max_w, values["WMaxLimPct_SF"])
        limit = None if storage else Limit123(view=view, base=base, profile=profile, steps=steps)
        var = _var_123(der, view, values)
    store = layout.find(124) if storage else None
    if store is not None:
        view = views["sto"] = layout.view("sto", store, POINTS_124)
        fast.append("sto")
        base = yield from base_124(layout)
        values = yield from layout.once(store, POINTS_124)
        target = Target124(view=view, base=base, profile=profile, steps=percent_of(base, values["InOutWRte_SF"]))
        timer = timer and values["InOutWRte_RvrtTms"] is not None
        if not timer:
            problems.append("no reversion timer that reverts")
    return replace(
        der,
        views=views,
        fast=tuple(fast),
        limit=limit,
        target=target,
        var=var,
        timer=timer,
        problems=tuple(problems),
        can=capability(limit=limit, target=target, var=var, storage=storage),
    )


def _var_123(der: SunspecDer, view: View, values: dict[str, Any]) -> Var123 | None:
    """The first way to set var that the device implements: percent of VArMax, of WMax, of what is available."""
    var_max = max(der.rating.q_inj_max_var, der.rating.q_abs_max_var)
    for point, mode in VAR_123:
        base = der.rating.p_max_w if mode == 1 else var_max
        if values[point] is not None and base > 0.0 and var_max > 0.0:
            steps = percent_of(base, values["VArPct_SF"])
            return Var123(view=view, base=base, profile=der.options.profile, steps=steps, point=point, mode=mode)
    return None
