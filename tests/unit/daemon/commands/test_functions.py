"""A function in another shape, or another reactive mode, by command: admitted, or refused with the range and why."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest

from derctl.core.requests import FunctionRequest
from derctl.core.types import DerState, SiteState
from derctl.core.value import replace
from derctl.core.words import Standing
from derctl.daemon.commands.functions import drop_misfits
from derctl.daemon.commands.views import Views
from derctl.daemon.report.loops import loops_now
from derctl.daemon.requests import from_plain, to_plain
from derctl.devices.sunspec.own import ALL_OFF
from derctl.site import Site
from derctl.site.lines import parse
from derctl.site.site import build
from tests import make
from tests.unit.daemon.commands.test_site_limits import House

GENTLE = [[0.9, 0.3], [0.98, 0.0], [1.02, 0.0], [1.1, -0.3]]
STEEP = [[0.96, 0.44], [0.98, 0.0], [1.0, 0.0], [1.02, -0.44]]
ALL = ("volt_var", "volt_watt", "freq_droop")


@lru_cache
def site(*kinds: str, code: str = "grid_code: ieee1547_b", scr: float = 20.0, f_nom_hz: int = 60) -> Site:
    """Two inverters. kinds: a function's lines, or its kind alone."""
    rows = "".join(f"\n  - {{kind: {kind}}}" for kind in kinds or ALL)
    named = f", {code}" if code else ""
    text = f"""\
version: 1
site: {{id: house, v_nom_v: 230, f_nom_hz: {f_nom_hz}{named}, scr: {scr}, r_over_x: 2}}
buses:
  - {{id: roof, tcp: {{host: pv.example}}}}
ders:
  - {{id: pv1, bus: roof, unit: 1, kind: sunspec_pv, rating: {{s_max_va: 10000}}}}
  - {{id: pv2, bus: roof, unit: 2, kind: sunspec_pv, rating: {{s_max_va: 10000}}}}
poc: {{bus: roof, unit: 3, sign: 1}}
functions:{rows}
"""
    return build(parse(text, "site.yaml"))


def owned(der: DerState, on: tuple[str, ...] = (), off: tuple[str, ...] = ALL_OFF[1]) -> DerState:
    """It says of itself which functions it runs."""
    return replace(der, reading=replace(der.reading, own_on=on, own_off=off))


class Home(House):
    """A house with this site file."""

    ders: list[DerState]
    f_nom_hz: float

    def take(self, other: Site) -> None:
        self.plan: Any = other.plan
        self.views = Views(margins=other.margins)

    def state(self) -> SiteState:
        return make.site(*self.ders, f_nom_hz=self.f_nom_hz)


def home(*kinds: str, **given: Any) -> Home:
    made = Home()
    made.take(site(*kinds, **given))
    made.f_nom_hz = float(given.get("f_nom_hz", 60))
    made.ders = [owned(make.pv("pv1")), owned(make.pv("pv2"))]
    return made


async def refused(house: Home, **args: Any) -> tuple[str, str]:
    reply = await house.send("set_function", **args)
    assert reply["result"] == "refused" and house.alive == [], reply
    return reply["code"], reply["text"]


async def held(house: Home, **args: Any) -> FunctionRequest:
    reply = await house.send("set_function", **args)
    assert reply["result"] == "admitted", reply
    found: FunctionRequest = house.alive[-1]
    return found


# ---- what is admitted


async def test_a_curve_is_held_until_its_end_and_told_with_its_margin() -> None:
    house = home()
    reply = await house.send("set_function", function="volt_var", points=GENTLE, olrt_s=10)
    assert reply["text"].startswith("until 2026-11-21T13:00:00.000Z; for pv1, pv2; volt_var: slope 3.75")
    assert "margin" in reply["text"]
    [request] = house.alive
    points = tuple((float(v), float(q)) for v, q in GENTLE)
    assert request.settings == {"points": points, "olrt_s": 10.0} and request.reactive and request.on
    house.passed_s = 3600.0
    assert house.alive == []


