"""No class is a house, no function a corridor: so many methods, fields and lines at most; exceptions have reasons."""

import ast
from collections.abc import Iterator
from pathlib import Path

import derctl

ROOT = Path(derctl.__file__).parent
MOST = {"methods": 12, "fields": 15, "lines": 40}
"""Lines of a function without its docstring."""

EXCEPTIONS = {
    ("cli.finding.FoundUse", "fields"): "a row: what a scan says of one use of a device",
    ("core.types.Reading", "fields"): "a row: what one poll of one device measured",
    ("core.types.DerState", "fields"): "a row: all that functions may know of one DER",
    ("daemon.app.App", "fields"): "wires, and nothing else: each part of the daemon once",
    ("daemon.channel.binding.Binding", "fields"): "one frozen state with its table; nothing of it changes alone",
    ("daemon.report.view.View", "fields"): "a row: all that status shows",
    ("devices.maps.line.Line", "fields"): "a row: the keys of a line of a map's YAML",
    ("devices.profile.Profile", "fields"): "a row: the keys of a profile's YAML",
    ("devices.types.Device", "methods"): "a protocol: each question that a driver answers, none of it code",
    ("site.schema.DerSection", "fields"): "a row of the site file: each field is a key that people write",
    ("functions.export_memory.Memory", "fields"): "a row: what one law remembers, recorded with each tick",
    ("functions.freq_droop.FreqDroop", "fields"): "a row: the settings that IEEE 1547 names, and its ranges",
    ("site.absence.DerAbsence", "fields"): "a row: one DER's part of what the site does without derctl",
}


def methods(node: ast.ClassDef) -> int:
    """Properties are methods, too."""
    return sum(isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) for each in node.body)


def fields(node: ast.ClassDef) -> int:
    """Those that are declared, and those that any method gives to itself."""
    declared = {
        each.target.id
        for each in node.body
        if isinstance(each, ast.AnnAssign)
        and isinstance(each.target, ast.Name)
        and "ClassVar" not in ast.unparse(each.annotation)
    }
    given = {
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute)
        and isinstance(each.ctx, ast.Store)
        and isinstance(each.value, ast.Name)
        and each.value.id == "self"
    }
    return len(declared | given)


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From its name to its end."""
    first = node.body[0]
    told = ast.get_docstring(node) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if told else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def sizes(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Name, what is counted, and how many."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name, "methods", methods(node)
            yield node.name, "fields", fields(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, "lines", lines(node)


def too_large(tree: ast.AST, room: str = "") -> dict[tuple[str, str], int]:
    """What is above its limit, by its whole name."""
    return {(f"{room}.{name}", what): count for name, what, count in sizes(tree) if count > MOST[what]}


def test_no_class_and_no_function_is_too_large_without_a_reason() -> None:
    found: dict[tuple[str, str], int] = {}
    for path in sorted(ROOT.rglob("*.py")):
        room = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found |= too_large(ast.parse(path.read_text(encoding="utf-8")), room)
    new = {name: count for name, count in found.items() if name not in EXCEPTIONS}
    assert not new, "find the noun that is missing (most: 12 methods, 15 fields, 40 lines)"
    assert not EXCEPTIONS.keys() - found.keys(), "no exception any more"


def test_the_law_counts_what_it_says() -> None:
    many = "\n".join(f"    async def m{n}(self):\n        self.f{n} = {n}" for n in range(13))
    declared = "\n".join(f"    d{n}: int = 0" for n in range(3))
    house = f"class House:\n    kind: ClassVar[str] = 'x'\n{declared}\n{many}\n"
    body = "\n".join("    pass" for _ in range(39))
    told = '    """One.\n\n    Two.\n    """'
    assert too_large(ast.parse(house)) == {(".House", "methods"): 13, (".House", "fields"): 16}
    assert too_large(ast.parse(f"def fits():\n{told}\n{body}\n")) == {}
    assert too_large(ast.parse(f"def long():\n{told}\n{body}\n    pass\n")) == {(".long", "lines"): 41}
