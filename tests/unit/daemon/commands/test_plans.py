"""Plans, events, settings for a time and the emergency stop as they come in: admitted, or refused with the range."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from derctl.core.requests import StopRequest
from derctl.core.types import FOREVER_S
from derctl.core.words import Standing
from derctl.daemon.requests import from_plain, to_plain
from derctl.functions.const_pf import ConstPf
from derctl.functions.const_var import ConstVar
from derctl.functions.departure import Departure
from derctl.functions.operator import OperatorLimit
from derctl.functions.reserve import Reserve
from derctl.functions.schedule import Schedule
from derctl.functions.site_limits import GridLimits
from derctl.functions.soc_guard import SocGuard
from tests import make
from tests.unit.daemon.commands.test_site_limits import NOON, House, at, until

FUNCTIONS: tuple[Any, ...] = (
    (Reserve(min_pct=20.0), ("bat1",)),
    (Schedule(), ("bat1",)),
    (Departure(efficiency_pu=1.0), ("bat1",)),
    (SocGuard(max_pct=95.0), ("bat1",)),
    (OperatorLimit(), ("pv1", "bat1")),
    (ConstPf(pf=0.95), ("pv1",)),
    (ConstVar(q_pu=0.0), ("bat1",)),
)


def house(*functions: Any, may_opt_out: bool = True) -> Any:
    made = House()
    der_functions = functions or FUNCTIONS
    made.plan = SimpleNamespace(
        site_functions=[(GridLimits(may_opt_out=may_opt_out), ("pv1", "bat1"))], der_functions=list(der_functions)
    )
    made.has_function = lambda kind, der: any(f.kind == kind and der in ids for f, ids in der_functions)  # type: ignore[attr-defined]
    return made


async def refused(home: Any, name: str, **args: Any) -> tuple[str, str]:
    reply = await home.send(name, **args)
    assert reply["result"] == "refused" and home.alive == []
    return reply["code"], reply["text"]


# ---- plans


async def test_a_plan_counts_interval_by_interval_and_a_later_one_of_anybody_takes_its_place() -> None:
    home = house()
    steps = [at(0, p_target_w=-2_500), at(30, end=until(45), p_floor_w=500, p_ceiling_w=3_000)]
    reply = await home.send("battery_plan", der="bat1", intervals=steps)
    assert reply["text"] == "until 2026-11-21T13:00:00.000Z; interval 1 of 2 counts now"
    shown = []
    for minutes in (0, 29, 31, 46):
        home.passed_s = 60.0 * minutes
        [held] = home.alive
        shown.append((held.part, held.p_target_w, held.p_floor_w, held.p_ceiling_w))
    assert shown == [(1, -2_500.0, None, None)] * 2 + [(2, None, 500.0, 3_000.0), (None, None, None, None)]
    home.passed_s = 60.0
    reply = await home.send("battery_plan", by="emhass", der="bat1", intervals=[at(30, end=until(40), p_target_w=1)])
    assert "; no interval counts now, the next one in 1740 s" in reply["text"] and [
        each.by for each in home.alive
    ] == ["emhass"]


@pytest.mark.parametrize(
    ("der", "step", "code", "text"),
    [
        (
            "bat1",
            {"p_target_w": -5_001},
            "out_of_range",
            "intervals[0].p_target_w = -5001 is outside -5000 to 5000 W",
        ),
        ("bat1", {"p_floor_w": 6e3}, "out_of_range", "intervals[0].p_floor_w = 6000 is outside -5000 to 5000 W"),
        ("bat1", {}, "bad_argument", "intervals[0] says nothing"),
        ("bat1", {"p_floor_w": 2, "p_ceiling_w": 1}, "out_of_range", "intervals[0].p_floor_w = 2 is outside"),
        ("pv1", {"p_target_w": 1}, "no_function", "no schedule for 'pv1'"),
        ("nobody", {"p_target_w": 1}, "no_der", "nobody"),
    ],
)
async def test_a_plan_that_is_none_is_refused(der: str, step: dict[str, Any], code: str, text: str) -> None:
    said = await refused(house(), "battery_plan", der=der, intervals=[at(0, end=until(9), **step)])
    assert said[0] == code and text in said[1]


async def test_a_battery_that_was_never_found_takes_no_plan_and_its_range_is_not_0_to_0() -> None:
    home = house()
    home.state = lambda: make.site(make.battery(p_max_w=0.0, charge_w=0.0))
    step = at(0, end=until(9), p_target_w=1)
    assert (await refused(home, "battery_plan", der="bat1", intervals=[step]))[0] == "rating_unknown"


# ---- demand response


async def test_an_event_begins_at_its_start_and_lasts_for_its_duration() -> None:
    home = house()
    reply = await home.send("demand_response", start=until(10), duration_s=600, import_w=2_000)
    assert reply["text"] == "until 2026-11-21T13:00:00.000Z; begins in 600 s"
    shown = []
    for minutes in (0, 9, 11, 19, 21):
        home.passed_s = 60.0 * minutes
        shown.append([each.import_w for each in home.alive])
    assert shown == [[None], [None], [2_000.0], [2_000.0], [None]]
    home = house()
    assert (await home.send("demand_response", duration_s=3_600, export_w=0))["result"] == "admitted"
    assert [each.export_w for each in home.alive] == [0.0], "without a start it begins now"


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        ({"duration_s": 60}, "bad_argument", "it says nothing"),
        ({"duration_s": 0, "export_w": 1}, "out_of_range", "duration_s = 0 is outside 0 (not included) to 3600 s"),
        (
            {"duration_s": 3_601, "export_w": 1},
            "out_of_range",
            "duration_s = 3601 is outside 0 (not included) to 3600 s",
        ),
        ({"duration_s": 60, "export_w": 1, "start": until(-2)}, "expired", "all intervals are over"),
        ({"duration_s": 600, "export_w": 1, "start": until(55)}, "out_of_range", "ends 300 s after the command"),
        ({"duration_s": 600, "export_w": 1, "start": "9999-12-31T23:59:30Z"}, "bad_argument", "there is no calendar"),
        ({"duration_s": 600, "export_w": 1, "start": "2026-11-21T12:00:00"}, "bad_argument", "needs a time zone"),
    ],
)
async def test_an_event_that_is_none_is_refused(args: dict[str, Any], code: str, text: str) -> None:
    said = await refused(house(), "demand_response", **args)
    assert said[0] == code and text in said[1]


async def test_the_owner_opts_out_where_the_site_file_lets_him_and_its_sender_hears_it() -> None:
    home = house()
    for _ in range(2):
        await home.send("demand_response", duration_s=600, import_w=2_000)
    home.requests.news()
    said = await home.send("opt_out", by="home", event="nope")
    assert (said["code"], said["text"]) == ("bad_argument", "event: no event 'nope'; known are c0, c1")
    assert (await home.send("opt_out", by="home", event="c1"))["text"] == "opted out of 1"
    assert [(each.id, why) for each, why in home.requests.news() if why is Standing.OPTED_OUT] == [
        ("c1", Standing.OPTED_OUT)
    ]
    assert (await home.send("opt_out", by="home"))["text"] == "opted out of 1" and home.alive == []
    assert (await home.send("opt_out", by="home"))["text"] == "no event is known"
    assert (await home.send("opt_out", by="home", event="c1"))["text"] == "event: no event 'c1'; none is known"
    bound = house(may_opt_out=False)
    await bound.send("demand_response", duration_s=600, import_w=2_000)
    assert (await bound.send("opt_out", by="home"))["code"] == "may_not_opt_out" and len(bound.alive) == 1


async def test_a_clear_leaves_what_the_grid_operator_asked_for_but_his_own() -> None:
    home = house()
    await home.send("grid_limit", export_w=1.0)
    await home.send("demand_response", duration_s=600, import_w=2_000)
    await home.send("set_reserve", by="home", min_pct=50)
    assert (await home.send("clear", by="home"))["text"] == "1 request dropped"
    assert {each.kind for each in home.alive} == {"grid_limit", "demand_response"}
    assert (await home.send("clear", by="dso"))["text"] == "2 requests dropped" and home.alive == []


# ---- settings for a time


@pytest.mark.parametrize(
    ("name", "args", "kept"),
    [
        ("set_reserve", {"min_pct": 60.0}, {"der": None, "min_pct": 60.0}),
        ("set_reserve", {"min_pct": 60.0, "der": "bat1"}, {"der": "bat1", "min_pct": 60.0}),
        ("set_power_factor", {"pf": 0.9, "excitation": "injecting"}, {"pf": 0.9, "excitation": "injecting"}),
        ("set_var", {"q_pu": -0.44}, {"q_pu": -0.44}),
    ],
)
async def test_a_setting_is_another_until_the_command_ends(name: str, args: Any, kept: Any) -> None:
    home = house()
    assert (await home.send(name, **args))["text"] == "until 2026-11-21T13:00:00.000Z"
    [held] = home.alive
    assert {key: getattr(held, key) for key in kept} == kept
    assert (await home.send(name, **args))["result"] == "admitted" and len(home.alive) == 1, "the latest counts"
    home.passed_s = 3_600.0
    assert home.alive == []


@pytest.mark.parametrize(
    ("name", "args", "code", "text"),
    [
        ("set_reserve", {"min_pct": 10}, "out_of_range", "min_pct = 10 is outside 20 to 100 %"),
        ("set_reserve", {"min_pct": 101}, "out_of_range", "min_pct = 101 is outside 0 to 100"),
        ("set_reserve", {"min_pct": 50, "der": "pv1"}, "no_function", "no reserve for pv1"),
        ("set_power_factor", {"pf": 0.7, "excitation": "absorbing"}, "out_of_range", "pf = 0.7 is outside 0.8 to 1"),
        ("set_power_factor", {"pf": 0.9, "excitation": "up"}, "out_of_range", "not one of absorbing, injecting"),
        ("set_var", {"q_pu": -0.5}, "out_of_range", "q_pu = -0.5 is outside -0.44 to 0.44, which bat1 can"),
        ("set_var", {"q_pu": 1.5}, "out_of_range", "q_pu = 1.5 is outside -1 to 1"),
        ("set_var", {"q_pu": 0.1, "der": "nobody"}, "no_der", "nobody"),
    ],
)
async def test_a_setting_out_of_its_range_is_refused_with_it(name: str, args: Any, code: str, text: str) -> None:
    said = await refused(house(), name, **args)
    assert said[0] == code and text in said[1]


async def test_a_reserve_may_be_lowered_where_the_site_file_says_so() -> None:
    home = house((Reserve(min_pct=20.0, may_lower=True), ("bat1",)))
    assert (await home.send("set_reserve", min_pct=10))["result"] == "admitted"


# ---- the emergency stop


async def test_a_stop_has_no_end_and_only_a_lift_ends_it() -> None:
    home = house()
    assert (await home.send("emergency_stop", by="home", expires_s=10.0))["text"] == "stopped until lift_stop"
    home.passed_s = 1e6
    assert (await home.send("clear", by="home"))["text"].startswith("nothing to drop")
    [held] = home.alive
    assert isinstance(held, StopRequest) and held.remaining_s > 0.9 * FOREVER_S
    home.desk.may_arm = frozenset({"ops"})
    assert (await home.send("lift_stop", by="home"))["code"] == "may_not_arm" and len(home.alive) == 1
    assert (await home.send("lift_stop", by="ops"))["text"] == "lifted" and home.alive == []
    assert (await home.send("lift_stop", by="ops"))["text"] == "nothing to lift: nobody stopped it"


async def test_a_stop_says_where_nothing_is_written_and_is_never_one_too_many() -> None:
    home = house()
    home.gate.open = False
    for _ in range(64):
        await home.send("grid_limit", export_w=float(len(home.alive)), expires_s=3600.0 + len(home.alive))
    assert (await home.send("emergency_stop"))["text"].endswith("but nothing is written in observe mode")


async def test_a_stop_outlives_a_restart_whatever_the_clock_says() -> None:
    home = house()
    await home.send("emergency_stop")
    [held] = home.requests.held.values()
    plain = msgspec.json.decode(msgspec.json.encode(to_plain(held, wall=NOON.timestamp(), now_s=50.0)))
    for wall in (None, 0.0, 1e12):
        assert from_plain(plain, wall=wall).remaining_s > 0.9 * FOREVER_S


# ---- a store that leaves


def charged(home: Any, soc_pct: float | None) -> Any:
    home.state = lambda: make.site(make.pv(), make.battery(soc_pct=soc_pct))
    return home


async def test_a_departure_lives_until_it_leaves_and_a_later_word_takes_its_place() -> None:
    home = charged(house(), 40.0)
    reply = await home.send("charge_for_departure", der="bat1", soc_pct=60, departure=until(45))
    assert reply["result"] == "admitted"
    [held] = home.alive
    assert (held.der, held.soc_pct, held.remaining_s) == ("bat1", 60.0, 2700.0)
    await home.send("charge_for_departure", by="home", der="bat1", soc_pct=50, departure=until(50))
    assert [each.by for each in home.alive] == ["home"]
    reply = await charged(house(), None).send("charge_for_departure", der="bat1", soc_pct=90, departure=until(1))
    assert "whether it can have it by then is not known" in reply["text"]


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        ({"soc_pct": 66}, "out_of_range", "soc_pct = 66 is outside 0 to 65 %, what bat1 can have by then"),
        ({"soc_pct": 96, "soc": 94.0}, "out_of_range", "soc_pct = 96 is outside 0 to 95 %, what soc_guard leaves"),
        ({"soc_pct": 0}, "out_of_range", "outside 0 to 65 %"),
        ({"departure": until(-2)}, "expired", "departure was 120 s ago"),
        ({"departure": until(70)}, "out_of_range", "600 s after the command ends"),
        ({"departure": "2026-11-21T12:30:00"}, "bad_argument", "departure needs a time zone"),
        ({"departure": "soon"}, "bad_argument", "is no time"),
        ({"der": "pv1"}, "no_function", "no departure for 'pv1'"),
        ({"der": "x"}, "no_der", "no DER 'x'"),
    ],
)
async def test_a_departure_that_can_t_be_is_refused_with_what_can(args: dict[str, Any], code: str, text: str) -> None:
    """5 kW for half an hour are 25 % of 10 kWh."""
    given = dict(args)
    soc = given.pop("soc", 40.0)
    asked = {"der": "bat1", "soc_pct": 60, "departure": until(30)} | given
    said = await refused(charged(house(), soc), "charge_for_departure", **asked)
    assert said[0] == code and text in said[1]


# ---- floors


async def test_a_floor_lives_beside_others_and_takes_no_higher_one_s_place() -> None:
    home = house()
    for by, watts in (("a", 1_000), ("a", 2_000), ("a", 500), ("b", 0)):
        assert (await home.send("floor_power", by=by, der="bat1", p_floor_w=watts))["result"] == "admitted"
    assert [(each.by, each.p_floor_w) for each in home.alive] == [("a", 2_000.0), ("a", 500.0), ("b", 0.0)]


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        ({"der": "bat1", "p_floor_w": 5_001}, "out_of_range", "p_floor_w = 5001 is outside -5000 to 5000 W"),
        ({"der": "pv1", "p_floor_w": 1}, "out_of_range", "pv1 takes no target"),
        ({"der": "x", "p_floor_w": 1}, "no_der", "x"),
        ({"p_floor_w": 1}, "bad_argument", "der is missing"),
    ],
)
async def test_a_floor_that_can_t_be_is_refused(args: dict[str, Any], code: str, text: str) -> None:
    said = await refused(house(), "floor_power", **args)
    assert said[0] == code and text in said[1]


async def test_a_site_without_operator_limit_takes_no_floor() -> None:
    said = await refused(house((Schedule(), ("bat1",))), "floor_power", der="bat1", p_floor_w=1)
    assert said[0] == "no_function"