@pytest.mark.parametrize(
    ("args", "settings"),
    [
        ({"function": "volt_watt", "v1_pu": 1.05, "v2_pu": 1.09}, {"v1_pu": 1.05, "v2_pu": 1.09}),
        ({"function": "freq_droop", "k_of": 0.03, "db_of_hz": 0.1}, {"k_of": 0.03, "db_of_hz": 0.1}),
        ({"function": "freq_droop", "olrt_s": 2, "k_uf": 0.04}, {"olrt_s": 2.0, "k_uf": 0.04}),
        ({"function": "const_pf", "pf": 0.95}, {"pf": 0.95}),
        ({"function": "const_pf", "pf": 0.95, "excitation": "injecting"}, {"pf": 0.95, "excitation": "injecting"}),
        ({"function": "const_var", "q_pu": -0.3, "der": "pv1"}, {"q_pu": -0.3}),
        ({"function": "watt_var"}, {}),
        ({"function": "volt_var"}, {}),
        ({"function": "volt_watt", "on": False}, {}),
        (
            {"function": "watt_var", "points": [[-1, 0.4], [-0.5, 0], [-0.2, 0], [0.2, 0], [0.5, 0], [1, -0.4]]},
            {"points": ((-1.0, 0.4), (-0.5, 0.0), (-0.2, 0.0), (0.2, 0.0), (0.5, 0.0), (1.0, -0.4))},
        ),
    ],
)
async def test_a_shape_or_a_mode_is_asked_for_inside_the_ranges_of_the_grid_code(
    args: dict[str, Any], settings: dict[str, Any]
) -> None:
    request = await held(home(), **args)
    assert request.settings == settings and request.on is args.get("on", True)
    assert request.function == args["function"] and request.der == args.get("der")


async def test_points_may_have_names_under_which_a_principal_s_ranges_hold() -> None:
    house = home()
    named = [{"v_pu": v, "q_pu": q} for v, q in GENTLE]
    assert (await held(house, function="volt_var", points=named)).settings == (
        await held(house, function="volt_var", points=GENTLE)
    ).settings
    assert len(house.alive) == 1


async def test_one_reactive_mode_at_a_time_and_each_other_function_beside_it() -> None:
    house = home()
    for args in (
        {"function": "volt_var", "points": GENTLE},
        {"function": "volt_watt", "olrt_s": 20},
        {"function": "freq_droop", "olrt_s": 2},
        {"function": "const_pf", "pf": 0.95},
        {"function": "const_var", "q_pu": 0.1, "der": "pv1"},
    ):
        assert (await house.send("set_function", **args))["result"] == "admitted"
    assert [(each.function, each.der) for each in house.alive] == [
        ("volt_watt", None),
        ("freq_droop", None),
        ("const_pf", None),
        ("const_var", "pv1"),
    ]
    assert all(house.requests.binds(each) for each in house.alive)


async def test_it_outlives_a_restart_as_it_was() -> None:
    house = home()
    await held(house, function="volt_var", points=GENTLE, olrt_s=10)
    [kept] = house.requests.held.values()
    plain = to_plain(kept, wall=1000.0, now_s=50.0)
    assert from_plain(plain, wall=1000.0) == kept.request
    assert from_plain(plain, wall=4600.0).remaining_s == 0.0


