"""A device's own registers as data: hil/faces/maps/NAME.yaml, in which each line names its source."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hil.scenario import ScenarioError, Words

SIZES = {"u8": 1, "u16": 1, "s16": 1, "u32": 2, "s32": 2, "f32": 2, "u64": 4, "s64": 4, "str": 0}
"""Registers of a type; of a text, its line says how many."""
PARTS = ("meter", "battery", "pv", "storage", "hybrid", "system")
"""What stands behind a map: the point of connection, the pack of another DER, an inverter of some kind, the site."""
OF_OTHER_UNITS = ("ess_mode",)
"""Settings that an act may speak of though another unit of the same device has them."""
DER_PARTS = ("pv", "storage", "hybrid")
MAPS = Path(__file__).parent / "maps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One value at a register number. `shows` is a signal of signals.py, `fixed` a constant (in `unit`) or how a
    setting leaves the factory; value = (raw x scale + offset) x sign. `low_first`: of several words, the low one
    first. `byte`: which half of the register a u8 is. `codes`: raw by word; `bits`: the signal that sets each bit.

    `sets`: it can be written, from `low` to `high`, and means so many times (`written`) what it means when it is
    read; `lasting`: it outlives a restart, in a memory that wears. `alone`: what that number is when nothing else is
    read with it. `guess`: no source is firm.
    """

    at: int
    type: str
    source: str
    name: str
    shows: str = ""
    fixed: float | str | None = None
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    sign: int = 1
    words: int = 1
    low_first: bool = False
    byte: str = ""
    codes: Mapping[str, int] = field(default_factory=dict)
    bits: Mapping[int, str] = field(default_factory=dict)
    sets: bool = False
    written: float = 1.0
    low: float = float("-inf")
    high: float = float("inf")
    lasting: bool = False
    alone: bool = False
    guess: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """What read functions show. Within `blocks` ([first, last]) what no line names reads `fill`; anything else is an
    illegal address. `ends_named`: a read may not end on what no line names."""

    functions: tuple[int, ...]
    lines: tuple[Line, ...]
    blocks: tuple[tuple[int, int], ...] = ()
    fill: int = 0
    ends_named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What settings do: `on` is asked for while all of `when` hold and none of `unless`, and the dead-man of `alive`
    runs. Its value is the sum of `of_settings`, or `value`, times `scale`; with `percent_of` a share of that rating.
    `latched`: as they stood when that was written."""

    on: str
    source: str
    of_settings: tuple[str, ...] = ()
    value: float = 0.0
    scale: float = 1.0
    percent_of: str = ""
    when: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    unless: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    alive: str = ""
    latched: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadManSpec:
    """Writing any of `restarts` starts it; when its time is over, settings fall to `falls`. The time is `after_s`, or
    the setting `of_setting` times that."""

    restarts: tuple[str, ...]
    falls: Mapping[str, float]
    source: str
    after_s: float = 1.0
    of_setting: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMap:
    """A device. `stride`: by how much the number of a register is above that of the one before it."""

    name: str
    about: str
    part: str
    sources: Mapping[str, str]
    tables: tuple[TableSpec, ...]
    acts: tuple[Act, ...] = ()
    dead_men: tuple[DeadManSpec, ...] = ()
    stride: int = 1
    unit: int = 1
    baud: int = 0
    beyond: int = 3
    cells: int = 0
    habits: Mapping[str, Any] = field(default_factory=dict)


@cache
def register_map(name: str) -> RegisterMap:
    """The named one. Raises ScenarioError where there is none, or where it makes no sense."""
    path = MAPS / f"{name}.yaml"
    if not path.is_file():
        raise ScenarioError(f"no register map {name!r}; there are {', '.join(names())}")
    return parsed(name, yaml.load(path.read_text(encoding="utf-8"), Words))


def names() -> list[str]:
    """All that there are."""
    return sorted(path.stem for path in MAPS.glob("*.yaml"))


def parsed(name: str, given: Mapping[str, Any]) -> RegisterMap:
    """A map from its document. Raises ScenarioError with the place of the first mistake."""
    own = dict(given)
    try:
        found = _whole(name, own)
    except (KeyError, TypeError) as wrong:
        raise ScenarioError(f"register map {name}: {wrong}") from wrong
    _check(found)
    return found


def _whole(name: str, own: dict[str, Any]) -> RegisterMap:
    low_first = own.pop("order", "high") == "low"
    own["tables"] = tuple(_table(table, low_first) for table in own.get("tables", ()))
    own["acts"] = tuple(_act(act) for act in own.get("acts", ()))
    own["dead_men"] = tuple(_dead_man(each) for each in own.pop("dead_man", ()))
    return RegisterMap(name=name, **own)


def _table(given: Mapping[str, Any], low_first: bool) -> TableSpec:
    own = dict(given)
    lines = tuple(line for each in own.pop("registers") for line in _lines(each, low_first))
    blocks = tuple((int(first), int(last)) for first, last in own.pop("blocks", ()))
    return TableSpec(functions=tuple(own.pop("functions")), lines=lines, blocks=blocks, **own)


def _lines(given: Mapping[str, Any], low_first: bool) -> Iterator[Line]:
    """One line, or as many as `repeat: {count, step}` says, with their numbers from 1 on for `{n}`."""
    own = dict(given)
    repeat = own.pop("repeat", {"count": 1, "step": 0})
    own["source"], own["fixed"] = own.pop("from"), own.pop("is", None)
    own["low_first"] = own.pop("order", "low" if low_first else "high") == "low"
    own["words"] = own.get("words", SIZES[own["type"]])
    for index in range(repeat["count"]):
        each: dict[str, Any] = {
            k: v.replace("{n}", str(index + 1)) if isinstance(v, str) else v for k, v in own.items()
        }
        each["at"] = own["at"] + index * repeat["step"]
        each["name"] = each.get("name") or each.get("shows") or f"at_{each['at']}"
        yield Line(**each)


def _act(given: Mapping[str, Any]) -> Act:
    own = dict(given)
    own["source"] = own.pop("from")
    one = own.pop("of_setting", None)
    own["of_settings"] = tuple(own.pop("of_settings", ())) if one is None else (one,)
    for key in ("when", "unless"):
        own[key] = {name: _several(value) for name, value in own.pop(key, {}).items()}
    return Act(**own)


def _several(value: Any) -> tuple[float, ...]:
    return tuple(float(each) for each in (value if isinstance(value, list) else [value]))


def _dead_man(given: Mapping[str, Any]) -> DeadManSpec:
    own = dict(given)
    return DeadManSpec(restarts=tuple(own.pop("restarts")), source=own.pop("from"), **own)


def _check(found: RegisterMap) -> None:
    """Sources exist, names are told once, settings that are spoken of are there."""
    where = f"register map {found.name}"
    if found.part not in PARTS:
        raise ScenarioError(f"{where}: part {found.part!r} is none of {', '.join(PARTS)}")
    sourced: Sequence[Any] = (*(line for table in found.tables for line in table.lines), *found.acts, *found.dead_men)
    for each in sourced:
        if each.source not in found.sources:
            raise ScenarioError(f"{where}: no source {each.source!r}")
    for table in found.tables:
        told = [line.name for line in table.lines]
        if twice := {name for name in told if told.count(name) > 1}:
            raise ScenarioError(f"{where}: told twice: {', '.join(sorted(twice))}")
    spoken = {name for act in found.acts for name in (*act.of_settings, *act.when, *act.unless, act.alive)}
    spoken |= {each.of_setting for each in found.dead_men} | {n for each in found.dead_men for n in each.restarts}
    spoken -= set(OF_OTHER_UNITS)
    settings = {line.name for table in found.tables for line in table.lines if line.sets}
    if unknown := spoken - settings - {""}:
        raise ScenarioError(f"{where}: no such setting: {', '.join(sorted(unknown))}")
