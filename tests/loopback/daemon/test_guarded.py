"""The whole daemon behind a mosquitto with TLS, a certificate for each client and the shipped access list: what the
list of commands (test_principals) does not reach, and what a broker's troubles cost control."""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from derctl.core.words import Incident
from tests.loopback.test_hardening import CONNECT_311
from tests.loopback.test_mqtt_commands import BASE
from tests.loopback.test_principals import Fleet, own, sent

PRINCIPALS = (
    {"name": "ops", "may_arm": True},
    {"name": "agg", "role": "aggregator"},
    {"name": "guest", "role": "owner", "burst": 1, "per_minute": 0.01},
)
FOLLOWED_W = 60.0
"""Of a step of 10 kW's register, and the plant's own lag."""


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    made = Fleet(tmp_path / "fleet")
    made.folder.mkdir()
    made.make()
    return made


@pytest.fixture
def broker(fleet: Fleet, make_mosquitto: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("derctl.links.sessions.BACKOFF_S", (0.05, 0.1))
    made = make_mosquitto(*fleet.conf())
    fleet.port = made.port
    return made


def guarded(fleet: Fleet, clock: Path) -> Callable[[dict[str, Any]], None]:
    """The demo's site under the name in its certificate. clock: there once it is set."""

    def change(site: dict[str, Any]) -> None:
        site["site"] |= {"id": "house-12", "fleet": "demo", "clock_sync": str(clock)}
        site["functions"].append({"kind": "grid_limits", "may_opt_out": True})
        tls = fleet.tls("house-12")
        site["mqtt"] = {"host": "127.0.0.1", "port": fleet.port, "tls": tls, "principals": list(PRINCIPALS)}

    return change


def replies(outside: Any, name: str) -> list[tuple[str | None, str, str | None]]:
    """The first answer to each command: id, result, code."""
    found = [json.loads(each) for each in outside.of(f"reply/{name}")]
    return [(each["id"], each["result"], each["code"]) for each in found if each["n"] == 1]


async def publishes(fleet: Fleet, name: str, command: str, *more: str, payload: bytes = b"") -> None:
    """mosquitto_pub, at QoS 1."""
    words = ["-m", payload.decode()] if payload else ["-n"]
    topic = f"{BASE}/cmd/{name}/{command}"
    code, out = await fleet.tell(name, "mosquitto_pub", "-t", topic, "-q", "1", *more, *words)
    assert code == 0, out


async def answer(until: Any, outside: Any, name: str, command_id: str) -> dict[str, Any]:
    """The first one to that command."""

    def found() -> list[dict[str, Any]]:
        heard = [json.loads(each) for each in outside.of(f"reply/{name}")]
        return [each for each in heard if (each["id"], each["n"]) == (command_id, 1)]

    await until(found)
    return found()[0]


async def twice(fleet: Fleet, name: str, command: str, payload: bytes) -> None:
    """One message of QoS 1 whose PUBACK was lost: on the next connection it is sent again, with DUP and all else as
    it was (MQTT 3.1.1, 4.4)."""
    topic = f"{BASE}/cmd/{name}/{command}".encode()
    body = len(topic).to_bytes(2, "big") + topic + b"\x00\x07" + payload
    length = bytes((len(body) % 128 | 0x80, len(body) // 128))
    for first in (0x32, 0x3A):
        reader, writer = await asyncio.open_connection("127.0.0.1", fleet.port, ssl=own(fleet, name))
        writer.write(CONNECT_311)
        assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
        writer.write(bytes((first,)) + length + body)
        assert await reader.readexactly(4) == b"\x40\x02\x00\x07"
        writer.close()


async def test_each_refusal_reaches_its_sender_and_what_restricts_is_honoured_without_a_clock(
    bench: Any, broker: Any, fleet: Fleet, make_outside: Any, tmp_path: Path
) -> None:
    clock = tmp_path / "clock is set"
    clock.touch()
    ops, agg = [await make_outside(broker.port, tls=own(fleet, name)).watch() for name in ("ops", "agg")]
    await publishes(fleet, "agg", "limit_power", "-r", payload=sent("before", der="pv2", p_ceiling_w=0))
    async with bench(guarded(fleet, clock)) as b:
        alive = b.app.requests.alive
        await b.until(lambda: replies(agg, "agg"))
        await publishes(fleet, "agg", "limit_power", "-r", payload=sent("live", der="pv2", p_ceiling_w=0))
        await b.until(lambda: len(replies(agg, "agg")) == 2)
        assert replies(agg, "agg") == [(name, "refused", "retained") for name in ("before", "live")]
        await publishes(fleet, "agg", "limit_power", "-r")
        assert alive() == ()

        await twice(fleet, "agg", "limit_power", sent("once", der="pv2", p_ceiling_w=1500))
        await b.until(lambda: len(replies(agg, "agg")) == 4)
        assert replies(agg, "agg")[2:] == [("once", "admitted", None), ("once", "refused", "replayed")]
        assert [request.id for request in alive()] == ["once"]
        assert b.app.outbox.dropped == 0

        assert (await fleet.ask("guest", "opt_out", sent("1", event="unknown")))["code"] == "bad_argument"
        limited = await fleet.ask("guest", "ping", sent("2"))
        assert (limited["id"], limited["code"]) == ("2", "rate_limited")
        assert "mqtt.principals[2]: burst, per_minute" in limited["text"]

        state = b.app.survival.folder.path
        state.rename(tmp_path / "aside")
        await publishes(fleet, "ops", "limit_power", payload=sent("3", der="pv2", p_ceiling_w=100))
        refused = await answer(b.until, ops, "ops", "3")
        assert refused["code"] == "not_saved" and [request.id for request in alive()] == ["once"]
        (tmp_path / "aside").rename(state)

        clock.unlink()
        await publishes(fleet, "agg", "limit_power", payload=sent("old", age_s=1e9, der="pv2", p_ceiling_w=900))
        assert (await answer(b.until, agg, "agg", "old"))["result"] == "admitted"
        await b.until(lambda: abs(b.p_w("pv2") - 900.0) < FOLLOWED_W)
        await publishes(fleet, "ops", "arm", payload=sent("4"))
        assert (await answer(b.until, ops, "ops", "4"))["code"] == "clock_unsynced"
        before = len(replies(ops, "ops"))
        for n in range(17):
            payload = sent(f"w{n}", der="bat1", p_target_w=100 + n)
            ops.send(f"{BASE}/cmd/ops/set_battery_power", payload)
        await b.until(lambda: len(replies(ops, "ops")) == before + 17)
        said = [(result, code) for _, result, code in replies(ops, "ops")[before:]]
        assert sorted(said) == [("refused", "too_many"), *[("waiting", "clock_unsynced")] * 16]
        assert not [request for request in alive() if request.kind == "set_battery_power"]
        clock.touch()
        await b.until(lambda: [json.loads(each)["n"] for each in ops.of("reply/ops")].count(2) >= 16)
        assert [each.kind for each in alive() if each.der == "bat1"] == ["set_battery_power"], "the last one alone"
    assert "Denied PUBLISH from derctl-demo-house-12" not in broker.log


def show(fleet: Fleet, name: str) -> None:
    """What mosquitto shows at its next start: broker.pem, or what lies beside it."""
    shutil.copy(fleet.folder / "derctl-ca" / name, fleet.folder / "derctl-ca" / "broker.pem")


def expire(fleet: Fleet) -> None:
    """expired.pem: the broker's certificate as it will be one day."""
    dates = ("-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
    files = ("-in", "derctl-ca/broker.csr", "-out", "derctl-ca/expired.pem", "-outdir", "derctl-ca/issued")
    words = ("-config", "derctl-ca/ca.cnf", "-batch", "-notext", "-extensions", "broker", *dates, *files)
    subprocess.run(["openssl", "ca", *words], cwd=fleet.folder, check=True, capture_output=True)
    shutil.copy(fleet.folder / "derctl-ca" / "broker.pem", fleet.folder / "derctl-ca" / "good.pem")


@pytest.fixture
def collected() -> Iterator[None]:
    """What a test dropped is cleared away in its own time, and not, with a warning, in that of a later one."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho drops the socket unclosed
@pytest.mark.usefixtures("collected")
async def test_a_broker_that_stands_still_is_away_or_whose_certificate_has_expired_costs_control_nothing(
    bench: Any, broker: Any, fleet: Fleet, make_outside: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.links.mqtt.CONNECT_S", 4.0)
    monkeypatch.setattr("derctl.daemon.security.LOOK_S", 0.1)
    expire(fleet)
    clock = tmp_path / "clock is set"
    clock.touch()
    async with bench(guarded(fleet, clock)) as b:
        link = b.app.uplink.link

        async def obeyed(limit_w: float) -> None:
            """Each is below the one before, and the plant follows."""
            await b.app.calls.desk.local("limit_power", {"der": "pv2", "p_ceiling_w": limit_w})
            await b.until(lambda: abs(b.p_w("pv2") - limit_w) < FOLLOWED_W)

        def texts(name: str) -> list[str]:
            return [str(each["text"]) for each in b.app.news.events if each["event"] == name]

        def told(outside: Any) -> list[str]:
            found = [json.loads(each)["text"] for each in outside.of("event")]
            return [text for text in found if text.startswith("number ")]

        await b.until(lambda: link.connected)
        broker.signal(signal.SIGSTOP)
        b.app.news.tell("device_ok", "pv1", "nobody takes it")
        await b.until(lambda: not link.connected)
        await obeyed(1200.0)
        broker.signal(signal.SIGCONT)
        await b.until(lambda: link.connected)

        broker.stop()
        await b.until(lambda: not link.connected)
        numbers = [f"number {n}" for n in range(20)]
        for text in numbers:
            b.app.news.tell("device_ok", "pv1", text)
        await obeyed(900.0)
        link.may_connect, may = (lambda: False), link.may_connect
        await b.until(lambda: "TLS waits" in link.text)
        broker.start()
        ops = await make_outside(broker.port, tls=own(fleet, "ops")).watch()
        link.may_connect = may
        await b.until(lambda: told(ops)[-1:] == numbers[-1:])
        assert list(dict.fromkeys(told(ops))) == numbers

        broker.stop()
        show(fleet, "expired.pem")
        broker.start()
        expired = "the broker's certificate has expired: it needs a new one, if the clock here is right"
        await b.until(lambda: link.distrust == expired)
        await obeyed(600.0)
        await b.until(lambda: f"broker: {expired}" in texts("tls_failed"))
        assert b.app.kept.security.counts.kinds[Incident.FAILED_TLS].grave > 0
        broker.stop()
        show(fleet, "good.pem")
        broker.start()
        await b.until(lambda: link.connected and not link.distrust)
