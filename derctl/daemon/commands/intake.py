"""What comes from the broker, before it costs memory, disk or log: of whom, how large it is, and how many come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import InitVar, dataclass, field
from typing import Any

import msgspec

from derctl.core.words import Refusal
from derctl.daemon.commands.desk import NAME_MAX, reply
from derctl.daemon.commands.strangers import NEVER_S, Strangers
from derctl.daemon.log import priority_of
from derctl.daemon.report.telemetry import encode
from derctl.store.outbox import Message

PAYLOAD_MAX = 8192
"""Bytes of a command."""
BURST = 64
"""Commands of one principal at once."""
RATE_PER_S = 5.0
"""And then."""
QUEUED_MAX = 128
"""Commands that wait for their turn, for each principal: none of them takes another's place."""
SAID_S = 1.0
"""How often at most one hears that it is limited."""
LOGGED_S = 60.0
"""How often at most the log says so."""


@dataclass(slots=True)
class Bucket:
    """tokens: commands that may come now, as of seen_s."""

    seen_s: float
    tokens: float = BURST
    said_s: float = NEVER_S
    logged_s: float = NEVER_S

    def take(self, now_s: float) -> bool:
        """Whether there is one left."""
        self.tokens, self.seen_s = self.at(now_s), now_s
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True

    def at(self, now_s: float) -> float:
        """Tokens at a later time."""
        return min(float(BURST), self.tokens + RATE_PER_S * (now_s - self.seen_s))


class _Id(msgspec.Struct, frozen=True):
    id: str | None = None


@dataclass(slots=True)
class Intake:
    """principals: who may command; whoever else does is a stranger, and costs nothing.

    send: takes a reply. stamp: the wall time as text. clock: monotonic.
    """

    principals: InitVar[Iterable[str]]
    strangers: Strangers
    send: Callable[[Message], None]
    stamp: Callable[[], str]
    log: Any
    clock: Callable[[], float] = time.monotonic
    buckets: dict[str, Bucket] = field(init=False)

    def __post_init__(self, principals: Iterable[str]) -> None:
        now_s = self.clock()
        self.buckets = {name: Bucket(seen_s=now_s) for name in principals}

    @property
    def queued_max(self) -> int:
        """Commands of all principals that wait."""
        return QUEUED_MAX * max(1, len(self.buckets))

    def admits(self, topic: str, payload: bytes) -> bool:
        """Whether it is a command that may cost something. What is refused here is answered here."""
        parts = topic.split("/", 3)
        if len(parts) != 3 or parts[0] != "cmd" or not payload:  # nothing: a retained message is taken back
            return False
        _, principal, name = parts
        now_s = self.clock()
        bucket = self.buckets.get(principal)
        if bucket is None:
            self.strangers.came(principal, now_s)
            return False
        if not bucket.take(now_s):
            self._limited(bucket, principal, name, payload, now_s)
            return False
        text = _too_large(name, payload)
        if text is not None:
            self._refuse(principal, name, None, Refusal.TOO_LARGE, text)
            return False
        return True

    def _limited(self, bucket: Bucket, principal: str, name: str, payload: bytes, now_s: float) -> None:
        text = f"more than {BURST} commands at once and {RATE_PER_S:g} a second"
        self._log(bucket, f"{principal}: {text}", now_s)
        if now_s - bucket.said_s >= SAID_S:
            bucket.said_s = now_s
            self._refuse(principal, name, _id_of(payload), Refusal.RATE_LIMITED, text)

    def _refuse(self, principal: str, name: str, command_id: str | None, code: Refusal, text: str) -> None:
        answer = reply(command_id, name, "refused", code, text, self.stamp())
        self.send(Message(topic=f"reply/{principal}", payload=encode(answer), qos=1))

    def _log(self, bucket: Bucket, text: str, now_s: float) -> None:
        if now_s - bucket.logged_s >= LOGGED_S:
            bucket.logged_s = now_s
            self.log.log(priority_of("command"), "command", text=f"{text}: {Refusal.RATE_LIMITED}")


def _too_large(name: str, payload: bytes) -> str | None:
    if len(payload) > PAYLOAD_MAX:
        return f"{len(payload)} bytes are more than the {PAYLOAD_MAX} of a command"
    return f"its name has {len(name)} characters, more than {NAME_MAX}" if len(name) > NAME_MAX else None


def _id_of(payload: bytes) -> str | None:
    if len(payload) > PAYLOAD_MAX:
        return None
    try:
        return msgspec.json.decode(payload, type=_Id).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
