"""A parsed file to structs, with every problem found instead of the first.

What is wrong or missing gets a stand-in, so that all that follows can be checked too.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo
from msgspec.structs import fields as fields_of

from derctl.core.dataclass import dataclass
from derctl.errors import Problem
from derctl.site import hints
from derctl.site.lines import Source
from derctl.site.scalars import Unclear
from derctl.site.schema import KEY, KEY_ID, PATH, PREFIX_MAX, PRINCIPAL

S = TypeVar("S", bound=msgspec.Struct)
STAND_IN = "\0"
"""Begins every text that stands for one that is missing: no file can have it, and no message may show it."""
TOPIC = f"at most {PREFIX_MAX} characters, none of them #, +, $ or a control character such as a line's end"
LIST_MAX = 256
"""Items of a list: more than any site has devices."""
RETIRED = {"site.phases": "nothing reads it any more (each device says how many phases it has): take this line out"}
"""Keys of earlier versions. A file that has one still loads; the question says so."""


@dataclass(slots=True)
class Conversion:
    """One file. stand_ins: the paths whose value is not the file's."""

    source: Source
    problems: list[Problem]
    questions: list[Problem]
    places: Mapping[str, list[str]] = field(default_factory=dict)
    stand_ins: set[str] = field(default_factory=set)

    def of(self, cls: type[S]) -> S:
        """The file as `cls`."""
        self.places = places(cls)
        self.stand_ins = {each.path for each in self.problems}
        made: S = self.struct(self.source.value, cls, "")
        return made

    def concerns(self, problem: Problem) -> bool:
        """Whether a problem found later only says that a stand-in doesn't fit."""
        path = problem.path
        around = [path[:end] for end, sign in enumerate(path) if sign in ".["]
        inside = not self.stand_ins.isdisjoint((path, *around))
        return inside or STAND_IN in problem.message

    def say(self, path: str, message: str) -> None:
        """A value that the reader has complained of already is not complained of again."""
        if path not in self.stand_ins:
            self.problems.append(self.source.problem(path, message))
        self.stand_ins.add(path)

    def struct(self, value: Any, cls: type[S], path: str) -> S:
        known = {item.name: item for item in fields(cls)}
        if not isinstance(value, dict):
            self.say(path, _no_mapping(value, list(known)))
        else:
            self._unknown(value, known, path)
        whole, value = isinstance(value, dict), value if isinstance(value, dict) else {}
        meant = _meant(value, known)
        given: dict[str, Any] = {}
        for name, item in known.items():
            here = f"{path}.{name}" if path else name
            if name in value:
                given[name] = self.value(value[name], item.type, here)
            elif name in meant:
                given[name] = self.value(value[meant[name]], item.type, f"{path}.{meant[name]}".lstrip("."))
            elif item.required:
                given[name] = stand_in(item.type, here)
                self.stand_ins.add(here)
                if whole:
                    self.problems.append(self.source.problem(path, f"{name} is missing"))
        return cls(**given)

    def _unknown(self, value: dict[str, Any], known: dict[str, Any], path: str) -> None:
        for key in value:
            here = f"{path}.{key}" if path else str(key)
            if here in RETIRED:
                self.questions.append(self.source.problem(here, RETIRED[here]))
            elif key not in known:
                self.problems.append(self.source.problem(here, self._no_key(key, list(known), path)))

    def _no_key(self, key: str, known: list[str], path: str) -> str:
        listed = f"known are {', '.join(known)}"
        left, colon, right = key.partition(":")
        if colon and left in known:
            return f"a space is missing after the colon: {left}: {right}"
        if near := hints.similar(key, known):
            return f"unknown key{near}; {listed}"
        if key.isdecimal():
            return f"the comma before {key} ends the value before it; {listed}"
        elsewhere = [place for place in self.places.get(key, ()) if place != path]
        below = [place for place in elsewhere if place.startswith(f"{re.sub('[0-9]+', '', path)}.")]
        if elsewhere := below or elsewhere:
            return f"unknown key here: it belongs into {' or '.join(elsewhere)}; {listed}"
        return f"unknown key; {listed}"

    def value(self, value: Any, kind: Any, path: str) -> Any:
        struct, words = _struct_in(kind), _words(kind)
        if struct is not None and words and isinstance(value, str):
            struct, kind = None, Literal[*words]
        if struct is not None and (value is not None or type(None) not in _kinds(kind)):
            return self.struct(value, struct, path)
        if struct is not None:
            text = "nothing stands below it: leave it out, or indent what belongs to it"
            self.questions.append(self.source.problem(path, text))
            return None
        kind, least = _listed(kind)
        if get_origin(kind) is list:
            if not isinstance(value, list):
                self.say(path, _no_list(value))
                return stand_in(kind, path)
            if len(value) < least:
                self.say(path, "is empty, and needs at least one")
                return stand_in(kind, path)
            if len(value) > LIST_MAX:
                self.say(path, f"{len(value)} items, more than {LIST_MAX}")
                return []
            item = get_args(kind)[0]
            return [self.value(each, item, f"{path}[{i}]") for i, each in enumerate(value)]
        wrong = problem_of(self.source, value, kind, path)
        if wrong is None:
            return msgspec.convert(value, kind, strict=True)
        self.say(path, wrong)
        return stand_in(kind, path)


