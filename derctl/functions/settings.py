"""Settings that know their range, default and source, so that config, schema and documentation say the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields
from typing import Any, ClassVar

from derctl.core.dataclass import dataclass
from derctl.errors import SettingError
from derctl.functions.code import Between, Rules


def number(
    default: float | None = None,
    *,
    low: float,
    high: float,
    source: str,
    optional: bool = False,
    wide: tuple[float, float] | None = None,
) -> Any:
    """A number in [low, high]. Without a default it must be given, unless it is optional (None: not used).

    wide: it is a grid code's affair, and what it may be at all under a code that gives no range of its own.
    """
    meta = {"low": low, "high": high, "source": source, "optional": optional, "wide": wide}
    if default is None and not optional:
        return field(metadata=meta)
    return field(default=default, metadata=meta)


def choice(default: str, *, among: tuple[str, ...], source: str, ruled: bool = False) -> Any:
    """One of a few words. ruled: a grid code's affair."""
    return field(default=default, metadata={"among": among, "source": source, "wide": ruled})


def switch(*, source: str) -> Any:
    """On or off; off, if it is not given."""
    return field(default=False, metadata={"switch": True, "source": source})


def points(*, source: str) -> Any:
    """A custom curve: pairs (pu, pu); None: the default one. A grid code's affair."""
    return field(default=None, metadata={"points": True, "source": source, "wide": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Base of every function: refuses values outside their range with the range."""

    kind: ClassVar[str]
    rank: ClassVar[int]

    def __post_init__(self) -> None:
        rules: Rules | None = getattr(self, "rules", None)
        for item in settings_of(type(self)):
            problem = violation(item, getattr(self, item.name), rules)
            if problem is not None:
                raise problem

    def misfit(self, f_nom_hz: float) -> SettingError | None:
        """What does not go together at a site of this nominal frequency, or None."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled(Settings):
    """Base of what a grid code has a word in. rules: that code's; None: no code is named, its own ranges count."""

    rules: Rules | None = field(default=None, repr=False, hash=False)


def settings_of(cls: type) -> tuple[Field[Any], ...]:
    """What may be given in a site file."""
    return tuple(item for item in fields(cls) if item.init and item.metadata)


def violation(item: Field[Any], value: Any, rules: Rules | None = None) -> SettingError | None:
    """What is wrong with one value, or None. rules: a grid code's, which count instead of the setting's own range."""
    meta: Mapping[str, Any] = item.metadata
    if rules is not None and (meta.get("wide") or item.name in rules):
        return _against(item, value, rules)
    if "low" in meta:
        return _number_violation(item.name, value, meta)
    if "switch" in meta and not isinstance(value, bool):
        return SettingError(item.name, value, "one of true, false")
    if "among" in meta and value not in meta["among"]:
        return SettingError(item.name, value, "one of " + ", ".join(meta["among"]))
    return None


def _against(item: Field[Any], value: Any, rules: Rules) -> SettingError | None:
    """By the code's rule; where it has none, by what is possible at all."""
    meta, rule = item.metadata, rules.get(item.name)
    if value is None and item.default is None:
        return None
    if rule is not None:
        return rule.violation(item.name, value)
    if "low" not in meta:
        return violation(item, value)
    low, high = meta["wide"]
    return Between(low=low, high=high, source="what is possible at all").violation(item.name, value)


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
    return tuple(item.name for item in settings_of(cls) if item.default is MISSING)
