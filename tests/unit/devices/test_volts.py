"""The voltage by the phase system: as it stands, half of it, or over the root of three (SunSpec models, ACType)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from derctl.devices.sunspec.der import bind_pv
from derctl.devices.sunspec.meter import bind_meter
from tests.fake import bound, lay_out

ROOT = math.sqrt(3.0)
LINES = {"PhVphA": None, "PhVphB": None, "PhVphC": None, "PPVphBC": None, "PPVphCA": None}
LINES_701 = dict.fromkeys(("LNV", "VL1", "VL2", "VL3", "LLV", "VL1L2", "VL2L3", "VL3L1"))
METER_BLANK = dict.fromkeys(("PhV", "PhVphA", "PhVphB", "PhVphC", "PPV"))


@pytest.mark.parametrize(
    ("model", "lines_v", "v_nom_v", "volts"),
    [
        (101, 230.0, 230.0, 230.0), (101, 240.0, 240.0, 240.0), (102, 240.0, 120.0, 120.0),
        (103, 400.0, 230.0, 400 / ROOT), (111, 230.0, 230.0, 230.0), (112, 240.0, 120.0, 120.0),
        (113, 480.0, 277.0, 480 / ROOT),
    ],
)  # fmt: skip
def test_an_inverter_that_tells_only_the_voltage_between_its_lines(
    model: int, lines_v: float, v_nom_v: float, volts: float
) -> None:
    name = {102: "pv_101", 112: "pv_111"}.get(model, f"pv_{model}")
    fake = lay_out(name, **({} if name.endswith(str(model)) else as_model(name, model)))
    device = bound(fake, bind_pv, v_nom_v=v_nom_v)
    fake.put(model, **LINES, PPVphAB=lines_v)
    assert fake.reading(device).v_v == pytest.approx(volts, rel=1e-4)


def as_model(name: str, model: int) -> Any:
    """The same points under another id, in its place."""
    return {f"m{name[3:]}": None, f"m{model}": {"V_SF": -1, "W_SF": 0, "Hz_SF": -2, "W": 3120, "Hz": 60.0, "St": 4}}


@pytest.mark.parametrize("point", ["LLV", "VL1L2"])
@pytest.mark.parametrize(
    ("ac_type", "lines_v", "v_nom_v", "volts"),
    [(0, 240.0, 240.0, 240.0), (0, 230.0, 230.0, 230.0), (1, 240.0, 120.0, 120.0), (2, 400.0, 230.0, 400 / ROOT),
     (None, 400.0, 230.0, None)],
)  # fmt: skip
def test_a_701_that_tells_only_the_voltage_between_its_lines(
    point: str, ac_type: int | None, lines_v: float, v_nom_v: float, volts: float | None
) -> None:
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv, v_nom_v=v_nom_v)
    fake.put(701, ACType=ac_type, **LINES_701 | {point: lines_v})
    found = fake.reading(device).v_v
    assert found is None if volts is None else found == pytest.approx(volts, rel=1e-4)


@pytest.mark.parametrize(
    ("points", "volts"),
    [
        ({"ACType": 1, "LNV": 120.0, "LLV": 240.0}, 120.0),
        ({"ACType": 1, "LNV": None, "VL1": 121.0, "VL2": 119.0, "VL3": None, "LLV": 240.0}, 120.0),
        ({"ACType": None, "LNV": 120.0, "LLV": 240.0}, 120.0),
        ({"ACType": 2, "VL1L2": 400.0, "VL2L3": 402.0, "VL3L1": 404.0, "LLV": None}, 402 / ROOT),
        ({"ACType": 1, "VL1L2": 240.0, "VL2L3": 120.0, "LLV": None}, 120.0),
        ({"ACType": 2, "VL1": None, "VL2": 231.0, "VL3": None}, 231.0),
        ({"ACType": 2, "VL1": 230.0, "VL2": 232.0, "VL3": 4.0}, 231.0),  # a phase without a wire shows noise
        ({"ACType": 2, "VL1": 230.0, "VL2": 231.0, "VL3": 120.0}, 581.0 / 3.0),  # a phase that is down is one
    ],
)  # fmt: skip
def test_what_stands_to_neutral_goes_before_what_stands_between_the_lines(points: Any, volts: float) -> None:
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv, v_nom_v=volts)
    fake.put(701, **LINES_701 | points)
    assert fake.reading(device).v_v == pytest.approx(volts, rel=1e-3)


@pytest.mark.parametrize("point", ["PPV", "AB"])
@pytest.mark.parametrize(
    ("model", "lines"),
    [(201, 1.0), (202, 2.0), (203, ROOT), (204, ROOT), (211, 1.0), (212, 2.0), (213, ROOT), (214, ROOT)],
)
def test_a_meter_that_tells_only_the_voltage_between_its_lines(model: int, lines: float, point: str) -> None:
    values = {"V_SF": -1, "W_SF": 0, "Hz_SF": -2, "W": 4200, "Hz": 50.0}
    models: dict[str, Any] = {"m203": None} | {f"m{model}": values}
    fake = lay_out("meter_203", **models)
    device = bound(fake, bind_meter)
    pair = "PhVphAB" if model in {202, 203, 204} else "PPVphAB"
    fake.put(model, **METER_BLANK | {"PPV" if point == "PPV" else pair: 230.0 * lines})
    assert fake.reading(device).v_v == pytest.approx(230.0, rel=1e-3)
