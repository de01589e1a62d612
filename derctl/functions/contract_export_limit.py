"""The connection agreement's limit at the point of connection: a ceiling on export, on import where one is agreed.

Export is positive here. The law and its gain are derived in docs/sources.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from derctl.core.capability import DARK, assumed_w, clamp, held_w
from derctl.core.lost import FADE_S, HOLD_S, HOLD_SAMPLES
from derctl.core.response import ramp
from derctl.core.types import Abstain, DerState, PocState, SiteProposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Reason
from derctl.functions.apart import PRESSED_S, Alone, Law, entered, stepped
from derctl.functions.meter_trust import PROBE_EVERY_S, PROBE_PU, Trust, passed_s, probing, shown_pu, weigh
from derctl.functions.settings import Settings, number

MARGIN_PU = 0.02
MARGIN_MIN_W = 50.0
"""Kept below the limit where the site file gives no margin: max(2 % of the limit, 50 W) (docs/sources.md)."""

APPROACH = 0.5
"""Largest share of the headroom given, or taken back, at once: meter and inverters are not read at the same instant,
so while power moves the headroom is known only to about its slope times that skew."""

PROBE_AFTER_S = 5.0
"""From the first setpoint to the first probe: arming alone dips nobody (docs/sources.md)."""


OBEY_S = 5.0
"""How long the DERs may take to come down to what they were told before the others make up for them."""


@value
class Memory:
    """ceiling_w: what the sum may be, None before the first sample. floor_w: the same for the import limit.

    sample, since_s: the meter sample acted on last, and the time since.

    waiting: samples of the meter are missing, and what was said last is held. lost: it is not believed; good: samples
    in a row since it is heard again. unproven_s: for how long it has been heard without having followed a step, or
    doubted. over: the DERs that ceiling_w and floor_w were meant for. excess_w: while load does not count, what the
    sum is kept lower since the DERs give more than they were told;
    over_s: for how long they have. alone: the ceilings of those on trial, who are no part of the sum; pressed_s: for
    how long the export has been too high.
    """

    ceiling_w: float | None = None
    floor_w: float | None = None
    sample: int = -1
    since_s: float = 0.0
    waiting: bool = False
    lost: bool = False
    good: int = 0
    unproven_s: float = 0.0
    over: tuple[str, ...] = ()
    excess_w: float = 0.0
    over_s: float = 0.0
    alone: tuple[Alone, ...] = ()
    pressed_s: float = 0.0
    trust: Trust = field(default_factory=Trust)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractExportLimit(Settings):
    """Keeps the export at the point of connection below the agreed limit: down at once, up on a ramp.

    Over the limit: sum -= gain * excess. Under it: half of the headroom at a time.

    Without a meter that can be believed, or before it was seen to follow a step of the inverters: the sum of all
    inverters stays below the limit, local load not counted.
    """

    kind: ClassVar[str] = "contract_export_limit"
    rank: ClassVar[int] = 15

    limit_w: float = number(low=0.0, high=1e8, source="the connection agreement: most export, W")
    import_limit_w: float | None = number(
        None, low=0.0, high=1e8, source="the connection agreement: most import, W; none if absent", optional=True
    )
    margin_w: float | None = number(
        None,
        low=0.0,
        high=1e6,
        source="kept below the limit; default 2 % of it, at least 50 W: our choice, docs/sources.md",
        optional=True,
    )
    gain: float = number(
        0.33,
        low=0.05,
        high=1.0,
        source="share of an excess taken back per meter sample; a third of what is stable: docs/sources.md",
    )
    relax_pu_per_s: float = number(
        0.1, low=0.001, high=1.0, source="rise per second, share of the rating; our choice: docs/sources.md"
    )
    recover_samples: float = number(
        5, low=1, high=600, source="good meter samples in a row; our choice: docs/sources.md"
    )

    def start(self) -> Memory:
        """Nothing allowed beyond what is measured at the first sample."""
        return Memory()

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step. Acts once per meter sample; between samples nothing is relaxed."""
        memory = self._heard(replace(memory, since_s=memory.since_s + dt_s), ders, site)
        ours = [der for der in ders if der.controllable]
        tried = [der for der in ours if der.trial is not None] if _relied(memory) else []
        steered = [der for der in ours if der.trial is None] if tried else ours
        memory = regrouped(replace(memory, alone=entered(memory.alone, tried)), ders, steered)
        memory = self._obeyed(memory, ders, steered, dt_s)
        if memory.lost:
            memory = self._open_loop(memory, ders, steered, site.poc, dt_s)
        elif memory.waiting:
            memory = replace(memory, floor_w=_eased(memory.floor_w, steered, dt_s))
        elif site.poc is not None and site.poc.sample != memory.sample:
            memory = self._closed_loop(memory, steered, tried, site.poc)
            if not memory.trust.proven:
                memory = self._unproven(memory, ders, steered, site.poc, dt_s)
        return memory, SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=tuple(der.id for der in steered),
            p_ceiling_w=memory.ceiling_w,
            p_floor_w=memory.floor_w,
            why=_why(memory),
            meter_pu=self._shown_pu(memory, site.poc),
            apart_w=tuple((each.der, each.ceiling_w) for each in memory.alone),
        )

    def _shown_pu(self, memory: Memory, poc: PocState | None) -> float:
        """A meter without a proof that shows more than may go out is the likelier to be reversed."""
        shown_w = None if poc is None else poc.reading.p_w
        over = not memory.trust.proven and shown_w is not None and shown_w > self.limit_w
        return 0.0 if memory.lost or over else shown_pu(memory.trust, memory.unproven_s)

    def _heard(self, memory: Memory, ders: Sequence[DerState], site: SiteState) -> Memory:
        """Is the meter there, and does it make sense? Believed again only after recover_samples in a row."""
        poc = site.poc
        if poc is None or not poc.fresh or poc.reading.p_w is None:
            waiting = not memory.lost and memory.ceiling_w is not None and _holds(memory, poc, site.tick_s)
            return replace(memory, waiting=waiting, lost=not waiting, good=0)
        memory = replace(memory, waiting=False)
        if poc.sample == memory.trust.sample:
            return memory
        trust = weigh(memory.trust, poc, _movers(memory, ders), site.t_s)
        if trust.doubted:
            return replace(memory, lost=True, good=0, trust=trust)
        good = memory.good + 1
        return replace(memory, lost=memory.lost and good < self.recover_samples, good=good, trust=trust)

    def _closed_loop(
        self, memory: Memory, steered: Sequence[DerState], tried: Sequence[DerState], poc: PocState
    ) -> Memory:
        """Until a tightening shows in the measurement, the tightened sum counts (docs/sources.md, gain)."""
        assert poc.reading.p_w is not None
        measured = sum(map(assumed_w, steered), 0.0)
        before = measured if memory.ceiling_w is None else memory.ceiling_w
        headroom = self.limit_w - self._margin() - poc.reading.p_w
        dip_w = sum(der.trial.dip_w for der in tried if der.trial is not None)
        room = max(headroom - dip_w, 0.0)  # what one on trial makes by its dip is no room for anybody
        share, free = min(self.gain, APPROACH), measured + headroom
        if headroom < 0.0:
            least = min(sum((der.rating.p_min_w for der in steered), 0.0), before)
            ceiling = max(min(measured, before) + self.gain * headroom, least)
        elif free < before:
            ceiling = before - share * (before - free)
        else:
            goal = min(before, measured) + share * room
            ceiling = max(before, ramp(before, goal, up_per_s=self._relax_w(steered), dt_s=memory.since_s))
        floor = self._import_floor(sum((der.reading.p_w or 0.0 for der in steered), 0.0), poc.reading.p_w)
        memory = self._apart(memory, tried, min(headroom, room), alone=not steered, held=dip_w > 0.0)
        return replace(memory, ceiling_w=ceiling, floor_w=floor, sample=poc.sample, since_s=0.0)

    def _apart(
        self, memory: Memory, tried: Sequence[DerState], headroom: float, *, alone: bool, held: bool
    ) -> Memory:
        """Those on trial. alone: nobody else is there to make up for an excess."""
        pressed_s = memory.pressed_s + memory.since_s if headroom < 0.0 else 0.0
        law = Law(
            headroom_w=headroom,
            taken_w=-self.gain * headroom,
            room_w=min(self.gain, APPROACH) * headroom * (1.0 if alone else APPROACH),
            relax_pu=self.relax_pu_per_s,
            dt_s=memory.since_s,
            pressed=alone or pressed_s > PRESSED_S,
            held=held,
        )
        return replace(memory, alone=stepped(memory.alone, tried, law), pressed_s=pressed_s)

    def _open_loop(
        self, memory: Memory, ders: Sequence[DerState], steered: Sequence[DerState], poc: PocState | None, dt_s: float
    ) -> Memory:
        """Every inverter as if it exported all it gives; those out of our hands count with the worst they may do. A
        meter that is doubted gets its steps, or it could never be believed again."""
        ceiling = self._without_load(ders, steered) - memory.excess_w
        if poc is not None and poc.fresh and memory.trust.doubted:
            ceiling = self._probed(memory, ceiling, _Seen(ders, steered, poc))
            memory = replace(memory, unproven_s=passed_s(memory.unproven_s, steered, dt_s))
        if memory.ceiling_w is not None:
            ceiling = ramp(memory.ceiling_w, ceiling, up_per_s=self._relax_w(steered), dt_s=dt_s)
        floor = None if self.import_limit_w is None else max(_eased(memory.floor_w, steered, dt_s) or 0.0, 0.0)
        return replace(memory, ceiling_w=ceiling, floor_w=floor, since_s=0.0)

    def _obeyed(self, memory: Memory, ders: Sequence[DerState], steered: Sequence[DerState], dt_s: float) -> Memory:
        """While no meter is believed: does the sum come down to what was asked? A battery that does not charge as it
        was told, an inverter that ignores its limit: the others make up for it."""
        if not memory.lost and memory.trust.proven:
            free = memory.excess_w == 0.0 and memory.over_s == 0.0
            return memory if free else replace(memory, excess_w=0.0, over_s=0.0)
        allowed = self._without_load(ders, steered)
        over_w = sum(map(assumed_w, steered), 0.0) - allowed
        over_s = memory.over_s + dt_s if over_w > 0.0 else 0.0
        held_down = memory.ceiling_w is not None and memory.ceiling_w < allowed - memory.excess_w - 1.0
        if 0.0 < over_s <= OBEY_S or (over_w < 0.0 and held_down):
            return replace(memory, over_s=over_s)
        most = max(allowed - sum(der.rating.p_min_w for der in steered), 0.0)
        return replace(memory, over_s=over_s, excess_w=clamp(memory.excess_w + self.gain * dt_s * over_w, 0.0, most))

    def _without_load(self, ders: Sequence[DerState], steered: Sequence[DerState]) -> float:
        ids = {der.id for der in steered}
        return self.limit_w - sum(worst_w(der) for der in ders if der.id not in ids)

    def _unproven(
        self, memory: Memory, ders: Sequence[DerState], steered: Sequence[DerState], poc: PocState, dt_s: float
    ) -> Memory:
        """As without a meter, and now and then a step that a right meter must show."""
        most = self._probed(memory, self._without_load(ders, steered) - memory.excess_w, _Seen(ders, steered, poc))
        assert memory.ceiling_w is not None
        ceiling = min(memory.ceiling_w, max(most, sum((der.rating.p_min_w for der in steered), 0.0)))
        return replace(memory, ceiling_w=ceiling, unproven_s=passed_s(memory.unproven_s, steered, dt_s))

    def _probed(self, memory: Memory, most_w: float, seen: _Seen) -> float:
        """A dip; where there is nothing to dip, a rise, as far as the meter shows import. A right meter then sees no
        export; one that is reversed shows no import where there is a load."""
        if not probing(memory.unproven_s):
            return most_w
        step = PROBE_PU * sum(der.rating.per_unit_w for der in seen.steered)
        if most_w - step >= _lowest_w(seen):
            return most_w - step
        return most_w + clamp(-(seen.poc.reading.p_w or 0.0) - self._margin(), 0.0, step)

    def _relax_w(self, steered: Sequence[DerState]) -> float:
        return self.relax_pu_per_s * sum(der.rating.per_unit_w for der in steered)

    def _import_floor(self, measured_w: float, p_poc_w: float) -> float | None:
        if self.import_limit_w is None:
            return None
        headroom = self.import_limit_w - self._margin() + p_poc_w
        return measured_w - headroom * (self.gain if headroom < 0.0 else 1.0)

    def _margin(self) -> float:
        return max(MARGIN_PU * self.limit_w, MARGIN_MIN_W) if self.margin_w is None else self.margin_w


