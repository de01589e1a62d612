"""The real process ends within 3 s of SIGTERM, and controls meanwhile, whatever hangs around it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import json
import os
import platform
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from derctl.errors import LinkError
from derctl.links.local import ask
from hil.rig import Rig
from hil.snapshot import snapshot
from tests.attack import Attack
from tests.loopback.daemon.conftest import simulated

ROOT = Path(__file__).resolve().parents[3]
SITUATIONS = ("broker", "silent broker", "vanishing broker", "evil device", "silent device", "stderr unread")
END_S = 3.0
PATIENCE_S = 60.0
UNHEARD = """
import os, socket, threading
asked = socket.getaddrinfo
def silent(host, *rest, **named):
    if str(host).endswith(".test"):
        threading.Event().wait()
    return asked(host, *rest, **named)
socket.getaddrinfo = silent
if os.environ.get("DERCTL_LOOP") == "asyncio":
    import sys
    sys.modules["uvloop"] = None
"""
"""sitecustomize.py: a name server that never answers, for names that end in .test."""
LOST_IN_A_LIBRARY = """
import asyncio, derctl.links.mqtt as mqtt
async def stubborn(self):
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
mqtt.MqttLink.run = stubborn
"""
STUCK = """
import derctl.daemon.uplink as uplink, time
uplink.Uplink.last = lambda self, writers: time.sleep(3600)
"""
Change = Callable[[dict[str, Any]], None]


@dataclasses.dataclass
class Daemon:
    """One process."""

    folder: Path
    site: dict[str, Any]
    process: asyncio.subprocess.Process
    log: Path

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads((Path(self.site["site"]["state_dir"]) / "state.json").read_text()))

    async def ask(self, call: str, **args: Any) -> Any:
        return await ask(Path(self.site["site"]["socket"]), call, args)

    async def until(self, true: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                assert self.process.returncode is None, self.log.read_text()
                with contextlib.suppress(LinkError):
                    status = await self.ask("status")
                    if true(status):
                        return dict(status)
                await asyncio.sleep(0.02)

    async def stop(self) -> float:
        """How long it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self.process.wait(), PATIENCE_S)
        return time.monotonic() - began


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with simulated(tick_s=0.2, clock_sync="assume") as made:
        yield made


@pytest.fixture
def daemon(rig: Rig, tmp_path: Path) -> Callable[..., Any]:
    """`async with daemon(change) as d`: `unread` gives it a full pipe as stderr that nobody reads."""

    @asynccontextmanager
    async def start(
        change: Change = lambda site: None, *, sitecustomize: str = "", unread: bool = False, loop: str = "asyncio"
    ) -> AsyncIterator[Daemon]:
        path = rig.site_file(tmp_path)
        site = yaml.safe_load(path.read_text())
        change(site)
        path.write_text(yaml.safe_dump(site))
        (tmp_path / "sitecustomize.py").write_text(UNHEARD + sitecustomize)
        environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", "DERCTL_LOOP": loop}
        read, write = full_pipe() if unread else (None, None)
        with (tmp_path / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "derctl", "run", "-c", str(path), "--log-level", "debug"),
                env=environment,
                stderr=log if write is None else write,
            )
        try:
            yield Daemon(tmp_path, site, process, tmp_path / "log")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            for end in (read, write):
                if end is not None:
                    os.close(end)

    return start


def full_pipe() -> tuple[int, int]:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, b".")
    os.set_blocking(write, True)
    return read, write


@pytest.fixture
async def deaf() -> AsyncIterator[int]:
    """A port that takes each connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
async def vanishing() -> AsyncIterator[int]:
    """A broker that welcomes each session of MQTT 5, answers nothing more, and goes at a moment of its own."""

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readexactly(1)
            writer.write(b"\x20\x03\x00\x00\x00")
            await reader.read(20)
            writer.transport.abort()

    server = await asyncio.start_server(session, "127.0.0.1", 0)
    yield int(server.sockets[0].getsockname()[1])
    server.close()


@pytest.fixture
async def evil() -> AsyncIterator[int]:
    """A device that answers each byte with a byte, for ever."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(1):
                writer.write(part)
        writer.transport.abort()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield int(server.sockets[0].getsockname()[1])
    server.close()


