"""Operator commands: one table for MQTT, the socket and the CLI. Each is admitted or refused, and answered."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Protocol

import msgspec

from derctl.core.types import LOCAL, BatteryRequest, LimitRequest, SiteState
from derctl.daemon.clock import Clock, text_of
from derctl.daemon.requests import Requests
from derctl.errors import CommandError

SEEN_MAX = 1000
EARLY_S = 30.0
"""How far in the future a command may be issued: clocks differ."""
EXPIRES_MAX_S = 7 * 86400.0
ID_MAX = 128
"""Characters of an id: it is remembered, saved and sent back."""


class Envelope(msgspec.Struct, kw_only=True, frozen=True):
    """What every command carries."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=ID_MAX)]
    issued_at: datetime
    expires_s: float


class LimitPower(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """limit_power."""

    p_ceiling_w: float
    der: str | None = None


class SetBatteryPower(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """set_battery_power; + discharges."""

    der: str
    p_target_w: float


class Clear(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """clear."""

    der: str | None = None


class Nothing(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A command without arguments."""


class Site(Protocol):
    """What a command may touch."""

    requests: Requests

    def state(self) -> SiteState: ...
    def has_function(self, kind: str, der: str | None) -> bool: ...
    async def arm(self) -> str: ...
    async def disarm(self) -> str: ...
    def changed(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command that passed the envelope's checks. by: the principal who sent it.

    seconds: what is left of its life. synced: its age was checked.
    """

    id: str
    by: str
    seconds: float
    until: str
    args: Any
    synced: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One row. relaxing: it may let more power through, so it waits for a clock that can be believed."""

    args: type[msgspec.Struct]
    apply: Callable[[Site, Order], Awaitable[str]]
    relaxing: bool


async def _limit_power(site: Site, order: Order) -> str:
    args: LimitPower = order.args
    if not site.has_function("operator_limit", args.der):
        raise CommandError("no_function", "the site file has no operator_limit for it")
    ratings = {der.id: der.rating for der in site.state().ders}
    concerned = [rating.p_max_w for der_id, rating in ratings.items() if args.der in {None, der_id}]
    most = sum(concerned) if all(concerned) else math.inf
    if not 0.0 <= args.p_ceiling_w <= most:
        raise CommandError("out_of_range", f"p_ceiling_w = {args.p_ceiling_w:g} is outside 0 to {most:g} W")
    held = [r.p_ceiling_w for r in site.requests.alive() if isinstance(r, LimitRequest) and r.der == args.der]
    if not order.synced and held and min(held) < args.p_ceiling_w:
        raise CommandError("clock_unsynced", "the clock is not set yet: raising a limit waits")
    request = LimitRequest(
        id=order.id, by=order.by, remaining_s=order.seconds, der=args.der, p_ceiling_w=args.p_ceiling_w
    )
    site.requests.put(request)
    return f"until {order.until}"


async def _set_battery_power(site: Site, order: Order) -> str:
    args: SetBatteryPower = order.args
    if not site.has_function("setpoint", args.der):
        raise CommandError("no_function", f"the site file has no setpoint function for {args.der!r}")
    rating = next(der.rating for der in site.state().ders if der.id == args.der)
    if not rating.p_min_w <= args.p_target_w <= rating.p_max_w:
        text = f"p_target_w = {args.p_target_w:g} is outside {rating.p_min_w:g} to {rating.p_max_w:g} W"
        raise CommandError("out_of_range", text)
    request = BatteryRequest(
        id=order.id, by=order.by, remaining_s=order.seconds, der=args.der, p_target_w=args.p_target_w
    )
    site.requests.put(request)
    return f"until {order.until}"


async def _clear(site: Site, order: Order) -> str:
    args: Clear = order.args
    return f"{site.requests.clear(args.der)} dropped"


async def _arm(site: Site, order: Order) -> str:
    return await site.arm()


async def _disarm(site: Site, order: Order) -> str:
    return await site.disarm()


async def _ping(site: Site, order: Order) -> str:
    return "pong"


COMMANDS: dict[str, Command] = {
    "limit_power": Command(args=LimitPower, apply=_limit_power, relaxing=False),
    "set_battery_power": Command(args=SetBatteryPower, apply=_set_battery_power, relaxing=True),
    "clear": Command(args=Clear, apply=_clear, relaxing=True),
    "arm": Command(args=Nothing, apply=_arm, relaxing=True),
    "disarm": Command(args=Nothing, apply=_disarm, relaxing=False),
    "ping": Command(args=Nothing, apply=_ping, relaxing=False),
}


@dataclass(slots=True)
class Desk:
    """Where commands come in. seen: id to wall time of expiry, so that a repeated one is refused, across restarts."""

    site: Site
    clock: Clock
    seen: dict[str, float] = field(default_factory=dict)

    async def by_mqtt(self, name: str, payload: bytes, retained: bool, principal: str = "mqtt") -> dict[str, Any]:
        """A command as it came from the broker. Never raises: the reply says what became of it."""
        command_id: str | None = None
        try:
            if retained:
                raise CommandError("retained", "a retained message is not a command")
            fields = _fields(payload)
            command_id = fields["id"] if isinstance(fields.get("id"), str) else None
            text = await self._take(name, fields, principal)
        except CommandError as error:
            return self._reply(command_id, name, "refused", error.code, str(error))
        return self._reply(command_id, name, "admitted", None, text)

    async def local(self, name: str, args: Mapping[str, Any]) -> str:
        """A command over the unix socket: issued now, alive for expires_s (default 1 h). Raises CommandError."""
        command = _row(name)
        fields = dict(args)
        seconds = fields.pop("expires_s", 3600.0)
        if not isinstance(seconds, int | float) or not 0.0 < seconds <= EXPIRES_MAX_S:
            raise CommandError("out_of_range", f"expires_s = {seconds!r} is outside 0 to {EXPIRES_MAX_S:g} s")
        until = text_of(datetime.fromtimestamp(self.clock.wall() + seconds, tz=self.clock.now().tzinfo))
        args = _args(command, fields)
        order = Order(id=f"local-{self.clock.stamp()}", by=LOCAL, seconds=seconds, until=until, args=args)
        return await self._apply(command, order)

    async def _take(self, name: str, fields: dict[str, Any], principal: str) -> str:
        command = _row(name)
        for key in ("id", "issued_at", "expires_s"):
            if key not in fields:
                raise CommandError("missing", f"{key} is missing")
        envelope = _convert({key: fields.pop(key) for key in ("id", "issued_at", "expires_s")}, Envelope)
        if envelope.issued_at.tzinfo is None:
            raise CommandError("bad_argument", "issued_at needs a time zone, such as Z")
        seconds = self._life(command, envelope)
        if envelope.id in self.seen:
            raise CommandError("replayed", f"id {envelope.id!r} was answered before")
        args = _args(command, fields)
        self._remember(envelope, seconds)
        until = text_of(datetime.fromtimestamp(self.clock.wall() + seconds, tz=self.clock.now().tzinfo))
        synced = self.clock.synced
        order = Order(id=envelope.id, by=principal, seconds=seconds, until=until, args=args, synced=synced)
        return await self._apply(command, order)

    async def _apply(self, command: Command, order: Order) -> str:
        text = await command.apply(self.site, order)
        self.site.changed()
        return text

    def _life(self, command: Command, envelope: Envelope) -> float:
        """Seconds it has left; a restrictive one lives its whole duration from now where the clock isn't set."""
        if not 0.0 < envelope.expires_s <= EXPIRES_MAX_S:
            raise CommandError(
                "out_of_range", f"expires_s = {envelope.expires_s:g} is outside 0 to {EXPIRES_MAX_S:g} s"
            )
        if not self.clock.synced:
            if command.relaxing:
                raise CommandError("clock_unsynced", "the clock is not set yet: relaxing commands wait")
            return envelope.expires_s
        age = self.clock.wall() - envelope.issued_at.timestamp()
        if age < -EARLY_S:
            raise CommandError("not_yet_valid", f"issued {-age:.0f} s in the future")
        if age >= envelope.expires_s:
            raise CommandError("expired", f"issued {age:.0f} s ago, valid for {envelope.expires_s:g} s")
        return envelope.expires_s - max(age, 0.0)

    def _remember(self, envelope: Envelope, seconds: float) -> None:
        now = self.clock.wall()
        self.seen = {key: ends for key, ends in self.seen.items() if ends > now}
        while len(self.seen) >= SEEN_MAX:
            self.seen.pop(next(iter(self.seen)))
        self.seen[envelope.id] = now + seconds + EARLY_S

    def _reply(self, command_id: str | None, name: str, result: str, code: str | None, text: str) -> dict[str, Any]:
        return {
            "id": command_id,
            "command": name,
            "result": result,
            "code": code,
            "text": text,
            "t": self.clock.stamp(),
        }


def _fields(payload: bytes) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError("bad_json", str(error)) from error
    if not isinstance(fields, dict):
        raise CommandError("bad_json", "expected an object")
    return fields


def _row(name: str) -> Command:
    if name not in COMMANDS:
        raise CommandError("unknown_command", f"no command {name!r}; known are {', '.join(COMMANDS)}")
    return COMMANDS[name]


def _args(command: Command, fields: dict[str, Any]) -> Any:
    return _convert(fields, command.args)


def _convert(fields: dict[str, Any], kind: type[Any]) -> Any:
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise CommandError("bad_argument", str(error)) from error
