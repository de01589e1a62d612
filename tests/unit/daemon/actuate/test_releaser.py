"""What becomes of the journal as writes and releases come and go, and what people are told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from derctl.core.types import Fallback
from derctl.core.words import Record, Released, Seen
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.actuate.records import Records
from derctl.daemon.actuate.release import AGAIN_S, Release
from derctl.daemon.actuate.releaser import PATIENT_S, RELEASE_S, Releaser
from derctl.daemon.actuate.standing import Standing
from derctl.daemon.channel.claim import Claim
from derctl.links.ending import end
from derctl.store.folder import Folder
from derctl.store.journal import FILE, LEFT, Journal

DONE, AWAY = Release(Released.RELEASED), Release(Released.UNREACHABLE)
NO = Release(Released.REFUSED, "exception 4")


class FakeDispatch:
    """Releases what the test says, after takes_s. asked: which, lifted or not, and within what time."""

    def __init__(self) -> None:
        self.stands = dict.fromkeys(("pv1", "pv2"), Standing(seen=Seen.READ_BACK))
        self.writers = {name: self._writer(name) for name in ("pv1", "pv2")}
        self.lent: set[str] = set()
        self.result: dict[str, Release] = {}
        self.asked: list[tuple[list[str], bool, float]] = []
        self.takes_s = 0.0
        self.breaks: Exception | None = None

    def _writer(self, name: str) -> Any:
        def standing(record: Record) -> Standing:
            return replace(self.stands[name], record=record)

        channel = SimpleNamespace(measured=SimpleNamespace(claim=Claim()))
        own = Fallback()
        promised = SimpleNamespace(fallback=own, told=own)
        return SimpleNamespace(promised=promised, wrote=False, control=True, standing=standing, channel=channel)

    async def release(self, wrote: list[str], *, lift: bool, seconds: float) -> dict[str, Release]:
        self.asked.append((list(wrote), lift, seconds))
        await asyncio.sleep(self.takes_s)
        if self.breaks is not None:
            raise self.breaks
        found = {name: self.result.get(name, DONE) for name in wrote}
        done = {name: each.stands_w for name, each in found.items() if each.result is Released.RELEASED}
        self.stands |= {name: Standing(p_ceiling_w=watts, seen=Seen.READ_BACK) for name, watts in done.items()}
        return found


class House:
    """A releaser over a journal on disk."""

    def __init__(self, path: Path) -> None:
        self.folder, self.dispatch = Folder(path, path), FakeDispatch()
        self.told: list[tuple[str, str, str]] = []
        self.releaser = Releaser(
            Records(Journal(self.folder), lambda: "12:00", self.tell),
            cast(Dispatch, self.dispatch),
            self.tell,
            clock=asyncio.get_running_loop().time,
        )

    def tell(self, *event: str) -> None:
        self.told.append(cast(tuple[str, str, str], event))

    def on_disk(self) -> set[str]:
        journal = Journal(self.folder)
        journal.load()
        return set(journal.entries)

    async def wrote(self, *names: str) -> House:
        for name in names:
            await self.releaser.note(name)
        return self

    async def tick(self, seconds: float = AGAIN_S + 1.0, *, lift: bool = True) -> None:
        """A tick with the gate closed, after a while."""
        await asyncio.sleep(seconds)
        self.releaser.follow(lift=lift)
        await asyncio.sleep(0.001)

    async def settled(self) -> None:
        """When no try is under way; the journal's disk has its own time."""
        while self.releaser.releasing:  # noqa: ASYNC110  # in a thread, which no virtual time waits for
            await asyncio.sleep(0)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    if made.releaser._again is not None:
        await end([made.releaser._again])


async def test_a_name_is_on_disk_when_note_returns_and_gone_when_it_is_released(house: House) -> None:
    await house.wrote("pv1", "pv2")
    assert house.on_disk() == {"pv1", "pv2"}
    house.dispatch.result = {"pv2": NO}
    await house.releaser.release(lift=False)
    assert house.on_disk() == {"pv2"}
    assert house.dispatch.asked == [(["pv1", "pv2"], False, RELEASE_S)]


