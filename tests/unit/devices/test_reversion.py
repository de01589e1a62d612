"""What a device's own timer makes of its power: the reason behind its absent_w."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.words import Timer
from derctl.devices import Reversion
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from tests.fake import bound, lay_out


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pv_7xx", Reversion(timer=Timer.TARGET, model=704)),
        ("pv_103", Reversion(timer=Timer.NO_TARGET, model=123)),  # model 123 has RvrtTms and nothing to revert to
        ("storage_7xx", Reversion(timer=Timer.TARGET, model=704)),
        ("storage_124", Reversion(timer=Timer.NO_TARGET, model=124)),
    ],
)
def test_the_control_model_says_whether_the_timer_has_a_target(name: str, expected: Any) -> None:
    device = bound(lay_out(name), bind_storage if name.startswith("storage") else bind_pv)
    assert device.reversion == expected


def test_a_timer_that_reverts_nothing_is_none() -> None:
    assert bound(lay_out("pv_7xx"), bind_pv, timer_rearm="none").reversion.timer is Timer.NONE


def test_what_is_only_read_has_no_timer() -> None:
    assert bound(lay_out("pv_103", m123=None), bind_pv).reversion == Reversion()
    assert bound(lay_out("meter_203"), bind_meter).reversion == Reversion()
