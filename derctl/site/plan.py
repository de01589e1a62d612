"""The functions section: from settings to the plan that the engine runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from derctl.core.engine import Plan
from derctl.devices import CATALOGUE as DEVICES
from derctl.errors import Problem, SettingError
from derctl.functions import CATALOGUE, NEEDS_STORAGE, REACTIVE, SITE_CATALOGUE, Settings
from derctl.functions.operator import OperatorSiteLimit
from derctl.functions.settings import required, violation
from derctl.site.convert import named
from derctl.site.hints import nearest, number, similar
from derctl.site.lines import Source
from derctl.site.schema import SiteFile


def plan_of(source: Source, site: SiteFile, problems: list[Problem]) -> Plan:
    der_functions: list[Any] = []
    site_functions: list[Any] = []
    spoken: dict[tuple[str, str], str] = {}
    for i, section in enumerate(site.functions):
        path = f"functions[{i}]"
        function = _function(source, path, section, problems)
        ids = _ders_of(source, path, section, site, problems)
        if function is None or ids is None:
            continue
        _check_once(source, path, function.kind, ids, spoken, problems)
        (site_functions if function.kind in SITE_CATALOGUE else der_functions).append((function, ids))
        if function.kind in SITE_CATALOGUE and any(f.kind == function.kind for f, _ in site_functions[:-1]):
            problems.append(source.problem(path, f"{function.kind} speaks for the site: once only"))
        if function.kind in SITE_CATALOGUE and site.poc is None:
            problems.append(source.problem(path, f"{function.kind} needs a meter at the point of connection (poc)"))
    if any(function.kind == "operator_limit" for function, _ in der_functions):
        site_functions.append((OperatorSiteLimit(), tuple(der.id for der in site.ders)))
    return Plan(der_functions=tuple(der_functions), site_functions=tuple(site_functions))


def _function(source: Source, path: str, section: Mapping[str, object], problems: list[Problem]) -> Settings | None:
    kind = section.get("kind")
    cls = CATALOGUE.get(kind) if isinstance(kind, str) and kind != "operator_site_limit" else None
    if cls is None:
        known = ", ".join(name for name in CATALOGUE if name != "operator_site_limit")
        word = next((key for key in section if key in CATALOGUE), None)
        if kind is None:
            text = "kind is missing" if word is None else f"write {{kind: {word}}}"
            problems.append(source.problem(path, f"{text}; known are {known}"))
            return None
        near = similar(kind, known.split(", "))
        text = f"no function {kind!r}{near}; known are {known}"
        problems.append(source.problem(f"{path}.kind", text))
        return None
    settings = {item.name: item for item in fields(cls) if item.init}
    before = len(problems)
    given = {key: value for key, value in section.items() if key not in {"kind", "ders"}}
    for key, value in given.items():
        if key not in settings:
            near = similar(key, settings)
            text = f"unknown setting of {kind}{near}; known are {', '.join(settings) or 'none'}"
            problems.append(source.problem(f"{path}.{key}", text))
            continue
        wrong = violation(settings[key], value)
        if wrong is not None:
            problems.append(source.problem(f"{path}.{key}", _wrong(f"{path}.{key}", value, wrong)))
    meant = {nearest(key, settings) for key in given if key not in settings}
    missing = [name for name in required(cls) if name not in given and name not in meant]
    problems.extend(source.problem(path, f"{kind} needs {name}") for name in missing)
    if len(problems) > before:
        return None
    return _built(source, path, cls, given, problems)


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


def _ders_of(
    source: Source, path: str, section: Mapping[str, object], site: SiteFile, problems: list[Problem]
) -> tuple[str, ...] | None:
    kind = str(section.get("kind"))
    able = {d.id for d in site.ders if kind not in NEEDS_STORAGE or d.kind not in DEVICES or DEVICES[d.kind].storage}
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
            problems.append(source.problem(f"{path}.ders", f"{kind} needs storage, which {name!r} has not"))
    missing = [der.id for der in site.ders if der.id not in given]
    if kind == "contract_export_limit" and missing:
        text = f"the agreement is the site's, and {', '.join(missing)} would not count: name every DER or leave ders"
        text += " out; one that must not be written has control: false"
        problems.append(source.problem(f"{path}.ders", text))
    return tuple(str(name) for name in given)


def _check_once(
    source: Source,
    path: str,
    kind: str,
    ids: tuple[str, ...],
    spoken: dict[tuple[str, str], str],
    problems: list[Problem],
) -> None:
    group = "reactive mode" if kind in REACTIVE else kind
    for der_id in ids:
        if (group, der_id) in spoken:
            problems.append(source.problem(path, f"{der_id!r} has a {group} already, in {spoken[group, der_id]}"))
        spoken.setdefault((group, der_id), path)
