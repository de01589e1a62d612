"""The unix socket: docs/interfaces.md section 4, and clients that misbehave."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import socket
import stat
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from derctl.errors import CommandError, LinkError
from derctl.links.ending import end
from derctl.links.local import ANSWER_MAX, CLIENTS_MAX, LINE_MAX, ask, serve


async def answer(call: str, args: Mapping[str, Any], who: str) -> Any:
    if call == "who":
        return who
    if call == "echo":
        return dict(args)
    if call == "slow":
        await asyncio.sleep(3600.0)
    if call == "broken":
        raise ZeroDivisionError
    raise CommandError("unknown_command", f"no call {call!r}")


Serve = Callable[..., Awaitable[asyncio.Task[None]]]
FDS = Path("/proc/self/fd")
PATIENCE_S = 60.0
"""For whatever must come at last."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "derctl.sock"


@pytest.fixture
async def server(path: Path, until: Any) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(serve(path, answer))
    await until(path.exists)
    yield task
    task.cancel()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(task, return_exceptions=True)


class Raw:
    """A client that sends what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, content: bytes) -> Any:
        self.writer.write(content)
        async with asyncio.timeout(PATIENCE_S):
            line = await self.reader.readline()
        return json.loads(line) if line else None


@pytest.fixture
async def dial(path: Path) -> AsyncIterator[Callable[[], Awaitable[Raw]]]:
    clients: list[Raw] = []

    async def make() -> Raw:
        clients.append(Raw(*await asyncio.open_unix_connection(str(path))))
        return clients[-1]

    yield make
    for client in clients:
        client.writer.transport.abort()


Dial = Callable[[], Awaitable[Raw]]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(13, "Permission denied"), "no permission: use sudo, or join the group derctl"),
        (FileNotFoundError(2, "No such file"), "no such socket: is the daemon running?"),
        (ConnectionRefusedError(111, "Connection refused"), "refused: the daemon that served it does not run"),
        (OSError(36, "File name too long"), "File name too long: is the daemon running with this socket?"),
    ],
)
async def test_a_socket_that_cannot_be_used_says_what_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, says: str
) -> None:
    async def refuse(*args: Any, **more: Any) -> Any:
        raise error

    monkeypatch.setattr(asyncio, "open_unix_connection", refuse)
    with pytest.raises(LinkError) as failed:
        await ask(path, "status")
    assert str(failed.value).startswith(f"{path}: {says}")


@pytest.mark.parametrize(
    ("path", "says"),
    [("/run/derctl/derctl.sock", "systemctl status derctl"), ("/home/ann/derctl.sock", "derctl run -c FILE")],
)
async def test_what_starts_the_daemon_is_said_as_it_is_run(
    monkeypatch: pytest.MonkeyPatch, path: str, says: str
) -> None:
    async def refuse(*args: Any, **more: Any) -> Any:
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(asyncio, "open_unix_connection", refuse)
    with pytest.raises(LinkError, match=says):
        await ask(Path(path), "status")


async def test_a_file_that_is_no_socket_is_not_taken_for_a_daemon_that_ended(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").touch()
    with pytest.raises(LinkError, match=r"site\.yaml: this is no socket"):
        await ask(tmp_path / "site.yaml", "status")


# -- what is right --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("server")
async def test_one_line_in_is_one_line_out_again_and_again(dial: Dial) -> None:
    client = await dial()
    for n in range(3):
        request = json.dumps({"call": "echo", "args": {"n": n, "word": "é\n"}}).encode() + b"\n"
        assert await client.say(request) == {"ok": True, "result": {"n": n, "word": "é\n"}}
    assert await client.say(b'{"call": "echo"}\n') == {"ok": True, "result": {}}


@pytest.mark.usefixtures("server")
async def test_the_files_mode_is_the_access_control(path: Path) -> None:
    """0660 whatever the umask, and the umask is put back."""
    before = os.umask(0)
    os.umask(before)
    found = path.stat().st_mode
    assert stat.S_ISSOCK(found)
    assert stat.S_IMODE(found) == 0o660
    assert before != 0o117


async def test_the_file_goes_with_the_server(path: Path, until: Any) -> None:
    task = asyncio.create_task(serve(path, answer))
    await until(path.exists)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not path.exists()
    with pytest.raises(LinkError):
        await ask(path, "echo")


@pytest.mark.usefixtures("server")
async def test_who_asks_is_known_from_the_kernel_and_not_from_what_they_say(path: Path) -> None:
    assert await ask(path, "who", {"who": "somebody else"}) == getpass.getuser()


@pytest.mark.usefixtures("server")
async def test_a_user_without_a_name_is_a_local_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> Any:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert await ask(path, "who") == "local"


@pytest.mark.usefixtures("server")
async def test_asking_returns_the_result_or_raises_the_refusal(path: Path) -> None:
    assert await ask(path, "echo", {"a": 1}) == {"a": 1}
    with pytest.raises(CommandError) as refused:
        await ask(path, "explode")
    assert refused.value.code == "unknown_command"


@pytest.mark.usefixtures("server")
async def test_asking_gives_up_after_its_time(path: Path) -> None:
    with pytest.raises(LinkError):
        await ask(path, "slow", seconds=0.2)


@pytest.mark.usefixtures("server")
async def test_a_long_answer_comes_whole(path: Path) -> None:
    """Longer than any buffer between: a status with hundreds of DERs. The request's own line has a bound."""
    args = {"text": "x" * (LINE_MAX - 100)}
    assert await ask(path, "echo", args) == args


