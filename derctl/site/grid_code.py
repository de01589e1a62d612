"""Grid codes that ship with derctl, config/grid-codes/*.yaml: what each says of a function's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from derctl.core.dataclass import dataclass
from derctl.core.excursions import Rule as Lockout
from derctl.errors import ConfigError, Problem
from derctl.functions import ROWS
from derctl.functions.code import Along, Among, Between, Rule, Rules
from derctl.functions.const_pf import ConstPf
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.settings import Ruled
from derctl.functions.shaped import MODES
from derctl.site.hints import similar
from derctl.site.lines import Source, parse
from derctl.site.schema import SiteFile

FREE = {"q_priority"}
"""Where a code is silent on these, the function's own choice counts."""


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One setting. default: the code's. ask: why there is none, so that the site file has to say it.

    low, high, among: what a site file may say instead; without them only the default. gap: least step between the
    outer points of a curve. unit V: volts to neutral, of v_nom_v.
    """

    default: Any = None
    ask: str | None = None
    low: Any = None
    high: Any = None
    among: tuple[str, ...] | None = None
    gap: float = 0.0
    unit: Literal["pu", "V"] = "pu"
    source: str = ""


class Excursions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many that are longer than contained within_s lock the site out for lock_s."""

    most: int
    within_s: float
    lock_s: float


class Contained(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long an export above the agreed limit may last, and what too many that are longer lead to."""

    seconds: float
    source: str
    excursions: Excursions | None = None

    @property
    def rule(self) -> Lockout | None:
        """For control."""
        said = self.excursions
        if said is None:
            return None
        return Lockout(most=said.most, within_s=said.within_s, lock_s=said.lock_s)


class Allowed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which functions a code lets its grid operator do something with. source: who says so."""

    kinds: tuple[str, ...]
    source: str


class GridCode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One code. v_nom_v: where its voltages are volts, and not per unit. choose: reactive modes of which the grid
    operator chooses; off: what he may switch off. Without them nobody may, for a time: it is what the site file says.
    """

    name: str
    title: str
    f_nom_hz: Literal[50, 60]
    v_nom_v: float | None = None
    containment: Contained | None = None
    choose: Allowed | None = None
    off: Allowed | None = None
    functions: dict[str, dict[str, Entry]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a code says of one function, at one site. asked: by setting, why the site file has to say it. rules None:
    no code has a word in it."""

    name: str = ""
    defaults: Mapping[str, Any]
    rules: Rules | None
    asked: Mapping[str, str]

    def silent_on(self, item: Field[Any]) -> bool:
        """Whether a code, that should, says nothing of a setting: then nobody knows what it may be."""
        known = item.name in self.defaults or item.name in self.asked
        return self.rules is not None and bool(item.metadata.get("wide")) and not known and item.name not in FREE


def names() -> tuple[str, ...]:
    """Of every code that ships."""
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in _folder().iterdir()))


def grid_code(name: str) -> GridCode:
    """Raises ConfigError for a preset that is spoilt."""
    source = parse(_folder().joinpath(f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml", ours=True)
    try:
        return msgspec.convert(source.value, GridCode)
    except msgspec.ValidationError as error:
        raise ConfigError([source.problem("", str(error))]) from error


def _folder() -> Any:
    return Path(__file__).parent / "grid_codes"


def named_code(source: Source, site: SiteFile, problems: list[Problem]) -> GridCode | None:
    """The code that the site file names, where it fits the site."""
    name = site.site.grid_code
    if name is None:
        return None
    if name not in names():
        text = f"no grid code {name!r}{similar(name, names())}; known are {', '.join(names())}"
        problems.append(source.problem("site.grid_code", text))
        return None
    code = grid_code(name)
    if code.v_nom_v is not None and code.v_nom_v != site.site.v_nom_v:
        text = f"{name} is written for {code.v_nom_v:g} V to neutral, and v_nom_v is {site.site.v_nom_v:g}"
        problems.append(source.problem("site.grid_code", text))
    return code


def said_of(code: GridCode, kind: str, f_nom_hz: float) -> Said:
    """Frequencies of a code for another nominal frequency are nobody's default: each is asked for."""
    entries = code.functions.get(kind, {})
    foreign = {name for name in entries if code.f_nom_hz != f_nom_hz and _of_frequency(name)}
    why = f"the code's own is for {code.f_nom_hz} Hz"
    own = {name: entry for name, entry in entries.items() if name not in foreign}
    return Said(
        name=code.name,
        defaults={name: _value(entry.default, entry, code) for name, entry in own.items() if entry.ask is None},
        rules={name: rule for name, entry in own.items() if (rule := _rule(entry, code)) is not None},
        asked={name: entry.ask for name, entry in own.items() if entry.ask is not None}
        | {name: why for name in entries if name in foreign},
    )


def modes_of(code: GridCode | None, f_nom_hz: float) -> list[Any]:
    """The reactive modes that may be chosen, with the code's own settings; none of which it does not know all."""
    if code is None or code.choose is None:
        return []
    found: list[Any] = []
    for kind in code.choose.kinds:
        cls: Any = MODES[kind]
        if not issubclass(cls, Ruled):
            found.append(cls(pf=1.0) if kind == ConstPf.kind else cls(q_pu=0.0))
            continue
        said = said_of(code, kind, f_nom_hz)
        if not said.asked:
            found.append(cls(**said.defaults, rules=said.rules))
    return found


def _of_frequency(name: str) -> bool:
    return name.endswith("_hz") or name in {"k_of", "k_uf"}


def _rule(entry: Entry, code: GridCode) -> Rule | None:
    """None: what is possible at all."""
    among = (entry.default,) if entry.among is None and isinstance(entry.default, str) else entry.among
    if among is not None:
        return Among(among=among)
    low, high = (entry.default if bound is None else bound for bound in (entry.low, entry.high))
    if low is None or high is None:
        return None
    low, high = _value(low, entry, code), _value(high, entry, code)
    v_nom_v = code.v_nom_v if entry.unit == "V" else None
    if isinstance(low, tuple):
        return Along(low=low, high=high, gap=entry.gap, source=f"{code.name}: {entry.source}", v_nom_v=v_nom_v)
    return Between(low=low, high=high, source=f"{code.name}: {entry.source}", v_nom_v=v_nom_v)


def _value(value: Any, entry: Entry, code: GridCode) -> Any:
    """Per unit, a curve as pairs."""
    unit = 1.0 if entry.unit == "pu" or code.v_nom_v is None else code.v_nom_v
    if isinstance(value, list):
        return tuple((x / unit, float(y)) for x, y in value)
    return value if unit == 1.0 else value / unit


def question_without(site: SiteFile) -> str | None:
    """A file without a code runs on for one release, with the numbers of before; None: no need to ask."""
    kinds = [section.get("kind") for section in site.functions]
    ruled = [
        kind for kind in kinds if isinstance(kind, str) and kind in ROWS and issubclass(ROWS[kind].function, Ruled)
    ]
    if site.site.grid_code is not None or not ruled:
        return None
    start = ""
    if "freq_droop" in ruled:
        start = f", so droop begins at {site.site.f_nom_hz + FreqDroop().db_of_hz:g} Hz by its own default"
    return (
        f"no grid_code: {', '.join(ruled)} run with settings of IEEE 1547-2018 unless the file gives others{start}; "
        f"the next release asks for one of {', '.join(names())}"
    )
