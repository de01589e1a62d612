"""Where commands come in: the envelope's checks. Each command is admitted or refused, and answered."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import msgspec

from derctl.core.types import LOCAL
from derctl.core.words import Refusal
from derctl.daemon.clock import Clock, text_of
from derctl.daemon.commands.arguments import convert
from derctl.daemon.commands.row import Command, Order, Reach, saved
from derctl.daemon.commands.rows import COMMANDS
from derctl.daemon.log import priority_of
from derctl.daemon.report.telemetry import encode
from derctl.errors import CommandError
from derctl.store.answered import ANYBODY, EXPIRES_MAX_S, Answered, alive, noted, objection
from derctl.store.outbox import Message

EARLY_S = 30.0
"""How far in the future a command may be issued: clocks differ."""
UNSAID = frozenset({"id", "issued_at"})
"""What of a command the log leaves out."""
LOCAL_ID = "local-"
"""How the id of a command over the socket begins."""
ID_MAX = 128
"""Characters of an id: it is remembered, saved and sent back."""

NAME_MAX = 64
REPLY_MAX = 8192
"""Characters of a command's name, and of a reply's text."""
LOGGED_MAX = 200
"""Characters of a command that the log keeps."""


class Envelope(msgspec.Struct, kw_only=True, frozen=True):
    """What every command carries."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=ID_MAX)]
    issued_at: datetime
    expires_s: float


def unheard(what: str, who: str, text: str, **more: Any) -> None:
    """Of a desk without an audit log."""


async def at_once() -> None:
    """The same."""


