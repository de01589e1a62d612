"""Ids of the commands that one principal was answered, so that none is taken twice. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from derctl.core.dataclass import dataclass

IDS_MAX = 1000
"""Ids of one principal that are kept."""
EXPIRES_MAX_S = 7 * 86400.0
"""The longest life of a command."""
JUMP_S = 3600.0
"""An id is kept for so long after its end: a clock may jump back."""
ANYBODY = ""
"""Under whom ids stand whose principal was not noted (state files before version 5): nobody may use them again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """ids: when each was issued and when it ends, s since 1970, by the command's own word.

    gap: of what was issued until then not every id is kept, so none of it is taken any more. None: all are kept.
    """

    ids: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    gap: float | None = None


def objection(answered: Answered, command_id: str, issued: float) -> str | None:
    """Why a command may be one that was answered before; None: it is new."""
    if command_id in answered.ids:
        return f"id {command_id!r} was answered before"
    if answered.gap is not None and issued <= answered.gap:
        return f"{IDS_MAX} others were issued after it, so it may have been answered before"
    return None


def noted(answered: Answered, command_id: str, issued: float, ends: float) -> Answered:
    """With one more. Where there are too many, those issued first go, and with them all that is as old."""
    ids = {**answered.ids, command_id: (issued, ends)}
    gap = answered.gap
    while len(ids) > IDS_MAX:
        first = min(ids, key=lambda each: ids[each][0])
        gap = ids.pop(first)[0]
    return replace(answered, ids=ids, gap=gap)


def alive(answered: Answered, now: float) -> Answered | None:
    """Without those whose replay is too old by now; None: nothing is left. now: of a clock that is set."""
    ids = {each: (issued, ends) for each, (issued, ends) in answered.ids.items() if ends + JUMP_S > now}
    gap = answered.gap
    if gap is not None and gap + EXPIRES_MAX_S + JUMP_S <= now:
        gap = None
    return Answered(ids=ids, gap=gap) if ids or gap is not None else None
