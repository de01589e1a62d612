"""Registers of real devices as somebody recorded them: in DERCTL_DUMPS, or in shared/dumps beside the checkout."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hil.scenario import ScenarioError

Recording = Mapping[str, Any]


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
    except ValueError as wrong:
        raise ScenarioError(f"{path}: no JSON: {wrong}") from None
    if not isinstance(known, dict) or not isinstance(known.get("registers"), dict):
        raise ScenarioError(f"{path}: no recording: it has no `registers`")
    return known
