"""What became of each interval of a plan, an envelope or an event: what was measured meanwhile, and who held it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from derctl.core.requests import EnvelopeRequest, EventRequest, PlanRequest
from derctl.core.types import Decision, SiteState
from derctl.core.value import replace, value
from derctl.core.words import What

SAME_W = 1.0
"""A setpoint this near to what the plan asks for is the plan's."""
PLANNED_BY = "schedule"
"""What carries a plan out narrows nobody's power against it."""


@value
class Delivery:
    """One interval. part, of parts: from 1 on. lasted_s: how long it was in force; heard_s: for how much of that its
    power was measured; energy_wh: what went out meanwhile (+), at the DER's terminals or the point of connection;
    low_w, high_w: between what, None: never measured. held: who else decided, and for how many seconds.
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
    return Delivery(id=asked.id, by=asked.by, kind=asked.kind, der=asked.der, part=part, parts=asked.parts)


def _measured(
    before: Delivery, asked: Scheduled, state: SiteState, decisions: Iterable[Decision], dt_s: float
) -> Delivery:
    after = replace(before, lasted_s=before.lasted_s + dt_s)
    if isinstance(asked, PlanRequest):
        decided = next((each for each in decisions if each.der == asked.der), None)
        after = _held(after, asked, decided, dt_s)
    p_w = _power_w(asked.der, state)
    if p_w is None:
        return after
    return replace(
        after,
        heard_s=after.heard_s + dt_s,
        energy_wh=after.energy_wh + p_w * dt_s / 3600.0,
        low_w=p_w if after.low_w is None else min(after.low_w, p_w),
        high_w=p_w if after.high_w is None else max(after.high_w, p_w),
    )


def _power_w(der: str | None, state: SiteState) -> float | None:
    """Of the DER, or at the point of connection; None: nobody hears it."""
    if der is None:
        return None if state.poc is None or not state.poc.fresh else state.poc.reading.p_w
    return next((each.reading.p_w for each in state.ders if each.id == der and each.fresh), None)


def _held(after: Delivery, asked: PlanRequest, decided: Decision | None, dt_s: float) -> Delivery:
    """Who else decided a target that is another than the plan's: whose power it is, else the last that narrowed it.
    A word on reactive power decides no power."""
    told_w = None if decided is None else decided.setpoint.p_target_w
    if decided is None or asked.p_target_w is None:
        return after
    if told_w is not None and abs(told_w - asked.p_target_w) <= SAME_W:
        return after
    others = [each for each in decided.bound_by if each.what is not What.VAR and each.by != PLANNED_BY]
    if not others:
        return after
    met = [each for each in others if told_w is not None and abs(each.value - told_w) <= SAME_W]
    held, by = dict(after.held), (met or others)[-1].by
    held[by] = held.get(by, 0.0) + dt_s
    return replace(after, held=tuple(held.items()))
