"""Each package that is imported is declared in pyproject.toml, for the room that imports it."""

import ast
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ROOMS = {
    "derctl": ["fast"],
    "hil": ["hil"],
    "tests": ["dev", "fast", "hil", "signed"],
    "bench": ["dev", "fast", "hil"],
}
"""Room to the extras that it is installed with."""
OWN = {"derctl", "hil", "bench", "tests", "tools", "witness"}
DISTRIBUTIONS = packages_distributions()


def declared(extras: Iterable[str]) -> set[str]:
    """Distributions of the dependencies and of these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [
        *project["dependencies"],
        *(text for extra in extras for text in project["optional-dependencies"][extra]),
    ]
    return {str(canonicalize_name(Requirement(text).name)) for text in texts} - OWN


def imported(source: str) -> set[str]:
    """Top-level names, wherever in the file they are imported, without ours and the standard library's."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found - OWN - sys.stdlib_module_names


def undeclared(names: Iterable[str], allowed: set[str]) -> set[str]:
    """Names of which no declared distribution is known to be the owner."""
    return {
        name for name in names if not allowed & {canonicalize_name(owner) for owner in DISTRIBUTIONS.get(name, [])}
    }


def sources(room: str) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in (ROOT / room).rglob("*.py")]


@pytest.mark.parametrize("room", ROOMS)
def test_each_imported_package_is_declared_for_its_room(room: str) -> None:
    names = {name for source in sources(room) for name in imported(source)}
    assert names
    assert not undeclared(names - {room}, declared(ROOMS[room]))


def test_nothing_is_declared_for_the_wheel_that_it_does_not_import() -> None:
    names = {name for room in ("derctl", "hil") for source in sources(room) for name in imported(source)}
    owners = {canonicalize_name(owner) for name in names for owner in DISTRIBUTIONS.get(name, [])}
    assert not declared(["fast", "hil"]) - owners


@pytest.mark.parametrize(
    "source",
    [
        "import paho",
        "from paho.mqtt.client import Client",
        "def f():\n    import paho.mqtt",
        "try:\n    import not_there\nexcept ImportError:\n    pass",
    ],
)
def test_the_law_sees_what_came_only_with_another_package(source: str) -> None:
    assert undeclared(imported(source), declared(["fast"]) - {"paho-mqtt"})


def test_the_law_lets_in_what_is_declared_under_another_name() -> None:
    assert not undeclared(imported("import yaml, sunspec2.mb\nfrom . import x\nimport os"), declared([]))
