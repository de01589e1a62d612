"""A command's fields as its arguments, and in words what is wrong with them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, TypeVar, get_args

import msgspec
from msgspec.structs import FieldInfo, fields

from derctl.core.words import Refusal
from derctl.errors import CommandError
from derctl.site.hints import number

S = TypeVar("S", bound=msgspec.Struct)
SHOWN_MAX = 40
"""Characters that a refusal repeats of what came."""


def convert(given: dict[str, Any], kind: type[S]) -> S:
    """Raises CommandError."""
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise CommandError(Refusal.BAD_ARGUMENT, _wrong(given, kind)) from error


def _wrong(given: dict[str, Any], kind: type[msgspec.Struct]) -> str:
    """Every problem, not the first one only."""
    known = {field.name: field for field in fields(kind)}
    listed = f"known are {', '.join(known)}" if known else "there are none"
    found = [f"no argument {name[:SHOWN_MAX]}; {listed}" for name in given if name not in known]
    for name, field in known.items():
        if name in given:
            found += _misfit(field, given[name])
        elif field.required:
            found.append(f"{name} is missing")
    return "; ".join(found)


def _misfit(field: FieldInfo, value: Any) -> list[str]:
    try:
        msgspec.convert(value, field.type)
    except msgspec.ValidationError as error:
        return [f"{field.name}: {error if isinstance(value, list) else _wanted(field, value)}"]
    return []


def _wanted(field: FieldInfo, value: Any) -> str:
    if field.type in {float, float | None}:
        return number(field.name, value)
    shown = json.dumps(value)[:SHOWN_MAX]
    if datetime in {field.type, *get_args(field.type)}:
        return f"{shown} is no time, such as 2026-11-21T12:00:00Z"
    if field.type is bool:
        return f"{shown} is neither true nor false"
    text = msgspec.inspect.type_info(field.type)
    if isinstance(text, msgspec.inspect.ListType):
        return f"{shown} is no list"
    if isinstance(text, msgspec.inspect.IntType):
        return f"{shown} is no whole number from {text.ge} on"
    most = text.max_length if isinstance(text, msgspec.inspect.StrType) else None
    return f"{shown} is no text" + (f" of 1 to {most} characters" if most else "")
