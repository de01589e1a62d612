"""What a schedule says now, by what is left of the request that carries it: no wall clock that jumps moves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from derctl.core.value import value


class Timed(Protocol):
    """A part of a schedule. from_s, to_s: what is left of the request where it begins and where it ends."""

    @property
    def from_s(self) -> float: ...

    @property
    def to_s(self) -> float: ...


@value
class Limits:
    """What may go out, be drawn and be generated while it lasts; None: nothing is said of it."""

    from_s: float
    to_s: float
    export_w: float | None = None
    import_w: float | None = None
    generation_w: float | None = None


@value
class Event:
    """What a demand-response event asks for while it lasts: limits of the site, and a target. p_target_w: of its
    batteries together (+ discharges); poc_target_w: at the point of connection (+ exports). None: nothing is said of
    it."""

    from_s: float
    to_s: float
    export_w: float | None = None
    import_w: float | None = None
    generation_w: float | None = None
    p_target_w: float | None = None
    poc_target_w: float | None = None


@value
class Aim:
    """What a DER is to give while it lasts, + discharges, or between what; None: nothing is said of it."""

    from_s: float
    to_s: float
    p_target_w: float | None = None
    p_ceiling_w: float | None = None
    p_floor_w: float | None = None


def current(parts: Sequence[Timed], left_s: float) -> int | None:
    """Which part lasts now; None: none does. left_s: what is left of the request."""
    return next((i for i, part in enumerate(parts) if part.to_s < left_s <= part.from_s), None)