def _meant(value: dict[str, Any], known: Collection[str]) -> dict[str, str]:
    """Known keys that are not given, by the misspelt one that is: what it says is checked as if it were right."""
    strangers = ((hints.nearest(key, known), key) for key in value if key not in known)
    return {near: key for near, key in strangers if near is not None and near not in value}


def problem_of(source: Source, value: Any, kind: Any, path: str) -> str | None:
    """What is wrong with a value of a type without structs in it."""
    theirs = "is unclear" if isinstance(value, Unclear) else _refusal(value, kind)
    if theirs is None:
        return None
    if words := _words(kind):
        near = hints.similar(value, [word for word in words if isinstance(word, str)])
        return f"expected {' or '.join(map(repr, words))}{near} (got {_got(value)})"
    base, low, high = _base(kind)
    if {int, str} <= {part for part in _parts(kind) if isinstance(part, type)}:
        return hints.number_or_text(value, low, high)
    if base is bool:
        return f"write true or false (got {_got(value)})"
    if base is str:
        return _text(source, value, kind, path)
    if get_origin(kind) is dict and isinstance(value, str) and path.startswith("functions"):
        return f"expected a mapping: write {{kind: {value[:40]}}}"
    return _number_problem(value, kind, path) or f"{_plain(theirs)} (got {_got(value)})"


def _refusal(value: Any, kind: Any) -> str | None:
    """In the words of msgspec; None: the value is of this type."""
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        return str(error).split(" - at ")[0]
    return None


def _number_problem(value: Any, kind: Any, path: str) -> str | None:
    base, low, high = _base(kind)
    if base is int and isinstance(value, int | float | str | None) and not _in_type(value, int):
        return hints.whole(path, value, low, high)
    if base is float and not _in_type(value, float):
        return hints.number(path, value)
    if base in {int, float} and _in_type(value, base):
        return f"{value:.10g} is outside {low:.10g} to {high:.10g}"
    return None


def stand_in(kind: Any, path: str) -> Any:
    """Something of the type that no check takes for a value of the file."""
    struct = _struct_in(kind)
    if struct is not None:
        needed = [item for item in fields(struct) if item.required]
        return struct(**{item.name: stand_in(item.type, f"{path}.{item.name}") for item in needed})
    if get_origin(kind) is list:
        return [stand_in(get_args(kind)[0], f"{path}[0]")]
    if get_origin(kind) is dict:
        return {}
    if words := _words(kind):
        return words[0]
    base, _, _ = _base(kind)
    return {str: f"{STAND_IN}{path}", bool: True, int: -1, float: math.nan}.get(base)


def named(names: Iterable[str]) -> bool:
    """Whether all of these are the file's own names: only then can it be said that another one is none of them."""
    return not any(name.startswith(STAND_IN) for name in names)


@cache
def fields(cls: type[msgspec.Struct]) -> tuple[FieldInfo, ...]:
    """Of a class, looked up once: there are many files of few classes, and each look evaluates every annotation."""
    return fields_of(cls)


