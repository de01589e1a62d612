"""Inverters that can't be heard since the sun is down: one word for the site instead of one for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from derctl.core.capability import DARK
from derctl.core.could import held_down
from derctl.core.dataclass import dataclass
from derctl.core.types import DerState
from derctl.core.value import replace, value

DIM_PU, DIM_S = 0.05, 10.0
"""Who gave less than this share of its rating for so long, and nothing held it down, may fall asleep: out of more
than that nobody does (docs/sources.md)."""
SHINES_PU = 0.1
"""Somebody who gives this share of its rating shows that the sun is up."""
MORNING_S = 900.0
"""So long the sun has to shine until whoever is still silent is missed."""
DUSK_S = 1800.0
"""So long the word for the site waits for those that still give a little."""
NIGHT_MOST_S = 72_000.0
"""Nobody is silent for longer because of a night."""

SILENT, BACK = "device_unreachable", "device_ok"


@value
class Quiet:
    """One that fell silent in the dark. since_s: when; text: what would have been told of it."""

    since_s: float
    text: str


@value
class Night:
    """dim: since when each gives little, of those that are heard, and of those that were. quiet: who is not missed.
    told: the site's word was said. shone_s: for how long the sun has shone since."""

    dim: Mapping[str, float] = field(default_factory=dict)
    quiet: Mapping[str, Quiet] = field(default_factory=dict)
    told: bool = False
    shone_s: float = 0.0
    shines: bool = False


def seen(night: Night, ders: Sequence[DerState], now_s: float, dt_s: float) -> Night:
    """One tick on. Who takes power, too, has its own day."""
    dim: dict[str, float] = {}
    for der in ders:
        p_w = der.reading.p_w
        if not der.fresh or p_w is None:
            dim |= {der.id: night.dim[der.id]} if der.id in night.dim else {}
        elif not der.can.store and gives_little(der, p_w):
            dim[der.id] = night.dim.get(der.id, now_s)
    shines = any(_shines(der) for der in ders)
    quiet = night.quiet
    if quiet:
        names = {der.id for der in ders}
        quiet = {name: each for name, each in quiet.items() if name in names}
    shone_s = night.shone_s + dt_s if shines else night.shone_s
    return Night(dim=dim, quiet=quiet, told=night.told and shone_s < MORNING_S, shone_s=shone_s, shines=shines)


def gives_little(der: DerState, p_w: float) -> bool:
    """Because there is no sun, as far as that can be told: a limit is another reason."""
    return p_w <= DIM_PU * der.rating.p_max_w and not held_down(der, max(p_w, 0.0))


def _shines(der: DerState) -> bool:
    return not der.can.store and der.fresh and (der.reading.p_w or 0.0) > SHINES_PU * der.rating.p_max_w


def sleeps(night: Night, name: str, now_s: float) -> bool:
    """Whether one that is silent from now on may have fallen asleep."""
    since_s = night.dim.get(name)
    return not night.shines and since_s is not None and now_s - since_s >= DIM_S


def word(night: Night, ders: Sequence[DerState], now_s: float) -> str:
    """What there is to say for the site, once all are dark or have had their time; empty: nothing yet."""
    if night.told or not night.quiet:
        return ""
    first_s = min(each.since_s for each in night.quiet.values())
    heard = [der for der in ders if der.fresh and not der.can.store]
    if now_s - first_s < DUSK_S and not all(der.id in night.dim or der.reading.status in DARK for der in heard):
        return ""
    rest = f"; {len(heard)} more are heard" if heard else ""
    return f"not heard any more, and gave nothing before: {', '.join(sorted(night.quiet))}{rest}"


def missed(night: Night, now_s: float) -> dict[str, Quiet]:
    """Those whose silence no night explains any more."""
    if not night.quiet:
        return {}
    day = night.shone_s >= MORNING_S
    return {name: each for name, each in night.quiet.items() if day or now_s - each.since_s >= NIGHT_MOST_S}


@dataclass(slots=True)
class Dusk:
    """Stands between the devices and who is told of them. hear: what News takes."""

    hear: Callable[[str, str, str], None]
    clock: Callable[[], float] = time.monotonic
    night: Night = field(default_factory=Night)
    _last_s: float | None = None

    def tell(self, event: str, who: str, text: str) -> None:
        """What a device has to say, but for its silence in the dark, and that this is over."""
        known = who in self.night.quiet
        if event == SILENT and not known and sleeps(self.night, who, self.clock()):
            quiet = {**self.night.quiet, who: Quiet(since_s=self.clock(), text=text)}
            self.night = replace(self.night, quiet=quiet)
            return
        if known and (event == BACK or event.startswith("device_")):
            self._forget([who])
            if event == BACK:
                return
        self.hear(event, who, text)

    def look(self, ders: Sequence[DerState]) -> None:
        """After a tick."""
        now_s = self.clock()
        dt_s = 0.0 if self._last_s is None else now_s - self._last_s
        self._last_s = now_s
        self.night = seen(self.night, ders, now_s, dt_s)
        text = word(self.night, ders, now_s)
        if text:
            self.night = replace(self.night, told=True, shone_s=0.0)
            self.hear("sun_down", "", text)
        lost = missed(self.night, now_s)
        if lost:
            self._forget(lost)
        for name, each in lost.items():
            self.hear(SILENT, name, f"{each.text} (silent since the dark, and not back with the sun)")

    def _forget(self, names: Sequence[str] | Mapping[str, Quiet]) -> None:
        quiet = {name: each for name, each in self.night.quiet.items() if name not in names}
        self.night = replace(self.night, quiet=quiet)
