"""The daemon in one process with the simulated site: gates, requests, release, replay. Real sockets, 0.1 s ticks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from derctl.core.engine import step
from derctl.core.plan import Plan
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.releaser import Releaser
from derctl.daemon.arming import Arm
from derctl.daemon.tasks import Tasks
from derctl.errors import CommandError
from derctl.links.local import ask
from derctl.store import folder
from derctl.store.folder import Folder
from derctl.store.journal import FILE as JOURNAL
from derctl.store.ticks import replay
from hil.faces.bank import Refused
from hil.faults import refuse
from hil.rig import Rig
from hil.world import Knob
from tests import make


def observe_mode(site: dict[str, Any]) -> None:
    site["site"]["mode"] = "observe"


def no_contract(site: dict[str, Any]) -> None:
    """Only what the test adds binds."""
    site["functions"] = [{"kind": "operator_limit"}, {"kind": "setpoint"}]


async def test_the_first_start_observes_and_writes_nothing(bench: Any) -> None:
    async with bench(observe_mode) as b:
        await b.ticks(20)
        assert all(der.fresh for der in b.app.control.state().ders)
        assert b.app.recorder.latest.decisions[0].setpoint.p_ceiling_w is not None, "it decides, as in shadow mode"
        assert [b.writes(device) for device in ("pv1", "pv2", "bat1")] == [[], [], []]
        assert b.writers["pv1"].account.outcome.reason == "gate_closed"


async def test_observe_on_the_command_line_outranks_the_site_file_and_an_operator(bench: Any) -> None:
    async with bench(observe=True) as b:
        await b.ticks(10)
        with pytest.raises(CommandError) as refused:
            b.app.gate.arm("tests")
        assert refused.value.code == "not_ready"
        await b.ticks(5)
        assert b.writes("pv1") == []


async def test_a_site_whose_fallbacks_break_the_contract_is_not_controlled(bench: Any) -> None:
    def change(site: dict[str, Any]) -> None:
        site["ders"][1]["fallback"] = {"p_ceiling_w": 2001, "by": "reversion"}

    async with bench(change) as b:
        await b.ticks(20)
        assert b.writes("pv1") == [] and b.writes("pv2") == []
        status = await ask(Path(b.app.control.site.file.site.socket), "status")
        assert status["mode"] == "observe"
        assert "7,001 W" in status["mode_reason"] and status["mode_reason"].startswith("fallback_breaks_contract")
        with pytest.raises(CommandError) as refused:
            b.app.gate.arm("tests")
        assert refused.value.code == "fallback_breaks_contract"


async def test_model_123_counts_with_its_full_rating_since_its_timer_has_no_target(bench: Any) -> None:
    def change(site: dict[str, Any]) -> None:
        site["ders"][0]["fallback"] = {"p_ceiling_w": 1000, "by": "reversion"}

    async with bench(change) as b:
        await b.ticks(10)
        status = await ask(Path(b.app.control.site.file.site.socket), "status")
        assert status["absent"]["by_der"]["pv1"] == 5000.0


async def test_an_operators_limit_reaches_the_device_and_ends_by_itself(bench: Any) -> None:
    async with bench(no_contract) as b:
        await b.ticks(5)
        socket = Path(b.app.control.site.file.site.socket)
        await ask(socket, "limit_power", {"p_ceiling_w": 1500, "der": "pv2", "expires_s": 6.0})
        await b.until(lambda: b.p_w("pv2") < 1600)
        assert b.writers["pv2"].account.outcome.requested_by == "operator_limit"
        await b.until(lambda: b.writers["pv2"].account.outcome.requested is None)
        await b.until(lambda: b.p_w("pv2") > 5000)


async def test_a_battery_setpoint_moves_the_battery_and_clear_gives_it_back(bench: Any) -> None:
    async with bench(no_contract) as b:
        await b.ticks(5)
        socket = Path(b.app.control.site.file.site.socket)
        await ask(socket, "set_battery_power", {"der": "bat1", "p_target_w": -1500})
        await b.until(lambda: abs(b.p_w("bat1") + 1500) < 50)
        await b.until(lambda: b.writers["bat1"].account.outcome.achieved == "yes")
        await ask(socket, "clear")
        await b.until(lambda: abs(b.p_w("bat1")) < 50)


@pytest.mark.parametrize(
    ("call", "args", "code"),
    [
        ("limit_power", {"p_ceiling_w": 1e6}, "out_of_range"),
        ("limit_power", {"p_ceiling_w": -1}, "out_of_range"),
        ("limit_power", {"p_ceiling_w": 100, "der": "nobody"}, "no_der"),
        ("limit_power", {"p_ceiling_w": "much"}, "bad_argument"),
        ("set_battery_power", {"der": "pv1", "p_target_w": 1}, "no_function"),
        ("set_battery_power", {"der": "bat1", "p_target_w": -5001}, "out_of_range"),
        ("limit_power", {"p_ceiling_w": 100, "expires_s": 0}, "out_of_range"),
        ("explode", {}, "unknown_command"),
    ],
)
async def test_a_command_that_makes_no_sense_is_refused_with_its_code(
    bench: Any, call: str, args: dict[str, Any], code: str
) -> None:
    async with bench(no_contract) as b:
        with pytest.raises(CommandError) as refused:
            await ask(Path(b.app.control.site.file.site.socket), call, args)
        assert refused.value.code == code
        assert b.app.requests.alive() == ()


async def test_disarming_releases_first_and_arming_takes_over_again(bench: Any) -> None:
    async with bench() as b:
        await b.until(
            lambda: (
                b.writers["pv2"].account.hold.written is not None
                and b.writers["bat1"].account.hold.written is not None
            )
        )
        socket = Path(b.app.control.site.file.site.socket)
        await ask(socket, "disarm")
        count = len(b.writes("pv2"))
        assert b.rig.world.faces["pv2"].command().p_ceiling_w <= 2000.0, "no more than the declared fallback stands"
        await b.ticks(10)
        assert len(b.writes("pv2")) == count, "nothing is written while it observes"
        assert make.on_disk(b.app.survival.folder.path / "written.json") == {}
        await b.until(lambda: b.p_w("pv2") < 2100.0)
        await b.ticks(5)
        with pytest.raises(CommandError, match="say arm again") as shown:
            await ask(socket, "arm")
        await b.ticks(5)
        assert len(b.writes("pv2")) == count, "the first word writes nothing"
        await ask(socket, "arm", {"confirm": shown.value.confirm})
        await b.until(lambda: len(b.writes("pv2")) > count)
        modes = [event["event"] for event in b.app.news.events if event["event"].startswith("mode_")]
        assert modes == ["mode_control", "mode_observe", "mode_control"]


async def test_somebody_s_limit_is_kept_by_a_site_that_controls_from_its_first_tick_and_restored_when_it_stops(
    bench: Any,
) -> None:
    """70 % of 10 kW by a grid operator's installer, in an inverter whose declared fallback allows more."""

    def change(site: dict[str, Any]) -> None:
        no_contract(site)
        site["ders"][1]["fallback"] = {"p_ceiling_w": 9000, "by": "reversion", "after_s": 60}

    def somebody(rig: Rig) -> None:
        face = rig.units["pv2"].face
        face.bank.image(704).put_all({"WMaxLimPct": 70.0, "WMaxLimPctEna": 1})
        face.adopt_all()
        face.bank.publish()

    async with bench(change, prepare=somebody) as b:
        await b.until(lambda: b.writers["pv2"].account.hold.written is not None and not b.writers["pv2"].errand.busy)
        await b.ticks(20)
        assert b.p_w("pv2") <= 7050.0
        assert b.app.control.standings.view("pv2") == {"limit_w": 7000.0, "lifted": False}
        assert b.rig.units["pv2"].face.bank.image(704).get("WMaxLimPctRvrt") <= 70.0, "without derctl too"
        await ask(Path(b.app.control.site.file.site.socket), "release", {"lift": True})
        assert b.rig.world.faces["pv2"].command().p_ceiling_w <= 7000.0
        await ask(Path(b.app.control.site.file.site.socket), "clear", {"found": True})
        b.app.gate.arm("tests")
        await b.until(lambda: b.p_w("pv2") > 8500.0)


