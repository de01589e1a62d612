"""A verb that takes its time, at a terminal: its lines, its questions, Ctrl-C, and a daemon that carries it out."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any, TextIO, TypeVar

from derctl.cli.plain import page
from derctl.core.dataclass import dataclass
from derctl.core.text import clean
from derctl.core.words import Refusal
from derctl.errors import CommandError
from derctl.links.ending import end_kindly
from derctl.links.talk import follow

T = TypeVar("T")


class Ended(Exception):
    """Somebody ended it, and what was written has been given back."""


@dataclass(slots=True)
class Over:
    """asked: set by the first SIGINT or SIGTERM, or as the terminal goes."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def of(self, work: Coroutine[Any, Any, T]) -> T:
        """To its end, or until somebody ends it. Raises Ended."""
        task, asked = asyncio.create_task(work), asyncio.create_task(self.asked.wait())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            await end_kindly_if(task, ended=self.asked.is_set())
        finally:
            asked.cancel()
            await end_kindly(task)
        if task.cancelled():
            raise Ended
        return task.result()


async def end_kindly_if(task: asyncio.Task[Any], *, ended: bool) -> None:
    """Where it is to end."""
    if ended:
        await end_kindly(task)


def ended_by() -> Over:
    """The first signal counts: giving back goes on."""
    over, loop = Over(), asyncio.get_running_loop()

    def end() -> None:
        if not over.asked.is_set():
            over.asked.set()
            with suppress(OSError):
                print("ending: what was written is given back ...", file=sys.stderr, flush=True)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end)
    return over


@dataclass(slots=True)
class Terminal:
    """out: where lines go. Questions are answered on stdin."""

    out: TextIO

    def say(self, text: str) -> None:
        """A line. Where the terminal has gone nobody reads it, and what is under way comes to its end."""
        with suppress(OSError):
            print(page([clean(text)]), file=self.out, flush=True)

    async def agrees(self, text: str) -> bool:
        """Whether somebody at the terminal says yes."""
        if not sys.stdin.isatty():
            self.say("nothing is written: say --yes, or run it in a terminal")
            return False
        print(clean(text), end="", file=self.out, flush=True)
        return (await _line()).strip().lower() in {"y", "yes"}

    async def kill(self, der: str, subject: Any, kill: Any) -> Any:
        """Of a verb that is alone there is nobody to be killed."""
        raise CommandError(Refusal.NOT_READY, "no daemon runs that could be killed")


async def _line() -> str:
    """One line of a terminal: a thread that waits for it would outlive a Ctrl-C."""
    loop, read = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), read.set)
    try:
        await read.wait()
        return sys.stdin.readline()
    finally:
        loop.remove_reader(sys.stdin.fileno())


async def within(
    socket: Path,
    call: str,
    args: Mapping[str, Any],
    voice: Terminal,
    over: Over,
    heard: Callable[[Mapping[str, Any]], None] = lambda event: None,
) -> Any:
    """The same by the running daemon, over its socket. heard: told of what is no line for people.

    Raises Ended, CommandError, LinkError.
    """

    async def hear(event: Mapping[str, Any]) -> bool | None:
        if "text" not in event:
            heard(event)
            return None
        if not event.get("asks"):
            voice.say(event["text"])
            return None
        asking, asked = asyncio.create_task(voice.agrees(event["text"])), asyncio.create_task(over.asked.wait())
        await asyncio.wait({asking, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        await end_kindly_if(asking, ended=over.asked.is_set())
        return not asking.cancelled() and asking.result()

    try:
        return await follow(socket, call, args, hear, over.asked)
    except CommandError as error:
        if error.code == Refusal.ENDED:
            raise Ended from None
        raise
