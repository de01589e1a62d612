"""What was said to hold of late, and since when the measurement is somewhere else: small moves don't make it young
again. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core.types import Setpoint
from derctl.core.value import replace, value
from derctl.core.words import What


@value
class Course:
    """setpoint: in force now. since_s: since when anything is. past: what was before, each once, and when it ended.

    astray_s: since when the measurement is somewhere else, None while it isn't.
    """

    setpoint: Setpoint
    since_s: float
    past: tuple[tuple[float, Setpoint], ...] = ()
    astray_s: float | None = None


def went_on(course: Course | None, setpoint: Setpoint, now_s: float, keep_s: float) -> Course:
    """With what is in force from now on. keep_s: how long an earlier one counts."""
    if course is None:
        return Course(setpoint=setpoint, since_s=now_s)
    if setpoint == course.setpoint:
        return course
    young = tuple(each for each in course.past if each[0] >= now_s - keep_s and each[1] != course.setpoint)
    return replace(course, setpoint=setpoint, past=(*young, (now_s, course.setpoint)))


def measured(course: Course, at_s: float, *, astray: bool) -> Course:
    """After a measurement. astray: it isn't where the setpoint in force wants it."""
    if not astray:
        return course if course.astray_s is None else replace(course, astray_s=None)
    return course if course.astray_s is not None else replace(course, astray_s=max(at_s, course.since_s))


def left(course: Course, what: What, value: float, tolerance: float, at_s: float, settle_s: float) -> bool:
    """Whether it is astray for longer than settle_s, and where none of the setpoints of that time wanted it either.

    So a device that lags behind a moving target follows, and one that stays where it is does not, however often the
    target moves meanwhile.
    """
    if course.astray_s is None or at_s - course.astray_s <= settle_s:
        return False
    wanted = [_part(each, what) for each in _recent(course, at_s - settle_s)]
    known = [each for each in wanted if each is not None]
    if len(known) < len(wanted):  # it was free in between
        return False
    above = value > max(known) + tolerance
    return above if what is What.CEILING else above or value < min(known) - tolerance


def _recent(course: Course, from_s: float) -> Sequence[Setpoint]:
    return [course.setpoint, *(before for end_s, before in course.past if end_s >= from_s)]


def _part(setpoint: Setpoint, what: What) -> float | None:
    values = {What.CEILING: setpoint.p_ceiling_w, What.TARGET: setpoint.p_target_w, What.VAR: setpoint.q_var}
    return values[what]
