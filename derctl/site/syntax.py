"""Text that isn't YAML: what a person has to change, and in which line."""

from __future__ import annotations

import re

import yaml

KEY = re.compile(r"^( *)((?:- +)*)([\w.-]+) *:(?: |$)")
"""A line that gives a key, after any dashes."""
DASH = re.compile(r"^( *)-(?: |$)")
QUOTES = {"'", '"'}
SPECIAL = "%@`*&!|>{}[]"
"""Characters that mean something to YAML where a value begins."""
SPOKEN = {"\t": "a tab", "\ufffe": "half a character"}


def explain(text: str, error: yaml.YAMLError) -> tuple[int, str]:
    """Line (from 1) and what is wrong there."""
    if isinstance(error, yaml.reader.ReaderError):
        return _character(text, error)
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return 1, f"not YAML: {error}"
    lines = text.splitlines()
    for ask in (_tab, _quote, _bracket, _value, _no_colon, _indented, _document):
        found = ask(error, lines, mark.line)
        if found is not None:
            return found
    return mark.line + 1, f"not YAML: {error.problem or error}"


def _character(text: str, error: yaml.reader.ReaderError) -> tuple[int, str]:
    position = int(error.position)
    code = error.character if isinstance(error.character, int) else ord(str(error.character)[:1] or "\0")
    return text.count("\n", 0, position) + 1, f"character 0x{code:02x} is no text: take it out"


def _tab(error: yaml.MarkedYAMLError, lines: list[str], at: int) -> tuple[int, str] | None:
    """Where a line begins with a tab, or with a blank from a web page."""
    for number in (at, *range(at)):
        line = _line(lines, number)
        begin = line[: len(line) - len(line.lstrip())].replace(" ", "")
        if begin.replace("\t", "") or (begin and number == at):
            said = "a tab" if begin[0] == "\t" else f"a blank that is no space (U+{ord(begin[0]):04X})"
            return number + 1, f"{said}: indent with spaces"
    return None


def _quote(error: yaml.MarkedYAMLError, lines: list[str], at: int) -> tuple[int, str] | None:
    """A quote that isn't closed, or that the next one, lines below, has closed by chance."""
    said = "this quote is never closed"
    if "quoted scalar" in str(error.context) and error.context_mark is not None:
        if "escape" in str(error.problem):
            return at + 1, "a backslash in double quotes: write it twice, or use single quotes"
        return error.context_mark.line + 1, said
    opened = _long_quote("\n".join(lines[: at + 1]))
    if opened is not None:
        return opened + 1, said
    if "<scalar>" in str(error.problem) and any(each in _line(lines, at) for each in QUOTES):
        return at + 1, "something stands behind a closing quote: quote the whole value"
    return None


def _long_quote(text: str) -> int | None:
    """The line of the last quoted value that goes on over several lines; no site file has one on purpose."""
    opened: int | None = None
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            long = isinstance(token, yaml.ScalarToken) and token.start_mark.line < token.end_mark.line
            if long and getattr(token, "style", None) in QUOTES:
                opened = token.start_mark.line
    except yaml.YAMLError as error:
        if "quoted scalar" in str(getattr(error, "context", "")) and getattr(error, "context_mark", None):
            opened = error.context_mark.line  # type: ignore[attr-defined]
    return opened


def _bracket(error: yaml.MarkedYAMLError, lines: list[str], at: int) -> tuple[int, str] | None:
    """{ and [: not closed, closed by the other one, or a comma missing between."""
    problem, opened = str(error.problem), error.context_mark
    if "found '}'" in problem or "found ']'" in problem:
        return at + 1, f"this {problem[-2]} closes nothing"
    if "parsing a flow" not in str(error.context) or opened is None:
        return None
    sign = "{" if "mapping" in str(error.context) else "["
    if opened.line != at or "<stream end>" in problem:
        return opened.line + 1, f"this {sign} is never closed"
    if "got '}'" in problem or "got ']'" in problem:
        return at + 1, f"{problem[-2]} closes {sign}"
    return at + 1, f"a comma is missing between two entries of {sign}"


