"""A parsed file to structs, with every problem found instead of the first."""

from __future__ import annotations

import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec.structs import fields

from derctl.errors import Problem
from derctl.site.lines import Source

S = TypeVar("S", bound=msgspec.Struct)


def convert(source: Source, value: Any, cls: type[S], path: str, problems: list[Problem]) -> S | None:
    """`value` as `cls`; None where something was wrong (then `problems` says what, all of it)."""
    if not isinstance(value, dict):
        problems.append(source.problem(path, f"expected a mapping of {', '.join(f.name for f in fields(cls))}"))
        return None
    before = len(problems)
    known = {item.name: item for item in fields(cls)}
    for key in value:
        if key not in known:
            here = f"{path}.{key}" if path else str(key)
            problems.append(source.problem(here, f"unknown key; known are {', '.join(known)}"))
    given: dict[str, Any] = {}
    for name, item in known.items():
        here = f"{path}.{name}" if path else name
        if name in value:
            given[name] = _value(source, value[name], item.type, here, problems)
        elif item.required:
            problems.append(source.problem(path, f"{name} is missing"))
    return cls(**given) if len(problems) == before else None


def _value(source: Source, value: Any, kind: Any, path: str, problems: list[Problem]) -> Any:
    struct = _struct_in(kind)
    if struct is not None and (value is not None or struct is kind):
        return convert(source, value, struct, path, problems)
    if get_origin(kind) is list:
        if not isinstance(value, list):
            problems.append(source.problem(path, f"expected a list (got {value!r})"))
            return None
        item = get_args(kind)[0]
        return [_value(source, each, item, f"{path}[{i}]", problems) for i, each in enumerate(value)]
    return plain(source, value, kind, path, problems)


def plain(source: Source, value: Any, kind: Any, path: str, problems: list[Problem]) -> Any:
    """`value` as a type without structs in it; None where it isn't one."""
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        problems.append(source.problem(path, f"{_plain(error, kind)} (got {value!r})"))
        return None


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    options = get_args(kind) if get_origin(kind) in {Union, types.UnionType} else (kind,)
    for option in options:
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def _plain(error: Exception, kind: Any) -> str:
    words = [
        repr(word) for option in (kind, *get_args(kind)) if get_origin(option) is Literal for word in get_args(option)
    ]
    if words:
        return f"expected {' or '.join(words)}"
    text = str(error).split(" - at ")[0]
    for theirs, ours in (("`object`", "a mapping"), ("`array`", "a list"), ("Expected", "expected")):
        text = text.replace(theirs, ours)
    text = text.replace(" | null`", "`")
    return f"{text}; write it in quotes" if text.startswith("expected `str`, got") else text
