"""What a DER is to do: the tick's decision, and the state that it was made from. Pure."""

from __future__ import annotations

from typing import NamedTuple

from derctl.core.types import Decision, DerState, Reading, Setpoint
from derctl.core.value import replace
from derctl.daemon.actuate.deadband import Written
from derctl.links.line import Pace


class Wish(NamedTuple):
    """The tick's decision, the state it was made from, and when that was frozen.

    var_asked_s: when somebody asked for var last.
    """

    decision: Decision
    der: DerState
    at_s: float
    var_asked_s: float

    def accepted(self, written: Written | None) -> Setpoint | None:
        """What the device reads back: of the last write, while no poll has ended since. On a slow bus that is longer
        than the next decision takes, and the same would be written for ever."""
        if written is not None and written.found is not None and self.at_s - self.der.age_s < written.at_s:
            return written.found
        return self.der.reading.accepted

    def over(self, spared_w: float | None) -> bool:
        """Whether it would lift a limit that may be somebody's. spared_w: that limit."""
        ceiling_w = self.decision.setpoint.p_ceiling_w
        return spared_w is not None and ceiling_w is not None and ceiling_w >= spared_w


def wish_of(decision: Decision, der: DerState, before: Wish | None, at_s: float) -> Wish:
    """The wish after another one."""
    asked_s = -1e9 if before is None else before.var_asked_s
    if decision.setpoint.q_var is not None:
        asked_s = at_s
    return Wish(decision=decision, der=der, at_s=at_s, var_asked_s=asked_s)


def still(wish: Wish | None, held: Setpoint) -> Wish | None:
    """The last decision behind its tick. One that was made in the device's silence asks for its fallback: what stood
    before (held) is asserted instead, so that a short silence lets nothing dip; the next tick decides."""
    if wish is None or wish.der.fresh:
        return wish
    if held.p_ceiling_w is None or held.p_target_w is not None:
        return None
    return wish._replace(decision=replace(wish.decision, setpoint=Setpoint(p_ceiling_w=held.p_ceiling_w)))


def behind(wish: Wish, seen: Reading, read_s: float) -> Wish:
    """With what a poll that ended behind its tick has seen."""
    reading = replace(wish.der.reading, accepted=seen.accepted, p_w=seen.p_w)
    return wish._replace(der=replace(wish.der, reading=reading, age_s=wish.at_s - read_s))


def keep_s(pace: Pace, tick_s: float) -> float:
    """How old a decision may be when it is sent: a tick, where the bus can keep the tick.

    A write waits for the request that holds the wire (its pause, and its answer up to the deadline) and for its own
    pause. Where that alone takes longer than a tick (Fronius: a request a second), each decision would be dropped and
    the device never be written; what a write can't go faster than doesn't make it old.
    """
    if 4.0 * pace.min_interval_s <= tick_s:
        return tick_s
    return max(tick_s, 2.0 * pace.min_interval_s + pace.timeout_s)
