"""What would have been done while nothing is written, cut into stretches: from ticks to lines of the record."""

from __future__ import annotations

import secrets
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeVar

from derctl.core.dataclass import dataclass
from derctl.core.types import Tick
from derctl.core.words import Belief, Record
from derctl.daemon.clock import Clock
from derctl.daemon.report.contained import containment
from derctl.daemon.report.loops import loops
from derctl.daemon.shadow.sums import Case, Habits, Sums
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.site import Site
from derctl.store.shadow import SitePart, Stretch

if TYPE_CHECKING:  # a report is made without a daemon, too
    from derctl.daemon.control import Control

EVERY_S = 300.0
"""A stretch: so much a kill loses, and 288 small writes a day are nothing to a card (docs/sources.md)."""
SAMPLE_S = 0.9
"""Of quicker ticks one a second is looked at."""
SETTLE_S = 300.0
"""After control ended, what derctl left in a device may still lapse: no change of it is another's."""
HABITS_S = 5.0
"""How often it is looked what a device is taken for."""
WAITING_MAX = 288
"""Stretches that wait for a disk which takes nothing: a day."""
EVENTS_MAX = 64
"""Different events of a stretch that are counted."""
NOT_OURS = frozenset({Record.NOTHING, Record.MISSING})
"""What stands in such a DER is not derctl's; a limit that a release left in one is."""
CONTROL, RELOADED = "control", "reloaded"

T = TypeVar("T")


@dataclass(slots=True)
class Under:
    """A stretch that is under way. began: wall time. first_s, last_s: of its ticks, monotonic. habits: as they were
    seen at habits_s."""

    site: Site
    sums: Sums
    began: float
    first_s: float
    last_s: float
    habits: dict[str, Habits] = field(default_factory=dict)
    habits_s: float = -1e9


