"""What comes back after a restart: requests by their own clock, an operator's word, the meter's proof."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from derctl.core import belief
from derctl.core.identified import MeterFound
from derctl.core.memories import BELIEF
from derctl.core.requests import LimitRequest
from derctl.core.response import Lag
from derctl.core.words import Belief, Flaw, Mode, Phase
from derctl.daemon.actuate import ledger
from derctl.daemon.actuate.ledger import AHEAD, Ledger
from derctl.daemon.actuate.rest import AWAKE, Rest
from derctl.daemon.arming import Arm, Arming
from derctl.daemon.clock import Clock
from derctl.daemon.commands.stories import Stories
from derctl.daemon.gate import Gate
from derctl.daemon.log import logger
from derctl.daemon.looks import Looks
from derctl.daemon.requests import Requests
from derctl.daemon.standing import Standing
from derctl.daemon.standings import Standings
from derctl.daemon.survival import SAVE_EVERY_S, MeterProof, Survival
from derctl.daemon.waiting import Waiter
from derctl.devices import Profile
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.enter_service import Memory as EntryMemory
from derctl.functions.export_memory import Memory as ContractMemory
from derctl.functions.freq_droop import Memory as DroopMemory
from derctl.functions.meter_trust import Trust
from derctl.links.ending import end
from derctl.site.absence import Absence
from derctl.site.plant_file import NOTHING_FOUND
from derctl.store.answered import Answered
from derctl.store.folder import Folder
from derctl.store.journal import Journal, Left
from derctl.store.sealed import sealed
from derctl.store.state import VERSION, load

KIND = ContractExportLimit.kind
WALL = 1_800_000_000.0
SEEN = {"ops": Answered(ids={"a1": (WALL, WALL + 60.0)}), "home": Answered(gap=WALL)}


def meter(serial: str | None, sign: int = 1) -> Any:
    """A channel's word for who answers; None: nobody has yet. sign: what the site file gives."""
    known = None if serial is None else SimpleNamespace(serial=serial)
    return SimpleNamespace(
        bond=SimpleNamespace(binding=SimpleNamespace(known=known)),
        expected=SimpleNamespace(options=SimpleNamespace(sign=sign, section=None)),
    )


def is_proven(memories: dict[str, Any]) -> bool:
    return KIND in memories and memories[KIND].trust.proven


def test_the_meter_of_before_the_restart_is_trusted_as_soon_as_it_answers() -> None:
    late = meter(None)
    proof, memories = MeterProof(late, "M-1 +1"), {KIND: ContractMemory(lost=True, trust=Trust(sample=7))}
    proof.recall(memories)
    assert not is_proven(memories)
    late.bond.binding.known = SimpleNamespace(serial="M-1")
    proof.recall(memories)
    assert memories[KIND] == ContractMemory(lost=True, trust=Trust(sample=7, proven=True))


FOUND = MeterFound(delay_s=1.0, refresh_s=4.0)


@pytest.mark.parametrize(
    ("serial", "found", "late_s", "refresh_s"),
    [
        ("M-1", FOUND, 1.0, 4.0),
        ("M-1", MeterFound(delay_s=1.0), 1.0, 1.0),
        ("M-1", MeterFound(delay_s=1.0, refresh_s=99.0), 1.0, 15.0),
        ("M-2", FOUND, None, None),
        ("M-1", MeterFound(delay_s=1.0, flaws=(Flaw.METER_REVERSED,)), None, None),
    ],
)
def test_the_loops_begin_with_the_meter_s_delay_as_it_was_found(
    serial: str, found: MeterFound, late_s: float | None, refresh_s: float | None
) -> None:
    """Of this very meter, and of one that showed the steps as it should."""
    memories: dict[str, Any] = {}
    plant = NOTHING_FOUND.with_meter("M-1", found)
    MeterProof(meter(serial), plant=plant, site="house").recall(memories)
    if late_s is None:
        assert BELIEF not in memories
        return
    assert (memories[BELIEF].pace.late_s, memories[BELIEF].pace.refresh_s) == (late_s, refresh_s)
    assert memories[BELIEF].belief is Belief.UNPROVEN


