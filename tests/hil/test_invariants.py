"""The common invariants can be broken, and say by whom."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hil.charging import Charging, Unasked
from hil.children import Child
from hil.invariants import Watch, verdicts
from hil.rig import Rig
from hil.runner import charging_of

MakeRig = Callable[..., Awaitable[Rig]]
PV = ({"id": "pv1", "face": "pv_1xx"},)


def broken(rig: Rig, watch: Watch, child: Child | None = None, mqtt: tuple[str, ...] = ()) -> set[str]:
    return {check.says[:2] for check in verdicts(rig, watch, child, mqtt, {}) if not check.passed}


@pytest.fixture
def child(tmp_path: Path) -> Child:
    return Child("daemon", ["true"], tmp_path)


async def test_a_quiet_run_breaks_none(make_rig: MakeRig, child: Child) -> None:
    assert broken(await make_rig(devices=PV), Watch(), child) == set()


@pytest.mark.parametrize(("content", "name"), [(b"\x27\x10", "I1"), (b"\xff\xff", "I2")])
async def test_absurd_writes_break_i1_and_i2(make_rig: MakeRig, content: bytes, name: str) -> None:
    rig = await make_rig(devices=PV)
    face = rig.units["pv1"].face
    image = face.bank.image(123)
    at = face.bank.start[id(image)] + image.slots["WMaxLimPct"].at
    with pytest.raises(Exception, match="exception 3"):
        face.write(at, content)
    assert broken(rig, Watch()) == {name}


async def test_a_write_that_nobody_reads_back_breaks_i3(make_rig: MakeRig, child: Child) -> None:
    rig, watch = await make_rig(devices=PV), Watch()
    unit = rig.units["pv1"]
    image = unit.face.bank.image(123)
    at = unit.face.bank.start[id(image)] + image.slots["WMaxLimPct"].at
    unit.answer(bytes.fromhex(f"06{at:04x}0032"), 100.0)
    assert unit.unverified

    def read(since_s: int, until_s: int) -> set[str]:
        for t_s in range(since_s, until_s):
            unit.answer(bytes.fromhex("039c400002"), float(t_s))
            watch.look(rig, None, float(t_s), 0.0)
        return broken(rig, watch, child)

    assert read(100, 110) == set()
    assert read(150, 152) == set(), "40 s of silence are no time to read it back in"
    assert read(152, 160) == {"I3"}


async def test_missed_ticks_break_i4(make_rig: MakeRig, child: Child) -> None:
    rig, watch = await make_rig(devices=PV), Watch()
    watch.look(rig, {"loop": {"ticks": 100, "missed": 2}}, 1.0, 0.0)
    assert broken(rig, watch, child) == set()
    watch.look(rig, {"loop": {"ticks": 101, "missed": 3}}, 2.0, 0.0)
    assert broken(rig, watch, child) == {"I4"}


async def test_memory_that_grows_breaks_i5(make_rig: MakeRig, child: Child) -> None:
    rig, watch = await make_rig(devices=PV), Watch()
    watch.memory.grown_mb = 8.0
    assert broken(rig, watch, child) == set()
    watch.memory.grown_mb = 8.1
    assert broken(rig, watch, child) == {"I5"}


async def test_a_traceback_breaks_i6(make_rig: MakeRig, child: Child) -> None:
    child.stderr_path.write_text("Traceback (most recent call last):\n  ...\nValueError: x\n")
    assert broken(await make_rig(devices=PV), Watch(), child) == {"I6"}


async def test_calling_a_silent_device_fresh_breaks_i7(make_rig: MakeRig, child: Child) -> None:
    rig, watch = await make_rig(devices=PV), Watch()
    rig.units["pv1"].count.first_s = rig.units["pv1"].count.clean_s = 10.0
    status = {"loop": {"tick_s": 1.0}, "ders": {"pv1": {"fresh": True, "state": "ok"}}}
    for now_s in (17.0, 18.5, 21.0):
        watch.look(rig, status, now_s, 0.0)
    assert broken(rig, watch, child) == set()
    watch.look(rig, status, 22.0, 0.0)
    assert broken(rig, watch, child) == {"I7"}


async def test_calling_a_well_device_unreachable_breaks_i7(make_rig: MakeRig, child: Child) -> None:
    rig, watch = await make_rig(devices=PV), Watch()
    status = {"loop": {"tick_s": 1.0}, "ders": {"pv1": {"fresh": False, "state": "unreachable"}}}
    rig.units["pv1"].count.first_s = 1.0
    for second in range(20, 30):
        rig.units["pv1"].count.clean_s = float(second)
        watch.look(rig, status, second + 0.5, 0.0)
    assert broken(rig, watch, child) == {"I7"}
    assert broken(rig, Watch(), child, ("online: true",)) == {"I7"}


async def test_calling_a_device_unreachable_that_answers_no_more_breaks_nothing(
    make_rig: MakeRig, child: Child
) -> None:
    rig, watch = await make_rig(devices=PV), Watch()
    status = {"loop": {"tick_s": 2.0}, "ders": {"pv1": {"fresh": False, "state": "unreachable"}}}
    rig.units["pv1"].count.first_s, rig.units["pv1"].count.clean_s = 1.0, 40.0
    for tenth in range(4, 100):
        watch.look(rig, status, 40.0 + tenth / 10.0, 0.0)
    assert broken(rig, watch, child) == set()


async def test_a_waived_invariant_keeps_its_reason(make_rig: MakeRig, child: Child) -> None:
    watch = Watch(missed=50, ticks=100)
    checks = verdicts(await make_rig(devices=PV), watch, child, (), {"I4": "the daemon is stopped for a minute"})
    waived = next(check for check in checks if check.says.startswith("I4"))
    assert waived.passed
    assert "stopped for a minute" in waived.says


# ---- I8


def site(charges_w: dict[str, float], sun_w: float = 0.0, f_hz: float = 50.0, **status: Any) -> dict[str, Any]:
    """A snapshot of a site with stores and one PV inverter."""
    ders = {name: {"p_w": -watts} for name, watts in charges_w.items()} | {"pv1": {"p_w": sun_w}}
    return {"der": ders, "load": {"house": 900.0}, "poc": {"f_hz": f_hz}, "status": status or None}


def charged(seen: list[dict[str, Any]], *, step_s: float = 1.0, rating_w: float = 5_000.0) -> list[str]:
    """What is found of samples that are step_s apart."""
    stores = {name: Unasked(rating_w=rating_w) for name in seen[0]["der"] if name != "pv1"}
    charging = Charging(f_nom_hz=50.0, stores=stores)
    for n, each in enumerate(seen):
        charging.look({**each, "t_s": n * step_s})
    return [fault.split(" ")[0] for fault in charging.faults()]


SETPOINT: dict[str, Any] = {"requests": [{"kind": "set_battery_power", "der": "bat1"}]}
EVENT: dict[str, Any] = {"requests": [{"kind": "demand_response", "der": None, "p_target_w": -900.0}]}
LIMITS_ONLY: dict[str, Any] = {"requests": [{"kind": "demand_response", "der": None, "export_w": 0.0}]}
LET_GO: dict[str, Any] = {"ders": {"bat1": {"setpoint": {"bound_by": [{"by": "grid_target"}]}}}}
LIMIT: dict[str, Any] = {"requests": [{"kind": "limit_power", "der": "bat1"}]}


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        ([site({"bat1": 5_000.0})] * 50, ["bat1"]),
        ([site({"bat1": 5_000.0})] * 3 + [site({"bat1": 0.0})] * 47, ["bat1"]),
        ([site({"bat1": 5_000.0})] * 1 + [site({"bat1": 0.0})] * 49, []),
        ([site({"bat1": 99.0})] * 200, []),
        ([site({"bat1": 110.0})] * 200, ["bat1"]),
        ([site({"bat1": 5_000.0}, sun_w=5_000.0)] * 200, []),
        ([site({"bat1": 5_000.0}, sun_w=9_000.0)] * 200 + [site({"bat1": 5_000.0})] * 80, ["bat1"]),
        ([site({"bat1": -3_000.0, "bat2": 3_000.0})] * 50, ["bat2"]),
        ([site({"bat1": 2_000.0, "bat2": 2_000.0}, sun_w=4_000.0)] * 80, []),
        ([site({"bat1": 2_000.0, "bat2": 2_000.0}, sun_w=3_000.0)] * 80, ["bat1", "bat2"]),
        ([site({"bat1": 5_000.0}, **SETPOINT)] * 80, []),
        ([site({"bat1": 5_000.0}, **EVENT)] * 80, []),
        ([site({"bat1": 5_000.0}, **LET_GO)] * 80, []),
        ([site({"bat1": 5_000.0}, **LIMITS_ONLY)] * 80, ["bat1"]),
        ([site({"bat1": 5_000.0}, **LIMIT)] * 80, ["bat1"]),
        ([site({"bat1": 5_000.0}, f_hz=50.3)] * 80, []),
    ],
)
def test_a_store_that_charges_unasked_breaks_i8(seen: list[dict[str, Any]], found: list[str]) -> None:
    assert charged(seen) == found


def test_a_store_s_rating_allows_it_two_percent() -> None:
    assert charged([site({"bat1": 190.0})] * 80, rating_w=10_000.0) == []
    assert charged([site({"bat1": 210.0})] * 80, rating_w=10_000.0) == ["bat1"]


def test_sun_that_is_nobody_s_inverter_s_counts_as_sun() -> None:
    seen = site({"bat1": 2_000.0}) | {"load": {"house": 900.0, "neighbour": -2_500.0}}
    assert charged([seen] * 80) == []


async def test_i8_is_judged_in_every_run(make_rig: MakeRig, child: Child) -> None:
    rig = await make_rig(devices=(*PV, {"id": "bat1", "face": "storage_7xx"}))
    watch = Watch(charging=charging_of(rig.world))
    assert watch.charging is not None and [*watch.charging.stores] == ["bat1"]
    assert broken(rig, watch, child) == set()
    watch.charging.stores["bat1"].worst_w = 300.0
    assert broken(rig, watch, child) == {"I8"}
