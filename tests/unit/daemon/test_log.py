"""The log: priorities that the journal understands, words for people, JSON for programs."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from derctl.core.words import Bind
from derctl.daemon import log
from derctl.daemon.log import PRIORITIES, Style, Words, configure, priority_of, sentence, style_of

DAEMON = Path(log.__file__).parent
TOLD = re.compile(r"\b(?:event|on_event|tell)\(\s*(?P<cases>\"[^,]*),")
NAME = re.compile(r"\"([a-z_]+)\"")


class Log:
    """What the daemon's log wrote: `lines` ends it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, style: Style, level: str, stream: Any) -> None:
        self.out = stream
        monkeypatch.setattr("sys.stderr", self.out)
        self.listener = configure(style=style, level=level)
        self.say = structlog.wrap_logger(logging.getLogger("derctl.test"), cache_logger_on_first_use=False)

    def lines(self) -> list[str]:
        self.listener.stop()
        return str(self.out.getvalue()).splitlines()


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Log]]:
    """`start(style)`: a log of its own; afterwards everything is as before."""
    root, config = logging.getLogger("derctl"), structlog.get_config()
    before = (root.handlers[:], root.level, root.propagate)
    loops = logging.getLogger("asyncio")
    loops_before = (loops.handlers[:], loops.propagate)

    def begin(style: Style, level: str = "info", stream: Any = None) -> Log:
        return Log(monkeypatch, style, level, io.StringIO() if stream is None else stream)

    yield begin
    structlog.configure(**config)
    root.handlers[:], root.propagate = before[0], before[2]
    loops.handlers[:], loops.propagate = loops_before
    root.setLevel(before[1])


def test_the_journal_gets_a_priority_before_each_line(start: Callable[..., Log]) -> None:
    """sd-daemon(3)."""
    kept = start(Style.JOURNAL)
    kept.say.info("found", der="pv1", text="HIL PV, 1001")
    kept.say.warning("device_unreachable", der="pv1", text="no answer within 1 s")
    kept.say.error("journal_not_saved", text="No space left on device")
    try:
        raise ZeroDivisionError("a bug")
    except ZeroDivisionError:
        kept.say.exception("link_broke", link="mqtt")
    lines = kept.lines()
    assert lines[:4] == [
        "<6>pv1 found: HIL PV, 1001",
        "<4>pv1 device unreachable: no answer within 1 s",
        "<3>journal not saved: No space left on device",
        "<3>link broke link=mqtt",
    ]
    assert all(line.startswith("<3>") for line in lines[4:]) and lines[-1] == "<3>ZeroDivisionError: a bug"


def test_a_terminal_gets_time_priority_and_words(start: Callable[..., Log]) -> None:
    kept = start(Style.WORDS)
    kept.say.warning("write_refused", der="bat1", text="exception 4")
    (line,) = kept.lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d warning  bat1 write refused: exception 4", line)


def test_programs_get_json_on_request(start: Callable[..., Log]) -> None:
    kept = start(Style.JSON)
    kept.say.warning("override", der="pv1", text="a")
    (line,) = map(json.loads, kept.lines())
    assert {key: line[key] for key in ("level", "event", "der", "text")} == {
        "level": "warning",
        "event": "override",
        "der": "pv1",
        "text": "a",
    }


def test_what_is_below_the_level_is_not_written(start: Callable[..., Log]) -> None:
    kept = start(Style.WORDS, "warning")
    kept.say.info("found")
    assert kept.lines() == []


def test_a_devices_text_can_forge_no_line() -> None:
    text = "1.0\n<0>mode control\x1b[2J"
    assert sentence({"event": "found", "der": "pv1", "text": text}) == "pv1 found: 1.0 <0>mode control?[2J"


def test_colour_is_for_what_needs_a_look() -> None:
    paint = Words(Style.WORDS, colour=True)
    stamp = "2026-11-21T12:00:00Z"
    assert "\x1b" not in paint(None, "", {"event": "found", "level": "info", "timestamp": stamp})
    assert "\x1b[31merror" in paint(None, "", {"event": "write_ignored", "level": "error", "timestamp": stamp})


def test_only_the_stream_that_systemd_named_goes_to_the_journal(tmp_path: Path) -> None:
    """A shell started from a unit hands JOURNAL_STREAM on, and its stderr may be a file."""
    with (tmp_path / "a").open("w") as a, (tmp_path / "b").open("w") as b:
        stat = os.fstat(a.fileno())
        environ = {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"}
        assert (style_of(a, environ), style_of(b, environ), style_of(a, {})) == (
            Style.JOURNAL,
            Style.WORDS,
            Style.WORDS,
        )
    assert style_of(io.StringIO(), environ) is Style.WORDS


def test_every_event_that_the_daemon_tells_has_its_priority() -> None:
    sources = [path.read_text(encoding="utf-8") for path in DAEMON.rglob("*.py")]
    told = {name for source in sources for case in TOLD.finditer(source) for name in NAME.findall(case["cases"])}
    told |= {f"device_{bind}" for bind in Bind}
    assert len(told) >= 12, "the search finds them"
    assert told <= {*PRIORITIES}


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("found", logging.INFO),
        ("device_unreachable", logging.WARNING),
        ("write_refused", logging.WARNING),
        ("write_ignored", logging.ERROR),
        ("journal_not_saved", logging.ERROR),
        ("never_heard_of", logging.WARNING),
    ],
)
def test_trouble_is_a_warning_and_what_is_not_kept_an_error(name: str, level: int) -> None:
    assert priority_of(name) == level


def test_a_text_that_the_name_has_said_already_is_not_said_again() -> None:
    assert sentence({"event": "released", "der": "pv1", "text": "released"}) == "pv1 released"
    assert sentence({"event": "broker_connected", "text": "connected"}) == "broker connected"


class Unread(io.StringIO):
    """A stream whose reader has stopped reading."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = threading.Event()

    def write(self, text: str) -> int:
        self.reads.wait()
        return super().write(text)


def test_lines_that_nobody_reads_cost_no_time_and_little_memory(
    start: Callable[..., Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "LINES_MAX", 5)
    kept = start(Style.WORDS, stream=Unread())
    for number in range(100):
        kept.say.info("found", text=str(number))
    logging.getLogger("asyncio").warning("of the event loop")
    thread = kept.listener._thread
    kept.listener.stop(0.0)
    assert thread.is_alive(), "and nobody waited for it"
    kept.out.reads.set()
    while thread.is_alive():
        kept.listener.enqueue_sentinel()  # there is room for it at last
        thread.join(0.01)
    assert 5 <= len(kept.out.getvalue().splitlines()) <= 6


def test_what_the_event_loop_logs_goes_the_same_way(start: Callable[..., Log]) -> None:
    """Without a handler of its own it would be written to stderr on the loop's path."""
    kept = start(Style.WORDS)
    logging.getLogger("asyncio").warning("socket.send() raised exception.")
    [line] = kept.lines()
    assert line.endswith("warning  socket.send() raised exception.")
