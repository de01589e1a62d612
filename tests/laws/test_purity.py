"""The pure packages import what is listed here, and touch nothing outside: no file, clock, chance, log or await."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STANDARD = {
    "__future__",
    "bisect",
    "cmath",
    "collections",
    "collections.abc",
    "dataclasses",
    "enum",
    "functools",
    "itertools",
    "math",
    "operator",
    "reprlib",
    "struct",
    "types",
    "typing",
}
ALLOWED = {
    "derctl/core": STANDARD | {"derctl.core", "derctl.errors"},
    "derctl/functions": STANDARD | {"derctl.core", "derctl.errors", "derctl.functions"},
    "derctl/sunspec": STANDARD | {"ipaddress", "derctl.core", "derctl.errors", "derctl.sunspec"},
    "derctl/devices": STANDARD | {"derctl.core", "derctl.errors", "derctl.sunspec", "derctl.devices"},
    "derctl/commission": STANDARD
    | {"derctl.core", "derctl.errors", "derctl.sunspec", "derctl.devices", "derctl.commission"},
    "hil/plant": STANDARD | {"numpy", "hil.plant"},
}
CALLS = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint"}
ATTRIBUTES = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "random", "sleep"}
GENERATED = {"derctl/sunspec/reader.py": "exec", "derctl/core/value.py": "exec"}
"""Source that is written and run as dataclasses do it; what it may name is what is handed to it."""
ASYNC = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


def imports(tree: ast.AST, package: str) -> set[str]:
    """Full names of the imported modules. package resolves relative ones."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            # `from derctl import cli` imports derctl.cli, whatever it says.
            found |= {f"{module}.{alias.name}" for alias in node.names} if module in {"derctl", "hil"} else {module}
    return found


def strangers(tree: ast.AST, package: str, allowed: set[str]) -> list[str]:
    """Imports that are neither in the list nor below a package in it."""

    def listed(name: str) -> bool:
        own = any(name.startswith(f"{one}.") for one in allowed - STANDARD)
        return own or name in allowed

    return sorted(name for name in imports(tree, package) if not listed(name))


def touches(tree: ast.AST, but: str | None = None) -> list[str]:
    """Calls and attributes that reach outside, and everything asynchronous. but: a call that is let through."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS - {but}:
            found.append(f"line {node.lineno}: {node.func.id}()")
        elif isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
            found.append(f"line {node.lineno}: .{node.attr}")
        elif isinstance(node, ASYNC) or (isinstance(node, ast.comprehension) and node.is_async):
            found.append(f"line {getattr(node, 'lineno', '?')}: {type(node).__name__}")
    return found


def files() -> list[tuple[str, Path]]:
    return [(package, path) for package in ALLOWED for path in sorted((ROOT / package).rglob("*.py"))]


each_file = pytest.mark.parametrize(
    ("package", "path"), [pytest.param(*f, id=str(f[1].relative_to(ROOT))) for f in files()]
)


@each_file
def test_a_pure_file_imports_only_what_is_listed(package: str, path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not strangers(tree, package.replace("/", "."), ALLOWED[package])


@each_file
def test_a_pure_file_touches_nothing_outside(package: str, path: Path) -> None:
    but = GENERATED.get(str(path.relative_to(ROOT)))
    assert not touches(ast.parse(path.read_text(encoding="utf-8")), but)


@pytest.mark.parametrize("package", ALLOWED)
def test_a_pure_package_has_files(package: str) -> None:
    assert len(list((ROOT / package).glob("*.py"))) > 1


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "import os.path",
        "from random import gauss",
        "import numpy as np",
        "from pathlib import Path",
        "from derctl import daemon",
        "from derctl.links.bus import Bus",
        "from derctl.corelike import x",
        "from .. import links",
        "from ..devices import CATALOGUE",
        "def f():\n    import logging",
    ],
)
def test_the_law_sees_a_stranger(line: str) -> None:
    assert strangers(ast.parse(line), "derctl.core", ALLOWED["derctl/core"])


@pytest.mark.parametrize(
    "line",
    ["from .types import Tick", "from derctl.core.types import Tick", "from derctl import errors", "import math"],
)
def test_the_law_lets_the_listed_in(line: str) -> None:
    assert not strangers(ast.parse(line), "derctl.core", ALLOWED["derctl/core"])


@pytest.mark.parametrize(
    "line",
    [
        "x = open('f')",
        "print(1)",
        "np.random.normal()",
        "Path('f').read_text()",
        "async def f(): pass",
        "async def f():\n    await g()",
        "async def f():\n    return [x async for x in y]",
    ],
)
def test_the_law_sees_what_reaches_outside(line: str) -> None:
    assert touches(ast.parse(line))


def test_the_readme_s_promise_core_and_functions_are_the_standard_library_alone() -> None:
    ours = {"derctl.core", "derctl.functions", "derctl.errors"}
    assert ALLOWED["derctl/core"] | ALLOWED["derctl/functions"] == STANDARD | ours


def test_the_readme_says_how_much_there_is_to_read() -> None:
    files = [path for room in ("core", "functions") for path in (ROOT / "derctl" / room).glob("*.py")]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [said] = re.findall(r"some ([0-9,]+) lines, of which", readme)
    assert int(said.replace(",", "")) == pytest.approx(lines, rel=0.1)
