"""A test that never ends is red within its limit, with the place where it hangs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

RULE = Path(__file__).parents[1] / "conftest.py"
BUSY = """
import asyncio

async def turning():
    while True:
        try:
            await asyncio.sleep(0)
        except BaseException:
            pass

def test_busy():
    asyncio.run(turning())
"""
UNENDING_AFTER_A_FAILURE = """
import threading
import pytest

@pytest.fixture
def unending():
    yield
    threading.Event().wait()

def test_failed(unending):
    assert False
"""
WAITING_ELSEWHERE = """
import threading

def test_waiting():
    threading.Event().wait()

def test_the_next():
    print("the next is run")
"""


@pytest.mark.parametrize(
    ("room", "text", "says", "place"),
    [
        ("unit", BUSY, "test_busy: no end within 2 s", "in turning"),
        ("unit", UNENDING_AFTER_A_FAILURE, "test_failed: no end within 2 s", "in unending"),
        ("loopback", WAITING_ELSEWHERE, "Timeout (>2.0s)", "the next is run"),
    ],
)
def test_a_hang_is_a_red_test_that_says_where(room: str, text: str, says: str, place: str, tmp_path: Path) -> None:
    rule = RULE.read_text(encoding="utf-8")
    short = rule.replace("ELSEWHERE_S = 600.0", "ELSEWHERE_S = 2.0").replace('"loopback": 300.0', '"loopback": 2.0')
    assert short.count("2.0") == rule.count("2.0") + 2
    (tmp_path / "conftest.py").write_text(short, encoding="utf-8")
    (tmp_path / room).mkdir()
    (tmp_path / room / "test_it.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-rP", "-p", "no:cacheprovider", str(tmp_path)]
    started = time.monotonic()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100.0, check=False)
    assert done.returncode == 1
    assert time.monotonic() - started >= 2.0
    assert says in done.stdout + done.stderr
    assert place in done.stdout + done.stderr
