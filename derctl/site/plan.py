"""The functions section: from settings to the plan that the engine runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from derctl.core.plan import Plan
from derctl.devices import CATALOGUE as DEVICES
from derctl.errors import Problem, SettingError
from derctl.functions import ROWS, Need, Row, Scope, Settings, rows
from derctl.functions.bms_guard import BmsGuard
from derctl.functions.probe import Probe
from derctl.functions.self_consumption import SelfConsumption
from derctl.functions.settings import Ruled, required, settings_of, violation
from derctl.site.convert import named
from derctl.site.grid_code import GridCode, Said, named_code, names, said_of
from derctl.site.hints import nearest, number, similar
from derctl.site.lines import Source
from derctl.site.schema import SiteFile


def plan_of(source: Source, site: SiteFile, problems: list[Problem]) -> Plan:
    der_functions: list[Any] = []
    site_functions: list[Any] = []
    spoken: dict[tuple[str, str], str] = {}
    code = named_code(source, site, problems)
    for i, section in enumerate(site.functions):
        path = f"functions[{i}]"
        row = _row(source, path, section, problems)
        said = None if row is None else _said(source, path, row, site, code, problems)
        function = None if row is None else _function(source, path, row, section, said, problems)
        if row is not None and function is not None and (code is not None or not row.needs_code):
            _check_fit(source, path, function, site, problems)
        ids = _ders_of(source, path, row, section, site, problems)
        if row is None or function is None or ids is None:
            continue
        _check_once(source, path, row, ids, spoken, problems)
        if row.scope is Scope.SITE and any(f.kind == row.kind for f, _ in site_functions):
            problems.append(source.problem(path, f"{row.kind} speaks for the site: once only"))
        if Need.METER in row.needs and site.poc is None:
            problems.append(source.problem(path, f"{row.kind} needs a meter at the point of connection (poc)"))
        (site_functions if row.scope is Scope.SITE else der_functions).append((function, ids))
    der_functions += _unasked(site, der_functions)
    given = {type(function) for function, _ in der_functions}
    brought = [row.function() for row in ROWS.values() if not given.isdisjoint(row.comes_with)]
    if _watched(function for function, _ in site_functions):
        brought.append(Probe())
    site_functions += [(function, tuple(der.id for der in site.ders)) for function in brought]
    return rows.plan_of(der_functions, site_functions)


def _watched(functions: Iterable[Settings]) -> bool:
    """Whether the meter has to show steps: by the limit's word where there is one, else by a follower's."""
    words = {type(function): word for function in functions if (word := getattr(function, "probe", None)) is not None}
    limits = [word for cls, word in words.items() if cls is not SelfConsumption]
    return any(word != "none" for word in limits or words.values())


def _unasked(site: SiteFile, given: Collection[tuple[Settings, tuple[str, ...]]]) -> list[Any]:
    """A battery's own limits bind whether or not the file asks for it: what its BMS permits is no preference."""
    guarded = {der_id for function, ids in given if isinstance(function, BmsGuard) for der_id in ids}
    needs = ROWS[BmsGuard.kind].needs
    ids = tuple(der.id for der in site.ders if der.kind in DEVICES and not _lacks(der.kind, needs))
    alone = tuple(der_id for der_id in ids if der_id not in guarded)
    return [(BmsGuard(), alone)] if alone else []


def _row(source: Source, path: str, section: Mapping[str, object], problems: list[Problem]) -> Row | None:
    kind = section.get("kind")
    row = ROWS.get(kind) if isinstance(kind, str) else None
    if row is None or not row.in_site_file:
        problems.append(_no_kind(source, path, section))
        return None
    return row


def _no_kind(source: Source, path: str, section: Mapping[str, object]) -> Problem:
    kind, known = section.get("kind"), [row.kind for row in ROWS.values() if row.in_site_file]
    listed = f"known are {', '.join(known)}"
    if kind is not None:
        return source.problem(f"{path}.kind", f"no function {kind!r}{similar(kind, known)}; {listed}")
    word = next((key for key in section if key in known), None)
    return source.problem(path, f"{'kind is missing' if word is None else f'write {{kind: {word}}}'}; {listed}")


NOTHING_SAID = Said(defaults={}, rules=None, asked={})


def _said(
    source: Source, path: str, row: Row, site: SiteFile, code: GridCode | None, problems: list[Problem]
) -> Said:
    """What the site's grid code says of a function; nothing, where none is named."""
    if not issubclass(row.function, Ruled):
        return NOTHING_SAID
    if code is not None:
        return said_of(code, row.kind, site.site.f_nom_hz)
    if row.needs_code and site.site.grid_code is None:
        text = f"{row.kind} needs site.grid_code, which says its settings; known are {', '.join(names())}"
        problems.append(source.problem(path, text))
    return NOTHING_SAID


