"""`doctor`: each thing that is not well on a running site is named, with what to do; a daemon that rests, too."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from derctl.cli.health import health, wear
from derctl.cli.machine import ClockQuality, Disk, Machine, Service, service_of
from derctl.commission.finding import Weight
from derctl.errors import LinkError
from tests.cli.calls import Here, SiteFile

ROOT = Path(__file__).resolve().parents[2]
Json = dict[str, Any]
HERE = Machine(
    service=Service(loaded=True, active="active", enabled="enabled", pid=4242),
    disk=Disk(free_bytes=5_000_000_000),
    clock=ClockQuality(synced=True, error_s=0.01, rtc=True),
    versions={"python": "3.11.2", "pymodbus": "3.16.1", "aiomqtt": "2.5.1"},
)


@pytest.fixture
def state() -> Json:
    """The example of docs/interfaces.md, which is a site that is well."""
    text = (ROOT / "docs/interfaces.md").read_text(encoding="utf-8")
    [found] = re.findall(r"^```json status\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    shown: Json = json.loads(found)
    return shown


def test_a_site_that_is_well_needs_nobody(state: Json) -> None:
    assert [row for row in health(state) if row.weight is not None] == []


def silent(state: Json) -> None:
    state["ders"]["pv1"] |= {"state": "unreachable", "text": "no answer within 1 s"}


def overridden(state: Json) -> None:
    state["ders"]["pv1"]["outcome"] |= {"achieved": "no", "reason": "override"}


def new_firmware(state: Json) -> None:
    state["ders"]["pv1"]["reverify"] = {"relied_on": "1.0", "now": "2.0"}


def spent(state: Json) -> None:
    state["ders"]["pv1"]["wear"] |= {"a_day": 24, "left": 2}


def doubted(state: Json) -> None:
    state["poc"]["meter"] = "doubted"


def blank_meter(state: Json) -> None:
    state["poc"]["state"] = "unmeasured"


def refused(state: Json) -> None:
    state |= {"mode": "observe", "mode_reason": "rating_unknown: pv1"}


def disarmed(state: Json) -> None:
    state |= {"mode": "observe", "mode_reason": "not armed"}
    state["armed"]["armed"] = False


def lost_broker(state: Json) -> None:
    state["mqtt"] |= {"connected": False, "text": "connection refused"}


def unplugged(state: Json) -> None:
    state["buses"]["lan_pv1"]["connected"] = False


def many_timeouts(state: Json) -> None:
    state["buses"]["lan_pv1"]["timeouts"] = 40


def noisy(state: Json) -> None:
    state["buses"]["lan_pv1"]["frame_errors"] = 9


def full(state: Json) -> None:
    state["buses"]["lan_pv1"]["load_pct"] = 93.0


def slower_than_planned(state: Json) -> None:
    state["buses"]["lan_pv1"]["load_pct"] = 40.0


def broken_contract(state: Json) -> None:
    state["absent"]["holds"] = False


def unknown_part(state: Json) -> None:
    state["absent"]["unknown"] = ["pv2"]


def late_ticks(state: Json) -> None:
    state["loop"]["missed"] = 3


@pytest.mark.parametrize(
    ("change", "topic", "weight", "remedy"),
    [
        (silent, "device", Weight.MEND, "power"),
        (overridden, "device", Weight.LOOK, "controllers"),
        (new_firmware, "device", Weight.LOOK, "acknowledge"),
        (spent, "writes", Weight.LOOK, "Fewer"),
        (doubted, "meter", Weight.LOOK, "clamps"),
        (blank_meter, "device", Weight.MEND, "wiring"),
        (refused, "mode", Weight.MEND, "begins by itself"),
        (disarmed, "mode", Weight.NOTE, "derctl arm"),
        (lost_broker, "broker", Weight.LOOK, "password"),
        (unplugged, "bus", Weight.MEND, "cable"),
        (many_timeouts, "bus", Weight.LOOK, "another client"),
        (noisy, "bus", Weight.LOOK, "termination"),
        (full, "bus", Weight.LOOK, "Ask less"),
        (slower_than_planned, "bus", Weight.LOOK, "longer than planned"),
        (broken_contract, "fail-safe", Weight.MEND, "fallbacks"),
        (unknown_part, "fail-safe", Weight.LOOK, "found"),
        (late_ticks, "loop", Weight.LOOK, "tick_s"),
    ],
)
def test_what_is_not_well_is_named_with_what_to_do(
    state: Json, change: Callable[[Json], None], topic: str, weight: Weight, remedy: str
) -> None:
    well = copy.deepcopy(state)
    change(state)
    [row] = [row for row in health(state) if row not in health(well) and row.weight is not None]
    assert (row.topic, row.weight) == (topic, weight)
    assert remedy in row.remedy


def test_what_can_not_be_saved_is_to_be_mended(state: Json) -> None:
    assert wear(state, 10**9, read_only=False).weight is None
    assert wear(state, 10**9, read_only=True).weight is Weight.MEND
    state["disk"]["unsaved"] = "no space left"
    assert wear(state, 0, read_only=False).weight is Weight.MEND


def test_a_card_that_wears_out_is_told_of_once_it_is_known(state: Json) -> None:
    state["disk"]["bytes"] = 40_000_000
    assert wear(state, None, read_only=False).weight is None
    state["uptime_s"] = 3000.0
    assert wear(state, None, read_only=False).weight is Weight.LOOK


def test_a_unit_that_systemd_does_not_know_is_no_service() -> None:
    assert service_of("LoadState=not-found\nActiveState=inactive\n") == Service()
    known = service_of(
        "LoadState=loaded\nActiveState=failed\nResult=exit-code\nExecMainStatus=78\nNRestarts=2\nMainPID=0\n"
    )
    assert (known.active, known.status, known.restarts) == ("failed", 78, 2)


@pytest.fixture
def asks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`asks(state, machine)`: what the daemon answers (None: nobody does), on this machine."""

    def put(said: Json | None, machine: Machine = HERE) -> None:
        async def ask(*given: Any, **more: Any) -> Json:
            if said is None:
                raise LinkError("no such socket")
            return said

        monkeypatch.setattr("derctl.cli.doctor.ask", ask)
        monkeypatch.setattr("derctl.cli.doctor.machine", lambda folder: machine)

    return put


