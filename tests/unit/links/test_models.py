"""The official model definitions come from pysunspec2's own package data."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from derctl.links.models import model


@pytest.mark.parametrize("model_id", [1, 103, 123, 203, 704, 802])
def test_a_model_is_compiled_from_the_official_definition_once(model_id: int) -> None:
    source = json.loads((files("sunspec2") / "models" / "json" / f"model_{model_id}.json").read_text())
    found = model(model_id)
    assert found is not None
    assert found.id == source["id"]
    assert found is model(model_id)


@pytest.mark.parametrize("model_id", [0, 64999, 65535, -1])
def test_a_model_without_a_definition_is_none(model_id: int) -> None:
    assert model(model_id) is None
