"""What comes from the broker, before it costs memory, disk or log: of whom, how large it is, and how many come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import InitVar, field
from types import MappingProxyType
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.words import Refusal
from derctl.daemon.commands.answer import NAME_MAX, answer, reply
from derctl.daemon.commands.payload import id_of
from derctl.daemon.commands.row import PAYLOAD_MAX, Heard, unheard
from derctl.daemon.commands.rows import COMMANDS
from derctl.daemon.commands.strangers import NEVER_S, Strangers
from derctl.daemon.log import priority_of
from derctl.site.schema import PrincipalSection
from derctl.store.outbox import Message

BURST = 64
"""Commands of one principal at once, where the site file allows no fewer."""
RATE_PER_S = 5.0
"""And then."""
QUEUED_MAX = 128
"""Commands that wait for their turn, for each principal: none of them takes another's place."""
SAID_S = 1.0
"""How often at most one hears that it is limited."""
LOGGED_S = 60.0
"""How often at most the log says so."""
STOP, STOP_S = "emergency_stop", 1.0
"""It is taken beyond the rate too, so often at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many commands of one principal. place: what says so in the site file."""

    burst: int = BURST
    per_s: float = RATE_PER_S
    place: str = ""

    @property
    def text(self) -> str:
        """What is too much, and who says so."""
        pace = f"{self.per_s:g} a second" if self.per_s >= 1.0 else f"{self.per_s * 60.0:.3g} a minute"
        return f"more than {self.burst} commands at once and {pace}" + (f" ({self.place})" if self.place else "")


@dataclass(slots=True)
class Bucket:
    """tokens: commands that may come now, as of seen_s."""

    seen_s: float
    rate: Rate = field(default_factory=Rate)
    tokens: float = BURST
    said_s: float = NEVER_S
    logged_s: float = NEVER_S
    stopped_s: float = NEVER_S

    def stops(self, now_s: float) -> bool:
        """Whether an emergency stop goes on though there is no room: nobody's own noise may keep it out."""
        if now_s - self.stopped_s < STOP_S:
            return False
        self.stopped_s = now_s
        return True

    def take(self, now_s: float, size: int = 0) -> bool:
        """Whether there is room. size: of the payload; a large one takes as many places as its bytes fill, and no
        more than there are."""
        self.tokens, self.seen_s = self.at(now_s), now_s
        places = float(max(1, min(-(-size // PAYLOAD_MAX), self.rate.burst)))
        if self.tokens < places:
            return False
        self.tokens -= places
        return True

    def at(self, now_s: float) -> float:
        """Tokens at a later time."""
        return min(float(self.rate.burst), self.tokens + self.rate.per_s * (now_s - self.seen_s))


def rates_of(principals: list[PrincipalSection]) -> dict[str, Rate]:
    """Of those to whom the site file gives fewer."""
    found: dict[str, Rate] = {}
    for i, each in enumerate(principals):
        keys = [key for key, value in usual().items() if getattr(each, key) != value]
        if keys:
            place = f"mqtt.principals[{i}]: {', '.join(keys)}"
            found[each.name] = Rate(burst=each.burst, per_s=each.per_minute / 60.0, place=place)
    return found


def usual() -> dict[str, float]:
    """How many come where the site file says nothing, by its keys."""
    return {"burst": BURST, "per_minute": 60.0 * RATE_PER_S}


@dataclass(slots=True)
class Intake:
    """principals: who may command; whoever else does is a stranger, and costs nothing.

    send: takes a reply. stamp: the wall time as text. clock: monotonic. rates: of those that have one of their own.
    heard: takes who was turned away; it is told no more often than the log.
    """

    principals: InitVar[Iterable[str]]
    strangers: Strangers
    send: Callable[[Message], None]
    stamp: Callable[[], str]
    log: Any
    clock: Callable[[], float] = time.monotonic
    rates: InitVar[Mapping[str, Rate]] = MappingProxyType({})
    heard: Heard = unheard
    buckets: dict[str, Bucket] = field(init=False)

    def __post_init__(self, principals: Iterable[str], rates: Mapping[str, Rate]) -> None:
        now_s, usual = self.clock(), Rate()
        each = {name: rates.get(name, usual) for name in principals}
        self.buckets = {name: Bucket(seen_s=now_s, rate=rate, tokens=rate.burst) for name, rate in each.items()}

    @property
    def queued_max(self) -> int:
        """Commands of all principals that wait."""
        return QUEUED_MAX * max(1, len(self.buckets))

    def admits(self, topic: str, payload: bytes, correlation: bytes | None = None) -> bool:
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
        text = _too_large(name, payload)
        if not bucket.take(now_s, 0 if text else len(payload)) and not (name == STOP and bucket.stops(now_s)):
            self._limited(bucket, principal, name, payload, correlation, now_s)
            return False
        if text is not None:
            self._refuse(principal, name, None, Refusal.TOO_LARGE, text, correlation)
            self.heard(principal, name[:NAME_MAX], None, "refused", f"{Refusal.TOO_LARGE}: {text}")
            return False
        return True

    def _limited(
        self, bucket: Bucket, principal: str, name: str, payload: bytes, correlation: bytes | None, now_s: float
    ) -> None:
        text = bucket.rate.text
        self._log(bucket, principal, name, text, now_s)
        if now_s - bucket.said_s >= SAID_S:
            bucket.said_s = now_s
            self._refuse(principal, name, id_of(payload), Refusal.RATE_LIMITED, text, correlation)

    def _refuse(
        self, principal: str, name: str, command_id: str | None, code: Refusal, text: str, correlation: bytes | None
    ) -> None:
        said = reply(command_id, name, "refused", code, text, self.stamp()) | {"n": 1, "last": True}
        self.send(answer(principal, said, correlation))

    def _log(self, bucket: Bucket, principal: str, name: str, text: str, now_s: float) -> None:
        if now_s - bucket.logged_s >= LOGGED_S:
            bucket.logged_s = now_s
            self.log.log(priority_of("command"), "command", text=f"{principal}: {text}: {Refusal.RATE_LIMITED}")
            self.heard(principal, name[:NAME_MAX], None, "refused", f"{Refusal.RATE_LIMITED}: {text}")


def _too_large(name: str, payload: bytes) -> str | None:
    most = COMMANDS[name].payload_max if name in COMMANDS else PAYLOAD_MAX
    if len(payload) > most:
        of = f"of {name}" if name in COMMANDS else "of a command"
        return f"{len(payload)} bytes are more than the {most} {of}"
    return f"its name has {len(name)} characters, more than {NAME_MAX}" if len(name) > NAME_MAX else None