def _function(
    source: Source, path: str, row: Row, section: Mapping[str, object], said: Said | None, problems: list[Problem]
) -> Settings | None:
    kind, cls, said = row.kind, row.function, said or NOTHING_SAID
    settings = {item.name: item for item in settings_of(cls)}
    before = len(problems)
    given = {key: value for key, value in section.items() if key not in {"kind", "ders"}}
    for key, value in given.items():
        if key not in settings:
            near = similar(key, settings)
            text = f"unknown setting of {kind}{near}; known are {', '.join(settings) or 'none'}"
            problems.append(source.problem(f"{path}.{key}", text))
            continue
        if said.silent_on(settings[key]):
            problems.append(source.problem(f"{path}.{key}", f"{said.name} has no {key}: leave it out"))
            continue
        wrong = violation(settings[key], value, said.rules) if key != "points" else None
        if wrong is not None:
            problems.append(source.problem(f"{path}.{key}", _wrong(f"{path}.{key}", value, wrong)))
    meant = {nearest(key, settings) for key in given if key not in settings}
    missing = [name for name in required(cls) if name not in given and name not in meant]
    problems.extend(source.problem(path, f"{kind} needs {name}") for name in missing)
    asked = {name: why for name, why in said.asked.items() if name not in given and name not in meant}
    for name, why in asked.items():
        problems.append(source.problem(path, f"{kind} needs {name}: {said.name} has no default ({why})"))
    if len(problems) > before:
        return None
    rules = {} if said.rules is None else {"rules": said.rules}
    return _built(source, path, cls, {**said.defaults, **given, **rules}, problems)


def _check_fit(source: Source, path: str, function: Settings, site: SiteFile, problems: list[Problem]) -> None:
    """Settings that are wrong at a site of this nominal frequency only."""
    wrong = function.misfit(site.site.f_nom_hz)
    if wrong is not None:
        problems.append(source.problem(f"{path}.{wrong.name}", f"{wrong.value!r} is outside {wrong.allowed}"))


def _wrong(path: str, value: object, wrong: SettingError) -> str:
    """A number out of its range, or something that is no number where one belongs."""
    of_words = wrong.allowed.startswith("one of")
    if of_words:
        return f"{value!r} is not {wrong.allowed}{similar(value, wrong.allowed.removeprefix('one of ').split(', '))}"
    in_type = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return f"{value:.10g} is outside {wrong.allowed}" if in_type else number(path, value)


def _built(
    source: Source, path: str, cls: type[Settings], given: dict[str, Any], problems: list[Problem]
) -> Settings | None:
    if given.get("points") is not None:
        try:
            given["points"] = tuple((float(x), float(y)) for x, y in given["points"])
        except (TypeError, ValueError):
            problems.append(source.problem(f"{path}.points", "expected a list of [v_pu, q_pu] pairs"))
            return None
    try:
        return cls(**given)
    except SettingError as error:
        name = error.name.split(".")[0]
        problems.append(
            source.problem(f"{path}.{name}", f"{error.name} = {error.value!r} is outside {error.allowed}")
        )
        return None


def _lacks(kind: str, needs: Collection[Need]) -> str | None:
    """What a device of this kind has not, of what a function needs of a DER. Of no kind, nothing is said."""
    if kind not in DEVICES:
        return None
    can = DEVICES[kind].can
    if Need.STORAGE in needs and not can.store:
        return "storage"
    return "a power setpoint" if Need.TARGET in needs and not can.aim else None


def _ders_of(
    source: Source,
    path: str,
    row: Row | None,
    section: Mapping[str, object],
    site: SiteFile,
    problems: list[Problem],
) -> tuple[str, ...] | None:
    needs = frozenset() if row is None else row.needs
    able = {der.id for der in site.ders if not _lacks(der.kind, needs)}
    given = section.get("ders")
    if given is None:
        return tuple(der.id for der in site.ders if der.id in able)
    if not isinstance(given, list):
        problems.append(source.problem(f"{path}.ders", "expected a list of DER ids"))
        return None
    known = {der.id for der in site.ders}
    for name in given:
        if not isinstance(name, str) or (name not in known and named(known)):
            problems.append(source.problem(f"{path}.ders", f"no DER {name!r} in ders{similar(name, known)}"))
        elif name in known - able:
            lacks = next(_lacks(der.kind, needs) for der in site.ders if der.id == name)
            text = f"{section.get('kind')} needs {lacks}, which {name!r} has not"
            problems.append(source.problem(f"{path}.ders", text))
    missing = [der.id for der in site.ders if der.id not in given]
    if row is not None and row.every_der and missing:
        text = f"the agreement is the site's, and {', '.join(missing)} would not count: name every DER or leave ders"
        text += " out; one that must not be written has control: false"
        problems.append(source.problem(f"{path}.ders", text))
    return tuple(str(name) for name in given)


def _check_once(
    source: Source,
    path: str,
    row: Row,
    ids: tuple[str, ...],
    spoken: dict[tuple[str, str], str],
    problems: list[Problem],
) -> None:
    group = "reactive mode" if row.reactive else row.kind
    for der_id in ids:
        if (group, der_id) in spoken:
            problems.append(source.problem(path, f"{der_id!r} has a {group} already, in {spoken[group, der_id]}"))
        spoken.setdefault((group, der_id), path)
