"""Real sockets and a real broker. Every asynchronous test here fails on a task that outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import uvloop
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

BOTH_LOOPS = {"test_modbus", "test_rtu", "test_tls"}
"""Files whose tests run on asyncio's loop and on uvloop, as the daemon does where it is installed."""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.SelectorEventLoop}
    if item.path.stem in BOTH_LOOPS:
        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.fixture(autouse=True)
async def nothing_left_running() -> AsyncIterator[None]:
    """Fails on a task that outlives its test."""
    yield
    for _ in range(500):
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if not left:
            return
        await asyncio.sleep(0.01)
    for task in left:
        task.cancel()
    raise AssertionError(f"still running: {left}")


PATIENCE_S = 60.0
"""For whatever must come at last: no claim about how fast, which a busy machine would break."""


async def until(true: Callable[[], Any]) -> None:
    """Wait for something that another process or thread does."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:g} s"
        await asyncio.sleep(0.01)


@pytest.fixture(name="until")
def until_() -> Callable[..., Any]:
    return until


# -- the broker -----------------------------------------------------------------------------------------------------


def program(name: str, *places: str) -> str:
    found = shutil.which(name) or next((place for place in places if Path(place).exists()), None)
    if found is None:
        pytest.fail(f"NOT TESTED: {name} is missing; `make system` installs it")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Mosquitto:
    """A mosquitto of our own on an ephemeral port. lines: its configuration, without listener and log."""

    folder: Path
    lines: list[str] = field(default_factory=lambda: ["allow_anonymous true"])
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text(errors="replace")

    def start(self) -> None:
        binary = program("mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")
        config = self.folder / "mosquitto.conf"
        fixed = [f"listener {self.port} 127.0.0.1", "log_dest stderr", "log_type all", f"user {getpass.getuser()}"]
        config.write_text("\n".join([*fixed, *self.lines, ""]))
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([binary, "-c", str(config)], stderr=log, stdout=log)
        deadline = time.monotonic() + PATIENCE_S
        while not self._listens():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0 and self.process is not None

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def make_mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    brokers: list[Mosquitto] = []

    def make(*lines: str, started: bool = True) -> Mosquitto:
        broker = Mosquitto(tmp_path)
        if lines:
            broker.lines = list(lines)
        brokers.append(broker)
        if started:
            broker.start()
        return broker

    yield make
    for broker in brokers:
        broker.stop()


@pytest.fixture
def mosquitto(make_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    return make_mosquitto()


# -- the outside ----------------------------------------------------------------------------------------------------


@dataclass
class Outside:
    """A paho client, as an operator's program would be: (topic, payload, retained, qos) of all it was sent."""

    port: int
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    seen: list[tuple[str, bytes, bool, int]] = field(default_factory=list)
    subscribed: bool = False

    def __post_init__(self) -> None:
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if self.username is not None:
            self.client.username_pw_set(self.username, self.password)
        if self.tls is not None:
            self.client.tls_set_context(self.tls)
        self.client.on_message = self._on_message
        self.client.on_subscribe = self._on_subscribe

    def _on_message(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        self.seen.append((message.topic, bytes(message.payload), message.retain, message.qos))

    def _on_subscribe(self, *given: Any) -> None:
        self.subscribed = True

    async def watch(self, pattern: str = "#") -> Outside:
        self.client.connect("127.0.0.1", self.port)
        self.client.loop_start()
        await until(self.client.is_connected)
        self.client.subscribe(pattern, options=SubscribeOptions(qos=1, retainAsPublished=True))
        await until(lambda: self.subscribed)
        return self

    def send(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        self.client.publish(topic, payload, qos=qos, retain=retain)

    def of(self, ending: str) -> list[bytes]:
        return [payload for topic, payload, _, _ in self.seen if topic.endswith(ending)]

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def make_outside() -> Iterator[Callable[..., Outside]]:
    clients: list[Outside] = []

    def make(port: int, **given: Any) -> Outside:
        clients.append(Outside(port, **given))
        return clients[-1]

    yield make
    for client in clients:
        client.leave()


# -- certificates ---------------------------------------------------------------------------------------------------


CA_USAGE = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
"""Python 3.13 verifies strictly (RFC 5280): a CA without it is refused."""


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca, server (for 127.0.0.1), site and another ca, by the openssl program. X.pem and X.key of each."""
    openssl = program("openssl")
    folder = tmp_path_factory.mktemp("certificates")

    def run(*words: str) -> None:
        done = subprocess.run([openssl, *words], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for ca in ("ca", "other"):
        run(
            "req",
            "-x509",
            *curve,
            "-keyout",
            f"{ca}.key",
            "-out",
            f"{ca}.pem",
            "-days",
            "2",
            "-subj",
            f"/CN={ca}",
            *CA_USAGE,
        )
    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\n")
    (folder / "site.ext").write_text("extendedKeyUsage=clientAuth\n")
    for name in ("server", "site"):
        run("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext")
        run("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem")
    for path in folder.iterdir():
        path.chmod(0o600)
    return folder


@contextlib.contextmanager
def python(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    process = subprocess.Popen([sys.executable, *arguments], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def run_python() -> Callable[[list[str]], Any]:
    """A process that imports derctl or hil from this tree; killed at the end of its block."""
    return python
