"""Each recorded SunSpec device for the tests that ask for one."""

from __future__ import annotations

import pytest

from tests.recorded import of_every_sunspec_device


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "sunspec_dump" in metafunc.fixturenames:
        of_every_sunspec_device(metafunc, "sunspec_dump")