def test_what_was_seen_since_counts_more_than_what_was_found() -> None:
    known = belief.start("house")
    known = replace(known, pace=replace(known.pace, late_s=3.0))
    memories: dict[str, Any] = {BELIEF: known}
    MeterProof(meter("M-1"), plant=NOTHING_FOUND.with_meter("M-1", FOUND)).recall(memories)
    assert memories[BELIEF] is known


@pytest.mark.parametrize(("saved", "serial"), [("M-1 +1", "M-2"), (None, "M-1"), ("", ""), (" +1", ""), (None, "")])
def test_another_meter_or_one_without_a_serial_has_to_prove_itself(saved: str | None, serial: str) -> None:
    memories: dict[str, Any] = {}
    MeterProof(meter(serial), saved).recall(memories)
    assert not is_proven(memories)


@pytest.mark.parametrize(
    ("before", "after", "trusted"), [(1, 1, True), (-1, -1, True), (1, -1, False), (-1, 1, False)]
)
def test_a_sign_that_was_turned_in_the_site_file_has_to_be_proven_anew(
    before: int, after: int, trusted: bool
) -> None:
    """Under a wrong one the contract's loop would open the inverters when the site exports too much."""
    first = MeterProof(meter("M-1", before))
    assert first.learn({KIND: ContractMemory(trust=Trust(proven=True))}) == "M-1"
    restarted, memories = MeterProof(meter("M-1", after), first.proven), dict[str, Any]()
    restarted.recall(memories)
    assert is_proven(memories) is trusted
    assert restarted.learn({KIND: ContractMemory(trust=Trust(proven=True))}) == (None if trusted else "M-1")


def test_a_serial_alone_as_older_versions_saved_it_proves_no_sign() -> None:
    memories: dict[str, Any] = {}
    MeterProof(meter("M-1"), "M-1").recall(memories)
    assert not is_proven(memories)


def test_a_proof_is_recalled_once_so_that_a_later_doubt_stands() -> None:
    memories: dict[str, Any] = {}
    proof = MeterProof(meter("M-1"), "M-1 +1")
    proof.recall(memories)
    assert is_proven(memories)
    memories[KIND] = replace(memories[KIND], trust=Trust())
    proof.recall(memories)
    assert not is_proven(memories)


def test_a_meter_that_was_not_seen_to_follow_the_inverters_is_not_remembered_as_proven() -> None:
    proof = MeterProof(meter("M-1"))
    assert proof.learn({KIND: ContractMemory()}) is None
    assert proof.proven is None


def test_a_site_without_a_meter_has_nothing_to_recall() -> None:
    memories: dict[str, Any] = {}
    proof = MeterProof(None, "M-1 +1")
    proof.recall(memories)
    assert (memories, proof.learn(memories)) == ({}, None)


def test_a_meter_that_proved_itself_is_told_once() -> None:
    proof, memories = MeterProof(meter("M-1")), {KIND: ContractMemory(trust=Trust(proven=True))}
    assert [proof.learn(memories), proof.learn(memories)] == ["M-1", None]
    assert proof.proven == "M-1 +1"


def fake_writer() -> SimpleNamespace:
    return SimpleNamespace(account=SimpleNamespace(rest=AWAKE))


class House:
    """What survives a restart is gathered from, and goes back to."""

    def __init__(self, path: Path, *, wall: float | None = WALL, now_s: float = 500.0) -> None:
        self.told: list[tuple[str, str]] = []
        self.journal_saves = 0
        self.writers = cast(dict[str, Any], {name: fake_writer() for name in ("pv1", "pv2")})
        sync = path / "synced"
        sync.unlink(missing_ok=True)
        if wall is not None and path.exists():
            sync.touch()
        self.requests = Requests(clock=lambda: now_s)
        self.ledger = Ledger(clock=lambda: now_s)
        gate = Gate(absence=Absence, on_change=lambda: None, stamp=lambda: "12:00")
        self.survival = Survival(
            folder=Folder(path, path),
            clock=Clock(str(sync), lambda: WALL + 1e6 if wall is None else wall),
            requests=self.requests,
            desk=cast(Any, SimpleNamespace(seen={}, stories=None)),
            gate=gate,
            releaser=cast(
                Any,
                SimpleNamespace(
                    save=self.journalled,
                    records=SimpleNamespace(ledger=self.ledger),
                    dispatch=SimpleNamespace(writers=self.writers),
                ),
            ),
            loop=cast(Any, SimpleNamespace(memories={})),
            standings=Standings(
                rules={},
                looks=Looks(Journal(Folder(path, path)), Left(Folder(path, path))),
                left=Left(Folder(path, path)),
                tell=lambda *event: None,
                changed=lambda: None,
            ),
            proof=MeterProof(None),
            log=logger(),
            dirty=asyncio.Event(),
        )

    async def journalled(self) -> None:
        """What is not on disk of the journal goes there with the state."""
        self.journal_saves += 1

    def limit(self, value_w: float, seconds: float) -> None:
        self.requests.put(LimitRequest(id="a", by="home", der="pv1", p_ceiling_w=value_w, remaining_s=seconds))

    def restored(self, mode: Mode = Mode.CONTROL) -> House:
        self.survival.restore(mode, lambda name, der, text: self.told.append((name, text)))
        return self


