"""The daemon's own glue between broker, commands and replies: App's link against mosquitto, without its loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from derctl.core.types import Decision, Outcome, Reading, Setpoint, Tick
from derctl.daemon.app import App
from derctl.links.ending import end
from derctl.site import load

BASE = "derctl/demo/house-12"
DOCS = (Path(__file__).parents[2] / "docs" / "interfaces.md").read_text()
SITE: dict[str, Any] = {
    "version": 1,
    "site": {"id": "house-12", "fleet": "demo", "v_nom_v": 230, "f_nom_hz": 50, "clock_sync": "assume"},
    "buses": [{"id": "lan", "tcp": {"host": "127.0.0.1", "port": 1}}],
    "ders": [
        {"id": "pv1", "bus": "lan", "unit": 1, "kind": "sunspec_pv", "rating": {"p_max_w": 5000}},
        {
            "id": "bat1",
            "bus": "lan",
            "unit": 2,
            "kind": "sunspec_storage",
            "rating": {"p_max_w": 3000, "p_charge_max_w": 3000},
        },
    ],
    "functions": [{"kind": "operator_limit"}, {"kind": "setpoint"}],
}


def example(name: str) -> dict[str, Any]:
    block = DOCS.split(f"```json {name}\n")[1].split("```")[0]
    value: dict[str, Any] = json.loads(block)
    return value


PRINCIPALS = ({"name": "ops", "may_arm": True}, {"name": "home"}, {"name": "noisy"})
Start = Callable[..., Awaitable[Any]]


@pytest.fixture
async def start(mosquitto: Any, tmp_path: Path, until: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """An App whose broker link runs; nothing else of it does."""
    monkeypatch.setattr("derctl.links.sessions.BACKOFF_S", (0.05, 0.1))
    running: list[asyncio.Task[None]] = []

    async def make(*, principals: Any = PRINCIPALS, **site: Any) -> App:
        content = SITE | {
            "site": SITE["site"] | {"state_dir": str(tmp_path / "state"), "socket": str(tmp_path / "sock")} | site,
            "mqtt": {"host": "127.0.0.1", "port": mosquitto.port}
            | ({} if principals is None else {"principals": list(principals)}),
        }
        path = tmp_path / "site.yaml"
        path.write_text(yaml.safe_dump(content))
        app = App(load(path))
        app.survival.folder.path.mkdir(exist_ok=True)
        assert app.uplink.link is not None
        running.append(asyncio.create_task(app.uplink.link.run()))
        await until(lambda: app.uplink.link is not None and app.uplink.link.connected)
        return app

    yield make
    await end(running)


@pytest.fixture
async def outside(mosquitto: Any, make_outside: Any) -> Any:
    return await make_outside(mosquitto.port).watch(f"{BASE}/#")


class Operator:
    """Sends commands as `ops` and reads its replies."""

    def __init__(self, outside: Any, until: Any) -> None:
        self.outside, self.until, self.n = outside, until, 0

    def payload(self, *, age_s: float = 0.0, **fields: Any) -> bytes:
        self.n += 1
        issued = (datetime.now(UTC) - timedelta(seconds=age_s)).isoformat()
        return json.dumps({"id": f"c{self.n}", "issued_at": issued, "expires_s": 600} | fields).encode()

    async def send(self, name: str, payload: bytes, *, retain: bool = False) -> dict[str, Any]:
        before = len(self.outside.of("reply/ops"))
        self.outside.send(f"{BASE}/cmd/ops/{name}", payload, retain=retain)
        await self.until(lambda: len(self.outside.of("reply/ops")) > before)
        reply: dict[str, Any] = json.loads(self.outside.of("reply/ops")[-1])
        return reply


@pytest.fixture
def ops(outside: Any, until: Any) -> Operator:
    return Operator(outside, until)


def strangers(app: App) -> list[str]:
    """What was said of them."""
    return [event["text"] for event in app.news.events if event["event"] == "unknown_principal"]


async def test_online_says_what_the_document_says(start: Start, outside: Any, until: Any) -> None:
    await start()
    await until(lambda: outside.of("online"))
    online = json.loads(outside.of("online")[0])
    assert list(online) == list(example("online"))
    assert (online["online"], online["mode"], online["synced"], online["tick_s"]) == (True, "observe", True, 1.0)


async def test_a_command_is_admitted_answered_and_held(start: Start, ops: Operator, outside: Any) -> None:
    app = await start()
    reply = await ops.send("limit_power", ops.payload(p_ceiling_w=4000, der="pv1"))
    assert set(reply) == set(example("reply"))
    assert (reply["id"], reply["command"], reply["result"], reply["code"]) == ("c1", "limit_power", "admitted", None)
    assert [(r.der, r.p_ceiling_w) for r in app.requests.alive()] == [("pv1", 4000.0)]
    assert [retained for topic, _, retained, _ in outside.seen if "reply" in topic] == [False]


async def test_the_documents_own_commands_are_admitted(start: Start, ops: Operator) -> None:
    app = await start()
    now = datetime.now(UTC).isoformat()
    for name in ("limit_power", "set_battery_power"):
        reply = await ops.send(name, json.dumps(example(f"command {name}") | {"issued_at": now}).encode())
        assert reply["result"] == "admitted", reply
    assert {r.der for r in app.requests.alive()} == {"pv1", "bat1"}


async def test_what_is_refused_is_told_with_its_code_and_the_session_goes_on(start: Start, ops: Operator) -> None:
    app = await start()
    duplicate = ops.payload(p_ceiling_w=4000)
    cases = [
        ("limit_power", duplicate, None),
        ("limit_power", duplicate, "replayed"),
        ("limit_power", b"{", "bad_json"),
        ("limit_power", b"[" * 8000, "bad_json"),
        ("limit_power", b"[" * 8193, "too_large"),
        ("limit_power", b"\xff" * 1000, "bad_json"),
        ("limit_power", ops.payload(age_s=601, p_ceiling_w=1), "expired"),
        ("limit_power", ops.payload(age_s=-60, p_ceiling_w=1), "not_yet_valid"),
        ("limit_power", ops.payload(p_ceiling_w=1e6), "out_of_range"),
        ("limit_power", ops.payload(p_ceiling_w="1"), "bad_argument"),
        ("set_battery_power", ops.payload(der="pv1", p_target_w=1), "no_function"),
        ("explode", ops.payload(), "unknown_command"),
        ("ping", json.dumps({"id": "x"}).encode(), "missing"),
        ("ping", ops.payload(), None),
    ]
    for name, payload, code in cases:
        reply = await ops.send(name, payload)
        assert (reply["command"], reply["code"]) == (name, code)
    assert [r.p_ceiling_w for r in app.requests.alive()] == [4000.0]
    assert app.uplink.link is not None
    assert app.uplink.link.tidings.sessions == 1


async def test_a_clock_that_is_not_set_lets_through_what_restricts_and_the_rest_waits_for_it(
    start: Start, ops: Operator, tmp_path: Path, outside: Any, until: Any
) -> None:
    app = await start(clock_sync=str(tmp_path / "set"))
    assert (await ops.send("limit_power", ops.payload(age_s=1e9, p_ceiling_w=100)))["code"] is None
    assert (await ops.send("set_battery_power", ops.payload(der="bat1", p_target_w=1)))["result"] == "waiting"
    assert len(app.requests.alive()) == 1
    (tmp_path / "set").touch()
    await ops.send("ping", ops.payload())
    await until(lambda: len(outside.of("reply/ops")) > 2)
    second = json.loads(outside.of("reply/ops")[2])
    assert (second["id"], second["result"], second["n"]) == (f"c{ops.n - 1}", "admitted", 2)
    assert len(app.requests.alive()) == 2


async def test_a_retained_command_is_refused_at_every_connection_and_never_carried_out(
    start: Start, ops: Operator, outside: Any, until: Any
) -> None:
    """Taking the poison back (a retained message of nothing) is no command and gets no reply."""
    poison = ops.payload(p_ceiling_w=0)
    outside.send(f"{BASE}/cmd/ops/limit_power", poison, retain=True)
    await until(lambda: outside.of("limit_power"))
    app = await start()
    await until(lambda: outside.of("reply/ops"))
    assert json.loads(outside.of("reply/ops")[0])["code"] == "retained"
    assert (await ops.send("limit_power", ops.payload(p_ceiling_w=0), retain=True))["code"] == "retained"
    outside.send(f"{BASE}/cmd/ops/limit_power", b"", retain=True)
    await ops.send("ping", ops.payload())
    assert [json.loads(each)["command"] for each in outside.of("reply/ops")] == ["limit_power", "limit_power", "ping"]
    assert app.requests.alive() == ()


async def test_topics_that_are_no_commands_are_left_alone(start: Start, ops: Operator, outside: Any) -> None:
    await start()
    for topic in ("cmd", "cmd/ops", "cmd/ops/ping/now", "cmd/ops/ping/"):
        outside.send(f"{BASE}/{topic}", ops.payload())
    assert (await ops.send("ping", ops.payload()))["id"] == f"c{ops.n}"
    assert [topic for topic, *_ in outside.seen if "/reply/" in topic] == [f"{BASE}/reply/ops"]


async def test_many_commands_at_once_are_answered_one_by_one(
    start: Start, ops: Operator, outside: Any, until: Any
) -> None:
    """30 commands, each sent twice."""
    app = await start()
    for _ in range(30):
        payload = ops.payload(p_ceiling_w=1000)
        outside.send(f"{BASE}/cmd/ops/limit_power", payload)
        outside.send(f"{BASE}/cmd/ops/limit_power", payload)
    await until(lambda: len(outside.of("reply/ops")) == 60)
    codes = [json.loads(reply)["code"] for reply in outside.of("reply/ops")]
    assert (codes.count(None), codes.count("replayed")) == (30, 30)
    assert 0 < len(app.requests.alive()) < 64, "what another one covers is not kept"


async def test_many_commands_at_once_are_saved_by_few_writes(
    start: Start, ops: Operator, outside: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a card whose first write takes until all have come: each is answered by that one or by the next."""
    app, may_write = await start(), asyncio.Event()
    folder, replace = app.survival.folder, app.survival.folder.replace
    saves = []

    async def slow(name: str, content: bytes) -> None:
        saves.append(name)
        await may_write.wait()
        await replace(name, content)

    monkeypatch.setattr(folder, "replace", slow)
    for n in range(30):
        for name in ("ops", "home"):
            payload = ops.payload(p_ceiling_w=5000 - n, expires_s=600 + n)
            outside.send(f"{BASE}/cmd/{name}/limit_power", payload)
    outside.send(f"{BASE}/cmd/ops/ping", ops.payload())
    await until(lambda: len(outside.of("reply/ops")) == 1)
    await until(lambda: sum(len(each.ids) for each in app.calls.desk.seen.values()) == 60)
    assert json.loads(outside.of("reply/ops")[0])["text"] == "pong", "what only answers waits for no card"
    may_write.set()
    await until(lambda: len(outside.of("reply/ops")) == 31 and len(outside.of("reply/home")) == 30)
    assert len(saves) == 2


