"""Writes the man pages from the verbs' parsers: derctl.1, and derctl-VERB.1 each. `python -m tools.man FOLDER`"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from derctl import __version__
from derctl.cli import VERBS, guide, parser_of
from derctl.cli.exits import MEANINGS

FILES = (
    ("/etc/derctl/site.yaml", "the site file"),
    ("/var/lib/derctl", "what the daemon remembers"),
    ("/run/derctl/derctl.sock", "the daemon's socket; who is in the group derctl may use it"),
)


def pages() -> dict[str, str]:
    """By file name."""
    return {"derctl.1": "\n".join(_whole())} | {f"derctl-{name}.1": "\n".join(_verb(name)) for name in VERBS}


def _head(name: str, text: str) -> Iterator[str]:
    yield f'.TH "{name.upper()}" "1" "" "derctl {__version__}" "derctl"'
    yield from (".SH NAME", f"{_plain(name)} \\- {_plain(text)}")


def _whole() -> Iterator[str]:
    yield from _head("derctl", "keeps sites of solar and batteries inside their grid limits")
    yield from (".SH SYNOPSIS", ".B derctl", r"[\-\-help] [\-\-version] VERB ...", ".SH DESCRIPTION")
    yield from (".nf", *_lines(guide.BEGIN), ".fi")
    for title, names in guide.grouped(VERBS).items():
        if names:
            yield f".SH {_plain(title).upper()}"
        for name in names:
            yield from (".TP", rf".BR derctl\-{_plain(name)} (1)", _plain(VERBS[name].help))
    yield from _exits(MEANINGS)
    yield ".SH FILES"
    for path, text in FILES:
        yield from (".TP", f".I {_plain(path)}", _plain(text))
    yield from (".SH SEE ALSO", ".BR systemctl (1),", ".BR journalctl (1)")


def _verb(name: str) -> Iterator[str]:
    parser = parser_of(name)
    yield from _head(f"derctl-{name}", VERBS[name].help)
    yield from (".SH SYNOPSIS", _plain(" ".join(parser.format_usage().removeprefix("usage: ").split())))
    yield from (".SH DESCRIPTION", _plain(VERBS[name].help) + ".", ".SH OPTIONS")
    for action in parser._actions:
        if action.help != argparse.SUPPRESS:
            yield from (".TP", _option(action), _plain((action.help or "").replace("%%", "%")) or "\\&")
    if examples := guide.EXAMPLES.get(name):
        yield ".SH EXAMPLES"
        for command, text in examples:
            yield from (".TP", f".B {_plain(command)}", _plain(text))
    yield from _exits(guide.codes_of(name))
    yield from (".SH SEE ALSO", ".BR derctl (1)")


def _option(action: argparse.Action) -> str:
    value = f" {action.metavar or action.dest.upper()}" if action.nargs != 0 else ""
    if not action.option_strings:
        return f".B {_plain(str(action.metavar or action.dest))}"
    return f".B {_plain(', '.join(f'{word}{value}' for word in action.option_strings))}"


def _exits(codes: Mapping[int, str]) -> Iterator[str]:
    yield ".SH EXIT STATUS"
    for code, text in codes.items():
        yield from (".TP", f".B {code}", _plain(text))


def _lines(text: str) -> Iterator[str]:
    yield from (_plain(line) or "\\&" for line in text.splitlines())


def _plain(text: str) -> str:
    """Nothing in it is an order to the formatter."""
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{safe}" if safe[:1] in {".", "'"} else safe


def main() -> int:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(f"{text}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
