"""Profiles that ship with derctl, and those that a site file names."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, get_type_hints

import msgspec

from derctl.devices import Profile
from derctl.errors import ConfigError, Problem
from derctl.site.convert import problem_of
from derctl.site.hints import similar
from derctl.site.lines import Source, parse
from derctl.site.schema import SiteFile


def used_profiles(source: Source, site: SiteFile, problems: list[Problem]) -> dict[str, Profile]:
    used = {f"ders[{i}].profile": der.profile for i, der in enumerate(site.ders)}
    used |= {f"ders[{i}].bms.profile": der.bms.profile for i, der in enumerate(site.ders) if der.bms is not None}
    if site.poc is not None:
        used["poc.profile"] = site.poc.profile
    known = profiles()
    for path, name in used.items():
        if name not in known:
            problems.append(
                source.problem(
                    path, f"no profile {name!r}{similar(name, known)}; known are {', '.join(sorted(known))}"
                )
            )
    return {name: known[name] for name in used.values() if name in known}


def profiles() -> dict[str, Profile]:
    """Every profile that ships with derctl."""
    folder = files("derctl").joinpath("devices", "profiles")
    found = (profile(parse(entry.read_text(encoding="utf-8"), entry.name)) for entry in folder.iterdir())
    return {each.name: each for each in found}


def profile(source: Source) -> Profile:
    """One profile file. Raises ConfigError for an unknown key or a value of another type."""
    problems = list(source.problems)
    kinds = get_type_hints(Profile)
    values: dict[str, Any] = {}
    given = source.value if isinstance(source.value, dict) else {}
    if given is not source.value:
        problems.append(source.problem("", f"expected a mapping of {', '.join(kinds)}"))
    for key, value in given.items():
        if key not in kinds:
            problems.append(source.problem(key, f"unknown key; known are {', '.join(kinds)}"))
        elif (wrong := problem_of(source, value, kinds[key], key)) is not None:
            problems.append(source.problem(key, wrong))
        else:
            values[key] = msgspec.convert(value, kinds[key], strict=True)
    if problems:
        raise ConfigError(problems)
    return Profile(**values)