async def test_bursts_of_all_principals_at_once_cost_none_of_them_a_command(
    start: Start, ops: Operator, outside: Any, until: Any
) -> None:
    """60 of each, which is less than each may send at once; each is saved before its answer."""
    app = await start()
    names = [each["name"] for each in PRINCIPALS]
    for _ in range(60):
        for name in names:
            outside.send(f"{BASE}/cmd/{name}/limit_power", ops.payload(p_ceiling_w=1000))
    await until(lambda: all(len(outside.of(f"reply/{name}")) == 60 for name in names))
    assert {json.loads(reply)["code"] for name in names for reply in outside.of(f"reply/{name}")} == {None}
    assert app.outbox.dropped == 0


async def test_a_flood_of_one_principal_costs_another_no_reply(
    start: Start, ops: Operator, outside: Any, until: Any
) -> None:
    """3,000 pings of another one between 20 of the operator's commands: it hears that it is limited."""
    app = await start()
    for _ in range(20):
        for n in range(150):
            outside.send(f"{BASE}/cmd/noisy/ping", ops.payload(id=f"noise-{n}"), qos=0)
        outside.send(f"{BASE}/cmd/ops/ping", ops.payload())
    await until(lambda: len(outside.of("reply/ops")) == 20)
    assert [json.loads(reply)["code"] for reply in outside.of("reply/ops")] == [None] * 20
    await until(lambda: any(json.loads(reply)["code"] == "rate_limited" for reply in outside.of("reply/noisy")))
    assert len(outside.of("reply/noisy")) < 400
    assert app.outbox.dropped == 0


