"""How steep a loop on a sampled voltage may be before it hunts: largest stable gain of the exact first-order lag.

The loop is y = lag(-g y), d samples late; the derivation stands in docs/sources.md, section 9.
"""

from __future__ import annotations

import cmath
import math

from derctl.core.response import LN10

LEAST_X = 1e-3
"""A sample that is shorter than this share of the response's time constant is as good as none."""
HALVINGS = 60
"""Of an interval, until a number stands to the last digit."""


def largest_gain(sample_s: float, olrt_s: float, late: int) -> float:
    """The gain at which it begins to hunt. late: samples from a voltage to its effect in the next one that is read,
    1: the next."""
    x = max(sample_s * LN10 / olrt_s, LEAST_X) if olrt_s > 0.0 else math.inf
    crossing = _crossing(x, late)
    return 1.0 / abs(_lag(x, crossing))


def _lag(x: float, w: float) -> complex:
    """The lag of core/response.py at the angle w of a sample; its input goes in straight lines."""
    if math.isinf(x):
        return 1.0 + 0.0j
    gap, z = -math.expm1(-x), cmath.exp(1j * w)
    return ((1.0 - gap / x) * z + gap / x - (1.0 - gap)) / (z - (1.0 - gap))


def _crossing(x: float, late: int) -> float:
    """The least angle at which lag and delay turn the sign: their phase falls from 0 on as the angle grows."""
    low, high = 0.0, math.pi
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _phase(x, middle, late) > -math.pi else (low, middle)
    return high


def _phase(x: float, w: float, late: int) -> float:
    return cmath.phase(_lag(x, w)) - late * w


def slowest_that_does(sample_s: float, late: int, gain: float, margin: float, most_s: float) -> float | None:
    """The least response time that leaves such a margin to a gain; None: not even most_s does."""
    if largest_gain(sample_s, most_s, late) < margin * gain:
        return None
    low, high = 0.0, most_s
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        enough = largest_gain(sample_s, middle, late) >= margin * gain
        low, high = (low, middle) if enough else (middle, high)
    return high
