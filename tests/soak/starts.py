"""Real daemons, one after another, each a fork of a process that has imported everything: a start costs 0.1 s."""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from hil.eyes import ask

IMPORTED = ["derctl.cli", "derctl.cli.run", "derctl.cli.release", "derctl.cli.leave", "derctl.daemon.app",
            "derctl.daemon.log", "derctl.daemon.actuate.rescue", "uvloop"]  # fmt: skip
PATIENCE_S = 60.0
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(IMPORTED)


def _verb(words: Sequence[str], log: str) -> None:
    """`derctl` with these words, both outputs in the log."""
    from derctl.cli import main

    os.nice(10)  # thousands of starts take no time from the parts that count ticks
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(file, 2)
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            code = main(list(words))
    finally:
        os.write(2, said.getvalue().encode())
    sys.exit(code)


async def status_of_a_start(site_file: Path, socket: Path, log: Path) -> dict[str, Any]:
    """What the daemon says first; then it is killed. AssertionError: it ended instead."""
    socket.unlink(missing_ok=True)
    process = SERVER.Process(target=_verb, args=(("run", "-c", str(site_file)), str(log)))
    process.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return dict((await ask(socket, "status"))["result"])
                except (OSError, ValueError, TimeoutError):
                    assert process.is_alive(), f"it ended with {process.exitcode}: {log.read_text()[-2000:]}"
                    await asyncio.sleep(0.003)
    finally:
        process.kill()
        process.join()


async def code_of(words: Sequence[str], log: Path) -> int:
    """How a verb ends."""
    process = SERVER.Process(target=_verb, args=(tuple(words), str(log)))
    process.start()
    await asyncio.to_thread(process.join, PATIENCE_S)
    assert process.exitcode is not None, f"{words}: no end"
    return process.exitcode
