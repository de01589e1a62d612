"""Where commands come in: the envelope's checks. Each command is admitted or refused, and answered."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any, Protocol

from derctl.core.dataclass import dataclass
from derctl.core.requests import LOCAL
from derctl.core.words import Refusal
from derctl.daemon.clock import Clock, text_of
from derctl.daemon.commands.answer import CORRELATION_MAX, NAME_MAX, answer, reply
from derctl.daemon.commands.arguments import convert
from derctl.daemon.commands.brief import brief
from derctl.daemon.commands.envelope import Envelope, envelope_of, no_life
from derctl.daemon.commands.payload import fields_of, id_of
from derctl.daemon.commands.rights import Rights
from derctl.daemon.commands.row import LOCAL_ID, Command, Heard, Order, Reach, saved, unheard
from derctl.daemon.commands.rows import COMMANDS
from derctl.daemon.commands.stories import Stories
from derctl.daemon.commands.written import later
from derctl.daemon.log import priority_of
from derctl.daemon.waiting import Waiter
from derctl.errors import CommandError
from derctl.store.answered import ANYBODY, EXPIRES_MAX_S, Answered, alive, noted, objection
from derctl.store.outbox import Message

UNTIL_SET = "until the clock is set: it may let more power through"
UNSAID = frozenset({"id", "issued_at"})
"""What of a command the log leaves out."""
LOGGED_MAX = 200
"""Characters of a command that the log keeps."""


class Take(Protocol):
    """What the broker's session calls for each message."""

    def __call__(
        self, topic: str, payload: bytes, retained: bool, correlation: bytes | None = None
    ) -> Coroutine[Any, Any, None]: ...


def unnoted(what: str, who: str, text: str, **more: Any) -> None:
    """Of a desk without an audit log."""


async def at_once() -> None:
    """The same."""


