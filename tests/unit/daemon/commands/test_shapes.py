"""Schedules in other words than intervals: steps of one length, and plans as EMHASS and Predbat publish them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import msgspec
import pytest
import yaml

from derctl.core.words import Role
from derctl.daemon.commands import emhass, predbat, shapes
from derctl.daemon.commands.parts import PARTS_MAX
from derctl.daemon.commands.rights import Rights
from derctl.daemon.commands.row import SCHEDULE_MAX
from derctl.daemon.requests import from_plain, to_plain
from derctl.errors import CommandError
from tests.unit.daemon.commands.test_plans import house, refused
from tests.unit.daemon.commands.test_site_limits import NOON, House, at, until

BERLIN = ZoneInfo("Europe/Berlin")


def published(
    start: datetime, *powers: str, minutes: int = 30, name: str = "p_batt_forecast"
) -> list[dict[str, str]]:
    """As EMHASS's `get_attr_data_dict` writes it: local time with its offset, and the power as text."""
    times = [
        (start.astimezone(UTC) + timedelta(minutes=minutes * i)).astimezone(start.tzinfo) for i in range(len(powers))
    ]
    return [{"date": time.isoformat(), name: power} for time, power in zip(times, powers, strict=True)]


def answer(rows: Any, **other: Any) -> dict[str, Any]:
    """As EMHASS's GET /api/v1/plan gives it (docs/api/v1/plan.schema.json)."""
    same = {"status": "ok", "generated_at": "2026-11-21T11:55:02Z", "emhass_schema_version": "1.0", "plan": rows}
    return same | other


def row(minutes: float, power: Any, **other: Any) -> dict[str, Any]:
    time = (NOON + timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"timestamp": time, "P_PV": 0.0, "P_batt": power, "SOC_opt": 0.4, "optim_status": "Optimal"} | other


def no_plan(make: Any, plan: Any) -> str:
    with pytest.raises(CommandError) as refusal:
        make(plan)
    assert refusal.value.code == "bad_argument"
    return str(refusal.value)


# ---- steps


async def test_a_day_of_five_minutes_fits_as_steps_and_a_gap_is_nobody_s_word() -> None:
    home = house()
    values = [-1_000.0, None, *[500.0] * (PARTS_MAX - 1)]
    steps = {"start": at(0)["start"], "step_s": 300, "p_target_w": values}
    reply = await home.send("battery_plan", der="bat1", steps=steps, expires_s=86_400)
    assert reply["text"].endswith(f"interval 1 of {PARTS_MAX} counts now")
    shown = []
    for minutes in (4, 6, 11, 24 * 60 - 1):
        home.passed_s = 60.0 * minutes
        shown.append([each.p_target_w for each in home.alive])
    assert shown == [[-1_000.0], [None], [500.0], [500.0]]
    [held] = home.requests.held.values()
    plain = msgspec.json.encode(to_plain(held, wall=NOON.timestamp(), now_s=50.0 + home.passed_s))
    assert len(plain) < 20_000, "what the state file writes of it"
    assert from_plain(msgspec.json.decode(plain), wall=NOON.timestamp()).schedule == held.request.schedule  # type: ignore[attr-defined]


async def test_steps_of_an_envelope_have_its_limits() -> None:
    home = House()
    steps = {"start": at(0)["start"], "step_s": 600, "export_w": [5_000, 0], "import_w": [None, 6_000]}
    assert (await home.send("operating_envelope", steps=steps))["result"] == "admitted"
    shown = []
    for minutes in (1, 11, 21):
        home.passed_s = 60.0 * minutes
        [held] = home.alive
        shown.append((held.export_w, held.import_w))
    assert shown == [(5_000.0, None), (0.0, 6_000.0), (None, None)]
    reply = await House().send("operating_envelope", shape="emhass", plan=[])
    assert reply["code"] == "bad_argument" and "no argument shape" in reply["text"]


