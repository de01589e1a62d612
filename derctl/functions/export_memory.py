"""What the loop at the point of connection remembers, and what it sees in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import NamedTuple

from derctl.core.capability import assumed_w
from derctl.core.types import DerState, PocState, SiteState
from derctl.core.value import value
from derctl.functions import phase_loop
from derctl.functions.apart import Alone
from derctl.functions.credit import Credit
from derctl.functions.meter_loop import Course
from derctl.functions.meter_trust import PROBE_EVERY_S, Trust

PROBE_AFTER_S = 5.0
"""From the first setpoint to the first probe: arming alone dips nobody (docs/sources.md)."""


@value
class Memory:
    """ceiling_w: what the sum may be, None before the first sample. floor_w: the same for the import limit.

    sample, since_s: the meter sample acted on last, and the time since.

    waiting: answers of the meter are missing, and what was said last is held. answer, heard_s: its last that had its
    power, and how old that is. lost: it is not believed; good: answers in a row since it is heard again.
    unproven_s: for how long it has been heard without having followed a step, or doubted. over: the DERs that
    ceiling_w and floor_w were meant for. excess_w: while load does not count, what the sum is kept lower since the
    DERs give more than they were told; over_s: for how long they have. uncounted: those of them whose draw is not
    counted. alone: the ceilings of those on trial, who are no part of the sum; pressed_s: for how long the export has
    been too high. course, floor_course: what the meter may not show yet. credit: how much load counts. phases: of the
    limit of each phase.
    """

    ceiling_w: float | None = None
    floor_w: float | None = None
    sample: int = -1
    since_s: float = 0.0
    waiting: bool = False
    answer: int = -1
    heard_s: float = 0.0
    lost: bool = False
    good: int = 0
    unproven_s: float = 0.0
    over: tuple[str, ...] = ()
    excess_w: float = 0.0
    over_s: float = 0.0
    uncounted: tuple[str, ...] = ()
    alone: tuple[Alone, ...] = ()
    pressed_s: float = 0.0
    phases: phase_loop.Memory = phase_loop.START
    course: Course = Course()
    floor_course: Course = Course()
    credit: Credit = Credit()
    trust: Trust = field(default_factory=Trust)

    @property
    def relied(self) -> bool:
        """Whether the meter closes the loop. Else who is on trial is held down with the others, load not counted."""
        return self.trust.proven and not self.lost


class Scene(NamedTuple):
    """What one step sees. ders: over which the function is set; ours: those of them that may be told. steered: those
    that make up the sum; tried: those on trial, while each of them has a ceiling of its own."""

    ders: Sequence[DerState]
    ours: Sequence[DerState]
    steered: Sequence[DerState]
    tried: Sequence[DerState]
    site: SiteState
    dt_s: float

    @property
    def poc(self) -> PocState | None:
        """The meter."""
        return self.site.poc

    @property
    def least_w(self) -> float:
        """The sum can't be asked for less."""
        return sum((der.rating.p_min_w for der in self.steered), 0.0)


def scene_of(memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float) -> Scene:
    """Who is on trial is apart while the meter is relied on."""
    ours = [der for der in ders if der.controllable]
    tried = [der for der in ours if der.trial is not None] if memory.relied else []
    steered = [der for der in ours if der.trial is None] if tried else ours
    return Scene(ders, ours, steered, tried, site, dt_s)


def counted_w(memory: Memory, steered: Sequence[DerState]) -> float:
    """What is known of their sum."""
    if not memory.uncounted:
        return float(sum([assumed_w(der) for der in steered]))
    given = ((der, assumed_w(der)) for der in steered)
    return sum((max(w, 0.0) if der.id in memory.uncounted else w for der, w in given), 0.0)


def seen_of_the_meter(memory: Memory) -> Memory:
    """While nothing is written: what is known of the meter. The sum starts anew from what is measured, and the first
    probe comes PROBE_AFTER_S after control has begun."""
    unproven_s = PROBE_EVERY_S - PROBE_AFTER_S
    return Memory(lost=memory.lost, good=memory.good, unproven_s=unproven_s, trust=memory.trust)
