"""A schedule as others write it, made the `intervals` of a command: a compact list of steps, or a planner's shape.

Pure, and before the rights of its sender are looked at: what is asked for is the intervals, in whatever words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from derctl.core.requests import AIMS, LIMITS
from derctl.core.words import Refusal
from derctl.daemon.commands import emhass, predbat
from derctl.daemon.commands.arguments import convert
from derctl.daemon.commands.written import bad, later, shown
from derctl.errors import CommandError

Interval = dict[str, Any]
SHAPES: Mapping[str, Callable[[Any], list[Interval]]] = {"emhass": emhass.intervals, "predbat": predbat.intervals}
"""By name, what makes intervals of it."""


class Steps(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Intervals of one length, one value each, None where nothing is said. start: of the first."""

    start: datetime
    step_s: float


class AimSteps(Steps, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Of a battery's plan."""

    p_target_w: list[float | None] | None = None
    p_ceiling_w: list[float | None] | None = None
    p_floor_w: list[float | None] | None = None


class LimitSteps(Steps, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Of an operating envelope."""

    export_w: list[float | None] | None = None
    import_w: list[float | None] | None = None
    generation_w: list[float | None] | None = None


def plan(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of battery_plan with their intervals. Raises CommandError."""
    shape, rest = fields.get("shape"), {key: value for key, value in fields.items() if key not in {"shape", "plan"}}
    if shape is None:
        if fields.get("plan") is not None:
            bad("plan needs its shape")
        return _unfolded(rest, AimSteps, AIMS)
    if not isinstance(shape, str) or shape not in SHAPES:
        bad(f"shape: {shown(shape)} is not one of {', '.join(SHAPES)}")
    if others := [way for way in ("intervals", "steps") if fields.get(way) is not None]:
        bad(f"shape and {others[0]}: give one of them")
    return rest | {"intervals": SHAPES[shape](fields.get("plan"))}


def envelope(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of operating_envelope with theirs. Raises CommandError."""
    return _unfolded(fields, LimitSteps, LIMITS)


def _unfolded(fields: Mapping[str, Any], kind: type[Steps], names: Sequence[str]) -> dict[str, Any]:
    given = fields.get("steps")
    if given is None:
        return dict(fields)
    if fields.get("intervals") is not None:
        bad("steps and intervals: give one of them")
    rest = {key: value for key, value in fields.items() if key != "steps"}
    return rest | {"intervals": _of_steps(_steps(given, kind), names)}


def _steps(given: Any, kind: type[Steps]) -> Steps:
    if not isinstance(given, Mapping):
        bad("steps: expected an object with start, step_s and values")
    return convert(dict(given), kind)


def _of_steps(steps: Steps, names: Sequence[str]) -> list[Interval]:
    columns = {name: values for name in names if (values := getattr(steps, name)) is not None}
    lengths = {len(values) for values in columns.values()}
    if not columns:
        bad(f"steps says nothing: give one of {', '.join(names)}")
    if len(lengths) > 1:
        bad(f"steps: {', '.join(f'{name} has {len(values)} values' for name, values in columns.items())}")
    if not 0.0 < steps.step_s <= 86400.0:
        raise CommandError(
            Refusal.OUT_OF_RANGE, f"steps.step_s = {steps.step_s:g} is outside 0 (not included) to 86400 s"
        )
    found = []
    for i in range(lengths.pop()):
        said = {name: values[i] for name, values in columns.items() if values[i] is not None}
        if said:
            found.append({"start": _at(steps, i), "end": _at(steps, i + 1)} | said)
    return found


def _at(steps: Steps, i: int) -> datetime:
    return later(steps.start, timedelta(seconds=i * steps.step_s), "steps.start")
