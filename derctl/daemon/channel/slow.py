"""Which slow block is read next, and which answer is too old to count. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.freshness import SLOW_EVERY_S
from derctl.core.value import replace

DOUBTED_EVERY_S = 1.0
"""While what was read contradicts what was read before."""
SLOW_KEEP_S = {"soc": 30.0}
"""What is kept for a shorter time than the rest is read first, each SLOW_EVERY_S; the others share what time the bus
has left."""
OWN_KEEP_S = 600.0
"""How long a slow block that can't be read any more still counts; whether a device runs a function of its own changes
rarely, and one lost read of it must not let a limit go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """asked_s, read_s: by block, monotonic. turn: of those that share the time. next_s: when the next has its."""

    asked_s: Mapping[str, float] = field(default_factory=dict)
    read_s: Mapping[str, float] = field(default_factory=dict)
    turn: int = 0
    next_s: float = -1e9


def due(slow: Slow, names: Iterable[str], now_s: float, *, first: bool, doubted: bool = False) -> str | None:
    """The block to read now. first: only one with a pace of its own; doubted: what it said last is held."""
    own = [name for name in names if name in SLOW_KEEP_S]
    latest = now_s - (DOUBTED_EVERY_S if doubted else SLOW_EVERY_S)
    ripe = next((name for name in own if slow.asked_s.get(name, -1e9) <= latest), None)
    rest = [name for name in names if name not in SLOW_KEEP_S]
    if ripe is not None or first or not rest or now_s < slow.next_s:
        return ripe
    return rest[slow.turn % len(rest)]


def asked(slow: Slow, name: str, names: Iterable[str], now_s: float) -> Slow:
    """It is being read."""
    slow = replace(slow, asked_s={**slow.asked_s, name: now_s})
    if name in SLOW_KEEP_S:
        return slow
    rest = sum(each not in SLOW_KEEP_S for each in names)
    return replace(slow, turn=slow.turn + 1, next_s=now_s + SLOW_EVERY_S / max(rest, 1))


def answered(slow: Slow, name: str, now_s: float) -> Slow:
    """It was read."""
    return replace(slow, read_s={**slow.read_s, name: now_s})


def expired(slow: Slow, now_s: float) -> list[str]:
    """The blocks whose last answer is too old to count."""
    return [name for name, at in slow.read_s.items() if now_s - at > SLOW_KEEP_S.get(name, OWN_KEEP_S)]


def without(slow: Slow, names: Iterable[str]) -> Slow:
    """Their answers count no more."""
    gone = set(names)
    return replace(slow, read_s={name: at for name, at in slow.read_s.items() if name not in gone}) if gone else slow
