"""A name is looked up by a thread of its own, once at a time, and its addresses are tried in turn."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from derctl.errors import BusClosed
from derctl.links.names import LOOK_UPS_MAX, Name
from derctl.links.wires.tcp import PymodbusTcp


class Server:
    """A name server: it answers when it is let, with these places."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.asked: list[str] = []
        self.places: list[tuple[Any, ...]] = []

    def getaddrinfo(self, host: str, port: int, **named: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        self.let.wait()
        return [(family(place), socket.SOCK_STREAM, 6, "", place) for place in self.places]


def family(place: tuple[Any, ...]) -> int:
    return socket.AF_INET6 if len(place) == 4 else socket.AF_INET


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    made = Server()
    real = socket.getaddrinfo

    def asked(host: str, port: int, *rest: Any, **named: Any) -> Any:
        return made.getaddrinfo(host, port) if str(host).endswith(".test") else real(host, port, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    yield made
    made.let.set()


async def test_a_name_server_that_never_answers_is_asked_once_and_named(server: Server) -> None:
    wire = PymodbusTcp("pv2.test", 502, connect_timeout_s=0.1)
    for _ in range(5):
        with pytest.raises(
            BusClosed, match=r"^pv2.test:502: host not found: the name server does not answer$"
        ) as why:
            await wire.connect(lambda error: None)
    assert "needs no name server" in why.value.hint
    assert server.asked == ["pv2.test"]


async def test_hanging_look_ups_leave_the_default_executor_to_others(server: Server) -> None:
    names = [Name(f"pv{number}.test", 502) for number in range(40)]
    silent = await asyncio.gather(*(name.addresses(0.05) for name in names), return_exceptions=True)
    assert all(isinstance(each, socket.gaierror) for each in silent) and len(server.asked) == LOOK_UPS_MAX
    async with asyncio.timeout(60.0):
        assert await asyncio.to_thread(lambda: "saved") == "saved"
    server.let.set()
    await asyncio.gather(*(name.addresses(60.0) for name in names))


async def test_any_number_of_names_is_looked_up_by_a_few_threads_and_each_is_answered(server: Server) -> None:
    """systemd lets a unit have 64 threads: beyond them the daemon could not even save."""
    server.places = [("192.0.2.1", 502)]
    names = [Name(f"pv{number}.test", 502) for number in range(3 * LOOK_UPS_MAX)]
    before = threading.active_count()
    asking = [asyncio.create_task(name.addresses(60.0)) for name in names]
    while len(server.asked) < LOOK_UPS_MAX:  # noqa: ASYNC110 what the threads do
        await asyncio.sleep(0.01)
    assert threading.active_count() - before <= LOOK_UPS_MAX
    server.let.set()
    assert await asyncio.gather(*asking) == [["192.0.2.1"]] * len(names)
    assert sorted(server.asked) == sorted(f"pv{number}.test" for number in range(len(names)))


async def test_an_answer_that_comes_late_counts_at_the_next_try(server: Server) -> None:
    server.places = [("192.0.2.1", 502), ("fe80::1", 502, 0, 2), ("192.0.2.1", 502)]
    name = Name("pv2.test", 502)
    with pytest.raises(socket.gaierror):
        await name.addresses(0.05)
    server.let.set()
    assert await name.addresses(60.0) == ["192.0.2.1", "fe80::1%2"]
    assert await name.addresses(60.0) == ["192.0.2.1", "fe80::1%2"]
    assert server.asked == ["pv2.test"] * 2


@pytest.mark.parametrize("address", ["192.0.2.7", "::1", "fe80::1%2"])
async def test_for_an_address_nobody_is_asked(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert await Name(address, 502).addresses(0.0) == [address]


async def test_the_addresses_of_a_name_are_tried_in_turn(server: Server) -> None:
    listener = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    server.places = [("127.0.0.2", port), ("127.0.0.1", port)]
    server.let.set()
    wire = PymodbusTcp("pv2.test", port)
    await wire.connect(lambda error: None)
    wire.close()
    listener.close()
    with pytest.raises(BusClosed, match="connection refused"):
        await wire.connect(lambda error: None)