@pytest.mark.parametrize(
    ("wall", "left_s"),
    [
        (WALL + 10.0, 50.0),  # ten seconds later
        (WALL - 86_400.0, 60.0),  # the wall clock went back: never longer than it had
        (None, 60.0),  # not set: its duration counts
        (WALL + 60.0, None),
        (WALL + 1e6, None),
    ],
)
async def test_a_request_keeps_the_time_that_it_had_left(
    tmp_path: Path, wall: float | None, left_s: float | None
) -> None:
    before = House(tmp_path)
    before.limit(1234.0, 60.0)
    await before.survival.save()
    house = House(tmp_path, wall=wall, now_s=7.0).restored()
    found = [(request.kind, request.der, request.by, request.remaining_s) for request in house.requests.alive()]
    assert found == ([] if left_s is None else [("limit_power", "pv1", "home", left_s)])


async def test_a_command_that_was_admitted_has_its_story_and_its_correlation_data_after_a_restart(
    tmp_path: Path,
) -> None:
    before = House(tmp_path)
    before.survival.desk.stories = stories = Stories(before.requests, before.survival.clock, lambda message: None)
    stories.begin("home", "a", "limit_power", b"\x00\xff")
    before.limit(1234.0, 60.0)
    assert stories.admitted("home", "a", "noon")
    await before.survival.save()
    house = House(tmp_path, wall=WALL + 10.0, now_s=7.0)
    house.survival.desk.stories = again = Stories(house.requests, house.survival.clock, lambda message: None)
    house.restored()
    [story] = again.of.values()
    assert (story.id, story.by, story.command, story.correlation) == ("a", "home", "limit_power", b"\x00\xff")
    assert (story.admitted, story.n, house.told) == ("noon", 1, [])


async def test_a_command_that_waits_for_the_clock_waits_after_a_restart(tmp_path: Path) -> None:
    before = House(tmp_path, wall=None)
    fields = {"id": "c", "expires_s": 60.0}
    waiter = Waiter(by="home", command="clear", id="c", fields=fields, correlation=b"\xff", knew=[], ends_s=60.0)
    before.requests.waiting.add(waiter)
    left_s = 60.0 - before.requests.clock()
    await before.survival.save()
    house = House(tmp_path, wall=None, now_s=7.0).restored()
    [again] = house.requests.waiting.line
    assert (again.fields, again.correlation, again.ends_s, house.told) == (fields, b"\xff", 7.0 + left_s, [])


@pytest.mark.parametrize("wall", [WALL, WALL + 2 * 86_400.0, WALL - 2 * 86_400.0, None])
async def test_a_request_saved_before_the_clock_was_set_keeps_its_duration(
    tmp_path: Path, wall: float | None
) -> None:
    """A limit for an hour, a power cut, and a clock that was two days behind until then."""
    before = House(tmp_path, wall=None)
    before.limit(1234.0, 3600.0)
    await before.survival.save()
    assert [r.remaining_s for r in House(tmp_path, wall=wall, now_s=7.0).restored().requests.alive()] == [3600.0]


