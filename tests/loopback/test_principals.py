"""The access list of docs/interfaces.md on a real mosquitto: a principal's name in the topic is true."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from derctl.daemon.app import App
from derctl.daemon.commands.rights import read
from derctl.daemon.commands.rows import COMMANDS
from derctl.links.ending import end
from derctl.site import load
from tests.loopback.test_mqtt_commands import BASE, DOCS, SITE, strangers

USERS = ("house-12", "ops", "home", "guest")


def block(name: str, folder: Path) -> str:
    """As it stands in the document, with the test's folder in the place of mosquitto's."""
    [text] = re.findall(rf"^```mosquitto {name}\n(.*?)^```$", DOCS, flags=re.MULTILINE | re.DOTALL)
    return str(text).replace("/etc/mosquitto", str(folder))


@pytest.fixture
def broker(make_mosquitto: Any, tmp_path: Path) -> Any:
    """Each user's password is its name."""
    passwords, acl = tmp_path / "derctl.passwords", tmp_path / "derctl.acl"
    for n, user in enumerate(USERS):
        flags = ["-b", "-c"] if n == 0 else ["-b"]
        subprocess.run(["mosquitto_passwd", *flags, str(passwords), user, user], check=True)
    acl.write_text(block("acl", tmp_path))
    for path in (passwords, acl):
        path.chmod(0o600)
    return make_mosquitto(*block("conf", tmp_path).splitlines())


@pytest.fixture
async def app(broker: Any, tmp_path: Path, until: Any) -> AsyncIterator[App]:
    """The site of the document's list: ops may arm, home may command; guest has a password and nothing else."""
    secret = tmp_path / "password"
    secret.write_text("house-12")
    secret.chmod(0o600)
    content = SITE | {
        "site": SITE["site"] | {"state_dir": str(tmp_path / "state"), "socket": str(tmp_path / "sock")},
        "mqtt": {
            "host": "127.0.0.1",
            "port": broker.port,
            "username": "house-12",
            "password_file": str(secret),
            "principals": [{"name": "ops", "may_arm": True}, {"name": "home"}],
        },
    }
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(content))
    made = App(load(path))
    made.survival.folder.path.mkdir()
    assert made.uplink.link is not None
    running = asyncio.create_task(made.uplink.link.run())
    await until(lambda: made.uplink.link is not None and made.uplink.link.connected)
    yield made
    await end([running])


def disarm(command_id: str) -> bytes:
    return json.dumps({"id": command_id, "issued_at": datetime.now(UTC).isoformat(), "expires_s": 600}).encode()


def heard(client: Any) -> set[str]:
    return {topic.removeprefix(f"{BASE}/") for topic, *_ in client.seen}


async def test_nobody_commands_in_another_s_name_nor_answers_in_the_site_s(
    app: App, broker: Any, make_outside: Any, until: Any
) -> None:
    """home and guest try each topic that is not theirs; home's own command behind them is answered, and only that."""
    clients = {user: await make_outside(broker.port, username=user, password=user).watch() for user in USERS[1:]}
    for who in ("home", "guest"):
        for topic in ("cmd/ops/arm", "cmd/ops/disarm", "reply/ops", "reply/home", "notice/ops", "online", "event"):
            clients[who].send(f"{BASE}/{topic}", disarm(f"{who}'s"))
        clients[who].send(f"{BASE}/cmd/{who}/ping", disarm(f"{who}'s own"))
    await until(lambda: "reply/home" in heard(clients["home"]) and strangers(app))
    assert [json.loads(reply)["id"] for reply in clients["home"].of("reply/home")] == ["home's own"]
    assert [text.partition(" is ")[0] for text in strangers(app)] == ["'guest'"]
    assert broker.log.count("Denied PUBLISH from") == 14
    assert app.gate.arming.by is None


