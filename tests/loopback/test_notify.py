"""sd_notify against a datagram socket of our own (systemd's sd_notify(3): one datagram, lines, @ for abstract)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from derctl.links.notify import Notifier


@pytest.fixture(params=["a path", "an abstract address"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        if request.param == "a path":
            address = told = str(tmp_path / "notify")
        else:
            name = f"derctl-test-{os.getpid()}"
            address, told = "\0" + name, "@" + name
        found.bind(address)
        found.settimeout(60.0)
        yield found, told


def test_each_send_is_one_datagram_of_lines(listener: tuple[socket.socket, str]) -> None:
    sock, told = listener
    notifier = Notifier(told)
    notifier.send("READY=1", "STATUS=observing, 0 of 3 DERs answer – é")
    notifier.send("WATCHDOG=1")
    assert sock.recv(1000) == "READY=1\nSTATUS=observing, 0 of 3 DERs answer – é".encode()
    assert sock.recv(1000) == b"WATCHDOG=1"
    notifier._socket.close()


def test_the_address_comes_from_the_environment(
    listener: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sock, told = listener
    monkeypatch.setenv("NOTIFY_SOCKET", told)
    notifier = Notifier()
    notifier.send("WATCHDOG=1")
    assert sock.recv(1000) == b"WATCHDOG=1"
    notifier._socket.close()


def test_without_systemd_it_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()
    notifier.send("WATCHDOG=1")
    assert notifier._socket is None


def test_a_listener_that_is_gone_or_full_is_no_reason_to_stop(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    notifier = Notifier(str(path))
    notifier.send("WATCHDOG=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(60.0)
        for n in range(5000):
            notifier.send(f"STATUS={n}" + "x" * 1000)
        assert listener.recv(2000).startswith(b"STATUS=0")
        while True:
            listener.setblocking(False)
            try:
                listener.recv(2000)
            except BlockingIOError:
                break
        notifier.send("WATCHDOG=1")
        assert listener.recv(2000) == b"WATCHDOG=1"
    notifier.send("WATCHDOG=1")
    notifier._socket.close()
