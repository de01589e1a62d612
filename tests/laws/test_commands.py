"""The table of commands in docs/interfaces.md is what the rows say."""

from __future__ import annotations

import shlex

import pytest

from derctl.cli import VERBS, parser_of
from derctl.daemon.commands.rows import COMMANDS
from tests.laws.test_workplace import ROOT
from tools.commands import page, row


def test_the_table_is_what_the_rows_say() -> None:
    written = (ROOT / "docs" / "interfaces.md").read_text(encoding="utf-8")
    assert written == page(written), "write it anew: python -m tools.commands"


def test_a_document_without_a_place_for_it_is_no_document() -> None:
    with pytest.raises(ValueError, match="no place"):
        page("# nothing")


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.verb])
def test_the_verb_of_a_row_is_one_and_takes_its_example(name: str) -> None:
    verb, *words = shlex.split(COMMANDS[name].verb)
    parser = parser_of(verb)
    parser.exit_on_error = False
    assert verb in VERBS and parser.parse_intermixed_args(words) is not None


def test_a_row_says_what_it_needs() -> None:
    assert "| `may_arm`, a clock |" in row("arm", COMMANDS["arm"])
    assert "| a clock (waits for it) |" in row("clear", COMMANDS["clear"])
    assert row("ping", COMMANDS["ping"]) == "| `ping` |  | `command ping` |  | a reply, nothing else |"
