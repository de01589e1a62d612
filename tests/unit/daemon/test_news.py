"""What a person may want to know reaches the log with its priority, `status` and the broker."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from derctl.daemon.news import News
from derctl.daemon.report.telemetry import Telemetry
from derctl.store.outbox import Outbox


class Book:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, str | None, str]] = []

    def log(self, level: int, event: str, *, der: str | None, text: str) -> None:
        self.lines.append((level, event, der, text))


def test_trouble_is_a_warning_in_the_log_and_its_end_is_none() -> None:
    book, outbox = Book(), Outbox()
    kept: list[Mapping[str, Any]] = []
    hearers = [lambda event: outbox.put(Telemetry.event(event)), kept.append]
    news = News(book, lambda: "2026-11-21T12:00:00.000Z", hearers)
    news.tell("device_unreachable", "pv1", "no answer within 1 s")
    news.tell("broker_lost", "", "Connection refused")
    news.tell("broker_connected", "", "connected")
    assert book.lines == [
        (logging.WARNING, "device_unreachable", "pv1", "no answer within 1 s"),
        (logging.WARNING, "broker_lost", None, "Connection refused"),
        (logging.INFO, "broker_connected", None, "connected"),
    ]
    assert [message.topic for message in outbox.ordered] == ["event", "event", "event"]
    assert kept == [*news.events] == [json.loads(message.payload) for message in outbox.ordered]
    assert [event["event"] for event in news.events] == ["device_unreachable", "broker_lost", "broker_connected"]
