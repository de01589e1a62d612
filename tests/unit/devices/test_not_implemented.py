"""Every point in turn turns to "not implemented". What depended on it is None, never 0; the rest stays."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import pytest
import sunspec2.device

from derctl.core.pack import Pack
from derctl.core.types import Fallback, Rating, Reading, Setpoint
from derctl.core.words import Status
from derctl.devices.sunspec.bms import bind_bms
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from derctl.errors import DecodeError, NotRecognised, SettingError
from tests.fake import bound, lay_out

MEASURED = {
    ("pv_101", 101): bind_pv, ("pv_103", 103): bind_pv, ("pv_113", 113): bind_pv, ("pv_7xx", 701): bind_pv,
    ("meter_201", 201): bind_meter, ("meter_203", 203): bind_meter, ("meter_213", 213): bind_meter,
    ("bms", 802): bind_bms, ("storage_7xx", 713): bind_storage, ("storage_124", 124): bind_storage,
    ("pv_103", 123): bind_pv, ("pv_7xx", 704): bind_pv, ("storage_7xx", 704): bind_storage,
}  # fmt: skip
KEYS = {
    "W": "p_w", "VAr": "q_var", "Var": "q_var", "VAR": "q_var", "Hz": "f_hz", "WH": "energy_wh", "DCW": "dc_p_w",
    "TotWhInj": "energy_wh", "TotWhAbs": "energy_in_wh", "TotWhExp": "energy_wh",
    "SoC": "soc_pct", "SoH": "soh_pct", "ChaState": "soc_pct",
}  # fmt: skip
SKIPPED = {"ID", "L"}
NO_VAR = {("q_inj_max_var", "Var_SF"), ("q_abs_max_var", "Var_SF")}  # then it is given no var at all


def points_of(model_id: Any) -> Any:
    return [name for name in sunspec2.device.Model(model_id=model_id).points if name not in SKIPPED]


EACH = [(name, model_id, bind, point) for (name, model_id), bind in MEASURED.items() for point in points_of(model_id)]


def values_of(reading: Any) -> Any:
    flat = {item.name: getattr(reading, item.name) for item in fields(Reading)}
    accepted, pack = flat.pop("accepted"), flat.pop("pack")
    told = {} if pack is None else {f"pack.{item.name}": getattr(pack, item.name) for item in fields(Pack)}
    return flat | told | ({} if accepted is None else {f"accepted.{k}": v for k, v in asdict(accepted).items()})


@pytest.mark.parametrize(
    ("name", "model_id", "bind", "point"),
    EACH,
    ids=[f"{name}-{model_id}-{point}" for name, model_id, _, point in EACH],
)
def test_a_point_that_is_not_implemented_any_more_is_none_and_never_zero(
    name: str, model_id: int, bind: Any, point: str
) -> None:
    fake = lay_out(name)
    device = bound(fake, bind)
    before = values_of(fake.reading(device))
    fake.put(model_id, **{point: None})
    reading = fake.reading(device)
    after = values_of(reading)
    assert {key.partition(".")[0] for key in before.keys() - after.keys()} <= {"accepted"}
    assert after.keys() <= before.keys()
    for key, value in after.items():
        if value == before[key] or value is None:
            continue
        if key == "v_v":  # from what is left
            assert value == pytest.approx(before[key], rel=0.01)
        elif key == "v_phase_v":  # the others are what they were
            assert [volts in {was, None} for volts, was in zip(value, before[key], strict=True)] == [True] * len(
                value
            )
            assert value.count(None) == 1
        else:
            assert key == "status", f"{key} became {value}"
            assert value in {Status.UNKNOWN, Status.ON}
    expected = "dc_p_w" if (model_id, point) == (802, "W") else KEYS.get(point)
    if expected is not None:
        assert after[expected] is None


@pytest.mark.parametrize(("name", "model_id"), [("pv_103", 103), ("pv_7xx", 701), ("meter_203", 203), ("bms", 802)])
def test_with_nothing_implemented_nothing_is_measured(name: str, model_id: int) -> None:
    bind = {"pv": bind_pv, "meter": bind_meter, "bms": bind_bms}[name.split("_", maxsplit=1)[0]]
    fake = lay_out(name)
    device = bound(fake, bind)
    fake.put(model_id, **dict.fromkeys(points_of(model_id)))
    after = values_of(fake.reading(device))
    if bind is bind_pv:  # nothing of it shows any life: asleep, which gives 0 W and 0 var
        assert (after.pop("status"), after.pop("p_w"), after.pop("q_var")) == (Status.ASLEEP, 0.0, 0.0)
    measured = {key for key, value in after.items() if value not in (None, (), "on", "unknown")}
    assert {key for key in measured if not key.startswith(("accepted", "own", "limits_by", "pack.bounds"))} == set()


@pytest.mark.parametrize(("name", "model_id"), [("pv_103", 120), ("pv_103", 121), ("pv_7xx", 702)])
def test_a_rating_point_that_is_missing_is_found_elsewhere_or_is_not_claimed(name: str, model_id: int) -> None:
    whole = asdict(bound(lay_out(name), bind_pv).rating)
    for point in points_of(model_id):
        fake = lay_out(name)
        fake.put(model_id, **{point: None})
        try:
            found = asdict(bound(fake, bind_pv).rating)
        except NotRecognised:
            assert point == "W_SF"  # setting and rating share it
            continue
        for key, value in found.items():
            assert value == whole[key] or value > 0.0 or (key, point) in NO_VAR, point


def test_without_any_power_rating_a_device_is_not_recognised() -> None:
    for name, changes in (("pv_103", {120: "WRtg", 121: "WMax"}), ("pv_7xx", {702: "WMaxRtg"})):
        fake = lay_out(name)
        for model_id, point in changes.items():
            fake.put(model_id, **{point: None})
        if name == "pv_7xx":
            fake.put(702, WMax=None)
        with pytest.raises(NotRecognised, match="WMax"):
            bound(fake, bind_pv)
        with pytest.raises(NotRecognised, match="WMax"):  # it may fill them in tomorrow: then it can be controlled
            bound(fake, bind_pv, declared=Rating(**dict.fromkeys(Rating.__dataclass_fields__, 5000.0)))


ABSENT = {"uint16": {0xFFFF}, "int16": {0x8000}, "enum16": {0xFFFF}}


@pytest.mark.parametrize(
    ("name", "bind", "model_id"),
    [("pv_103", bind_pv, 123), ("storage_124", bind_storage, 124)],
)
def test_whatever_is_missing_no_not_implemented_value_is_written_to_12x(name: str, bind: Any, model_id: int) -> None:
    """For models that are written point by point and never read into what is written."""
    told = Setpoint(p_ceiling_w=1000.0, p_target_w=700.0, q_var=300.0)
    wrote = 0
    for point in points_of(model_id):
        fake = lay_out(name)
        fake.put(model_id, **{point: None})
        device = bound(fake, bind)
        try:
            fake.run(device.write(told, Fallback(p_ceiling_w=500.0), fake.poll(device)))
        except (DecodeError, SettingError):
            continue
        start = fake.places[model_id]
        kinds = {p.offset: p.pdef["type"] for p in fake.decoded(model_id).points.values()}
        for op in fake.writes:
            for offset, value in enumerate(op.values, op.address - start):
                if offset in kinds:
                    wrote += 1
                    assert value not in ABSENT.get(kinds[offset], {0x10000}), point
    assert wrote > 50
