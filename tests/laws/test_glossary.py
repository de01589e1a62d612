"""Every code that derctl can say stands in docs/glossary.md, with its meaning."""

import ast
import enum
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from derctl.cli import exits
from derctl.commission.finding import Found
from derctl.core import types
from derctl.daemon.actuate.trouble import SAYS
from derctl.daemon.channel.binding import STATES
from derctl.daemon.commands.rows import COMMANDS
from derctl.devices import CATALOGUE as DEVICES
from derctl.functions import ROWS as FUNCTIONS

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
SAYING = {"CommandError", "event", "on_event", "tell", "Abstain"}
"""Calls whose first argument is a code or a word for people."""
PUT_TOGETHER = (
    {
        "comms_loss",
        "not_woken",
        "stands_by",
        "fallback_stands",
        "found_limit",
        "on_trial",
        "slow_rest",
        "slow_rise",
        "unmeasured",
        "fallback_breaks_contract",
        "rating_unknown",
    }
    | {f"device_{state}" for state in STATES.values()}
    | set(SAYS.values())
)
"""Codes that are no literal of such a call."""


def explained() -> set[str]:
    """Words of the first column of a table, where the second says something."""
    found: set[str] = set()
    for line in GLOSSARY.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) == 3 and all(cells):
            found |= set(re.findall(r"`([^`]+)`", cells[0]))
    return found


def literals(node: ast.expr) -> Iterator[str]:
    """A literal, or both sides of a choice between two."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)


def said(tree: ast.Module) -> Iterator[str]:
    """Codes that a module says, and the names by which something is bound that is no function."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if name in SAYING and node.args:
            yield from literals(node.args[0])
        for keyword in node.keywords:
            if keyword.arg == "by" and name in {"Bound", "Proposal", "confine"}:
                yield from literals(keyword.value)


def everything_said() -> set[str]:
    """By all of derctl."""
    files = (ROOT / "derctl").rglob("*.py")
    return {code for file in files for code in said(ast.parse(file.read_text(encoding="utf-8")))}


def words() -> set[str]:
    """Members of the enums of derctl.core.words, and of the noun's own."""
    homes: list[Any] = [types]
    if importlib.util.find_spec("derctl.core.words") is not None:
        homes.append(importlib.import_module("derctl.core.words"))
    enums = {
        thing
        for home in homes
        for thing in vars(home).values()
        if isinstance(thing, type) and issubclass(thing, enum.StrEnum) and thing is not enum.StrEnum
    }
    return {str(member) for kind in enums for member in kind}


def documented() -> set[str]:
    """Codes that docs/interfaces.md promises: reasons, refusals, device states."""
    text = (ROOT / "docs" / "interfaces.md").read_text(encoding="utf-8")
    parts = (
        text.partition("`achieved`: `yes`")[2].partition("```")[0],
        text.partition("`result` is `admitted`")[2].partition("Admitted says")[0],
        text.partition("`state` of a DER:")[2].partition("\n\n")[0],
    )
    return {word for part in parts for word in re.findall(r"`([a-z_]+)`", part)} - {"reason", "code"}


def test_every_code_that_is_said_is_explained() -> None:
    found = everything_said()
    assert {"out_of_range", "mode_observe", "not_released", "s_max_va"} <= found | words()
    assert not (found | PUT_TOGETHER) - explained()


def test_every_word_of_an_enum_is_explained() -> None:
    assert not words() - explained()


def test_every_code_that_the_interfaces_promise_is_explained() -> None:
    assert {"no_sun", "write_clipped", "clock_unsynced", "starting"} <= documented()
    assert not documented() - explained()


def test_every_finding_before_control_is_explained() -> None:
    assert {"unit_wrong", "meter_reversed"} <= {*Found}
    assert not {str(each) for each in Found} - explained()


def test_every_function_device_command_and_exit_code_is_explained() -> None:
    codes = {str(code) for code in exits.MEANINGS}
    assert not {*FUNCTIONS, *DEVICES, *COMMANDS, *codes} - explained()


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("raise CommandError('busy', 'x')", ["busy"]),
        ("self.on_event('a' if x else 'b', '', '')", ["a", "b"]),
        ("self.news.tell('a', '', '')", ["a"]),
        ("self.event(name, '', '')", []),
        ("Bound(by='rating', rank=0)", ["rating"]),
    ],
)
def test_the_law_sees_a_code(text: str, codes: list[str]) -> None:
    assert list(said(ast.parse(text))) == codes
