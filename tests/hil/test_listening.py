"""I9 looks at the real sockets: one that others than this machine can reach is seen, and no other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hil.listening import EVERY_S, FIRST_S, Listening, beyond


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    kept: list[socket.socket] = []
    yield kept
    for each in kept:
        each.close()


def listening(kept: list[socket.socket], family: int, kind: int, host: str) -> int:
    made = socket.socket(family, kind)
    kept.append(made)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((host, 0))
    if kind == socket.SOCK_STREAM:
        made.listen()
    return int(made.getsockname()[1])


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize(
    ("family", "host", "seen"),
    [
        (socket.AF_INET, "127.0.0.1", False),
        (socket.AF_INET, "127.8.7.6", False),
        (socket.AF_INET6, "::1", False),
        (socket.AF_INET6, "::ffff:127.0.0.1", False),
        (socket.AF_INET, "0.0.0.0", True),
        (socket.AF_INET6, "::", True),
    ],
)
def test_a_socket_is_seen_where_others_can_reach_it(
    opened: list[socket.socket], kind: int, family: int, host: str, seen: bool
) -> None:
    if host.startswith("::ffff"):
        made = socket.socket(family, kind)
        opened.append(made)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((host, 0))
        if kind == socket.SOCK_STREAM:
            made.listen()
        port = int(made.getsockname()[1])
    else:
        port = listening(opened, family, kind, host)
    found = [each for each in beyond([os.getpid()]) if each.endswith(f" port {port}")]
    assert len(found) == seen


def test_another_process_is_looked_at_and_one_that_has_gone_is_none(opened: list[socket.socket]) -> None:
    code = "import socket; s = socket.create_server(('0.0.0.0', 0)); print(s.getsockname()[1], flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        assert [each for each in beyond([other.pid]) if each.endswith(f"0.0.0.0 port {port}")]
        other.communicate(b"\n")
    listening(opened, socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0")
    assert not list(beyond([other.pid]))


def test_it_looks_now_and_then_and_says_what_it_saw(opened: list[socket.socket]) -> None:
    watch = Listening()
    port = listening(opened, socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0")
    watch.look([None], 0.0)
    assert (watch.looks, watch.faults()) == (0, [])
    for now_s in (FIRST_S, FIRST_S + 1.0, FIRST_S + EVERY_S):
        watch.look([None], now_s)
    assert watch.looks == 2
    assert [each for each in watch.faults() if each.endswith(f"port {port}")]
