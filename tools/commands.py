"""The table of commands in docs/interfaces.md, from their rows: `python -m tools.commands` writes it anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import FieldInfo, fields

from derctl.daemon.commands.row import Command
from derctl.daemon.commands.rows import COMMANDS

PAGE = Path(__file__).parents[1] / "docs" / "interfaces.md"
BEGIN = "<!-- from the table of commands, by python -m tools.commands -->\n"
END = "<!-- up to here -->\n"
HEAD = """\
| name | arguments | `derctl` | needs | meaning |
|---|---|---|---|---|
"""


def table() -> str:
    """All rows, each on its line."""
    return HEAD + "".join(f"{row(name, command)}\n" for name, command in COMMANDS.items())


def row(name: str, command: Command) -> str:
    """One command. needs: what it is not taken without."""
    verb = f"`{command.verb}`" if command.verb else f"`command {name}`"
    arguments = ", ".join(_arguments(command.args))
    return f"| `{name}` | {arguments} | {verb} | {', '.join(_needs(command))} | {command.says} |"


def _arguments(args: type[msgspec.Struct]) -> Iterator[str]:
    known = fields(args)
    yield from (f"`{each.name}`" for each in known if each.required)
    yield from (f"{_optional(each)} `{each.name}`" for each in known if not each.required)


def _optional(field: FieldInfo) -> str:
    return "optional" if field.default in {None, False} else f"(default {json.dumps(field.default)})"


def _needs(command: Command) -> Iterator[str]:
    if command.arms:
        yield "`may_arm`"
    if command.relaxing:
        yield "a clock (waits for it)" if command.waits else "a clock"


def page(text: str) -> str:
    """The document with the table as it is now. Raises ValueError: it has no place for it."""
    head, _, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        raise ValueError("no place for the table of commands")
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


def main() -> None:
    """Write it."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
