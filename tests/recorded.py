"""Registers of real devices as somebody recorded them: in DERCTL_DUMPS, or beside the checkout.

Without them their tests are skipped and say so; where CI is set, they fail.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

Dump = dict[str, Any]


def directory() -> Path | None:
    told = os.environ.get("DERCTL_DUMPS")
    beside = (parent / "shared" / "dumps" for parent in Path(__file__).resolve().parents[2:])
    return next((path for path in ([Path(told)] if told else beside) if path.is_dir()), None)


def load() -> dict[str, Dump]:
    found = directory()
    return {path.stem: json.loads(path.read_text()) for path in sorted(found.glob("*.json"))} if found else {}


DUMPS = load()


def dump(start: str) -> Dump:
    """The first one whose file name begins so."""
    found = [each for name, each in DUMPS.items() if name.startswith(start)]
    if not found and os.environ.get("CI"):
        pytest.fail(f"the register dump {start} is missing: set DERCTL_DUMPS")
    if not found:
        pytest.skip(f"NOT TESTED: no register dump {start}; set DERCTL_DUMPS")
    return found[0]


def registers_of(recorded: Dump) -> dict[int, int]:
    return {int(address): word for address, word in recorded["registers"].items()}


def of_every_sunspec_device(metafunc: pytest.Metafunc, name: str) -> None:
    """The parameter `name` is the name of each recording that has SunSpec's map."""
    names: list[Any] = [each for each, found in DUMPS.items() if found["kind"] == "sunspec"]
    if not names and os.environ.get("CI"):
        raise pytest.UsageError("the register dumps are missing: set DERCTL_DUMPS")
    missing = pytest.param("", marks=pytest.mark.skip("NOT TESTED: no register dumps; set DERCTL_DUMPS"))
    metafunc.parametrize(name, names or [missing])