STEPS = {"start": until(0), "step_s": 300, "p_target_w": [1, 2]}


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        ({"steps": STEPS, "intervals": []}, "bad_argument", "steps and intervals: give one of them"),
        ({"steps": STEPS, "shape": "emhass"}, "bad_argument", "shape and steps: give one of them"),
        ({"intervals": [], "shape": "emhass"}, "bad_argument", "shape and intervals: give one of them"),
        ({"intervals": [], "plan": []}, "bad_argument", "plan needs its shape"),
        ({"shape": "emhas", "plan": []}, "bad_argument", 'shape: "emhas" is not one of emhass, predbat'),
        ({"shape": ["emhass"], "plan": []}, "bad_argument", "is not one of emhass, predbat"),
        ({}, "bad_argument", "intervals is missing"),
        ({"steps": [1]}, "bad_argument", "steps: expected an object"),
        ({"steps": STEPS | {"export_w": [1]}}, "bad_argument", "no argument export_w"),
        ({"steps": {"start": until(0), "step_s": 300}}, "bad_argument", "steps says nothing"),
        ({"steps": STEPS | {"p_floor_w": [1]}}, "bad_argument", "p_target_w has 2 values, p_floor_w has 1 values"),
        ({"steps": STEPS | {"step_s": 0}}, "out_of_range", "steps.step_s = 0 is outside 0 (not included) to 86400 s"),
        ({"steps": STEPS | {"start": "2026-11-21T12:00:00"}}, "bad_argument", "needs a time zone"),
        ({"steps": STEPS | {"start": "9999-12-31T23:59:00Z"}}, "bad_argument", "there is no calendar"),
        ({"steps": STEPS | {"p_target_w": [1] * 289}}, "out_of_range", "289 intervals are outside 0 to 288"),
        ({"steps": STEPS | {"p_target_w": [1, 9e3]}}, "out_of_range", "W (from 2026-11-21T12:05:00+00:00 on)"),
    ],
)
async def test_a_schedule_that_is_none_or_two_is_refused(args: dict[str, Any], code: str, text: str) -> None:
    said = await refused(house(), "battery_plan", der="bat1", **args)
    assert said[0] == code and text in said[1]


async def test_the_ranges_of_a_principal_hold_for_a_planner_s_own_words() -> None:
    home = house()
    rights = Rights(
        name="dso",
        place="mqtt.principals[0]",
        role=Role.OWNER,
        commands=frozenset({"battery_plan"}),
        ranges={"p_target_w": (-2_000.0, 2_000.0)},
    )
    home.desk.rights = {"dso": rights}
    plan = published(NOON, "-1500.0", "-2500.0")
    said = await refused(home, "battery_plan", der="bat1", shape="emhass", plan=plan)
    assert said[0] == "out_of_envelope" and "p_target_w = -2500 is outside -2000 to 2000" in said[1]


async def test_the_audit_log_keeps_of_a_large_plan_its_size_and_its_hash() -> None:
    home, noted = house(), []
    home.desk.note = lambda *what, **more: noted.append(more["arguments"])
    await home.send("battery_plan", der="bat1", shape="emhass", plan=published(NOON, *["100.0"] * 288, minutes=5))
    await home.send("battery_plan", der="bat1", intervals=[at(0, end=until(9), p_target_w=1)])
    assert noted[0]["plan"]["bytes"] > 18_000 and len(noted[0]["plan"]["sha256"]) == 64
    assert noted[1]["intervals"] == [at(0, end=until(9), p_target_w=1)]


# ---- EMHASS


async def test_what_emhass_publishes_is_a_plan_with_its_sign() -> None:
    home = house()
    plan = published(NOON.astimezone(BERLIN), "-4200.0", "3500.0", "0.0")
    assert plan[0] == {"date": "2026-11-21T13:00:00+01:00", "p_batt_forecast": "-4200.0"}
    reply = await home.send("battery_plan", der="bat1", shape="emhass", plan=plan, expires_s=7200)
    assert reply["text"].endswith("interval 1 of 3 counts now")
    shown = []
    for minutes in (29, 31, 61, 89, 91):
        home.passed_s = 60.0 * minutes
        shown.append([each.p_target_w for each in home.alive])
    assert shown == [[-4_200.0], [3_500.0], [0.0], [0.0], [None]]