def _value(error: yaml.MarkedYAMLError, lines: list[str], at: int) -> tuple[int, str] | None:
    """A value that begins with a character that means something to YAML, or that has ': ' in it."""
    problem = str(error.problem)
    first = _line(lines, at)[error.problem_mark.column : error.problem_mark.column + 1]  # type: ignore[union-attr]
    if "alias" in problem or "tag handle" in problem or "cannot start any token" in problem:
        return at + 1, f"a value that begins with {SPOKEN.get(first, first)} is written in quotes"
    if "alphabetic or numeric" in problem and error.context_mark is not None:
        sign = _line(lines, error.context_mark.line)[error.context_mark.column : error.context_mark.column + 1]
        return at + 1, f"a value that begins with {sign} is written in quotes"
    if "sequence entries are not allowed" in problem:
        return at + 1, "a list begins in a line of its own: each item as '- ' below its key"
    if "mapping values are not allowed" in problem and not _is_key(lines, at, error):
        return at + 1, "a second ': ' in one line: a text with ': ' in it is written in quotes"
    return None


def _is_key(lines: list[str], at: int, error: yaml.MarkedYAMLError) -> bool:
    """Whether the colon at which YAML stopped is that of the line's own key."""
    found = KEY.match(_line(lines, at))
    mark = error.problem_mark
    return (
        found is not None
        and mark is not None
        and _line(lines, at)[: mark.column].rstrip() == found[0][:-1].rstrip(": ")
    )


def _no_colon(error: yaml.MarkedYAMLError, lines: list[str], at: int) -> tuple[int, str] | None:
    """A line without `key: value`; YAML takes it for the begin of a text that goes on in the next line."""
    problem = str(error.problem)
    if "could not find expected ':'" in problem:
        at = at if error.context_mark is None else error.context_mark.line
    elif "mapping values are not allowed" in problem:
        at = _before(lines, at)
    else:
        return None
    line = re.sub(r"(^| )#.*", "", _line(lines, at)).strip().lstrip("- ").strip()
    if not line or KEY.match(line) or line[0] in SPECIAL:
        return None
    key, colon, value = line.partition(":")
    wanted = f"a space is missing after the colon: {key}: {value}" if colon else "write key: value, with a colon"
    return at + 1, wanted


def _indented(error: yaml.MarkedYAMLError, lines: list[str], at: int) -> tuple[int, str] | None:
    problem = str(error.problem)
    if "expected <block end>" not in problem and "mapping values are not allowed" not in problem:
        return None
    line = _line(lines, at)
    dash = DASH.match(line) is not None
    here = len(line) - len(line.lstrip(" "))
    for above in range(at - 1, -1, -1):
        neighbour = _column(lines[above], dash=dash)
        if neighbour is not None and neighbour != here:
            return at + 1, f"line {at + 1} is indented by {here}, its neighbours by {neighbour}"
        if neighbour == here:
            break
    return at + 1, "keys and items of a list ('-') are mixed here"


def _column(line: str, *, dash: bool) -> int | None:
    """Where a line's key begins, behind its dashes; or its dash. None where it has none."""
    if dash:
        found = DASH.match(line)
        return None if found is None else len(found[1])
    found = KEY.match(line)
    return None if found is None else len(found[1]) + len(found[2])


def _document(error: yaml.MarkedYAMLError, lines: list[str], at: int) -> tuple[int, str] | None:
    if "document" not in f"{error.context}{error.problem}":
        return None
    return at + 1, "a second document begins here (--- or ...): one file is one site"


def _before(lines: list[str], at: int) -> int:
    """The line above that says something."""
    for above in range(at - 1, -1, -1):
        if lines[above].strip() and not lines[above].lstrip().startswith("#"):
            return above
    return at


def _line(lines: list[str], at: int) -> str:
    return lines[at] if at < len(lines) else ""
