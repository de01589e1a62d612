"""Every number that control uses stands in docs/sources.md with its value and source, and no source is private."""

import ast
import dataclasses
import enum
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import derctl
from derctl.cli.schema import schema
from derctl.devices import Profile
from derctl.functions import ROWS
from tests.laws.test_workplace import ROOT, tracked

SOURCES = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
NOT_CONTROL = {"cli", "commission", "sunspec", "__main__"}
"""What people type, and the codec, whose numbers are the specification's (docs/sources.md, section 10)."""
NUMBER = re.compile(r"-?(?:0x[0-9A-Fa-f]+|\d+(?:\.\d+)?(?:e-?\d+)?)")

# In pieces, so that this file keeps its own law. Private notes are named here as files and as marks.
NOTES = tuple(f"{name}{dot}md" for name in ("grid", "sunspec", "hil", "perf", "peers", "witness") for dot in "._")
MARKS = tuple(f"[{mark}]" for mark in "GU")
PRIVATE = re.compile("|".join([*map(re.escape, (*NOTES, *MARKS)), rf"\b{'DES' + 'IGN'}\b"]))


def private(text: str) -> list[str]:
    """Line and words of each private citation."""
    return [f"{text.count(chr(10), 0, hit.start()) + 1}: {hit.group()}" for hit in PRIVATE.finditer(text)]


def rows() -> Iterator[tuple[str, str, str]]:
    """Name, value and source of each row of docs/sources.md; a row may carry several names of one value."""
    for line in SOURCES.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) >= 3:
            for name in re.findall(r"`([^`]+)`", cells[0]):
                yield name, cells[1], cells[2]


def numbers(text: str) -> list[float]:
    """All numbers of a cell, in order."""
    return [float(int(word, 16)) if "0x" in word else float(word) for word in NUMBER.findall(text)]


def flat(value: Any) -> list[float] | None:
    """The numbers that a constant is made of; None where it is made of anything else."""
    if isinstance(value, bool | enum.Enum):
        return None
    if isinstance(value, int | float):
        return [float(value)]
    if isinstance(value, dict):
        return flat(tuple(value.values()))
    if isinstance(value, tuple | list | set | frozenset):
        parts = [flat(part) for part in (sorted(value) if isinstance(value, set | frozenset) else value)]
        return None if not parts or None in parts else [x for part in parts if part is not None for x in part]
    return None


def assigned(tree: ast.Module) -> Iterator[str]:
    """Names in capitals that a module gives a value to."""
    for node in tree.body:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        for target in targets:
            for name in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(name, ast.Name) and name.id.isupper():
                    yield name.id


def control_modules() -> Iterator[str]:
    """All modules of derctl but those of NOT_CONTROL, wherever they lie."""
    for found in pkgutil.walk_packages(derctl.__path__, "derctl."):
        if found.name.split(".")[1] not in NOT_CONTROL:
            yield found.name


def constants() -> dict[tuple[str, str], list[float]]:
    """(module, name) to the numbers that it is made of."""
    known: dict[tuple[str, str], list[float]] = {}
    for name in control_modules():
        module = importlib.import_module(name)
        for constant in assigned(ast.parse(inspect.getsource(module))):
            value = flat(getattr(module, constant))
            if value is not None:
                known[name, constant] = value
    return known


def settings() -> dict[str, list[float]]:
    """`kind.setting` to default (where there is one), lowest and highest value; and `kind.rank`."""
    known: dict[str, list[float]] = {}
    for kind, function in ((kind, row.function) for kind, row in ROWS.items()):
        known[f"{kind}.rank"] = [float(function.rank)]
        for item in dataclasses.fields(function):
            if "low" in item.metadata:
                default = [] if item.default in {dataclasses.MISSING, None} else [float(item.default)]
                known[f"{kind}.{item.name}"] = [*default, item.metadata["low"], item.metadata["high"]]
    return known


def habits() -> dict[str, list[float]]:
    """`Profile.field` to its default."""
    found = {f"Profile.{item.name}": flat(item.default) for item in dataclasses.fields(Profile)}
    return {name: value for name, value in found.items() if value is not None}


def options() -> set[str]:
    """Keys of the site file that are a number with a default or a range, functions' settings apart."""
    sections = msgspec.json.schema_components([_site_file()])[1]
    found: set[str] = set()
    for section in sections.values():
        for key, about in section.get("properties", {}).items():
            kinds = [about, *about.get("anyOf", [])]
            if any(kind.get("type") in {"integer", "number"} for kind in kinds):
                found.add(key)
    return found


def _site_file() -> Any:
    for place in ("derctl.site", "derctl.config"):
        try:
            return importlib.import_module(place).SiteFile
        except ModuleNotFoundError:
            continue
    raise LookupError("SiteFile")


def stands(name: str, value: list[float]) -> bool:
    """Whether a row has this name, these numbers first in its value, and a source."""
    return any(
        named == name and numbers(cell)[: len(value)] == pytest.approx(value) and source
        for named, cell, source in rows()
    )


def test_no_committed_file_cites_what_a_stranger_cannot_open() -> None:
    found = {
        str(path.relative_to(ROOT)): where
        for path in tracked()
        if path.is_file() and (where := private(path.read_bytes().decode("utf-8", "replace")))
    }
    assert not found


@pytest.mark.parametrize("word", [*NOTES, *MARKS, "DES" + "IGN"])
def test_the_law_sees_each_private_citation(word: str) -> None:
    assert private(f"one\n(see {word} a.1)") == [f"2: {word}"]


def test_every_constant_has_a_source() -> None:
    assert not {name: value for name, value in constants().items() if not stands(name[1], value)}


def test_every_setting_has_a_source() -> None:
    assert not {name: value for name, value in settings().items() if not stands(name, value)}


def test_every_default_of_a_profile_has_a_source() -> None:
    assert not {name: value for name, value in habits().items() if not stands(name, value)}


def test_every_number_of_the_site_file_has_a_source() -> None:
    documented = {name.rpartition(".")[2] for name, _, _ in rows()}
    assert not options() - documented


def test_the_law_sees_constants_in_tuples_maps_and_sets() -> None:
    tree = ast.parse("A_S, B_S = 1.0, 2.0\nC: dict[str, float] = {'x': 3.0}\nlow = 4\nD = 5")
    assert list(assigned(tree)) == ["A_S", "B_S", "C", "D"]
    assert flat({"a": (1, 2.0), "b": [3]}) == [1.0, 2.0, 3.0]
    assert flat(frozenset({0x0B, 4})) == [4.0, 11.0]
    assert flat(("a", 1)) is None
    assert flat(True) is None


def test_what_stands_in_sources_is_still_in_the_code() -> None:
    """A row about a number that is gone misleads; rows of section 9 and 10 describe what has no name."""
    code = {name for _, name in constants()} | settings().keys() | habits().keys()
    capitals = {name for name, _, _ in rows() if name.isupper() or name.partition(".")[0] in {*ROWS, "Profile"}}
    assert not capitals - code


def test_the_schema_says_something_of_every_setting_of_a_function() -> None:
    functions = schema()["$defs"]["SiteFile"]["properties"]["functions"]["items"]["oneOf"]
    silent = [
        f"{row['title']}.{key}"
        for row in functions
        for key, about in row["properties"].items()
        if key != "kind" and len(str(about.get("description", ""))) < 10
    ]
    assert not silent


def test_docs_are_found_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = list((ROOT / "docs").glob("*.md"))
    assert not [path.name for path in pages if f"docs/{path.name}" not in readme]
    assert "docs/decisions" in readme
    assert list((Path(ROOT) / "docs" / "decisions").glob("*.md"))
