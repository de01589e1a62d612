"""What derctl writes at all: by the names that the official models give to registers."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.exchange import Write
from derctl.devices import Options, Profile
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.devices.writable import CONTROL, NEVER, barred, fits
from derctl.links.models import model
from tests.fake import bound, lay_out

TRIP = {129, 130, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144, 707, 708, 709, 710}
"""SunSpec models of low and high voltage and frequency ride-through and trip."""


@pytest.mark.parametrize("number", sorted(TRIP | {121, 702, 703}))
def test_no_writable_point_of_a_trip_an_entry_or_a_rating_is_ever_written(number: int) -> None:
    table = model(number)
    assert table is not None
    writable = [name for name, point in table.fixed.items() if point.writable]
    assert writable
    for name in writable:
        assert barred(f"{number}.{name}") is not None


@pytest.mark.parametrize(
    "point", ["704.AntiIslEna", "123.Conn", "123.Conn_RvrtTms", "124.WChaMax", "802.SetOp", "gate"]
)
def test_neither_is_what_disconnects_or_what_percentages_count_from(point: str) -> None:
    assert barred(point) is not None
    assert barred(point, {point}) is None, "the site file may name it"
    assert barred(f"{point}X", {point}) is not None, "and nothing beside it"


@pytest.mark.parametrize("point", ["register 40100", "160.Tms", "124.ChaGriSet", "1.DA", "802.SoCRsvMin"])
def test_what_is_no_control_point_is_not_written_either(point: str) -> None:
    assert barred(point) == f"{point} is no control point"


def test_no_control_point_is_among_those_that_are_never_written() -> None:
    never = [pattern for patterns in NEVER.values() for pattern in patterns]
    for number in (123, 124, 704):
        table = model(number)
        assert table is not None
        told = {f"{number}.{name}" for name in table.fixed if fits(f"{number}.{name}", CONTROL)}
        assert told
        assert not [point for point in told if fits(point, tuple(never))]
        assert all(
            table.fixed[point.partition(".")[2]].writable
            for point in told
            if "_SF" not in point and "Rem" not in point
        )


@pytest.mark.parametrize(
    ("offset", "count", "points"),
    [
        (5, 5, [f"123.{name}" for name in ("WMaxLimPct", "WMaxLimPct_WinTms", "WMaxLimPct_RvrtTms")]
              + ["123.WMaxLimPct_RmpTms", "123.WMaxLim_Ena"]),
        (4, 2, ["123.Conn", "123.WMaxLimPct"]),
        (0, 1, ["123.ID"]),
    ],
)  # fmt: skip
def test_a_write_is_known_by_the_points_that_it_touches(offset: int, count: int, points: list[str]) -> None:
    fake = lay_out("pv_103")
    device: Any = bound(fake, bind_pv)
    start = fake.places[123]
    named = device.points_of(Write(address=start + offset, values=(0,) * count))
    assert list(named) == points


def test_what_stands_between_and_behind_the_models_has_no_name() -> None:
    fake = lay_out("pv_103")
    device: Any = bound(fake, bind_pv)
    end = max(fake.registers)
    assert device.points_of(Write(address=end, values=(0, 0))) == (f"register {end}", f"register {end + 1}")


def test_a_point_of_two_registers_is_named_once() -> None:
    fake = lay_out("storage_7xx")
    device: Any = bound(fake, bind_storage)
    named = device.points_of(Write(address=fake.places[704] + 22, values=(0,) * 4))
    assert named == ("704.WSetEna", "704.WSetMod", "704.WSet")


def test_a_vendor_s_own_control_point_is_written_and_wears_out_until_its_profile_says_otherwise() -> None:
    assert barred("own.limit_w") is None
    assert Profile().wears("own.limit_w")
    assert not Profile(cyclic=("own.limit_w",)).wears("own.limit_w")


def test_what_wears_out_is_what_the_profile_does_not_call_volatile() -> None:
    known = Profile()
    assert not known.guarded
    assert not known.wears("123.WMaxLimPct")
    assert known.wears("703.ESDlyTms"), "no profile says that it doesn't"
    assert Profile(volatile=False).guarded
    assert Profile(volatile=False).wears("123.WMaxLimPct")
    part = Profile(cyclic=("123.WMaxLim*",))
    assert part.guarded
    assert (part.wears("123.WMaxLimPct"), part.wears("123.VArMaxPct")) == (False, True)


def test_a_device_whose_registers_wear_out_gets_no_var_and_no_timer() -> None:
    """To keep a timer of a minute from running out would take 2880 writes a day."""
    fake = lay_out("pv_7xx")
    device: Any = fake.run(bind_pv(model, Options(profile=Profile(volatile=False))))
    assert (device.can.limit, device.can.var, device.can.volatile) == (True, False, False)
    assert device.reversion.model is None
    assert any("24 times a day" in problem for problem in device.problems)
