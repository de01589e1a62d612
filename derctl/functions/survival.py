"""What of the functions' memories outlives a restart, as the rows say it. Keys: `kind/der`, or `kind` of a site's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.lost import Hold
from derctl.core.memories import HELD, SHAPE
from derctl.core.plan import Memories, Memory
from derctl.core.shape import Ease
from derctl.core.shape import Memory as Shapes
from derctl.core.types import Proposal
from derctl.core.words import Priority, Reason
from derctl.functions.plain import finite
from derctl.functions.rows import ROWS, Survival


@dataclass(frozen=True, slots=True, kw_only=True)
class Revived:
    """memories: those that go on. refused: by key, why it was left out; that function starts anew."""

    memories: dict[str, Memory]
    refused: dict[str, str]


def kept(memories: Memories) -> dict[str, Any]:
    """Plain values, ready for JSON. What is held of a function that lost its input is one of them."""
    found = {key: row.keep(memory) for key, memory in memories.items() if (row := _survival(key)) is not None}
    return {key: plain for key, plain in found.items() if plain is not None}


def holding_back(memories: Memories) -> frozenset[str]:
    """Keys of those that keep somebody from giving power now."""
    rows = ((key, _survival(key)) for key in memories)
    held = ((key, row) for key, row in rows if row is not None and row.holds_back)
    return frozenset(key for key, row in held if row.keep(memories[key]) is not None)


def revived(saved: Mapping[str, Any], *, lately: bool | None = True) -> Revived:
    """What can't be used of one function leaves the others alone. lately: it was saved not long ago; None: nobody
    knows."""
    memories: dict[str, Memory] = {}
    refused: dict[str, str] = {}
    for key, plain in saved.items():
        row = _survival(key)
        if row is None:
            refused[key] = "nothing of it survives a restart"
            continue
        if row.ages and not (lately or (lately is None and row.holds_back)):
            continue
        try:
            memories[key] = row.revive(plain)
        except ValueError as error:
            refused[key] = str(error)
    return Revived(memories=memories, refused=refused)


def _survival(key: str) -> Survival | None:
    kind, _, rest = key.partition("/")
    if key == SHAPE:
        return SHAPES
    if kind == HELD:
        return HOLD if "/" in rest and rest.partition("/")[0] in ROWS else None
    return ROWS[kind].survives if kind in ROWS else None


VALUES = ("p_ceiling_w", "p_floor_w", "q_var")
TIMES = ("silent_s", "lost_s", "over_s")


def kept_hold(hold: Hold) -> dict[str, Any] | None:
    """So that a restart without the function's input lets nothing go."""
    if hold.said is None and hold.given is None:
        return None
    words = {name: _plain(word) for name in ("said", "given") if (word := getattr(hold, name)) is not None}
    return words | {name: getattr(hold, name) for name in TIMES} | {"back": hold.back}


def hold_of(plain: Any) -> Hold:
    """It goes on from where it was. Raises ValueError."""
    if not isinstance(plain, Mapping):
        raise ValueError(f"{plain!r} is nothing that is held")
    said, given = (_word(plain[name]) if name in plain else None for name in ("said", "given"))
    if said is None and given is None:
        raise ValueError("nothing is held in it")
    silent_s, lost_s, over_s = (finite(plain, name) for name in TIMES)
    back = plain.get("back") is True
    return Hold(said=said, given=given, back=back, silent_s=silent_s, lost_s=lost_s, over_s=over_s)


def _plain(word: Proposal) -> dict[str, Any]:
    found = {name: value for name in VALUES if (value := getattr(word, name)) is not None}
    return found | {"by": word.by, "rank": word.rank, "q_priority": str(word.q_priority)}


def _word(plain: Any) -> Proposal:
    if not isinstance(plain, Mapping) or not isinstance(plain.get("by"), str):
        raise ValueError(f"{plain!r} is nothing that a function said")
    values = {name: finite(plain, name) for name in VALUES if name in plain}
    rank, priority = int(finite(plain, "rank")), Priority(str(plain.get("q_priority")))
    return Proposal(by=plain["by"], rank=rank, q_priority=priority, why=Reason.HELD, **values)


HOLD = Survival(keep=kept_hold, revive=hold_of)


def kept_shapes(shapes: Shapes) -> list[dict[str, Any]]:
    """Who is in another shape, or let go. What a request has left is its own affair; one that has gone by then has
    expired."""
    return [{name: getattr(each, name) for name in ("of", "by", "wait_s", "rises")} for each in shapes.eases]


def shapes_of(plain: Any) -> Shapes:
    """They go on from where they were. Raises ValueError."""
    if not isinstance(plain, list):
        raise ValueError(f"{plain!r} is no list of shapes")
    return Shapes(eases=tuple(_ease(each) for each in plain))


def _ease(plain: Any) -> Ease:
    if not isinstance(plain, Mapping) or not all(isinstance(plain.get(name), str) for name in ("of", "by")):
        raise ValueError(f"{plain!r} is no shape of a function")
    rises = plain.get("rises") is True
    return Ease(of=plain["of"], by=plain["by"], wait_s=finite(plain, "wait_s"), rises=rises)


SHAPES = Survival(keep=kept_shapes, revive=shapes_of)
