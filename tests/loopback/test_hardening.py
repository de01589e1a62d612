"""docs/hardening.md on a real mosquitto, started with config/mosquitto/derctl.conf: each setting is felt."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from aiomqtt import ProtocolVersion
from paho.mqtt.enums import CallbackAPIVersion

from derctl.links.allowed import Denied
from derctl.links.received import Client as Daemons
from tests.loopback.test_mqtt_commands import BASE, DOCS
from tests.loopback.test_principals import SHIPPED, Fleet

ROOT = Path(__file__).parents[2]
HARDENING = (ROOT / "docs" / "hardening.md").read_text(encoding="utf-8")
CONF = (SHIPPED / "derctl.conf").read_text(encoding="utf-8")
CONNECT_311 = bytes.fromhex("100d00044d5154540402003c000161")
"""A CONNECT of MQTT 3.1.1 (3.1) by a client called `a`."""


class Client:
    """paho, with the certificate of that name."""

    def __init__(self, fleet: Fleet, name: str, **given: Any) -> None:
        files = fleet.tls(name)
        context = ssl.create_default_context(cafile=files["ca_file"])
        context.load_cert_chain(files["cert_file"], files["key_file"])
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False, **given
        )
        self.client.tls_set_context(context)
        self.client.on_connect = self._on_connect
        self.client.on_publish = self._on_publish
        self.client.on_message = lambda client, data, message: self.heard.append(message.topic)
        self.client.on_disconnect = lambda *given: self.lost.append(str(given[3]))
        self.client.on_subscribe = self._on_subscribe
        self.connack: Any = None
        self.subscribed = False
        self.denied: dict[int, bool] = {}
        self.heard: list[str] = []
        self.lost: list[str] = []
        self.port = fleet.port

    def _on_connect(self, client: Any, data: Any, flags: Any, code: Any, properties: Any) -> None:
        self.connack = properties

    def _on_subscribe(self, *given: Any) -> None:
        self.subscribed = True

    def _on_publish(self, client: Any, data: Any, mid: int, code: Any, properties: Any) -> None:
        self.denied[mid] = code.is_failure

    def begin(self, keepalive: int = 30) -> Client:
        self.client.connect("127.0.0.1", self.port, keepalive)
        self.client.loop_start()
        return self


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    made = Fleet(tmp_path_factory.mktemp("fleet"))
    made.make()
    return made


@pytest.fixture
def clients(fleet: Fleet) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(name: str, **given: Any) -> Client:
        made.append(Client(fleet, name, **given))
        return made[-1]

    yield make
    for each in made:
        each.client.disconnect()
        each.client.loop_stop()


@pytest.fixture
def start(fleet: Fleet, make_mosquitto: Any) -> Callable[..., Any]:
    """`start(was, becomes)`: the shipped file, with that changed in it."""

    def begin(was: str = "", becomes: str = "") -> Any:
        text = "\n".join(fleet.conf())
        assert was in text
        broker = make_mosquitto(*text.replace(was, becomes).splitlines())
        fleet.port = broker.port
        return broker

    return begin


def settings(text: str) -> set[str]:
    """The names of a mosquitto file's settings; those that are out of force too."""
    return {line.removeprefix("# ").split()[0] for line in text.splitlines() if re.match(r"^(# )?[a-z_]+ \S+$", line)}


def test_each_setting_of_the_shipped_file_is_explained() -> None:
    assert {"require_certificate", "use_username_as_clientid", "max_packet_size"} <= settings(CONF)
    assert not {name for name in settings(CONF) if f"`{name}" not in HARDENING}


async def test_what_speaks_no_tls_or_an_old_one_has_no_session(start: Callable[..., Any], fleet: Fleet) -> None:
    broker = start()
    with socket.create_connection(("127.0.0.1", broker.port), 30.0) as plain:
        plain.sendall(CONNECT_311)
        plain.settimeout(30.0)
        try:
            answer = plain.recv(16)
        except ConnectionResetError:
            answer = b""
    assert not answer.startswith(b"\x20"), "no CONNACK"
    files = fleet.tls("ops")
    for version, taken in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
        command = [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{broker.port}",
            version,
            "-cipher",
            "ALL@SECLEVEL=0",
        ]
        command += ["-CAfile", files["ca_file"], "-cert", files["cert_file"], "-key", files["key_file"], "-brief"]
        done = await asyncio.to_thread(subprocess.run, command, input=b"", capture_output=True, check=False)
        assert (b"Verification: OK" in done.stdout + done.stderr) is taken, (version, done.stderr)


