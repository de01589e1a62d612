"""The ledger of a running daemon: batches to the disk, to the broker in order behind what is measured now."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from derctl.core.types import Reading, SiteState
from derctl.core.value import replace
from derctl.daemon.clock import Clock
from derctl.daemon.feeding import BACKFILL_PER_S, Feeding
from derctl.daemon.keeping import COMMIT_S, PENDING_MAX, Keeping, parts_of
from derctl.site.schema import RecordsSection
from derctl.store import records
from derctl.store.chain import Head, hash_of
from derctl.store.folder import Folder
from derctl.store.interval import Part, seconds_of
from derctl.store.outbox import Message, Outbox
from derctl.store.rows import FILE, NotKept
from tests import make

NOON = seconds_of("2026-11-21T12:00:00Z")


class House:
    """A simulated clock, a meter with exact counters, and a broker that takes one message after the other."""

    def __init__(self, folder: Path, interval_s: int = 60) -> None:
        self.wall, self.now_s, self.up = NOON, 1000.0, False
        self.told: list[tuple[str, str]] = []
        self.arrived: list[tuple[float, Message]] = []
        file = SimpleNamespace(
            site=SimpleNamespace(id="demo"),
            records=RecordsSection(interval_s=cast(Any, interval_s)),
            poc=object(),
            ders=[],
        )
        self.keeping = Keeping(
            site=cast(Any, SimpleNamespace(file=file)),
            folder=Folder(folder, folder),
            clock=Clock("assume", lambda: self.wall),
            tell=lambda event, der, text: self.told.append((event, text)),
            monotonic=lambda: self.now_s,
        )
        self.outbox = Outbox()
        self.feeding = Feeding(self.keeping, self.keeping.clock, self.outbox, lambda: self.up, Head, pause=self.pause)

    @property
    def wh(self) -> float:
        """2 kW of import for ever."""
        return 50_000.0 + 2000.0 * (self.wall - NOON) / 3600.0

    def state(self) -> SiteState:
        reading = Reading(p_w=-2000.0, energy_wh=0.0, energy_in_wh=self.wh)
        return make.site(poc=replace(make.meter(-2000.0), reading=reading), tick_s=5.0)

    async def pause(self, seconds: float) -> None:
        self.flow(seconds)
        await asyncio.sleep(0)

    def flow(self, seconds: float) -> None:
        self.wall, self.now_s = self.wall + seconds, self.now_s + seconds

    async def run(self, seconds: float, step_s: float = 5.0) -> None:
        for _ in range(int(seconds / step_s)):
            self.flow(step_s)
            self.keeping.report(self.state())
            if self.keeping._wake.is_set():
                self.keeping._wake.clear()
                await self.keeping.save()

    async def take(self) -> None:
        """The broker's end."""
        outbox = self.outbox
        while True:
            message = await outbox.peek()
            self.arrived.append((self.now_s, message))
            outbox.sent(message)
            await asyncio.sleep(0)

    @property
    def intervals(self) -> list[dict[str, Any]]:
        return [json.loads(message.payload) for _, message in self.arrived if message.topic == "interval"]


@pytest.fixture
async def house(tmp_path: Path) -> House:
    found = House(tmp_path)
    await found.keeping.begin()
    return found


async def fed(house: House) -> None:
    """Until the broker has all."""
    taking = asyncio.create_task(house.take())
    try:
        while await house.feeding.some():
            pass
        await house.outbox.emptied(5.0)
    finally:
        taking.cancel()


async def test_intervals_go_to_disk_in_batches(house: House) -> None:
    await house.run(3600)
    assert house.keeping.folder.writes == pytest.approx(3600.0 / COMMIT_S, abs=1)
    assert house.keeping.file.head.n >= 55


