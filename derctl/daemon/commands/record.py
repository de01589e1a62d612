"""The record of an instruction: how good the clock was, V, P and Q at the meter, who contributed what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from derctl.core.requests import Request
from derctl.core.types import Decision, DerState, SiteState
from derctl.core.words import Became, What
from derctl.daemon.commands.effect import Seen, function_of, narrowings
from derctl.daemon.commands.volts import Window

VAR = frozenset({"const_pf", "const_var"})
"""Functions that deliver var, and no power."""


class Sum(msgspec.Struct, kw_only=True):
    """value: of something times seconds."""

    value: float = 0.0
    seconds: float = 0.0

    def add(self, value: float, dt_s: float) -> None:
        """So much for so long."""
        self.value += value * dt_s
        self.seconds += dt_s

    @property
    def mean(self) -> float | None:
        """None: it never was."""
        return round(self.value / self.seconds, 1) if self.seconds else None


class Record(msgspec.Struct, kw_only=True):
    """What is summed up while a request is alive. seconds: ticks that were seen. own, own_var: what its function did
    while that was achieved. by: of each function that narrowed its DERs' setpoints, `name/quantity`. began: what each
    DER gave in its first tick. first, last: the point of connection then."""

    seconds: float = 0.0
    p_w: Sum = msgspec.field(default_factory=Sum)
    q_var: Sum = msgspec.field(default_factory=Sum)
    own: Sum = msgspec.field(default_factory=Sum)
    own_var: Sum = msgspec.field(default_factory=Sum)
    by: dict[str, Sum] = {}
    began: dict[str, float] = {}
    first: dict[str, Any] | None = None
    last: dict[str, Any] | None = None


def at_poc(state: SiteState, volts: Window, clock: Mapping[str, Any]) -> dict[str, Any]:
    """The point of connection now. clock: the time, whether it can be believed, and by how much it is off at most."""
    reading = None if state.poc is None or not state.poc.fresh else state.poc.reading
    return {
        **clock,
        "p_w": None if reading is None else reading.p_w,
        "q_var": None if reading is None else reading.q_var,
        "v_phase_1s_v": _rounded(volts.one_s),
        "v_phase_10min_v": _rounded(volts.ten_min),
    }


def noted(record: Record, request: Request, seen: Seen, became: Became | None) -> None:
    """One tick more. became: what the request did in it. What a senior took, volt-watt before all, stands under the
    senior's name: only what this function narrowed beyond it is its own. Where nothing is written nobody contributed.
    """
    record.seconds += seen.dt_s
    record.first = record.first or dict(seen.at)
    record.last = dict(seen.at)
    for name, sum_ in (("p_w", record.p_w), ("q_var", record.q_var)):
        if seen.at[name] is not None:
            sum_.add(seen.at[name], seen.dt_s)
    if seen.closed(request.der):
        return
    kind, own, moves = function_of(request), 0.0, dict[str, float]()
    for decision in seen.decisions:
        der = seen.ders.get(decision.der)
        if der is None or request.der not in {None, decision.der}:
            continue
        for bound, moved in narrowings(decision, der.rating):
            key = f"{bound.by}/{bound.what}"
            moves[key] = moves.get(key, 0.0) + moved
        own += _own(record, der, decision, kind)
    for key, moved in moves.items():
        record.by.setdefault(key, Sum()).add(moved, seen.dt_s)
    if became is Became.ACHIEVED:
        (record.own_var if kind in VAR else record.own).add(own, seen.dt_s)


def _own(record: Record, der: DerState, decision: Decision, kind: str) -> float:
    """What a DER gives less than it gave when this began, and than a senior lets it: so far it is a limit's doing; of
    a floor what it gives more. Of a setpoint all that it gives, W or var."""
    p_w, q_var = der.reading.p_w, der.reading.q_var
    if kind in VAR:
        mine = any(bound.by == kind for bound in decision.bound_by)
        return q_var if mine and q_var is not None and der.fresh else 0.0
    if p_w is None or not der.fresh:
        return 0.0
    most_w = record.began.setdefault(der.id, p_w)
    for bound in decision.bound_by:
        if bound.by == kind:
            if bound.what is What.FLOOR:
                return max(p_w - record.began[der.id], 0.0)
            return p_w if bound.what is What.TARGET else min(p_w - most_w, 0.0)
        if bound.what is What.CEILING:
            most_w = min(most_w, bound.value)
    return 0.0


def told(record: Record) -> dict[str, Any]:
    """As the closing answer has it."""
    contributed = []
    for key, each in record.by.items():
        by, _, what = key.rpartition("/")
        contributed.append({"by": by, "what": what, "mean": each.mean, "seconds": round(each.seconds, 1)})
    return {
        "seconds": round(record.seconds, 1),
        "first": record.first,
        "last": record.last,
        "mean_p_w": record.p_w.mean,
        "mean_q_var": record.q_var.mean,
        "contributed": contributed,
        "delivered": {
            "p_w": record.own.mean,
            "q_var": record.own_var.mean,
            "seconds": round(record.own.seconds + record.own_var.seconds, 1),
        },
    }


def _rounded(volts: tuple[float | None, ...]) -> list[float | None] | None:
    return [None if each is None else round(each, 2) for each in volts] or None
