"""The write counters of all DERs, on our own clock; told to store/state as plain values."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from derctl.daemon.actuate import wear as wears
from derctl.daemon.actuate.wear import Wear
from derctl.devices import Profile

UNWRITTEN = Wear()


class Kept(msgspec.Struct, kw_only=True, frozen=True):
    """On disk. ages_s: how long ago each of the last day's writes was when that was saved."""

    counts: dict[str, int] = {}
    ages_s: dict[str, list[float]] = {}


@dataclass(slots=True)
class Ledger:
    """of: by DER id. changed: a register that wears out was written, which has to survive a kill; all others are
    saved when something else is."""

    changed: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    of: dict[str, Wear] = field(default_factory=dict)

    def wear(self, der_id: str) -> Wear:
        """What is known of a DER."""
        return self.of.get(der_id, UNWRITTEN)

    def wrote(self, der_id: str, points: Sequence[str], profile: Profile) -> None:
        """They go out now."""
        self.of[der_id] = wears.wrote(self.wear(der_id), points, profile, self.clock())
        if any(profile.wears(point) for point in points):
            self.changed()

    def plain(self) -> dict[str, Any]:
        """For a file."""
        now_s = self.clock()
        return {
            der_id: {
                "counts": dict(wear.counts),
                "ages_s": {
                    point: [round(now_s - at_s, 1) for at_s in times if now_s - at_s < wears.DAY_S]
                    for point, times in wear.lately.items()
                },
            }
            for der_id, wear in self.of.items()
        }

    def revive(self, plain: Mapping[str, Any], away_s: float) -> dict[str, str]:
        """Back from a file. away_s: how long ago that was, 0 where nobody knows. Returns what was wrong, by DER id:
        its counters begin anew."""
        refused, now_s = dict[str, str](), self.clock()
        for der_id, each in plain.items():
            try:
                kept = msgspec.convert(each, Kept)
            except msgspec.ValidationError as error:
                refused[der_id] = str(error)
                continue
            lately = {point: tuple(now_s - away_s - age_s for age_s in ages) for point, ages in kept.ages_s.items()}
            self.of[der_id] = Wear(counts=kept.counts, lately=lately)
        return refused

    def view(self, der_id: str, profile: Profile) -> dict[str, Any]:
        """For `status`. left: how often it may still be told something today, None where that is not counted."""
        wear = self.wear(der_id)
        left = wears.left(wear, profile, self.clock())
        return {"counts": dict(wear.counts), "a_day": profile.writes_a_day if profile.guarded else None, "left": left}
