"""The unix socket: one JSON object a line, one line back, or more of them where a call goes on (`talk`)."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any

import msgspec

from derctl.core.dataclass import dataclass
from derctl.core.requests import LOCAL
from derctl.core.words import Refusal
from derctl.errors import CommandError, LinkError
from derctl.links.ending import end
from derctl.links.talk import Stream, carried

LINE_MAX = 65536
IDLE_S = 60.0
CLIENTS_MAX = 32
"""Connected at once: who comes beyond them is told so and closed."""
ANSWER_MAX = 4_194_304
"""Bytes of an answer."""
TAKEN_S = 10.0
"""Within which a client takes an answer in."""
ACCEPT_AGAIN_S = 1.0


def _line(reply: dict[str, Any]) -> bytes:
    return json.dumps(reply, allow_nan=False).encode() + b"\n"


TURNED_AWAY = _line(
    {"ok": False, "code": Refusal.TOO_MANY, "text": f"{CLIENTS_MAX} clients are connected: try again later"}
)
_CREDENTIALS = struct.Struct("iII")
"""struct ucred: pid, uid, gid; no process is uid 4294967295."""
Answer = Callable[[str, Mapping[str, Any], str], Awaitable[Any]]
"""Called with the call's name, its arguments, and who is at the other end. A Stream goes on for a while."""


async def serve(path: Path, answer: Answer) -> None:
    """Serve until cancelled. A stale socket file is removed; a live one raises LinkError."""
    await _clear(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    clients: set[asyncio.Task[None]] = set()
    with _listener(path) as listener:
        try:
            await _accept(listener, Clients(answer, clients))
        finally:
            path.unlink(missing_ok=True)
            await end(clients)


def _listener(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    old = os.umask(0o117)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(old)
    listener.setblocking(False)
    listener.listen(CLIENTS_MAX)
    return listener


async def _accept(listener: socket.socket, clients: Clients) -> None:
    """One after the other, so that nobody who connects can use up the descriptors that the wires need."""
    running = asyncio.get_running_loop()
    while True:
        try:
            connection, _ = await running.sock_accept(listener)
        except OSError:  # none is left, for a while
            await asyncio.sleep(ACCEPT_AGAIN_S)
            continue
        clients.take(connection)
        await asyncio.sleep(0.0)  # or a flood of them would hold the loop


@dataclass(slots=True)
class Clients:
    """Who is connected. One of them is answered in a turn of the loop: a long answer takes a part of a tick, and is
    ten times as large before it is encoded."""

    answer: Answer
    tasks: set[asyncio.Task[None]]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take(self, connection: socket.socket) -> None:
        """Or turn it away."""
        if len(self.tasks) >= CLIENTS_MAX:
            with connection, suppress(OSError):
                connection.setblocking(False)
                connection.send(TURNED_AWAY)
            return
        task = asyncio.create_task(self._client(connection), name="socket client")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(lambda _: connection.close())

    async def _client(self, connection: socket.socket) -> None:
        with suppress(ConnectionError, TimeoutError, ValueError):
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=LINE_MAX)
            writer.transport.set_write_buffer_limits(high=0)
            try:
                await self._talk(reader, writer)
            finally:
                writer.transport.abort()  # a close would wait for who reads nothing

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = _peer(writer.get_extra_info("socket"))
        while line := await asyncio.wait_for(reader.readline(), IDLE_S):
            async with self.turn:
                await asyncio.sleep(0.0)
            await _put(writer, _made(await self._last(line, who, reader, writer)))

    async def _last(
        self, line: bytes, who: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> dict[str, Any]:
        """The answer, behind all that comes before it."""
        reply = await _reply(line, self.answer, who)
        if not isinstance(reply, Stream):
            return reply
        return await carried(reply, reader, lambda said: _put(writer, _made(said)))


async def _put(writer: asyncio.StreamWriter, made: bytes) -> None:
    if writer.is_closing():  # who has gone: the transport would raise whatever it likes
        raise ConnectionResetError
    writer.write(made)
    await asyncio.wait_for(writer.drain(), TAKEN_S)


def _made(reply: dict[str, Any]) -> bytes:
    made = _line(reply)
    if len(made) <= ANSWER_MAX:
        return made
    text = f"the answer has {len(made)} bytes, more than {ANSWER_MAX}: ask for less"
    return _line({"ok": False, "code": Refusal.TOO_LARGE, "text": text})


async def _clear(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_socket():
        raise LinkError(f"{path} is there and is no socket")
    try:
        _, writer = await asyncio.open_unix_connection(str(path))
    except (ConnectionRefusedError, FileNotFoundError):
        path.unlink(missing_ok=True)
        return
    writer.close()
    raise LinkError(f"{path} is served by another process")


def _peer(connection: socket.socket) -> str:
    """The login name of who connected, by the kernel's word (unix(7)); LOCAL where it has none."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(credentials)
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return LOCAL


async def _reply(line: bytes, answer: Answer, who: str) -> dict[str, Any] | Stream:
    try:
        request = msgspec.json.decode(line)  # strict: no Infinity, no NaN, nothing that overflows
        call = request["call"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {"ok": False, "code": "bad_json", "text": 'expected {"call": NAME} on one line'}
    args = request.get("args", {})
    if not isinstance(args, dict) or not isinstance(call, str):
        return {"ok": False, "code": "bad_argument", "text": "call is a string and args an object"}
    try:
        found = await answer(call, args, who)
        return found if isinstance(found, Stream) else {"ok": True, "result": found}
    except CommandError as error:
        confirm = {} if error.confirm is None else {"confirm": error.confirm}
        return {"ok": False, "code": error.code, "text": str(error)} | confirm


async def ask(path: Path, call: str, args: Mapping[str, Any] | None = None, *, seconds: float = 5.0) -> Any:
    """One call as a client. Raises LinkError (nobody there), CommandError (refused)."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_unix_connection(str(path), limit=2**24)
            try:
                writer.write(json.dumps({"call": call, "args": dict(args or {})}).encode() + b"\n")
                line = await reader.readline()
            finally:
                writer.close()
    except TimeoutError as error:
        raise LinkError(f"{path}: the daemon gave no answer within {seconds:g} s") from error
    except OSError as error:
        raise LinkError(f"{path}: {_why_not(path, error)}") from error
    if not line:
        raise LinkError(f"{path}: closed without an answer")
    reply = json.loads(line)
    if not reply["ok"]:
        raise CommandError(reply["code"], reply["text"], confirm=reply.get("confirm"))
    return reply["result"]


def _why_not(path: Path, error: OSError) -> str:
    """What a person can do about a socket that can't be used."""
    if isinstance(error, ConnectionRefusedError) and path.is_file():
        return "this is no socket"
    if isinstance(error, FileNotFoundError):
        return f"no such socket: is the daemon running? {_start(path)}"
    if isinstance(error, ConnectionRefusedError):
        return f"refused: the daemon that served it does not run any more. {_start(path)}"
    if isinstance(error, PermissionError):
        return "no permission: use sudo, or join the group derctl"
    return f"{error.strerror or error}: is the daemon running with this socket?"


def _start(path: Path) -> str:
    """A socket of the service is its unit's; any other belongs to a daemon that somebody starts by hand."""
    return "systemctl status derctl" if path.is_relative_to("/run/derctl") else "Start it with derctl run -c FILE"
