"""Tells the owner of a limit or setpoint when it starts or stops binding: on a topic of its own, and as an event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, fields
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.delivery import Delivery, step
from derctl.core.requests import COMMON, Request
from derctl.core.text import UNSAID, WAYS, power_text, wish
from derctl.core.types import Tick
from derctl.core.words import Standing
from derctl.daemon.commands.answer import answer, reply
from derctl.daemon.commands.row import LOCAL_ID
from derctl.daemon.report.telemetry import encode
from derctl.daemon.requests import Requests
from derctl.store.outbox import Message

DELIVERED = "delivered"
"""Of an interval that is over: what was measured while it lasted."""
UNTOLD = frozenset({"id", "by", "kind", "aimed", "at_poc"})
TOLD_APART = ("requested_w", "desired_w", "accepted_w")
"""Of a target, beside what was measured."""
SAYS = {
    Standing.BINDS: "binds now",
    Standing.WAITS: "waits: a tighter one binds",
    Standing.EXPIRED: "has ended",
    Standing.CLEARED: "was cleared",
    Standing.OPTED_OUT: "was opted out of",
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


@dataclass(slots=True)
class Deliveries:
    """What became of each interval of a schedule, answered to its sender when it is over. send, stamp: as Notices'.
    between: by whom and its id, where the answer stands among those of its command (Stories). writes: whether what is
    decided is written; else nobody decides anything."""

    send: Callable[[Message], None]
    stamp: Callable[[], str]
    between: Callable[[str, str], tuple[dict[str, Any], bytes | None]]
    writes: Callable[[], bool] = lambda: True
    lasting: dict[tuple[str, str], Delivery] = field(default_factory=dict)

    def look(self, tick: Tick) -> None:
        """Once a tick. Those over the socket are seen in `status` alone."""
        decisions = tick.decisions if self.writes() else ()
        self.lasting, over = step(self.lasting, tick.state, decisions, tick.dt_s)
        for each in over:
            if not each.id.startswith(LOCAL_ID):
                place, correlation = self.between(each.by, each.id)
                content = reply(each.id, each.kind, DELIVERED, None, said(each), self.stamp()) | place
                self.send(answer(each.by, content | {"delivered": delivered(each)}, correlation))


def delivered(each: Delivery) -> dict[str, Any]:
    """Plain values of it, to a thousandth."""
    own = {item.name: getattr(each, item.name) for item in fields(each) if item.name not in UNTOLD}
    held = {by: round(seconds, 3) for by, seconds in each.held}
    aimed = {name: None if each.aimed is None else getattr(each.aimed, name) for name in TOLD_APART}
    plain = own | {"held": held, "mean_w": each.mean_w} | aimed
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in plain.items()}


def said(each: Delivery) -> str:
    """In words."""
    ways = WAYS["poc_target_w" if each.at_poc else "p_target_w"]
    mean = "nothing was measured" if each.mean_w is None else f"{power_text(each.mean_w, *ways)} in the mean"
    who = "".join(f"; {by} decided for {seconds:.0f} s" for by, seconds in each.held)
    asked = "" if each.aimed is None else f" (asked for: {power_text(each.aimed.requested_w, *ways)})"
    return f"interval {each.part} of {each.parts}: {mean}{asked}{who}"


def named(request: Request) -> str:
    """Whose, what, and how much."""
    own = {item.name: getattr(request, item.name) for item in fields(request) if item.name not in COMMON}
    of = ": " if getattr(request, "part", None) is not None else " of "
    asked = f"{of}{wish(own)}" if any(value is not None for key, value in own.items() if key not in UNSAID) else ""
    return f"{request.by}'s {request.called}{asked} for {request.der or 'the site'}"
