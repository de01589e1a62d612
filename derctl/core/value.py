"""A value: a frozen, slotted, keyword-only dataclass that is cheap to build, since every tick builds hundreds.

`dataclass` sets each field of a frozen class through `object.__setattr__`, which is most of what a small value costs.
Here `__init__` fills it while it is of an open class below its own, and shuts it by giving it its own again.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, dataclass_transform

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
    written: dict[str, Any] = {}
    exec(source, kind.__init__.__globals__, written)
    making: Callable[P, T] = written["_made"]
    return making


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def value(cls: type[T]) -> type[T]:
    """A value of a class with fields that inherits nothing but Generic. Raises TypeError for another."""
    if cls.__bases__ not in {(object,), (Generic,)} or hasattr(cls, "__post_init__"):
        raise TypeError(f"{cls.__name__} is no plain value: use dataclass")
    shut: Any = dataclasses.dataclass(frozen=True, slots=True, kw_only=True, init=False)(cls)
    fields = dataclasses.fields(shut)
    open_ = types.new_class(cls.__name__, (shut,), exec_body=lambda space: space.update(_OPEN))
    methods = _written(fields, {"shut": shut, "open": open_})
    methods["__init__"].__annotations__ = {each.name: each.type for each in fields} | {"return": None}
    for name, method in methods.items():  # a dataclass has its `__hash__` already, and keeps it
        method.__qualname__ = f"{shut.__qualname__}.{name}"
        setattr(shut, name, method)
    return shut  # type: ignore[no-any-return]


_OPEN = {"__slots__": (), **{name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}}
"""Of a class that can be filled. Slots of its own would be compared with the other's whenever an object is turned."""
_TURN = object.__dict__["__class__"].__set__
"""Give an object another class with the same slots, whatever its own `__setattr__` says."""
_UNSET = object()


def _written(fields: tuple[dataclasses.Field[Any], ...], names: dict[str, Any]) -> dict[str, Callable[..., Any]]:
    """`__init__`, `__eq__`, which ends at the first difference, and `_changed`, which `replace` is made of, as source
    that is compiled once a class."""
    names |= {"turn": _TURN, "unset": _UNSET, "new": object.__new__}
    names |= {f"default_{field.name}": field.default for field in fields}
    names |= {f"made_{field.name}": field.default_factory for field in fields}
    takes, sets = _parts(fields)
    alike = "\n".join(
        f"    if (a := self.{field.name}) is not (b := other.{field.name}) and not a == b:\n        return False"
        for field in fields
        if field.compare
    )
    copies = "\n".join(f"    copy.{field.name} = self.{field.name}" for field in fields)
    source = f"""
def __init__(self, *, {takes}):
    turn(self, open)
{sets}
    self.__class__ = shut

def __eq__(self, other):
    if self is other:
        return True
    if other.__class__ is not self.__class__:
        return NotImplemented
{alike}
    return True

def _changed(self, changes):
    copy = new(open)
{copies}
    for name, changed in changes.items():
        setattr(copy, name, changed)
    copy.__class__ = shut
    return copy
"""
    written: dict[str, Any] = {}
    exec(source, names, written)
    return written


def _parts(fields: tuple[dataclasses.Field[Any], ...]) -> tuple[str, str]:
    """Of what fills a value: its parameters, and its lines."""
    return ", ".join(map(_parameter, fields)), "\n".join(f"    {_set(field)}" for field in fields)


def _parameter(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"{field.name}=default_{field.name}"
    return field.name if field.default_factory is dataclasses.MISSING else f"{field.name}=unset"


def _set(field: dataclasses.Field[Any]) -> str:
    made = f"made_{field.name}() if {field.name} is unset else "
    return f"self.{field.name} = {'' if field.default_factory is dataclasses.MISSING else made}{field.name}"
