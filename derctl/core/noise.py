"""What the load at a meter moves from one half of a doublet to the next, and how likely that makes what it shows.

A house flickers, and now and then something jumps; a hob that cycles jumps by the same again and again. What jumped
lately may jump again, and says little of the meter (docs/sources.md).
"""

from __future__ import annotations

from math import exp, log

from derctl.core.value import replace, value

TAIL = 2.0
"""Degrees of freedom of Student's t: what a load does has no bound."""
FIRST_W, LEAST_W, RATE = 60.0, 15.0, 0.3
"""What a load is believed to move at first, and at least; and how fast what it moves is learned, per doublet without
a step."""
MEDIAN_T, QUARTILE_T = 0.816, 0.365
"""Half of what Student's t gives, and a quarter of it, is smaller."""
JUMP = 4.0
"""A move of so many spreads is a jump. Smaller ones are told by the spread."""
KEPT = 8
"""So many of the last jumps are known one by one."""
BLUR = 0.1
"""How well the size of the next one is known, in shares of it."""
PART, PART_BLUR = 0.3, 0.5
"""What share of them falls into the window of a half, whose mean shows a half of the jump, more or less by this share
of that."""
WIDE_W = 1500.0
"""The scale of a jump that was not seen before."""
SELDOM, OFTEN, OFTEN_RATE = 0.04, 0.5, 0.2
"""In what share of the doublets something jumps, at least and at most; and how fast that is learned, per doublet."""
AGAIN = 0.1
"""From this share on it jumps again and again: one jump is some five doublets old by then."""
APART = 0.5
"""What the DERs moved in shares of what the meter shows, at most: else a meter that shows nothing of them, or the
opposite, made loads of what they did."""


@value
class Noise:
    """usual_w, calm_w: the median of what the load moves between halves, and the lower quartile, which no hob that
    cycles moves. jumps: the last of them, W. often: in what share of the doublets there is one; jumped: in this one.
    """

    usual_w: float = FIRST_W
    calm_w: float = FIRST_W * QUARTILE_T / MEDIAN_T
    jumps: tuple[float, ...] = ()
    often: float = SELDOM
    jumped: bool = False


UNKNOWN = Noise()


def spread_w(noise: Noise) -> float:
    """The scale of what the load moves while nothing jumps."""
    return min(noise.usual_w / MEDIAN_T, noise.calm_w / QUARTILE_T)


def learned(noise: Noise, shown_w: float, ders_w: float) -> Noise:
    """What the meter and the DERs moved between two halves that are alike. Where something jumped meanwhile it says
    nothing of the flicker."""
    moved_w, calm_w = abs(shown_w - ders_w), noise.calm_w
    usual_w = noise.usual_w * exp(RATE if moved_w > noise.usual_w else -RATE)
    if not noise.jumped:
        calm_w *= exp(RATE / 3.0 if moved_w > calm_w else -RATE)
    if abs(ders_w) <= APART * abs(shown_w):
        noise = jumping(noise, moved_w)
    return replace(noise, usual_w=max(usual_w, LEAST_W), calm_w=max(calm_w, LEAST_W * QUARTILE_T / MEDIAN_T))


def jumping(noise: Noise, moved_w: float) -> Noise:
    """What moved from one value of the meter to the next, and no DER did."""
    if moved_w <= JUMP * spread_w(noise):
        return noise
    return replace(noise, jumps=(*noise.jumps, moved_w)[-KEPT:], jumped=True)


def passed(noise: Noise) -> Noise:
    """A doublet more."""
    often = noise.often + OFTEN_RATE * (noise.jumped - noise.often)
    return replace(noise, often=min(max(often, SELDOM), OFTEN), jumped=False)


def again(noise: Noise) -> tuple[float, ...]:
    """What jumps again and again: a jump that is a minute or two old, and was the only one, is over."""
    return noise.jumps if noise.often > AGAIN else ()


def ratio(noise: Noise, r_w: float, shift_w: float) -> float:
    """Log-likelihood of what was shown beside a step under a shift against none."""
    return log(_density(noise, r_w - shift_w)) - log(_density(noise, r_w))


def _density(noise: Noise, r_w: float) -> float:
    """Of a load that flickers, or jumps one way or the other, by what it jumped lately or by anything; but for a
    constant."""
    spread = spread_w(noise)
    jumped = _student(r_w, WIDE_W)
    for jump in noise.jumps:
        jumped += (1.0 - PART) * _either_way(r_w, jump, max(spread, BLUR * jump))
        jumped += PART * _either_way(r_w, 0.5 * jump, max(spread, 0.5 * PART_BLUR * jump))
    return (1.0 - noise.often) * _student(r_w, spread) + noise.often * jumped / (1.0 + len(noise.jumps))


def _either_way(r_w: float, jump_w: float, scale_w: float) -> float:
    return 0.5 * (_student(r_w - jump_w, scale_w) + _student(r_w + jump_w, scale_w))


def _student(r_w: float, scale_w: float) -> float:
    x = r_w / scale_w
    return float((1.0 + x * x / TAIL) ** (-0.5 * (TAIL + 1.0))) / scale_w
