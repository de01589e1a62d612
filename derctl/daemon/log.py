"""structlog: readable on a terminal, JSON under systemd. A log write never runs on the loop's path."""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import sys
from typing import Any

import structlog


def configure(*, level: str = "info", json_lines: bool | None = None) -> logging.handlers.QueueListener:
    """Log to stderr through a queue and a thread of its own. Returns the listener; stop it at the end."""
    if json_lines is None:
        json_lines = "JOURNAL_STREAM" in os.environ or not sys.stderr.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = structlog.processors.JSONRenderer() if json_lines else structlog.dev.ConsoleRenderer()
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _traceback, renderer],
        )
    )
    lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
    root = logging.getLogger("derctl")
    root.handlers[:] = [_Unformatted(lines)]
    root.setLevel(level.upper())
    root.propagate = False
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level.upper()),
        cache_logger_on_first_use=True,
    )
    listener = logging.handlers.QueueListener(lines, stream, respect_handler_level=True)
    listener.start()
    return listener


class _Unformatted(logging.handlers.QueueHandler):
    """Hands records over as they are: formatting is the thread's work."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record


_traceback = structlog.processors.format_exc_info


def logger(name: str = "derctl") -> Any:
    """A structlog logger below `derctl`."""
    return structlog.get_logger(name)