# -- nonsense -------------------------------------------------------------------------------------------------------


NONSENSE: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"status\n", "bad_json"),
    "an empty line": (b"\n", "bad_json"),
    "a list": (b"[1]\n", "bad_json"),
    "a string": (b'"call"\n', "bad_json"),
    "null": (b"null\n", "bad_json"),
    "no call": (b"{}\n", "bad_json"),
    "infinite": (b'{"call": "echo", "args": {"p_ceiling_w": Infinity}}\n', "bad_json"),
    "infinite by its exponent": (b'{"call": "echo", "args": {"p_ceiling_w": 1e999}}\n', "bad_json"),
    "not a number": (b'{"call": "echo", "args": {"p_ceiling_w": NaN}}\n', "bad_json"),
    "no UTF-8": (b'{"call": "\xff"}\n', "bad_json"),
    "too deep": (b"[" * 20_000 + b"\n", "bad_json"),
    "a call that is a number": (b'{"call": 7}\n', "bad_argument"),
    "arguments that are a list": (b'{"call": "echo", "args": [1]}\n', "bad_argument"),
    "an unknown call": (b'{"call": "explode"}\n', "unknown_command"),
}


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("name", NONSENSE)
async def test_nonsense_is_refused_with_its_code_and_the_connection_goes_on(dial: Dial, name: str) -> None:
    line, code = NONSENSE[name]
    client = await dial()
    reply = await client.say(line)
    assert (reply["ok"], reply["code"]) == (False, code)
    assert isinstance(reply["text"], str)
    assert await client.say(b'{"call": "echo"}\n') == {"ok": True, "result": {}}


@pytest.mark.usefixtures("server")
async def test_a_line_without_an_end_is_cut_off(dial: Dial) -> None:
    client = await dial()
    client.writer.write(b"x" * (4 * LINE_MAX))
    async with asyncio.timeout(PATIENCE_S):
        try:
            assert await client.reader.read() == b""
        except ConnectionResetError:
            pass
    assert (await (await dial()).say(b'{"call": "echo"}\n'))["ok"]


