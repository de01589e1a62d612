"""How long a test may take: a hang is a red test with a traceback, not a run that never ends."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from pytest_timeout import Settings, is_debugging

from tests.attack import Attack, attack_of, pieces_of, table

HERE = Path(__file__).parent
# Far more than any test takes on a busy machine. What a test itself waits for is to end first.
LIMIT_S = {"bench": 1200.0, "cli": 600.0, "hil": 300.0, "loopback": 300.0, "packaging": 3600.0, "scenario": 1800.0,
           "soak": 600.0}  # fmt: skip
"""Rooms whose tests talk to sockets or run other processes."""
ELSEWHERE_S = 600.0


SOAK_S = 6 * 3600.0
"""With --soak."""


hypothesis.settings.register_profile("same", derandomize=True, deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """Without --soak the same examples each time, so that a change is judged; `make soak` looks for new ones."""
    if config.getoption("--soak") is None:
        hypothesis.settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    about = "the whole attack of `make soak`, or this share of it; without it, a few seconds of each part"
    parser.addoption("--soak", type=float, default=None, metavar="SHARE", help=about)
    parser.addoption("--soak-seed", type=int, default=8, metavar="N", help="what the attack's chance begins with")


@pytest.fixture
def piece() -> int:
    """Of a part of the attack that is one test."""
    return 0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A long part of the attack is several tests."""
    marker = next((mark for mark in metafunc.definition.iter_markers("soak")), None)
    pieces = 1 if marker is None else pieces_of(marker, metafunc.config.getoption("--soak"))
    if pieces > 1:
        metafunc.parametrize("piece", range(pieces))


@pytest.fixture
def attack(request: pytest.FixtureRequest, tmp_path: Path, piece: int) -> Attack:
    """How much of it, from which seed, and what it found: for a test marked `soak`."""
    return attack_of(request.node, request.config, tmp_path, piece)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What failed is kept beside the input, at once: the others may go on for hours."""
    report = yield
    found = getattr(item, "funcargs", {}).get("attack")
    if report.failed and found is not None:
        (found.folder / "failed.txt").write_text(report.longreprtext)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The attack's figures."""
    if config.getoption("--soak") is not None:
        terminalreporter.section("soak")
        terminalreporter.write_line(table(terminalreporter.stats))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A signal ends a test that waits, and its fixtures end what they started.

    A loop in virtual time never waits. The signal's exception would be raised in a task, and stay there: so a thread.
    """
    for item in items:
        room = item.path.relative_to(HERE).parts[0]
        method = "signal" if room in LIMIT_S else "thread"
        limit_s = LIMIT_S.get(room, ELSEWHERE_S) if config.getoption("--soak") is None else SOAK_S
        item.add_marker(pytest.mark.timeout(limit_s, method=method))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """A failure takes the limit away, for a debugger's sake; but what failed may well not end."""
    marker = item.get_closest_marker("timeout")
    assert marker is not None
    settings = Settings(marker.args[0], "thread", func_only=False, disable_debugger_detection=False)
    item.config.hook.pytest_timeout_cancel_timer(item=item)
    item.config.hook.pytest_timeout_set_timer(item=item, settings=settings)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Settings) -> bool | None:
    """The thread, in our own words: pytest-timeout's tells nothing of tasks, nor anything under xdist."""
    if settings.method != "thread":
        return None
    timer = threading.Timer(settings.timeout, give_up, (item, settings.timeout))
    timer.daemon = True
    item.cancel_timeout = timer.cancel  # type: ignore[attr-defined]  # where pytest-timeout looks for it
    timer.start()
    return True


def give_up(item: pytest.Item, limit_s: float) -> None:
    """Say where every thread and task stands, and end this process: xdist goes on with another."""
    if is_debugging():
        return
    item.config.pluginmanager.getplugin("capturemanager").suspend_global_capture()
    out = sys.__stderr__ or sys.stderr
    print(f"\n{item.nodeid}: no end within {limit_s:g} s", file=out)
    for task in (each for each in gc.get_objects() if isinstance(each, asyncio.Task) and not each.done()):
        task.print_stack(file=out)
    faulthandler.dump_traceback(file=out)
    out.flush()
    os._exit(1)
