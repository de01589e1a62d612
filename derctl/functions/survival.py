"""What of the functions' memories outlives a restart, as the rows say it. Keys: `kind/der`, or `kind` of a site's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from derctl.core.engine import Memories, Memory
from derctl.functions.rows import ROWS, Survival


@dataclass(frozen=True, slots=True, kw_only=True)
class Revived:
    """memories: those that go on. refused: by key, why it was left out; that function starts anew."""

    memories: dict[str, Memory]
    refused: dict[str, str]


def kept(memories: Memories) -> dict[str, Any]:
    """Plain values, ready for JSON."""
    found = {key: row.keep(memory) for key, memory in memories.items() if (row := _survival(key)) is not None}
    return {key: plain for key, plain in found.items() if plain is not None}


def revived(saved: Mapping[str, Any]) -> Revived:
    """What can't be used of one function leaves the others alone."""
    memories: dict[str, Memory] = {}
    refused: dict[str, str] = {}
    for key, plain in saved.items():
        row = _survival(key)
        if row is None:
            refused[key] = "nothing of it survives a restart"
            continue
        try:
            memories[key] = row.revive(plain)
        except ValueError as error:
            refused[key] = str(error)
    return Revived(memories=memories, refused=refused)


def _survival(key: str) -> Survival | None:
    kind = key.partition("/")[0]
    return ROWS[kind].survives if kind in ROWS else None