async def test_a_flood_of_strangers_costs_an_event_and_nobody_s_reply(
    start: Start, ops: Operator, outside: Any, until: Any
) -> None:
    """3,000 commands of 150 strangers, one of them under the operator's name in other letters: none is answered."""
    app = await start()
    for _ in range(20):
        for n in range(150):
            outside.send(f"{BASE}/cmd/guest-{n}/disarm", ops.payload(id=f"c{ops.n + 1}"), qos=0)
        outside.send(f"{BASE}/cmd/Ops/disarm", ops.payload(id=f"c{ops.n + 1}"))
        outside.send(f"{BASE}/cmd/ops/limit_power", ops.payload(p_ceiling_w=1000))
    await until(lambda: len(outside.of("reply/ops")) == 20)
    assert [json.loads(reply)["code"] for reply in outside.of("reply/ops")] == [None] * 20
    assert {topic for topic, *_ in outside.seen if "/reply/" in topic} == {f"{BASE}/reply/ops"}
    assert len(strangers(app)) == 1
    assert set(app.calls.desk.seen) == {"ops"}


async def test_whom_the_site_file_lists_commands_and_only_who_may_arms(
    start: Start, ops: Operator, outside: Any, until: Any
) -> None:
    await start()
    outside.send(f"{BASE}/cmd/home/arm", ops.payload())
    outside.send(f"{BASE}/cmd/home/disarm", ops.payload())
    await until(lambda: len(outside.of("reply/home")) == 2)
    assert [json.loads(reply)["code"] for reply in outside.of("reply/home")] == ["may_not_arm", None]
    assert (await ops.send("arm", ops.payload()))["code"] not in {None, "may_not_arm"}


