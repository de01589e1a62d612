"""What arming would write, in a line for each device, and when two pictures are one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from derctl.core.types import Bound, Decision, Fallback, Setpoint
from derctl.core.words import FallbackBy, What
from derctl.daemon.picture import Picture, Stroke, differs, lines, stroke
from tests import make

BY = Bound(by="contract_export_limit", rank=15, what=What.CEILING, value=4000.0)
TOLD = Decision(der="pv1", setpoint=Setpoint(p_ceiling_w=4000.0), bound_by=(BY, BY))


def test_a_line_says_what_is_written_by_whom_what_without_derctl_and_what_stands() -> None:
    der = make.pv("pv1", p_w=5000.0, accepted=Setpoint(p_ceiling_w=6000.0), found_w=6000.0)
    shown = stroke(der, TOLD, Fallback(p_ceiling_w=2000.0, after_s=60.0), None)
    assert lines(Picture(ders=(shown,))) == [
        "pv1: limit 4,000 W (contract_export_limit); without derctl at most 2,000 W, after 60 s by its own timer; "
        "it holds limit 6,000 W now; a limit of 6,000 W was found in it and is kept"
    ]


@pytest.mark.parametrize(
    ("fallback", "said"),
    [
        (Fallback(by=FallbackBy.STANDS, p_ceiling_w=5.0), "without derctl at most 5 W, the last limit stands;"),
        (Fallback(by=FallbackBy.DEVICE), "without derctl no limit, by a limit in the device;"),
    ],
)
def test_each_way_to_fall_back_is_said(fallback: Fallback, said: str) -> None:
    (line,) = lines(Picture(ders=(stroke(make.pv("pv1"), None, fallback, None),)))
    assert line.startswith("pv1: nothing; ") and said in line
    assert line.endswith("it holds nothing that it tells now")


def test_one_that_is_not_written_says_why_and_one_that_is_not_heard_claims_nothing() -> None:
    silent = stroke(make.pv("pv1", fresh=False, accepted=Setpoint(p_ceiling_w=1.0)), TOLD, Fallback(), "no answer")
    assert lines(Picture(ders=(silent,))) == ["pv1: not written: no answer"]
    assert silent.holds is None


ONE = Stroke(der="pv1", size_w=10_000.0, setpoint=Setpoint(p_ceiling_w=4000.0, q_var=100.0))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (ONE, True),
        (replace(ONE, by=("volt_watt",), holds=Setpoint(p_ceiling_w=1.0)), True),
        (replace(ONE, setpoint=Setpoint(p_ceiling_w=6400.0, q_var=-2300.0)), True),
        (replace(ONE, setpoint=Setpoint(p_ceiling_w=6600.0, q_var=100.0)), False),
        (replace(ONE, setpoint=Setpoint(p_ceiling_w=4000.0, q_var=2700.0)), False),
        (replace(ONE, setpoint=Setpoint(p_ceiling_w=4000.0, p_target_w=0.0, q_var=100.0)), False),
        (replace(ONE, setpoint=Setpoint(p_ceiling_w=4000.0)), False),
        (replace(ONE, fallback=Fallback(p_ceiling_w=0.0)), False),
        (replace(ONE, der="pv2"), False),
    ],
)
def test_a_picture_is_another_one_where_somebody_would_have_to_agree_again(other: Stroke, same: bool) -> None:
    assert differs(Picture(ders=(ONE,)), Picture(ders=(other,))) is not same
    assert differs(Picture(ders=(ONE, ONE)), Picture(ders=(other,)))


@pytest.mark.parametrize(
    ("holds", "said"),
    [
        (Setpoint(p_ceiling_w=10_000.0), "it holds no limit now"),
        (Setpoint(p_ceiling_w=10_000.0, q_var=300.0), "it holds no limit, 300 var now"),
        (Setpoint(p_target_w=-500.0), "it holds charging 500 W now"),
    ],
)
def test_what_it_holds_is_said_as_people_say_it(holds: Setpoint, said: str) -> None:
    (line,) = lines(Picture(ders=(replace(ONE, holds=holds),)))
    assert line.endswith(said)