@pytest.fixture
def ports(mosquitto: Any, deaf: int, vanishing: int, evil: int) -> dict[str, int]:
    """Who is there to talk to."""
    return {"mosquitto": mosquitto.port, "deaf": deaf, "vanishing": vanishing, "evil": evil}


def broker(port: int) -> Change:
    return lambda site: site.update(mqtt={"host": "127.0.0.1", "port": port})


def tcp_of(site: dict[str, Any], bus: str) -> dict[str, Any]:
    return next(each["tcp"] for each in site["buses"] if each["id"] == bus)


def device_at(port: int) -> Change:
    """pv2 is somebody else."""

    def change(site: dict[str, Any]) -> None:
        tcp_of(site, "lan_pv2")["port"] = port

    return change


def named(site: dict[str, Any]) -> None:
    """pv2, the broker and 15 devices more have names; pv1 has an address."""
    site["functions"] = [{"kind": "operator_limit"}]
    site["mqtt"] = {"host": "broker.test", "port": 1883}
    tcp_of(site, "lan_pv2")["host"] = "pv2.test"
    for number in range(15):
        name = f"more{number}"
        site["buses"].append({"id": f"lan_{name}", "tcp": {"host": f"{name}.test"}})
        row = {"id": name, "bus": f"lan_{name}", "unit": 1, "kind": "sunspec_pv"}
        site["ders"].append(row | {"fallback": {"p_ceiling_w": 0, "by": "reversion", "after_s": 60}})


def working(status: dict[str, Any]) -> bool:
    """pv1 is under control."""
    return bool(status["mode"] == "control" and status["ders"]["pv1"]["state"] == "ok")


@pytest.mark.soak(full=17, short=3)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_it_ends_within_3_s_of_sigterm(
    daemon: Callable[..., Any], ports: dict[str, int], situation: str, loop: str, attack: Attack
) -> None:
    """17 stops in each of twelve situations are 204."""
    slowest = 0.0
    change = {
        "broker": broker(ports["mosquitto"]),
        "silent broker": broker(ports["deaf"]),
        "vanishing broker": broker(ports["vanishing"]),
        "evil device": device_at(ports["evil"]),
        "silent device": device_at(ports["deaf"]),
    }.get(situation, lambda site: None)
    for _ in range(attack.count):
        async with daemon(change, unread=situation == "stderr unread", loop=loop) as d:
            await d.until(working)
            slowest = max(slowest, await d.stop())
            attack.found(python=platform.python_version(), slowest_end_s=f"{slowest:.2f}")
            assert slowest < END_S, d.log.read_text()
            assert d.process.returncode == 0
            assert "stopped" in d.log.read_text() or situation == "stderr unread"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_name_server_that_never_answers_delays_no_setpoint_no_save_no_disarm_and_no_end(
    daemon: Callable[..., Any], rig: Rig, loop: str
) -> None:
    async with daemon(named, loop=loop) as d:
        await d.until(working)
        began = time.monotonic()
        await d.ask("limit_power", der="pv1", p_ceiling_w=1234, expires_s=60)
        await until(lambda: [each for each in d.state["requests"] if "1234" in json.dumps(each)])
        await until(lambda: snapshot(rig, None, None, None)["der"]["pv1"]["p_w"] < 1300)
        await d.ask("disarm")
        assert time.monotonic() - began < 5.0
        assert await d.stop() < END_S, d.log.read_text()
        assert d.process.returncode == 0


@pytest.mark.parametrize(("broken", "code", "named"), [(LOST_IN_A_LIBRARY, 0, "mqtt"), (STUCK, 70, "release")])
async def test_what_does_not_end_is_named_and_left_behind_with_the_state_saved(
    daemon: Callable[..., Any], deaf: int, broken: str, code: int, named: str
) -> None:
    async with daemon(broker(deaf), sitecustomize=broken) as d:
        await d.until(working)
        await d.ask("limit_power", der="pv1", p_ceiling_w=1234, expires_s=60)
        assert await d.stop() < END_S, d.log.read_text()
        assert d.process.returncode == code
        assert re.search(rf"left behind: .*{named}", d.log.read_text())
        assert "1234" in json.dumps(d.state["requests"])


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if true():
                return
            await asyncio.sleep(0.02)