@dataclass(slots=True)
class Desk:
    """Where commands come in. may_arm: principals that may do so over MQTT.

    seen: by principal what was answered, so that a repeated one is refused, across restarts.
    note, kept: the audit log (daemon/auditing): takes what was asked for and what became of it; returns when that is
    on disk, which is before the answer.
    """

    reach: Reach
    clock: Clock
    log: Any
    seen: dict[str, Answered] = field(default_factory=dict)
    may_arm: frozenset[str] = frozenset()
    locals: int = 0
    note: Callable[..., None] = unheard
    kept: Callable[[], Awaitable[None]] = at_once

    def on_mqtt(self, send: Callable[[Message], None]) -> Callable[[str, bytes, bool], Coroutine[Any, Any, None]]:
        """What the broker's session calls for each message; send: takes the reply."""

        async def take(topic: str, payload: bytes, retained: bool) -> None:
            parts = topic.split("/")
            if len(parts) != 3 or parts[0] != "cmd" or not payload:  # nothing: a retained message is taken back
                return
            _, principal, name = parts
            answer = await self.by_mqtt(principal, name, payload, retained)
            send(Message(topic=f"reply/{principal}", payload=encode(answer), qos=1))

        return take

    async def by_mqtt(self, principal: str, name: str, payload: bytes, retained: bool) -> dict[str, Any]:
        """A command as it came from the broker. Never raises: the reply says what became of it."""
        command_id: str | None = None
        fields: dict[str, Any] = {}
        try:
            if retained:
                raise CommandError(Refusal.RETAINED, "a retained message is not a command")
            fields = _fields(payload)
            command_id = fields["id"] if isinstance(fields.get("id"), str) else None
            text = await self._take(principal, name, dict(fields))
        except CommandError as error:
            self._log(principal, name, fields, error)
            await self.kept()
            confirm = {} if error.confirm is None else {"confirm": error.confirm}
            return reply(command_id, name, "refused", error.code, str(error), self.clock.stamp()) | confirm
        self._log(principal, name, fields)
        await self.kept()
        return reply(command_id, name, "admitted", None, text, self.clock.stamp())

    async def local(self, name: str, args: Mapping[str, Any], by: str = LOCAL) -> str:
        """A command over the unix socket: issued now, alive for expires_s (default 1 h). Raises CommandError."""
        try:
            text = await self._take_local(by, name, dict(args))
        except CommandError as error:
            self._log(by, name, args, error)
            await self.kept()
            raise
        self._log(by, name, args)
        await self.kept()
        return text

    async def _take_local(self, by: str, name: str, fields: dict[str, Any]) -> str:
        command = _row(name)
        seconds = fields.pop("expires_s", 3600.0)
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not number or not 0.0 < seconds <= EXPIRES_MAX_S:
            raise CommandError(Refusal.OUT_OF_RANGE, _no_life(seconds))
        self.locals += 1
        order = Order(
            id=f"{LOCAL_ID}{self.clock.stamp()}-{self.locals}",
            by=by,
            seconds=seconds,
            until=self._until(seconds),
            args=convert(fields, command.args),
        )
        return await self._apply(command, order)

    async def _take(self, principal: str, name: str, fields: dict[str, Any]) -> str:
        command = _row(name)
        if command.arms and principal not in self.may_arm:
            raise CommandError(
                Refusal.MAY_NOT_ARM, f"the site file does not let {principal} {name} over MQTT (may_arm)"
            )
        for key in ("id", "issued_at", "expires_s"):
            if key not in fields:
                raise CommandError(Refusal.MISSING, f"{key} is missing")
        envelope = convert({key: fields.pop(key) for key in ("id", "issued_at", "expires_s")}, Envelope)
        if envelope.issued_at.tzinfo is None:
            raise CommandError(Refusal.BAD_ARGUMENT, "issued_at needs a time zone, such as Z")
        seconds = self._life(command, envelope)
        self._check_new(principal, envelope)
        args = convert(fields, command.args)
        if command.saved:
            self._remember(principal, envelope)
        until, synced = self._until(seconds), self.clock.synced
        order = Order(id=envelope.id, by=principal, seconds=seconds, until=until, args=args, synced=synced)
        return await self._apply(command, order)

    async def _apply(self, command: Command, order: Order) -> str:
        done = await command.apply(self.reach, order)
        return await saved(self.reach, done) if command.saved else done.text

    def _until(self, seconds: float) -> str:
        return text_of(datetime.fromtimestamp(self.clock.wall() + seconds, tz=self.clock.now().tzinfo))

    def _log(self, by: str, name: str, fields: Mapping[str, Any], error: CommandError | None = None) -> None:
        """Who asked for what, with its values, and what became of it. What came is cut: a person may have sent it."""
        given = [f"{key}={_value(value)}" for key, value in fields.items() if key not in UNSAID and value is not None]
        word = "admitted" if error is None else f"refused ({error.code}: {str(error).splitlines()[0][:LOGGED_MAX]})"
        text = f"{by}: {' '.join((name, *given))}"[:LOGGED_MAX]
        self.log.log(priority_of("command"), "command", text=f"{text}: {word}")
        what, code = ("command", None) if error is None else ("refusal", error.code)
        self.note(what, by, f"{text}: {word}", command=name[:NAME_MAX], code=code, arguments=dict(fields))

    def _life(self, command: Command, envelope: Envelope) -> float:
        """Seconds it has left; a restrictive one lives its whole duration from now where the clock isn't set."""
        if not 0.0 < envelope.expires_s <= EXPIRES_MAX_S:
            raise CommandError(Refusal.OUT_OF_RANGE, _no_life(envelope.expires_s))
        if not self.clock.synced:
            if command.relaxing:
                raise CommandError(Refusal.CLOCK_UNSYNCED, "the clock is not set yet: relaxing commands wait")
            return envelope.expires_s
        age = self.clock.wall() - envelope.issued_at.timestamp()
        if age < -EARLY_S:
            raise CommandError(Refusal.NOT_YET_VALID, f"issued {-age:.0f} s in the future")
        if age >= envelope.expires_s:
            raise CommandError(Refusal.EXPIRED, f"issued {age:.0f} s ago, valid for {envelope.expires_s:g} s")
        return envelope.expires_s - max(age, 0.0)

    def _check_new(self, principal: str, envelope: Envelope) -> None:
        """Raises CommandError: it was answered before, or may have been."""
        for who in (principal, ANYBODY):
            text = objection(self.seen.get(who, Answered()), envelope.id, envelope.issued_at.timestamp())
            if text is not None:
                raise CommandError(Refusal.REPLAYED, text)

    def _remember(self, principal: str, envelope: Envelope) -> None:
        """Until its replay is too old by its own word. A clock that isn't set can't tell that of any."""
        if self.clock.synced:
            left = {who: alive(answered, self.clock.wall()) for who, answered in self.seen.items()}
            self.seen = {who: answered for who, answered in left.items() if answered is not None}
        issued = envelope.issued_at.timestamp()
        before = self.seen.get(principal, Answered())
        self.seen[principal] = noted(before, envelope.id, issued, issued + envelope.expires_s)


def reply(command_id: str | None, name: str, result: str, code: str | None, text: str, stamp: str) -> dict[str, Any]:
    """What goes to reply/{principal}, none of it longer than it may be."""
    kept = command_id if command_id is None or len(command_id) <= ID_MAX else None
    text, name = text[:REPLY_MAX], name[:NAME_MAX]
    return {"id": kept, "command": name, "result": result, "code": code, "text": text, "t": stamp}


def _value(value: Any) -> str:
    """As the sender wrote it: text without quotes, the rest as JSON has it."""
    if isinstance(value, float):
        return f"{value:.10g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _fields(payload: bytes) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(Refusal.BAD_JSON, str(error)) from error
    if not isinstance(fields, dict):
        raise CommandError(Refusal.BAD_JSON, "expected an object")
    return fields


def _no_life(seconds: Any) -> str:
    number = isinstance(seconds, float) or (type(seconds) is int and abs(seconds) < 10**18)
    shown = f"{seconds:.10g}" if number else str(seconds)[:ID_MAX]
    return f"expires_s = {shown} is outside 0 to {EXPIRES_MAX_S:.10g} s, which is {EXPIRES_MAX_S / 86400.0:g} days"


def _row(name: str) -> Command:
    if name not in COMMANDS:
        raise CommandError(
            Refusal.UNKNOWN_COMMAND, f"no command {name[:NAME_MAX]!r}; known are {', '.join(COMMANDS)}"
        )
    return COMMANDS[name]