async def test_doctor_says_all_well_in_80_columns(here: Here, asks: Any, state: Json) -> None:
    asks(state)
    code, out, _ = await here("doctor", "--socket", "s")
    assert code == 0, out
    assert out.splitlines()[-1] == "all well"
    assert all(len(line) <= 80 for line in out.splitlines())


async def test_doctor_as_json_carries_rows_versions_and_the_verdict(here: Here, asks: Any, state: Json) -> None:
    lost_broker(state)
    asks(state)
    code, out, _ = await here("doctor", "--socket", "s", "--json")
    said = json.loads(out)
    assert (code, said["ok"], said["running"], said["site"]) == (1, False, True, "house-12")
    assert {row["topic"] for row in said["rows"]} >= {"versions", "service", "loop", "bus", "clock", "disk"}


RESTS = Machine(
    service=Service(loaded=True, active="failed", result="exit-code", status=78),
    disk=HERE.disk,
    clock=HERE.clock,
    versions=HERE.versions,
)


async def test_where_no_daemon_runs_it_says_why_and_what_to_do(here: Here, asks: Any, site_file: SiteFile) -> None:
    asks(None, RESTS)
    code, out, _ = await here("doctor", "-c", str(site_file()))
    said = " ".join(out.split())
    assert code == 69
    assert "exit code 78" in said and "check --live" in said and "systemctl start derctl" in said


async def test_a_broken_site_file_under_a_running_daemon_is_told(
    here: Here, asks: Any, site_file: SiteFile, state: Json
) -> None:
    asks(state)
    code, out, _ = await here("doctor", "-c", str(site_file(("v_nom_v: 230", "v_nom_v: many"))))
    assert code == 1
    assert "next start would fail" in " ".join(out.split())


async def test_one_who_may_not_read_the_site_file_is_told_so_and_no_more(
    here: Here, asks: Any, state: Json, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks(state)
    (tmp_path / "site.yaml").touch()
    monkeypatch.setattr("derctl.cli.local.SITE_FILE", tmp_path / "site.yaml")
    monkeypatch.setattr("derctl.cli.doctor.os.access", lambda path, mode: False)
    code, out, _ = await here("doctor")
    assert code == 0
    assert "may not be read" in " ".join(out.split())


async def test_another_version_on_disk_asks_for_a_restart(here: Here, asks: Any, state: Json) -> None:
    state["version"] = "0.0.9"
    asks(state)
    code, out, _ = await here("doctor", "--socket", "s")
    assert code == 1
    assert "systemctl restart derctl" in " ".join(out.split())
