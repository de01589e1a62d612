"""The compiled tables against the sizes the DEFINITIONS state and the JSON's own words."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from derctl.errors import DecodeError
from derctl.sunspec import compile_model
from tests.judge import DEFINITIONS, MODELS

# id: L of the fixed part, points in it with ID and L, writable ones
SIZES = {
    1: (66, 9, 1),
    103: (50, 45, 0),
    113: (60, 33, 0),
    121: (30, 32, 20),
    123: (24, 26, 21),
    124: (24, 26, 12),
    126: (10, 12, 5),
    160: (8, 9, 0),
    203: (105, 74, 0),
    213: (124, 64, 0),
    701: (153, 72, 0),
    702: (50, 51, 19),
    703: (17, 13, 8),
    705: (13, 13, 4),
    711: (12, 12, 4),
    714: (18, 13, 0),
    802: (62, 58, 6),
    803: (26, 28, 0),
    805: (42, 28, 0),
}


@pytest.mark.parametrize("number", SIZES)
def test_the_fixed_part_has_the_size_of_the_specification(number: Any) -> None:
    model = MODELS[number]
    assert (model.length, len(model.points), sum(p.writable for p in model.points.values())) == SIZES[number]


def test_704_counts_its_single_groups_as_fixed() -> None:
    assert (MODELS[704].length, len(MODELS[704].fixed)) == (65, 53)
    assert MODELS[704].fixed["PFWInj.PF"].offset == 59
    assert MODELS[704].fixed["PFWAbsRvrt.Ext"].offset == 66
    assert [group.sync for group in MODELS[704].groups] == [True] * 4


def test_every_definition_compiles_with_every_point(model_id: int) -> None:
    model, definition = MODELS[model_id], DEFINITIONS[model_id]
    assert model.id == definition["id"]
    assert [(p.name, p.type.name, p.size) for p in model.points.values()] == [
        (p["name"], p["type"], p["size"]) for p in definition["group"]["points"]
    ]
    assert [g.name for g in model.groups] == [g["name"] for g in definition["group"].get("groups", ())]


@pytest.mark.parametrize(
    ("number", "group", "count", "size", "nested"),
    [
        (126, "curve", 0, 54, 0),
        (134, "curve", 0, 58, 0),
        (160, "module", 0, 20, 0),
        (705, "Crv", "NCrv", 10, 2),
        (706, "Crv", "NCrv", 5, 2),
        (711, "Ctl", "NCtl", 10, 0),
        (714, "Prt", "NPrt", 25, 0),
        (803, "string", "NStr", 32, 0),
        (804, "lithium_ion_string_module", "NMod", 16, 0),
    ],
)
def test_groups_have_the_size_and_the_count_of_the_specification(
    number: int, group: str, count: int | str, size: int, nested: int
) -> None:
    (found,) = MODELS[number].groups
    assert (found.name, found.count, found.size) == (group, count, size)
    assert sum(child.size for child in found.groups) == nested


def test_a_point_knows_its_place_scale_unit_access_and_symbols() -> None:
    limit = MODELS[123].points["WMaxLimPct"]
    assert (limit.offset, limit.sf, limit.units, limit.writable, limit.mandatory) == (
        5,
        "WMaxLimPct_SF",
        "% WMax",
        True,
        True,
    )
    assert MODELS[704].points["WMaxLimPct_SF"].static
    assert MODELS[307].points["TmpAmb"].sf == -1
    assert MODELS[103].points["A"].label == "Amps"


def test_symbols_name_an_enum_and_the_bits_of_a_bitfield() -> None:
    assert MODELS[103].points["St"].names(4) == ("MPPT",)
    assert MODELS[103].points["St"].names(77) == ()
    assert MODELS[701].points["DERMode"].names(0b101) == ("GRID_FOLLOWING", "PV_CLIPPED")


def test_a_table_cannot_be_changed() -> None:
    model: Any = MODELS[103]
    with pytest.raises(FrozenInstanceError):
        model.id = 101
    with pytest.raises(TypeError):
        model.points["A"] = model.points["W"]


def test_a_group_may_bring_its_own_scale_factor() -> None:
    head = [{"name": "ID", "type": "uint16", "size": 1}, {"name": "L", "type": "uint16", "size": 1}]
    own = [{"name": "X", "type": "int16", "size": 1, "sf": "X_SF"}, {"name": "X_SF", "type": "sunssf", "size": 1}]
    model = compile_model(
        {"id": 65000, "group": {"name": "m", "points": head, "groups": [{"name": "g", "points": own}]}}
    )
    assert model.fixed["g.X"].sf == "g.X_SF"
    assert model.fixed["g.X_SF"].offset == 3


def broken(definition: Any, change: Any) -> Any:
    definition = copy.deepcopy(definition)
    change(definition["group"])
    return definition


BREAKS = {
    "no points": lambda group: group.pop("points"),
    "an unknown type": lambda group: group["points"][2].update(type="uint17"),
    "a wrong size": lambda group: group["points"][2].update(size=3),
    "a text without a size": lambda group: group["points"][2].update(type="string", size=0),
    "no ID": lambda group: group["points"].pop(0),
    "one point": lambda group: group.update(points=group["points"][:1], groups=[]),
    "a point twice": lambda group: group["points"].append(group["points"][2]),
    "no such scale factor": lambda group: group["points"][4].update(sf="Nowhere_SF"),
    "a scale factor that is none": lambda group: group["points"][4].update(sf="NPt"),
    "no such count": lambda group: group["groups"][0].update(count="Nowhere"),
    "a nested scale factor that isn't there": lambda group: group["groups"][0]["points"][3].update(sf="Nowhere_SF"),
    "points that are none": lambda group: group.update(points=[None]),
}


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS.keys())
def test_a_broken_definition_is_refused(change: Any) -> None:
    with pytest.raises(DecodeError, match="705"):
        compile_model(broken(DEFINITIONS[705], change))


@pytest.mark.parametrize("definition", [{}, {"id": 3}, None, {"id": "x", "group": {}}])
def test_what_is_no_definition_at_all_is_refused(definition: Any) -> None:
    with pytest.raises(DecodeError):
        compile_model(definition)
