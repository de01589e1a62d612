"""Brokers that others wrote, each with the daemon, hil's house and paho as the operator: what goes out arrives and
stays, a command is answered, the last will comes after SIGKILL, and a broker that was away is found again."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from witness.assistant import plant, program
from witness.verdict import Row

BASE, OWNER = "derctl/demo/broker", "home"
PATIENCE_S = 60.0
STOP_S = 10.0
START_S = 180.0
"""Brokers in Erlang take a minute on a machine that is busy."""
WHAT = "telemetry, retained, commands, will, way back"
LIMITS = ("online", "poc", "der/pv1/measurement", "der/pv1/setpoint")
"""What has to lie retained for who connects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A broker. program: what has to be there. files: its configuration, by name. command and environment: with
    {folder}, {port}, {other} and {third} (ports of its own) filled in. user: as whom one comes to it.
    owner: as whom it runs where root starts it. newer: it has MQTT 5, by which a command with the flag RETAIN is seen
    to have it while the daemon listens. exact: what lies retained it gives to its own topic's subscriber
    alone, to none with a wildcard."""

    name: str
    program: str
    command: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    owner: str | None = None
    newer: bool = False
    exact: bool = False


KINDS = (
    Kind(
        name="mosquitto",
        program="mosquitto",
        command=("mosquitto", "-c", "{folder}/broker.conf"),
        files={"broker.conf": "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"},
        newer=True,
    ),
    Kind(name="amqtt", program=sys.executable, command=(sys.executable, "-m", "hil.broker", "{port}")),
    Kind(
        name="nats-server",
        program="nats-server",
        command=("nats-server", "-c", "{folder}/broker.conf"),
        files={
            "broker.conf": 'server_name: one\nlisten: "127.0.0.1:{other}"\n'
            'jetstream {{ store_dir: "{folder}/store" }}\n'
            'mqtt {{ host: "127.0.0.1", port: {port} }}\n'
        },
    ),
    Kind(
        name="ejabberd",
        program="ejabberdctl",
        command=("ejabberdctl", "--config-dir", "{folder}", "--logs", "{folder}", "--spool", "{folder}/spool",
                 "--node", "witness@localhost", "foreground"),
        files={
            "ejabberd.yml": "hosts: [localhost]\nloglevel: info\nauth_method: anonymous\n"
            "allow_multiple_connections: true\nanonymous_protocol: both\n"
            "listen:\n  - {{port: {port}, ip: 127.0.0.1, module: mod_mqtt}}\n"
            "modules:\n  mod_mqtt: {{}}\n",
            "ejabberdctl.cfg": "INET_DIST_INTERFACE=127.0.0.1\nERL_EPMD_ADDRESS=127.0.0.1\n",
        },
        environment={"HOME": "{folder}", "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": "{third}"},
        user="site@localhost",
        owner="ejabberd",
        newer=True,
    ),
    Kind(
        name="rabbitmq",
        program="/usr/lib/rabbitmq/bin/rabbitmq-server",
        command=("/usr/lib/rabbitmq/bin/rabbitmq-server",),
        files={
            "rabbitmq.conf": "listeners.tcp = none\nmqtt.listeners.tcp.1 = 127.0.0.1:{port}\n"
            "mqtt.allow_anonymous = true\nlog.console = true\nlog.file = false\n",
            "plugins": "[rabbitmq_mqtt].\n",
            "environment": "",
        },
        environment={
            "HOME": "{folder}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": "{third}",
            "RABBITMQ_NODENAME": "witness@localhost",
            "RABBITMQ_DIST_PORT": "{other}",
            "RABBITMQ_MNESIA_BASE": "{folder}/spool",
            "RABBITMQ_LOG_BASE": "{folder}",
            "RABBITMQ_CONFIG_FILE": "{folder}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": "{folder}/environment",
            "RABBITMQ_ENABLED_PLUGINS_FILE": "{folder}/plugins",
        },
        owner="rabbitmq",
        exact=True,
    ),
)  # fmt: skip


def free_port() -> int:
    """One that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Running:
    """A broker that can be ended and started again at the same place."""

    kind: Kind
    folder: Path
    ports: Mapping[str, int]
    process: asyncio.subprocess.Process | None = None

    @property
    def port(self) -> int:
        return self.ports["port"]

    async def start(self) -> None:
        """Raises RuntimeError where it does not listen in time."""
        words = {"folder": str(self.folder), **self.ports}
        for name, text in self.kind.files.items():
            (self.folder / name).write_text(text.format(**words), encoding="utf-8")
        if self.kind.owner is not None and os.geteuid() == 0:
            for place in (self.folder.parent.parent, self.folder.parent):
                place.chmod(0o711)
            for place in (self.folder, *self.folder.iterdir()):
                shutil.chown(place, self.kind.owner)
        given = {key: each.format(**words) for key, each in self.kind.environment.items()}
        command = [each.format(**words) for each in self.kind.command]
        with (self.folder / "broker.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command,
                stdout=log,
                stderr=log,
                stdin=asyncio.subprocess.DEVNULL,
                env=os.environ | given,
                start_new_session=True,
            )
        if not await true(
            lambda: self.process is not None and (listens(self.port) or self.process.returncode is not None),
            START_S,
        ):
            raise RuntimeError("it does not listen")
        if self.process.returncode is not None:
            words_of = (self.folder / "broker.log").read_text(errors="replace").strip().splitlines()
            raise RuntimeError(f"it ended: {words_of[-1] if words_of else self.process.returncode}")

    async def stop(self) -> None:
        """It and what it started: a broker in Erlang leaves its name server behind, in a session of its own."""
        if self.process is not None and self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            await true(lambda: not listens(self.port), STOP_S)
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()
        if shutil.which("epmd") is not None and listens(self.ports["third"]):
            command = ("epmd", "-address", "127.0.0.1", "-port", str(self.ports["third"]), "-kill")
            quiet = asyncio.subprocess.DEVNULL
            await (await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)).wait()