@pytest.mark.parametrize(("later_s", "lives"), [(0.0, True), (599.0, True), (601.0, False), (-1.0, False)])
async def test_a_droop_event_goes_on_where_the_daemon_was_not_away_for_long(
    tmp_path: Path, later_s: float, lives: bool
) -> None:
    acting = DroopMemory(p_pre=0.8, side=1, lag=Lag(y=0.6, u=0.5))
    before = House(tmp_path)
    before.survival.loop.memories = {
        "freq_droop/pv1": acting,
        "freq_droop/pv2": DroopMemory(),
        KIND: ContractMemory(),
    }
    await before.survival.save()
    memories = House(tmp_path, wall=WALL + later_s).restored().survival.loop.memories
    assert memories == ({"freq_droop/pv1": replace(acting, lag=Lag(y=0.6, u=0.6))} if lives else {})


async def test_without_a_clock_nobody_knows_how_old_a_droop_event_is(tmp_path: Path) -> None:
    before = House(tmp_path)
    before.survival.loop.memories = {"freq_droop/pv1": DroopMemory(p_pre=0.8, side=1, lag=Lag(y=0.6, u=0.5))}
    await before.survival.save()
    house = House(tmp_path)
    (tmp_path / "synced").unlink()
    assert house.restored().survival.loop.memories == {}


async def test_the_ids_that_were_answered_and_the_meter_that_was_proven_outlive_a_restart(tmp_path: Path) -> None:
    before = House(tmp_path)
    before.survival.desk.seen, before.survival.proof.proven = SEEN, "M-1 +1"
    await before.survival.save()
    after = House(tmp_path).restored().survival
    assert (after.desk.seen, after.proof.proven) == (SEEN, "M-1 +1")


async def test_it_is_saved_at_each_change_and_every_half_minute_and_the_journal_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, saved_s = House(tmp_path), list[float]()
    now_s = asyncio.get_running_loop().time

    async def noted(name: str, data: bytes) -> None:
        saved_s.append(now_s())

    monkeypatch.setattr(house.survival.folder, "replace", noted)
    began_s, running = now_s(), asyncio.create_task(house.survival.run())
    await asyncio.sleep(10.0)
    house.survival.dirty.set()
    await asyncio.sleep(2.5 * SAVE_EVERY_S)
    await end([running])
    due_s = [10.0, 10.0 + SAVE_EVERY_S, 10.0 + 2.0 * SAVE_EVERY_S]
    assert [at_s - began_s for at_s in saved_s] == pytest.approx(due_s)
    assert house.journal_saves == 3


async def test_who_is_held_back_after_an_outage_is_saved_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill in the delay would else forget it, and the inverter would be back at full power before its time."""
    house, saved_s = House(tmp_path), list[float]()
    now_s, key = asyncio.get_running_loop().time, "enter_service/pv1"

    async def noted(name: str, data: bytes) -> None:
        saved_s.append(now_s())
        assert (key in str(data)) is (len(saved_s) == 1)

    monkeypatch.setattr(house.survival.folder, "replace", noted)
    began_s, running = now_s(), asyncio.create_task(house.survival.run())
    for at_s, memory in ((0.5, EntryMemory(idle_s=2.0)), (10.5, EntryMemory(out=True)), (20.5, EntryMemory())):
        await asyncio.sleep(began_s + at_s - now_s())
        house.survival.loop.memories[key] = memory
    await asyncio.sleep(5.0)
    await end([running])
    assert [at_s - began_s for at_s in saved_s] == pytest.approx([11.0, 21.0], abs=0.6)


@pytest.mark.parametrize(("wall", "goes_on"), [(WALL + 60.0, True), (WALL + 700.0, False), (None, True)])
async def test_who_was_held_back_goes_on_waiting_unless_that_was_long_ago(
    tmp_path: Path, wall: float | None, goes_on: bool
) -> None:
    """After a blackout nobody knows the time: in doubt it is not raised. A droop's latch is not taken up then."""
    before = House(tmp_path)
    before.survival.loop.memories |= {
        "enter_service/pv1": EntryMemory(out=True),
        "freq_droop/pv1": DroopMemory(p_pre=0.8, side=1, lag=Lag(y=0.6, u=0.6)),
    }
    await before.survival.save()
    found = House(tmp_path, wall=wall).restored().survival.loop.memories
    assert ("enter_service/pv1" in found) is goes_on
    assert ("freq_droop/pv1" in found) is (goes_on and wall is not None)


