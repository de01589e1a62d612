"""What was found out about a DER and about the meter by moving them: nouns of the plant file."""

from __future__ import annotations

from derctl.core.value import value
from derctl.core.words import Belief, Flaw


@value
class Response:
    """Of a step: until it begins to move (dead_s), from there to 90 % of it (t90_s), and what of it was made (gain).
    ramp_w_per_s: where it goes at one speed; None: it comes closer ever more slowly."""

    dead_s: float
    t90_s: float
    gain: float
    ramp_w_per_s: float | None = None


@value
class Pull:
    """What one per unit of a DER's rating moves of the voltage, per unit; error: its standard error, made larger
    where few periods tell it, so that two of them hold it 95 times of 100."""

    v_pu: float
    error: float

    @property
    def most_pu(self) -> float:
        """What it hardly is above."""
        return max(self.v_pu + 2.0 * self.error, 0.0)


@value
class Identified:
    """One DER. None: not found out. rated_va: what per unit means. refresh_s: how often its registers change.

    fall, rise: of its power, down and up; var: of its reactive power. least_w: the least limit above 0 W that it
    follows; below it goes off. flaws: what keeps it from being controlled as it is.
    """

    name: str = ""
    firmware: str = ""
    at: str = ""
    rated_va: float = 0.0
    refresh_s: float | None = None
    fall: Response | None = None
    rise: Response | None = None
    var: Response | None = None
    least_w: float | None = None
    dv_dp: Pull | None = None
    dv_dq: Pull | None = None
    flaws: tuple[Flaw, ...] = ()


@value
class MeterFound:
    """The meter at the point of connection. slope: what it shows of a step. delay_s: how late it is."""

    name: str = ""
    firmware: str = ""
    at: str = ""
    belief: Belief = Belief.UNPROVEN
    slope: float | None = None
    delay_s: float | None = None
    refresh_s: float | None = None
    flaws: tuple[Flaw, ...] = ()
