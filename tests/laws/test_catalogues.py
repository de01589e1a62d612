"""A table is the only place that lists its kind of thing, so it must list every one that is there."""

import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import derctl.cli
import derctl.daemon.commands
import derctl.devices
import derctl.devices.maps
import derctl.devices.sunspec
import derctl.functions
from derctl.cli import VERBS
from derctl.core import requests
from derctl.core.requests import REQUESTS, Request
from derctl.daemon.commands.calls import CALLS
from derctl.daemon.commands.rows import COMMANDS
from derctl.devices import CATALOGUE as DEVICES
from derctl.devices.sunspec.own import OWN_FUNCTIONS
from derctl.functions import ROWS, Need, Scope, Settings, rows
from hil.actions import ACTIONS
from hil.faults import NAMES as FAULTS

INTERFACES = (Path(__file__).parents[2] / "docs" / "interfaces.md").read_text(encoding="utf-8")


def modules(package: ModuleType) -> dict[str, ModuleType]:
    """Every module of a package, by its last name."""
    return {
        info.name: import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)
    }


def test_every_function_has_its_row() -> None:
    there = {
        thing
        for module in modules(derctl.functions).values()
        for thing in vars(module).values()
        if inspect.isclass(thing) and issubclass(thing, Settings) and hasattr(thing, "step")
    }
    assert {row.function for row in ROWS.values()} == there


def test_no_two_functions_share_a_kind() -> None:
    text = (Path(rows.__file__)).read_text(encoding="utf-8")
    assert len(re.findall(r"\bRow\(\s*function=", text)) == len(ROWS)


def test_a_function_speaks_for_a_der_or_for_the_site() -> None:
    for row in ROWS.values():
        third = [*inspect.signature(row.function.step).parameters][2]  # type: ignore[attr-defined]
        assert third == {Scope.DER: "der", Scope.SITE: "ders"}[row.scope], row.kind


def test_what_only_a_site_s_or_only_a_der_s_function_can_be_is_asked_of_no_other() -> None:
    for row in ROWS.values():
        if row.scope is Scope.SITE:
            assert not row.reactive and not row.also_on_device and Need.STORAGE not in row.needs
        else:
            assert not row.every_der and not row.comes_with
        assert all(ROWS[each.kind].in_site_file for each in row.comes_with)


def test_what_devices_also_run_is_looked_for_in_them() -> None:
    """SunSpec's models 705, 706, 711 and 712 are these four; the plan tells the engine of them."""
    assert rows.plan_of((), ()).also_on_device == {"volt_var", "volt_watt", "freq_droop", "watt_var"}
    assert {row.kind for row in ROWS.values() if row.also_on_device} <= OWN_FUNCTIONS.keys()


def test_every_kind_of_request_is_in_the_table_under_its_own_name() -> None:
    family = [thing for thing in vars(requests).values() if inspect.isclass(thing) and issubclass(thing, Request)]
    there = {each for each in family if not any(each in other.__bases__ for other in family)}
    assert {*REQUESTS.values()} == there, "what several have in common is no kind"
    assert {kind: kind for kind in REQUESTS} == {
        kind: cls.__dataclass_fields__["kind"].default for kind, cls in REQUESTS.items()
    }
    assert all(vars(cls).get("called") for cls in REQUESTS.values()), "people call it something"
    assert REQUESTS.keys() <= COMMANDS.keys(), "a request is called like the command that brings it"


def test_a_command_that_the_socket_answers_otherwise_says_so() -> None:
    """`derctl command` would send it what only a command takes."""
    assert {name for name, row in COMMANDS.items() if row.apart} == COMMANDS.keys() & CALLS.keys() == {"release"}


def test_every_request_is_passed_on_by_a_function_that_may_be_in_the_site_file() -> None:
    """Or nobody would ever do what it asks for."""
    passed = {each for row in ROWS.values() if row.in_site_file for each in row.passes_on}
    assert passed == {each for each in REQUESTS.values() if not each.latched}, "the engine itself knows the stop"


def test_every_device_kind_is_in_the_catalogue() -> None:
    there = {
        thing
        for package in (derctl.devices, derctl.devices.maps, derctl.devices.sunspec)
        for module in modules(package).values()
        for name, thing in vars(module).items()
        if name.startswith("bind_") and inspect.isfunction(thing)
    }
    assert {getattr(kind.bind, "driver", kind.bind) for kind in DEVICES.values()} == there


def test_every_verb_is_in_the_table_and_every_row_has_its_file() -> None:
    there = {
        name for name, module in modules(derctl.cli).items() if hasattr(module, "add") and hasattr(module, "run")
    }
    assert {verb.module for verb in VERBS.values()} == there


def test_every_command_is_in_the_table() -> None:
    there = {
        thing
        for module in modules(derctl.daemon.commands).values()
        for thing in vars(module).values()
        if inspect.iscoroutinefunction(thing) and [*inspect.signature(thing).parameters] == ["reach", "order"]
    }
    assert {row.apply for row in COMMANDS.values()} == there


def test_the_documented_commands_are_the_table_s() -> None:
    section = INTERFACES.partition("### Commands")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == COMMANDS.keys()


def test_the_documented_verbs_are_the_table_s() -> None:
    section = INTERFACES.partition("## 5. The command line")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z]+)", section, re.MULTILINE)) == VERBS.keys()


def test_every_fault_and_action_of_the_bench_is_documented() -> None:
    readme = (Path(__file__).parents[2] / "hil" / "README.md").read_text(encoding="utf-8")
    assert not {name for name in {*FAULTS, *ACTIONS} if not re.search(rf"`{name}\b", readme)}


def test_the_documented_kinds_of_der_are_the_catalogue_s() -> None:
    section = INTERFACES.partition("## 2. What each kind of DER")[2].partition("\n## ")[0]
    ders = {key for key, kind in DEVICES.items() if kind.role == "der"}
    assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == ders
