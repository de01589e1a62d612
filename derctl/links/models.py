"""pysunspec2's official model JSON, read from its package data and compiled on demand."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from derctl.sunspec import Model, compile_model


@cache
def model(model_id: int) -> Model | None:
    """The compiled model, or None where there is no definition."""
    source = _folder() / f"model_{model_id}.json"
    if not source.is_file():
        return None
    return compile_model(json.loads(source.read_text(encoding="utf-8")))


@cache
def _folder() -> Path:
    """Where they lie. importlib.resources would do it too, and brings a megabyte with it."""
    spec = find_spec("sunspec2")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "models" / "json"
