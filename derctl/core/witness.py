"""What else is known of the power at the meter: its phases' sum, its energy counters, another meter's word.

The meter's own registers are believed as witnesses once they have agreed with its power for a while: some maps leave
them 0, or count otherwise. A counter and a sum see faults of registers only: a wrong clamp is wrong in them too.
"""

from __future__ import annotations

from derctl.core.evidence import Contradiction
from derctl.core.types import PocState
from derctl.core.value import replace, value
from derctl.core.words import Doubt

APART_W, APART_PU = 50.0, 0.05
"""What the meter's power and the sum of its phases may differ by."""
POWER_W = 100.0
"""Below this nothing is learned of whether they agree."""
APART_S = 3.0
"""The same of what the power changes in this time at its present pace: they need not be of the same moment."""
AGREES_S, DIFFERS_S = 60.0, 10.0
"""For so long the sum has to agree before it is a witness, and to differ then."""
COUNTED_WH, COUNTS = 100.0, 8.0
"""The counters are compared each time so much went through, or so many of their steps."""
COUNTED_PU = 0.1
"""What counters and power may differ by, in shares of what went through, beside two steps of each counter."""
NET_PU = 0.5
"""They agree where at least this share of what went through went one way, else it says nothing."""
HEARD = 3
"""So often in a row they have to agree before they are a witness."""
FADES = 0.9
"""What is kept of the largest step of a counter each time, if no other is as large."""
LOOK_S, LOOKS = 30.0, 2
"""Another meter's mean over this is compared, and so many in a row have to differ."""
OTHER_W, OTHER_PU = 150.0, 0.05
"""What two meters' means may differ by."""
SWING_PU = 0.35
"""The same of what either swung meanwhile: one may be 10 s later than the other."""


@value
class Sum:
    """Of the phases' sum: for how long it agreed under power, up to AGREES_S, and how long it differs. p_w: the
    power one tick ago."""

    agreed_s: float = 0.0
    differs_s: float = 0.0
    p_w: float = 0.0


@value
class Count:
    """Of the energy counters since they were compared last. out_wh, in_wh: at the start, and last_* in the last tick.

    net_wh: what power made of it; through_wh: without its direction. step_wh: the largest step of a counter.
    agreed: how often in a row they did, until they are heard. text: how they differ, "" where they don't.
    """

    out_wh: float | None = None
    in_wh: float = 0.0
    last_out_wh: float = 0.0
    last_in_wh: float = 0.0
    net_wh: float = 0.0
    through_wh: float = 0.0
    step_wh: float = 0.0
    agreed: int = 0
    text: str = ""


@value
class Look:
    """Of another meter: sums since the look began, the least and the most of each; looks in a row that differed."""

    s: float = 0.0
    n: int = 0
    ours_w: float = 0.0
    other_w: float = 0.0
    low_w: tuple[float, float] = (0.0, 0.0)
    high_w: tuple[float, float] = (0.0, 0.0)
    differed: int = 0
    text: str = ""


@value
class Memory:
    """Each witness's; shown: the numbers of the sum, of the last tick in which it differed."""

    sum: Sum = Sum()
    shown: tuple[float, float] = (0.0, 0.0)
    count: Count = Count()
    look: Look = Look()


START = Memory()


def step(memory: Memory, poc: PocState, dt_s: float) -> Memory:
    """One tick on. A witness that is not there keeps its word, so far, and is not heard."""
    p_w, sum_w = poc.reading.p_w, poc.reading.phase_sum_w
    if not poc.fresh or p_w is None:
        count = memory.count
        return memory if count.out_wh is None else replace(memory, count=replace(count, out_wh=None))
    out_wh, in_wh = poc.reading.energy_wh, poc.reading.energy_in_wh
    other_w = poc.witness_w
    if sum_w is None and (out_wh is None or in_wh is None) and other_w is None:
        return memory
    summed, shown, count, look = memory.sum, memory.shown, memory.count, memory.look
    if sum_w is not None:
        after = _summed(summed, p_w, sum_w, dt_s)
        shown = (p_w, sum_w) if after.differs_s > summed.differs_s else shown
        summed = after
    if out_wh is not None and in_wh is not None:
        count = _counted(count, p_w, out_wh, in_wh, dt_s)
    if other_w is not None:
        look = _looked(look, p_w, other_w, dt_s)
    return Memory(sum=summed, shown=shown, count=count, look=look)