async def test_one_that_is_being_written_again_stays_in_the_journal(house: House) -> None:
    """A write that began while the release was under way must not be forgotten."""
    await house.wrote("pv1")
    house.dispatch.writers["pv1"].wrote = True
    await house.releaser.release(lift=False)
    assert house.on_disk() == {"pv1"}


async def test_what_became_of_a_release_is_told_once_for_each_word(house: House) -> None:
    await house.wrote("pv1")
    house.dispatch.result = {"pv1": AWAY}
    await house.releaser.release(lift=False)
    for _ in range(3):
        await house.tick()
    house.dispatch.result = {"pv1": NO}
    await house.tick()
    house.dispatch.result = {}
    await house.tick(60.0)
    await house.settled()
    told = [("not_released", "pv1", "unreachable"), ("not_released", "pv1", "exception 4")]
    assert house.told == [*told, ("released", "pv1", "released")]
    assert house.on_disk() == set()


async def test_a_word_is_told_again_after_a_new_write(house: House) -> None:
    house.dispatch.result = {"pv1": AWAY}
    for _ in range(2):
        await (await house.wrote("pv1")).releaser.release(lift=False)
    assert [event for event, _, _ in house.told] == ["not_released"] * 2


async def test_those_whose_time_has_come_are_tried_again_with_more_patience(house: House) -> None:
    await house.wrote("pv1", "pv2")
    house.dispatch.result = {"pv1": AWAY, "pv2": NO}
    await house.releaser.release(lift=False)
    await house.tick(AGAIN_S - 1.0)
    assert len(house.dispatch.asked) == 1
    await house.tick(2.0)
    assert house.dispatch.asked[1:] == [(["pv1"], False, PATIENT_S)]


@pytest.mark.parametrize(
    ("said", "stands", "lifts"), [(True, True, True), (True, False, False), (False, True, False)]
)
async def test_a_try_lifts_what_the_release_that_it_repeats_lifted_as_long_as_that_stands(
    house: House, said: bool, stands: bool, lifts: bool
) -> None:
    await house.wrote("pv1")
    house.dispatch.result = {"pv1": AWAY}
    await house.releaser.release(lift=said)
    await house.tick(lift=stands)
    assert house.dispatch.asked[-1] == (["pv1"], lifts, PATIENT_S)


async def test_one_try_at_a_time_and_none_beside_a_release(house: House) -> None:
    await house.wrote("pv1")
    house.dispatch.takes_s = 5.0
    releasing = asyncio.create_task(house.releaser.release(lift=False))
    await house.tick(0.001)
    assert house.releaser.releasing and len(house.dispatch.asked) == 1
    await releasing
    await asyncio.sleep(10.0)
    assert len(house.dispatch.asked) == 1
    house.dispatch.result = {"pv1": AWAY}
    await house.wrote("pv1")
    for _ in range(2):
        house.releaser.follow(lift=False)
    for _ in range(3):
        await house.tick(0.001)
    await asyncio.sleep(10.0)
    assert len(house.dispatch.asked) == 2


async def test_a_release_ends_the_try_that_runs_and_begins_it_all_again(house: House) -> None:
    await house.wrote("pv1")
    house.dispatch.takes_s = 20.0
    await house.tick(0.0)
    began = asyncio.get_running_loop().time()
    house.dispatch.takes_s = 1.0
    await house.releaser.release(lift=True)
    assert asyncio.get_running_loop().time() - began < 2.0
    assert [lift for _, lift, _ in house.dispatch.asked] == [False, True]
    await house.tick()


async def test_a_bug_in_a_try_comes_out_at_a_later_tick(house: House) -> None:
    await house.wrote("pv1")
    house.dispatch.breaks = ZeroDivisionError("a bug")
    await house.tick()
    with pytest.raises(ZeroDivisionError):
        house.releaser.follow(lift=False)