# ---- what is refused


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (
            {"function": "volt_var", "points": [[0.7, 0.3], *GENTLE[1:]]},
            "out_of_range",
            "points[0].x = 0.7 is outside",
        ),
        ({"function": "volt_var", "points": [[0.7, 0.3], *GENTLE[1:]]}, "out_of_range", "0.82 to 0.98 (ieee1547_b"),
        ({"function": "volt_var", "points": GENTLE[1:]}, "out_of_range", "4 points"),
        ({"function": "volt_var", "olrt_s": 0.5}, "out_of_range", "olrt_s = 0.5 is outside 1 to 90"),
        ({"function": "volt_watt", "v1_pu": 1.2}, "out_of_range", "v1_pu = 1.2 is outside 1.05 to 1.09"),
        ({"function": "volt_watt", "v1_pu": 1.09, "v2_pu": 1.09}, "out_of_range", "at least v1_pu + 0.01"),
        ({"function": "freq_droop", "k_of": 0.2}, "out_of_range", "k_of = 0.2 is outside 0.02 to 0.05"),
        ({"function": "freq_droop", "db_of_hz": 0}, "out_of_range", "db_of_hz = 0 is outside 0.017 to 1"),
        ({"function": "const_pf", "pf": 0.5}, "out_of_range", "pf = 0.5 is outside 0.8 to 1"),
        ({"function": "const_pf", "pf": 0.9, "excitation": "up"}, "out_of_range", "'up' is not one of absorbing"),
        ({"function": "const_var", "q_pu": -0.5}, "out_of_range", "-0.44 to 0.44, which pv1 can"),
        ({"function": "const_pf"}, "bad_argument", "pf is missing"),
        ({"function": "const_var"}, "bad_argument", "q_pu is missing"),
        ({"function": "volt_watt"}, "bad_argument", "volt_watt says nothing: give one of v1_pu"),
        ({"function": "volt_watt", "points": []}, "bad_argument", "volt_watt has no points; known are v1_pu"),
        ({"function": "volt_watt", "points": [[1, 1]]}, "bad_argument", "only volt_var and watt_var have a curve"),
        ({"function": "volt_watt", "on": False, "v1_pu": 1.06}, "bad_argument", "on is false"),
        ({"function": "volt_var", "on": False}, "bad_argument", "choose another one"),
        ({"function": "volt_var", "points": [[1.0], [1, 2]]}, "bad_argument", "each is a pair [v_pu, q_pu]"),
        ({"function": "volt_var", "points": [{"p_pu": 1.0, "q_pu": 0}]}, "bad_argument", "a pair [v_pu, q_pu]"),
        ({"function": "volt_var", "points": [[1, 0]] * 17}, "out_of_range", "17 points are outside 2 to 16"),
        ({"function": "fuse_limit"}, "bad_argument", "'fuse_limit' is not one of volt_var, watt_var"),
        ({"function": ["volt_var"], "points": [[1, 0]]}, "bad_argument", "only volt_var and watt_var"),
        ({"function": "volt_var", "der": "pv9", "olrt_s": 5}, "no_der", "pv9"),
        ({"function": "freq_droop", "on": False}, "grid_code", "freq_droop may be switched off"),
    ],
)
async def test_what_is_outside_is_refused_with_its_range(args: dict[str, Any], code: str, text: str) -> None:
    said = await refused(home(), **args)
    assert said[0] == code and text in said[1], said


async def test_what_does_not_go_with_the_site_file_s_other_settings_is_refused() -> None:
    house = home("freq_droop, db_of_hz: 1.0, of_stop_hz: 60.5", code="")
    code, text = await refused(house, function="freq_droop", db_of_hz=0.1)
    assert code == "out_of_range" and "of_stop_hz = 60.5 is outside at most 60.1 Hz" in text
    assert (await held(house, function="freq_droop", db_of_hz=0.6)).settings == {"db_of_hz": 0.6}


async def test_what_would_hunt_at_this_site_is_refused_as_in_a_site_file() -> None:
    code, text = await refused(home("volt_var", scr=3.0), function="volt_var", points=STEEP, olrt_s=1)
    assert code == "would_hunt" and "refused below 1.5" in text and "olrt_s" in text
    assert (await held(home("volt_var", scr=50.0), function="volt_var", points=STEEP, olrt_s=10)).settings


async def test_the_loops_of_all_that_is_asked_for_count_together() -> None:
    """Volt-watt as the site file has it, beside another volt-var: at one place their slopes add."""
    steep = {"function": "volt_var", "points": STEEP, "olrt_s": 10}
    kinds = ("volt_var", "volt_watt, olrt_s: 60")
    assert (await home(*kinds, scr=8.0).send("set_function", **steep))["result"] == "admitted"  # type: ignore[arg-type]
    house = home(*kinds, scr=8.0)
    await held(house, function="volt_watt", olrt_s=30)
    said = await house.send("set_function", **steep)  # type: ignore[arg-type]
    assert (said["code"], len(house.alive)) == ("would_hunt", 1)


@pytest.mark.parametrize(
    ("kinds", "code", "args", "text"),
    [
        ((), "", {"function": "const_pf", "pf": 0.95}, "const_pf may be chosen in the place of volt_var"),
        ((), "", {"function": "volt_watt", "on": False}, "volt_watt may be switched off"),
        (("volt_var",), "grid_code: heco_14h", {"function": "const_var", "q_pu": 0}, "const_var may be chosen"),
        (
            ("freq_droop, db_of_hz: 0.2, db_uf_hz: 0.2, k_of: 0.05, k_uf: 0.05, of_stop_hz: 60.2, uf_stop_hz: 59.8,"
             " stop_s: 600, p_ref_of: rated, p_ref_uf: rated, olrt_s: 2, return_pu_per_s: 0.01",),
            "grid_code: en50549",
            {"function": "freq_droop", "db_of_hz": 0.5},
            "gives freq_droop no range of db_of_hz that is confirmed: the site file alone can say it",
        ),
    ],
)  # fmt: skip
async def test_what_the_grid_code_does_not_say_is_nobody_s_to_ask_for(
    kinds: tuple[str, ...], code: str, args: dict[str, Any], text: str
) -> None:
    said = await refused(home(*kinds, code=code), **args)
    assert said[0] == "grid_code" and text in said[1], said


