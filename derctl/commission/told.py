"""What a DER is told in a proof: something that it can be seen to let go of, and that lets through nothing more."""

from __future__ import annotations

from derctl.commission.trial import Subject
from derctl.core.types import NOTHING, Reading, Setpoint
from derctl.core.words import FallbackBy


def harmless(subject: Subject, reading: Reading) -> Setpoint | str:
    """Never above what stands in it. A text: why there is nothing of the kind now."""
    stands_w = (reading.accepted or NOTHING).p_ceiling_w
    most_w = subject.p_max_w if stands_w is None else stands_w
    if subject.by is FallbackBy.STANDS:
        if not subject.limit:
            return "it takes no limit that could stand"
        return Setpoint(p_ceiling_w=min(most_w, _goal_w(subject)))
    if most_w < _goal_w(subject) - subject.tolerance_w:
        text = f"a limit of {most_w:,.0f} W stands in it, which its timer would lift"
        return f"{text}: whoever set it has to lift it first (`derctl release --lift`, or its own app)"
    if subject.aim:
        return _target(subject, reading)
    return _ceiling(subject, reading, most_w) if subject.limit else "it takes neither a limit nor a setpoint"


def no_less(goal_w: float, subject: Subject) -> bool:
    """Whether the declared ceiling is no limit at all."""
    return goal_w >= subject.p_max_w - subject.tolerance_w


def _goal_w(subject: Subject) -> float:
    return subject.p_max_w if subject.p_ceiling_w is None else min(subject.p_ceiling_w, subject.p_max_w)


def _target(subject: Subject, reading: Reading) -> Setpoint | str:
    """A little less than it gives. It reverts to rest, or to its own mode."""
    if reading.p_w is None:
        return "its power is not known"
    step_w = subject.step_w
    for off_w in (-step_w, -2.0 * step_w, step_w):
        told_w = reading.p_w + off_w
        if subject.p_min_w <= told_w <= _goal_w(subject) + abs(off_w) and abs(told_w) >= step_w / 2.0:
            return Setpoint(p_target_w=min(told_w, subject.p_max_w))
    return "there is no setpoint near its power that differs from rest"


def _ceiling(subject: Subject, reading: Reading, most_w: float) -> Setpoint | str:
    """A little less than it gives, so that its power tells; in the dark a little less than its fallback."""
    step_w, goal_w, p_w = subject.step_w, _goal_w(subject), reading.p_w or 0.0
    wanted = [p_w - step_w] if p_w >= 3.0 * step_w else []
    for told_w in (*wanted, goal_w - step_w, goal_w + step_w):
        if step_w <= told_w <= most_w and abs(told_w - goal_w) >= step_w - subject.tolerance_w / 2.0:
            return Setpoint(p_ceiling_w=told_w)
    return f"a limit of {most_w:,.0f} W stands in it, beside which no other can be told from its fallback"