# -- clients that do not let go -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("server")
async def test_clients_that_hang_send_garbage_or_vanish_do_not_disturb_the_others(dial: Dial, path: Path) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    hanging = [await dial() for _ in range(30)]
    for client in hanging[:10]:
        client.writer.write(b'{"call": "ech')
    for client in hanging[10:20]:
        client.writer.write(os.urandom(2000))
    for client in hanging[20:25]:
        client.writer.write(b'{"call": "slow"}\n')
    for client in hanging[25:]:
        client.writer.write(b'{"call": "broken"}\n')
        client.writer.transport.abort()
    for n in range(20):
        assert await ask(path, "echo", {"n": n}, seconds=PATIENCE_S) == {"n": n}


@pytest.mark.usefixtures("server")
async def test_a_client_that_does_not_read_its_answers_does_not_disturb_the_others(dial: Dial, path: Path) -> None:
    deaf = await dial()
    line = json.dumps({"call": "echo", "args": {"text": "x" * 50_000}}).encode() + b"\n"
    deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]
    deaf.writer.write(line * 40)
    for n in range(20):
        assert await ask(path, "echo", {"n": n}, seconds=PATIENCE_S) == {"n": n}


@pytest.mark.usefixtures("server")
async def test_beyond_32_clients_one_is_turned_away_until_another_goes(dial: Dial, path: Path, until: Any) -> None:
    before = len([*FDS.iterdir()])
    clients = [await dial() for _ in range(CLIENTS_MAX)]
    for client in clients:
        assert (await client.say(b'{"call": "echo"}\n'))["ok"]
    for _ in range(200):
        with pytest.raises(CommandError, match="32 clients are connected") as refused:
            await ask(path, "echo", seconds=PATIENCE_S)
        assert refused.value.code == "too_many"
    assert len([*FDS.iterdir()]) - before <= 2 * CLIENTS_MAX + 3, "both ends of each are in this process"
    clients[0].writer.transport.abort()
    late = await dial()
    while (reply := await late.say(b'{"call": "echo"}\n')) is None or not reply["ok"]:
        late = await dial()


@pytest.mark.usefixtures("server")
async def test_a_crowd_that_connects_and_says_nothing_takes_no_descriptor_from_the_wires(path: Path) -> None:
    """1,111 as they were seen: those that wait in the kernel's queue have no descriptor of the daemon."""
    crowd: list[socket.socket] = []
    before = len([*FDS.iterdir()])
    try:
        for _ in range(300):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            crowd.append(client)
            try:
                client.connect(str(path))
            except BlockingIOError:
                await asyncio.sleep(0.0)
        await asyncio.sleep(0.05)
        assert len([*FDS.iterdir()]) - before - len(crowd) <= CLIENTS_MAX + 1
    finally:
        for client in crowd:
            client.close()


async def test_an_answer_has_a_largest_size(path: Path, dial: Dial, until: Any) -> None:
    async def long(call: str, args: Mapping[str, Any], who: str) -> Any:
        return "x" * (ANSWER_MAX if call == "long" else 10)

    task = asyncio.create_task(serve(path, long))
    await until(path.exists)
    with pytest.raises(CommandError, match="ask for less") as refused:
        await ask(path, "long", seconds=PATIENCE_S)
    assert refused.value.code == "too_large"
    assert await ask(path, "short") == "x" * 10
    await end([task])


async def test_of_long_answers_one_is_in_memory_before_it_is_encoded(path: Path, dial: Dial, until: Any) -> None:
    class Long(list[int]):
        """A list that can be counted."""

    made: list[weakref.ref[Long]] = []
    most = 0

    async def long(call: str, args: Mapping[str, Any], who: str) -> Any:
        nonlocal most
        answer = Long(range(1000))
        made.append(weakref.ref(answer))
        most = max(most, sum(each() is not None for each in made))
        return answer

    task = asyncio.create_task(serve(path, long))
    await until(path.exists)
    clients = [await dial() for _ in range(CLIENTS_MAX)]
    replies = await asyncio.gather(*(client.say(b'{"call": "long"}\n') for client in clients))
    assert len(replies) == len(made) == CLIENTS_MAX
    assert most <= 2
    await end([task])