async def test_what_was_written_before_a_restart_is_released_and_what_the_site_file_lacks_is_left(
    tmp_path: Path,
) -> None:
    before = Journal(Folder(tmp_path, tmp_path))
    for name in ("pv1", "gone"):
        before.note(name, since="11:00", fallback={})
    await before.save()
    house = House(tmp_path)
    house.releaser.restore()
    await house.tick()
    await house.settled()
    assert house.dispatch.asked == [(["pv1"], False, PATIENT_S)] and house.on_disk() == {"gone"}


def limit(watts: float, seen: Seen = Seen.READ_BACK) -> Standing:
    return Standing(p_ceiling_w=watts, seen=seen)


@pytest.mark.parametrize(
    ("stands", "lifted"),
    [
        (limit(2000.0), True),
        (Standing(q_var=-300.0, seen=Seen.READ_BACK), True),
        (Standing(p_target_w=-1500.0, seen=Seen.READ_BACK), True),
        (Standing(seen=Seen.READ_BACK), False),
        (limit(2000.0, Seen.OLD), True),
    ],
)
async def test_a_lift_reaches_what_stands_in_a_der_whatever_the_journal_says(
    house: House, stands: Standing, lifted: bool
) -> None:
    await house.wrote("pv2")
    await house.releaser.release(lift=False)
    house.dispatch.stands["pv1"] = stands
    await house.releaser.release(lift=False)
    assert house.dispatch.asked[-1][0] == [], "without lift nothing is written that derctl has no note of"
    await house.releaser.release(lift=True)
    assert house.dispatch.asked[-1][0] == (["pv1"] if lifted else [])


async def test_at_its_fallback_and_at_rest_nothing_is_to_be_lifted(house: House) -> None:
    house.dispatch.writers["pv1"].promised.told = Fallback(p_ceiling_w=2000.0)
    house.dispatch.stands["pv1"] = Standing(p_ceiling_w=2000.0, p_target_w=0.0, seen=Seen.READ_BACK)
    await house.releaser.release(lift=True)
    assert house.dispatch.asked[-1][0] == []


async def test_the_answer_to_a_release_names_what_stands_in_the_others(house: House) -> None:
    await house.wrote("pv2")
    house.dispatch.result = {"pv2": Release(Released.RELEASED, stands_w=1500.0)}
    house.dispatch.stands["pv1"] = limit(2000.0)
    for text in ("released", "released before"):
        told = await house.releaser.release(lift=False)
        assert {name: (str(each), each.standing) for name, each in told.items()} == {
            "pv2": (text, replace(limit(1500.0), record=Record.LEFT)),
            "pv1": ("not_written", limit(2000.0)),
        }
    house.dispatch.stands = dict.fromkeys(("pv1", "pv2"), Standing(seen=Seen.READ_BACK))
    await house.releaser.save()
    assert house.releaser.records.of("pv2") is Record.LEFT, "that poll may have begun before the release"
    await asyncio.sleep(30.0)
    await house.releaser.save()
    assert await house.releaser.release(lift=False) == {}


async def test_without_a_record_every_der_is_named_until_all_are_read_and_hold_nothing(house: House) -> None:
    house.releaser.restore()
    house.dispatch.stands["pv1"] = Standing()
    told = await house.releaser.release(lift=False)
    assert {name: each.standing.record for name, each in told.items() if each.standing} == {
        "pv1": "missing",
        "pv2": "missing",
    }
    await house.releaser.save()
    assert house.releaser.records.of("pv2") is Record.MISSING
    await house.releaser.release(lift=True)
    assert house.dispatch.asked[-1][0] == ["pv1"], "what does not tell may be derctl's"
    house.dispatch.stands["pv1"] = Standing(seen=Seen.READ_BACK)
    await house.releaser.save()
    assert (house.releaser.records.of("pv1"), house.on_disk()) == (Record.NOTHING, set())
    assert await house.releaser.release(lift=False) == {}


