"""While nothing is written nobody follows a function, so none winds up: each tick it starts at what is measured."""

from __future__ import annotations

from derctl.core import belief, heed
from derctl.core.plan import Memories, Memory
from derctl.functions.rows import ROWS


def tracked(memories: Memories) -> dict[str, Memory]:
    """What stays of the memories for the next tick: evidence, as the rows say it. Keys: `kind/der`, or `kind`.

    A function without evidence starts anew; a start moves nothing by more than its rule demands at once.
    """
    return {key: memory for key in memories if (memory := _evidence(key, memories[key])) is not None}


def _evidence(key: str, memory: Memory) -> Memory | None:
    if isinstance(memory, belief.Memory):
        return belief.unmoved(memory)
    if isinstance(memory, heed.Memory):
        return None
    row = ROWS.get(key.partition("/")[0])
    if row is None:
        return memory
    return None if row.evidence is None else row.evidence(memory)
