"""Sizes and bases of 0 are not stated (zeros are what a device shows before it knows); a setting of 0 is a word."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.types import Fallback, Setpoint
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.errors import NotRecognised
from tests.fake import bound, lay_out

CHARGES = {"W_SF": 0, "WMax": 5000, "WChaRteMax": 4000}
ZEROS = [  # (device, storage, what reads 0, the field of the rating, what it is then)
    ("pv_103", False, {121: ("WMax",)}, "p_max_w", 6000),
    ("pv_103", False, {121: ("VAMax",)}, "s_max_va", 6600),
    ("pv_103", False, {121: ("VAMax",), 120: ("VARtg",)}, "s_max_va", 5000),
    ("pv_103", False, {121: ("VArMaxQ1",)}, "q_inj_max_var", 0),
    ("pv_103", False, {121: ("VArMaxQ4",)}, "q_abs_max_var", 0),
    ("pv_7xx", False, {702: ("WMax",)}, "p_max_w", 6000),
    ("pv_7xx", False, {702: ("VAMax",)}, "s_max_va", 6600),
    ("pv_7xx", False, {702: ("VAMax", "VAMaxRtg")}, "s_max_va", 5000),
    ("pv_7xx", False, {702: ("VarMaxInj",)}, "q_inj_max_var", 0),
    ("pv_7xx", False, {702: ("VarMaxAbs",)}, "q_abs_max_var", 0),
    ("storage_7xx", True, {702: ("WChaRteMax",)}, "p_min_w", 0),
    ("storage_7xx", True, {702: ("WDisChaRteMax", "WDisChaRteMaxRtg")}, "p_max_w", 5000),
    ("storage_7xx", True, {713: ("WHRtg",)}, "e_max_wh", None),
    ("storage_124", True, {124: ("WChaMax",)}, "p_min_w", -4000),
    ("storage_124", True, {120: ("MaxChaRte",)}, "p_min_w", -4000),
    ("storage_124", True, {120: ("WHRtg",)}, "e_max_wh", None),
]


@pytest.mark.parametrize(("name", "storage", "zeros", "field", "expected"), ZEROS)
def test_a_size_of_zero_is_not_stated_and_a_setting_of_zero_is_kept(
    name: str, storage: Any, zeros: Any, field: Any, expected: Any
) -> None:
    fake = lay_out(name)
    for model_id, points in zeros.items():
        fake.put(model_id, **dict.fromkeys(points, 0))
    assert getattr(bound(fake, bind_storage if storage else bind_pv).rating, field) == expected


@pytest.mark.parametrize(
    ("name", "zeros", "named"),
    [
        ("pv_103", {120: "WRtg", 121: "WMax"}, "WMax"),
        ("pv_7xx", {702: "WMaxRtg"}, "WMax"),
        ("storage_124", {124: "WChaMax", 120: "MaxChaRte"}, "WChaMax"),
        ("storage_7xx", {702: "WChaRteMaxRtg"}, "WChaRteMax"),
    ],
)
def test_where_every_source_says_zero_the_device_is_not_recognised(name: str, zeros: Any, named: str) -> None:
    fake = lay_out(name)
    for model_id, point in zeros.items():
        fake.put(model_id, **{point: 0})
    if name == "pv_7xx":
        fake.put(702, WMax=0)
    if name == "storage_7xx":
        fake.put(702, WChaRteMax=0)
    with pytest.raises(NotRecognised, match=named):
        bound(fake, bind_storage if name.startswith("storage") else bind_pv)


def test_percentages_of_704_never_count_from_zero() -> None:
    """The setting 702.WMax at 0: 100 % is the rating, 6000 W."""
    fake = lay_out("pv_7xx", m702={"WMax": 0})
    device = bound(fake, bind_pv)
    accepted = fake.run(device.write(Setpoint(p_ceiling_w=3000.0), Fallback(), fake.poll(device)))
    assert (fake.get(704, "WMaxLimPct"), accepted.p_ceiling_w) == (50.0, 3000.0)


@pytest.mark.parametrize("w_cha_max", [None, 0])
def test_model_124_behind_a_702_needs_a_base_of_its_own(w_cha_max: int | None) -> None:
    """702 states the charge rating, 124 and 120 don't: percent of what?"""
    fake = lay_out("storage_124", m120=None, m121=None, m702=CHARGES)
    fake.put(124, WChaMax=w_cha_max)
    with pytest.raises(NotRecognised, match="WChaMax"):
        bound(fake, bind_storage)


@pytest.mark.parametrize("w_cha_max", [None, 0])
def test_model_124_counts_from_the_nameplate_where_its_own_base_is_not_stated(w_cha_max: int | None) -> None:
    fake = lay_out("storage_124")
    fake.put(124, WChaMax=w_cha_max)
    device = bound(fake, bind_storage)
    accepted = fake.run(device.write(Setpoint(p_target_w=1000.0), Fallback(), fake.poll(device)))
    assert (fake.get(124, "OutWRte"), accepted.p_target_w) == (25.0, 1000.0)