class _Seen(NamedTuple):
    """What a probe depends on."""

    ders: Sequence[DerState]
    steered: Sequence[DerState]
    poc: PocState


def _lowest_w(seen: _Seen) -> float:
    """How low the sum goes for a probe: no store draws more than others give."""
    sun_w = sum(max(assumed_w(der), 0.0) for der in seen.ders if der.fresh and not der.can.store)
    return max(sum(der.rating.p_min_w for der in seen.steered), -sun_w)


def _relied(memory: Memory) -> bool:
    """Whether the meter closes the loop. Else who is on trial is held down with the others, load not counted."""
    return memory.trust.proven and not memory.lost


def _movers(memory: Memory, ders: Sequence[DerState]) -> list[DerState]:
    """Whom the meter has to follow: who is known to move it; where nobody is, or it is doubted, all."""
    awake = [der for der in ders if der.fresh and der.reading.status not in DARK]
    known = [der for der in awake if der.trial is None]
    return known if known and _relied(memory) else awake


def _holds(memory: Memory, poc: PocState | None, tick_s: float) -> bool:
    """As long as any function holds without its input (core/lost.py): since_s counts from the last sample.
    The tick that is nearest to the end ends it: a moment too early for the next would cost a whole one."""
    few = poc is not None and poc.fresh and poc.sample - memory.sample < HOLD_SAMPLES
    return memory.since_s < HOLD_S - tick_s / 2.0 or few


