"""Events with priorities: words on a terminal and in the journal, JSON on request. A log write never runs on the
loop's path."""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TextIO

from derctl.core.text import clean
from derctl.daemon.seldom import SeldomAgain

PRIORITIES: dict[str, str] = {
    "armed": "info",
    "audit_broken": "error",
    "broker_connected": "info",
    "broker_denies": "warning",
    "broker_limits": "warning",
    "broker_lost": "warning",
    "broker_taken_over": "error",
    "command": "info",
    "clock_found": "info",
    "clock_stepped": "warning",
    "claim_doubted": "warning",
    "claim_undoubted": "info",
    "contested": "error",
    "contradicted": "warning",
    "load_credited": "info",
    "loop_eased": "info",
    "locked_out": "error",
    "lockout_over": "info",
    "disarmed": "info",
    "device_frozen": "warning",
    "device_ok": "info",
    "device_refused": "warning",
    "device_starting": "info",
    "device_unmeasured": "warning",
    "device_unreachable": "warning",
    "firmware_changed": "info",
    "device_replaced": "warning",
    "reverify_due": "warning",
    "fallback_broken": "warning",
    "fallback_unproven": "error",
    "found": "info",
    "found_more": "info",
    "journal_copy_used": "warning",
    "journal_not_saved": "error",
    "state_not_saved": "error",
    "journal_unreadable": "error",
    "limit_found": "warning",
    "limit_lifted": "info",
    "map_problem": "warning",
    "message_dropped": "warning",
    "meter_doubted": "warning",
    "meter_proven": "info",
    "meter_undoubted": "info",
    "mode_control": "info",
    "mode_observe": "info",
    "not_followed": "error",
    "not_released": "warning",
    "override": "warning",
    "part_back": "info",
    "part_lost": "warning",
    "contact_changed": "warning",
    "records_dropped": "error",
    "records_not_saved": "error",
    "records_set_aside": "warning",
    "records_unsigned": "warning",
    "released": "info",
    "request_changed": "info",
    "shadow_not_saved": "warning",
    "signing_key_changed": "info",
    "site_file_changed": "info",
    "site_file_refused": "error",
    "site_file_reloaded": "info",
    "started": "info",
    "state_unreadable": "error",
    "stopped": "info",
    "sun_down": "info",
    "tls_failed": "warning",
    "transport_problem": "warning",
    "trial_began": "info",
    "trial_ended": "info",
    "unknown_principal": "warning",
    "value_held": "warning",
    "write_budget": "warning",
    "write_clipped": "warning",
    "write_ignored": "error",
    "write_late": "warning",
    "write_refused": "warning",
}
"""Every event: info is the course of things, warning trouble with a device or a link, error what a person has to see:
a limit that isn't kept, or something that a restart would forget."""

LINES_MAX = 10_000
"""Lines that wait for who reads stderr."""
SYSLOG = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""sd-daemon(3): `<N>` before a line is its priority in the journal."""
COLOURS = {"debug": "\x1b[2m", "info": "", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
END = "\x1b[0m"


def priority_of(name: str) -> int:
    """The logging level of an event; an unknown one may be anything, so it is a warning."""
    return logging.getLevelNamesMapping()[PRIORITIES.get(name, "warning").upper()]


class Style(StrEnum):
    """How a line looks."""

    WORDS = "words"
    JOURNAL = "journal"
    JSON = "json"


def style_of(stream: TextIO, environ: Mapping[str, str]) -> Style:
    """journal where systemd says that this very stream goes there (systemd.exec(5): device and inode)."""
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return Style.WORDS
    return Style.JOURNAL if environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}" else Style.WORDS


class Lines:
    """The thread that writes them. One that nobody reads holds up nobody, the end neither."""

    def __init__(self, waiting: queue.Queue[logging.LogRecord | None], out: logging.Handler) -> None:
        self._waiting = waiting
        self._out = out
        self.thread = threading.Thread(target=self._write, name="log", daemon=True)
        self.thread.start()

    def _write(self) -> None:
        while (record := self._waiting.get()) is not None:
            self._out.handle(record)

    def stop(self, seconds: float | None = None) -> None:
        """Write what is left, for so long at most."""
        self.enough()
        self.thread.join(seconds)

    def enough(self) -> None:
        """Nothing comes after what is waiting. Where the queue is full its thread hangs, and there is no end to wait
        for."""
        with suppress(queue.Full):
            self._waiting.put_nowait(None)


def configure(*, level: str = "info", style: Style | None = None) -> Lines:
    """Log to stderr through a queue and a thread of its own. Returns the thread; stop it at the end."""
    style = style_of(sys.stderr, os.environ) if style is None else style
    colour = style is Style.WORDS and sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_Line(_json if style is Style.JSON else Words(style, colour=colour)))
    lines: queue.Queue[logging.LogRecord | None] = queue.Queue(LINES_MAX)
    root = logging.getLogger("derctl")
    root.setLevel(level.upper())
    for each in (root, logging.getLogger("asyncio")):  # what has no handler is written to stderr by who logs it
        each.handlers[:] = [_Queued(lines)]
        each.propagate = False
    logging.getLogger("asyncio").handlers[0].addFilter(SeldomAgain())  # its lines can come with every frame
    return Lines(lines, stream)


class _Queued(logging.Handler):
    """Hands records over as they are: formatting is the thread's work."""

    def __init__(self, lines: queue.Queue[logging.LogRecord | None]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """What nobody reads is lost, before it costs memory."""
        with suppress(queue.Full):
            self._lines.put_nowait(record)


class _Line(logging.Formatter):
    """An event with its fields, or what a library logs, as shown."""

    def __init__(self, shown: Callable[[dict[str, Any]], str]) -> None:
        super().__init__()
        self._shown = shown

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            **getattr(record, "fields", {}),
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return self._shown(fields)


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, default=repr)


