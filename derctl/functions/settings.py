"""Settings that know their range, default and source, so that config, schema and documentation say the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar

from derctl.errors import SettingError


def number(default: float | None = None, *, low: float, high: float, source: str, optional: bool = False) -> Any:
    """A number in [low, high]. Without a default it must be given, unless it is optional (None: not used)."""
    meta = {"low": low, "high": high, "source": source, "optional": optional}
    if default is None and not optional:
        return field(metadata=meta)
    return field(default=default, metadata=meta)


def choice(default: str, *, among: tuple[str, ...], source: str) -> Any:
    """One of a few words."""
    return field(default=default, metadata={"among": among, "source": source})


def points(*, source: str) -> Any:
    """A custom curve: pairs (pu, pu); None: the category's."""
    return field(default=None, metadata={"points": True, "source": source})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Base of every function: refuses values outside their range with the range."""

    kind: ClassVar[str]
    rank: ClassVar[int]

    def __post_init__(self) -> None:
        for item in fields(self):
            problem = violation(item, getattr(self, item.name)) if item.init else None
            if problem is not None:
                raise problem


def violation(item: Field[Any], value: Any) -> SettingError | None:
    """What is wrong with one value, or None."""
    meta: Mapping[str, Any] = item.metadata
    if "low" in meta:
        return _number_violation(item.name, value, meta)
    if "among" in meta and value not in meta["among"]:
        return SettingError(item.name, value, "one of " + ", ".join(meta["among"]))
    return None


def _number_violation(name: str, value: Any, meta: Mapping[str, Any]) -> SettingError | None:
    if value is None and meta["optional"]:
        return None
    allowed = f"{meta['low']:.10g} to {meta['high']:.10g} ({meta['source']})"
    wrong_type = isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
    if wrong_type or not meta["low"] <= value <= meta["high"]:
        return SettingError(name, value, allowed)
    return None


def required(cls: type) -> tuple[str, ...]:
    """Names that have no default."""
    return tuple(f.name for f in fields(cls) if f.init and f.default is MISSING)
