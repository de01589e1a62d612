"""A call over the unix socket that goes on for a while: what it says and asks meanwhile, and its end.

The daemon sends `{"event": ...}` lines, and last of all the answer. The client answers a question by
`{"answer": true}`; whatever else it sends, or its going away, ends the call.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.words import Refusal
from derctl.errors import CommandError, LinkError
from derctl.links.ending import end, end_kindly

ASK_S = 300.0
"""Who gives no answer for so long has said no."""
SAID_MAX = 1000
"""Lines that wait for a client that takes none; what comes then is lost to it."""
ENDED = {"ok": False, "code": Refusal.ENDED, "text": "ended before its time; what was written has been given back"}
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Talk:
    """One such call. lines: said and not sent yet, None: no more will come. words: the client's answers."""

    lines: asyncio.Queue[dict[str, Any] | None] = field(default_factory=lambda: asyncio.Queue(SAID_MAX))
    words: asyncio.Queue[bool] = field(default_factory=lambda: asyncio.Queue(1))

    def say(self, **event: Any) -> None:
        """Told to the client, as plain values."""
        with suppress(asyncio.QueueFull):
            self.lines.put_nowait({"event": event})

    async def ask(self, **event: Any) -> bool:
        """What the client answers to it."""
        while not self.words.empty():
            self.words.get_nowait()
        self.say(asks=True, **event)
        try:
            return await asyncio.wait_for(self.words.get(), ASK_S)
        except TimeoutError:
            return False


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that takes its time: `run` returns the result. Raises CommandError."""

    run: Callable[[Talk], Awaitable[Any]]


async def carried(stream: Stream, reader: asyncio.StreamReader, send: Send) -> dict[str, Any]:
    """To its end, or until the client ends it or goes away. Returns the last line."""
    talk = Talk()
    work = asyncio.ensure_future(stream.run(talk))
    lines, words = asyncio.create_task(_sent(talk, send)), asyncio.create_task(_heard(talk, reader))
    try:
        await asyncio.wait({work, lines, words}, return_when=asyncio.FIRST_COMPLETED)
        await end_kindly(work)
        with suppress(asyncio.QueueFull):
            talk.lines.put_nowait(None)
            await asyncio.wait({lines})
    finally:
        await end_kindly(work)
        await end([lines, words])
    return _last(work)


async def _sent(talk: Talk, send: Send) -> None:
    """Until no more will come, or nobody takes it."""
    with suppress(ConnectionError, TimeoutError):
        while (line := await talk.lines.get()) is not None:
            await send(line)


async def _heard(talk: Talk, reader: asyncio.StreamReader) -> None:
    """Until the client has said its last word."""
    with suppress(ConnectionError, ValueError):
        while line := await reader.readline():
            said = json.loads(line)
            if not isinstance(said, dict) or not isinstance(said.get("answer"), bool):
                return
            with suppress(asyncio.QueueFull):
                talk.words.put_nowait(said["answer"])


def _last(work: asyncio.Future[Any]) -> dict[str, Any]:
    if work.cancelled():
        return ENDED
    try:
        return {"ok": True, "result": work.result()}
    except CommandError as error:
        return {"ok": False, "code": error.code, "text": str(error)}


Hear = Callable[[Mapping[str, Any]], Awaitable[bool | None]]


async def follow(
    path: Path, call: str, args: Mapping[str, Any], hear: Hear, over: asyncio.Event, *, line_max: int = 2**24
) -> Any:
    """Such a call as a client. hear: told of each event; what it returns answers a question. over: once it is set the
    daemon is asked to end, and its last words are waited for.

    Raises CommandError, LinkError (nobody there, or gone in the middle).
    """
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=line_max)
    except OSError as error:
        raise LinkError(f"{path}: {error.strerror or error}") from error
    ending = asyncio.create_task(_ends(writer, over))
    try:
        _put(writer, {"call": call, "args": dict(args)})
        while line := await reader.readline():
            reply = json.loads(line)
            if "event" not in reply:
                return _result(reply)
            answer = await hear(reply["event"])
            if answer is not None:
                _put(writer, {"answer": answer})
    except OSError as error:
        raise LinkError(f"{path}: {error.strerror or error}") from error
    finally:
        await end([ending])
        writer.close()
    raise LinkError(f"{path}: the daemon has gone in the middle of it")


async def _ends(writer: asyncio.StreamWriter, over: asyncio.Event) -> None:
    await over.wait()
    _put(writer, {"end": True})


def _put(writer: asyncio.StreamWriter, said: Mapping[str, Any]) -> None:
    writer.write(json.dumps(said).encode() + b"\n")


def _result(reply: Mapping[str, Any]) -> Any:
    if not reply["ok"]:
        raise CommandError(reply["code"], reply["text"], confirm=reply.get("confirm"))
    return reply["result"]
