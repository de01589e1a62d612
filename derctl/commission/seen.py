"""What was heard while stages stood, as halves of a square wave, as edges, and as doublets of the meter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from derctl.commission.fit import Edge, news
from derctl.commission.pull import Half
from derctl.core import belief, pace
from derctl.core.doublet import NOTHING, WINDOW_S, Doublet, Mean, measured
from derctl.core.stages import Heard, Sample
from derctl.core.value import replace

Part = Callable[[Sample], float | None]
"""What of a sample is meant."""
Told = Callable[[Heard], float]
"""What of a setpoint is."""


def power(sample: Sample) -> float | None:
    return sample.p_w


def var(sample: Sample) -> float | None:
    return sample.q_var


def voltage(sample: Sample) -> float | None:
    return sample.v_pu


def tail(heard: Heard, part: Part, drop_s: float) -> float | None:
    """The mean of what came drop_s after it was told, and later."""
    found = [y for each in heard.samples if each.t_s - heard.at_s >= drop_s and (y := part(each)) is not None]
    return sum(found) / len(found) if found else None


def told_w(heard: Heard) -> float:
    """The power that was asked for."""
    sent = heard.sent
    return (sent.p_ceiling_w if sent.p_target_w is None else sent.p_target_w) or 0.0


def told_var(heard: Heard) -> float:
    return heard.sent.q_var or 0.0


def halves(run: Sequence[Heard], size_va: float, drop_s: float) -> list[Half]:
    """Per unit. One of which something was not heard ends the run there."""
    found: list[Half] = []
    for each in run:
        p, q, v = tail(each, power, drop_s), tail(each, var, drop_s), tail(each, voltage, drop_s)
        if p is None or v is None:
            break
        found.append(Half(p=p / size_va, q=(q or 0.0) / size_va, v=v))
    return found


def edges(run: Sequence[Heard], part: Part, told: Told, drop_s: float) -> list[Edge]:
    """The steps of a run."""
    found = []
    for before, here in pairwise(run):
        stood, step = tail(before, part, drop_s), told(here) - told(before)
        if stood is None or step == 0.0:
            continue
        fresh = news((*before.samples[-1:], *here.samples))[1:]
        points = tuple((t_s, y) for t_s, each in fresh if (y := part(each)) is not None)
        found.append(Edge(at_s=here.at_s, step=step, before=stood, points=points))
    return found


def gain(run: Sequence[Heard], part: Part, told: Told, drop_s: float) -> float | None:
    """What of the steps was made, by second differences: what drifts evenly is none. None: too little was heard."""
    stood = [(tail(each, part, drop_s), told(each)) for each in run]
    moved, asked = 0.0, 0.0
    for (a, x), (b, y), (c, z) in zip(stood, stood[1:], stood[2:], strict=False):
        if a is None or b is None or c is None:
            continue
        moved += (a - 2.0 * b + c) * (x - 2.0 * y + z)
        asked += (x - 2.0 * y + z) ** 2
    return moved / asked if asked > 0.0 else None


def paced(memory: belief.Memory, samples: Sequence[Sample], scale_w: float, before_s: float) -> belief.Memory:
    """How often the meter shows something new, and how late it is: the daemon's own look (core/pace.py)."""
    for each in samples:
        if each.meter_w is None or each.ders_w is None:
            continue
        known = pace.step(memory.pace, each.meter_w, each.ders_w, scale_w, max(each.t_s - before_s, 0.0))
        memory, before_s = replace(memory, pace=known), each.t_s
    return memory


def doubled(
    memory: belief.Memory, first: Heard, second: Heard, scale_w: float, half_s: float, lead: Mean = NOTHING
) -> tuple[belief.Memory, Mean]:
    """Two halves as a doublet, weighed as the daemon weighs it (core/belief.py). Where both were told the same it
    says what the load does. Returns its second half, which leads the next one."""
    step_w = told_w(second) - told_w(first)
    late_s = memory.pace.late_s
    doublet = Doublet(
        coded=step_w != 0.0,
        coin=1.0 if step_w >= 0.0 else -1.0,
        half_s=half_s,
        late_s=pace.LATE_S if late_s is None else late_s,
        window_s=max(WINDOW_S, min(memory.pace.refresh_s, 0.25 * half_s)),
        step_w=abs(step_w),
        free=False,
        lead=lead if step_w < 0.0 else NOTHING,
    )
    for start_s, heard in ((0.0, first), (half_s, second)):
        for each in heard.samples:
            since_s = each.t_s - heard.at_s
            if each.meter_w is not None and each.ders_w is not None and 0.0 < since_s <= half_s:
                doublet = measured(replace(doublet, at_s=start_s + since_s), each.meter_w, each.ders_w)
    return belief.weighed(memory, doublet, scale_w), doublet.second
