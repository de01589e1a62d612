"""What a cabinet's memory is not spent on."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STARTED = """
import sys, types
from pathlib import Path
from derctl.cli import parser_of, run
parser_of("run")
from derctl.cli import late, leave, pages
from derctl.daemon.app import App
from derctl.daemon.commands.rights import read
from derctl.store.folder import AlreadyRunning
import derctl.daemon.log, sqlite3
"localhost".encode("idna")  # as a broker's name is
App(read(Path(sys.argv[1])), sessions=late.SESSIONS, pages=pages.PAGES)
print(*(name for name, module in sys.modules.items() if type(module) is types.ModuleType))
"""
"""A daemon as `run` makes it, before its first tick."""
UNREAD = {
    "numpy": "12 MB",
    "urllib.request": "paho reads it, and with it http.client, email, tempfile: 1.8 MB",
    "bz2": "shutil reads it for archives: 0.2 MB",
    "lzma": "shutil reads it for archives: 0.2 MB",
    "stringprep": "0.1 MB; only for a broker's name beyond ASCII",
    "http.client": "with urllib.request",
    "email": "with urllib.request",
    "statistics": "with fractions and numbers 0.2 MB",
    "difflib": "0.2 MB; only for who mistypes",
    "serial": "0.2 MB; only for a site with a serial line",
    "pymodbus.server": "only hil serves",
    "sunspec2": "its models are read as data",
    "multiprocessing": "one process",
    "unittest": "only tests",
    "joserfc": "only where the site file names a signed broker",
    "cryptography": "with joserfc",
    "gpiod": "only where the site file names contacts",
    "derctl.cli.sessions": "read when somebody asks for verify or identify",
    "derctl.commission.verify": "with cli.sessions",
    "derctl.links.wires.rtu": "only where the site file names such a wire",
    "derctl.links.wires.tls": "only where the site file names such a wire",
}
"""What a daemon with Modbus TCP and a broker does without, and what it would cost."""


@pytest.fixture(scope="module")
def read() -> set[str]:
    command = [sys.executable, "-c", STARTED, str(ROOT / "config" / "house.yaml")]
    return set(subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.split())


@pytest.mark.parametrize("name", UNREAD)
def test_a_daemon_does_not_read_what_it_does_not_need(name: str, read: set[str]) -> None:
    assert {"derctl.daemon.app", "aiomqtt", "pymodbus.client", "yaml", "sqlite3"} <= read, "it is one"
    assert name not in read, UNREAD[name]


def standard(tree: ast.AST) -> bool:
    """Whether a dataclass is made by the standard library."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "dataclasses"
        and "dataclass" in {alias.name for alias in node.names}
        for node in ast.walk(tree)
    )


def test_dataclasses_share_their_methods() -> None:
    """`derctl.core.dataclass` saves a tenth of the daemon's memory. errors.py is below core."""
    free = {ROOT / "derctl/errors.py", ROOT / "derctl/core/dataclass.py"}
    files = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "derctl").rglob("*.py")}
    assert {path for path, tree in files.items() if standard(tree)} <= free <= files.keys()
    assert standard(ast.parse("from dataclasses import dataclass, field"))
