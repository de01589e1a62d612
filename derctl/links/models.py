"""pysunspec2's official model JSON, read from its package data and compiled on demand."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from derctl.sunspec import Model, compile_model


@cache
def model(model_id: int) -> Model | None:
    """The compiled model, or None where there is no definition."""
    source = files("sunspec2").joinpath("models", "json", f"model_{model_id}.json")
    if not source.is_file():
        return None
    return compile_model(json.loads(source.read_text(encoding="utf-8")))
