"""The common invariants can be broken, and say by whom."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hil.children import Child
from hil.invariants import Watch, verdicts
from hil.rig import Rig

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
    unit.unverified[(40123, 1)] = (100.0, 0)
    unit.count.reads = 10
    watch.look(rig, None, 110.0, 0.0)
    assert broken(rig, watch, child) == set()
    watch.look(rig, None, 116.0, 0.0)
    assert broken(rig, watch, child) == {"I3"}


async def test_missed_ticks_break_i4(make_rig: MakeRig, child: Child) -> None:
    rig, watch = await make_rig(devices=PV), Watch()
    watch.look(rig, {"loop": {"ticks": 100, "missed": 2}}, 1.0, 0.0)
    assert broken(rig, watch, child) == set()
    watch.look(rig, {"loop": {"ticks": 101, "missed": 3}}, 2.0, 0.0)
    assert broken(rig, watch, child) == {"I4"}


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


async def test_a_waived_invariant_keeps_its_reason(make_rig: MakeRig, child: Child) -> None:
    watch = Watch(missed=50, ticks=100)
    checks = verdicts(await make_rig(devices=PV), watch, child, (), {"I4": "the daemon is stopped for a minute"})
    waived = next(check for check in checks if check.says.startswith("I4"))
    assert waived.passed
    assert "stopped for a minute" in waived.says
