"""What a stretch of looking on adds up to: what each DER did against what it would have been told. Pure.

Nothing is written, so the next measurement is not the answer to what would have been told: each moment stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.types import Bound, Decision, DerState, Fallback, PocState, Setpoint, Tick
from derctl.core.words import Belief, What
from derctl.daemon.actuate.deadband import Written, differs, reason_to_write
from derctl.devices import Profile
from derctl.store.shadow import DerPart, SitePart

EDGE_PU = 0.005
EDGE_W = 10.0
"""By less than this, of the rating and in any case, nobody is held back or told another power (docs/sources.md)."""
HOUR_S = 3600.0
REST = "rest"
"""Who aims at one that takes nothing but targets, while nobody does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What of a DER's device counts. kinds: functions of the site file that its device may run itself. foreign:
    whether what stands in it is nobody's of ours, so that a change is another's."""

    profile: Profile
    fallback: Fallback
    kinds: tuple[str, ...] = ()
    lapses_s: float | None = None
    foreign: bool = True


@dataclass(slots=True)
class Case:
    """One DER. written: what would have been written to it last. accepted: what it read back last."""

    part: DerPart = field(default_factory=DerPart)
    written: Written | None = None
    accepted: Setpoint | None = None


@dataclass(slots=True)
class Sums:
    """limit_w, margin_w: of the agreement, None where there is none. lag: how long an excursion lasts in which load
    counts, asked when one begins. over_s: for how long one lasts, 0: there is none. most_s: when it was the most."""

    limit_w: float | None = None
    margin_w: float = 0.0
    lag: Callable[[], float] = lambda: 0.0
    site: SitePart = field(default_factory=SitePart)
    cases: dict[str, Case] = field(default_factory=dict)
    over_s: float = 0.0
    lag_s: float = 0.0
    most_s: float = 0.0

    def add(self, tick: Tick, dt_s: float, habits: Mapping[str, Habits], belief: Belief | None) -> None:
        """What happened since the last, as this tick shows it."""
        held_w = 0.0
        decisions = {decision.der: decision for decision in tick.decisions}
        for der in tick.state.ders:
            case = self.cases.get(der.id)
            if case is None:
                case = self.cases[der.id] = Case()
            held_w += _der(case, der, decisions.get(der.id), habits[der.id], tick.state.t_s, dt_s)
        if tick.state.poc is not None:
            self._poc(tick.state.poc, held_w, tick.state.t_s, dt_s, belief)

    def _poc(self, poc: PocState, held_w: float, t_s: float, dt_s: float, belief: Belief | None) -> None:
        site, watts = self.site, poc.reading.p_w
        word = belief if belief is not None else poc.belief.belief
        site.belief[word] = site.belief.get(word, 0.0) + dt_s
        if not poc.fresh or watts is None:
            self.over_s = 0.0
            return
        site.heard_s += dt_s
        if watts > 0.0:
            site.out_wh += watts * dt_s / HOUR_S
        else:
            site.in_wh -= watts * dt_s / HOUR_S
        if self.limit_w is not None:
            self._above(watts - self.limit_w, held_w, t_s, dt_s)

    def _above(self, over_w: float, held_w: float, t_s: float, dt_s: float) -> None:
        site = self.site
        if over_w + self.margin_w > 0.0:
            site.needed_wh += (over_w + self.margin_w) * dt_s / HOUR_S
        if over_w <= 0.0:
            self.over_s = 0.0
            return
        if self.over_s == 0.0:
            site.overs += 1
            self.lag_s = self.lag()
        self.over_s += dt_s
        site.over_s += dt_s
        site.over_wh += over_w * dt_s / HOUR_S
        if over_w > site.most_w:
            site.most_w, self.most_s = over_w, t_s
        site.lag_s = max(site.lag_s, self.lag_s)
        if self.over_s > self.lag_s:
            site.kept_wh += min(over_w, held_w) * dt_s / HOUR_S


def _der(case: Case, der: DerState, decision: Decision | None, habits: Habits, t_s: float, dt_s: float) -> float:
    """One DER's moment. Returns by how much less it would have given, W."""
    part, watts = case.part, der.reading.p_w
    if not der.fresh or watts is None:
        return 0.0
    part.heard_s += dt_s
    part.stored = der.can.store
    if watts > 0.0:
        part.gave_wh += watts * dt_s / HOUR_S
    else:
        part.drew_wh -= watts * dt_s / HOUR_S
    _owned(case, der, habits, dt_s)
    if decision is None or not der.controllable or not (der.can.steer or der.can.var):
        return 0.0
    _would_write(case, der, decision.setpoint, habits, t_s)
    _var(part, der, decision, dt_s)
    return _power(part, der, decision, watts, dt_s)


