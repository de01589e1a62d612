"""A value: a frozen, slotted, keyword-only dataclass that is cheap to build, since every tick builds hundreds.

`dataclass` sets each field of a frozen class through `object.__setattr__`, which is most of what a small value costs.
Here `__init__` fills it while it is of an open class below its own, and shuts it by giving it its own again.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, dataclass_transform

from derctl.core.dataclass import dataclass, typed

__all__ = ["made", "replace", "value"]

P = ParamSpec("P")
T = TypeVar("T")

if TYPE_CHECKING:  # mypy knows the names and types of its arguments, of a value too
    from dataclasses import replace
else:

    def replace(value, /, **changes):
        """Another of the same class with these fields changed; of any dataclass."""
        try:
            changed = value._changed
        except AttributeError:
            return dataclasses.replace(value, **changes)
        return changed(changes)


def made(cls: Callable[P, T]) -> Callable[P, T]:
    """What makes a value as its class does, in less than half of the time: a call of a class packs its arguments into
    a dictionary and unpacks them again, one of a function does not. For what is built in each tick."""
    kind: Any = getattr(cls, "__origin__", cls)
    takes, sets = _parts(dataclasses.fields(kind))
    source = f"def _made(*, {takes}):\n    self = new(open)\n{sets}\n    self.__class__ = shut\n    return self\n"
    written = _defaults(kind)
    exec(source, kind.__init__.__globals__, written)
    making: Callable[P, T] = written["_made"]
    return making


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def value(cls: type[T]) -> type[T]:
    """A value of a class with fields that inherits nothing but Generic. Raises TypeError for another."""
    if cls.__bases__ not in {(object,), (Generic,)} or hasattr(cls, "__post_init__"):
        raise TypeError(f"{cls.__name__} is no plain value: use dataclass")
    shut: Any = dataclass(frozen=True, slots=True, kw_only=True, init=False)(cls)
    open_ = types.new_class(cls.__name__, (shut,), exec_body=lambda space: space.update(_OPEN))
    fields = dataclasses.fields(shut)
    names = {"shut": shut, "open": open_, "turn": _TURN, "unset": _UNSET, "new": object.__new__}
    names |= {f"made_{each.name}": each.default_factory for each in fields if _is_made(each)}
    _write(shut, "__init__", names)
    shut.__eq__, shut._changed = _first_eq, _first_changed
    typed(shut)
    return shut  # type: ignore[no-any-return]


_OPEN = {"__slots__": (), **{name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}}
"""Of a class that can be filled. Slots of its own would be compared with the other's whenever an object is turned."""
_TURN = object.__dict__["__class__"].__set__
"""Give an object another class with the same slots, whatever its own `__setattr__` says."""
_UNSET = object()


def _first_eq(self: Any, other: object) -> Any:
    """Most classes are never compared: the method is written when one is."""
    return _write(self.__class__, "__eq__", self.__init__.__globals__)(self, other)


def _first_changed(self: Any, changes: dict[str, Any]) -> Any:
    return _write(self.__class__, "_changed", self.__init__.__globals__)(self, changes)


def _write(kind: Any, name: str, names: dict[str, Any]) -> Callable[..., Any]:
    """A method of a value, from source that is compiled once a class. names: what it may call."""
    written = _defaults(kind)
    exec(_SOURCES[name](dataclasses.fields(kind)), names, written)
    method: Callable[..., Any] = written[name]
    method.__qualname__ = f"{kind.__qualname__}.{name}"
    setattr(kind, name, method)
    return method


def _defaults(kind: Any) -> dict[str, Any]:
    """They are looked up where a method is made, and in none when it is called."""
    fields = dataclasses.fields(kind)
    return {f"default_{each.name}": each.default for each in fields if each.default is not dataclasses.MISSING}


Fields = tuple[dataclasses.Field[Any], ...]


def _init(fields: Fields) -> str:
    takes, sets = _parts(fields)
    return f"def __init__(self, *, {takes}):\n    turn(self, open)\n{sets}\n    self.__class__ = shut\n"


def _eq(fields: Fields) -> str:
    """It ends at the first difference."""
    alike = "\n".join(
        f"    if (a := self.{field.name}) is not (b := other.{field.name}) and not a == b:\n        return False"
        for field in fields
        if field.compare
    )
    return f"""
def __eq__(self, other):
    if self is other:
        return True
    if other.__class__ is not self.__class__:
        return NotImplemented
{alike}
    return True
"""


def _changed(fields: Fields) -> str:
    """What `replace` is made of."""
    copies = "\n".join(f"    copy.{field.name} = self.{field.name}" for field in fields)
    return f"""
def _changed(self, changes):
    copy = new(open)
{copies}
    for name, changed in changes.items():
        setattr(copy, name, changed)
    copy.__class__ = shut
    return copy
"""


_SOURCES: dict[str, Callable[[Fields], str]] = {"__init__": _init, "__eq__": _eq, "_changed": _changed}


def _parts(fields: Fields) -> tuple[str, str]:
    """Of what fills a value: its parameters, and its lines."""
    return ", ".join(map(_parameter, fields)), "\n".join(f"    {_set(field)}" for field in fields)


def _parameter(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"{field.name}=default_{field.name}"
    return f"{field.name}=unset" if _is_made(field) else field.name


def _set(field: dataclasses.Field[Any]) -> str:
    made = f"made_{field.name}() if {field.name} is unset else " if _is_made(field) else ""
    return f"self.{field.name} = {made}{field.name}"


def _is_made(field: dataclasses.Field[Any]) -> bool:
    """Whether each value gets a default of its own."""
    return field.default_factory is not dataclasses.MISSING