def listens(port: int) -> bool:
    """Whether anybody does."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def true(holds: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
    """Whether it becomes so in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    for _ in iter(lambda: loop.time() < deadline, False):
        if holds():
            return True
        await asyncio.sleep(0.1)
    return holds()


class Operator:
    """paho, with what it heard by topic. retained: what lay there when it came, live: what came since."""

    def __init__(self, port: int, kind: Kind) -> None:
        user, filters = kind.user, [f"{BASE}/#", *(f"{BASE}/{each}" for each in LIMITS if kind.exact)]
        self.heard: dict[str, list[dict[str, Any]]] = {}
        self.retained: set[str] = set()
        self.live: set[str] = set()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"w{uuid.uuid4().hex[:12]}", protocol=paho.MQTTv311
        )
        if user is not None:
            self.client.username_pw_set(user.replace("site", OWNER), "x")
        self.client.on_connect = lambda client, *_: client.subscribe([(each, 1) for each in filters])
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _on_message(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        if not message.payload:
            return
        topic = message.topic.removeprefix(f"{BASE}/")
        self.heard.setdefault(topic, []).append(json.loads(message.payload))
        (self.retained if message.retain else self.live).add(topic)

    def last(self, topic: str) -> dict[str, Any]:
        return self.heard.get(topic, [{}])[-1]

    def ask(self, name: str, *, retain: bool = False) -> str:
        """Its id. retain: it is taken back from the broker behind it."""
        wanted, topic = uuid.uuid4().hex, f"{BASE}/cmd/{OWNER}/{name}"
        payload = {"id": wanted, "issued_at": datetime.now(UTC).isoformat(), "expires_s": 600}
        self.client.publish(topic, json.dumps(payload), qos=1, retain=retain)
        if retain:
            self.client.publish(topic, b"", qos=1, retain=True)
        return wanted

    def answers(self, wanted: str) -> list[str | None]:
        """The codes of those to that id."""
        return [each["code"] for each in self.heard.get(f"reply/{OWNER}", []) if each["id"] == wanted]

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def site_file(given: Path, broker: Running) -> Path:
    """The house's, with this broker."""
    content = yaml.safe_load(given.read_text(encoding="utf-8"))
    content["site"] |= {"id": "broker", "require_proof": False, "clock_sync": "assume", "mode": "observe"}
    content["site"] |= {"state_dir": str(broker.folder / "state"), "socket": str(broker.folder / "sock")}
    content["mqtt"] = {"host": "127.0.0.1", "port": broker.port, "principals": [{"name": OWNER}], "keepalive_s": 10}
    content["mqtt"] |= {"measurement_every_s": 2}
    if broker.kind.user is not None:
        secret = broker.folder / "password"
        secret.write_text("x")
        secret.chmod(0o600)
        content["mqtt"] |= {"username": broker.kind.user, "password_file": str(secret)}
    path = broker.folder / "site.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


async def tried(broker: Running, path: Path) -> list[str]:
    """What did not hold, of telemetry, what stays, commands, the last will and the way back."""
    command = (sys.executable, "-m", "derctl", "run", "-c", str(path))
    wrong: list[str] = []

    async def holds(what: str, is_so: Callable[[], bool]) -> None:
        if not await true(is_so):
            wrong.append(what)

    async with program(*command, out=broker.folder / "daemon.log") as daemon:
        first = Operator(broker.port, broker.kind)
        await holds("telemetry", lambda: all(topic in first.heard for topic in LIMITS[:3]))
        asked = first.ask("ping")
        await holds("a command's reply", lambda: first.answers(asked)[:1] == [None])
        kept = first.ask("ping", retain=True)
        code = "retained" if broker.kind.newer else None
        await holds("a command with the flag RETAIN", lambda: first.answers(kept)[:1] == [code])
        second = Operator(broker.port, broker.kind)
        await holds("what stays for who connects", lambda: {*LIMITS[:3]} <= second.retained)
        second.end()
        daemon.kill()
        await daemon.wait()
        await holds("the last will", lambda: first.last("online").get("online") is False)
        first.end()
    async with program(*command, out=broker.folder / "daemon2.log"):
        third = Operator(broker.port, broker.kind)
        await holds(
            "telemetry after a start", lambda: third.last("online").get("online") is True and "poc" in third.live
        )
        third.end()
        await broker.stop()
        await broker.start()
        fourth = Operator(broker.port, broker.kind)
        await holds("the way back", lambda: fourth.last("online").get("online") is True and "poc" in fourth.live)
        asked = fourth.ask("ping")
        await holds("a command after it", lambda: fourth.answers(asked)[:1] == [None])
        fourth.end()
    return wrong


@asynccontextmanager
async def started(kind: Kind, folder: Path) -> AsyncIterator[Running]:
    """The broker; ended in any case."""
    (folder / "spool").mkdir(parents=True)
    broker = Running(kind=kind, folder=folder, ports={name: free_port() for name in ("port", "other", "third")})
    try:
        await broker.start()
        yield broker
    finally:
        await broker.stop()


async def judged(folder: Path) -> list[Row]:
    """A row for each broker; one that is not installed is said so."""
    rows: list[Row] = []
    place = folder / "brokers"
    place.mkdir()
    async with plant(place) as given:
        for kind in KINDS:
            if shutil.which(kind.program) is None:
                rows.append(Row(judge=kind.name, wire="mqtt", what=WHAT, why_not="it is not installed"))
                continue
            try:
                async with started(kind, place / kind.name) as broker:
                    wrong = await tried(broker, site_file(given, broker))
            except (RuntimeError, OSError) as error:
                wrong = [str(error)]
            what = f"{WHAT} (retained: by the whole topic)" if kind.exact else WHAT
            rows.append(Row(judge=kind.name, wire="mqtt", what=what, compared=8, wrong=tuple(wrong)))
    return rows