def _eased(floor_w: float | None, steered: Sequence[DerState], dt_s: float) -> float | None:
    """Without the meter nobody is raised for long: down to 0 W within FADE_S. A floor below that is held."""
    if floor_w is None or floor_w <= 0.0:
        return floor_w
    return max(floor_w - dt_s / FADE_S * sum(der.rating.size_w for der in steered), 0.0)


def _why(memory: Memory) -> Reason | None:
    if memory.lost:
        return Reason.METER_LOST
    if memory.waiting:
        return Reason.HELD
    return None if memory.trust.proven else Reason.METER_UNPROVEN


def regrouped(memory: Memory, ders: Sequence[DerState], steered: Sequence[DerState]) -> Memory:
    """A DER that leaves our hands takes its share of the sum along, and one that comes brings its own: else the
    others would be given what it still has. Not below what the others give now; the law judges that. The sum of
    nobody is 0 W."""
    ids = tuple(der.id for der in steered)
    if ids == memory.over:
        return memory
    if memory.ceiling_w is None:
        return replace(memory, over=ids)
    gone = sum(held_w(der) for der in ders if der.id in memory.over and der.id not in ids)
    stay = sum((min(assumed_w(der), held_w(der)) for der in steered if der.id in memory.over), 0.0)
    come = sum(assumed_w(der) for der in steered if der.id not in memory.over)
    left = max(memory.ceiling_w - gone, min(memory.ceiling_w, stay)) if memory.over else 0.0
    return replace(memory, ceiling_w=left + come, floor_w=None, over=ids)


def seen_of_the_meter(memory: Memory) -> Memory:
    """While nothing is written: what is known of the meter. The sum starts anew from what is measured, and the first
    probe comes PROBE_AFTER_S after control has begun."""
    unproven_s = PROBE_EVERY_S - PROBE_AFTER_S
    return Memory(lost=memory.lost, good=memory.good, unproven_s=unproven_s, trust=memory.trust)


def worst_w(der: DerState) -> float:
    """The most a DER out of our hands may give. One that is silent: what it gave and holds as long as its timer may
    run, and what it does after that from the start, since nobody here knows when the timer was set."""
    full, given = der.rating.p_max_w, max(der.reading.p_w or 0.0, 0.0)
    if der.fresh:
        return given if der.reading.p_w is not None else full
    after = full if der.absent_w is None else der.absent_w
    return max(given, held_w(der), after) if der.age_s < der.fallback.after_s else after