async def test_sizes_and_numbers_are_bounded(
    start: Callable[..., Any], fleet: Fleet, clients: Callable[..., Client], until: Any
) -> None:
    """An endless keep-alive is cut, the fourth of three clients turned away, and a large packet ends its session."""
    broker = start("max_connections 200", "max_connections 3")
    first = clients("ops").begin(keepalive=3600)
    await until(lambda: first.connack is not None)
    assert (first.connack.ServerKeepAlive, first.connack.MaximumPacketSize) == (300, 65536)
    others = [clients("ops").begin() for _ in range(2)]
    await until(lambda: all(each.connack is not None for each in others))
    assert "max_connections exceeded" not in broker.log
    assert (await fleet.tell("agg", "mosquitto_pub", "-t", f"{BASE}/cmd/agg/ping", "-q", "1", "-m", "x"))[0] != 0
    assert "max_connections exceeded" in broker.log
    others[0].client.disconnect()
    await until(lambda: others[0].lost)
    (fleet.folder / "large").write_bytes(b"x" * 70_000)
    words = ("-V", "mqttv311", "-t", f"{BASE}/cmd/agg/ping", "-q", "1", "-f", str(fleet.folder / "large"))
    assert (await fleet.tell("agg", "mosquitto_pub", *words))[0] != 0
    assert "oversize packet" in broker.log


async def test_nobody_is_told_how_the_broker_fares(
    start: Callable[..., Any], clients: Callable[..., Client], until: Any
) -> None:
    """$SYS tells names and loads: no line of the list allows it, nor what is said to others."""
    start()
    agg, site = clients("agg").begin(), clients("house-12").begin()
    await until(lambda: agg.connack is not None and site.connack is not None)
    agg.client.subscribe([("$SYS/#", 1), ("#", 1)])
    await until(lambda: agg.subscribed)
    said = [site.client.publish(f"{BASE}/{topic}", b"{}", qos=1).mid for topic in ("event", "reply/ops", "reply/agg")]
    await until(lambda: set(said) <= site.denied.keys() and agg.heard)
    assert agg.heard == [f"{BASE}/reply/agg"]


def told() -> list[str]:
    """The topics that a site publishes, by the table of docs/interfaces.md, section 3."""
    table = DOCS.partition("| topic | direction | what |")[2].partition("\n\n")[0]
    found = re.findall(r"^\| `([^`]+)` \| out", table, re.MULTILINE)
    return [each.replace("{id}", "bat1").replace("{principal}", "agg") for each in found]


async def test_each_topic_that_a_site_tells_is_its_own_to_write_and_nobody_else_s(
    start: Callable[..., Any], clients: Callable[..., Client], until: Any
) -> None:
    """An interval that the list forgot would be lost, and nobody would know."""
    assert {"interval", "records", "requests", "security", "der/bat1/standing", "notice/agg"} <= {*told()}
    start()
    site, agg = clients("house-12").begin(), clients("agg").begin()
    await until(lambda: site.connack is not None and agg.connack is not None)
    own = {site.client.publish(f"{BASE}/{topic}", b"{}", qos=1).mid: topic for topic in told()}
    stolen = {agg.client.publish(f"{BASE}/{topic}", b"{}", qos=1).mid: topic for topic in told()}
    await until(lambda: own.keys() <= site.denied.keys() and stolen.keys() <= agg.denied.keys())
    assert not [own[mid] for mid, denied in site.denied.items() if denied]
    assert not [stolen[mid] for mid, denied in agg.denied.items() if not denied]


async def test_a_topic_that_the_list_forgot_is_noticed(start: Callable[..., Any], fleet: Fleet) -> None:
    """aiomqtt takes each acknowledgement for a yes: the reason in it counts."""
    start()
    files = fleet.tls("house-12")
    context = ssl.create_default_context(cafile=files["ca_file"])
    context.load_cert_chain(files["cert_file"], files["key_file"])
    given = {"protocol": ProtocolVersion.V5, "will": None, "tls_context": context}
    async with Daemons("127.0.0.1", fleet.port, admits=lambda *message: True, queued_max=1, **given) as site:
        await site.publish(f"{BASE}/interval", b"{}", 1, False)
        with pytest.raises(Denied, match="not authorized"):
            await site.publish(f"{BASE.replace('house-12', 'house-13')}/interval", b"{}", 1, False)
        await site.publish(f"{BASE}/interval", b"{}", 1, False)


@pytest.mark.parametrize("hardened", [False, True])
async def test_one_session_for_each_certificate_keeps_others_from_ending_it(
    start: Callable[..., Any], clients: Callable[..., Client], until: Any, hardened: bool
) -> None:
    """MQTT ends a session whose client id comes again (3.1.4): by default with any certificate."""
    start("\nacl_file", "\nuse_username_as_clientid true\nacl_file" if hardened else "\nacl_file")
    name = BASE.replace("/", "-")
    site = clients("house-12", client_id=name).begin()
    await until(lambda: site.connack is not None)
    thief = clients("guest", client_id=name).begin()
    await until(lambda: thief.connack is not None)
    mid = site.client.publish(f"{BASE}/event", b"{}", qos=1).mid
    if hardened:
        await until(lambda: mid in site.denied)
        assert not site.lost
    else:
        await until(lambda: site.lost)
