"""The nouns are frozen, slotted and keyword-only, and a number's name ends in its unit."""

import dataclasses
import inspect
import typing
from typing import Any

import pytest

from derctl.core import pack, requests, types
from derctl.functions import ROWS

UNITS = ("w", "var", "va", "v", "a", "pu", "hz", "s", "pct", "wh", "c")
UNITLESS = {"answer", "sample", "rank", "n", "value", "share", "part", "parts", "pf"}
"""Counters, a share, and Bound.value, whose unit is that of the field it names."""
RATIOS = {"efficiency", "gain", "k_of", "k_uf", "recover_samples", "pf", "phase_count"}
"""Settings that are a quotient of two of the same unit, or a count."""
POSITIONAL = {types.Abstain}

NOUNS = [
    noun
    for home in (types, requests, pack)
    for noun in vars(home).values()
    if inspect.isclass(noun) and noun.__module__ == home.__name__ and dataclasses.is_dataclass(noun)
]


def numbers(noun: type[Any]) -> list[str]:
    """Fields that hold a float or an int, alone, in a union or in a tuple."""

    def numeric(hint: Any) -> bool:
        return hint in {float, int} or any(numeric(part) for part in typing.get_args(hint))

    hints = typing.get_type_hints(noun)
    return [field.name for field in dataclasses.fields(noun) if numeric(hints[field.name])]


def nameless(noun: type[Any], known: set[str]) -> list[str]:
    """Number fields without a unit."""
    return [name for name in numbers(noun) if name not in known and name.rpartition("_")[2] not in UNITS]


def looseness(noun: type[Any]) -> list[str]:
    """What it lacks of frozen, slots and kw_only."""
    params = noun.__dataclass_params__
    keyword = all(field.kw_only for field in dataclasses.fields(noun)) or noun in POSITIONAL
    return [
        word
        for word, holds in (("frozen", params.frozen), ("slots", "__slots__" in vars(noun)), ("kw_only", keyword))
        if not holds
    ]


@pytest.mark.parametrize("noun", NOUNS)
def test_a_noun_is_frozen_slotted_and_keyword_only(noun: type[Any]) -> None:
    assert not looseness(noun)


@pytest.mark.parametrize("noun", NOUNS)
def test_a_number_of_a_noun_names_its_unit(noun: type[Any]) -> None:
    assert not nameless(noun, UNITLESS)


@pytest.mark.parametrize("kind", ROWS)
def test_a_number_in_the_site_file_names_its_unit(kind: str) -> None:
    settings: Any = ROWS[kind].function
    points = {"points"}  # pairs of (v_pu, q_pu)
    assert not nameless(settings, RATIOS | points | {n for n in numbers(settings) if n.startswith("_")})


def test_the_nouns_are_found() -> None:
    names = {noun.__name__ for noun in NOUNS}
    assert {
        "Rating",
        "Reading",
        "Setpoint",
        "DerState",
        "SiteState",
        "Proposal",
        "Decision",
        "Outcome",
        "Tick",
    } <= names


def test_the_law_sees_a_loose_noun_and_a_number_without_a_unit() -> None:
    @dataclasses.dataclass
    class Loose:
        power: float
        p_kw: float | None
        v_phase: tuple[float | None, ...]
        p_w: float
        name: str

    assert looseness(Loose) == ["frozen", "slots", "kw_only"]
    assert nameless(Loose, UNITLESS) == ["power", "p_kw", "v_phase"]
