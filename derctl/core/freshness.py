"""How old a reading may be and still be acted on: what healthy polls of its bus need, within bounds. Pure."""

from __future__ import annotations

import math

from derctl.core.dataclass import dataclass

POLLS = 3
"""A reading counts until the third poll after it is overdue: one that is lost is usual, three are none."""
WRITES = 4
"""Requests of one setpoint: two that write, two that read back."""
DECIDES = 0.4
"""Share of a tick after which it decides with what has been measured (docs/sources.md)."""
SLOW_EVERY_S = 5.0
"""What is not read with each poll is read about so often, where the bus has the time (docs/sources.md)."""
STALE_MIN_S = 1.0
"""Where three ticks are shorter than that."""
STALE_MAX_S = 30.0
METER_STALE_MAX_S = 15.0
"""However slow a bus is: of a DER, and of the meter that a contract is kept by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One poll of all units of a bus. requests: what they take together. writes: requests of setpoints in between.

    answer_s: how long an answer takes. lost_s: what silence costs once in a while: other units',
    and on a wire that is only listened to after it, and once more when it is made anew.
    """

    requests: int = 1
    writes: int = 0
    min_interval_s: float = 0.0
    answer_s: float = 0.0
    lost_s: float = 0.0

    @property
    def request_s(self) -> float:
        """One of them, with its pause."""
        return self.min_interval_s + self.answer_s

    @property
    def round_s(self) -> float:
        """All of them, one after another."""
        return self.requests * self.request_s


def period_s(tick_s: float, round_: Round) -> float:
    """From one poll to the next: whole ticks, since it is a tick that acts on it."""
    return max(math.ceil(round_.round_s / tick_s - 1e-6), 1) * tick_s


def stale_s(tick_s: float, round_: Round, most_s: float = STALE_MAX_S) -> float:
    """The age from which a reading is not acted on; never below what ticks alone would give, however they are."""
    least_s = max(POLLS * tick_s, STALE_MIN_S)
    every_s = period_s(tick_s, round_)
    written_s = round_.writes * round_.request_s if every_s > tick_s else 0.0
    return max(least_s, min(POLLS * every_s + written_s + round_.lost_s, most_s))
