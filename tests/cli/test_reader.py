"""Who reads what is printed may leave before its end, as in `derctl schema | head`."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from typing import TextIO

import pytest

from derctl.cli import main, schema
from hil.__main__ import main as hil_main


@pytest.fixture
def unread() -> Iterator[TextIO]:
    """A pipe whose reader has left. To close it is to flush it, as the interpreter does at its end."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield stream


def test_the_process_ends_without_a_word_and_with_its_own_code(unread: TextIO) -> None:
    command = [sys.executable, "-m", "derctl", "--help"]
    buffered = {name: word for name, word in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        command, env=buffered, stdout=unread, stderr=subprocess.PIPE, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_verdict_that_nobody_reads_is_still_the_code(unread: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(args: Namespace) -> int:
        print("the answer is no")
        return 1

    monkeypatch.setattr(sys, "stdout", unread)
    monkeypatch.setattr(schema, "run", no)
    assert main(["schema"]) == 1
    unread.flush()


def test_both_streams_may_go_into_one_pipe(unread: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", unread)
    assert main([]) == 2
    unread.flush()


def test_the_list_of_scenarios_may_be_cut_short(unread: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    unread.reconfigure(line_buffering=True)  # type: ignore[attr-defined]
    monkeypatch.setattr(sys, "stdout", unread)
    assert hil_main(["list"]) == 141
    unread.flush()
