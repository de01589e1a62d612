"""The unix socket: one JSON object a line, one line back."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from derctl.core.types import LOCAL
from derctl.errors import CommandError, LinkError

LINE_MAX = 65536
IDLE_S = 60.0
_CREDENTIALS = struct.Struct("iII")
"""struct ucred: pid, uid, gid; no process is uid 4294967295."""
Answer = Callable[[str, Mapping[str, Any], str], Awaitable[Any]]
"""Called with the call's name, its arguments, and who is at the other end."""


async def serve(path: Path, answer: Answer) -> None:
    """Serve until cancelled. A stale socket file is removed; a live one raises LinkError."""
    await _clear(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    clients: set[asyncio.Task[None]] = set()

    def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_client(reader, writer, answer), name="socket client")
        clients.add(task)
        task.add_done_callback(clients.discard)

    old = os.umask(0o117)
    try:
        server = await asyncio.start_unix_server(client, path=str(path), limit=LINE_MAX)
    finally:
        os.umask(old)
    try:
        await asyncio.Event().wait()  # serve_forever would wait for every client at its end (Python 3.12)
    finally:
        server.close()
        path.unlink(missing_ok=True)
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


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


async def _client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    try:
        await _talk(reader, writer, answer)
    except (ConnectionError, TimeoutError, ValueError):
        pass
    finally:
        writer.close()


async def _talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    who = _peer(writer.get_extra_info("socket"))
    while line := await asyncio.wait_for(reader.readline(), IDLE_S):
        reply = await _reply(line, answer, who)
        writer.write(json.dumps(reply, allow_nan=False).encode() + b"\n")
        await asyncio.wait_for(writer.drain(), IDLE_S)


def _peer(connection: socket.socket) -> str:
    """The login name of who connected, by the kernel's word (unix(7)); LOCAL where it has none."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(credentials)
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return LOCAL


async def _reply(line: bytes, answer: Answer, who: str) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(line)  # strict: no Infinity, no NaN, nothing that overflows
        call = request["call"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {"ok": False, "code": "bad_json", "text": 'expected {"call": NAME} on one line'}
    args = request.get("args", {})
    if not isinstance(args, dict) or not isinstance(call, str):
        return {"ok": False, "code": "bad_argument", "text": "call is a string and args an object"}
    try:
        return {"ok": True, "result": await answer(call, args, who)}
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
        return "no such socket: is the daemon running? systemctl status derctl"
    if isinstance(error, ConnectionRefusedError):
        return "refused: the daemon that served it does not run any more. systemctl status derctl"
    if isinstance(error, PermissionError):
        return "no permission: use sudo, or join the group derctl"
    return f"{error.strerror or error}: is the daemon running with this socket?"