async def test_everybody_hears_its_own_answers_and_who_may_look_hears_the_site(
    app: App, broker: Any, make_outside: Any, until: Any
) -> None:
    """Each of them asked for everything."""
    ops, home, guest = [await make_outside(broker.port, username=user, password=user).watch() for user in USERS[1:]]
    ops.send(f"{BASE}/cmd/ops/ping", disarm("1"))
    home.send(f"{BASE}/cmd/home/ping", disarm("1"))
    app.news.tell("device_ok", "pv1", "answers again")
    await until(lambda: {"reply/ops", "event"} <= heard(ops) and {"reply/home", "event"} <= heard(home))
    assert heard(ops) == {"online", "event", "reply/ops"}
    assert heard(home) == {"online", "event", "reply/home"}
    assert heard(guest) == set()


async def test_who_has_no_password_has_no_session(broker: Any, make_outside: Any, until: Any) -> None:
    stranger = make_outside(broker.port)
    refused: list[bool] = []
    stranger.client.on_connect = lambda client, data, flags, code, properties: refused.append(code.is_failure)
    stranger.client.connect("127.0.0.1", broker.port)
    stranger.client.loop_start()
    await until(lambda: refused)
    assert refused[0] is True


# -- with a certificate for each client: config/mosquitto as it is shipped ------------------------------------------

SHIPPED = Path(__file__).parents[2] / "config" / "mosquitto"
FLEET = ("house-12", "ops", "agg", "guest")


