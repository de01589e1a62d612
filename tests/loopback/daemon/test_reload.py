"""The site file read again while the daemon controls: SIGHUP and the call `reload`, over real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from derctl.core.requests import LimitRequest
from derctl.core.words import Belief
from derctl.daemon.loop import Loop
from derctl.daemon.poller import Poller
from derctl.errors import CommandError
from derctl.links.local import ask
from derctl.store.folder import Folder
from derctl.store.journal import Journal

Edit = Callable[[dict[str, Any]], None]


def edited(b: Any, change: Edit) -> None:
    path = Path(b.app.control.site.file.site.socket).parent / "site.yaml"
    site = yaml.safe_load(path.read_text())
    change(site)
    path.write_text(yaml.safe_dump(site, sort_keys=False))


def events(b: Any) -> list[tuple[str, str]]:
    return [(event["event"], event["text"]) for event in b.app.news.events if event["event"].startswith("site_file")]


async def reloaded(b: Any, change: Edit) -> str:
    edited(b, change)
    return str(await ask(Path(b.app.control.site.file.site.socket), "reload", seconds=60.0))


async def controlling(b: Any) -> None:
    await b.until(lambda: all(writer.account.hold.written is not None for writer in b.writers.values()))


async def test_a_hangup_takes_over_what_changed_and_moves_nothing_else(bench: Any) -> None:
    async with bench() as b:
        await controlling(b)
        kept = [*b.app.control.plant.ders.values(), b.app.control.plant.poc, *b.app.control.plant.buses.values()]
        written = {name: writer.account.hold.written for name, writer in b.writers.items()}
        memory = b.app.control.loop.memories["contract_export_limit"]

        def change(site: dict[str, Any]) -> None:
            site["functions"][0]["limit_w"] = 7100

        edited(b, change)
        os.kill(os.getpid(), signal.SIGHUP)
        await b.until(lambda: events(b))
        assert events(b) == [("site_file_reloaded", "taken over: functions")]
        now = [*b.app.control.plant.ders.values(), b.app.control.plant.poc, *b.app.control.plant.buses.values()]
        assert all(a is c for a, c in zip(kept, now, strict=True)), "no connection and no device is given up"
        assert b.app.control.site.limit_w == 7100
        assert b.app.gate.open
        assert type(b.app.control.loop.memories["contract_export_limit"]) is type(memory)
        assert {name: writer.account.hold.written is not None for name, writer in b.writers.items()} == dict.fromkeys(
            written, True
        )
        assert "released" not in {event["event"] for event in b.app.news.events}
        ticks = b.app.control.loop.ticks
        await b.until(lambda: b.app.control.loop.ticks > ticks + 5)


def broken(site: dict[str, Any]) -> None:
    site["functions"][0]["limit_w"] = "much"


def no_fallback(site: dict[str, Any]) -> None:
    """Without derctl the site would break its contract."""
    site["ders"][1]["fallback"] = {"p_ceiling_w": 9000, "by": "reversion"}


def elsewhere(site: dict[str, Any]) -> None:
    site["site"]["state_dir"] = "/tmp/elsewhere"


def crowded(site: dict[str, Any]) -> None:
    """Its bus asks so rarely that no reading counts until the next one."""
    site["buses"][0]["min_interval_s"] = 10.0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (crowded, "control would end with it: bus_too_slow: bus"),
        (broken, "site.yaml:"),
        (broken, "functions[0].limit_w"),
        (no_fallback, "control would end with it: fallback_breaks_contract"),
        (elsewhere, "site.state_dir can't change while derctl runs: systemctl restart derctl"),
    ],
)
async def test_a_file_that_can_not_be_taken_over_leaves_the_running_one_and_is_said(
    bench: Any, change: Edit, says: str
) -> None:
    async with bench() as b:
        await controlling(b)
        before, plant, writes = b.app.control.site, b.app.control.plant, b.app.gate.arming
        paces = {name: bus.line.pace for name, bus in plant.buses.items()}
        joined = [channel.asking.joining for channel in plant.channels]
        with pytest.raises(CommandError) as refused:
            await reloaded(b, change)
        assert (refused.value.code, b.app.control.site, b.app.control.plant) == ("bad_site_file", before, plant)
        assert says in str(refused.value)
        [(name, text)] = events(b)
        assert name == "site_file_refused"
        assert says in text and "the running one stays" in text
        assert b.app.gate.arming is writes
        assert {name: bus.line.pace for name, bus in plant.buses.items()} == paces
        assert [channel.asking.joining for channel in plant.channels] == joined
        await b.ticks(3)


async def test_a_refused_file_teaches_nothing(bench: Any) -> None:
    """Its pv2 is another device, which is found before the file is weighed."""

    def change(site: dict[str, Any]) -> None:
        site["ders"][1] |= {"bus": site["ders"][0]["bus"], "fallback": {"p_ceiling_w": 9000, "by": "reversion"}}
        del site["ders"][0]
        site["functions"][0]["limit_w"] = 1000
        for function in site["functions"]:
            function.pop("ders", None)

    async with bench() as b:
        await controlling(b)
        known = dict(b.app.control.absent.known.of)
        with pytest.raises(CommandError, match="control would end"):
            await reloaded(b, change)
        assert b.app.control.absent.known.of == known


async def test_who_asked_is_told_on_a_broker_that_came_with_the_file(bench: Any) -> None:
    """Nobody listens there, so what is told waits."""

    def change(site: dict[str, Any]) -> None:
        site["mqtt"] = {"host": "127.0.0.1", "port": 1}

    def told(b: Any) -> set[str]:
        return {message.topic for message in b.app.outbox.ordered}

    async with bench() as b:
        await controlling(b)
        assert told(b) == set()
        assert await reloaded(b, change) == "taken over: mqtt"
        b.app.requests.put(LimitRequest(id="a1", by="home", der="pv1", p_ceiling_w=2000.0, remaining_s=60.0))
        await b.until(lambda: {"event", "notice/home"} <= told(b))


async def test_a_file_that_comes_before_the_first_tick_is_taken_over(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, stop = asyncio.Event(), Loop.stop

    def noted(self: Loop) -> None:
        asked.set()
        stop(self)

    async def warm_up(self: Poller, seconds: float) -> None:
        await asked.wait()

    def change(site: dict[str, Any]) -> None:
        site["functions"][0]["limit_w"] = 7100

    monkeypatch.setattr(Loop, "stop", noted)
    monkeypatch.setattr(Poller, "warm_up", warm_up)
    async with bench(prepare=lambda rig: None) as b:
        edited(b, change)
        async with asyncio.timeout(60.0):
            assert await b.app.reloading.now() == "taken over: functions"
        assert b.app.control.site.limit_w == 7100
        await controlling(b)


async def test_the_same_file_changes_nothing(bench: Any) -> None:
    async with bench() as b:
        await controlling(b)
        assert await reloaded(b, lambda site: None) == "nothing has changed"
        assert events(b) == [("site_file_unchanged", "nothing has changed")]


async def test_another_fallback_is_armed_in_the_device_at_once(bench: Any) -> None:
    def steady(site: dict[str, Any]) -> None:
        """Nothing moves, so that nothing else is a reason to write."""
        site["functions"] = [{"kind": "operator_limit"}]
        site["ders"][1]["fallback"]["after_s"] = 600

    async with bench(steady) as b:
        await controlling(b)
        await b.ticks(20)
        count = len(b.writes("pv2"))

        def change(site: dict[str, Any]) -> None:
            site["ders"][1]["fallback"]["p_ceiling_w"] = 1500

        await reloaded(b, change)
        await b.until(lambda: len(b.writes("pv2")) > count)
        await b.until(lambda: b.rig.world.faces["pv2"].bank.image(704).get("WMaxLimPctRvrt") == 15.0)


async def test_a_der_that_leaves_the_file_is_released_and_one_that_comes_back_is_controlled_again(
    bench: Any,
) -> None:
    async with bench() as b:
        await controlling(b)
        rows: list[Any] = []

        def leave(site: dict[str, Any]) -> None:
            rows.append(site["ders"].pop(1))
            for function in site["functions"]:
                function.pop("ders", None)

        assert "ders" in await reloaded(b, leave)
        assert [event["der"] for event in b.app.news.events if event["event"] == "released"] == ["pv2"]
        assert b.rig.world.faces["pv2"].command().p_ceiling_w <= 2000.0, "its declared fallback"
        journal = Journal(Folder(b.app.survival.folder.path, b.app.survival.folder.path))
        journal.load()
        assert "pv2" not in journal.entries and "pv1" in journal.entries
        count = len(b.writes("pv2"))
        await b.ticks(10)
        assert len(b.writes("pv2")) == count
        assert b.app.gate.open

        await reloaded(b, lambda site: site["ders"].insert(1, rows[0]))
        await b.until(lambda: len(b.writes("pv2")) > count)
        assert b.app.gate.open
        assert [event["event"] for event in b.app.news.events if event["event"].startswith("mode_")] == [
            "mode_control"
        ]


async def test_one_that_must_not_be_written_any_more_is_released(bench: Any) -> None:
    async with bench() as b:
        await controlling(b)

        def change(site: dict[str, Any]) -> None:
            site["ders"][1] |= {"control": False, "fallback": {"p_ceiling_w": 2000, "by": "device"}}

        await reloaded(b, change)
        count = len(b.writes("pv2"))
        await b.ticks(10)
        assert len(b.writes("pv2")) == count
        assert "pv2" not in b.app.control.releaser.records.written.entries


async def test_a_daemon_that_only_looks_writes_nothing_for_a_file_that_changes_either(bench: Any) -> None:
    async with bench(observe=True) as b:
        await b.app.control.releaser.note("pv2")

        def leave(site: dict[str, Any]) -> None:
            site["ders"].pop(1)
            for function in site["functions"]:
                function.pop("ders", None)

        await reloaded(b, leave)
        await b.ticks(3)
        assert [b.writes(device) for device in ("pv1", "pv2", "bat1")] == [[], [], []]


async def test_an_operators_limit_and_disarm_outlive_a_new_file(bench: Any) -> None:
    async with bench() as b:
        await controlling(b)
        socket = Path(b.app.control.site.file.site.socket)
        await ask(socket, "limit_power", {"p_ceiling_w": 1500, "der": "pv2", "expires_s": 600.0})
        await ask(socket, "disarm")

        def change(site: dict[str, Any]) -> None:
            site["functions"][0]["limit_w"] = 6900
            site["site"]["clock_sync"] = "auto"

        await reloaded(b, change)
        assert [request.der for request in b.app.requests.alive()] == ["pv2"]
        assert not b.app.gate.arming.armed, "the file's mode has not changed, so the operator's word stands"
        assert b.app.clock.mode == "auto"


async def test_a_changed_mode_is_the_last_word(bench: Any) -> None:
    async with bench() as b:
        await controlling(b)

        def observe(site: dict[str, Any]) -> None:
            site["site"]["mode"] = "observe"

        def control(site: dict[str, Any]) -> None:
            site["site"]["mode"] = "control"

        await reloaded(b, observe)
        await b.until(lambda: b.app.control.releaser.records.written.entries == {})
        assert not b.app.gate.open
        await reloaded(b, control)
        await controlling(b)


async def test_another_meter_has_to_prove_itself_and_until_then_load_does_not_count(bench: Any) -> None:
    async with bench() as b:
        await controlling(b)
        old = b.app.control.plant.poc

        def change(site: dict[str, Any]) -> None:
            site["poc"]["sign"] = -1

        await reloaded(b, change)
        assert b.app.control.plant.poc is not old
        assert b.app.control.loop.image.poc is b.app.control.plant.poc is b.app.control.loop.poller.channels[-1]
        await b.until(
            lambda: (
                b.app.control.plant.poc.measured.sample > 0 and "contract_export_limit" in b.app.control.loop.memories
            )
        )
        assert not b.app.control.loop.memories["contract_export_limit"].trust.proven
        assert b.app.control.loop.memories["belief"].belief is not Belief.PROVEN


async def test_another_pace_is_taken_without_a_new_connection_and_another_place_is_not(bench: Any) -> None:
    async with bench() as b:
        await controlling(b)
        bus = b.app.control.plant.buses["lan_pv1"]

        def pace(site: dict[str, Any]) -> None:
            site["buses"][0]["timeout_s"] = 2.5

        await reloaded(b, pace)
        assert b.app.control.plant.buses["lan_pv1"] is bus
        assert (bus.line.pace.timeout_s, bus.line.connects) == (2.5, 1)

        def place(site: dict[str, Any]) -> None:
            site["buses"][0]["tcp"]["host"] = "localhost"

        await reloaded(b, place)
        assert b.app.control.plant.buses["lan_pv1"] is not bus
        assert not bus.line.connected
        assert b.app.control.plant.ders["pv1"].measured.sample > 0, "it was looked for while the old file controlled"
        assert b.app.gate.open
        await b.until(lambda: b.app.control.plant.ders["pv1"].measured.sample > 0)


async def test_a_stop_in_the_middle_of_a_reload_ends_the_daemon_as_any_stop_does(bench: Any) -> None:
    async with bench() as b:
        await controlling(b)

        def change(site: dict[str, Any]) -> None:
            site["site"]["tick_s"] = 0.2

        edited(b, change)
        reading = asyncio.create_task(b.app.reloading.now())
        b.app.stop()
        await b.running
        assert b.app.control.releaser.records.written.entries == {}
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_who_may_command_is_who_the_file_lists_now(
    bench: Any, mosquitto: Any, make_outside: Any, until: Any
) -> None:
    """anna is listed, then ben in her place; her limit stays until it ends."""

    def listing(name: str) -> Edit:
        section = {"host": "127.0.0.1", "port": mosquitto.port, "principals": [{"name": name}]}
        return lambda site: site.update(mqtt=section)

    async with bench(listing("anna")) as b:
        base = f"derctl/{b.app.control.site.file.site.fleet}/{b.app.control.site.file.site.id}"
        outside = await make_outside(mosquitto.port).watch(f"{base}/reply/#")

        async def limit(name: str) -> None:
            await until(lambda: b.app.uplink.link.connected)
            fields = {"id": name, "issued_at": datetime.now(UTC).isoformat(), "expires_s": 600, "p_ceiling_w": 4000}
            outside.send(f"{base}/cmd/{name}/limit_power", json.dumps(fields).encode())

        await limit("anna")
        await until(lambda: outside.of("reply/anna"))
        await reloaded(b, listing("ben"))
        for name in ("anna", "ben"):
            await limit(name)
        await until(lambda: outside.of("reply/ben"))
        assert [json.loads(reply)["code"] for reply in outside.of("reply/ben")] == [None]
        assert [json.loads(reply)["n"] for reply in outside.of("reply/anna")].count(1) == 1, (
            "her second is not answered"
        )
        assert {request.by for request in b.app.requests.alive()} == {"anna", "ben"}
