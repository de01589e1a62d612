"""A table is the only place that lists its kind of thing, so it must list every one that is there."""

import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import derctl.cli
import derctl.devices.sunspec
import derctl.functions
from derctl.cli import VERBS
from derctl.daemon.commands import desk as commands
from derctl.daemon.commands.desk import COMMANDS
from derctl.devices import CATALOGUE as DEVICES
from derctl.functions import CATALOGUE as FUNCTIONS
from derctl.functions import DER_CATALOGUE, NEEDS_STORAGE, REACTIVE, SITE_CATALOGUE, Settings

INTERFACES = (Path(__file__).parents[2] / "docs" / "interfaces.md").read_text(encoding="utf-8")


def modules(package: ModuleType) -> dict[str, ModuleType]:
    """Every module of a package, by its last name."""
    return {
        info.name: import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)
    }


def test_every_function_is_in_the_catalogue() -> None:
    there = {
        thing
        for module in modules(derctl.functions).values()
        for thing in vars(module).values()
        if inspect.isclass(thing) and issubclass(thing, Settings) and hasattr(thing, "step")
    }
    assert set(FUNCTIONS.values()) == there


def test_a_function_s_kind_is_its_key_in_the_catalogue() -> None:
    assert {key: key for key in FUNCTIONS} == {key: function.kind for key, function in FUNCTIONS.items()}


def test_a_function_speaks_for_a_der_or_for_the_site() -> None:
    assert not DER_CATALOGUE.keys() & SITE_CATALOGUE.keys()
    assert DER_CATALOGUE.keys() | SITE_CATALOGUE.keys() == FUNCTIONS.keys()
    assert FUNCTIONS.keys() >= NEEDS_STORAGE | REACTIVE


def test_every_device_kind_is_in_the_catalogue() -> None:
    there = {
        thing
        for module in modules(derctl.devices.sunspec).values()
        for name, thing in vars(module).items()
        if name.startswith("bind_") and inspect.isfunction(thing)
    }
    assert {kind.bind for kind in DEVICES.values()} == there


def test_every_verb_is_in_the_table_and_every_row_has_its_file() -> None:
    there = {
        name for name, module in modules(derctl.cli).items() if hasattr(module, "add") and hasattr(module, "run")
    }
    assert {verb.module for verb in VERBS.values()} == there


def test_every_command_is_in_the_table() -> None:
    there = {
        thing
        for thing in vars(commands).values()
        if inspect.iscoroutinefunction(thing) and [*inspect.signature(thing).parameters] == ["site", "order"]
    }
    assert {row.apply for row in COMMANDS.values()} == there


def test_the_documented_commands_are_the_table_s() -> None:
    section = INTERFACES.partition("### Commands")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == COMMANDS.keys()


def test_the_documented_kinds_of_der_are_the_catalogue_s() -> None:
    section = INTERFACES.partition("## 2. What each kind of DER")[2].partition("\n## ")[0]
    ders = {key for key, kind in DEVICES.items() if kind.role == "der"}
    assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == ders