def _summed(known: Sum, p_w: float, sum_w: float, dt_s: float) -> Sum:
    may_w = max(APART_W, APART_PU * max(abs(p_w), abs(sum_w)))
    if abs(p_w - sum_w) > may_w + abs(p_w - known.p_w) * APART_S / max(dt_s, APART_S / 10.0):
        differs_s = min(known.differs_s + dt_s, DIFFERS_S)
        agreed_s = known.agreed_s if known.agreed_s >= AGREES_S else 0.0
        return Sum(agreed_s=agreed_s, differs_s=differs_s, p_w=p_w)
    agreed_s = known.agreed_s + (dt_s if abs(p_w) >= POWER_W else 0.0)
    return Sum(agreed_s=min(agreed_s, AGREES_S), differs_s=max(known.differs_s - dt_s, 0.0), p_w=p_w)


def _counted(known: Count, p_w: float, out_wh: float, in_wh: float, dt_s: float) -> Count:
    """A counter that falls begins anew."""
    if known.out_wh is None or out_wh < known.last_out_wh or in_wh < known.last_in_wh:
        return _anew(known, out_wh, in_wh)
    moved_wh = p_w * dt_s / 3600.0
    stepped_wh = max(out_wh - known.last_out_wh, in_wh - known.last_in_wh, known.step_wh)
    known = replace(
        known,
        net_wh=known.net_wh + moved_wh,
        through_wh=known.through_wh + abs(moved_wh),
        step_wh=stepped_wh,
        last_out_wh=out_wh,
        last_in_wh=in_wh,
    )
    assert known.out_wh is not None
    counted_wh = out_wh - known.out_wh + in_wh - known.in_wh
    if max(known.through_wh, counted_wh) < max(COUNTED_WH, COUNTS * stepped_wh):
        return known
    return _compared(known, max(known.through_wh, counted_wh))


def _anew(known: Count, out_wh: float, in_wh: float) -> Count:
    return Count(
        out_wh=out_wh,
        in_wh=in_wh,
        last_out_wh=out_wh,
        last_in_wh=in_wh,
        step_wh=FADES * known.step_wh,
        agreed=known.agreed,
        text=known.text,
    )


def _compared(known: Count, through_wh: float) -> Count:
    assert known.out_wh is not None
    net_wh = (known.last_out_wh - known.out_wh) - (known.last_in_wh - known.in_wh)
    anew = _anew(known, known.last_out_wh, known.last_in_wh)
    if abs(net_wh - known.net_wh) > COUNTED_PU * through_wh + 2.0 * known.step_wh:
        if known.agreed < HEARD:
            return replace(anew, agreed=0)
        text = f"its energy counters moved by {round(net_wh):,} Wh while its power makes {round(known.net_wh):,} Wh"
        return replace(anew, text=text)
    if abs(net_wh) < NET_PU * through_wh:
        return anew
    return replace(anew, agreed=min(known.agreed + 1, HEARD), text="")


def _looked(known: Look, p_w: float, other_w: float, dt_s: float) -> Look:
    first = known.n == 0
    low_w = (p_w, other_w) if first else (min(known.low_w[0], p_w), min(known.low_w[1], other_w))
    high_w = (p_w, other_w) if first else (max(known.high_w[0], p_w), max(known.high_w[1], other_w))
    known = replace(
        known,
        s=known.s + dt_s,
        n=known.n + 1,
        ours_w=known.ours_w + p_w,
        other_w=known.other_w + other_w,
        low_w=low_w,
        high_w=high_w,
    )
    if known.s < LOOK_S:
        return known
    ours_w, theirs_w = known.ours_w / known.n, known.other_w / known.n
    swing_w = max(high_w[0] - low_w[0], high_w[1] - low_w[1])
    may_w = max(OTHER_W, OTHER_PU * max(abs(ours_w), abs(theirs_w))) + SWING_PU * swing_w
    if abs(ours_w - theirs_w) <= may_w:
        return Look()
    differed = min(known.differed + 1, LOOKS)
    text = f"it showed {round(ours_w):,} W in the mean of {LOOK_S:.0f} s, and the witness {round(theirs_w):,} W"
    return Look(differed=differed, text=text if differed == LOOKS else "")


def contradiction(memory: Memory) -> Contradiction | None:
    """Who contradicts the meter's power, with the numbers; who was asked for it by the site file first."""
    if memory.look.text:
        return Contradiction(by=Doubt.WITNESS, text=memory.look.text)
    summed = memory.sum
    if summed.differs_s >= DIFFERS_S and summed.agreed_s >= AGREES_S:
        p_w, sum_w = memory.shown
        text = f"it shows {round(p_w):,} W, and its phases add up to {round(sum_w):,} W"
        return Contradiction(by=Doubt.PHASE_SUM, text=text)
    if memory.count.text:
        return Contradiction(by=Doubt.ENERGY_COUNTER, text=memory.count.text)
    return None
