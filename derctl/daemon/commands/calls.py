"""The calls of the unix socket: what only looks, release, and every operator command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, field
from functools import partial
from typing import Annotated, Any

import msgspec

from derctl.core.dataclass import dataclass
from derctl.core.words import Refusal
from derctl.daemon.actuate.text import released_text
from derctl.daemon.commands.arguments import convert
from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.mode import DISARMED
from derctl.daemon.commands.row import Done, Nothing, saved
from derctl.daemon.commands.rows import COMMANDS
from derctl.daemon.log import priority_of
from derctl.daemon.report.status import status
from derctl.daemon.report.view import View
from derctl.errors import CommandError
from derctl.links.talk import Stream, Talk
from derctl.store.ticks import Recorder

Args = Mapping[str, Any]


async def no_reload() -> str:
    """Of a daemon that was started without a file."""
    raise CommandError(Refusal.NOT_READY, "this daemon was started without a site file to read again")


async def no_shadow(since_s: float) -> dict[str, Any]:
    """Of a daemon that keeps none."""
    raise CommandError(Refusal.NOTHING_NEW, "nothing is recorded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Answers the socket. view: the daemon as it is now. reload: reads the site file again. shadow: what it
    would have done in so many seconds. sessions: what goes on for a while, by call."""

    desk: Desk
    recorder: Recorder
    view: Callable[[], View]
    reload: Callable[[], Awaitable[str]] = no_reload
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


class Release(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of release."""

    lift: bool = False


async def _status(calls: Calls, args: Args, who: str) -> Any:
    convert(dict(args), Nothing)
    return status(calls.view())


async def _record(calls: Calls, args: Args, who: str) -> Any:
    return calls.recorder.last(convert(dict(args), Record).count)


async def _shadow(calls: Calls, args: Args, who: str) -> Any:
    return await calls.shadow(convert(dict(args), Since).since_s)


async def _release(calls: Calls, args: Args, who: str) -> Any:
    """Disarms, and gives back what was written."""
    lift, reach = convert(dict(args), Release).lift, calls.desk.reach
    reach.gate.disarm(who)
    reach.changed()
    await reach.end_trial()
    result = await reach.releaser.release(lift=lift)
    text = f"{who}: release{' lift=true' if lift else ''}: {released_text(result)}"
    calls.desk.log.log(priority_of("command"), "command", text=text)
    calls.desk.note("command", who, text, command="release", code=None, arguments={"lift": lift})
    await calls.desk.kept()
    await saved(reach, Done(text=text, unsaved=f"{DISARMED}; {released_text(result)}"))
    return {der_id: asdict(release) for der_id, release in result.items()}


async def _reload(calls: Calls, args: Args, who: str) -> Any:
    """The site file as it is now."""
    convert(dict(args), Nothing)
    calls.desk.log.log(priority_of("command"), "command", text=f"{who}: reload")
    calls.desk.note("command", who, "reload", command="reload", code=None, arguments={})
    try:
        return await calls.reload()
    except CommandError as error:
        calls.desk.note("refusal", who, f"{who}: reload: {error}", command="reload", code=error.code, arguments={})
        raise


CALLS: dict[str, Callable[[Calls, Args, str], Awaitable[Any]]] = {
    "status": _status,
    "record": _record,
    "shadow": _shadow,
    "release": _release,
    "reload": _reload,
}
