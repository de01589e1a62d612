"""What the bench measures is what an installation has."""

import os
import subprocess
import sys

from bench.simulated import HIDE, hidden


def test_what_only_tests_need_is_hidden_and_what_the_daemon_needs_is_not() -> None:
    found = hidden()
    assert {"rich", "pygments", "pytest", "numpy"} <= found
    assert not found & {"pymodbus", "aiomqtt", "paho", "msgspec", "yaml", "derctl", "uvloop"}


def test_the_daemon_runs_without_it() -> None:
    code = HIDE + "import derctl.daemon.app; print(sys.modules['numpy'])"
    given = {**os.environ, "BENCH_HIDDEN": " ".join(sorted(hidden()))}
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, timeout=60, check=True)
    assert done.stdout.strip() == b"None"
