"""A limit that somebody asks for and that ends by itself: it binds at once, and is let go on a ramp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from derctl.core.text import share_of
from derctl.core.types import FOREVER_S, DerState, SiteState
from derctl.core.value import replace, value
from derctl.functions.operator import RELAX_PU_PER_S, START_WITHIN_S
from derctl.functions.plain import finite


@value
class Wish:
    """The tightest limit that is asked for now. by: the request; left_s: how long it still asks for as much."""

    limit_w: float
    by: str
    left_s: float = FOREVER_S


@value
class Lapse:
    """limit_w: in force, None: none. by: the request that set it, empty once that has ended; left_s: what that had
    left when it was seen last. wait_s: until it begins to rise; from_w: from where it rises."""

    limit_w: float | None = None
    by: str = ""
    left_s: float = 0.0
    wait_s: float = 0.0
    from_w: float = 0.0


NO_LIMIT = Lapse()


def lapsed(memory: Lapse, wish: Wish | None, ders: Sequence[DerState], site: SiteState, dt_s: float) -> Lapse:
    """A tighter limit binds at once. A looser one, or none, is reached on a ramp, which begins at a moment of its own
    within START_WITHIN_S where the one before has run out. It is over once it has risen by all that the DERs can.

    While a rating isn't known nobody knows where that is. A DER that is silent has no part of the rise.
    """
    now_w = memory.limit_w
    if now_w is None or (wish is not None and wish.limit_w <= now_w):
        return NO_LIMIT if wish is None else Lapse(limit_w=wish.limit_w, by=wish.by, left_s=wish.left_s)
    if memory.by:  # it ends just now
        expired = memory.left_s <= dt_s + site.tick_s
        wait_s = START_WITHIN_S * share_of(f"{site.id} {memory.by}") if expired else 0.0
        memory = Lapse(limit_w=now_w, wait_s=wait_s, from_w=now_w)
    if memory.wait_s > 0.0:
        return replace(memory, wait_s=max(memory.wait_s - dt_s, 0.0))
    risen_w = now_w + RELAX_PU_PER_S * dt_s * sum((der.rating.size_w for der in ders if der.fresh), 0.0)
    known = all(der.rating.size_w for der in ders)
    most_w = memory.from_w + sum((der.rating.p_max_w - der.rating.p_min_w for der in ders), 0.0)
    if (known and risen_w >= most_w) or (wish is not None and risen_w >= wish.limit_w):
        return NO_LIMIT if wish is None else Lapse(limit_w=wish.limit_w, by=wish.by, left_s=wish.left_s)
    return replace(memory, limit_w=risen_w)


def kept_lapse(memory: Lapse) -> dict[str, Any] | None:
    """For a restart: whatever is in force. What has gone by then has run out."""
    if memory.limit_w is None:
        return None
    return {name: getattr(memory, name) for name in ("limit_w", "by", "wait_s", "from_w")}


def lapse_of(plain: Any) -> Lapse:
    """It goes on from where it was. Raises ValueError."""
    if not isinstance(plain, Mapping) or not isinstance(plain.get("by"), str):
        raise ValueError(f"{plain!r} is no limit that was asked for")
    limit_w, wait_s, from_w = (finite(plain, name) for name in ("limit_w", "wait_s", "from_w"))
    return Lapse(limit_w=limit_w, by=plain["by"], wait_s=wait_s, from_w=from_w)