def _power(part: DerPart, der: DerState, decision: Decision, watts: float, dt_s: float) -> float:
    edge_w = max(EDGE_PU * der.rating.size_w, EDGE_W)
    target_w, ceiling_w = decision.setpoint.p_target_w, decision.setpoint.p_ceiling_w
    if target_w is not None:
        more_w = target_w - watts
        if abs(more_w) > edge_w:
            key = aimed_by(decision.bound_by, target_w)
            seconds, up, down = part.aimed.get(key, (0.0, 0.0, 0.0))
            wh = more_w * dt_s / HOUR_S
            part.aimed[key] = (seconds + dt_s, up + max(wh, 0.0), down + max(-wh, 0.0))
        return max(-more_w, 0.0)
    if ceiling_w is None or watts - ceiling_w <= edge_w:
        return 0.0
    key = held_by(decision.bound_by)
    seconds, wh = part.held.get(key, (0.0, 0.0))
    part.held[key] = (seconds + dt_s, wh + (watts - ceiling_w) * dt_s / HOUR_S)
    return watts - ceiling_w


def _var(part: DerPart, der: DerState, decision: Decision, dt_s: float) -> None:
    q_var = decision.setpoint.q_var
    if q_var is None:
        return
    by = next((bound.by for bound in decision.bound_by if bound.what is What.VAR), "")
    seconds, varh = part.var.get(by, (0.0, 0.0))
    part.var[by] = (seconds + dt_s, varh + abs(q_var - (der.reading.q_var or 0.0)) * dt_s / HOUR_S)


def _owned(case: Case, der: DerState, habits: Habits, dt_s: float) -> None:
    """Who else tells it something: its own modes, and whoever changes what stands in it."""
    part, reading = case.part, der.reading
    for kind in habits.kinds:
        if kind in reading.own_on:
            part.own[kind] = part.own.get(kind, 0.0) + dt_s
        elif kind not in reading.own_off:
            part.untold[kind] = part.untold.get(kind, 0.0) + dt_s
    accepted = reading.accepted
    if accepted is None or not habits.foreign:
        case.accepted = None
        return
    before, case.accepted = case.accepted, accepted
    if before is not None and before is not accepted and before != accepted:
        part.foreign += _another(before, accepted, der, habits.profile)
    limit_w = accepted.p_ceiling_w
    if limit_w is not None and limit_w < der.rating.p_max_w * (1.0 - EDGE_PU):
        part.stood_s += dt_s
        part.stood_w = limit_w


def _another(before: Setpoint, now: Setpoint, der: DerState, profile: Profile) -> bool:
    """Whether that is more than how a register is rounded."""
    return differs(now, before, der.rating, profile) or differs(before, now, der.rating, profile)


def _would_write(case: Case, der: DerState, desired: Setpoint, habits: Habits, t_s: float) -> None:
    """By the rules of a write, as if each had been taken as it was meant."""
    if habits.profile.guarded:
        case.part.a_day = habits.profile.writes_a_day
    written = case.written
    why = reason_to_write(
        desired,
        der.reading.accepted if written is None else written.setpoint,
        written,
        rating=der.rating,
        fallback=habits.fallback,
        profile=habits.profile,
        now_s=t_s,
        lapses_s=habits.lapses_s,
    )
    if why is not None:
        case.written = Written(setpoint=desired, at_s=t_s, found=desired)
        case.part.writes += 1


def held_by(bounds: Sequence[Bound]) -> str:
    """Who set the ceiling that is left: the last to narrow it, and why where that is said."""
    for bound in reversed(bounds):
        if bound.what is What.CEILING:
            return key_of(bound)
    return "rating"


def aimed_by(bounds: Sequence[Bound], target_w: float) -> str:
    """Who sent it there: the edge that it was brought to, or who aims at it."""
    for bound in reversed(bounds):
        if bound.what in {What.CEILING, What.FLOOR} and bound.value == target_w:
            return key_of(bound)
    return next((key_of(bound) for bound in bounds if bound.what is What.TARGET), REST)


def key_of(bound: Bound) -> str:
    """`volt_watt`, or `contract_export_limit:meter_unproven`."""
    return bound.by if bound.why is None else f"{bound.by}:{bound.why}"