async def test_control_that_has_begun_goes_on_when_the_contract_would_not_hold_without_it_any_more(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To let go of the devices then would be just what breaks it. An operator's word ends it, and releases.

    An operator's word to lift limits does not stand any more once somebody has armed.
    """
    lifts: set[tuple[Arm, bool]] = set()

    def noted(self: Releaser, *, lift: bool) -> None:
        lifts.add((b.app.gate.arming.state, lift))
        follow(self, lift=lift)

    follow = Releaser.follow
    async with bench() as b:
        monkeypatch.setattr(Releaser, "follow", noted)
        await b.until(lambda: b.writers["pv2"].account.hold.written is not None)
        found = b.app.gate.absence()
        b.app.gate.absence = lambda: replace(found, limit_w=1.0)
        await b.ticks(10)
        assert b.app.gate.open and told(b, "fallback_broken") == 1
        assert "pv2" in b.app.control.releaser.records.written.entries and told(b, "released") == 0
        await ask(Path(b.app.control.site.file.site.socket), "disarm")
        await b.ticks(2)
        assert lifts == {(Arm.WATCHING, True)}
        assert b.rig.world.faces["pv2"].command().p_ceiling_w <= 2000.0, "no more than the declared fallback stands"


async def test_a_released_site_stays_released_after_a_restart(bench: Any) -> None:
    async with bench() as b:
        await b.until(lambda: b.writers["pv2"].account.hold.written is not None)
        await ask(Path(b.app.control.site.file.site.socket), "release")
    async with bench() as b:
        await b.ticks(10)
        assert b.app.gate.arming.reason == "not armed"
        assert b.writes("pv2") == []


def journal(b: Any) -> dict[str, Any]:
    found: dict[str, Any] = make.on_disk(b.app.survival.folder.path / "written.json")
    return found


def said(b: Any, der: str) -> list[str]:
    """What was said of a DER's release."""
    return [event["event"] for event in b.app.news.events if event["der"] == der and "released" in event["event"]]


async def test_a_der_that_was_unreachable_at_the_release_is_released_when_it_answers(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.daemon.actuate.release.AGAIN_S", 0.3)
    async with bench() as b:
        await b.until(
            lambda: (
                b.writers["pv2"].account.hold.written is not None
                and b.writers["pv1"].account.hold.written is not None
            )
        )
        back = await refuse(b.rig.endpoint_of("pv2"))
        await b.until(lambda: b.app.control.plant.ders["pv2"].state == "unreachable")
        told = await ask(Path(b.app.control.site.file.site.socket), "disarm")
        assert "pv2: unreachable" in told and "pv2" in journal(b) and "pv1" not in journal(b)
        await b.ticks(12)
        assert said(b, "pv2") == ["not_released"], "said once, not with each try"
        await back()
        await b.until(lambda: journal(b) == {})
        assert said(b, "pv2") == ["not_released", "released"]
        assert b.rig.world.faces["pv2"].command().p_ceiling_w <= 2000.0
        count = len(b.writes("pv2"))
        await b.ticks(10)
        assert len(b.writes("pv2")) == count


async def test_a_der_that_refuses_its_release_is_asked_ever_less_often(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.daemon.actuate.release.AGAIN_S", 0.2)
    tries: list[tuple[list[str], float]] = []

    async def counted(self: Dispatch, wrote: Sequence[str], **given: Any) -> dict[str, Release]:
        if "pv2" in wrote:  # a battery that charges waits for it, and is asked between
            tries.append((list(wrote), time.monotonic()))
        return await release(self, wrote, **given)

    release = Dispatch.release
    monkeypatch.setattr(Dispatch, "release", counted)

    def no(address: int, content: bytes) -> bytes:
        raise Refused(4)

    async with bench() as b:
        await b.until(lambda: all(b.writers[name].account.hold.written is not None for name in ("pv1", "pv2")))
        b.rig.units["pv2"].write_faults[1] = no
        told = await ask(Path(b.app.control.site.file.site.socket), "disarm")
        assert "pv2: exception 4" in told and "pv2" in journal(b) and "pv1" not in journal(b)
        await b.until(lambda: len(tries) == 4)
        assert all("pv1" not in wrote for wrote, _ in tries[1:])
        pauses = [later - earlier for (_, earlier), (_, later) in pairwise(tries)]
        assert all(pause >= least for pause, least in zip(pauses, (0.4, 0.8, 1.6), strict=True)), pauses
        assert said(b, "pv2") == ["not_released"]
        del b.rig.units["pv2"].write_faults[1]
        await b.until(lambda: journal(b) == {})
        assert said(b, "pv2") == ["not_released", "released"]


async def disarm_with_a_request_a_second(b: Any) -> None:
    """pv2, on a bus that gets the pace of a Fronius when the device has been found."""
    await b.until(lambda: all(b.writers[name].account.hold.written is not None for name in ("pv1", "pv2")))
    bus = b.app.control.plant.ders["pv2"].bus
    bus.line.pace = replace(bus.line.pace, min_interval_s=1.0)
    await ask(Path(b.app.control.site.file.site.socket), "disarm")


async def test_a_slow_bus_gets_the_time_that_a_release_needs_there_when_it_is_tried_again(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several requests, each behind a poll: more than the two seconds of the first attempt."""
    monkeypatch.setattr("derctl.daemon.actuate.release.AGAIN_S", 0.3)
    async with bench() as b:
        await disarm_with_a_request_a_second(b)
        await b.until(lambda: journal(b) == {})
        assert said(b, "pv2") == ["not_released", "released"]


async def test_a_stop_does_not_wait_for_a_patient_release(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("derctl.daemon.actuate.release.AGAIN_S", 0.3)
    async with bench() as b:
        await disarm_with_a_request_a_second(b)
        await b.until(lambda: b.app.control.releaser.releasing)
        b.app.stop()
        await b.running
        assert said(b, "pv2") == ["not_released"] and "pv2" in journal(b), "the time would have been enough"


@pytest.mark.parametrize("observe", [False, True])
async def test_what_a_killed_daemon_wrote_is_released_by_one_that_observes_but_not_by_a_guest(
    bench: Any, observe: bool
) -> None:
    """site.mode = observe; --observe writes nothing at all."""
    async with bench(observe_mode) as b:
        path = b.app.survival.folder.path / "written.json"
    path.write_text('{"pv2": {}, "sold": {}}')
    async with bench(observe_mode, observe=observe) as b:
        if observe:
            await b.ticks(15)
            b.app.stop()
            await b.running
            assert b.writes("pv2") == [] and set(journal(b)) == {"pv2", "sold"}, "not at its end either"
            return
        await b.until(lambda: set(journal(b)) == {"sold"})
        assert b.writes("pv2") != []


def pv2_holds_1500_w(rig: Rig) -> None:
    """Whoever told it: 15 % of 10 kW."""
    face = rig.units["pv2"].face
    face.bank.image(704).put_all({"WMaxLimPct": 15.0, "WMaxLimPctEna": 1})
    face.adopt_all()
    face.bank.publish()


@pytest.mark.parametrize("content", [None, "{}"], ids=["missing", "says nothing"])
async def test_what_stands_is_told_and_lifted_when_asked_whatever_the_journal_says(
    bench: Any, tmp_path: Path, content: str | None
) -> None:
    (tmp_path / "state").mkdir()
    if content is not None:
        (tmp_path / "state" / JOURNAL).write_text(content)
    async with bench(observe_mode, prepare=pv2_holds_1500_w) as b:
        socket = Path(b.app.control.site.file.site.socket)
        await b.until(
            lambda: all(b.app.control.releaser.inventory.stands(name).seen == "read_back" for name in b.writers)
        )
        stands = (await ask(socket, "status"))["ders"]["pv2"]["standing"]
        record = "missing" if content is None else "nothing"
        assert (stands["p_ceiling_w"], stands["seen"], stands["record"]) == (1500.0, "read_back", record)
        said = await ask(socket, "disarm")
        assert "pv2: not_written; limit 1,500 W stands" in said
        assert ("pv1: " in said) is (content is None), "of which no record is there"
        assert b.writes("pv2") == []
        await b.until(lambda: ("limit_found", "pv2") in {(each["event"], each["der"]) for each in b.app.news.events})
        await ask(socket, "clear", {"found": True})
        lifted = await ask(socket, "release", {"lift": True})
        assert (lifted["pv2"]["result"], lifted["pv2"]["stands_w"]) == ("released", 2000.0)
        await b.until(
            lambda: (
                b.app.control.releaser.records.of("pv2") == "left"
                and not b.app.control.releaser.records.written.missing
            )
        )
        assert (await ask(socket, "disarm")).startswith("pv2: released before; limit 2,000 W stands")


async def test_a_journal_that_cannot_be_read_is_released_as_if_it_named_all(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.daemon.actuate.release.AGAIN_S", 0.5)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / JOURNAL).write_text('{"pv2": ')
    async with bench(observe_mode, prepare=pv2_holds_1500_w) as b:
        await b.until(lambda: told(b, "released") == 3)
        assert told(b, "journal_unreadable") == 1 and not b.app.control.releaser.records.written.entries
        await b.until(lambda: b.app.control.releaser.inventory.stands("pv2").seen == "read_back")
        assert b.app.control.releaser.inventory.stands("pv2").p_ceiling_w == 1500.0, "and nothing is raised by it"
        assert b.app.control.releaser.records.of("pv2") == "left"


async def test_a_name_in_the_journal_that_the_site_file_lacks_wears_no_card(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.daemon.actuate.release.AGAIN_S", 0.1)
    async with bench(observe_mode) as b:
        path = b.app.survival.folder.path / "written.json"
    path.write_text('{"sold": {}}')
    before = path.stat()
    async with bench(observe_mode) as b:
        await b.ticks(10)
        assert path.stat().st_ino == before.st_ino, "not even replaced by the same"


class FullDisk:
    """The journal can't be saved while it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full, self.tries = True, 0
        self.replace = Folder.replace
        disk = self

        async def replace(self: Folder, name: str, data: bytes) -> None:
            disk.tries += name == JOURNAL
            if disk.full and name == JOURNAL:
                raise OSError(28, "No space left on device")
            await disk.replace(self, name, data)

        monkeypatch.setattr(Folder, "replace", replace)


async def test_control_does_not_begin_on_a_disk_that_takes_nothing_and_goes_on_where_it_fills_up_later(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = {"full": True}
    replace = folder.replace_file

    def full(path: Path, content: bytes) -> None:
        if disk["full"]:
            raise OSError(28, "No space left on device")
        replace(path, content)

    monkeypatch.setattr(folder, "replace_file", full)
    async with bench() as b:
        await b.ticks(5)
        assert b.app.gate.arming.reason == "not_saved: No space left on device"
        assert told(b, "state_not_saved") == 1 and not any(b.writes(name) for name in b.writers)
        disk["full"] = False
        b.app.dirty.set()
        await b.until(lambda: b.app.gate.open)
        disk["full"] = True
        socket = Path(b.app.control.site.file.site.socket)
        with pytest.raises(CommandError, match="nothing was done"):
            await ask(socket, "limit_power", {"p_ceiling_w": 1500, "der": "pv2"})
        assert (await ask(socket, "status"))["requests"] == [] and told(b, "state_not_saved") == 2
        await b.ticks(3)
        assert b.app.gate.open, "what is known is held"
        disk["full"] = False


def told(b: Any, name: str) -> int:
    return sum(event["event"] == name for event in b.app.news.events)


async def test_a_journal_that_could_not_be_saved_is_saved_with_the_next_write_to_whatever_der(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a kill would leave what was written without anybody who knows of it."""
    disk = FullDisk(monkeypatch)
    monkeypatch.setattr("derctl.daemon.survival.SAVE_EVERY_S", 1e9)
    async with bench() as b:
        await b.until(lambda: all(writer.account.hold.written is not None for writer in b.writers.values()))
        assert not (b.app.survival.folder.path / "written.json").exists()
        assert told(b, "journal_not_saved") == 1, "said once, and control goes on"
        await b.app.control.releaser.note("pv2")
        assert told(b, "journal_not_saved") == 1
        disk.full = False
        await b.app.control.releaser.note("pv2")
        assert set(journal(b)) == {"pv1", "pv2", "bat1"}
        tries = disk.tries
        await b.app.control.releaser.note("pv2")
        assert disk.tries == tries, "a saved one costs no further write"
        disk.full = True
        await ask(Path(b.app.control.site.file.site.socket), "disarm")
        assert told(b, "journal_not_saved") == 2, "it is full again"
        disk.full = False


async def test_a_journal_that_could_not_be_saved_is_saved_with_the_state_where_nothing_has_to_be_written(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit that stands is written once."""
    disk = FullDisk(monkeypatch)
    async with bench() as b:
        await b.until(lambda: all(writer.account.hold.written is not None for writer in b.writers.values()))
        for writer in b.writers.values():
            writer.control = False
        await asyncio.gather(*(writer.errand.wait() for writer in b.writers.values()))
        disk.full = False
        b.app.dirty.set()
        await b.until((b.app.survival.folder.path / "written.json").exists)
        assert set(journal(b)) == {"pv1", "pv2", "bat1"}


async def test_a_limit_given_under_an_unset_clock_is_saved_without_an_end_on_that_clock(
    bench: Any, tmp_path: Path
) -> None:
    def unset_clock(site: dict[str, Any]) -> None:
        no_contract(site)
        site["site"]["clock_sync"] = str(tmp_path / "never")

    async with bench(unset_clock) as b:
        await b.ticks(3)
        socket = Path(b.app.control.site.file.site.socket)
        await ask(socket, "limit_power", {"p_ceiling_w": 1500, "der": "pv2", "expires_s": 3600})
        state = b.app.survival.folder.path / "state.json"
    (saved,) = json.loads(state.read_text())["requests"]
    assert saved["ends"] is None and 3500.0 < saved["remaining_s"] <= 3600.0


async def test_a_devices_own_volt_var_keeps_the_gateways_off(bench: Any) -> None:
    def own_volt_var(rig: Rig) -> None:
        rig.world.faces["pv2"].bank.image(705).put_raw("Ena", 1)

    async with bench(prepare=own_volt_var) as b:
        await b.until(lambda: "volt_var" in b.app.control.state().ders[1].reading.own_on)
        await b.ticks(2)
        decision = b.app.recorder.latest.decisions[1]
        assert decision.abstained["volt_var"].startswith("own_function_on")
        assert decision.setpoint.q_var is None


async def test_var_is_given_back_when_the_device_turns_its_own_volt_var_on(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.daemon.actuate.deadband.GIVE_BACK_S", 1.0)
    async with bench() as b:
        controls = b.rig.world.faces["pv2"].bank.image(704)
        await b.until(lambda: controls.get("VarSetEna") == 1)
        b.rig.world.faces["pv2"].bank.image(705).put_raw("Ena", 1)
        await b.until(lambda: b.writers["pv2"].wish.decision.setpoint.q_var is None)
        count = len(b.writes("pv2"))
        await b.until(lambda: controls.get("VarSetEna") == 0)
        assert len(b.writes("pv2")) > count, "by derctl, not by the device's timer"


async def test_recorded_ticks_replayed_through_the_core_give_the_same_decisions_bit_for_bit(bench: Any) -> None:
    async with bench() as b:
        await b.ticks(30)
        ticks = list(b.app.recorder._ring)
        plain = await ask(Path(b.app.control.site.file.site.socket), "record", {"count": len(ticks)})
        plan = b.app.control.site.plan
    by_number = {tick.n: tick for tick in ticks}
    compared = [by_number[row["n"]] for row in plain if row["n"] in by_number]
    assert len(compared) >= 30 and any(tick.decisions[0].bound_by for tick in compared)
    for row in plain:
        if row["n"] in by_number:
            assert replay(plan, row) == by_number[row["n"]].decisions
    assert step(plan, ticks[-1].memories, ticks[-1].state, ticks[-1].dt_s)[1] == ticks[-1].decisions


class Broken:
    """A function with a bug."""

    kind = "broken"
    rank = 0

    def start(self) -> None:
        return None

    def step(self, *_: Any) -> Any:
        raise ZeroDivisionError("a bug")


async def test_a_bug_in_a_function_ends_the_daemon(bench: Any) -> None:
    async with bench() as b:
        await b.ticks(3)
        broken: Any = Broken()
        b.app.control.loop.plan = Plan(der_functions=((broken, ("pv1",)),))
        with pytest.raises(ExceptionGroup) as ended:
            await b.running
        assert ended.group_contains(ZeroDivisionError)


async def test_a_bug_in_the_brokers_link_is_restarted_and_never_reaches_control(bench: Any) -> None:
    def with_broker(site: dict[str, Any]) -> None:
        site["mqtt"] = {"host": "127.0.0.1", "port": 1}

    async with bench(with_broker) as b:
        calls = []

        async def broken() -> None:
            calls.append(1)
            raise RuntimeError("a bug in the link")

        b.app.uplink.link.on_command = broken
        tasks = Tasks(b.app.log)
        tasks.guard("mqtt", broken)
        await b.until(lambda: len(calls) >= 3)
        await tasks.end_all()
        before = b.app.control.loop.ticks
        await b.ticks(10)
        assert b.app.control.loop.ticks > before and not b.running.done()


async def test_a_stop_releases_and_gives_that_two_seconds(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """That no release takes longer than it is given: tests of Dispatch. A stop lifts no limit, and saves last."""
    given: list[tuple[bool, float]] = []

    async def noted(self: Dispatch, wrote: Sequence[str], *, lift: bool, seconds: float) -> dict[str, Release]:
        given.append((lift, seconds))
        return await release(self, wrote, lift=lift, seconds=seconds)

    release = Dispatch.release
    monkeypatch.setattr(Dispatch, "release", noted)
    async with bench() as b:
        await b.until(lambda: b.writers["pv2"].account.hold.written is not None)
        stopped = time.time()
        b.app.stop()
        await b.running
        assert given == [(False, 2.0)]
        assert json.loads((b.app.survival.folder.path / "state.json").read_text())["saved"] >= stopped
        assert b.rig.world.faces["pv2"].command().p_ceiling_w <= 2000.0


async def test_an_inverter_that_says_another_serial_after_a_reconnection_is_not_written(bench: Any) -> None:
    async with bench() as b:
        await b.until(lambda: b.writers["pv1"].account.hold.written is not None)
        one, two = b.rig.endpoint_of("pv1"), b.rig.endpoint_of("pv2")
        one.units, two.units = two.units, one.units
        of_before = [*one.open, *two.open]
        for connection in of_before:
            connection.end("rst")
        await b.until(
            lambda: not {*one.open, *two.open}.intersection(of_before)
        )  # nor what they had received already
        before = {name: len(b.writes(name)) for name in ("pv1", "pv2")}
        await b.until(lambda: b.app.control.plant.ders["pv1"].bond.binding.reason == "identity_changed")
        await b.until(lambda: b.app.control.plant.ders["pv2"].bond.binding.reason == "identity_changed")
        await b.ticks(10)
        assert {name: len(b.writes(name)) for name in ("pv1", "pv2")} == before


def promises_in_full(site: dict[str, Any]) -> None:
    """The sum of the fallbacks is the contract: pv1 stands at 1 kW, pv2 returns to 2 kW, the battery rests."""
    site["ders"][0]["fallback"] = {"p_ceiling_w": 1000, "by": "stands"}
    site["ders"][1]["fallback"] = {"p_ceiling_w": 2000, "by": "reversion", "after_s": 15}
    site["functions"] = [{"kind": "contract_export_limit", "limit_w": 3000}, {"kind": "self_consumption"}]


def gone(*names: str) -> Any:
    """These don't answer from the start."""

    def prepare(rig: Rig) -> None:
        for name in names:
            rig.endpoint_of(name).refuse()

    return prepare


async def test_a_site_starts_at_night_with_what_it_knows_of_inverters_that_sleep(bench: Any) -> None:
    async with bench(promises_in_full) as b:
        await b.until(lambda: b.app.gate.open)
    async with bench(promises_in_full, prepare=gone("pv1", "pv2")) as b:
        await b.until(lambda: b.writers["bat1"].account.hold.written is not None)
        status = await ask(Path(b.app.control.site.file.site.socket), "status")
        assert (status["mode"], status["absent"]["by_der"]) == ("control", {"pv1": 1000, "pv2": 2000, "bat1": 0})
        assert status["ders"]["pv2"]["rating"]["p_max_w"] == 10_000.0


async def test_a_site_that_never_found_one_of_its_inverters_is_not_armed_until_it_does(bench: Any) -> None:
    """One that is slow to boot counts in full."""

    def rated(site: dict[str, Any]) -> None:
        promises_in_full(site)
        site["ders"][1]["rating"] = {"p_max_w": 10_000}

    async with bench(rated, prepare=gone("pv2")) as b:
        await b.until(lambda: b.app.control.plant.ders["bat1"].measured.sample > 0)
        await b.ticks(3)
        assert not b.app.gate.open and b.app.gate.arming.reason.startswith("fallback_breaks_contract")
        assert b.writes("bat1") == []
        await b.rig.endpoint_of("pv2").listen()
        await b.until(lambda: b.app.gate.open)


async def test_a_device_that_was_swapped_while_the_daemon_was_down_keeps_nobody_else_from_control(bench: Any) -> None:
    def named(site: dict[str, Any]) -> None:
        promises_in_full(site)
        site["ders"][1]["serial"] = "1002"

    def swapped(rig: Rig) -> None:
        rig.world.faces["pv2"].bank.image(1).put("SN", "9999")
        rig.world.faces["pv2"].bank.publish()

    async with bench(named) as b:
        await b.until(lambda: b.app.gate.open)
    async with bench(named, prepare=swapped) as b:
        await b.until(lambda: b.app.control.plant.ders["pv2"].state == "refused")
        await b.until(lambda: b.app.gate.open and b.writers["bat1"].account.hold.written is not None)
        await b.ticks(5)
        assert b.writes("pv2") == [] and b.app.gate.absence().by_der["pv2"] == 10_000.0
        socket = Path(b.app.control.site.file.site.socket)
        await ask(socket, "disarm")
        with pytest.raises(CommandError) as refused:
            await ask(socket, "arm")
        assert refused.value.code == "fallback_breaks_contract", "nobody arms a site like that"


async def test_a_battery_that_charges_is_not_let_go_while_an_inverter_is_lost(bench: Any) -> None:
    """A disarm would raise what the site gives by what it charges. Its own timer ends it."""
    async with bench(promises_in_full) as b:
        await b.until(lambda: b.p_w("bat1") < -500.0)
        rig: Rig = b.rig
        rig.endpoint_of("pv2").refuse()
        for connection in [*rig.endpoint_of("pv2").open]:
            connection.end("rst")
        await b.until(lambda: b.app.control.plant.ders["pv2"].state == "unreachable")
        await ask(Path(b.app.control.site.file.site.socket), "disarm")
        assert said(b, "bat1") == ["not_released"] and "bat1" in journal(b)
        assert b.p_w("bat1") < -500.0, "it charges on"


async def test_nothing_is_raised_before_every_device_has_read_back_its_fallback(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pv2 takes writes over only later: until then the battery does not serve the house."""
    monkeypatch.setattr("derctl.daemon.promises.PROMISE_S", 60.0)

    def held_back(rig: Rig) -> None:
        rig.units["pv2"].write_faults[0] = lambda address, content: None

    async with bench(promises_in_full, prepare=held_back) as b:
        rig: Rig = b.rig
        for forced in rig.world.forced.values():
            forced.irradiance = Knob(0.0)
        await b.until(lambda: b.app.gate.open and len(b.writes("pv2")) > 3 and b.writes("bat1"))
        await b.until(lambda: "unproven_fallback" in {by.by for by in b.app.recorder.latest.decisions[2].bound_by})
        assert b.app.control.promises.halted and b.p_w("bat1") < 50.0
        rig.units["pv2"].write_faults.clear()
        await b.until(lambda: not b.app.control.promises.halted)
        assert all(writer.promised.kept == "read_back" for writer in b.writers.values())
        await b.until(lambda: b.p_w("bat1") > 500.0)


async def test_one_that_never_shows_its_fallback_is_named_and_holds_the_others_down_no_longer(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.daemon.promises.PROMISE_S", 1.0)

    def ignored(rig: Rig) -> None:
        rig.units["pv2"].write_faults[0] = lambda address, content: None

    async with bench(promises_in_full, prepare=ignored) as b:
        await b.until(lambda: ("fallback_unproven", "pv2") in [(e["event"], e["der"]) for e in b.app.news.events])
        assert not b.app.control.promises.halted and b.writers["pv2"].promised.kept != "read_back"