@dataclass(slots=True)
class Desk:
    """Where commands come in. may_arm: principals that may do so over MQTT, where nobody has `rights`.

    seen: by principal what was answered, so that a repeated one is refused, across restarts.
    note, kept: the audit log (daemon/auditing): takes what was asked for and what became of it; returns when that is
    on disk, which is before the answer. turned_away: the same of what was not even read.
    rights: what each principal may over MQTT, by its name; None: the site file was not asked.
    opened: a payload's fields, once its signature is good (principal, command, payload). Raises CommandError.
    stories: tells on what became of what was admitted.
    before: returns when nobody is in front who waited for the clock. later: puts one there who has to
    (commands/line); None: it is refused.
    """

    reach: Reach
    clock: Clock
    log: Any
    seen: dict[str, Answered] = field(default_factory=dict)
    may_arm: frozenset[str] = frozenset()
    locals: int = 0
    note: Callable[..., None] = unnoted
    kept: Callable[[], Awaitable[None]] = at_once
    turned_away: Heard = unheard
    rights: Mapping[str, Rights] | None = None
    opened: Callable[[str, str, bytes], dict[str, Any]] = lambda principal, name, payload: fields_of(payload)
    stories: Stories | None = None
    before: Callable[[], Awaitable[None]] = at_once
    later: Callable[..., Awaitable[dict[str, Any]]] | None = None

    def on_mqtt(self, send: Callable[[Message], None]) -> Take:
        """What the broker's session calls for each message; send: takes the reply."""

        async def take(topic: str, payload: bytes, retained: bool, correlation: bytes | None = None) -> None:
            parts = topic.split("/")
            if len(parts) != 3 or parts[0] != "cmd" or not payload:  # nothing: a retained message is taken back
                return
            _, principal, name = parts
            content = await self.by_mqtt(principal, name, payload, retained, correlation)
            send(answer(principal, content, correlation))

        return take

    async def by_mqtt(
        self, principal: str, name: str, payload: bytes, retained: bool, correlation: bytes | None = None
    ) -> dict[str, Any]:
        """A command as it came from the broker. Never raises: the reply says what became of it."""
        command_id: str | None = None
        fields: dict[str, Any] = {}
        try:
            if retained:
                raise CommandError(Refusal.RETAINED, "a retained message is not a command")
            if correlation is not None and len(correlation) > CORRELATION_MAX:
                text = f"correlation data of {len(correlation)} bytes, more than {CORRELATION_MAX}"
                raise CommandError(Refusal.TOO_LARGE, text)
            fields = self.opened(principal, name, payload)
            command_id = fields["id"] if isinstance(fields.get("id"), str) else None
            await self.before()
            text = await self.take(principal, name, dict(fields), correlation)
        except CommandError as error:
            if error.code == Refusal.CLOCK_UNSYNCED and COMMANDS[name].waits and self.later is not None:
                return await self.later(principal, name, fields, correlation)
            return await self.answered(principal, name, command_id or id_of(payload), fields, error)
        return await self.answered(principal, name, command_id, fields, text)

    async def answered(
        self,
        by: str,
        name: str,
        command_id: str | None,
        fields: Mapping[str, Any],
        became: str | CommandError,
        n: int = 1,
    ) -> dict[str, Any]:
        """Noted, and in words. became: its text, or why it is refused."""
        error = became if isinstance(became, CommandError) else None
        self.log_it(by, name, fields, error)
        await self.kept()
        stamp = self.clock.stamp()
        if error is not None:
            confirm = {} if error.confirm is None else {"confirm": error.confirm}
            said = reply(command_id, name, "refused", error.code, str(error), stamp)
            return said | {"n": n, "last": True} | confirm
        more = self.stories is not None and self.stories.admitted(by, command_id or "", stamp)
        return reply(command_id, name, "admitted", None, str(became), stamp) | {"n": n, "last": not more}

    async def local(self, name: str, args: Mapping[str, Any], by: str = LOCAL) -> str:
        """A command over the unix socket: issued now, alive for expires_s (default 1 h). Raises CommandError."""
        try:
            text = await self._take_local(by, name, dict(args))
        except CommandError as error:
            self.log_it(by, name, args, error)
            await self.kept()
            raise
        self.log_it(by, name, args)
        await self.kept()
        return text

    async def _take_local(self, by: str, name: str, fields: dict[str, Any]) -> str:
        command = _row(name)
        seconds = fields.pop("expires_s", 3600.0)
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not number or not 0.0 < seconds <= EXPIRES_MAX_S:
            raise CommandError(Refusal.OUT_OF_RANGE, no_life("expires_s", seconds))
        self.locals += 1
        order = Order(
            id=f"{LOCAL_ID}{self.clock.stamp()}-{self.locals}",
            by=by,
            seconds=seconds,
            until=_until(self.clock, seconds),
            args=convert(dict(command.plain(fields)), command.args),
        )
        return await self._apply(command, order)

    async def take(
        self,
        principal: str,
        name: str,
        fields: dict[str, Any],
        correlation: bytes | None,
        waiter: Waiter | None = None,
    ) -> str:
        """waiter: it has waited, and was looked at before. Raises CommandError."""
        command, rights = _row(name), _rights_of(self.rights, principal)
        if rights is not None:
            rights.check_command(name, command)
        elif command.arms and principal not in self.may_arm:
            raise CommandError(
                Refusal.MAY_NOT_ARM, f"the site file does not let {principal} {name} over MQTT (may_arm)"
            )
        envelope = envelope_of(fields)
        synced = self.clock.synced
        seconds = self._life(command, envelope)
        if waiter is None:
            self._check_new(principal, envelope)
        fields = dict(command.plain(fields))
        args = convert(fields, command.args)
        if rights is not None:
            rights.check_values(command, fields, envelope.life_s)
        if command.saved and waiter is None:
            self._remember(principal, envelope)
        if command.relaxing and not synced:
            raise CommandError(Refusal.CLOCK_UNSYNCED, UNTIL_SET)
        order = Order(
            id=envelope.id,
            by=principal,
            seconds=seconds,
            until=_until(self.clock, seconds) if synced else _by_sender(envelope),
            args=args,
            synced=synced,
            others=rights is None or rights.others,
            knew=None if waiter is None else frozenset(waiter.knew),
        )
        return await self._told(command, name, order, correlation)

    async def _told(self, command: Command, name: str, order: Order, correlation: bytes | None) -> str:
        """With its story, which is saved with it."""
        stories, n = self.stories, 1 if order.knew is None else 2
        if stories is None or not command.saved or not stories.begin(order.by, order.id, name, correlation, n=n):
            return await self._apply(command, order)
        try:
            return await self._apply(command, order)
        except BaseException:
            stories.forget(order.by, order.id)
            raise

    async def _apply(self, command: Command, order: Order) -> str:
        done = await command.apply(self.reach, order)
        return await saved(self.reach, done) if command.saved else done.text

    def log_it(
        self,
        by: str,
        name: str,
        fields: Mapping[str, Any],
        error: CommandError | None = None,
        word: str = "admitted",
    ) -> None:
        """Who asked for what, with its values, and what became of it. What came is cut: a person may have sent it."""
        given = [f"{key}={_value(value)}" for key, value in fields.items() if key not in UNSAID and value is not None]
        word = word if error is None else f"refused ({error.code}: {str(error).splitlines()[0][:LOGGED_MAX]})"
        text = f"{by}: {' '.join((name, *given))}"[:LOGGED_MAX]
        self.log.log(priority_of("command"), "command", text=f"{text}: {word}")
        what, code = ("command", None) if error is None else ("refusal", error.code)
        if error is not None or COMMANDS[name].saved:  # what only answers costs a card nothing
            self.note(what, by, f"{text}: {word}", command=name[:NAME_MAX], code=code, arguments=brief(fields))

    def _life(self, command: Command, envelope: Envelope) -> float:
        """Seconds it has left; a restrictive one lives its whole duration from now where the clock isn't set."""
        if self.clock.synced:
            return envelope.left_s(self.clock.wall())
        if command.relaxing and not command.waits:
            raise CommandError(Refusal.CLOCK_UNSYNCED, "the clock is not set yet: this one can't wait for it")
        return envelope.life_s

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
        self.seen[principal] = noted(before, envelope.id, issued, issued + envelope.life_s)


def _rights_of(rights: Mapping[str, Rights] | None, principal: str) -> Rights | None:
    """None: the site file was not asked. Raises CommandError for one that it lists no more."""
    if rights is None:
        return None
    if principal not in rights:
        raise CommandError(Refusal.NOT_PERMITTED, f"{principal} is not under mqtt.principals in the site file")
    return rights[principal]


def _by_sender(envelope: Envelope) -> str:
    """Its end by its sender's clock: what else it says of times counts from there."""
    return text_of(later(envelope.issued_at, timedelta(seconds=envelope.life_s), "issued_at"))


def _until(clock: Clock, seconds: float) -> str:
    return text_of(datetime.fromtimestamp(clock.wall() + seconds, tz=clock.now().tzinfo))


def _value(value: Any) -> str:
    """As the sender wrote it: text without quotes, the rest as JSON has it."""
    if isinstance(value, float):
        return f"{value:.10g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _row(name: str) -> Command:
    if name not in COMMANDS:
        raise CommandError(
            Refusal.UNKNOWN_COMMAND, f"no command {name[:NAME_MAX]!r}; known are {', '.join(COMMANDS)}"
        )
    return COMMANDS[name]