@dataclass(slots=True)
class Watch:
    """run_id: of this start of the daemon. done: stretches that are over, oldest first."""

    clock: Clock
    control: Control
    every_s: float = EVERY_S
    run_id: str = field(default_factory=lambda: secrets.token_hex(4))
    done: deque[Stretch] = field(default_factory=lambda: deque(maxlen=WAITING_MAX))
    _n: int = 0
    _under: Under | None = None
    _events: Counter[str] = field(default_factory=Counter)
    _ended_s: float | None = None
    _ours_s: float | None = None

    def hear(self, event: Mapping[str, Any]) -> None:
        """Something was told."""
        key = event["event"] if event["der"] is None else f"{event['event']}/{event['der']}"
        if key in self._events or len(self._events) < EVENTS_MAX:
            self._events[key] += 1

    def take(self, tick: Tick, *, controls: bool) -> None:
        """A tick. controls: what it decided was written."""
        if controls:
            self._control(tick.state.t_s)
        else:
            self._add(tick)

    def close(self, *, last: bool = False) -> None:
        """What is under way is over. last: the daemon ends."""
        stretch, under = self.stretch(), self._under
        if stretch is None or under is None:
            return
        stretch.last = last
        self.done.append(stretch)
        self._n += 1
        self._ended_s, self._under = under.last_s, None
        self._events.clear()

    def stretch(self) -> Stretch | None:
        """What is under way, as it would be saved now."""
        under = self._under
        if under is None:
            return None
        away_s = 0.0 if self._ended_s is None else under.first_s - self._ended_s
        controlled = self._ours_s is not None and self._ended_s is not None and self._ours_s >= self._ended_s
        return Stretch(
            run=self.run_id,
            n=self._n,
            began=round(under.began, 1),
            ended=round(self.clock.wall(), 1),
            synced=self.clock.synced,
            seconds=round(under.last_s - under.first_s, 1),
            after="" if not away_s else CONTROL if controlled else RELOADED,
            away_s=round(away_s, 1),
            site=_site_part(under),
            ders={name: _rounded(case.part) for name, case in under.sums.cases.items()},
            margins=_margins(self.control),
            events=dict(self._events),
        )

    def _control(self, t_s: float) -> None:
        """What is written now is no shadow's."""
        self._ours_s = t_s
        self.close()
        self._events.clear()

    def _add(self, tick: Tick) -> None:
        under, t_s = self._under, tick.state.t_s
        if under is not None and under.site is not self.control.site:
            self.close()
            under = None
        if under is None:
            self._under = self._begin(t_s, None)
            return
        dt_s = t_s - under.last_s
        if dt_s < SAMPLE_S:
            return
        under.last_s = t_s
        known = self.control.proof.belief(self.control.loop.memories)
        if t_s - under.habits_s >= HABITS_S:
            under.habits, under.habits_s = self._habits(t_s), t_s
        under.sums.add(tick, min(dt_s, 2.0 * tick.state.tick_s + 1.0), under.habits, known)
        if t_s - under.first_s >= self.every_s:
            self.close()
            self._under = self._begin(t_s, under.sums)

    def _begin(self, t_s: float, before: Sums | None) -> Under:
        site, control = self.control.site, self.control
        contract = next((f for f, _ in site.plan.site_functions if isinstance(f, ContractExportLimit)), None)
        sums = Sums(
            limit_w=None if contract is None else contract.limit_w,
            margin_w=0.0 if contract is None else contract.kept_below_w,
            lag=lambda: _lag_s(control),
        )
        if before is not None:
            sums.over_s, sums.lag_s = before.over_s, before.lag_s
            sums.cases = {
                name: Case(written=each.written, accepted=each.accepted) for name, each in before.cases.items()
            }
        return Under(site=site, sums=sums, began=self.clock.wall(), first_s=t_s, last_s=t_s)

    def _habits(self, t_s: float) -> dict[str, Habits]:
        control, plan = self.control, self.control.site.plan
        settled = self._ours_s is None or t_s - self._ours_s > SETTLE_S
        found = {}
        for name, writer in control.writers.items():
            device = writer.channel.device
            found[name] = Habits(
                profile=writer.channel.measured.profile,
                fallback=writer.promised.fallback,
                kinds=tuple(f.kind for f, ids in plan.der_functions if f.kind in plan.also_on_device and name in ids),
                lapses_s=None if device is None else device.reversion.lapses_s,
                foreign=settled and control.releaser.records.of(name) in NOT_OURS,
            )
        return found


def _lag_s(control: Control) -> float:
    """How long an excursion lasts in which load counts; where it does not, no load that drops makes one."""
    if control.proof.belief(control.loop.memories) is not Belief.PROVEN:
        return 0.0
    known = containment(control.loop.plan, control.loop.memories)
    return 0.0 if known is None or not known["credit"] or known["lasts_s"] is None else float(known["lasts_s"])


def _margins(control: Control) -> dict[str, float]:
    """By loop and DER, how far it is from hunting on the grid as it was measured."""
    found = {}
    for loop in loops(control.site.loops, control.loop.memories):
        for der, seen in loop["measured"].items():
            margin = seen["alone"] if seen["margin"] is None else seen["margin"]
            found[f"{loop['kind']}/{der}"] = round(margin, 2)
    return found


def _site_part(under: Under) -> SitePart | None:
    part = under.sums.site
    if not part.belief:
        return None
    part.limit_w, part.above = under.sums.limit_w, under.sums.over_s > 0.0
    part.most_at = under.began + under.sums.most_s - under.first_s if part.most_w else 0.0
    return _rounded(part)


def _rounded(part: T) -> T:
    """A tenth of a second and of a Wh are enough, and a short line is what the card bears."""
    rounded = part.__class__()
    for name in part.__struct_fields__:  # type: ignore[attr-defined]
        value = _short(getattr(part, name))
        if value != getattr(rounded, name):  # else it would be written down although it says nothing
            setattr(rounded, name, value)
    return rounded


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 1)
    if isinstance(value, tuple):
        return tuple(round(each, 1) for each in value)
    return {key: _short(each) for key, each in value.items()} if isinstance(value, dict) else value
