"""What became of each interval of a plan, an envelope or an event: what was measured meanwhile, and who held it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from derctl.core.requests import EnvelopeRequest, EventRequest, PlanRequest, aiming
from derctl.core.types import Decision, DerState, SiteState
from derctl.core.value import replace, value
from derctl.core.words import What

SAME_W = 1.0
"""A setpoint this near to what the plan asks for is the plan's."""
CARRIERS = frozenset({"schedule", "grid_target"})
"""What carries a plan or an event's target out narrows nobody's power against it."""


@value
class Aimed:
    """Of an interval with a target: what was requested, W. desired_s: for how long a target was told, and desired_wh
    what that was; accepted_wh: what was read back of it, for accepted_s."""

    requested_w: float
    desired_s: float = 0.0
    desired_wh: float = 0.0
    accepted_s: float = 0.0
    accepted_wh: float = 0.0

    @property
    def desired_w(self) -> float | None:
        """The mean of what the batteries were told."""
        return None if self.desired_s <= 0.0 else 3600.0 * self.desired_wh / self.desired_s

    @property
    def accepted_w(self) -> float | None:
        """The mean of what they read back."""
        return None if self.accepted_s <= 0.0 else 3600.0 * self.accepted_wh / self.accepted_s


@value
class Delivery:
    """One interval. part, of parts: from 1 on. lasted_s: how long it was in force; heard_s: for how much of that its
    power was measured; energy_wh: what went out meanwhile (+), at the DER's terminals or the point of connection;
    low_w, high_w: between what, None: never measured. held: who else decided, and for how many seconds. aimed: of a
    target, None of limits. at_poc: the power is that of the point of connection; else of the DER, or of all
    batteries, for an event with a target of theirs.
    """

    id: str
    by: str
    kind: str
    der: str | None
    part: int
    parts: int
    lasted_s: float = 0.0
    heard_s: float = 0.0
    energy_wh: float = 0.0
    low_w: float | None = None
    high_w: float | None = None
    held: tuple[tuple[str, float], ...] = ()
    aimed: Aimed | None = None
    at_poc: bool = False

    @property
    def mean_w(self) -> float | None:
        """The mean of what was measured."""
        return None if self.heard_s <= 0.0 else 3600.0 * self.energy_wh / self.heard_s


Scheduled = EnvelopeRequest | EventRequest | PlanRequest
Open = Mapping[tuple[str, str], Delivery]
"""By sender and id: the interval that lasts now."""


def step(
    before: Open, state: SiteState, decisions: Sequence[Decision], dt_s: float
) -> tuple[dict[tuple[str, str], Delivery], list[Delivery]]:
    """One tick: the intervals that last, and those that are over."""
    now: dict[tuple[str, str], Delivery] = {}
    for each in state.requests:
        if isinstance(each, EnvelopeRequest | EventRequest | PlanRequest) and each.part is not None:
            known = before.get((each.by, each.id))
            same = known is not None and known.part == each.part
            begun = known if same and known is not None else _begun(each, each.part)
            now[each.by, each.id] = _measured(begun, each, state, decisions, dt_s)
    over = [each for key, each in before.items() if key not in now or now[key].part != each.part]
    return now, over


def _begun(asked: Scheduled, part: int) -> Delivery:
    return Delivery(
        id=asked.id,
        by=asked.by,
        kind=asked.kind,
        der=asked.der,
        part=part,
        parts=asked.parts,
        at_poc=_at_poc(asked),
    )


