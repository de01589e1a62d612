"""The calls of the unix socket: what only looks, release, and every operator command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, field
from functools import partial
from typing import Annotated, Any

import msgspec

from derctl.core.dataclass import dataclass
from derctl.core.words import Refusal
from derctl.daemon.commands.arguments import convert
from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.mode import Release, disarmed, given_back
from derctl.daemon.commands.row import Nothing, saved
from derctl.daemon.commands.rows import COMMANDS
from derctl.daemon.log import priority_of
from derctl.daemon.report.status import status
from derctl.daemon.report.view import View
from derctl.errors import CommandError
from derctl.links.talk import Stream, Talk
from derctl.store.ticks import Recorder

Args = Mapping[str, Any]


async def no_shadow(since_s: float) -> dict[str, Any]:
    """Of a daemon that keeps none."""
    raise CommandError(Refusal.NOTHING_NEW, "nothing is recorded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Answers the socket. view: the daemon as it is now. shadow: what it would have done in so many seconds.
    sessions: what goes on for a while, by call."""

    desk: Desk
    recorder: Recorder
    view: Callable[[], View]
    shadow: Callable[[float], Awaitable[dict[str, Any]]] = no_shadow
    sessions: Mapping[str, Callable[[Args, str, Talk], Awaitable[Any]]] = field(default_factory=dict)

    async def answer(self, call: str, args: Args, who: str) -> Any:
        """who: who asks. A Stream goes on for a while. Raises CommandError."""
        if call in CALLS:
            return await CALLS[call](self, args, who)
        if call in COMMANDS:
            return await self.desk.local(call, args, who)
        if call in self.sessions:
            self.desk.log.log(priority_of("command"), "command", text=f"{who}: {call}")
            return Stream(partial(self.sessions[call], dict(args), who))
        known = ", ".join((*CALLS, *COMMANDS, *self.sessions))
        raise CommandError(Refusal.UNKNOWN_COMMAND, f"no call {call!r}; known are {known}")


class Record(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of record."""

    count: Annotated[int, msgspec.Meta(ge=0)] = 10


class Since(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of shadow."""

    since_s: Annotated[float, msgspec.Meta(gt=0, le=366 * 86400)] = 86400.0


async def _status(calls: Calls, args: Args, who: str) -> Any:
    convert(dict(args), Nothing)
    return status(calls.view())


async def _record(calls: Calls, args: Args, who: str) -> Any:
    return calls.recorder.last(convert(dict(args), Record).count)


async def _shadow(calls: Calls, args: Args, who: str) -> Any:
    return await calls.shadow(convert(dict(args), Since).since_s)


async def _release(calls: Calls, args: Args, who: str) -> Any:
    """As the command of that name, and what became of each DER by itself."""
    lift, reach = convert(dict(args), Release).lift, calls.desk.reach
    result = await given_back(reach, who, lift=lift)
    done = disarmed(result)
    text = f"{who}: release{' lift=true' if lift else ''}: {done.text}"
    calls.desk.log.log(priority_of("command"), "command", text=text)
    calls.desk.note("command", who, text, command="release", code=None, arguments={"lift": lift})
    await calls.desk.kept()
    await saved(reach, done)
    return {der_id: asdict(release) for der_id, release in result.items()}


CALLS: dict[str, Callable[[Calls, Args, str], Awaitable[Any]]] = {
    "status": _status,
    "record": _record,
    "shadow": _shadow,
    "release": _release,
}