async def test_a_claim_that_was_contradicted_is_known_after_a_restart(house: House, tmp_path: Path) -> None:
    await house.wrote("pv1", "pv2")
    house.dispatch.writers["pv1"].channel.measured.claim = Claim(void=True, said_w=0.0)
    await house.releaser.save()
    later = House(tmp_path)
    later.releaser.restore()
    assert later.dispatch.writers["pv1"].channel.measured.claim == Claim(void=True, said_w=0.0)
    assert later.dispatch.writers["pv2"].channel.measured.claim == Claim()
    house.dispatch.writers["pv1"].channel.measured.claim = Claim()
    await house.releaser.save()
    assert Journal(house.folder).contradicted == {} == house.releaser.records.written.contradicted


async def test_a_journal_that_cannot_be_read_counts_as_if_it_named_all(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"pv1": ')
    house = House(tmp_path)
    house.dispatch.writers["pv2"].control = False
    with pytest.raises(ValueError, match="truncated"):
        Journal(house.folder).load()
    house.releaser.restore(touch=False)
    assert (tmp_path / FILE).exists() and house.releaser.records.of("pv1") is Record.WRITTEN
    house.releaser.restore()
    assert {path.name for path in tmp_path.iterdir()} == {FILE, f"{FILE}.unreadable"}
    await house.releaser.release(lift=False)
    assert (house.dispatch.asked[-1][0], house.on_disk()) == (["pv1"], set())


async def test_a_der_that_the_site_file_lacks_is_named_at_the_start_and_by_each_release(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"pv1": {}, "pv9": {}}')
    house = House(tmp_path)
    house.releaser.restore()
    assert house.told == [("not_released", "pv9", "not in the site file any more")]
    for _ in range(2):
        assert (await house.releaser.release(lift=True))["pv9"].result is Released.NOT_IN_FILE
    assert house.on_disk() == {"pv9"}


async def test_a_journal_that_is_begun_by_one_der_says_nothing_of_the_others(tmp_path: Path) -> None:
    """It was lost, and pv2 is not heard when pv1 is written: what stands in pv2 may still be derctl's."""
    house = House(tmp_path)
    house.releaser.restore()
    house.dispatch.stands["pv2"] = Standing()
    await house.wrote("pv1")
    later = House(tmp_path)
    later.releaser.restore()
    later.dispatch.stands["pv2"] = Standing()
    for each in (house, later):
        assert [each.releaser.records.of(name) for name in ("pv1", "pv2")] == [Record.WRITTEN, Record.MISSING]
    await later.releaser.release(lift=True)
    assert later.dispatch.asked[-1][0] == ["pv1", "pv2"], "what does not tell may be derctl's"
    assert later.releaser.records.of("pv2") is not Record.MISSING


async def test_one_that_is_read_and_holds_nothing_is_known_though_the_journal_was_lost(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.releaser.restore()
    await house.wrote("pv1")
    assert house.releaser.records.of("pv2") is Record.NOTHING


async def test_what_releases_left_is_not_known_where_its_file_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"pv1": {}}')
    (tmp_path / LEFT).write_text("[1]")
    house = House(tmp_path)
    house.releaser.restore(touch=False)
    house.releaser.restore()
    house.dispatch.stands = dict.fromkeys(("pv1", "pv2"), Standing())
    assert house.told[-1][2].startswith(f"{LEFT}: ") and house.told[-1][2].endswith(f"kept as {LEFT}.unreadable")
    assert [house.releaser.records.of(name) for name in ("pv1", "pv2")] == [Record.WRITTEN, Record.MISSING]
    await house.releaser.release(lift=True)
    assert house.dispatch.asked[-1][0] == ["pv1", "pv2"]


async def test_a_claim_that_was_contradicted_is_known_behind_a_release_too(tmp_path: Path) -> None:
    """What it reads back then is not said to stand."""
    house = House(tmp_path)
    house.dispatch.result = {"pv1": replace(DONE, stands_w=2000.0)}
    await house.wrote("pv1")
    house.dispatch.writers["pv1"].channel.measured.claim = Claim(void=True, said_w=0.0)
    await house.releaser.release(lift=False)
    later = House(tmp_path)
    later.releaser.restore()
    assert later.dispatch.writers["pv1"].channel.measured.claim == Claim(void=True, said_w=0.0)


async def test_a_journal_that_cannot_be_read_or_saved_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_text("[1]")
    house = House(tmp_path)
    house.releaser.restore()

    async def full(name: str, data: bytes) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(house.folder, "replace", full)
    await house.wrote("pv1", "pv2")
    assert [event for event, _, _ in house.told] == ["journal_unreadable", "journal_not_saved"]
    assert house.told[1][2] == "no space left on device"
    assert house.releaser.records.written.entries.keys() == {"pv1", "pv2"}


async def test_what_is_left_by_an_entry_that_tells_no_limit_harms_no_release(tmp_path: Path) -> None:
    (tmp_path / LEFT).write_text('{"pv1": {"stands_w": 2000}, "sold": {}, "gone": {"stands_w": 1.0}}')
    house = House(tmp_path)
    house.releaser.restore()
    house.dispatch.stands = {"pv1": limit(2000.0), "pv2": Standing(seen=Seen.READ_BACK)}
    assert {name: each.stands_w for name, each in house.releaser.inventory.left().items()} == {"pv1": 2000.0}
    assert (await house.releaser.release(lift=True))["pv1"] == replace(
        DONE, standing=Standing(seen=Seen.READ_BACK, record=Record.NOTHING)
    )


async def test_a_release_that_waited_for_another_one_releases_only_what_that_left(house: House) -> None:
    """Two operators at once: what the first gave back may be somebody else's since."""
    await house.wrote("pv1", "pv2")
    house.dispatch.takes_s = 1.0
    first = asyncio.create_task(house.releaser.release(lift=True))
    second = asyncio.create_task(house.releaser.release(lift=False))
    assert set(await first) == {"pv1", "pv2"}
    assert await second == {}
    assert house.dispatch.asked == [(["pv1", "pv2"], True, RELEASE_S), ([], False, RELEASE_S)]


@pytest.mark.parametrize("stands", [limit(2000.0), limit(2000.0, Seen.AS_WRITTEN), Standing()])
async def test_a_limit_that_a_release_left_standing_is_known_after_a_restart_and_given_back_only_by_lift(
    house: House, tmp_path: Path, stands: Standing
) -> None:
    await house.wrote("pv1")
    house.dispatch.result = {"pv1": Release(Released.RELEASED, stands_w=2000.0)}
    await house.releaser.release(lift=False)
    later = House(tmp_path)
    later.releaser.restore()
    later.dispatch.stands["pv1"] = stands
    assert {name: each.stands_w for name, each in later.releaser.inventory.left().items()} == {"pv1": 2000.0}
    for lift, asked in ((False, []), (True, ["pv1"]), (True, [])):
        await later.releaser.release(lift=lift)
        assert later.dispatch.asked[-1] == (asked, lift, RELEASE_S)
    assert later.releaser.inventory.left() == {}


@pytest.mark.parametrize("written", [False, True], ids=["no journal names it", "a journal does"])
async def test_a_der_that_a_reload_drops_in_the_middle_of_a_lift_is_released_to_the_end(
    house: House, *, written: bool
) -> None:
    """The writers of the new site file were asked for it: KeyError, and the operator had no answer."""
    house.dispatch.takes_s = 0.2
    house.dispatch.stands["pv2"] = Standing(p_ceiling_w=1_000.0, seen=Seen.READ_BACK)
    await house.wrote("pv1", *(["pv2"] if written else []))
    lifting = asyncio.create_task(house.releaser.release(lift=True))
    await asyncio.sleep(0.1)
    other = FakeDispatch()
    del other.writers["pv2"]
    house.releaser.dispatch = cast(Dispatch, other)
    result = await lifting
    assert house.dispatch.asked[0][0] == ["pv1", "pv2"]
    assert result["pv2"].result is Released.RELEASED
    assert house.on_disk() == set()