async def test_a_range_that_is_confirmed_counts_where_the_default_is_asked_for() -> None:
    """EN 50549 has no default droop that is open to all, and a range of 2 to 12 %."""
    droop = "freq_droop, db_of_hz: 0.2, db_uf_hz: 0.2, k_of: 0.05, k_uf: 0.05, of_stop_hz: 50.2, uf_stop_hz: 49.8"
    rest = "stop_s: 600, p_ref_of: rated, p_ref_uf: rated, olrt_s: 2, return_pu_per_s: 0.01"
    house = home(f"{droop}, {rest}", code="grid_code: en50549", f_nom_hz=50)
    code, text = await refused(house, function="freq_droop", k_of=0.13)
    assert code == "out_of_range" and "k_of = 0.13 is outside 0.02 to 0.12 (en50549" in text
    assert (await held(house, function="freq_droop", k_of=0.1)).settings == {"k_of": 0.1}


async def test_a_site_without_the_function_takes_no_shape_of_it() -> None:
    assert (await refused(home("freq_droop"), function="volt_watt", olrt_s=9))[0] == "no_function"
    code, text = await refused(home("volt_var, ders: [pv2]"), function="const_pf", pf=0.9, der="pv1")
    assert code == "no_function" and "no reactive mode to choose another in the place of for pv1" in text


UNREAD = "pv2, of which can't be read whether it runs {} itself: derctl's is off there"


@pytest.mark.parametrize(
    ("on", "off", "args", "text"),
    [
        (("volt_var",), ("volt_watt",), {"function": "volt_var", "olrt_s": 9}, "pv2, which runs volt_var itself"),
        (("volt_var",), ("volt_watt",), {"function": "const_pf", "pf": 0.9}, "pv2, which runs volt_var itself"),
        ((), (), {"function": "volt_watt", "olrt_s": 9}, UNREAD.format("volt_watt")),
        ((), ("watt_var",), {"function": "const_pf", "pf": 0.9}, UNREAD.format("volt_var")),
    ],
)
async def test_what_a_device_runs_itself_is_not_shaped_and_that_is_said(
    on: tuple[str, ...], off: tuple[str, ...], args: dict[str, Any], text: str
) -> None:
    house = home()
    house.ders = [owned(make.pv("pv1")), owned(make.pv("pv2"), on, off)]
    code, said = await refused(house, **args, der="pv2")
    assert code == "two_owners" and text in said
    reply = await house.send("set_function", **args)
    assert reply["result"] == "admitted" and f"; for pv1; not for {text}" in reply["text"]


async def test_beside_another_mode_of_its_own_a_device_gets_none_not_even_for_all() -> None:
    house = home()
    house.ders = [owned(make.pv("pv1")), owned(make.pv("pv2"), ("watt_var",), ("volt_var", "volt_watt"))]
    code, said = await refused(house, function="const_pf", pf=0.9)
    assert code == "two_owners" and "pv2 runs watt_var itself, beside which" in said


async def test_status_shows_the_margin_of_the_shape_that_is_in_force() -> None:
    house, file = home("volt_var"), site("volt_var")
    assert [loop.slope for loop in loops_now(file, house.alive)] == [pytest.approx(22 / 3)]
    await held(house, function="volt_var", points=GENTLE, der="pv1")
    found = {loop.ders: loop for loop in loops_now(file, house.alive)}
    assert {ders: loop.slope for ders, loop in found.items()} == {
        ("pv1",): pytest.approx(3.75),
        ("pv2",): pytest.approx(22 / 3),
    }


# ---- another site file


async def test_what_another_site_file_does_not_let_be_ends_and_its_sender_hears_it() -> None:
    house = home()
    await held(house, function="volt_var", points=GENTLE)
    await held(house, function="freq_droop", k_of=0.03)
    drop_misfits(house)  # type: ignore[arg-type]
    assert len(house.alive) == 2
    house.requests.news()
    house.take(site("freq_droop"))
    drop_misfits(house)  # type: ignore[arg-type]
    assert [each.function for each in house.alive] == ["freq_droop"]
    assert [(each.function, why) for each, why in house.requests.news()] == [  # type: ignore[attr-defined]
        ("volt_var", Standing.CLEARED)
    ]
    assert house.requests.ended["dso", "c0"] == (Standing.CLEARED, "the site file")