async def test_a_broker_that_was_away_for_a_day_gets_everything_in_order_and_live_data_first(house: House) -> None:
    await house.run(86_400)
    assert house.outbox.ordered == house.outbox.ordered.__class__()
    house.up = True
    live = Message(topic="poc", payload=b"live")
    house.outbox.put(live)
    back_s = house.now_s
    await fed(house)
    assert house.arrived[0][1] is not None
    first = next(at_s for at_s, message in house.arrived if message is live)
    assert first - back_s < 2.0
    assert [message.topic for _, message in house.arrived].index("poc") < [
        message.topic for _, message in house.arrived
    ].index("interval")
    found = house.intervals
    n = [each["record"]["n"] for each in found]
    assert n == list(range(1, house.keeping.file.head.n + 1)) and len(n) >= 1435
    assert all(a["record"]["to"] == b["record"]["from"] for a, b in itertools.pairwise(found))
    assert all(each["hash"] == b["record"]["before"] for each, b in itertools.pairwise(found))
    assert found[0]["late"] and not found[-1]["late"]
    energy = sum(each["record"]["import_wh"] or 0.0 for each in found)
    assert energy == pytest.approx(48_000.0, abs=2000.0 * COMMIT_S / 3600.0 + 5.0)
    assert len(n) / (house.now_s - back_s) == pytest.approx(BACKFILL_PER_S, rel=0.1)


async def test_the_hash_that_is_told_is_that_of_the_record_s_own_text(house: House) -> None:
    await house.run(400)
    await fed(house)
    payload = next(message.payload for _, message in house.arrived if message.topic == "interval").decode()
    text = payload.partition('"record":')[2][:-1]
    assert json.loads(payload)["hash"] == hash_of(text)


async def test_what_is_measured_meanwhile_waits_behind_one_interval_at_most(house: House) -> None:
    await house.run(7200)
    house.up = True
    outbox, taking = house.outbox, asyncio.create_task(house.take())
    feeding = asyncio.create_task(house.feeding.run())
    while len(house.intervals) < 10:
        live, before = Message(topic="poc", payload=b"live"), len(house.intervals)
        outbox.put(live)
        await outbox.emptied(5.0)
        assert any(message is live for _, message in house.arrived)
        assert len(house.intervals) - before <= 1
    for task in (taking, feeding):
        task.cancel()