async def test_by_default_nobody_commands(start: Start, ops: Operator, outside: Any, until: Any) -> None:
    app = await start(principals=None)
    outside.send(f"{BASE}/cmd/ops/disarm", ops.payload())
    await until(lambda: b"'ops' is not under mqtt.principals" in b"".join(outside.of("event")))
    assert not outside.of("reply/ops")
    assert len(strangers(app)) == 1


async def test_what_is_too_large_never_comes_in_and_the_session_goes_on(
    start: Start, ops: Operator, outside: Any, until: Any
) -> None:
    """A topic of 65,000 bytes; a key of 5 MB; both as the broker's own client may send them."""
    app = await start()
    outside.send(f"{BASE}/cmd/{'x' * 65_000}/ping", ops.payload())
    outside.send(f"{BASE}/cmd/{'y' * 30_000}/ping", ops.payload())
    outside.send(f"{BASE}/cmd/ops/ping", b'{"' + b"k" * 5_000_000 + b'": 1}')
    assert (await ops.send("ping", ops.payload()))["code"] is None
    assert app.uplink.link is not None
    assert (app.uplink.link.tidings.sessions, app.uplink.link.connected) == (1, True)
    assert len(outside.of("reply/ops")) == 1


async def test_many_that_are_too_large_take_nobody_s_place_at_the_broker(
    start: Start, ops: Operator, outside: Any
) -> None:
    """mosquitto keeps 20 messages of QoS 1 in flight, and never took one from the list that it could not send."""
    await start()
    for n in range(60):
        outside.send(f"{BASE}/cmd/guest-{n % 3}/ping", b"x" * 40_000)
    assert (await ops.send("ping", ops.payload()))["code"] is None


async def test_a_tick_becomes_the_documented_messages(start: Start, outside: Any, until: Any) -> None:
    app = await start()
    app.control.loop.dispatch.writers["pv1"].account.outcome = Outcome(desired=Setpoint(p_ceiling_w=100.0))
    app.control.plant.ders["pv1"].measured.reading = Reading(p_w=3120.0)
    state = app.control.state()
    decision = Decision(der="pv1", setpoint=Setpoint(p_ceiling_w=100.0))
    app._report(Tick(n=1, dt_s=1.0, state=state, memories={}, decisions=(decision,)))
    app.news.tell("device_ok", "pv1", "answers again")
    await until(lambda: outside.of("event") and outside.of("der/pv1/outcome") and outside.of("der/pv1/standing"))
    for name in ("measurement", "setpoint", "outcome", "standing"):
        assert set(json.loads(outside.of(f"der/pv1/{name}")[0])) == set(example(name))
    assert set(json.loads(outside.of("event")[0])) == set(example("event"))
    kept = {topic.rpartition("/")[2] for topic, _, retained, _ in outside.seen if retained}
    assert kept == {"online", "standing", "requests", "measurement", "setpoint", "outcome", "buses"}
