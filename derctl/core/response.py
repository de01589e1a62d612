"""The open-loop response of IEEE 1547: a first-order lag that reaches 90 % of a step after `olrt_s`."""

from __future__ import annotations

import math

from derctl.core.value import value

LN10 = math.log(10.0)
NO_TIME_S = 1e-12
"""Shorter than any clock tells; below, the quotient of two zeros is near."""


@value
class Lag:
    """State of a first-order lag: its output y and the input u of the step before."""

    y: float
    u: float


def follow(lag: Lag, u: float, *, dt_s: float, olrt_s: float) -> Lag:
    """Advance by `dt_s`, the input going in a straight line from `lag.u` to `u` (exact first-order hold).

    tau = olrt_s / ln 10. Exact and stable for any dt_s, so a late tick changes nothing but its own sample.
    """
    if dt_s < NO_TIME_S or lag.y == lag.u == u:
        return lag
    if olrt_s <= 0.0:
        return Lag(y=u, u=u)
    x = dt_s * LN10 / olrt_s
    gap = -math.expm1(-x)
    slope = u - lag.u
    return Lag(y=lag.y + (lag.u - lag.y) * gap + slope * (1.0 - gap / x), u=u)


def respond(lag: Lag | None, u: float, *, begin: float, dt_s: float, olrt_s: float) -> Lag:
    """As `follow`; where there is no lag yet, one that begins at `begin`."""
    return Lag(y=begin, u=u) if lag is None else follow(lag, u, dt_s=dt_s, olrt_s=olrt_s)


def ramp(now: float, goal: float, *, up_per_s: float, dt_s: float) -> float:
    """Move towards `goal`: downwards at once, upwards by at most `up_per_s * dt_s`."""
    return goal if goal <= now else min(goal, now + up_per_s * dt_s)