async def test_clients_that_take_long_answers_starve_neither_another_nor_the_loop(
    path: Path, dial: Dial, until: Any
) -> None:
    """31 of them ask on and on. A short question waits for one round of theirs; the loop turns between any two."""
    made: list[int] = []
    turns = 0

    async def answer(call: str, args: Mapping[str, Any], who: str) -> Any:
        if call == "long":
            made.append(turns)
        return "x" * (300_000 if call == "long" else 1)

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.0)

    async def greedy(client: Raw) -> None:
        while content := await client.reader.read(65536):
            client.writer.write(b'{"call": "long"}\n' * content.count(b"\n"))

    serving = asyncio.create_task(serve(path, answer))
    await until(path.exists)
    greed = [await dial() for _ in range(CLIENTS_MAX - 1)]
    for client in greed:
        client.writer.write(b'{"call": "long"}\n' * 5)
    short = await dial()
    others = [asyncio.create_task(each) for each in (turn(), *map(greedy, greed))]
    await until(lambda: len(made) > CLIENTS_MAX)
    for _ in range(10):
        before = len(made)
        assert (await short.say(b'{"call": "short"}\n'))["ok"]
        assert len(made) - before <= 2 * CLIENTS_MAX
    assert all(later > earlier for earlier, later in pairwise(made)), "the loop turned between any two"
    await end([serving, *others])


async def test_who_reads_no_answer_is_let_go_with_what_waits_for_it(
    path: Path, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its descriptor and the answer's memory with it: counted by the tasks that hold them."""
    monkeypatch.setattr("derctl.links.local.TAKEN_S", 0.2)

    async def long(call: str, args: Mapping[str, Any], who: str) -> Any:
        return "x" * 2_000_000

    task = asyncio.create_task(serve(path, long))
    await until(path.exists)
    deaf = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    for client in deaf:
        client.connect(str(path))
        client.send(b'{"call": "long"}\n' * 20)

    def held() -> int:
        return sum(each.get_name() == "socket client" for each in asyncio.all_tasks())

    async with asyncio.timeout(PATIENCE_S):
        while held() < len(deaf):  # noqa: ASYNC110 what the server does
            await asyncio.sleep(0.01)
        while held():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    for client in deaf:
        client.close()
    await end([task])


async def test_a_client_that_says_nothing_is_let_go(
    path: Path, until: Any, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.links.local.IDLE_S", 0.2)
    task = asyncio.create_task(serve(path, answer))
    await until(path.exists)
    client = await dial()
    async with asyncio.timeout(PATIENCE_S):
        assert await client.reader.read() == b""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_end_waits_for_no_client(path: Path, until: Any, dial: Dial) -> None:
    task = asyncio.create_task(serve(path, answer))
    await until(path.exists)
    idle, busy, half = await dial(), await dial(), await dial()
    busy.writer.write(b'{"call": "slow"}\n')
    half.writer.write(b'{"call"')
    assert (await idle.say(b'{"call": "echo"}\n'))["ok"]
    task.cancel()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(task, return_exceptions=True)
        for client in (idle, busy, half):
            assert await client.reader.read() == b""


# -- who was there before -------------------------------------------------------------------------------------------


async def test_a_file_left_by_a_killed_daemon_is_replaced(path: Path, until: Any) -> None:
    path.parent.mkdir()
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    task = asyncio.create_task(serve(path, answer))

    async def answered() -> bool:
        try:
            return bool(await ask(path, "echo", {"a": 1}) == {"a": 1})
        except LinkError:
            return False

    async with asyncio.timeout(PATIENCE_S):
        while not await answered():  # noqa: ASYNC110 another process's progress, so to speak
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_living_daemons_socket_is_not_taken_over(server: asyncio.Task[None], path: Path) -> None:
    with pytest.raises(LinkError):
        await serve(path, answer)
    assert await ask(path, "echo", {"still": "there"}) == {"still": "there"}
    assert not server.done()


async def test_a_file_that_is_no_socket_is_not_removed(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(LinkError):
        await serve(path, answer)
    assert path.read_text() == "precious"
