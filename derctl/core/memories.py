"""Where what is remembered from tick to tick stands: the functions' own memories, and the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache

from derctl.core import belief, doubts, first, heed, hunting, lost, sensitivity, sun, trial
from derctl.core.plan import DerFunction, Memories, Memory, Plan, SiteFunction

SUN = "sun"
"""The key of what was measured of the DERs lately (core/sun.py)."""
TRIAL = "trial"
"""The key of who is on trial (core/trial.py)."""
HUNTING = "hunting"
"""Before the key of a loop's memory: whether it hunts (core/hunting.py)."""
FIRST = "first"
"""The key of who was never seen to move the meter (core/first.py)."""
BELIEF = "belief"
"""The key of what the meter is believed to be (core/belief.py)."""
DOUBTS = "doubts"
"""The key of what else speaks against it (core/doubts.py)."""
HEED = "heed"
"""The key of who does what it is told (core/heed.py)."""
SENSITIVITY = "sensitivity"
"""The key of what the DERs move of their voltage (core/sensitivity.py)."""
OWN: Mapping[str, type[Memory]] = {
    SUN: sun.Memory,
    TRIAL: trial.Memory,
    FIRST: first.Memory,
    BELIEF: belief.Memory,
    HUNTING: hunting.Memory,
    DOUBTS: doubts.Memory,
    HEED: heed.Memory,
    SENSITIVITY: sensitivity.Memory,
}
"""Of the engine's own memories."""
HELD = "held"
"""Before the key of a function's memory: what stands of its word (core/lost.py)."""


@cache
def keys_for(kind: str, der_id: str | None = None) -> tuple[str, str]:
    """Of a function's memory, and of what is held of its word. The same two in each tick: the recorder keeps many."""
    key = kind if der_id is None else f"{kind}/{der_id}"
    return key, f"{HELD}/{key}"


@lru_cache(maxsize=8)
def keys_of(kind: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Of all memories' keys those of one kind for each DER: HUNTING, or a DER function's. They are the same in each
    tick."""
    return tuple([key for key in keys if key.startswith(f"{kind}/")])


@cache
def hunting_key(kind: str, der_id: str) -> str:
    """Of what is known of a loop's hunting."""
    return f"{HUNTING}/{kind}/{der_id}"


def memory_of(function: DerFunction | SiteFunction, key: str, memories: Memories) -> Memory:
    """What it kept from the step before, or its start."""
    return memories[key] if key in memories else function.start()


def memory_type(plan: Plan, key: str) -> type[Memory]:
    """Of the memory under this key, for who reads ticks back. Raises LookupError."""
    head, _, rest = key.partition("/")
    if head == HELD:
        return lost.Hold if "/" in rest else lost.SiteHold
    if head in OWN:
        return OWN[head]
    functions: list[DerFunction | SiteFunction] = [f for f, _ in plan.der_functions]
    functions += [f for f, _ in plan.site_functions]
    return type({f.kind: f for f in functions}[head].start())
