"""The site's energy by intervals that lie on the clock's quarters and leave nothing out: what was not watched is an
interval as well, which says so. Pure: times come in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.types import SiteState
from derctl.store.counting import HOLD_S, By, Meter, Side

LATE_S = 2.0
"""An interval ends on its quarter if somebody looked so soon after it, or within two ticks. A clock that is off by
more was set."""
LOOK_S = 0.95
"""No use in looking more often."""
GAP_S = 30.0
"""After a start each device is waited for so long: the first record says what the counters show."""
UNKNOWN_S = 7 * 86400.0
"""How long derctl may have been away where no clock tells it."""
POC_MOST_W = 1e6
"""What goes through a point of connection at most, where it is not known."""
POC = "poc"

Plain = dict[str, Any]


class Why(StrEnum):
    """Why an interval is none of the usual length."""

    STARTED = "started"
    NOT_RUNNING = "not_running"
    STOPPED = "stopped"
    PAUSED = "paused"
    CLOCK_SET = "clock_set"
    DISK_FULL = "disk_full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """wall: s since 1970; now_s: monotonic; synced: whether the wall clock is set."""

    wall: float
    now_s: float
    synced: bool


class Part(StrEnum):
    """What a device is, for the sums."""

    POC = "poc"
    PV = "pv"
    STORE = "store"
    HYBRID = "hybrid"


SUMS: tuple[tuple[str, Part, str], ...] = (
    ("export_wh", Part.POC, "out"),
    ("import_wh", Part.POC, "into"),
    ("generation_wh", Part.PV, "out"),
    ("discharge_wh", Part.STORE, "out"),
    ("charge_wh", Part.STORE, "into"),
    ("hybrid_out_wh", Part.HYBRID, "out"),
    ("hybrid_in_wh", Part.HYBRID, "into"),
)
"""Each sum of a record: of which devices, which way."""


@dataclass(slots=True)
class Intervals:
    """length_s: of one. parts: what each device is, by its id; poc among them. began: of the one that runs."""

    site: str
    length_s: float
    parts: Mapping[str, Part]
    meters: dict[str, Meter] = field(default_factory=dict)
    began: Moment | None = None
    away_since: float | None = None
    _looked_s: float = -math.inf
    _first_s: float | None = None
    _synced: bool = True

    def resume(self, last: Mapping[str, Any]) -> None:
        """From the last record on disk: its end, and what the devices had counted then."""
        self.away_since, self._synced = seconds_of(str(last["to"])), bool(last["synced"])
        for name, counted in dict(last.get("counters") or {}).items():
            meter = self.meters[name] = Meter(most_w=0.0)
            for side, wh in zip((meter.out, meter.into), counted, strict=True):
                side.last_wh = wh

    def due(self, now_s: float) -> bool:
        """Whether it is time for a look."""
        return now_s - self._looked_s >= LOOK_S

    def look(self, state: SiteState, moment: Moment) -> list[Plain]:
        """At a tick, when it is due. The intervals that are over."""
        first = self.began is None
        self._looked_s = moment.now_s
        if first:
            self._start(moment)
        self._read(state, moment.now_s)
        return self._over(moment, max(LATE_S, 2.0 * state.tick_s))

    def _start(self, moment: Moment) -> None:
        """away_since: the first interval is the one in which nobody watched."""
        self._first_s = moment.now_s
        if self.away_since is None:
            self.began = moment
            return
        away_s = moment.wall - self.away_since
        if not (moment.synced and self._synced and away_s >= 0.0):
            away_s = UNKNOWN_S
        self.began = Moment(wall=self.away_since, now_s=moment.now_s - away_s, synced=moment.synced)
        for meter in self.meters.values():
            meter.out.at_s = meter.into.at_s = self.began.now_s

    def _read(self, state: SiteState, now_s: float) -> None:
        poc = state.poc
        if poc is not None and poc.fresh:
            most_w = max(POC_MOST_W, 3.0 * sum(der.rating.size_w for der in state.ders))
            self._meter(POC, most_w, state.tick_s).look(poc.reading, now_s)
        for der in state.ders:
            if der.fresh:
                most_w = max(der.rating.size_w, der.rating.s_max_va)
                self._meter(der.id, most_w, state.tick_s).look(der.reading, now_s)

    def _meter(self, name: str, most_w: float, tick_s: float) -> Meter:
        meter = self.meters.get(name)
        if meter is None:
            meter = self.meters[name] = Meter(most_w=most_w)
        meter.most_w, meter.hold_s = most_w, max(HOLD_S, 3.0 * tick_s)
        return meter

    def _over(self, moment: Moment, late_s: float) -> list[Plain]:
        began = self.began
        assert began is not None
        if self._first_s is not None:
            if not self._all_heard() and moment.now_s - self._first_s < GAP_S:
                return []
            why = Why.STARTED if self.away_since is None else Why.NOT_RUNNING
            self.away_since = self._first_s = None
            return [self._closed(moment.wall, moment, why)]
        expected = began.wall + moment.now_s - began.now_s
        if abs(moment.wall - expected) > LATE_S:
            return [self._closed(expected, moment, Why.CLOCK_SET)]
        end = (math.floor(began.wall / self.length_s) + 1) * self.length_s
        if moment.wall < end:
            return []
        if moment.wall - end > late_s:
            return [self._closed(moment.wall, moment, Why.PAUSED)]
        return [self._closed(end, moment, None)]

    def _all_heard(self) -> bool:
        return all(name in self.meters and self.meters[name].seen for name in self.parts)

    def stop(self, moment: Moment) -> list[Plain]:
        """The one that runs ends here."""
        if self.began is None:
            return []
        why = Why.STOPPED if self.away_since is None else Why.NOT_RUNNING
        self.away_since = self._first_s = None
        expected = self.began.wall + moment.now_s - self.began.now_s
        return [self._closed(expected if why is Why.STOPPED else moment.wall, moment, why)]

    def _closed(self, end: float, moment: Moment, why: Why | None) -> Plain:
        """The record; the next interval begins."""
        began = self.began
        assert began is not None
        record = {
            "site": self.site,
            "from": text_of(began.wall),
            "to": text_of(end),
            "synced": began.synced and moment.synced,
            "why": why,
            **self._sums(),
            "devices": {name: _device(self.meters[name]) for name in self.meters if self.meters[name].seen},
            "silent": sorted(name for name in self.parts if name not in self.meters or not self.meters[name].seen),
            "counters": {name: [meter.out.last_wh, meter.into.last_wh] for name, meter in self.meters.items()},
        }
        begins = moment.wall if why is Why.CLOCK_SET else end
        self.began = Moment(wall=begins, now_s=moment.now_s - (moment.wall - begins), synced=moment.synced)
        for name, meter in list(self.meters.items()):
            if name not in self.parts:
                del self.meters[name]
            meter.begin()
        return record

    def _sums(self) -> Plain:
        """By is null where nothing is known; a device that was silent counts once it is heard again."""
        found: Plain = {}
        by: Plain = {}
        for name, part, side in SUMS:
            sides = [
                getattr(self.meters[each], side)
                for each, is_ in self.parts.items()
                if is_ is part and each in self.meters
            ]
            if not any(is_ is part for is_ in self.parts.values()):
                continue
            found[name], by[name] = total(sides)
        return {**found, "by": by}


def total(sides: Iterable[Side]) -> tuple[float | None, By | None]:
    """Of several devices."""
    known = [each for each in sides if each.wh is not None]
    if not known:
        return None, None
    kinds = {each.by for each in known}
    return sum(each.wh or 0.0 for each in known), kinds.pop() if len(kinds) == 1 else By.BOTH


def _device(meter: Meter) -> Plain:
    """What is null or usual is left out."""
    hows = sorted({str(how) for how in meter.out.hows | meter.into.hows})
    found: Plain = {
        "out_wh": meter.out.wh,
        "in_wh": meter.into.wh,
        "out_by": meter.out.by,
        "in_by": meter.into.by,
        "covered_s": meter.covered_s,
        "p_w": meter.p_w,
        "v_v": meter.v_v,
        "counter": hows or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def merged(first: Plain, second: Plain) -> Plain:
    """Two that follow each other as one: what is shorter than it was loses no energy."""
    names = [name for name, _, _ in SUMS if name in first or name in second]
    sums = {name: _sum(first.get(name), second.get(name)) for name in names}
    by = {
        name: _both(first["by"].get(name), second["by"].get(name), first.get(name), second.get(name))
        for name in names
    }
    return {
        **second,
        "from": first["from"],
        "synced": first["synced"] and second["synced"],
        "why": Why.DISK_FULL,
        **sums,
        "by": by,
        "devices": {},
        "silent": sorted({*first["silent"]} & {*second["silent"]}),
    }


def _sum(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else a + b


def _both(by: By | None, other: By | None, a: float | None, b: float | None) -> By | None:
    if a is None or b is None or by == other:
        return by or other
    return By.BOTH


def text_of(wall: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(wall, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def seconds_of(text: str) -> float:
    """And back. Raises ValueError."""
    return datetime.fromisoformat(text).timestamp()
