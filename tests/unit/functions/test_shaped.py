"""A plan while shapes are asked for, which settings a grid code has no range for, and what takes whose place."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.requests import FunctionRequest, LimitRequest
from derctl.errors import SettingError
from derctl.functions import ROWS, plan_of
from derctl.functions.code import Between
from derctl.functions.const_pf import ConstPf
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.settings import settings_of
from derctl.functions.shaped import MODES, NEEDED, SHAPED, applied, shaped, unconfirmed
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt

BOTH = ("pv1", "pv2")


def request(function: str, der: str | None = None, *, on: bool = True, **settings: Any) -> FunctionRequest:
    return FunctionRequest(
        id="a", by="dso", der=der, remaining_s=60.0, function=function, on=on, reactive=function in MODES,
        settings=settings,
    )  # fmt: skip


def test_a_plan_has_each_der_s_function_in_its_shape() -> None:
    plan = plan_of([(VoltVar(), BOTH), (VoltWatt(), BOTH)], [], modes=(ConstPf(pf=1.0),))
    asked = [
        request("volt_var", olrt_s=20.0),
        request("const_pf", "pv2", pf=0.9),
        request("volt_watt", "pv1", on=False),
        request("freq_droop", k_of=0.03),
    ]
    assert applied(plan, asked).der_functions == (
        (VoltVar(olrt_s=20.0), ("pv1",)),
        (ConstPf(pf=0.9), ("pv2",)),
        (VoltWatt(), ("pv2",)),
    )
    assert applied(plan, ()) == plan


def test_what_a_code_gives_no_range_for_is_not_confirmed() -> None:
    some = Between(low=0.0, high=1.0, source="somebody")
    droop = FreqDroop(rules={"k_of": some})
    assert unconfirmed(droop, ["k_of", "db_of_hz", "p_min_pu"]) == ["db_of_hz"]
    assert unconfirmed(FreqDroop(), ["k_of", "db_of_hz"]) == [], "without a code its own ranges count"
    assert unconfirmed(ConstPf(pf=1.0), ["pf"]) == [], "in which no code has a word"


def test_a_shape_is_checked_as_the_site_file_is_and_made_once() -> None:
    assert shaped(VoltWatt(), {"v1_pu": 1.07}) is shaped(VoltWatt(), {"v1_pu": 1.07})
    with pytest.raises(SettingError):
        shaped(VoltWatt(), {"v1_pu": 1.2})


def test_the_modes_are_the_rows_reactive_ones_and_what_is_shaped_are_settings_of_theirs() -> None:
    assert {row.kind: row.function for row in ROWS.values() if row.reactive} == MODES
    for kind, names in SHAPED.items():
        assert {*names} <= {item.name for item in settings_of(ROWS[kind].function)}
    assert NEEDED.keys() == {"const_pf", "const_var"}


def test_of_reactive_modes_each_takes_the_others_place_and_of_other_functions_none() -> None:
    places = [request(kind).place for kind in SHAPED]
    assert len({*places}) == 3 and places[:4] == ["set_function reactive"] * 4
    assert all(each.bounds() == {each.place: 0.0} for each in map(request, SHAPED))
    assert LimitRequest(id="l", by="dso", der=None, remaining_s=1.0, p_ceiling_w=1.0).place == "limit_power"