def _measured(
    before: Delivery, asked: Scheduled, state: SiteState, decisions: Sequence[Decision], dt_s: float
) -> Delivery:
    after = replace(before, lasted_s=before.lasted_s + dt_s)
    ders = [der for der in state.ders if (der.can.balance if asked.der is None else der.id == asked.der)]
    target_w = _target_w(asked)
    if target_w is not None:
        told = [each for each in decisions if any(each.der == der.id for der in ders)]
        aimed = _aimed(before.aimed or Aimed(requested_w=target_w), ders, told, dt_s)
        after = replace(after, aimed=aimed, held=_held(before.held, asked, told, _later(asked, state), dt_s))
    p_w = _power_w(asked, ders, state)
    if p_w is None:
        return after
    return replace(
        after,
        heard_s=after.heard_s + dt_s,
        energy_wh=after.energy_wh + p_w * dt_s / 3600.0,
        low_w=p_w if after.low_w is None else min(after.low_w, p_w),
        high_w=p_w if after.high_w is None else max(after.high_w, p_w),
    )


def _target_w(asked: Scheduled) -> float | None:
    """Of the DER, of the batteries together, or at the point of connection; None: it has none."""
    if isinstance(asked, EnvelopeRequest):
        return None
    poc_w = asked.poc_target_w if isinstance(asked, EventRequest) else None
    return asked.p_target_w if poc_w is None else poc_w


def _at_poc(asked: Scheduled) -> bool:
    return asked.der is None and not (isinstance(asked, EventRequest) and asked.p_target_w is not None)


def _power_w(asked: Scheduled, ders: Sequence[DerState], state: SiteState) -> float | None:
    """Of the DER, of the batteries together, or at the point of connection; None: nobody hears it."""
    if not _at_poc(asked):
        return _sum([each.reading.p_w if each.fresh else None for each in ders])
    return None if state.poc is None or not state.poc.fresh else state.poc.reading.p_w


def _aimed(before: Aimed, ders: Sequence[DerState], told: Sequence[Decision], dt_s: float) -> Aimed:
    """One tick more. What one of them does not tell nobody knows of their sum."""
    desired_w = _sum([each.setpoint.p_target_w for each in told])
    read = [each.reading.accepted for each in ders]
    accepted_w = _sum([None if each is None else each.p_target_w for each in read])
    if desired_w is not None:
        desired_wh = before.desired_wh + desired_w * dt_s / 3600.0
        before = replace(before, desired_s=before.desired_s + dt_s, desired_wh=desired_wh)
    if accepted_w is not None:
        accepted_wh = before.accepted_wh + accepted_w * dt_s / 3600.0
        before = replace(before, accepted_s=before.accepted_s + dt_s, accepted_wh=accepted_wh)
    return before


def _sum(parts: Sequence[float | None]) -> float | None:
    """None: one is not known, or there is none."""
    known = [w for w in parts if w is not None]
    return sum(known) if known and len(known) == len(parts) else None


def _later(asked: Scheduled, state: SiteState) -> str | None:
    """Whose event came later and counts instead."""
    counts = aiming(state.requests) if isinstance(asked, EventRequest) else None
    return None if counts is None or (counts.by, counts.id) == (asked.by, asked.id) else counts.by


def _held(
    before: tuple[tuple[str, float], ...],
    asked: Scheduled,
    told: Sequence[Decision],
    later: str | None,
    dt_s: float,
) -> tuple[tuple[str, float], ...]:
    """Who else decided: a target that is another than what was asked for. Of the point of connection nobody knows."""
    assert not isinstance(asked, EnvelopeRequest)
    told_w = _sum([each.setpoint.p_target_w for each in told])
    met = told_w is not None and asked.p_target_w is not None and abs(told_w - asked.p_target_w) <= SAME_W
    by = later or (None if asked.p_target_w is None or met else _decided(asked, told))
    if by is None:
        return before
    held = dict(before)
    held[by] = held.get(by, 0.0) + dt_s
    return tuple(held.items())


def _decided(asked: Scheduled, told: Sequence[Decision]) -> str | None:
    """Whose power it is, else the last that narrowed it. A word on reactive power decides no power."""
    found = None
    for one in told:
        others = [each for each in one.bound_by if each.what is not What.VAR and each.by not in CARRIERS]
        told_w = one.setpoint.p_target_w
        met = [each for each in others if told_w is not None and abs(each.value - told_w) <= SAME_W]
        found = (met or others)[-1].by if others else found
    return found
