"""A name server that takes each question and never answers: no setpoint, save, disarm or end waits for it."""

from __future__ import annotations

import os
import shlex
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.attack import Attack
from tests.soak.conftest import House
from tests.soak.mounts import controller
from tests.soak.test_kills import say

END_S = 3.0
SOON_S = 8.0
"""A limit in its device and a disarm. A look-up itself gives up after 10 s (resolv.conf(5): two tries of 5 s)."""
NAMED = 15


class Deaf:
    """A UDP socket on port 53 of an address of its own on the loopback: it reads and never answers."""

    def __init__(self) -> None:
        self.address = f"127.{os.getpid() >> 16 & 0x7F | 0x40}.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF or 1}"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.bind((self.address, 53))
        except PermissionError:
            pytest.fail("NOT TESTED: port 53 is root's here")
        self.socket.setblocking(False)

    def asked(self) -> int:
        """How many questions came since the last time."""
        count = 0
        while True:
            try:
                self.socket.recv(512)
            except BlockingIOError:
                return count
            count += 1


@pytest.fixture
def deaf() -> Iterator[Deaf]:
    made = Deaf()
    yield made
    made.socket.close()


def named(site: dict[str, Any]) -> None:
    """pv2, the broker and 15 devices more have names; pv1 has an address."""
    site["functions"] = [{"kind": "operator_limit"}]
    site["mqtt"] = {"host": "broker.test", "port": 1883}
    next(each for each in site["buses"] if each["id"] == "lan_pv2")["tcp"]["host"] = "pv2.test"
    for name in (f"more{number}" for number in range(NAMED)):
        site["buses"].append({"id": f"lan_{name}", "tcp": {"host": f"{name}.test"}})
        row = {"id": name, "bus": f"lan_{name}", "unit": 1, "kind": "sunspec_pv"}
        site["ders"].append(row | {"fallback": {"p_ceiling_w": 0, "by": "reversion", "after_s": 60}})


async def within(house: House, true: Callable[[], bool]) -> float:
    """Seconds until it is so."""
    began = time.monotonic()
    await house.until(lambda status: true())
    return time.monotonic() - began


@pytest.mark.soak(full=20, short=1, pieces=2)
async def test_a_name_server_that_never_answers_delays_nothing(
    house: Callable[..., Any], tmp_path: Path, deaf: Deaf, attack: Attack
) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(f"nameserver {deaf.address}\n")
    command = controller(f"mount --bind {shlex.quote(str(file))} $(readlink -f /etc/resolv.conf)")
    slow, ends, asked = 0.0, 0.0, 0
    async with house(named, controller=command) as h:
        for _ in range(attack.count):
            await h.until(lambda status: status["ders"]["pv1"]["state"] == "ok" and status["mode"] == "control")
            began = time.monotonic()
            assert (await h.ask("limit_power", der="pv1", p_ceiling_w=1234.0, expires_s=60))["ok"]
            await within(h, lambda: h.run.rig.world.state.ders["pv1"].inverter.p_w < 1300.0)
            status = await h.status()
            assert (await h.ask("disarm"))["ok"]
            slow = max(slow, time.monotonic() - began)
            began = time.monotonic()
            assert await h.run.child.end()
            ends, asked = max(ends, time.monotonic() - began), asked + deaf.asked()
            attack.found(resolver="UDP port 53 that never answers", asked=asked)
            attack.found(slowest_limit_and_disarm_s=f"{slow:.2f}", slowest_end_s=f"{ends:.2f}")
            attack.in_time(status["loop"])
            assert slow < SOON_S and ends < END_S
            assert asked >= NAMED, "it was the name server that was asked"
            await h.run.child.start()
            await h.until(lambda status: status["ders"]["pv1"]["state"] == "ok" and status["loop"]["ticks"])
            await say(h, "arm")
        h.held(I7="pv2 is never found")