async def test_a_disk_that_takes_nothing_keeps_neither_control_nor_the_journal_back(tmp_path: Path) -> None:
    house = House(tmp_path / "gone")
    house.survival.clock = Clock("assume", lambda: WALL)
    await house.survival.save()
    assert house.journal_saves == 1


@pytest.mark.parametrize(("word", "mode"), [("disarm", Mode.CONTROL), ("arm", Mode.OBSERVE)])
async def test_an_operator_s_word_with_its_author_outlives_a_restart(tmp_path: Path, word: str, mode: Mode) -> None:
    before = House(tmp_path)
    getattr(before.survival.gate, word)("anna")
    await before.survival.save()
    arming = House(tmp_path).restored(mode).survival.gate.arming
    assert (arming.armed, arming.by, arming.since) == (word == "arm", "anna", "12:00")


@pytest.mark.parametrize("word", ["arm", "disarm"])
async def test_a_run_that_only_looks_forgets_no_operator_s_word(tmp_path: Path, word: str) -> None:
    """One with --observe in between: it obeys nobody, and what was said before counts again after it."""
    before = House(tmp_path)
    getattr(before.survival.gate, word)("anna")
    await before.survival.save()
    looking = House(tmp_path)
    looking.survival.gate.arming = Arming(state=Arm.LOOKING)
    await looking.restored(Mode.OBSERVE).survival.save()
    assert not looking.survival.gate.arming.armed
    arming = House(tmp_path).restored(Mode.OBSERVE).survival.gate.arming
    assert (arming.armed, arming.by) == (word == "arm", "anna")


@pytest.mark.parametrize("word", ["arm", "disarm"])
async def test_a_mode_that_was_changed_in_the_site_file_after_an_operator_s_word_is_the_last_act(
    tmp_path: Path, word: str
) -> None:
    """And so it is after one more restart, and when it is changed back."""
    first, other = (Mode.OBSERVE, Mode.CONTROL) if word == "arm" else (Mode.CONTROL, Mode.OBSERVE)
    before = House(tmp_path).restored(first)
    getattr(before.survival.gate, word)("anna")
    await before.survival.save()
    for mode in (first, first):
        house = House(tmp_path).restored(mode)
        assert (house.survival.gate.arming.armed, house.survival.gate.arming.by) == (word == "arm", "anna")
        await house.survival.save()
    for mode in (other, other, first):
        house = House(tmp_path).restored(mode)
        assert (house.survival.gate.arming.armed, house.survival.gate.arming.by) == (mode is Mode.CONTROL, None)
        await house.survival.save()


async def test_a_word_that_is_over_is_taken_off_the_disk_at_once(tmp_path: Path) -> None:
    """Killed before the next save, it would come back with the next change of the site file."""
    before = House(tmp_path).restored(Mode.CONTROL)
    before.survival.gate.disarm("anna")
    await before.survival.save()
    after = House(tmp_path).restored(Mode.OBSERVE).survival
    assert after.dirty.is_set() and after.gate.arming.by is None
    await after.save()
    assert load(after.folder)[0].word is None


async def test_an_operator_s_word_after_the_change_counts_again(tmp_path: Path) -> None:
    before = House(tmp_path).restored(Mode.OBSERVE)
    before.survival.gate.file_says(Mode.CONTROL)
    assert before.survival.gate.arming.armed and before.survival.gate.arming.by is None
    before.survival.gate.disarm("ben")
    before.survival.gate.file_says(Mode.CONTROL)
    assert not before.survival.gate.arming.armed, "read again, it is no new word"
    await before.survival.save()
    assert House(tmp_path).restored(Mode.CONTROL).survival.gate.arming.by == "ben"


async def test_a_limit_that_was_found_and_one_that_was_lifted_outlive_a_restart(tmp_path: Path) -> None:
    before = House(tmp_path)
    found = {"pv1": Standing(limit_w=3000.0, own_w=2000.0, rise_w=1.0), "pv2": Standing(limit_w=5.0, lifted=True)}
    before.survival.standings.by_der = {**found, "pv3": Standing()}
    await before.survival.save()
    after = House(tmp_path).restored().survival.standings
    assert after.by_der == {"pv1": Standing(limit_w=3000.0, own_w=2000.0), "pv2": found["pv2"]}
    assert not after.older


