"""A module that is deferred is read when something of it is asked for."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from derctl.links.deferred import deferred


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with a module that notes that it was read."""
    name = "house_of_test_deferred"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "room.py").write_text("READ = []\ndef door():\n    READ.append(1)\n    return READ\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    for each in (name, f"{name}.room"):
        sys.modules.pop(each, None)


def real(module: ModuleType) -> bool:
    return "READ" in vars(module)


def test_an_import_does_not_read_it_and_a_use_does(house: str) -> None:
    deferred(f"{house}.room")
    package: ModuleType = importlib.import_module(house)
    room = importlib.import_module(f"{house}.room")
    assert package.room is room and not real(room)
    assert package.room.door() == [1], "who imported it first"
    assert importlib.import_module(f"{house}.room").door() == [1, 1], "who imports it later: the same one"
    assert room.READ is sys.modules[f"{house}.room"].READ and package.room is sys.modules[f"{house}.room"]


def test_what_it_has_not_is_not_there(house: str) -> None:
    deferred(f"{house}.room")
    room = importlib.import_module(f"{house}.room")
    with pytest.raises(AttributeError):
        _ = room.window
    assert real(room)


def test_who_looks_through_all_modules_reads_none(house: str) -> None:
    """`inspect.getmodule` asks each for its file."""
    deferred(house)
    assert not hasattr(sys.modules[house], "__file__") and type(sys.modules[house]).__name__ == "Deferred"
    assert hasattr(sys.modules[house], "__path__"), "a package is known as one"


def test_what_is_not_installed_and_what_is_read_already_stays(house: str) -> None:
    read = importlib.import_module(f"{house}.room")
    deferred(f"{house}.room", "nothing_of_that_name")
    assert sys.modules[f"{house}.room"] is read and "nothing_of_that_name" not in sys.modules
