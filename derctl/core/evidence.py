"""What the meter at the point of connection is believed to be, and on what evidence (core/belief.py)."""

from __future__ import annotations

from derctl.core.value import value
from derctl.core.words import Belief


@value
class Evidence:
    """belief: the verdict. slope: what it shows of a step, where that was measured. delay_s: how late it is.
    refresh_s: how often it shows something new. confidence: log of the likelihood ratio against the likeliest fault.

    age_s: age of the evidence; None without any. most_w: the most that the DERs' sum may be now for the sake of
    a doublet; None: there is none.
    """

    belief: Belief = Belief.UNPROVEN
    slope: float | None = None
    delay_s: float | None = None
    refresh_s: float | None = None
    confidence: float = 0.0
    age_s: float | None = None
    most_w: float | None = None


NOTHING_KNOWN = Evidence()