def test_the_answer_of_its_api_and_a_name_that_was_chosen_say_the_same() -> None:
    rows = [row(0, -4200.0), row(30, 3500.0), row(60, 0.0, optim_status="Optimal (Relaxed)")]
    expected = emhass.intervals(published(NOON, "-4200.0", "3500.0", "0.0"))
    assert emhass.intervals(answer(rows)) == expected
    assert emhass.intervals({key: value for key, value in answer(rows).items() if key != "status"}) == expected
    assert (
        emhass.intervals(published(NOON, "-4200.0", "3500.0", "0.0", name="mpc_p_batt_forecast_battery1")) == expected
    )
    assert [each["p_target_w"] for each in expected] == [-4_200.0, 3_500.0, 0.0]
    assert expected[-1]["end"] == NOON + timedelta(minutes=90)


@pytest.mark.parametrize(("day", "rows"), [((2026, 10, 25), 50), ((2026, 3, 29), 46)])
def test_a_day_on_which_the_clocks_change_has_as_many_half_hours_as_it_lasts(
    day: tuple[int, int, int], rows: int
) -> None:
    start = datetime(*day, tzinfo=BERLIN)
    found = emhass.intervals(published(start, *["100.0"] * rows))
    assert found[-1]["end"] == start + timedelta(days=1)
    assert {each["end"].timestamp() - each["start"].timestamp() for each in found} == {1800.0}
    assert all(before["end"].timestamp() == after["start"].timestamp() for before, after in pairwise(found))


def test_rows_whose_times_were_each_read_from_a_clock_lie_side_by_side() -> None:
    rows = published(NOON, "1", "2", "3", "4")
    for n, row_ in enumerate(rows):
        row_["date"] = (datetime.fromisoformat(row_["date"]) + timedelta(microseconds=13 * n)).isoformat()
    found = emhass.intervals(rows)
    assert [each["p_target_w"] for each in found] == [1.0, 2.0, 3.0, 4.0]
    assert all(before["end"] == after["start"] for before, after in pairwise(found))


GAP = [*published(NOON, "1", "2", "3"), *published(NOON + timedelta(hours=3), "4")]


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (None, "plan: null is neither"),
        ("[]", "is neither"),
        ([], "plan[0]: null is no row"),
        ([7], "plan[0]: 7 is no row"),
        ([{"date": until(0)}], "is no row of EMHASS: a date, and one power"),
        (published(NOON, "1", "2", name="soc_batt_forecast"), "plan[0].soc_batt_forecast is no battery's power"),
        (published(NOON, "1", "2", name="p_grid_forecast"), "plan[0].p_grid_forecast is no battery's power"),
        (published(NOON, "1", "nan"), 'plan[1].p_batt_forecast: "nan" is no number'),
        ([*published(NOON, "1"), {"date": until(30)}], "has no p_batt_forecast"),
        (published(NOON, "1"), "plan[0].date: one row alone"),
        (GAP, "plan[3].date comes 7200 s after the row ahead of it, the others 1800 s"),
        ([*published(NOON, "1", "2")] * 2, "plan[2].date comes -1800 s after"),
        ([*published(NOON, "1")] * 2, "plan[1].date comes 0 s after"),
        (published(NOON.replace(tzinfo=None), "1", "2"), "needs"),
        (answer(None, status="no-run"), 'plan.status: "no-run": EMHASS has no plan'),
        (answer([], emhass_schema_version="2.0"), 'plan.emhass_schema_version: "2.0", and only 1.x is known'),
        (answer([], emhass_schema_version=None), "plan.emhass_schema_version: null"),
        (answer([]), "plan.plan: [] is no list of rows"),
        (answer([7]), "plan.plan[0]: 7 has no P_batt"),
        (answer([row(0, 1, P_batt_0=1, P_batt_1=0)]), "plan.plan[0].P_batt is the sum of P_batt_0, P_batt_1"),
        (answer([row(0, None), row(30, 1)]), "plan.plan[0].P_batt: null is no number"),
        (answer([row(0, True), row(30, 1)]), "plan.plan[0].P_batt: true is no number"),
        (answer([row(0, 1), row(30, 1, optim_status="Infeasible")]), 'plan.plan[1].optim_status: "Infeasible"'),
        (answer([row(0, 1, timestamp=7), row(30, 1)]), "plan.plan[0].timestamp: 7 is no time"),
        (answer([row(0, 1), row(30, 10**400)]), "plan.plan[1].P_batt"),
    ],
)
def test_a_plan_of_emhass_that_can_be_read_in_two_ways_is_refused_with_its_place(plan: Any, text: str) -> None:
    if text == "needs":
        plan = [{**each, "date": each["date"].removesuffix("+00:00")[:19]} for each in plan]
        assert "has no time zone" in no_plan(emhass.intervals, plan)
        return
    assert text in no_plan(emhass.intervals, plan)


