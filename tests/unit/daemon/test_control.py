"""Another site file, between two ticks: what it leaves as it was is the same object, and what left is forgotten."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from derctl.core import hunting
from derctl.core.identified import Identified
from derctl.core.requests import LimitRequest
from derctl.core.types import NOTHING, Fallback, Setpoint, SiteState, Tick
from derctl.core.value import replace
from derctl.core.words import FallbackBy, Flaw, Mode
from derctl.daemon.absent import Absent
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.actuate.hold import Hold
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.releaser import Releaser
from derctl.daemon.arming import Arm, Arming
from derctl.daemon.build import build, rebuild
from derctl.daemon.control import SLOW, Control, Ears, awake_from, task_of
from derctl.daemon.gate import Gate
from derctl.daemon.requests import Requests
from derctl.daemon.standing import Standing
from derctl.daemon.tasks import Tasks
from derctl.functions.export_memory import Memory as ContractMemory
from derctl.site import Site
from derctl.site.lines import parse
from derctl.site.plant_file import NOTHING_FOUND
from derctl.site.site import build as site_of
from tests import make

FILE = """\
version: 1
site: {id: house, v_nom_v: 230, f_nom_hz: 50, mode: observe, require_proof: false,
  state_dir: STATE, socket: STATE/sock}
buses:
  - {id: lan, tcp: {host: pv.example}}
  - {id: roof, tcp: {host: roof.example}}
ders:
  - {id: pv1, bus: lan, unit: 1, kind: sunspec_pv}
  - {id: pv2, bus: roof, unit: 1, kind: sunspec_pv}
poc: {bus: lan, unit: 3, sign: 1}
functions:
  - {kind: contract_export_limit, limit_w: 5000}
