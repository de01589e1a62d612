"""What became of a release, and when one that failed is tried again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.value import replace
from derctl.core.words import Released
from derctl.daemon.actuate.standing import Standing
from derctl.site.between import SLACK_W

AGAIN_S = 10.0
REFUSED_MAX_S = 3600.0
"""A device that says no is asked again, since its operator may change it, and is not flooded: 8640 writes a day are
what wears its memory out. 10 s doubled up to an hour make 31 on the first day."""


@dataclass(frozen=True, slots=True)
class Release:
    """text: what the device answered, or why not. stands_w: the limit that it holds now; None: none, or not known.
    standing: all that stands in it then, None where the device is not known here."""

    result: Released
    text: str = ""
    stands_w: float | None = None
    standing: Standing | None = None

    def __str__(self) -> str:
        return self.text or str(self.result)

    def held_below(self, ceiling_w: float | None) -> bool:
        """Whether it left a limit that a release with `lift` would raise. ceiling_w: the fallback's; None: none."""
        if self.result is not Released.RELEASED or self.stands_w is None:
            return False
        return ceiling_w is None or self.stands_w < ceiling_w - SLACK_W


def waits_text(lost: str) -> str:
    """Why a DER that would give more afterwards is not released."""
    return f"waits: it would give more, and {lost} is lost or not released; its own timer ends what was written"


def unfinished(*, lost: bool) -> Release:
    """Of a DER that had no time to be released. lost: it is not heard; else it is only slow (Fronius: a request a
    second)."""
    slow = "it answers too slowly to be released in that time: what it was told last stands in it"
    return Release(Released.UNREACHABLE, "" if lost else slow)


def released_before(stands_w: float | None) -> Release:
    """Of a DER that an earlier release left with this limit; None: with something else, such as rest."""
    return Release(Released.RELEASED, "released before", stands_w=stands_w)


def not_written(standing: Standing) -> Release:
    """Of a DER of which derctl has nothing written down, and what stands in it all the same."""
    return Release(Released.NOT_WRITTEN, stands_w=standing.p_ceiling_w, standing=standing)


def not_in_file() -> Release:
    """Of a DER that derctl wrote, and that can't be reached from this site file."""
    return Release(Released.NOT_IN_FILE, "not in the site file any more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One DER's last release. refusals: in a row. due_s: when the next one may follow, monotonic."""

    release: Release
    refusals: int
    due_s: float


@dataclass(frozen=True, slots=True)
class Attempts:
    """By DER; one that isn't here may be released at once."""

    by_der: Mapping[str, Attempt] = field(default_factory=dict)

    def noted(self, result: Mapping[str, Release], now_s: float) -> Attempts:
        """With what the last try gave: what can't be reached is due soon, what was refused ever later."""
        found = {der_id: self._after(der_id, release, now_s) for der_id, release in result.items()}
        return replace(self, by_der={**self.by_der, **found})

    def _after(self, der_id: str, release: Release, now_s: float) -> Attempt:
        last = self.by_der.get(der_id)
        refusals = 0 if release.result is not Released.REFUSED else 1 + (0 if last is None else last.refusals)
        wait_s = min(REFUSED_MAX_S, AGAIN_S * 2.0 ** min(refusals, 16))
        return Attempt(release=release, refusals=refusals, due_s=now_s + wait_s)

    def without(self, der_id: str) -> Attempts:
        """It is written again: the next release is a new one."""
        if der_id not in self.by_der:
            return self
        return replace(self, by_der={name: each for name, each in self.by_der.items() if name != der_id})

    def due(self, wrote: Iterable[str], now_s: float) -> list[str]:
        """Those whose time has come."""
        return [name for name in wrote if name not in self.by_der or now_s > self.by_der[name].due_s]

    def news(self, result: Mapping[str, Release]) -> dict[str, Release]:
        """What is told of a result: once for each word, since what can't be reached is tried again and again."""
        known = {name: str(each.release) for name, each in self.by_der.items()}
        return {name: release for name, release in result.items() if known.get(name) != str(release)}