# ---- Predbat


def stamp(minutes: float, zone: Any = UTC) -> str:
    return (NOON + timedelta(minutes=minutes)).astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S%z")


def series(*points: tuple[float, float], zone: Any = UTC) -> dict[str, float]:
    """As Predbat's `results`: TIME_FORMAT "%Y-%m-%dT%H:%M:%S%z"."""
    return {stamp(minutes, zone): value for minutes, value in points}


def expected_by_predbat(zone: Any = UTC) -> dict[str, Any]:
    """The house is followed, a charge to 80 %, the house, an export to 20 %, a freeze of charging, the house."""
    power = [(0, 0.4), (5, 0.4), (30, -2.5), (60, -1.25), (90, 0.3), (120, 3.0), (150, 0.0), (180, 0.5), (200, 0.5)]
    return {
        "power": series(*power, zone=zone),
        "charge_limit": series((-720, 0), (30, 80), (90, 0), zone=zone),
        "export_limit": series((-720, 100), (120, 20.0), (150, 99.0), (180, 100), zone=zone),
    }


@pytest.mark.parametrize("zone", [UTC, BERLIN])
def test_of_predbat_s_plan_its_windows_count_and_the_house_is_left_to_others(zone: Any) -> None:
    assert next(iter(expected_by_predbat()["power"])) == "2026-11-21T12:00:00+0000"
    found = predbat.intervals(expected_by_predbat(zone))
    said = [
        ((each["start"] - NOON) / timedelta(minutes=1), (each["end"] - NOON) / timedelta(minutes=1), each)
        for each in found
    ]
    aims = [
        (start, end, {key: value for key, value in each.items() if key not in {"start", "end"}})
        for start, end, each in said
    ]
    assert aims == [
        (30, 60, {"p_target_w": -2_500.0}),
        (60, 90, {"p_target_w": -1_250.0}),
        (120, 150, {"p_target_w": 3_000.0}),
        (150, 180, {"p_floor_w": 0.0}),
    ]


async def test_a_plan_of_predbat_is_executed_in_its_windows_alone() -> None:
    home = house()
    reply = await home.send("battery_plan", der="bat1", shape="predbat", plan=expected_by_predbat(), expires_s=7200)
    assert reply["text"].endswith("; no interval counts now, the next one in 1800 s")
    home.passed_s = 45 * 60.0
    assert [each.p_target_w for each in home.alive] == [-2_500.0]


async def test_a_window_that_predbat_gives_up_is_not_executed_by_the_plan_before() -> None:
    home = house()
    await home.send("battery_plan", der="bat1", shape="predbat", plan=expected_by_predbat(), expires_s=7200)
    closed = {"charge_limit": series((-720, 0)), "export_limit": series((-720, 100))}
    reply = await home.send("battery_plan", der="bat1", shape="predbat", plan=expected_by_predbat() | closed)
    assert reply["result"] == "admitted" and "no interval counts before it ends: others decide" in reply["text"]
    home.passed_s = 45 * 60.0
    assert [(each.part, each.p_target_w) for each in home.alive] == [(None, None)]


async def test_a_plan_whose_intervals_begin_after_its_end_is_the_planner_s_word_all_the_same() -> None:
    home = house()
    await home.send("battery_plan", der="bat1", intervals=[at(0, end=until(60), p_target_w=1)])
    reply = await home.send("battery_plan", der="bat1", intervals=[at(70, end=until(80), p_target_w=1)])
    assert "no interval counts before it ends" in reply["text"] and [each.p_target_w for each in home.alive] == [None]
    said = await home.send("battery_plan", der="bat1", intervals=[at(-20, end=until(-10), p_target_w=1)])
    assert said["code"] == "expired" and len(home.alive) == 1, "a late one takes nobody's place"