"""
PV2 = "  - {id: pv2, bus: roof, unit: 1, kind: sunspec_pv}\n"
ROOF = "  - {id: roof, tcp: {host: roof.example}}\n"


class Watched(Releaser):
    """Notes what it is asked, and releases nothing. released: the DERs of each release. tries: lifted or not."""

    def __init__(self, real: Releaser) -> None:
        super().__init__(real.records, real.dispatch, real.tell)
        self.released: list[list[str]] = []
        self.tries: list[bool] = []

    async def release_of(
        self, leaving: Sequence[str], *, lift: bool = False, seconds: float = 0.0
    ) -> dict[str, Release]:
        assert not lift
        self.released.append(list(leaving))
        return {}

    def follow(self, *, lift: bool) -> None:
        self.tries.append(lift)


class House:
    """A control path that nothing runs. saves: how often something was to be saved."""

    def __init__(self, folder: Path, arm: Arm = Arm.WATCHING) -> None:
        self.folder = folder
        self.told: list[str] = []
        self.saves = 0
        site = self.file()
        plant = build(site, self.tell)
        absent = Absent(site, plant.ders)
        gate = Gate(absence=absent.whole, on_change=lambda: None, stamp=lambda: "12:00", arming=Arming(state=arm))
        ears = Ears(
            report=lambda tick: None,
            vouch=lambda: None,
            tell=self.tell,
            stamp=lambda: "12:00",
            changed=self.changed,
        )
        self.control = Control(site, plant, absent, gate, Requests(), ears)
        self.control.releaser = self.releaser = Watched(self.control.releaser)

    def file(self, *changes: tuple[str, str]) -> Site:
        text = FILE.replace("STATE", str(self.folder))
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        return site_of(parse(text, "site.yaml"))

    def tell(self, event: str, who: str, text: str) -> None:
        self.told.append(event)

    def changed(self) -> None:
        self.saves += 1

    async def takes(self, *changes: tuple[str, str]) -> None:
        site = self.file(*changes)
        plant = rebuild(site, self.tell, self.control.absent.known, self.control.site, self.control.plant)
        await self.control.let_go(site, plant)
        self.control.take(site, plant)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_what_the_file_leaves_as_it_was_is_the_same(house: House) -> None:
    control = house.control
    before = [control.gate, control.releaser, control.standings, control.loop, control.absent.known]
    writers, ders, poc = dict(control.writers), dict(control.plant.ders), control.plant.poc
    request = LimitRequest(id="a", by="ops", der="pv1", p_ceiling_w=1000.0, remaining_s=60.0)
    control.requests.put(request)
    await house.takes(("limit_w: 5000", "limit_w: 4000"))
    after = [control.gate, control.releaser, control.standings, control.loop, control.absent.known]
    assert all(a is b for a, b in zip(before, after, strict=True)) and control.requests.alive()
    assert all(control.writers[name] is each for name, each in writers.items())
    assert all(control.plant.ders[name] is each for name, each in ders.items()) and control.plant.poc is poc
    assert (house.releaser.released, house.saves, control.site.limit_w) == ([[]], 1, 4000)


async def test_everything_that_goes_by_the_file_goes_by_the_new_one(house: House) -> None:
    control = house.control
    await house.takes(("limit_w: 5000", "limit_w: 4000"), ("mode: observe", "mode: observe, tick_s: 2.0"))
    loop, absence = control.loop, control.gate.absence()
    assert (loop.plan is control.site.plan, loop.tick_s, absence.limit_w) == (True, 2.0, 4000)
    assert loop.image.site is control.site.file and loop.image.poc is control.plant.poc
    assert loop.dispatch is control.releaser.dispatch and loop.dispatch.writers is control.promises.writers
    assert all(writer.tick_s == 2.0 for writer in control.writers.values())


@pytest.mark.parametrize(
    ("change", "leaving"),
    [
        ((PV2, ""), ["pv2"]),
        ((PV2, PV2.replace("unit: 1", "unit: 2")), ["pv2"]),
        ((PV2, PV2.replace("}", ", control: false}")), ["pv2"]),
        ((PV2, PV2.replace("}", ", model: SB 5.0}")), ["pv2"]),
        ((PV2, PV2.replace("}", ", fallback: {p_ceiling_w: 0, by: stands}}")), []),
    ],
)
async def test_a_der_that_will_not_be_written_any_more_is_released_first(
    house: House, change: tuple[str, str], leaving: list[str]
) -> None:
    await house.takes(change)
    assert house.releaser.released == [leaving]


async def test_who_only_looks_releases_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, Arm.LOOKING)
    await house.takes((PV2, ""))
    assert house.releaser.released == [] and set(house.control.writers) == {"pv1"}


async def test_another_fallback_is_written_anew(house: House) -> None:
    written: Any = object()
    for writer in house.control.writers.values():
        writer.account.hold = Hold(written=written)
    await house.takes((PV2, PV2.replace("}", ", fallback: {p_ceiling_w: 0, by: stands}}")))
    holds = {name: writer.account.hold.written for name, writer in house.control.writers.items()}
    assert holds == {"pv1": written, "pv2": None}
    assert house.control.writers["pv2"].promised.fallback == Fallback(p_ceiling_w=0.0, by=FallbackBy.STANDS)


async def test_what_was_known_of_a_der_that_left_and_asked_of_it_is_forgotten(house: House) -> None:
    control, memory = house.control, ContractMemory()
    for name in ("pv1", "pv2"):
        control.requests.put(LimitRequest(id=name, by="ops", der=name, p_ceiling_w=1.0, remaining_s=60.0))
    control.loop.memories = {"volt_var/pv1": memory, "volt_var/pv2": memory, "contract_export_limit": memory}
    await house.takes((PV2, ""))
    assert [request.der for request in control.requests.alive()] == ["pv1"]
    assert set(control.loop.memories) == {"volt_var/pv1", "contract_export_limit"}


async def test_what_was_learnt_by_another_meter_is_forgotten(house: House) -> None:
    control, memory = house.control, ContractMemory()
    control.loop.memories = {"volt_var/pv1": memory, "contract_export_limit": memory}
    await house.takes(("unit: 3, sign: 1", "unit: 4, sign: 1"))
    assert set(control.loop.memories) == {"volt_var/pv1"} and control.proof.poc is control.plant.poc


async def test_what_is_yielded_to_is_kept_like_a_limit_that_was_found_until_it_is_lifted(house: House) -> None:
    writer, standings = house.control.writers["pv1"], house.control.standings
    writer.account.yields(2000.0)
    assert (standings.found_w("pv1"), house.told, house.saves) == (2000.0, ["limit_found"], 1)
    assert standings.kept()["pv1"]["limit_w"] == 2000.0
    assert standings.lift("pv1") == ["pv1"]
    writer.account.yields(1500.0)
    assert standings.found_w("pv1") == 1500.0, "a later one is another one"


async def test_the_site_s_policy_holds_for_each_writer_and_follows_the_file(house: House) -> None:
    assert {each.account.contest.policy for each in house.control.writers.values()} == {"reassert"}
    await house.takes(("mode: observe", "mode: observe, on_override: yield"))
    assert {each.account.contest.policy for each in house.control.writers.values()} == {"yield"}


async def test_the_files_mode_counts_where_it_has_changed(house: House) -> None:
    house.control.gate.disarm("anna")
    await house.takes(("limit_w: 5000", "limit_w: 4000"))
    assert house.control.gate.arming.by == "anna"
    await house.takes(("mode: observe", "mode: control"))
    assert house.control.gate.arming.by is None and house.control.gate.arming.file is Mode.CONTROL


class Named(Tasks):
    """Keeps names only."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.names: set[str] = set()

    def start(self, name: str, work: Any) -> None:
        work.close()
        self.done.append(("started", name))
        self.names.add(name)

    def has(self, name: str) -> bool:
        return name in self.names

    async def drop(self, name: str) -> None:
        if name in self.names:
            self.done.append(("dropped", name))
        self.names.discard(name)