async def test_what_was_learned_of_how_an_inverter_stands_by_outlives_a_restart(tmp_path: Path) -> None:
    before = House(tmp_path)
    standing = Rest(phase=Phase.STANDBY, since_s=5.0, told_w=400.0, least_w=600.0, wake_s=40.0)
    before.writers["pv1"].account.rest = standing
    await before.survival.save()
    after = House(tmp_path).restored().writers
    assert after["pv1"].account.rest == replace(AWAKE, least_w=600.0, wake_s=40.0)
    assert after["pv2"].account.rest is AWAKE


@pytest.mark.parametrize("least_w", ["much", -5.0])
def test_what_was_learned_and_cannot_be_read_is_learned_anew(tmp_path: Path, least_w: object) -> None:
    rests = {"pv1": {"least_w": least_w}, "pv2": {"wake_s": 7.0}, "gone": {"wake_s": 7.0}}
    saved = {"version": VERSION, "saved": WALL, "rests": rests}
    (tmp_path / "state.json").write_bytes(sealed(msgspec.json.encode(saved)))
    house = House(tmp_path).restored()
    assert [name for name, _ in house.told] == ["state_unreadable"]
    assert [house.writers[name].account.rest.wake_s for name in ("pv1", "pv2")] == [None, 7.0]


def test_what_was_found_and_cannot_be_read_is_told_and_harms_no_other(tmp_path: Path) -> None:
    saved = {"version": VERSION, "saved": WALL, "found": {"pv1": {"limit_w": "much"}}, "proven_meter": "M-1 +1"}
    (tmp_path / "state.json").write_bytes(sealed(msgspec.json.encode(saved)))
    house = House(tmp_path).restored()
    assert [name for name, _ in house.told] == ["state_unreadable"]
    assert house.survival.proof.proven == "M-1 +1"


async def test_the_requests_of_before_the_restart_are_waited_for(tmp_path: Path) -> None:
    before = House(tmp_path)
    before.limit(1234.0, 60.0)
    await before.survival.save()
    assert House(tmp_path).restored().survival.standings.waiting == {"a"}
    assert House(tmp_path, wall=None).restored().survival.standings.waiting == {"a"}, "its duration counts"
    assert House(tmp_path, wall=WALL + 61.0).restored().survival.standings.waiting == set()


async def test_where_nobody_said_anything_the_site_file_s_mode_counts_after_each_restart(tmp_path: Path) -> None:
    await House(tmp_path).restored(Mode.CONTROL).survival.save()
    assert House(tmp_path).restored(Mode.CONTROL).survival.gate.arming.armed
    assert not House(tmp_path).restored(Mode.OBSERVE).survival.gate.arming.armed


def test_one_thing_that_cannot_be_read_is_told_and_harms_no_other(tmp_path: Path) -> None:
    good = {"kind": "limit_power", "id": "a", "der": None, "by": "ops", "p_ceiling_w": 5.0, "remaining_s": 60.0}
    saved = {
        "version": VERSION,
        "saved": WALL,
        "requests": [{"kind": "dance"}, good | {"ends": None}],
        "memories": {"freq_droop/pv1": "much", "freq_droop/pv2": {"p_pre": 0.5, "side": 1, "y": 0.4}},
    }
    (tmp_path / "state.json").write_bytes(sealed(msgspec.json.encode(saved)))
    house = House(tmp_path).restored()
    assert [request.id for request in house.requests.alive()] == ["a"]
    assert set(house.survival.loop.memories) == {"freq_droop/pv2"}
    assert [name for name, _ in house.told] == ["state_unreadable"] * 2
    assert "dance" in house.told[0][1] and "freq_droop/pv1" in house.told[1][1]


@pytest.mark.parametrize(
    ("memory", "belief"),
    [
        (None, None),
        (ContractMemory(), Belief.UNPROVEN),
        (ContractMemory(lost=True), Belief.LOST),
        (ContractMemory(trust=Trust(proven=True)), Belief.PROVEN),
        (ContractMemory(lost=True, trust=Trust(proven=True, doubted=True)), Belief.DOUBTED),
    ],
)
def test_what_the_meter_is_believed_to_be_is_said_in_a_word(
    memory: ContractMemory | None, belief: Belief | None
) -> None:
    assert MeterProof(meter("M-1")).belief({} if memory is None else {KIND: memory}) is belief


