"""The calls of the unix socket: what only looks, release, and every operator command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from derctl.core.words import Refusal
from derctl.daemon.actuate.text import released_text
from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.row import Reach
from derctl.daemon.commands.rows import COMMANDS
from derctl.daemon.log import priority_of
from derctl.daemon.report.status import status
from derctl.daemon.report.view import View
from derctl.errors import CommandError
from derctl.store.ticks import Recorder

Args = Mapping[str, Any]


async def no_reload() -> str:
    """Of a daemon that was started without a file."""
    raise CommandError(Refusal.NOT_READY, "this daemon was started without a site file to read again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Answers the socket. view: the daemon as it is now. reload: reads the site file again."""

    desk: Desk
    reach: Reach
    recorder: Recorder
    view: Callable[[], View]
    reload: Callable[[], Awaitable[str]] = no_reload

    async def answer(self, call: str, args: Args, who: str) -> Any:
        """who: who asks. Raises CommandError."""
        if call in CALLS:
            return await CALLS[call](self, args, who)
        if call in COMMANDS:
            return await self.desk.local(call, args, who)
        raise CommandError(Refusal.UNKNOWN_COMMAND, f"no call {call!r}; known are {', '.join((*CALLS, *COMMANDS))}")


async def _status(calls: Calls, args: Args, who: str) -> Any:
    return status(calls.view())


async def _record(calls: Calls, args: Args, who: str) -> Any:
    count = args.get("count", 10)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise CommandError(Refusal.BAD_ARGUMENT, f"count = {count!r} is no number of ticks")
    return calls.recorder.last(count)


async def _release(calls: Calls, args: Args, who: str) -> Any:
    """Disarms, and gives back what was written."""
    lift = args.get("lift", False)
    if not isinstance(lift, bool):
        raise CommandError(Refusal.BAD_ARGUMENT, f"lift = {lift!r} is neither true nor false")
    calls.reach.gate.disarm(who)
    calls.reach.changed()
    result = await calls.reach.releaser.release(lift=lift)
    text = f"{who}: release{' lift=true' if lift else ''}: {released_text(result)}"
    calls.desk.log.log(priority_of("command"), "command", text=text)
    return {der_id: asdict(release) for der_id, release in result.items()}


async def _reload(calls: Calls, args: Args, who: str) -> Any:
    """The site file as it is now."""
    calls.desk.log.log(priority_of("command"), "command", text=f"{who}: reload")
    return await calls.reload()


CALLS: dict[str, Callable[[Calls, Args, str], Awaitable[Any]]] = {
    "status": _status,
    "record": _record,
    "release": _release,
    "reload": _reload,
}
