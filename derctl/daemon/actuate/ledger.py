"""The write counters of all DERs, on our own clock; told to the store as plain values.

What a kill must not lose is on disk before it happens: some writes are counted there in advance.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

import msgspec

from derctl.core.dataclass import dataclass
from derctl.daemon.actuate import wear as wears
from derctl.daemon.actuate.wear import ANY, Wear
from derctl.devices import Profile

UNWRITTEN = Wear()
AHEAD = 4
"""So many writes to each point of a DER are counted on disk before they are made (docs/sources.md)."""
SPARE = 2
"""Of these for a release, which can't wait for a disk (docs/sources.md)."""
EACH = 2
"""So often one exchange writes a point at most: what a block's refusal leaves is written singly."""
TOGGLED = 8
"""The same where enables go off and on, each of them tried three times."""


DISK_S = 0.3
"""How long a write waits for the disk: it has to be out within its tick, and a release within two seconds
(docs/sources.md)."""


class Kept(msgspec.Struct, kw_only=True, frozen=True):
    """On disk. ages_s: how long ago each of the last day's writes was when that was saved."""

    counts: dict[str, int] = {}
    ages_s: dict[str, list[float]] = {}


@dataclass(slots=True)
class Ahead:
    """most: of each point, so many writes are counted on disk. used: made of these, by point."""

    most: int
    used: dict[str, int] = field(default_factory=dict)

    @property
    def left(self) -> int:
        return max(self.most - max(self.used.values(), default=0), 0)


async def _nowhere() -> None:
    """There is no disk."""


@dataclass(slots=True)
class Ledger:
    """of: by DER id. changed: a register that wears out was written; all others are saved when something else is.
    keep: returns when what is reserved now is on disk, or raises OSError. reserved: by DER id."""

    changed: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    of: dict[str, Wear] = field(default_factory=dict)
    keep: Callable[[], Awaitable[None]] = _nowhere
    reserved: dict[str, Ahead] = field(default_factory=dict)

    def wear(self, der_id: str) -> Wear:
        """What is known of a DER."""
        return self.of.get(der_id, UNWRITTEN)

    async def reserve(self, der_id: str, profile: Profile, *, each: int = EACH) -> None:
        """Before an exchange that writes a point so often at most: the disk counts at least as many writes as there
        will have been. One that takes nothing, or takes its time, keeps nobody from control."""
        ahead = self.reserved.get(der_id)
        if not profile.guarded or (ahead is not None and ahead.left >= each + SPARE):
            return
        self.reserved[der_id] = new = Ahead(max(AHEAD, each + SPARE))
        try:
            await asyncio.wait_for(self.keep(), DISK_S)
        except (OSError, TimeoutError):
            if self.reserved.get(der_id) is new:
                del self.reserved[der_id]

    async def reserve_spare(self, der_id: str, profile: Profile) -> None:
        """The same before a release, for which the spare ones do."""
        ahead = self.reserved.get(der_id)
        if ahead is None or ahead.left < SPARE:
            await self.reserve(der_id, profile)

    def settle(self) -> bool:
        """What was reserved and not used was never written. Returns whether that has to go to disk."""
        reserved, self.reserved = self.reserved, {}
        return bool(reserved)

    def wrote(self, der_id: str, points: Sequence[str], profile: Profile) -> None:
        """They go out now."""
        self.of[der_id] = wears.wrote(self.wear(der_id), points, profile, self.clock())
        worn = profile.worn(points)
        if (ahead := self.reserved.get(der_id)) is not None:
            ahead.used |= {point: ahead.used.get(point, 0) + 1 for point in worn}
        if worn:
            self.changed()

    def plain(self) -> dict[str, Any]:
        """For a file."""
        return {der_id: self._plain(wear) for der_id, wear in self.of.items()}

    def ahead(self, also: Iterable[str] = ()) -> dict[str, Any]:
        """For a file that is saved before the writes: of the DERs with registers that wear out, what was written and
        what may be before the next save. also: of these, too."""
        worn = {der_id for der_id, wear in self.of.items() if wear.lately} | self.reserved.keys() | set(also)
        return {der_id: self._ahead(der_id) for der_id in sorted(worn)}

    def _ahead(self, der_id: str) -> dict[str, Any]:
        plain, ahead = self._plain(self.wear(der_id)), self.reserved.get(der_id)
        if ahead is not None and ahead.left:
            plain["ages_s"][ANY] = [*plain["ages_s"].get(ANY, []), *[0.0] * ahead.left]
        return plain

    def _plain(self, wear: Wear) -> dict[str, Any]:
        now_s = self.clock()
        return {
            "counts": dict(wear.counts),
            "ages_s": {
                point: [round(now_s - at_s, 1) for at_s in times if now_s - at_s < wears.DAY_S]
                for point, times in wear.lately.items()
            },
        }

    def revive(self, plain: Mapping[str, Any], away_s: float) -> dict[str, str]:
        """Back from a file. away_s: how long ago that was, 0 where nobody knows. What is known already is counted
        from there, and never less often. Returns what was wrong, by DER id: what was known of that stays."""
        refused, now_s = dict[str, str](), self.clock()
        for der_id, each in plain.items():
            try:
                kept = msgspec.convert(each, Kept)
            except msgspec.ValidationError as error:
                refused[der_id] = str(error)
                continue
            before = self.wear(der_id).counts
            counts = {point: max(n, before.get(point, 0)) for point, n in kept.counts.items()}
            lately = {
                point: tuple(sorted(now_s - away_s - age_s for age_s in ages)) for point, ages in kept.ages_s.items()
            }
            self.of[der_id] = Wear(counts={**before, **counts}, lately=lately)
        return refused

    def view(self, der_id: str, profile: Profile) -> dict[str, Any]:
        """For `status`. left: how often it may still be told something today, None where that is not counted."""
        wear = self.wear(der_id)
        left = wears.left(wear, profile, self.clock())
        return {"counts": dict(wear.counts), "a_day": profile.writes_a_day if profile.guarded else None, "left": left}
