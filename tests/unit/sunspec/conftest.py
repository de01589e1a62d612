"""Each model of SunSpec for the tests that ask for one, and how thoroughly they search."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.judge import DEFINITIONS

settings.register_profile("sunspec", deadline=None)
settings.load_profile("sunspec")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "model_id" in metafunc.fixturenames:
        metafunc.parametrize("model_id", sorted(DEFINITIONS))
