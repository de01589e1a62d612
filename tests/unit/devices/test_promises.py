"""Whether a device reads back what makes its fallback true: target, timer and enable, as SunSpec has them."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.types import Fallback, Setpoint
from derctl.core.words import FallbackBy
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from tests.fake import Fake, bound, lay_out

HELD = {"pv_7xx": 2000.0, "storage_7xx": 0.0, "pv_103": 2000.0, "storage_124": 0.0}


def answers_of(fake: Fake, device: Any) -> dict[str, tuple[int, ...]]:
    """What the next poll gives."""
    return {
        name: tuple(fake.registers[read.address + i] for i in range(read.count))
        for name, read in device.control.items()
    }


def armed(name: str, by: str, **profile: Any) -> tuple[Fake, Any, Fallback]:
    """A device that was written once."""
    fake = lay_out(name)
    device = bound(fake, bind_storage if name.startswith("storage") else bind_pv, **profile)
    fallback = Fallback(p_ceiling_w=HELD[name], by=FallbackBy(by), after_s=15.0)
    setpoint = Setpoint(p_target_w=-500.0) if name.startswith("storage") else Setpoint(p_ceiling_w=1500.0)
    if by == "stands" and name.startswith("storage"):
        setpoint = Setpoint(p_target_w=0.0)
    fake.run(device.write(setpoint, fallback, answers_of(fake, device)))
    return fake, device, fallback


WRITTEN = [
    ("pv_7xx", "reversion"), ("pv_7xx", "stands"), ("storage_7xx", "reversion"), ("pv_103", "stands"),
    ("storage_124", "stands"), ("storage_7xx", "stands"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "by"), WRITTEN)
def test_what_was_written_reads_back_and_what_was_not_does_not(name: str, by: str) -> None:
    before = lay_out(name)
    device = bound(before, bind_storage if name.startswith("storage") else bind_pv)
    fallback = Fallback(p_ceiling_w=HELD[name], by=FallbackBy(by), after_s=15.0)
    assert device.promises(answers_of(before, device), fallback) is False
    fake, device, fallback = armed(name, by)
    assert device.promises(answers_of(fake, device), fallback) is True


@pytest.mark.parametrize(
    ("name", "by", "model", "changed"),
    [
        ("pv_7xx", "reversion", 704, {"WMaxLimPctRvrtTms": 0}),  # never
        ("pv_7xx", "reversion", 704, {"WMaxLimPctRvrtTms": 60}),  # later than it was told
        ("pv_7xx", "reversion", 704, {"WMaxLimPctEnaRvrt": 0}),  # to no limit
        ("pv_7xx", "reversion", 704, {"WMaxLimPctRvrt": 60.0}),  # to a higher one
        ("pv_7xx", "reversion", 704, {"WMaxLimPctEna": 0}),  # the timer runs while it is on
        ("pv_7xx", "stands", 704, {"WMaxLimPct": 60.0}),
        ("pv_7xx", "stands", 704, {"WMaxLimPctRvrtTms": 15}),  # somebody armed a timer
        ("storage_7xx", "reversion", 704, {"WSetRvrtTms": 0}),
        ("storage_7xx", "reversion", 704, {"WSetEnaRvrt": 0}),
        ("storage_7xx", "reversion", 704, {"WSetRvrt": 3000}),
        ("pv_103", "stands", 123, {"WMaxLim_Ena": 0}),
        ("pv_103", "stands", 123, {"WMaxLimPct_RvrtTms": 60}),
        ("storage_124", "stands", 124, {"InOutWRte_RvrtTms": 60}),
    ],
)
def test_one_register_that_is_not_as_it_was_written_breaks_the_promise(
    name: str, by: str, model: int, changed: dict[str, Any]
) -> None:
    fake, device, fallback = armed(name, by)
    fake.put(model, **changed)
    assert device.promises(answers_of(fake, device), fallback) is False


def test_a_timer_that_reads_what_is_left_of_it_runs() -> None:
    fake, device, fallback = armed("pv_7xx", "reversion")
    fake.put(704, WMaxLimPctRvrtTms=3)
    assert device.promises(answers_of(fake, device), fallback) is True


def test_what_counts_at_its_rating_promises_nothing_that_could_be_missing() -> None:
    fake, device, _ = armed("pv_103", "stands")
    answers = answers_of(fake, device)
    for nothing in (
        Fallback(),  # no fallback is declared
        Fallback(p_ceiling_w=2000.0),  # 123's timer has no target
        Fallback(p_ceiling_w=2000.0, by=FallbackBy.DEVICE),  # the installer's word
    ):
        assert device.promises(answers, nothing) is True


def test_of_what_cannot_be_read_back_nobody_knows() -> None:
    fake, device, fallback = armed("pv_7xx", "reversion", readback="effect_only")
    assert device.promises(answers_of(fake, device), fallback) is None
    meter = bound(lay_out("meter_203"), bind_meter)
    assert meter.promises({}, fallback) is None
