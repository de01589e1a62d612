"""The last ticks, in memory: each can be replayed through the core and must give the same decision, bit for bit."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec

from derctl.core.engine import step
from derctl.core.memories import memory_type
from derctl.core.plan import Memory, Plan
from derctl.core.types import Decision, SiteState, Tick
from derctl.core.value import replace
from derctl.store.requests import request_of

KEEP = 120
"""Two minutes at 1 s; a tick of four DERs is about 10 kB."""


class Recorder:
    """A ring of ticks. Nothing is written to a disk."""

    def __init__(self, keep: int = KEEP) -> None:
        self._ring: deque[Tick] = deque(maxlen=keep)

    def add(self, tick: Tick) -> None:
        self._ring.append(tick)

    @property
    def latest(self) -> Tick | None:
        return self._ring[-1] if self._ring else None

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """All that are kept, oldest first."""
        return tuple(self._ring)

    def last(self, count: int) -> list[dict[str, Any]]:
        """The newest `count` ticks as plain values, oldest first."""
        ticks = list(self._ring)[-count:] if count > 0 else []
        return [msgspec.to_builtins(tick) for tick in ticks]


def replay(plan: Plan, recorded: dict[str, Any]) -> tuple[Decision, ...]:
    """Run a recorded tick (as `Recorder.last` gives it, also after JSON) through the core again.

    Raises msgspec.ValidationError where it isn't a tick of this version.
    """
    state = state_of(recorded["state"])
    memories = {key: _memory(plan, key, value) for key, value in recorded["memories"].items()}
    return step(plan, memories, state, recorded["dt_s"])[1]


def state_of(plain: Mapping[str, Any]) -> SiteState:
    """A recorded state. Raises msgspec.ValidationError.

    The requests come one by one: msgspec knows no union of dataclasses.
    """
    requests = tuple(request_of(each) for each in plain["requests"])
    return replace(msgspec.convert({**plain, "requests": ()}, SiteState), requests=requests)


def _memory(plan: Plan, key: str, value: Any) -> Memory:
    return msgspec.convert(value, memory_type(plan, key))
