"""structlog with priorities: words on a terminal and in the journal, JSON on request. A log write never runs on the
loop's path."""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import Any, TextIO

import structlog

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
    "signing_key_made": "info",
    "signing_key_unvouched": "warning",
    "site_file_changed": "info",
    "site_file_refused": "error",
    "site_file_reloaded": "info",
    "site_file_unchanged": "info",
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


class Lines(logging.handlers.QueueListener):
    """The thread that writes them. One that nobody reads holds up nobody, the end neither."""

    def stop(self, seconds: float | None = None) -> None:
        """Write what is left, for so long at most."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self.enqueue_sentinel()
            thread.join(seconds)

    def enqueue_sentinel(self) -> None:
        """Where the queue is full its thread hangs, and there is no end to wait for."""
        with suppress(queue.Full):
            super().enqueue_sentinel()


def configure(*, level: str = "info", style: Style | None = None) -> Lines:
    """Log to stderr through a queue and a thread of its own. Returns the listener; stop it at the end."""
    style = style_of(sys.stderr, os.environ) if style is None else style
    colour = style is Style.WORDS and sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _caught,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = structlog.processors.JSONRenderer() if style is Style.JSON else Words(style, colour=colour)
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _traceback, renderer],
        )
    )
    lines: queue.Queue[Any] = queue.Queue(LINES_MAX)
    root = logging.getLogger("derctl")
    root.setLevel(level.upper())
    for each in (root, logging.getLogger("asyncio")):  # what has no handler is written to stderr by who logs it
        each.handlers[:] = [_Unformatted(lines)]
        each.propagate = False
    logging.getLogger("asyncio").handlers[0].addFilter(SeldomAgain())  # its lines can come with every frame
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level.upper()),
        cache_logger_on_first_use=True,
    )
    listener = Lines(lines, stream, respect_handler_level=True)
    listener.start()
    return listener


class Words:
    """A structlog renderer: `15:11:04 warning  pv1 device unreachable: no answer within 1 s`.

    The journal has its own time and takes the priority from `<4>`, before each line of what has several.
    """

    def __init__(self, style: Style, *, colour: bool = False) -> None:
        self._style = style
        self._colour = colour

    def __call__(self, logger: object, method: str, fields: MutableMapping[str, Any]) -> str:
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


class _Unformatted(logging.handlers.QueueHandler):
    """Hands records over as they are: formatting is the thread's work."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """What nobody reads is lost, before it costs memory."""
        with suppress(queue.Full):
            super().enqueue(record)


def _caught(logger: object, method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The exception itself, while it is at hand: in the thread that formats there is none."""
    if fields.get("exc_info") is True:
        fields["exc_info"] = sys.exc_info()
    return fields


_traceback = structlog.processors.format_exc_info


def logger(name: str = "derctl") -> Any:
    """A structlog logger below `derctl`."""
    return structlog.get_logger(name)
