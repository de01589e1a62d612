"""Tells the owner of a limit or setpoint when it starts or stops binding: on a topic of its own, and as an event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from derctl.core.text import amount
from derctl.core.types import COMMON, Request
from derctl.core.words import Standing
from derctl.daemon.commands.answer import reply
from derctl.daemon.commands.row import LOCAL_ID
from derctl.daemon.report.telemetry import encode
from derctl.daemon.requests import Requests
from derctl.store.outbox import Message

SAYS = {
    Standing.BINDS: "binds now",
    Standing.WAITS: "waits: a tighter one binds",
    Standing.EXPIRED: "has ended",
    Standing.CLEARED: "was cleared",
    Standing.REPLACED: "was replaced by a later one",
}


@dataclass(slots=True)
class Notices:
    """send: takes what goes to the broker, if there is one. tell: what News takes. stamp: the wall time as text."""

    requests: Requests
    send: Callable[[Message], None]
    tell: Callable[[str, str, str], None]
    stamp: Callable[[], str]

    def look(self) -> None:
        """Once a tick. Who asked over the socket has no topic, and sees the event."""
        for request, standing in self.requests.news():
            self.tell("request_changed", request.der or "", f"{named(request)} {SAYS[standing]}")
            if not request.id.startswith(LOCAL_ID):
                text = f"{named(request)} {SAYS[standing]}"
                payload = reply(request.id, request.kind, standing, None, text, self.stamp())
                self.send(Message(topic=f"notice/{request.by}", payload=encode(payload), qos=1))


def named(request: Request) -> str:
    """Whose, what, and how much."""
    own = (item.name for item in fields(request) if item.name not in COMMON)
    asked = ", ".join(amount(name, getattr(request, name)) for name in own)
    return f"{request.by}'s {request.called} of {asked} for {request.der or 'the site'}"
