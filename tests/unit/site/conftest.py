"""The site files that ship, with their secrets in a directory of the test's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from derctl.errors import ConfigError, Problem
from derctl.site import Site
from derctl.site.lines import parse
from derctl.site.site import build

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "interfaces.md").read_text(encoding="utf-8")
SMALL = """\
version: 1
site: {id: house, v_nom_v: 230, f_nom_hz: 50}
buses:
  - {id: lan, tcp: {host: pv.example}}
ders:
  - {id: pv1, bus: lan, unit: 1, kind: sunspec_pv}
  - {id: bat1, bus: lan, unit: 2, kind: sunspec_storage}
poc: {bus: lan, unit: 3, sign: 1}
functions:
  - {kind: contract_export_limit, limit_w: 5000}
"""


def fenced(marker: str) -> list[tuple[str, str]]:
    """(what stands behind the marker, text) of every fenced block of docs/interfaces.md."""
    found = re.findall(r"^```(.*?)\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    return [(head.removeprefix(marker).strip(), text) for head, text in found if head.split()[0] == marker]


@pytest.fixture
def secrets(tmp_path: Path) -> Callable[[str], str]:
    """A site file's text with /etc/derctl and the state in a directory where its files exist."""
    for name in ("mqtt.password", "ca.pem", "site.pem", "site.key"):
        path = tmp_path / name
        path.write_text("secret\n")
        path.chmod(0o640)
    return lambda text: text.replace("/etc/derctl", str(tmp_path)).replace("/var/lib/derctl", f"{tmp_path}/state")


@pytest.fixture
def site_of() -> Callable[[str], Site]:
    return lambda text: build(parse(text, "site.yaml"))


@pytest.fixture
def problems_of(site_of: Callable[[str], Site]) -> Callable[[str], tuple[Problem, ...]]:
    def find(text: str) -> tuple[Problem, ...]:
        with pytest.raises(ConfigError) as caught:
            site_of(text)
        assert caught.value.problems
        return caught.value.problems

    return find


@pytest.fixture(scope="session")
def small() -> Callable[..., str]:
    """A valid site file with lines replaced: small(old=new) by pairs of text."""

    def change(*pairs: tuple[str, str]) -> str:
        text = SMALL
        for old, new in pairs:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return text

    return change


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """docs/interfaces.md: its text and its fenced blocks."""
    return {"text": DOCUMENT, "yaml": fenced("yaml"), "json": fenced("json")}
