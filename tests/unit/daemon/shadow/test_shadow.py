"""The recorder: a stretch is on disk when it is over, control is no shadow's, and a full disk makes it wait."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from derctl.core.evidence import NOTHING_KNOWN
from derctl.core.types import Decision, Fallback, Setpoint, Tick
from derctl.core.words import Belief, Record
from derctl.daemon.clock import Clock
from derctl.daemon.control import Control
from derctl.daemon.shadow.shadow import NOTHING, Shadow
from derctl.daemon.shadow.watch import EVENTS_MAX, Watch
from derctl.devices import Profile
from derctl.errors import CommandError
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.volt_var import VoltVar
from derctl.site.stability import VoltLoop
from derctl.store import shadow as store
from derctl.store.folder import Folder
from tests import make

PLAN = SimpleNamespace(
    site_functions=((ContractExportLimit(limit_w=3000.0), ("pv1",)),),
    der_functions=((SimpleNamespace(kind="volt_var"), ("pv1",)), (SimpleNamespace(kind="reserve"), ("pv1",))),
    also_on_device=frozenset({"volt_var"}),
)


def site(plan: Any = PLAN, loops: tuple[VoltLoop, ...] = ()) -> Any:
    return SimpleNamespace(plan=plan, loops=loops, file=SimpleNamespace(site=SimpleNamespace(id="house")))


class Full(Folder):
    """A disk that takes nothing while it is full."""

    full = False

    async def append(self, name: str, old: str, content: bytes, most_bytes: int) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        await super().append(name, old, content, most_bytes)


class House:
    """A control path that nobody runs, with one inverter; `sees` is a tick of it."""

    def __init__(self, path: Path) -> None:
        self.told: list[str] = []
        self.t_s, self.wall = 0.0, 1.8e9
        self.belief: Belief | None = Belief.PROVEN
        self.record = Record.NOTHING
        writer = SimpleNamespace(
            channel=SimpleNamespace(device=None, measured=SimpleNamespace(profile=Profile())),
            promised=SimpleNamespace(fallback=Fallback()),
        )
        self.control = SimpleNamespace(
            site=site(),
            gate=SimpleNamespace(open=False),
            proof=SimpleNamespace(belief=lambda memories: self.belief),
            loop=SimpleNamespace(memories={}, plan=PLAN),
            writers={"pv1": writer},
            releaser=SimpleNamespace(records=SimpleNamespace(of=lambda name: self.record)),
        )
        self.folder = Full(path, path)
        clock = Clock("assume", wall=lambda: self.wall)
        watch = Watch(clock, cast(Control, self.control), every_s=10.0)
        self.shadow = Shadow(self.folder, watch, lambda event, who, text: self.told.append(event))

    def sees(self, seconds: float, p_w: float = 4000.0, step_s: float = 1.0) -> None:
        """For so long the inverter gives that, of which 1,000 W would be too much."""
        for _ in range(round(seconds / step_s)):
            decision = Decision(der="pv1", setpoint=Setpoint(p_ceiling_w=3000.0))
            poc = make.meter(3500.0, belief=NOTHING_KNOWN)
            pv = make.pv(p_w=p_w, accepted=Setpoint(p_ceiling_w=self.limit_w))
            state = make.site(pv, poc=poc, t_s=self.t_s)
            self.shadow.look(Tick(n=1, dt_s=step_s, state=state, memories={}, decisions=(decision,)))
            self.shadow._catch_up()
            self.t_s += step_s
            self.wall += step_s

    limit_w = 10_000.0

    def kept(self) -> tuple[store.Stretch, ...]:
        return store.load(Folder(self.folder.path, self.folder.path)).stretches


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_a_stretch_is_on_disk_when_it_is_over(house: House) -> None:
    house.sees(25)
    await house.shadow._save()
    first, second = house.kept()
    assert (first.n, second.n, first.run) == (0, 1, second.run)
    assert (first.seconds, second.seconds, second.away_s, second.after) == (10.0, 10.0, 0.0, "")
    assert first.site is not None and first.site.limit_w == 3000.0 and first.site.overs == 1
    assert second.site is not None and second.site.overs == 0, "the excursion goes on, and is the same"
    assert first.site.needed_wh == pytest.approx(560.0 * 10 / 3600, abs=0.05), "2 % of the limit is kept below it"
    assert first.ders["pv1"].held == {"rating": (10.0, pytest.approx(2.8))}
    assert second.ders["pv1"].writes == 0 and first.ders["pv1"].writes == 1
    assert first.ders["pv1"].untold == {} and first.site.most_at == pytest.approx(1.8e9 + 1.0)


async def test_who_runs_what_itself_is_asked_of_the_functions_that_it_may_run(house: House) -> None:
    house.sees(3)
    assert house.shadow.watch._under is not None
    assert house.shadow.watch._under.habits["pv1"].kinds == ("volt_var",)


async def test_a_report_has_what_is_not_on_disk_yet(house: House) -> None:
    house.sees(15)
    found = await house.shadow.report(3600.0)
    assert found["observed_s"] == 14 and house.kept() == ()
    assert "would have held back" in await house.shadow.summary()


async def test_nothing_is_said_to_be_nothing(house: House) -> None:
    with pytest.raises(CommandError, match="nothing is recorded yet"):
        await house.shadow.report(60.0)
    assert NOTHING in await house.shadow.summary()


async def test_a_record_that_cant_be_read_is_no_bug(house: House) -> None:
    (house.folder.path / store.FILE).mkdir()
    with pytest.raises(CommandError, match=store.FILE):
        await house.shadow.report(60.0)


async def test_while_it_controls_nothing_is_recorded_and_the_gap_says_so(house: House) -> None:
    house.sees(5)
    house.control.gate.open = True
    house.sees(60)
    house.control.gate.open = False
    house.sees(12)
    await house.shadow.end()
    first, second, third = house.kept()
    assert (first.seconds, first.last) == (4.0, False)
    assert (second.after, second.away_s) == ("control", 61.0)
    assert (third.after, third.last) == ("", True)


async def test_another_site_file_begins_another_stretch(house: House) -> None:
    house.sees(5)
    house.control.site = site(SimpleNamespace(site_functions=(), der_functions=(), also_on_device=frozenset()))
    house.sees(5)
    await house.shadow.end()
    first, second = house.kept()
    assert (second.after, second.away_s) == ("reloaded", 1.0)
    assert first.site is not None and second.site is not None
    assert (first.site.limit_w, second.site.limit_w) == (3000.0, None)


async def test_of_quick_ticks_one_a_second_counts(house: House) -> None:
    house.sees(4.0, step_s=0.1)
    await house.shadow.end()
    (only,) = house.kept()
    assert only.ders["pv1"].heard_s == pytest.approx(only.seconds, abs=0.2) and only.seconds > 3.0


async def test_a_full_disk_makes_it_wait_and_that_is_said_once(house: House) -> None:
    house.folder.full = True
    house.sees(25)
    await house.shadow._save()
    await house.shadow._save()
    assert (house.told, house.kept()) == (["shadow_not_saved"], ())
    house.folder.full = False
    await house.shadow._save()
    assert [each.n for each in house.kept()] == [0, 1] and house.shadow.unsaved is None


async def test_events_are_counted_and_never_too_many(house: House) -> None:
    house.sees(2)
    for n in range(2 * EVENTS_MAX):
        house.shadow.watch.hear({"event": f"e{n}", "der": None})
    house.shadow.watch.hear({"event": "e0", "der": None})
    await house.shadow.end()
    (only,) = house.kept()
    assert len(only.events) == EVENTS_MAX and only.events["e0"] == 2


async def test_a_device_that_derctl_wrote_to_is_changed_by_nobody_else(house: House) -> None:
    def changes() -> int:
        house.limit_w = 10_000.0 if house.limit_w != 10_000.0 else 2000.0
        house.sees(8)
        under = house.shadow.watch._under
        assert under is not None
        return under.sums.cases["pv1"].part.foreign

    house.shadow.watch.every_s = 1e9
    house.sees(1)
    assert changes() == 0 and changes() == 1
    house.record = Record.WRITTEN
    house.sees(20)
    assert changes() == 1


@pytest.mark.parametrize(("record", "stood"), [(Record.NOTHING, True), (Record.MISSING, True), (Record.LEFT, False)])
async def test_a_limit_that_derctl_left_itself_is_nobody_elses(house: House, record: Record, stood: bool) -> None:
    house.record, house.limit_w = record, 2000.0
    house.sees(4)
    under = house.shadow.watch._under
    assert under is not None and (under.sums.cases["pv1"].part.stood_s > 0.0) is stood


async def test_how_long_an_excursion_lasts_is_asked_of_a_meter_that_is_proven(house: House) -> None:
    house.belief = None
    house.sees(12)
    await house.shadow.end()
    assert all(each.site is not None and each.site.lag_s == 0.0 for each in house.kept())


async def test_the_margin_from_hunting_is_kept_where_it_is_measured(house: House, monkeypatch: Any) -> None:
    shown = [{"kind": VoltVar.kind, "measured": {"pv1": {"margin": 2.341}, "pv2": {"margin": None, "alone": 4.0}}}]
    monkeypatch.setattr("derctl.daemon.shadow.watch.loops", lambda known, memories: shown)
    house.sees(2)
    await house.shadow.end()
    (only,) = house.kept()
    assert only.margins == {"volt_var/pv1": 2.34, "volt_var/pv2": 4.0}


async def test_the_task_ends_when_the_daemon_does(house: House) -> None:
    task = asyncio.create_task(house.shadow.run())
    house.sees(12)
    await asyncio.sleep(0)
    await house.folder.aside(lambda: None)
    assert len(house.kept()) == 1 and not task.done()
    await house.shadow.end()
    house.sees(1)
    await task
    assert house.kept()[-1].last