async def test_all_that_is_measured_now_goes_before_the_first_interval(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(self: Folder, work: Any, *args: Any) -> Any:
        return work(*args)

    await house.run(1200)
    monkeypatch.setattr(Folder, "on_disk", at_once)
    topics = [f"der/pv{n}/measurement" for n in range(5)]
    for topic in topics:
        house.outbox.put(Message(topic=topic, payload=b"live"))
    feeding = asyncio.create_task(house.feeding.some())
    for _ in range(10):
        await asyncio.sleep(0)  # it has all that it needs to begin
    taking = asyncio.create_task(house.take())
    await feeding
    taking.cancel()
    arrived = [message.topic for _, message in house.arrived]
    assert {*arrived[:6]} == {*topics, "records"}
    assert arrived[6] == "interval"


async def test_a_restart_neither_loses_nor_repeats_an_interval(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.keeping.begin()
    await house.run(2000)
    await fed(house)
    sent = house.keeping.file.sent
    await house.keeping.end()
    again = House(tmp_path)
    again.wall, again.now_s = house.wall + 3000.0, 5.0
    await again.keeping.begin()
    await again.run(700)
    assert again.keeping.file.sent == sent
    await fed(again)
    n = [each["record"]["n"] for each in house.intervals + again.intervals]
    assert n == list(range(1, len(n) + 1))
    records = [each["record"] for each in house.intervals + again.intervals]
    assert [each["why"] for each in records if each["why"]] == ["started", "stopped", "not_running"]
    assert all(a["to"] == b["from"] for a, b in itertools.pairwise(records))
    moved = 2000.0 * (seconds_of(records[-1]["to"]) - seconds_of(records[0]["from"])) / 3600.0
    assert sum(each["import_wh"] or 0.0 for each in records) == pytest.approx(moved, abs=5.0)


async def test_what_went_before_the_broker_had_it_is_a_gap_with_a_name(house: House) -> None:
    await house.run(3600)
    house.keeping.file.keep_s = 600.0
    await house.run(400)
    await fed(house)
    gap, first = house.intervals[:2]
    assert gap["gap"]["from_n"] == 1 and gap["gap"]["why"] == "dropped"
    assert first["record"]["n"] == gap["gap"]["to_n"] + 1


async def test_a_record_that_was_changed_on_disk_is_a_gap_with_a_name_and_holds_nobody_up(house: House) -> None:
    await house.run(3600)
    file = house.keeping.file
    file.keep_s = 1800.0
    await house.run(400)
    broken = file.first.n + 1
    assert file._db is not None
    file._db.execute("UPDATE interval SET text = 'x' WHERE n = ?", (broken,))
    await fed(house)
    dropped, changed, first = house.intervals[:3]
    assert (dropped["gap"]["from_n"], dropped["gap"]["to_n"], dropped["gap"]["why"]) == (1, broken - 1, "dropped")
    assert (changed["gap"]["from_n"], changed["gap"]["to_n"], changed["gap"]["why"]) == (broken, broken, "unreadable")
    assert first["record"]["n"] == broken + 1 and file.sent == file.head.n
    await house.run(400)
    assert file.head.n > first["record"]["n"]


async def test_the_heads_are_told_retained(house: House) -> None:
    await house.run(400)
    [message] = [each for each in house.outbox.latest.values() if each.topic == "records"]
    said = json.loads(message.payload)
    assert message.retain
    assert (said["ledger"]["n"], said["ledger"]["hash"]) == (house.keeping.file.head.n, house.keeping.file.head.hash)


async def test_the_heads_are_told_anew_once_the_file_is_read_and_not_before(tmp_path: Path) -> None:
    """An empty chain, retained, would say that all of it was cut off."""
    house = House(tmp_path)
    house.feeding.anew()
    assert not house.outbox.latest
    await house.keeping.begin()
    await house.run(400)
    for _ in range(2):
        [message] = house.outbox.latest.values()
        assert json.loads(message.payload)["ledger"]["n"] == house.keeping.file.head.n
        house.outbox.sent(message)
        house.feeding.anew()


async def test_a_disk_that_takes_nothing_costs_no_energy(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(plains: Any) -> None:
        raise NotKept("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(type(house.keeping.file), "append", lambda self, plains: full(plains))
        await house.run(60 * (PENDING_MAX + 100), step_s=30.0)
    assert [event for event, _ in house.told] == ["records_not_saved"]
    assert len(house.keeping.pending) == PENDING_MAX
    assert await house.keeping.save()
    await fed(house)
    records = [each["record"] for each in house.intervals]
    assert records[0]["why"] == "disk_full"
    assert sum(each["import_wh"] or 0.0 for each in records) == pytest.approx(
        2000.0 * (PENDING_MAX + 100) / 60.0, rel=0.01
    )


async def test_a_full_disk_costs_the_oldest_intervals_and_is_said(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.run(3600)
    file = house.keeping.file
    monkeypatch.setattr(records, "scarce", lambda folder: True)
    newest = file.head.n
    await house.run(400)
    assert file.head.n > newest, "the newest are kept"
    [(event, text), *_] = house.told
    assert event == "records_dropped" and text.startswith("no room: the 8 oldest intervals went, up to ")
    assert 8 <= file.first.n < newest


async def test_a_damaged_file_is_said_and_not_fatal(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 500)
    house = House(tmp_path)
    await house.keeping.begin()
    await house.run(400)
    assert "records_set_aside" in {event for event, _ in house.told}
    assert house.keeping.file.head.n


async def test_a_site_without_a_broker_keeps_its_intervals_and_sends_none(house: House) -> None:
    house.outbox.shut = True
    await house.run(400)
    assert not await house.outbox.deliver(Message(topic="interval", payload=b"", qos=1))
    assert house.keeping.file.head.n and not house.outbox.latest


def test_what_a_device_is_comes_from_its_kind() -> None:
    kinds = ("sunspec_pv", "map_storage", "sunspec_hybrid")
    ders = [SimpleNamespace(id=kind, kind=kind) for kind in kinds]
    site = cast(Any, SimpleNamespace(file=SimpleNamespace(poc=None, ders=ders)))
    assert [*parts_of(site).values()] == [Part.PV, Part.STORE, Part.HYBRID]


async def test_an_interval_that_the_broker_denies_waits_until_it_is_taken(house: House) -> None:
    """An access list that forgot the topic is mended by a person, days later: nothing of it is lost."""
    await house.run(1800.0)
    assert house.keeping.file.head.n >= 2

    async def denying() -> None:
        message = await house.outbox.peek()
        while message.topic != "interval":
            house.outbox.sent(message)
            message = await house.outbox.peek()
        house.up = False
        house.outbox.left_out(message)

    broker = asyncio.create_task(denying())
    await house.feeding.some()
    await broker
    assert house.keeping.file.sent == 0 and house.outbox.dropped == 1
    house.up = True
    taking = asyncio.create_task(house.take())
    while await house.feeding.some():
        pass
    taking.cancel()
    assert house.keeping.file.sent == house.keeping.file.head.n
