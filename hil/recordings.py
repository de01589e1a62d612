"""Registers of real devices as somebody recorded them: in DERCTL_DUMPS, or in shared/dumps beside the checkout."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hil.scenario import ScenarioError

Recording = Mapping[str, Any]
WORD, UNIT = 0xFFFF, 0xFF


def directory() -> Path | None:
    """Where they are; None where there are none."""
    told = os.environ.get("DERCTL_DUMPS")
    beside = (parent / "shared" / "dumps" for parent in Path(__file__).resolve().parents[1:])
    return next((path for path in ([Path(told)] if told else beside) if path.is_dir()), None)


def recording(name: str) -> Recording:
    """The one whose file name begins so. Raises ScenarioError."""
    found = directory()
    paths = [] if found is None else sorted(found.glob(f"{name}*.json"))
    if not paths:
        raise ScenarioError(f"no recording {name!r}: set DERCTL_DUMPS")
    return recorded_in(paths[0])


def recorded_in(path: Path) -> Recording:
    """The recording in a file. Raises ScenarioError where it is none."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise ScenarioError(f"{path}: {wrong.strerror}") from None
    except (ValueError, RecursionError) as wrong:
        raise ScenarioError(f"{path}: no JSON: {wrong}") from None
    if not isinstance(known, dict) or not isinstance(known.get("registers"), dict):
        raise ScenarioError(f"{path}: no recording: it has no `registers`")
    for address, word in known["registers"].items():
        if not (_within(int(address) if address.isdecimal() else None, WORD) and _within(word, WORD)):
            raise ScenarioError(f"{path}: no recording: register {address!r} is {word!r}; both are 0 to {WORD}")
    if not (known.get("unit_id") is None or _within(known["unit_id"], UNIT)):
        raise ScenarioError(f"{path}: no recording: unit_id is {known['unit_id']!r}, not 0 to {UNIT}")
    return known


def _within(number: object, most: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= most