class Words:
    """`15:11:04 warning  pv1 device unreachable: no answer within 1 s`.

    The journal has its own time and takes the priority from `<4>`, before each line of what has several.
    """

    def __init__(self, style: Style, *, colour: bool = False) -> None:
        self._style = style
        self._colour = colour

    def __call__(self, fields: dict[str, Any]) -> str:
        level, stamp = str(fields.pop("level", "info")), str(fields.pop("timestamp", ""))
        exception = str(fields.pop("exception", ""))
        lines = [sentence(fields), *(clean(line) for line in exception.splitlines())]
        if self._style is Style.JOURNAL:
            return "\n".join(f"<{SYSLOG.get(level, 6)}>{line}" for line in lines)
        when = datetime.fromisoformat(stamp).astimezone() if stamp else datetime.now().astimezone()
        begin, end = (COLOURS.get(level, ""), END) if self._colour and COLOURS.get(level) else ("", "")
        lines[0] = f"{when:%Y-%m-%d %H:%M:%S} {begin}{level:<8} {lines[0]}{end}"
        return "\n".join(lines)


def sentence(fields: Mapping[str, Any]) -> str:
    """`pv1 device unreachable: no answer within 1 s`, and what else there is as key=value."""
    name = str(fields.get("event", "")).replace("_", " ")
    head = f"{fields['der']} {name}" if fields.get("der") else name
    text = str(fields.get("text") or "")
    text = "" if head.endswith(text) else text
    rest = [f"{key}={value}" for key, value in fields.items() if key not in {"event", "der", "text"}]
    return clean(" ".join([f"{head}: {text}" if text else head, *rest]))


class Log:
    """What takes events, each by its name and with its fields."""

    def __init__(self, name: str) -> None:
        self._to = logging.getLogger(name)

    def log(self, level: int, event: str, /, **fields: Any) -> None:
        """level: a number of `logging`. exc_info among the fields: what was raised; True: what is being handled."""
        self._to.log(level, event, exc_info=fields.pop("exc_info", None), extra={"fields": fields})

    def info(self, event: str, /, **fields: Any) -> None:
        """The course of things."""
        self.log(logging.INFO, event, **fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """Trouble with a device or a link."""
        self.log(logging.WARNING, event, **fields)

    def error(self, event: str, /, **fields: Any) -> None:
        """What a person has to see."""
        self.log(logging.ERROR, event, **fields)

    def exception(self, event: str, /, **fields: Any) -> None:
        """The same, with the exception that is being handled."""
        self.error(event, exc_info=True, **fields)

    def critical(self, event: str, /, **fields: Any) -> None:
        """A bug that ends it."""
        self.log(logging.CRITICAL, event, **fields)


def logger(name: str = "derctl") -> Log:
    """What logs as `derctl`, or below it."""
    return Log(name)
