"""Times and powers as a planner wrote them, or in words what is wrong with them and where."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from derctl.core.words import Refusal
from derctl.daemon.commands.arguments import SHOWN_MAX
from derctl.errors import CommandError


def bad(text: str) -> NoReturn:
    """Raises CommandError."""
    raise CommandError(Refusal.BAD_ARGUMENT, text)


def shown(value: Any) -> str:
    """What came, cut."""
    return json.dumps(value, ensure_ascii=False)[:SHOWN_MAX]


def moment(text: Any, place: str) -> datetime:
    """With its time zone: without one an hour of autumn is two moments. Raises CommandError."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        bad(f"{place}: {shown(text)} is no time, such as 2026-11-21T12:00:00Z")
    if at.tzinfo is None:
        bad(f"{place}: {shown(text)} has no time zone: where clocks change it is two moments, or none")
    return at


def later(at: datetime, by: timedelta, place: str) -> datetime:
    """Raises CommandError: beyond the end of calendars, in UTC as well."""
    try:
        after = at + by
        after.astimezone(UTC)
        return after
    except (OverflowError, ValueError):
        bad(f"{place}: {by.total_seconds():g} s after {at.isoformat()} there is no calendar")


def number(value: Any, place: str) -> float:
    """As a number, or as text. Raises CommandError."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        bad(f"{place}: {shown(value)} is no number")
    return found
