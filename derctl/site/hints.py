"""What to write instead of a value that is none."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from derctl.site.scalars import Unclear

UNITS = {
    "_w": ("watts", "7000", "w wp"),
    "_va": ("volt-amperes", "7000", "va"),
    "_var": ("var", "2000", "var"),
    "_s": ("seconds", "60", "s sec min m h"),
    "_v": ("volts", "230", "v"),
    "_hz": ("hertz", "50", "hz"),
    "_pct": ("percent", "20", "%"),
    "_pu": ("per unit", "1.05", ""),
}
"""By the end of a key: its unit, an example, and how people write the unit."""
SCALE = {"k": 1e3, "m": 1e6}
SECONDS = {"min": 60.0, "m": 60.0, "h": 3600.0}
WITH_UNIT = re.compile(
    r"([-+]?[0-9][0-9.,]*) *(?:(k|M)(?=W|VA|var|V))?(Wp|W|VA|var|V|Hz|%|sec|s|min|m|h)", re.IGNORECASE
)
COMMA = re.compile(r"([-+]?[0-9]{1,3}(?:\.[0-9]{3})*|[-+]?[0-9]+),([0-9]+)")
GROUPS = re.compile(r"[-+]?[0-9]{1,3}(?:(?:[ '_][0-9]{3})+(?:\.[0-9]+)?|(?:\.[0-9]{3}){2,})")


def number(name: str, value: object) -> str:
    """For a value that should have been a number."""
    wanted = _wanted(name)
    if value is None:
        return f"has no value: write {wanted}"
    if isinstance(value, bool):
        return f"{str(value).lower()} is no number: write {wanted}"
    if isinstance(value, str):
        found = _meant(name, value.strip())
        return f"{_short(value)}: write {found or wanted}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is no number of anything: write {wanted}"
    return f"write {wanted}"


def whole(name: str, value: object, low: float, high: float) -> str:
    """For a value that should have been a whole number."""
    wanted = f"a whole number from {low:g} to {high:g}"
    if value is None:
        return f"has no value: write {wanted}"
    found = _meant(name, value.strip()) if isinstance(value, str) else None
    return f"{_short(value)}: write {found or wanted}"


def number_or_text(value: object, low: float, high: float) -> str:
    """For a value that should have been a whole number or a text."""
    wanted = f"a whole number from {low:g} to {high:g}, or a text"
    if value is None:
        return f"has no value: write {wanted}"
    digits = isinstance(value, int) and not isinstance(value, bool)
    quoted = f"; a number that is meant as text is written in quotes, '{value}'" if digits else " in quotes"
    return f"{_short(value)}: write {wanted}{quoted}"


def split_number(before: str, behind: str) -> str:
    """A number with a decimal comma, which YAML takes for the end of an entry."""
    return f"{before},{behind}: {_comma(before, behind)}"


def text(value: object, spelled: str | None) -> str:
    """For a value that should have been text."""
    if value is None:
        return "has no value: write a text, or leave the key out"
    if isinstance(value, list | dict):
        return f"expected a text, this is a {'list' if isinstance(value, list) else 'mapping'}"
    said = str(value) if spelled is None else spelled
    return f"{_short(said)} is no text for YAML: write it in quotes, '{said[:40]}'"


def identifier(value: str) -> str:
    """For an id with other characters."""
    slug = re.sub(r"[^a-z0-9_-]+", "_", value.lower()).strip("_-")[:63]
    return f"{_short(value)}: lower-case letters, digits, _ and -" + (f", e.g. {slug}" if slug else "")


def principal(value: str) -> str:
    """For a principal with other characters."""
    return f"{_short(value)}: 1 to 64 letters without accents, digits, . _ @ and -, the first a letter or digit"


def similar(word: object, known: Iterable[str]) -> str:
    """` (did you mean x?)`, where one of them is near; else nothing."""
    near = nearest(word, known)
    return "" if near is None else f" (did you mean {near}?)"


def nearest(word: object, known: Iterable[str]) -> str | None:
    """What was probably meant."""
    if not isinstance(word, str):
        return None
    from difflib import get_close_matches

    by_lower = {each.lower(): each for each in known}
    near = get_close_matches(word.lower().replace("-", "_"), by_lower, n=1, cutoff=0.65)
    return by_lower[near[0]] if near else None


def _wanted(name: str) -> str:
    unit = _unit(name)
    return "a number" if unit is None else f"a number of {unit[0]}, e.g. {unit[1]}"


def _unit(name: str) -> tuple[str, str, str] | None:
    return next((each for end, each in UNITS.items() if name.endswith(end)), None)


def _meant(name: str, value: str) -> str | None:
    """What was meant by a text that should be a number, where that can be told."""
    if match := COMMA.fullmatch(value):
        return _comma(match[1].replace(".", ""), match[2]).removeprefix("write ")
    if GROUPS.fullmatch(value):
        return re.sub("[ '_]" if value.count(".") < 2 else "[.]", "", value)
    if match := WITH_UNIT.fullmatch(value):
        return _without_unit(name, match)
    if isinstance(value, Unclear) or re.fullmatch(r"[-+]?0[0-9]+", value):
        digits = value.lstrip("+-0_").replace("_", "")
        return f"{digits or '0'}, without a zero before it" if digits.isdecimal() or not digits else None
    try:
        float(value)
    except ValueError:
        return None
    return f"{value} without quotes" if "_" not in value else None


def _without_unit(name: str, match: re.Match[str]) -> str | None:
    unit, written = _unit(name), match[3].lower()
    if unit is None or written not in unit[2].split():
        return None
    try:
        scaled = float(match[1].replace(",", ".")) * SCALE.get((match[2] or "").lower(), 1.0)
    except ValueError:
        return None
    return f"a number of {unit[0]}, e.g. {scaled * SECONDS.get(written, 1.0):.10g}"


def _comma(before: str, behind: str) -> str:
    if len(behind) == 3:
        return f"write {before}{behind}; a comma stands in no number, a decimal point would be {before}.{behind}"
    return f"write a decimal point, {before}.{behind}"


def _short(value: object) -> str:
    said = repr(value) if not isinstance(value, str) else repr(str(value))
    return said if len(said) <= 44 else f"{said[:40]}…"
