"""A call over the unix socket that goes on: what it says, what it asks, and who ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from derctl.errors import CommandError, LinkError
from derctl.links.local import ask, serve
from derctl.links.talk import Stream, Talk, follow

PATIENCE_S = 60.0


class Daemon:
    """Answers with a course of the test's. ended: what it did last."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.begun = asyncio.Event()

    async def answer(self, call: str, args: Mapping[str, Any], who: str) -> Any:
        return Stream(getattr(self, call)) if call != "status" else "here"

    async def count(self, talk: Talk) -> int:
        for number in range(3):
            talk.say(text=f"{number}")
        return 3

    async def question(self, talk: Talk) -> list[bool]:
        return [await talk.ask(text="first?"), await talk.ask(text="second?")]

    async def refused(self, talk: Talk) -> None:
        raise CommandError("not_ready", "derctl is in control: first `derctl disarm`")

    async def goes_on(self, talk: Talk) -> None:
        talk.say(text="told")
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.3)  # longer than a task is asked again to end: it has to give back first
            self.ended.append("given back")
            talk.say(text="given back")


class Client:
    """Says yes to the first question alone."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.over = asyncio.Event()

    async def hear(self, event: Mapping[str, Any]) -> bool | None:
        self.heard.append(event["text"])
        return event["text"] == "first?" if event.get("asks") else None

    async def call(self, path: Path, name: str) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await follow(path, name, {}, self.hear, self.over)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "derctl.sock"


@pytest.fixture
async def daemon(path: Path, until: Any) -> AsyncIterator[Daemon]:
    made = Daemon()
    task = asyncio.create_task(serve(path, made.answer))
    await until(path.exists)
    yield made
    task.cancel()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(task, return_exceptions=True)


async def test_what_it_says_comes_before_its_answer(daemon: Daemon, path: Path) -> None:
    client = Client()
    assert await client.call(path, "count") == 3
    assert client.heard == ["0", "1", "2"]


async def test_a_question_is_answered_by_the_client(daemon: Daemon, path: Path) -> None:
    client = Client()
    assert await client.call(path, "question") == [True, False]
    assert client.heard == ["first?", "second?"]


async def test_what_is_refused_is_refused(daemon: Daemon, path: Path) -> None:
    with pytest.raises(CommandError, match="derctl disarm"):
        await Client().call(path, "refused")


async def test_a_client_that_ends_it_hears_its_last_words(daemon: Daemon, path: Path) -> None:
    client = Client()
    call = asyncio.create_task(client.call(path, "goes_on"))
    await daemon.begun.wait()
    client.over.set()
    with pytest.raises(CommandError) as ended:
        await call
    assert ended.value.code == "ended"
    assert client.heard == ["told", "given back"] and daemon.ended == ["given back"]


async def test_a_client_that_goes_away_ends_it(daemon: Daemon, path: Path, until: Any) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b'{"call": "goes_on"}\n')
    await reader.readline()
    assert await ask(path, "status") == "here", "others are answered meanwhile"
    writer.transport.abort()
    await until(lambda: daemon.ended == ["given back"])


async def test_a_word_that_makes_no_sense_ends_it(daemon: Daemon, path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b'{"call": "goes_on"}\n')
    await reader.readline()
    writer.write(b"what?\n")
    assert b"given back" in await reader.readline()
    assert b'"code": "ended"' in await reader.readline()
    writer.close()


async def test_a_daemon_that_goes_in_the_middle_is_said(daemon: Daemon, path: Path, tmp_path: Path) -> None:
    async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b'{"event": {"text": "told"}}\n')
        await writer.drain()
        writer.close()

    client, other = Client(), tmp_path / "other.sock"
    async with await asyncio.start_unix_server(gone, str(other)):
        with pytest.raises(LinkError, match="in the middle"):
            await client.call(other, "goes_on")
    assert client.heard == ["told"]
    with pytest.raises(LinkError):
        await client.call(tmp_path / "none.sock", "goes_on")
