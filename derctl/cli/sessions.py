"""What a running daemon carries out for `derctl verify` and `derctl identify`, over its socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from derctl.cli.proof import Wanted
from derctl.cli.stepping import Stepped, Steps, stepped
from derctl.cli.verifying import verified
from derctl.commission.trial import Answer, Kill, Subject
from derctl.core.text import error_text
from derctl.core.words import Refusal
from derctl.daemon.commands.arguments import convert
from derctl.daemon.stand import NotGivenBack
from derctl.daemon.trials import Trials
from derctl.errors import BusError, CommandError, DeviceError
from derctl.links.talk import Talk


class Line:
    """The client at the other end."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk

    def say(self, text: str) -> None:
        """A line for people."""
        self.talk.say(text=text)

    async def agrees(self, text: str) -> bool:
        """Whether a person there says yes."""
        return await self.talk.ask(text=text)

    async def kill(self, der: str, subject: Subject, kill: Kill) -> Answer:
        """The client is the one to do it; there is no answer."""
        self.talk.say(kill=asdict(kill), subject=asdict(subject), der=der)
        await self.talk.words.get()
        raise CommandError(Refusal.NOT_READY, "derctl was not killed")


async def verify(trials: Trials, args: Mapping[str, Any], who: str, talk: Talk) -> Any:
    """Raises CommandError."""
    wanted: Wanted = convert(dict(args), Wanted)
    line = Line(talk)
    named = " ".join(wanted.ders)

    async def work() -> Any:
        return await verified(trials.site, trials.proving, wanted, line, trials.proven)

    return await _said(trials.run(f"verify {named}".strip(), who, work))


async def identify(trials: Trials, args: Mapping[str, Any], who: str, talk: Talk) -> Any:
    """Raises CommandError."""
    wanted: Steps = convert(dict(args), Steps)
    line = Line(talk)
    named = " ".join(wanted.ders)

    def found(made: Stepped) -> None:
        talk.say(found=msgspec.to_builtins(made))

    async def work() -> Any:
        async with trials.standing() as here:
            return {"sizes_va": dict(await stepped(here, wanted, line.say, found))}

    return await _said(trials.run(f"identify {named}".strip(), who, work))


async def _said(work: Awaitable[Any]) -> Any:
    """Its result; what a bus, a device or a disk does to it is said to the client."""
    try:
        return await work
    except (BusError, DeviceError, NotGivenBack) as error:
        raise CommandError(Refusal.NOT_READY, str(error)) from error
    except OSError as error:
        raise CommandError(Refusal.NOT_SAVED, error_text(error)) from error


SESSIONS: dict[str, Callable[[Trials, Mapping[str, Any], str, Talk], Awaitable[Any]]] = {
    "verify": verify,
    "identify": identify,
}
