"""A doublet: two halves, one low and one high, in an order that a coin chooses; what was moved and shown in it."""

from __future__ import annotations

from derctl.core.pace import LATE_S
from derctl.core.value import replace, value

ALIKE = 0.1
"""Two means between which the DERs moved by no more than this share of the step are of one level: what the meter
shows between them the load did, whatever the meter is."""
WINDOW_S = 2.0
"""A half is averaged over this, or over one refresh of the meter."""


@value
class Mean:
    """Of one half: sums and counts of the meter and of the DERs, each over its own window.

    low_w, high_w: between what the DERs' sum was in both windows and between them.
    """

    poc_w: float = 0.0
    poc_n: int = 0
    ders_w: float = 0.0
    ders_n: int = 0
    low_w: float | None = None
    high_w: float | None = None


NOTHING = Mean()


@value
class Doublet:
    """coded: with a step, else only to learn what the load does. coin: +1 low then high. at_s: since it began.

    base_w: the DERs' sum at the start. rise: the step is above that, else below. quick: of the meter it is not known
    how late it is, and it is taken for prompt. free: nothing held the DERs, what moved them is the sun. seen_s: when
    the meter had shown half of the second step. lead: what was before it, where nobody was moved.
    """

    coded: bool = False
    coin: float = 1.0
    half_s: float = 6.0
    late_s: float = LATE_S
    window_s: float = WINDOW_S
    at_s: float = 0.0
    base_w: float = 0.0
    step_w: float = 0.0
    rise: bool = False
    quick: bool = False
    free: bool = True
    lead: Mean = NOTHING
    first: Mean = NOTHING
    second: Mean = NOTHING
    seen_s: float | None = None


def ended_low(doublet: Doublet) -> bool:
    return doublet.coded and not doublet.rise and doublet.coin < 0.0


def measured(doublet: Doublet, shown_w: float, ders_w: float) -> Doublet:
    """The windows stand at the end of each half; the DERs' is earlier by what the meter is late."""
    second = doublet.at_s > doublet.half_s
    left_s = doublet.half_s * (2.0 if second else 1.0) - doublet.at_s
    mean = doublet.second if second else doublet.first
    window_s, lag_s = doublet.window_s, doublet.late_s
    if left_s < window_s:
        mean = replace(mean, poc_w=mean.poc_w + shown_w, poc_n=mean.poc_n + 1)
    if left_s < window_s + lag_s:
        mean = _spanned(mean, ders_w)
    if lag_s <= left_s < window_s + lag_s:
        mean = replace(mean, ders_w=mean.ders_w + ders_w, ders_n=mean.ders_n + 1)
    if not second:
        return replace(doublet, first=mean)
    before_w = doublet.first.poc_w / max(doublet.first.poc_n, 1)
    if doublet.seen_s is None and doublet.coin * (shown_w - before_w) >= 0.5 * doublet.step_w:
        doublet = replace(doublet, seen_s=doublet.at_s)
    return replace(doublet, second=mean)


def _spanned(mean: Mean, ders_w: float) -> Mean:
    low_w = ders_w if mean.low_w is None or ders_w < mean.low_w else mean.low_w
    high_w = ders_w if mean.high_w is None or ders_w > mean.high_w else mean.high_w
    return replace(mean, low_w=low_w, high_w=high_w)


def span_w(mean: Mean) -> float:
    return (mean.high_w or 0.0) - (mean.low_w or 0.0)


def known(mean: Mean) -> bool:
    return mean.poc_n > 0 and mean.ders_n > 0


def between(first: Mean, second: Mean) -> tuple[float, float]:
    """What the DERs and the meter moved from the one to the other."""
    ders_w = second.ders_w / second.ders_n - first.ders_w / first.ders_n
    return ders_w, second.poc_w / second.poc_n - first.poc_w / first.poc_n


def made(doublet: Doublet) -> tuple[float, float, float] | None:
    """What the DERs and the meter moved in the step that was made, and its sign; None: none was. A dip from which the
    loop did not come back, since the meter shows no room for that, is judged by its way down."""
    moved = (*between(doublet.first, doublet.second), doublet.coin)
    if _whole(moved, doublet.step_w):
        return moved
    stayed = doublet.coin > 0.0 and moved[0] >= -ALIKE * doublet.step_w
    if doublet.rise or not stayed or not known(doublet.lead):
        return None
    moved = (*between(doublet.lead, doublet.first), -1.0)
    return moved if _whole(moved, doublet.step_w) else None


def _whole(moved: tuple[float, float, float], step_w: float) -> bool:
    ders_w, _, coin = moved
    return 0.5 * step_w <= coin * ders_w <= 1.5 * step_w


def low_w(doublet: Doublet) -> float | None:
    low = doublet.first if doublet.coin > 0.0 else doublet.second
    return low.poc_w / low.poc_n if doublet.rise and low.poc_n else None