async def test_only_the_tasks_that_work_on_something_else_begin_again(house: House) -> None:
    control, tasks = house.control, Named()
    lan, roof = (task_of(bus) for bus in control.plant.buses.values())
    control.start(tasks)
    assert tasks.done == [("started", lan), ("started", roof), ("started", SLOW)]
    for changes, done in (
        ([("limit_w: 5000", "limit_w: 4000")], []),
        ([("mode: observe", "mode: observe, tick_s: 2.0")], [("dropped", SLOW), ("started", SLOW)]),
        ([(PV2, ""), (ROOF, "")], [("dropped", SLOW), ("dropped", roof), ("started", SLOW)]),
        ([], [("dropped", SLOW), ("started", roof), ("started", SLOW)]),
    ):
        tasks.done.clear()
        before, old = control.site, control.plant
        await house.takes(*changes)
        await control.restart(tasks, before, old)
        assert tasks.done == done, changes


@pytest.mark.parametrize(("arm", "lifts"), [(Arm.WATCHING, True), (Arm.HELD, False), (Arm.LOOKING, None)])
def test_while_nothing_is_controlled_what_was_written_is_tried_again(
    tmp_path: Path, arm: Arm, lifts: bool | None
) -> None:
    """lifts: whether an operator's word to lift counts still; None: nothing is touched."""
    house = House(tmp_path, arm)
    state: SiteState = make.site(make.pv())
    house.control.follow(Tick(n=1, dt_s=1.0, state=state, memories={}, decisions=()))
    assert house.releaser.tries == ([] if lifts is None else [lifts])


def test_a_loop_that_hunts_is_told_with_the_tick_that_saw_it(tmp_path: Path) -> None:
    house, key = House(tmp_path), "hunting/volt_var/pv1"
    state: SiteState = make.site(make.pv())
    house.control.loop.memories = {key: hunting.Memory(stage=1)}
    for before in (hunting.Memory(), hunting.Memory(stage=1)):
        house.control.follow(Tick(n=1, dt_s=1.0, state=state, memories={key: before}, decisions=()))
    assert house.told.count("loop_hunts") == 1


async def test_the_loop_begins_again_only_after_a_file_was_taken(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    answers = iter([True, True, False])

    async def run() -> None:
        order.append("run")

    async def took_over() -> bool:
        order.append("asked")
        return next(answers)

    monkeypatch.setattr(type(house.control.loop), "run", lambda self: run())
    monkeypatch.setattr(type(house.control.loop.poller), "warm_up", lambda self, seconds: asyncio.sleep(0))
    await house.control.run(took_over)
    assert order == ["asked", "run", "asked", "run", "asked"]


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        (PV2.replace("}", ", profile: kaco}"), True),
        (PV2.replace("}", ", model: SB 5.0}"), True),
        (PV2.replace("}", ", serial: '9'}"), False),
        (PV2.replace("unit: 1", "unit: 2"), False),
    ],
)
async def test_somebody_else_s_limit_is_kept_while_the_device_is_the_same(house: House, row: str, kept: bool) -> None:
    found = Standing(limit_w=3000.0)
    house.control.standings.by_der["pv2"] = found
    await house.takes((PV2, row))
    assert house.control.standings.by_der.get("pv2") == (found if kept else None)


async def test_after_a_restart_the_limit_that_was_derctl_s_own_counts_as_what_it_holds(house: House) -> None:
    control = house.control
    control.standings.by_der["pv2"] = Standing(own_w=3000.0)
    assert control.loop.image.holds("pv2").p_ceiling_w == 3000.0
    assert control.loop.image.holds("pv1") == NOTHING
    control.writers["pv2"].account.hold = Hold(holds=Setpoint(p_ceiling_w=2000.0))
    assert control.loop.image.holds("pv2").p_ceiling_w == 2000.0


async def test_what_was_learned_of_a_standby_is_counted_with_by_all(house: House) -> None:
    writer = house.control.writers["pv1"]
    writer.account.rest = replace(writer.account.rest, least_w=600.0)
    assert house.control.state().ders[0].can.least_w == 600.0
    await house.takes(("limit_w: 5000", "limit_w: 4000"))
    assert house.control.state().ders[0].can.least_w == 600.0, "after a reload too"


@pytest.mark.parametrize(
    ("found", "least_w"),
    [
        (None, 0.0),
        (Identified(least_w=250.0), 0.0),
        (Identified(least_w=250.0, flaws=(Flaw.MINIMUM_ON,)), 250.0),
        (Identified(flaws=(Flaw.MINIMUM_ON,)), 0.0),
    ],
)
def test_one_that_went_off_below_a_limit_is_told_none_below_it(
    house: House, found: Identified | None, least_w: float
) -> None:
    """Where it did not, the least that was tried is no minimum."""
    assert awake_from(found) == least_w
    plant = NOTHING_FOUND if found is None else NOTHING_FOUND.with_der("S-1", found)
    control, der = house.control, msgspec.structs.replace(house.control.site.file.ders[0], serial="S-1")
    control.site = dataclasses.replace(control.site, plant=plant)
    control.releaser.dispatch = Dispatch({})
    assert control._writer(der).account.rest.least_w == least_w
