"""`derctl schema` and the loader agree: what one takes the other takes, what one refuses the other refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from derctl.cli.schema import schema
from derctl.errors import Problem
from derctl.functions import ROWS

ROOT = Path(__file__).resolve().parents[3]
PAGES = ["docs", "house.yaml", "mixed.yaml"]


@pytest.fixture(scope="session")
def validator() -> Any:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


@pytest.fixture
def example(document: dict[str, Any]) -> Any:
    [(_, text)] = document["yaml"]
    return yaml.safe_load(text)


@pytest.mark.parametrize("page", PAGES)
def test_the_schema_takes_every_example(validator: Any, document: dict[str, Any], page: Any) -> None:
    text = document["yaml"][0][1] if page == "docs" else (ROOT / "config" / page).read_text(encoding="utf-8")
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []


MISTAKES = [
    (("version",), 2),
    (("colour",), "red"),
    (("site", "id"), "A House"),
    (("site", "f_nom_hz"), 55),
    (("site", "mode"), "auto"),
    (("site", "tick_s"), 0.01),
    (("site", "colour"), "red"),
    (("buses", 0, "id"), None),
    (("buses", 0, "tcp", "port"), 70000),
    (("buses", 0, "tcp", "prot"), 502),
    (("ders", 0, "unit"), 256),
    (("ders", 0, "unit"), "1"),
    (("ders", 0, "kind"), "sunspec_wind"),
    (("ders", 0, "kind"), "sunspec_meter"),
    (("ders", 0, "control"), "no"),
    (("ders", 0, "own_functions"), "on"),
    (("ders", 0, "rating", "p_max_w"), 0),
    (("ders", 0, "fallback", "by"), "magic"),
    (("ders", 0, "fallback", "p_ceiling_w"), -1),
    (("ders", 0, "fallback", "after_s"), 1),
    (("poc", "sign"), 0),
    (("poc", "sign"), "+1"),
    (("mqtt", "port"), 0),
    (("mqtt", "prefix"), "a/#"),
    (("mqtt", "principals", 0, "name"), "a/b"),
    (("mqtt", "principals", 0, "may_arm"), "yes"),
    (("mqtt", "principals"), ["ops"]),
    (("functions", 0, "kind"), "volt_vat"),
    (("functions", 0, "limit_w"), -5),
    (("functions", 0, "limit_w"), "7 kW"),
    (("functions", 2, "category"), "C"),
    (("functions", 2, "slope"), 3),
    (("functions", 5, "min_pct"), 101),
    (("functions",), {}),
]


@pytest.mark.parametrize(("path", "value"), MISTAKES, ids=[".".join(map(str, path)) for path, _ in MISTAKES])
def test_the_schema_and_the_loader_refuse_the_same_mistake(
    validator: Any,
    example: Any,
    secrets: Callable[[str], str],
    problems_of: Callable[[str], tuple[Problem, ...]],
    path: Any,
    value: Any,
) -> None:
    wrong = copy.deepcopy(example)
    inner = wrong
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert [*validator.iter_errors(wrong)]
    assert problems_of(secrets(yaml.safe_dump(wrong)))


NEEDED = [("version",), ("site",), ("buses",), ("ders",), ("site", "id"), ("site", "v_nom_v"), ("buses", 0, "tcp"),
          ("ders", 0, "unit"), ("poc", "sign"), ("functions", 0, "limit_w"), ("functions", 0, "kind")]  # fmt: skip


@pytest.mark.parametrize("path", NEEDED, ids=[".".join(map(str, path)) for path in NEEDED])
def test_the_schema_and_the_loader_miss_the_same_thing(
    validator: Any,
    example: Any,
    secrets: Callable[[str], str],
    problems_of: Callable[[str], tuple[Problem, ...]],
    path: Any,
) -> None:
    wrong = copy.deepcopy(example)
    inner = wrong
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    assert [*validator.iter_errors(wrong)]
    assert problems_of(secrets(yaml.safe_dump(wrong)))


def test_every_function_is_in_the_schema_with_range_default_and_source() -> None:
    rows = {row["title"]: row for row in schema()["$defs"]["SiteFile"]["properties"]["functions"]["items"]["oneOf"]}
    assert {*rows} == {*ROWS} - {"operator_site_limit", "containment", "probe", "grid_target"}
    for kind, row in rows.items():
        assert row["description"], kind
        for name, setting in row["properties"].items():
            if name in {"kind", "ders"}:
                continue
            assert setting["description"], (kind, name)
            if setting.get("type") == "number":
                assert setting["minimum"] < setting["maximum"], (kind, name)
                assert "default" not in setting or setting["minimum"] <= setting["default"] <= setting["maximum"]
