"""How far the voltage functions are from hunting: refused below 1.5, asked about below 3, with what would do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from derctl.errors import Problem
from derctl.site import Site
from derctl.site.stability import loop_text

SiteOf = Callable[[str], Site]
ProblemsOf = Callable[[str], tuple[Problem, ...]]


def text(site: str = "", *functions: str, tick_s: float = 1.0, bus: str = "", der: str = "", code: str = "") -> str:
    """A site file: two inverters of 5 kVA on one bus, and the meter."""
    rows = "".join(f"\n  - {{{function}}}" for function in functions or ("kind: volt_var",))
    after_s = 5.0 * tick_s + 60.0
    rated = f"kind: sunspec_pv, fallback: {{after_s: {after_s}}}, rating: {{s_max_va: 5000}}"
    return f"""\
version: 1
site: {{id: house, v_nom_v: 230, f_nom_hz: 60, grid_code: {code or "ieee1547_b"}, tick_s: {tick_s}{site}}}
buses:
  - {{id: roof, tcp: {{host: pv.example}}{bus}}}
ders:
  - {{id: pv1, bus: roof, unit: 1, {rated}{der}}}
  - {{id: pv2, bus: roof, unit: 2, {rated}{der}}}
poc: {{bus: roof, unit: 3, sign: 1}}
functions:{rows}
"""


def weak(scr: float, r_over_x: float | None = None) -> str:
    return f", scr: {scr}" + ("" if r_over_x is None else f", r_over_x: {r_over_x}")


@pytest.mark.parametrize(
    ("site", "function", "gain"),
    [
        (weak(10, 2), "kind: volt_watt", 1.79),
        (weak(10, 2), "kind: volt_var", 0.328),
        (weak(3, 2), "kind: volt_watt", 5.96),
        (weak(10), "kind: volt_watt", 2.0),
        (weak(10, 2), "kind: volt_watt, ders: [pv1]", 0.894),
        (weak(10, 2), "kind: volt_watt, p2_pu: 0", 2.24),
    ],
)
def test_the_gain_is_the_slope_times_what_the_grid_yields(
    site_of: SiteOf, problems_of: ProblemsOf, site: str, function: str, gain: float
) -> None:
    """At a short-circuit ratio of 10 and R/X 2: 0.33 for volt-var and 1.8 to 2.2 for volt-watt."""
    given = text(site, function)
    try:
        [loop] = site_of(given).loops
    except Exception:  # refused: the number stands in the message
        [problem] = problems_of(given)
        assert f"gain {gain:.2g} of" in problem.message
    else:
        assert loop.gain == pytest.approx(gain, rel=0.01)


@pytest.mark.parametrize(
    ("site", "function", "code", "judged"),
    [
        (weak(3, 2), "kind: volt_watt", "ieee1547_b", "refused"),
        (weak(5, 0.5), "kind: volt_var", "heco_14h", "refused"),
        (weak(10, 2), "kind: volt_watt", "ieee1547_b", "little"),
        (weak(20, 2), "kind: volt_watt", "ieee1547_b", ""),
        (weak(10, 2), "kind: volt_var", "ieee1547_b", ""),
        (weak(5, 2), "kind: volt_watt, olrt_s: 60", "ieee1547_b", ""),
        (weak(3, 2), "kind: volt_watt, olrt_s: 60", "ieee1547_b", "little"),
    ],
)
def test_what_would_hunt_is_refused_and_what_may_is_asked_about(
    site_of: SiteOf, problems_of: ProblemsOf, site: str, function: str, code: str, judged: str
) -> None:
    """The first two hunted: 27 % of the power, and a sixth of the rating in var."""
    given = text(site, function, code=code)
    if judged == "refused":
        [problem] = problems_of(given)
        assert (problem.path, problem.line) == ("functions[0]", 10)
        assert "refused below 1.5" in problem.message and "olrt_s" in problem.message and "slope" in problem.message
        return
    asked = [question.message for question in site_of(given).questions]
    assert [("little below 3" in message) for message in asked] == [True] * bool(judged)


def test_what_is_said_to_do_does(site_of: SiteOf) -> None:
    [loop] = site_of(text(weak(10, 2), "kind: volt_watt")).loops
    assert loop.margin is not None and loop.margin < 3.0 and loop.does_s is not None and loop.slope_does is not None
    [slower] = site_of(text(weak(10, 2), f"kind: volt_watt, olrt_s: {loop.does_s + 0.01}")).loops
    assert slower.margin == pytest.approx(3.0, abs=0.01)
    p2_pu = 1.0 - loop.slope_does * 0.04
    [gentler] = site_of(
        text(weak(10, 2), f"kind: volt_watt, p2_pu: {p2_pu}", code="as4777_c")
        .replace("kind: volt_watt,", "kind: volt_watt, v1_pu: 1.06, v2_pu: 1.10, ")
        .replace("f_nom_hz: 60", "f_nom_hz: 50")
    ).loops
    assert gentler.slope == pytest.approx(loop.slope_does)
    assert gentler.margin == pytest.approx(3.0, abs=0.01)


def test_two_loops_at_one_place_share_the_margin(site_of: SiteOf) -> None:
    alone = {kind: site_of(text(weak(20, 2), f"kind: {kind}")).loops[0].margin for kind in ("volt_var", "volt_watt")}
    both = site_of(text(weak(20, 2), "kind: volt_var", "kind: volt_watt")).loops
    expected = 1.0 / sum(1.0 / (margin or 0.0) for margin in alone.values())
    assert [loop.margin for loop in both] == pytest.approx([expected, expected])


def test_a_loop_that_is_not_the_one_to_mend_says_so(problems_of: ProblemsOf) -> None:
    given = text(weak(7, 2), "kind: volt_var", "kind: volt_watt")
    problems = {each.path: each.message for each in problems_of(given)}
    assert "the other loops have to become slower" in problems["functions[0]"]
    assert "olrt_s" in problems["functions[1]"] and "would leave 3" in problems["functions[1]"]


@pytest.mark.parametrize(
    ("given", "sample_s", "late"),
    [
        ({}, 1.0, 3),
        ({"tick_s": 5.0}, 5.0, 1),
        ({"der": ", profile: sma"}, 2.0, 2),
        ({"bus": ", min_interval_s: 1.0"}, 7.0, 2),
    ],
)
def test_it_acts_at_the_pace_of_its_tick_its_bus_and_its_devices(
    site_of: SiteOf, given: dict[str, Any], sample_s: float, late: int
) -> None:
    [loop] = site_of(text("", "kind: volt_var", **given)).loops
    assert (loop.sample_s, loop.late) == (sample_s, late)


def test_a_grid_that_the_file_does_not_tell_of_is_said_and_asked_about_by_nobody(site_of: SiteOf) -> None:
    site = site_of(text("", "kind: volt_var", "kind: volt_watt"))
    assert site.questions == ()
    for loop in site.loops:
        assert loop.margin is None and not loop.warned and not loop.refused
        assert "not known without site.scr and site.r_over_x" in loop_text(loop)


def test_a_rating_that_is_missing_counts_all_of_them(site_of: SiteOf) -> None:
    given = text(weak(20, 2), "kind: volt_watt, ders: [pv1]")
    half = site_of(given).loops[0].gain
    assert site_of(given.replace(", rating: {s_max_va: 5000}", "", 1)).loops[0].gain == pytest.approx(
        2.0 * (half or 0.0)
    )


def test_a_flat_curve_never_hunts(site_of: SiteOf) -> None:
    flat = "kind: volt_watt, p2_pu: 1.0, v1_pu: 1.06, v2_pu: 1.10"
    [loop] = site_of(text(weak(3, 2), flat, code="as4777_c").replace("f_nom_hz: 60", "f_nom_hz: 50")).loops
    assert loop.gain == 0.0 and loop.margin is None


def test_a_step_in_the_curve_always_hunts(problems_of: ProblemsOf) -> None:
    step = "kind: volt_var, points: [[0.9, 0.4], [1.0, 0.2], [1.0, 0], [1.1, -0.4]]"
    [problem] = problems_of(text(weak(20, 2), step))
    assert "margin 0, refused below 1.5" in problem.message
