"""The access list of docs/interfaces.md on a real mosquitto: a principal's name in the topic is true."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from derctl.daemon.app import App
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
