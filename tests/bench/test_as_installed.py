"""What the bench measures is what an installation has."""

import os
import subprocess
import sys

from bench.simulated import HIDE, hidden


def test_what_only_tests_need_is_hidden_and_what_the_daemon_needs_is_not() -> None:
    found = hidden()
    assert {"rich", "pygments", "pytest", "numpy"} <= found
    assert not found & {"structlog", "pymodbus", "aiomqtt", "paho", "msgspec", "yaml", "derctl"}
    assert "uvloop" in found and hidden(fast=True) == found - {"uvloop"}, "install.sh brings none"


def test_the_daemon_runs_without_it() -> None:
    """structlog imports rich where it finds it: 5 MB that no cabinet has."""
    code = HIDE + "import derctl.daemon.app; print('rich.console' in sys.modules)"
    given = {**os.environ, "BENCH_HIDDEN": " ".join(sorted(hidden()))}
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, timeout=60, check=True)
    assert done.stdout.strip() == b"False"
