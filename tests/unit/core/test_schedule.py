"""Which part of a schedule counts, by what is left of its command."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from derctl.core.requests import (
    BatteryRequest,
    EnvelopeRequest,
    EventRequest,
    FloorRequest,
    GridLimitRequest,
    LimitRequest,
    OwnerLimitRequest,
    PlanRequest,
)
from derctl.core.schedule import Aim, Limits, current
from derctl.core.text import wish

PARTS = (
    Limits(from_s=100.0, to_s=60.0, export_w=5_000.0),
    Limits(from_s=60.0, to_s=40.0, export_w=1_500.0, import_w=6_000.0),
    Limits(from_s=20.0, to_s=-30.0, generation_w=2_000.0),
)


@pytest.mark.parametrize(
    ("left_s", "part"),
    [(120.0, None), (100.0, 0), (60.1, 0), (60.0, 1), (40.0, None), (30.0, None), (20.0, 2), (0.5, 2)],
)
def test_a_part_counts_from_its_start_until_its_end(left_s: float, part: int | None) -> None:
    assert current(PARTS, left_s) == part


def envelope(left_s: float) -> EnvelopeRequest:
    return EnvelopeRequest(id="e", der=None, by="dso", remaining_s=left_s, schedule=PARTS)


def test_an_envelope_says_what_counts_now_and_for_how_long() -> None:
    now = envelope(50.0).now()
    assert (now.part, now.parts, now.part_s, now.schedule) == (2, 3, 10.0, ())
    assert now.bounds() == {"export_w": 1_500.0, "import_w": 6_000.0}
    assert envelope(15.0).now().part_s == 15.0, "no part lasts longer than its command"


def test_between_its_parts_it_says_nothing() -> None:
    now = envelope(30.0).now()
    assert (now.part, now.parts, now.part_s) == (None, 3, None) and now.bounds() == {}


def test_what_is_asked_for_is_said_in_words() -> None:
    plain = {"schedule": [], "parts": 3, "part": 2, "part_s": 10.0, "export_w": 1_500.0, "import_w": None}
    assert wish(plain) == "interval 2 of 3, export 1500 W"
    assert wish({"p_ceiling_w": 4_000.0}) == "4000 W" and wish({"pf": 0.9, "q_pu": None}) == "pf 0.9"
    assert wish({}) == ""
    assert wish({"export_w": None, "import_w": None}) == "nothing now"


def test_an_event_and_a_plan_count_once_they_have_begun() -> None:
    event = EventRequest(id="d", der=None, by="dso", remaining_s=200.0, schedule=PARTS[:1])
    assert event.now().part is None and event.now().bounds() == {}
    begun = replace(event, remaining_s=80.0).now()
    assert (begun.part, begun.part_s, begun.bounds()) == (1, 20.0, {"export_w": 5_000.0})
    aim = Aim(from_s=100.0, to_s=60.0, p_target_w=-500.0)
    plan = PlanRequest(id="p", der="bat1", by="home", remaining_s=200.0, schedule=(aim,))
    assert (plan.now().part, plan.now().p_target_w) == (None, None)
    now = replace(plan, remaining_s=100.0).now()
    assert (now.part, now.parts, now.part_s, now.p_target_w, now.schedule) == (1, 1, 40.0, -500.0, ())


def test_of_two_requests_the_lower_bound_of_each_name_is_the_tighter() -> None:
    common: Any = {"id": "a", "by": "dso", "remaining_s": 60.0}
    assert LimitRequest(**common, der="pv1", p_ceiling_w=5.0).bounds() == {"p_ceiling_w": 5.0}
    for kind in (GridLimitRequest, OwnerLimitRequest):
        request = kind(**common, der=None, import_w=7.0, generation_w=0.0)
        assert request.bounds() == {"import_w": 7.0, "generation_w": 0.0} and request.now() is request
    assert BatteryRequest(**common, der="bat1", p_target_w=-5.0).bounds() == {"": 0.0}, "a setpoint bounds nothing"
    assert FloorRequest(**common, der="bat1", p_floor_w=5.0).bounds() == {"p_floor_w": -5.0}, "of floors the higher"
