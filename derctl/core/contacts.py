"""Contact inputs: what a switch, a ripple-control receiver or a demand-response device asks for, and when its wires
can't be believed. Pure. Whatever is broken counts as the most restrictive word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.value import value
from derctl.core.words import Contact

INVERSE = "inverse"
LOOP = "loop"
CHATTER_S = 2.0
"""An input that is not still for so long is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """One line's word. share: of the rated power, most that may be generated; None: it limits nothing. source: who
    says so; quoted: a maker's manual as others print it, the standard itself was not opened."""

    share: float | None
    says: str
    source: str


QUOTED_DRM = "quoted: Q CELLS Q.VOLT G2 manual, table 5-9; EAST EAHI manual, page 32; AS/NZS 4755 was not opened"
QUOTED_FRE = "quoted: Solar-Log 1200 manual, 31.4.1; the network operator's own sheet counts"
MODES: Mapping[Contact, Mapping[str, Mode]] = {
    Contact.EMERGENCY_STOP: {"stop": Mode(share=0.0, says="stop", source="our choice")},
    Contact.DRED: {
        "drm0": Mode(share=0.0, says="DRM 0, disconnect: nothing is generated", source=QUOTED_DRM),
        "drm5": Mode(share=0.0, says="DRM 5, do not generate", source=QUOTED_DRM),
        "drm6": Mode(share=0.5, says="DRM 6, at most 50 %", source=QUOTED_DRM),
        "drm7": Mode(share=0.75, says="DRM 7, at most 75 %", source=QUOTED_DRM),
        "drm8": Mode(share=None, says="DRM 8, more is welcome", source=QUOTED_DRM),
    },
    Contact.RIPPLE_CONTROL: {
        "p100": Mode(share=None, says="100 %", source=QUOTED_FRE),
        "p60": Mode(share=0.6, says="60 %", source=QUOTED_FRE),
        "p30": Mode(share=0.3, says="30 %", source=QUOTED_FRE),
        "p0": Mode(share=0.0, says="0 %", source=QUOTED_FRE),
    },
}
"""By kind, then by line."""
DEBOUNCE_S: Mapping[Contact, float] = {Contact.EMERGENCY_STOP: 0.1, Contact.DRED: 0.5, Contact.RIPPLE_CONTROL: 1.0}
"""How long an input is still before it counts, where the site file gives nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """lines: those that are there. closed_at_rest: what a line is while it asks for nothing. inverse: those with a
    second contact that is always the other way. loop: a circuit through the same cable, closed while that is whole.
    debounce_s: until a tighter word counts; release_s: until a looser one does."""

    kind: Contact
    lines: tuple[str, ...]
    closed_at_rest: bool
    inverse: frozenset[str] = frozenset()
    loop: bool = False
    debounce_s: float
    release_s: float

    @property
    def supervised(self) -> bool:
        """Whether a broken wire shows, or asks."""
        coded = self.kind is Contact.RIPPLE_CONTROL
        return coded or self.closed_at_rest or self.loop or self.inverse >= {*self.lines}

    @property
    def inputs(self) -> tuple[str, ...]:
        """All that are read."""
        return (*self.lines, *(f"{name} {INVERSE}" for name in self.lines if name in self.inverse), *self._loop)

    @property
    def _loop(self) -> tuple[str, ...]:
        return (LOOP,) if self.loop else ()


@value
class Seen:
    """asked: the lines that ask. fault: why they can't be believed, "": they can."""

    asked: tuple[str, ...] = ()
    fault: str = ""

    def same(self, other: Seen) -> bool:
        """Whether both ask for the same; a fault is a fault, whatever it is."""
        return self.asked == other.asked and bool(self.fault) == bool(other.fault)


REST = Seen()


def seen_of(wiring: Wiring, closed: Mapping[str, bool | None], why: str = "") -> Seen:
    """What the inputs say. closed: by input; None: it can't be read, for the reason why."""
    if any(closed.get(name) is None for name in wiring.inputs):
        return Seen(fault=f"can't be read{why and ': '}{why}")
    if wiring.loop and not closed[LOOP]:
        return Seen(fault="its loop is open: a wire is broken, or a plug is out")
    for name in wiring.lines:
        if name in wiring.inverse and closed[name] == closed[f"{name} {INVERSE}"]:
            both = "closed" if closed[name] else "open"
            return Seen(fault=f"both contacts of {name} are {both}: a wire is broken, or one is stuck")
    asked = tuple(name for name in wiring.lines if closed[name] is not wiring.closed_at_rest)
    if wiring.kind is Contact.RIPPLE_CONTROL and len(asked) != 1:
        which = "none of its contacts is closed" if not asked else f"{' and '.join(asked)} are closed at once"
        return Seen(fault=f"{which}: a wire is broken, or one is stuck")
    return Seen(asked=asked)


@value
class Memory:
    """settled: what counts, None: nothing yet. last: what was read, since since_s. restless_s: since when nothing was
    still for its debounce time; None: it is."""

    settled: Seen | None = None
    last: Seen | None = None
    since_s: float = 0.0
    restless_s: float | None = None


START = Memory()


def step(memory: Memory, wiring: Wiring, seen: Seen, now_s: float) -> Memory:
    """What is still for long enough counts; what is never still is broken. now_s: monotonic."""
    since_s = memory.since_s if memory.last is not None and memory.last.same(seen) else now_s
    age_s, settled = now_s - since_s, memory.settled
    still = age_s >= wiring.debounce_s
    restless_s = None if still else now_s if memory.restless_s is None else memory.restless_s
    if restless_s is not None and now_s - restless_s >= CHATTER_S:
        settled = Seen(fault="it is not still: a loose wire?")
    looser = settled is not None and _share(wiring, seen) > _share(wiring, settled)
    if still and (not looser or age_s >= wiring.release_s):
        settled = seen
    return Memory(settled=settled, last=seen, since_s=since_s, restless_s=restless_s)


def limit_share(wiring: Wiring, seen: Seen) -> float | None:
    """Of the rated power, the most that may be generated; None: as much as there is."""
    if seen.fault:
        return 0.0
    shares = [share for name in seen.asked if (share := MODES[wiring.kind][name].share) is not None]
    return min(shares, default=None)


def _share(wiring: Wiring, seen: Seen) -> float:
    share = limit_share(wiring, seen)
    return 1.0 if share is None else share


def text_of(wiring: Wiring, seen: Seen | None) -> str:
    """For people."""
    if seen is None:
        return "not read yet"
    if seen.fault:
        return f"BROKEN, counts as {strictest(wiring)}: {seen.fault}"
    return " and ".join(MODES[wiring.kind][name].says for name in seen.asked) or "at rest"


def strictest(wiring: Wiring) -> str:
    """What a broken one counts as."""
    return "stop" if wiring.kind is Contact.EMERGENCY_STOP else "0 %"


def plain_of(wiring: Wiring, seen: Seen | None) -> dict[str, Any]:
    """For `status`: state is starting, broken, asks or at_rest."""
    if seen is None:
        state = "starting"
    elif seen.fault:
        state = "broken"
    else:
        state = "asks" if limit_share(wiring, seen) is not None else "at_rest"
    asked = [] if seen is None else list(seen.asked)
    return {"kind": wiring.kind, "state": state, "asked": asked, "text": text_of(wiring, seen)}