@dataclass
class Fleet:
    """An authority, the keys and certificates of FLEET, and what mosquitto_rr needs of them."""

    folder: Path
    port: int = 0

    def certify(self, *words: str) -> subprocess.CompletedProcess[str]:
        script = str(SHIPPED / "certificates.sh")
        return subprocess.run([script, *words], cwd=self.folder, capture_output=True, text=True, check=False)

    def make(self) -> None:
        assert self.certify("init", "127.0.0.1").returncode == 0
        for name in FLEET:
            assert self.certify("request", name).returncode == 0
            assert self.certify("enrol", f"{name}.csr").returncode == 0

    def conf(self) -> list[str]:
        """The shipped one, with this folder in the place of mosquitto's and the test's port."""
        text = (
            (SHIPPED / "derctl.conf")
            .read_text()
            .replace("/etc/mosquitto/derctl/derctl.acl", str(SHIPPED / "derctl.acl"))
        )
        text = text.replace("/etc/mosquitto/derctl", str(self.folder / "derctl-ca"))
        return [line for line in text.splitlines() if line and not line.startswith(("#", "listener"))]

    def tls(self, name: str) -> dict[str, str]:
        files = {"cert_file": f"{name}.pem", "key_file": f"{name}.key", "ca_file": "derctl-ca/ca.pem"}
        return {key: str(self.folder / file) for key, file in files.items()}

    async def tell(self, name: str | None, program: str, *words: str) -> tuple[int, str]:
        """mosquitto's own client, with the certificate of that name; None: with none."""
        files = self.tls(name or "ops")
        keys = [] if name is None else ["--cert", files["cert_file"], "--key", files["key_file"]]
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-V", "5", "--cafile", files["ca_file"], *keys]
        process = await asyncio.create_subprocess_exec(
            program, *where, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()

    async def ask(self, name: str, command: str, payload: bytes) -> dict[str, Any]:
        """A command and its first answer, which has to bring the correlation data back."""
        topics = ["-t", f"{BASE}/cmd/{name}/{command}", "-e", f"{BASE}/reply/{name}", "-q", "1", "-W", "30"]
        given = ["-D", "publish", "correlation-data", f"for {command}", "-F", "%D|%p", "-m", payload.decode()]
        code, out = await self.tell(name, "mosquitto_rr", *topics, *given)
        assert code == 0, out
        correlation, _, reply = out.strip().partition("|")
        assert correlation == f"for {command}"
        answer: dict[str, Any] = json.loads(reply)
        return answer


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    made = Fleet(tmp_path / "fleet")
    made.folder.mkdir()
    made.make()
    return made


def test_many_sites_are_enrolled_and_renewed_at_once_and_only_those_on_the_list(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    assert fleet.certify("init", "127.0.0.1").returncode == 0
    for name in ("house-1", "house-2", "stranger"):
        assert fleet.certify("request", name).returncode == 0
    (tmp_path / "names").write_text("house-1\nhouse-2\nhouse-3\n")
    done = fleet.certify("all", ".", "names")
    assert (done.returncode, done.stdout) == (1, "house-1: new\nhouse-2: new\nstranger: not in names\n")
    assert not (tmp_path / "stranger.pem").exists()
    (tmp_path / "stranger.csr").unlink()
    (tmp_path / "house-2.csr").unlink()
    before = {name: (tmp_path / name).read_bytes() for name in ("house-1.key", "house-1.pem")}
    assert fleet.certify("again", "house-1").returncode == 0
    assert (tmp_path / "house-1.key").read_bytes() == before["house-1.key"], "what is in use stays until it is taken"
    (tmp_path / "box").mkdir()
    (tmp_path / "house-1.csr").rename(tmp_path / "box" / "house-1.csr")
    for sign, why in (
        (None, "house-1.csr.sig is missing"),
        ("house-2.key", "by no key of house-1 whose certificate"),
    ):
        if sign is not None:
            words = ["-sha256", "-sign", sign, "-out", "box/house-1.csr.sig", "box/house-1.csr"]
            subprocess.run(["openssl", "dgst", *words], cwd=tmp_path, check=True)
        done = fleet.certify("all", "box", "names")
        assert (done.returncode, done.stdout) == (1, "") and why in done.stderr, (
            "whoever carries it vouches for nothing"
        )
    (tmp_path / "house-1.csr.sig").rename(tmp_path / "box" / "house-1.csr.sig")
    assert fleet.certify("all", "box", "names").stdout == "house-1: again\n"
    assert "is not for house-1.next.key" in fleet.certify("take", "house-1", "house-2.pem").stderr
    assert fleet.certify("take", "house-1", "box/house-1.pem").returncode == 0
    context = ssl.create_default_context()
    context.load_cert_chain(tmp_path / "house-1.pem", tmp_path / "house-1.key")
    assert (tmp_path / "house-1.pem").read_bytes() != before["house-1.pem"]
    (tmp_path / "box" / "none.csr").write_text("no request")
    odd = ["openssl", "req", "-new", "-key", "house-1.key", "-subj", "/CN=a b", "-out", "box/a.csr"]
    subprocess.run(odd, cwd=tmp_path, check=True)
    done = fleet.certify("all", "box", "names")
    assert (done.returncode, done.stdout) == (1, "house-1: again\n"), "one that is none stops no other"


@pytest.fixture
async def certified(
    fleet: Fleet, make_mosquitto: Any, tmp_path: Path, until: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[App, Any]]:
    monkeypatch.setattr("derctl.links.sessions.BACKOFF_S", (0.05, 0.1))
    broker = make_mosquitto(*fleet.conf())
    fleet.port = broker.port
    agg = {"name": "agg", "role": "aggregator", "ders": ["bat1"], "ranges": {"p_ceiling_w": [500, 2000]}}
    content = SITE | {
        "site": SITE["site"] | {"state_dir": str(tmp_path / "state"), "socket": str(tmp_path / "sock")},
        "poc": {"bus": "lan", "unit": 9, "kind": "sunspec_meter", "sign": 1},
        "functions": list(FUNCTIONS),
        "mqtt": {
            "host": "127.0.0.1",
            "port": broker.port,
            "tls": fleet.tls("house-12"),
            "principals": [{"name": "ops", "may_arm": True}, agg],
        },
    }
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(content))
    app = App(read(path))
    app.survival.folder.path.mkdir()
    assert app.uplink.link is not None
    running = asyncio.create_task(app.uplink.link.run())
    await until(lambda: app.uplink.link is not None and app.uplink.link.connected)
    yield app, broker
    await end([running])


def sent(command_id: str, *, age_s: float = 0.0, **fields: Any) -> bytes:
    issued = (datetime.now(UTC) - timedelta(seconds=age_s)).isoformat()
    return json.dumps({"id": command_id, "issued_at": issued, "expires_s": 600} | fields).encode()


FUNCTIONS = (
    *(
        {"kind": kind}
        for kind in ("operator_limit", "setpoint", "grid_limits", "owner_limits", "schedule", "departure")
    ),
    {"kind": "reserve", "min_pct": 20},
    {"kind": "const_pf", "pf": 0.95, "ders": ["pv1"]},
    {"kind": "const_var", "q_pu": 0.1, "ders": ["bat1"]},
    {"kind": "freq_droop"},
)


def answers() -> tuple[tuple[str, str, bytes, str | None], ...]:
    """Who sends what, and the code of the refusal, None: it is admitted. As of now."""
    limit, now = sent("twice", der="bat1", p_ceiling_w=1000), datetime.now(UTC)
    soon = (now + timedelta(seconds=300)).isoformat()
    five_minutes = [{"start": now.isoformat(), "end": soon, "export_w": 2000}]
    aims = [{"start": now.isoformat(), "end": soon, "p_target_w": -1000}]
    return (
        ("agg", "limit_power", limit, None),
        ("agg", "limit_power", limit, "replayed"),
        ("agg", "limit_power", sent("1", der="bat1", p_ceiling_w=2001), "out_of_envelope"),
        ("agg", "limit_power", sent("2", der="pv1", p_ceiling_w=1000), "not_permitted"),
        ("agg", "limit_power", sent("3", p_ceiling_w=1000), "not_permitted"),
        ("agg", "disarm", sent("4"), "not_permitted"),
        ("agg", "arm", sent("5"), "may_not_arm"),
        ("agg", "limit_power", sent("6", age_s=601, der="bat1", p_ceiling_w=1000), "expired"),
        ("agg", "limit_power", sent("7", age_s=-3600, der="bat1", p_ceiling_w=1000), "not_yet_valid"),
        ("agg", "limit_power", sent("8", der="bat1", p_ceiling_w="1000"), "bad_argument"),
        ("agg", "limit_power", b"{", "bad_json"),
        ("agg", "limit_power", b'{"id": "9"}', "missing"),
        ("agg", "set_battery_power", sent("10", der="bat1", p_target_w=-3001), "out_of_range"),
        ("agg", "explode", sent("11"), "unknown_command"),
        ("agg", "ping", b" " * 8193, "too_large"),
        ("ops", "limit_power", sent("a", p_ceiling_w=8001), "out_of_range"),
        ("ops", "set_battery_power", sent("b", der="bat1", p_target_w=-1500), None),
        ("ops", "clear", sent("c", der="bat1"), None),
        ("ops", "acknowledge", sent("d"), None),
        ("ops", "replace", sent("e", der="pv1"), "nothing_new"),
        ("ops", "change_limit", sent("j", der="pv1", p_ceiling_w=900), None),
        ("ops", "change_limit", sent("k", der="pv9", p_ceiling_w=900), "no_der"),
        ("ops", "grid_limit", sent("l", export_w=1000), None),
        ("ops", "grid_limit", sent("m", export_w=-1), "out_of_range"),
        ("ops", "owner_limit", sent("n", import_w=6000, generation_w=0), None),
        ("ops", "operating_envelope", sent("o", intervals=five_minutes), None),
        ("ops", "operating_envelope", sent("p", intervals=[]), "out_of_range"),
        ("ops", "demand_response", sent("q", duration_s=300, import_w=0), None),
        ("ops", "demand_response", sent("r", duration_s=601, import_w=0), "out_of_range"),
        ("ops", "demand_response", sent("r2", duration_s=300, p_target_w=-1000), None),
        ("ops", "demand_response", sent("r3", duration_s=300, p_target_w=-3001), "out_of_range"),
        ("ops", "opt_out", sent("s"), "may_not_opt_out"),
        ("ops", "battery_plan", sent("t", der="bat1", intervals=aims), None),
        ("ops", "battery_plan", sent("u", der="pv1", intervals=aims), "no_function"),
        ("agg", "set_reserve", sent("v", der="bat1", min_pct=50), "not_permitted"),
        ("ops", "set_reserve", sent("w", min_pct=50), None),
        ("ops", "set_reserve", sent("x", min_pct=10), "out_of_range"),
        ("ops", "set_power_factor", sent("y", pf=0.9, excitation="absorbing"), None),
        ("ops", "set_var", sent("z", q_pu=0), None),
        ("ops", "set_var", sent("16", q_pu=1.5), "out_of_range"),
        ("ops", "set_function", sent("21", function="freq_droop", k_of=0.03), None),
        ("ops", "set_function", sent("22", function="freq_droop", k_of=0.2), "out_of_range"),
        ("ops", "set_function", sent("23", function="const_pf", pf=0.9), "grid_code"),
        ("agg", "set_function", sent("24", function="freq_droop", k_of=0.03, der="bat1"), "not_permitted"),
        ("agg", "emergency_stop", sent("12"), "not_permitted"),
        ("ops", "emergency_stop", sent("13"), None),
        ("agg", "lift_stop", sent("14"), "may_not_arm"),
        ("ops", "lift_stop", sent("15"), None),
        ("ops", "floor_power", sent("17", der="bat1", p_floor_w=-500), "out_of_range"),
        ("ops", "charge_for_departure", sent("18", der="pv1", soc_pct=50, departure=soon), "no_function"),
        ("ops", "charge_for_departure", sent("19", der="bat1", soc_pct=101, departure=soon), "out_of_range"),
        ("agg", "why", sent("1a", der="bat1"), "not_ready"),
        ("agg", "why", sent("1b", der="pv1"), "not_permitted"),
        ("agg", "publish_all", sent("1c"), None),
        ("agg", "capture", sent("1d"), "not_permitted"),
        ("ops", "publish_all", sent("1e"), "rate_limited"),
        ("ops", "doctor", sent("1f"), "not_ready"),
        ("ops", "capture", sent("20"), None),
        ("agg", "release", sent("25"), "may_not_arm"),
        ("agg", "reload", sent("26"), "may_not_arm"),
        ("ops", "release", sent("27", lift=True), None),
        ("ops", "release", sent("28", lift="yes"), "bad_argument"),
        ("ops", "reload", sent("29"), None),
        ("ops", "disarm", sent("f"), None),
        ("ops", "ping", sent("g"), None),
    )


@dataclass
class Second:
    """paho, as the principals of its clients: asks as `Fleet.ask` does."""

    clients: dict[str, Any]
    until: Any

    async def ask(self, name: str, command: str, payload: bytes) -> dict[str, Any]:
        outside, correlation = self.clients[name], f"for {command}".encode()
        answers: list[Any] = []
        outside.client.message_callback_add(
            f"{BASE}/reply/{name}", lambda client, data, message: answers.append(message)
        )
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.CorrelationData = correlation
        outside.client.publish(f"{BASE}/cmd/{name}/{command}", payload, qos=1, properties=properties)
        await self.until(lambda: answers)
        outside.client.message_callback_remove(f"{BASE}/reply/{name}")
        assert answers[0].properties.CorrelationData == correlation
        answer: dict[str, Any] = json.loads(answers[0].payload)
        return answer


def own(fleet: Fleet, name: str) -> ssl.SSLContext:
    """A client's, with the certificate of that name."""
    files = fleet.tls(name)
    context = ssl.create_default_context(cafile=files["ca_file"])
    context.load_cert_chain(files["cert_file"], files["key_file"])
    return context


async def each_answered(asking: Fleet | Second) -> tuple[str, ...]:
    """Who asked, of each row."""
    rows = answers()
    for who, name, payload, code in rows:
        reply = await asking.ask(who, name, payload)
        assert (reply["command"], reply["code"], reply["n"]) == (name, code, 1), reply
    assert {name for _, name, *_ in rows} >= COMMANDS.keys()
    assert (await asking.ask("ops", "arm", sent("h")))["result"] == "refused"
    return tuple(who for who, *_ in rows)


async def test_paho_has_every_command_answered_and_each_refusal(
    certified: tuple[App, Any], fleet: Fleet, make_outside: Any, until: Any
) -> None:
    """As mosquitto's own client, below: two programs that know nothing of each other."""
    _, broker = certified
    clients = {name: await make_outside(broker.port, tls=own(fleet, name)).watch() for name in ("agg", "ops")}
    await each_answered(Second(clients, until))


async def test_by_its_certificate_a_client_has_its_own_topics_and_every_command_its_answer(
    certified: tuple[App, Any], fleet: Fleet, make_outside: Any, until: Any
) -> None:
    """mosquitto's clients ask and are refused; paho hears beside them, and none hears another's answers."""
    app, broker = certified
    agg = await make_outside(broker.port, tls=own(fleet, "agg")).watch()
    who_asked = await each_answered(fleet)
    await until(lambda: len(agg.of("reply/agg")) == who_asked.count("agg"))
    assert heard(agg) == {"reply/agg"}
    elsewhere = BASE.replace("house-12", "house-13")
    for topic in (f"{BASE}/cmd/ops/ping", f"{BASE}/reply/ops", f"{BASE}/online", f"{elsewhere}/event"):
        await fleet.tell("agg", "mosquitto_pub", "-t", topic, "-q", "1", "-m", "{}")
        agg.send(topic, b"{}")
    await until(lambda: broker.log.count("Denied PUBLISH from") == 8)
    await fleet.tell("guest", "mosquitto_pub", "-t", f"{BASE}/cmd/guest/ping", "-q", "1", "-m", sent("i").decode())
    await until(lambda: strangers(app))
    assert [text.partition(" is ")[0] for text in strangers(app)] == ["'guest'"]
    assert (await fleet.tell(None, "mosquitto_pub", "-t", f"{BASE}/cmd/ops/ping", "-m", "x"))[0] != 0


async def test_a_certificate_is_renewed_and_revoked_and_no_name_is_given_twice(
    certified: tuple[App, Any], fleet: Fleet, until: Any
) -> None:
    app, broker = certified
    assert "has a certificate that counts" in fleet.certify("enrol", "ops.csr").stderr
    assert "no name" in fleet.certify("request", "../x").stderr
    before = (fleet.folder / "house-12.pem").read_bytes()
    assert fleet.certify("again", "house-12").returncode == 0
    shutil.copy(fleet.folder / "house-12.key", fleet.folder / "house-12.key.before")
    assert fleet.certify("renew", "house-12.csr").returncode == 0
    assert fleet.certify("take", "house-12", "house-12.pem").returncode == 0
    assert (fleet.folder / "house-12.pem").read_bytes() != before
    assert fleet.certify("revoke", "agg").returncode == 0
    broker.stop()
    broker.start()
    await until(
        lambda: app.uplink.link is not None and app.uplink.link.connected and app.uplink.link.tidings.sessions == 2
    )
    assert (await fleet.ask("ops", "ping", sent("1")))["text"] == "pong"
    code, _ = await fleet.tell("agg", "mosquitto_pub", "-t", f"{BASE}/cmd/agg/ping", "-q", "1", "-m", "x")
    assert code != 0 and "certificate verify failed" in broker.log
    due = fleet.certify("due", "181").stdout
    assert sorted(line.split()[0] for line in due.splitlines()) == ["guest", "house-12", "ops"]
    assert fleet.certify("due", "30").stdout == ""