def test_a_window_that_opens_while_the_power_stays_begins_where_it_opens() -> None:
    plan = {
        "power": series((0, -1.0), (120, -1.0)),
        "charge_limit": series((-60, 0), (30, 50), (60, 60), (90, 0)),
        "export_limit": series((-60, 100)),
    }
    [only] = predbat.intervals(plan)
    assert (only["start"], only["end"], only["p_target_w"]) == (
        NOON + timedelta(minutes=30),
        NOON + timedelta(minutes=90),
        -1_000.0,
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (None, "is no object with power, charge_limit, export_limit"),
        ({"power": None}, "plan.power: null is not the `results` of predbat.battery_power_best"),
        ({"charge_limit": {}}, "plan.charge_limit: {} is not the `results` of predbat.best_charge_limit"),
        ({"charge_limit": {"12:00": 0}}, 'plan.charge_limit: "12:00" is no time'),
        ({"charge_limit": {"2026-11-21T12:00:00": 0}}, "has no time zone"),
        ({"power": series((0, 0.1)) | {stamp(5): "unknown"}}, 'plan.power.2026-11-21T12:05:00+0000: "unknown" is no'),
        ({"power": {stamp(0): 1, stamp(0, BERLIN): 1}}, "plan.power: 2026-11-21T"),
        ({"export_limit": series((10, 100))}, "plan.export_limit begins at 2026-11-21T12:10:00"),
        ({"export_limit": series((-720, 50))}, "charge_limit is 80 and export_limit 50: nobody can do both"),
    ],
)
def test_a_plan_of_predbat_that_can_be_read_in_two_ways_is_refused_with_its_place(change: Any, text: str) -> None:
    plan = None if change is None else expected_by_predbat() | change
    assert text in no_plan(predbat.intervals, plan)


def test_every_shape_is_known_by_its_name() -> None:
    assert sorted(shapes.SHAPES) == ["emhass", "predbat"]


# ---- the automations of docs/interfaces.md

PAGE = Path(__file__).parents[4] / "docs" / "interfaces.md"
AUTOMATIONS = dict(re.findall(r"^```automation (\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S))


def rendered(name: str, states: dict[str, dict[str, Any]]) -> tuple[str, str]:
    """Topic and payload, by Home Assistant's words that the template uses: they do as its documentation says."""
    [action] = yaml.safe_load(AUTOMATIONS[name])["actions"]
    assert action["action"] == "mqtt.publish"
    words = jinja2.Environment(autoescape=False)
    words.filters["to_json"] = json.dumps
    words.globals |= {
        "state_attr": lambda entity, key: states.get(entity, {}).get(key),
        "now": lambda: NOON,
        "utcnow": lambda: NOON,
    }
    return action["data"]["topic"], words.from_string(action["data"]["payload"]).render()


STATES = {
    "emhass": {
        "sensor.p_batt_forecast": {"battery_scheduled_power": published(NOON, *["-500.0"] * 400, minutes=5)},
    },
    "predbat": {
        "predbat.battery_power_best": {"results": expected_by_predbat()["power"]},
        "predbat.best_charge_limit": {"results": expected_by_predbat()["charge_limit"]},
        "predbat.best_export_limit": {"results": expected_by_predbat()["export_limit"]},
    },
}


@pytest.mark.parametrize("name", sorted(shapes.SHAPES))
async def test_what_the_automation_sends_is_admitted(name: str) -> None:
    home = house()
    topic, payload = rendered(name, STATES[name])
    assert topic.endswith("/cmd/home/battery_plan") and len(payload) <= SCHEDULE_MAX
    reply = await home.desk.by_mqtt("home", "battery_plan", payload.encode(), False)
    assert (reply["result"], len(home.alive)) == ("admitted", 1)
    empty = rendered("predbat", {})[1]
    reply = await home.desk.by_mqtt("home", "battery_plan", empty.replace("predbat-", "p-").encode(), False)
    assert reply["code"] == "bad_argument" and "plan.power: null" in reply["text"]


async def test_the_steps_of_the_document_are_admitted() -> None:
    [text] = re.findall(r"^```json steps\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    reply = await house().desk.by_mqtt("home", "battery_plan", text.encode(), False)
    assert reply["text"].endswith("interval 1 of 3 counts now")