def test_a_meter_that_is_doubted_has_to_prove_itself_after_a_restart_too() -> None:
    trusted = ContractMemory(trust=Trust(proven=True))
    doubted = ContractMemory(trust=Trust(proven=True, doubted=True))
    proof = MeterProof(meter("M-1"))
    assert proof.learn({KIND: trusted}) == "M-1"
    assert proof.learn({KIND: doubted}) is None and proof.proven is None
    assert proof.learn({KIND: trusted}) == "M-1"
    other = MeterProof(meter("M-2"), proof.proven)
    assert other.learn({KIND: doubted}) is None and other.proven == proof.proven, (
        "another meter's proof is not its own"
    )


@pytest.mark.parametrize(("wall", "left"), [(WALL + 3600.0, 23), (WALL + 86_401.0, 24), (None, 23), (WALL - 1e5, 23)])
async def test_how_often_a_register_was_written_survives_and_time_that_nobody_measured_does_not_pass(
    tmp_path: Path, wall: float | None, left: int
) -> None:
    flash = Profile(volatile=False)
    before = House(tmp_path)
    before.ledger.wrote("pv1", ("123.WMaxLimPct",), flash)
    await before.survival.save()
    after = House(tmp_path, wall=wall, now_s=7.0).restored()
    assert after.ledger.view("pv1", flash) == {"counts": {"123.WMaxLimPct": 1}, "a_day": 24, "left": left}


async def test_counters_that_can_t_be_read_are_said_and_harm_nobody_else(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.ledger.wrote("pv2", ("123.WMaxLimPct",), Profile())
    plain = house.ledger.plain() | {"pv1": {"counts": {"123.WMaxLimPct": "often"}}}
    await house.survival.folder.replace("state.json", msgspec.json.encode({"version": VERSION, "wear": plain}))
    after = House(tmp_path).restored()
    assert [*after.ledger.of] == ["pv2"]
    assert [(name, text.partition(":")[0]) for name, text in after.told] == [
        ("state_unreadable", "how often it was written")
    ]


@pytest.mark.parametrize(("set_then", "left"), [(True, 24), (False, 23)])
async def test_what_was_saved_by_a_clock_that_was_not_set_gives_no_write_back_early(
    tmp_path: Path, set_then: bool, left: int
) -> None:
    """A clock without a battery says 1970, or yesterday, until the network sets it."""
    flash = Profile(volatile=False)
    before = House(tmp_path, wall=WALL if set_then else None)
    before.survival.clock.wall = lambda: WALL
    before.ledger.wrote("pv1", ("123.WMaxLimPct",), flash)
    await before.survival.end()
    after = House(tmp_path, wall=WALL + 86_401.0, now_s=7.0).restored()
    assert after.ledger.view("pv1", flash)["left"] == left


async def test_the_count_that_is_saved_before_a_write_survives_a_kill_and_a_good_end_takes_the_rest_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "DISK_S", None)  # this loop's clock doesn't wait for a disk
    flash, path = Profile(volatile=False), tmp_path
    house = House(path).restored()
    await house.ledger.reserve("pv1", flash)
    killed = House(path).restored()
    assert killed.ledger.view("pv1", flash)["left"] == 24 - AHEAD
    house.ledger.wrote("pv1", ("123.WMaxLimPct",), flash)
    await house.survival.end()
    assert House(path).restored().ledger.view("pv1", flash) == {
        "counts": {"123.WMaxLimPct": 1},
        "a_day": 24,
        "left": 23,
    }


async def test_a_count_that_can_t_be_read_is_said_and_the_state_s_stands(tmp_path: Path) -> None:
    flash = Profile(volatile=False)
    house = House(tmp_path).restored()
    house.ledger.wrote("pv1", ("123.WMaxLimPct",), flash)
    await house.survival.save()
    for name in ("worn.json", "worn.json.copy"):
        (tmp_path / name).write_text('{"version": 9}')
    after = House(tmp_path).restored()
    assert after.ledger.view("pv1", flash)["left"] == 23
    assert [name for name, _ in after.told] == ["state_unreadable"]
