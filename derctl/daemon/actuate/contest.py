"""Somebody else sets a device to less than derctl had set it to: how often that is put right, and then left. Pure."""

from __future__ import annotations

from derctl.core.value import replace, value
from derctl.core.words import OnOverride

HOUR_S = 3600.0
MOST = 6
"""So often in an hour derctl puts it right: who still has another mind is no slip (docs/sources.md)."""


@value
class Contest:
    """policy: the site file's. times_s: when it was put right lately."""

    policy: OnOverride = OnOverride.REASSERT
    times_s: tuple[float, ...] = ()


def leaves(contest: Contest, now_s: float) -> bool:
    """Whether what gives less is left as it is. What gives more never is."""
    return contest.policy is not OnOverride.REASSERT or len(_of_late(contest, now_s)) >= MOST


def put_right(contest: Contest, now_s: float) -> Contest:
    """It is written again now."""
    return replace(contest, times_s=(*_of_late(contest, now_s), now_s))


def why_left(contest: Contest) -> str:
    """For people."""
    return {
        OnOverride.REASSERT: f"put right {MOST} times within an hour, so it is left as it is for now",
        OnOverride.YIELD: "left as it is, since the site file says on_override: yield",
        OnOverride.ALARM: "left as it is, since the site file says on_override: alarm",
    }[contest.policy]


def _of_late(contest: Contest, now_s: float) -> tuple[float, ...]:
    return tuple(at_s for at_s in contest.times_s if now_s - at_s < HOUR_S)
