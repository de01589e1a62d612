"""`dataclass`, cheap to keep: the standard one writes up to six methods for each of some hundred classes, and most of
them are never called. Here only `__init__` is a class's own; the others are the same functions for all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass", "typed"]

if TYPE_CHECKING:  # mypy knows what it makes
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, **options):
        """As `dataclasses.dataclass`, but for the order of its values."""
        if cls is None:
            return lambda cls: dataclass(cls, **options)
        shared = _FROZEN if options.get("frozen") else _OPEN
        own = {name for name, said in vars(cls).items() if said is not None}  # __hash__ is None beside an __eq__
        for name, method in shared.items():
            if name not in own:
                setattr(cls, name, method)
        cls.__doc__ = cls.__doc__ or cls.__name__  # else it is made of the signature, which takes long
        made = dataclasses.dataclass(cls, eq=False, repr=False, **options)
        if options.get("frozen"):
            made.__setattr__, made.__delattr__ = _set, _delete
        if "__init__" in vars(made):
            typed(made)
        return made


def typed(cls: type[Any]) -> None:
    """The types of `__init__`'s arguments are those of the fields, and not another list of them."""
    if cls.__annotations__.keys() == {field.name for field in dataclasses.fields(cls)}:
        cls.__init__.__annotations__ = cls.__annotations__


Parts = Callable[[Any], tuple[Any, ...]]


@cache
def _compared(cls: type[Any]) -> Parts:
    """What of an object is compared."""
    return _taking([field.name for field in dataclasses.fields(cls) if field.compare])


@cache
def _hashed(cls: type[Any]) -> Parts:
    each = ((field.name, field.compare if field.hash is None else field.hash) for field in dataclasses.fields(cls))
    return _taking([name for name, counts in each if counts])


def _taking(names: Sequence[str]) -> Parts:
    return attrgetter(*names) if len(names) > 1 else lambda made: tuple(getattr(made, name) for name in names)


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    parts = _compared(self.__class__)
    return parts(self) == parts(other)


def _hash(self: Any) -> int:
    return hash(_hashed(self.__class__)(self))


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self) if each.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _set(self: object, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


_OPEN: dict[str, Any] = {"__eq__": _eq, "__repr__": _repr, "__hash__": None}
_FROZEN: dict[str, Any] = _OPEN | {"__hash__": _hash}