@cache
def places(cls: type[msgspec.Struct], path: str = "") -> Mapping[str, list[str]]:
    """Where each key belongs: {"host": ["mqtt", "buses[].tcp"], ...}."""
    found: dict[str, list[str]] = {}
    for item in fields(cls):
        found.setdefault(item.name, []).append(path or "the file itself")
        here = f"{path}.{item.name}" if path else item.name
        for kind in _kinds(item.type):
            many = get_origin(kind) is list
            struct = _struct_in(get_args(kind)[0] if many else kind)
            for name, where in places(struct, f"{here}[]" if many else here).items() if struct is not None else ():
                found.setdefault(name, []).extend(where)
    return found


def _kinds(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in {Union, types.UnionType} else (kind,)


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    for option in _kinds(kind):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def _listed(kind: Any) -> tuple[Any, int]:
    """A list of sections as a plain list, and how many it needs; any other type as it is."""
    plain = kind.__origin__ if hasattr(kind, "__metadata__") else None
    if get_origin(plain) is not list or _struct_in(get_args(plain)[0]) is None:
        return kind, 0
    return plain, max((meta.min_length or 0 for meta in kind.__metadata__), default=0)


def _parts(kind: Any) -> Iterator[Any]:
    """The types in a union, without their annotations, and the annotations."""
    for option in _kinds(kind):
        if hasattr(option, "__metadata__"):
            yield from _parts(option.__origin__)
            yield from option.__metadata__
        else:
            yield option


def _base(kind: Any) -> tuple[Any, float, float]:
    """bool, int, float, str or None for something else; and the range."""
    base, low, high = None, -math.inf, math.inf
    for part in _parts(kind):
        if isinstance(part, msgspec.Meta):
            low = part.ge if part.ge is not None else part.gt if part.gt is not None else low
            high = part.le if part.le is not None else part.lt if part.lt is not None else high
        elif part in {bool, int, float, str}:
            base = part
    return base, low, high


def _words(kind: Any) -> list[Any]:
    return [word for part in _parts(kind) if get_origin(part) is Literal for word in get_args(part)]


def _in_type(value: Any, base: type) -> bool:
    """Whether a value is a number of this type: then it is its size that is wrong."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int) if base is int else isinstance(value, int | float) and math.isfinite(value)


def _text(source: Source, value: Any, kind: Any, path: str) -> str:
    if not isinstance(value, str) or isinstance(value, Unclear):
        return hints.text(value, source.texts.get(path))
    pattern = next((part.pattern for part in _parts(kind) if isinstance(part, msgspec.Meta)), "") or ""
    if pattern.startswith("^[a-z0-9]"):
        return hints.identifier(value)
    if pattern == PATH:
        if path.endswith(".chip"):
            return "a path like /dev/gpiochip0"
        return "a path like /dev/serial/by-id/... (an adapter keeps that name) or /dev/ttyUSB0"
    if pattern == PRINCIPAL:
        return hints.principal(value)
    if pattern == KEY:
        return "43 characters of base64url, what an Ed25519 key's JWK has as x"
    if pattern == KEY_ID:
        return "1 to 64 letters, digits, . _ and -"
    return TOPIC if value else "is empty: write a text"


def _no_mapping(value: Any, known: list[str]) -> str:
    listed = f"a mapping of {', '.join(known)}"
    if value is None:
        return f"has no value: write {listed}"
    if isinstance(value, list):
        return f"expected {listed}; this is a list: take the '-' away"
    if isinstance(value, str) and "host" in known and "cert_file" not in known:
        host, _, port = value.partition(":")
        usual = 1883 if "prefix" in known else 502
        return f"write {{host: {host}, port: {port if port.isdecimal() else usual}}} (got {_got(value)})"
    if isinstance(value, str) and known[0] == "name":
        return f"write {{name: {value[:40]}}} (got {_got(value)})"
    return f"expected {listed} (got {_got(value)})"


def _no_list(value: Any) -> str:
    if value is None:
        return "has no value: write a list, each item as '- ' below its key"
    if isinstance(value, dict):
        return "expected a list, this is a mapping: write '- ' before each item"
    return f"expected a list (got {_got(value)})"


def _got(value: Any) -> str:
    said = repr(str(value)) if isinstance(value, str) else repr(value)
    said = said.lower() if isinstance(value, bool) else said
    return said if len(said) <= 60 else f"{said[:56]}…"


def _plain(theirs: str) -> str:
    for word, ours in (("`object`", "a mapping"), ("`array`", "a list"), ("Expected", "expected"), (" | null`", "`")):
        theirs = theirs.replace(word, ours)
    return theirs
