"""A grid code says its functions' settings and ranges; what it does not say, the site file must."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from derctl.errors import ConfigError, Problem
from derctl.functions import ROWS
from derctl.functions.code import Between
from derctl.functions.settings import Ruled, settings_of, violation
from derctl.site import Site, grid_code
from derctl.site.grid_code import Entry, GridCode, names, said_of

ROOT = Path(__file__).parents[3]
SiteOf = Callable[[str], Site]
ProblemsOf = Callable[[str], tuple[Problem, ...]]
CONFIRMED = ("ieee1547_a", "ieee1547_b", "heco_14h", "as4777_a", "as4777_b")
RULED = [kind for kind, row in ROWS.items() if issubclass(row.function, Ruled)]
ENTRIES = [
    (name, kind, setting)
    for name in names()
    for kind, entries in grid_code.grid_code(name).functions.items()
    for setting in entries
]


EUROPE = {
    "db_of_hz": 0.2, "db_uf_hz": 0.2, "k_of": 0.05, "k_uf": 0.05, "of_stop_hz": 50.2, "uf_stop_hz": 49.8,
    "stop_s": 600, "p_ref_of": "momentary", "p_ref_uf": "rated", "olrt_s": 2, "return_pu_per_s": 0.00167,
}  # fmt: skip
"""What no text of the code that is open to all says of droop; a site's own words for it."""


def droop_of_europe(**other: Any) -> str:
    return ", ".join(["kind: freq_droop", *(f"{name}: {value}" for name, value in {**EUROPE, **other}.items())])


def site_with(code: str | None, *functions: str, f_nom_hz: int = 50, v_nom_v: int = 230) -> str:
    """A site file: one inverter, one battery, a meter."""
    named = "" if code is None else f", grid_code: {code}"
    rows = "".join(f"\n  - {{{function}}}" for function in functions)
    return f"""\
version: 1
site: {{id: house, v_nom_v: {v_nom_v}, f_nom_hz: {f_nom_hz}{named}}}
buses:
  - {{id: lan, tcp: {{host: pv.example}}}}
ders:
  - {{id: pv1, bus: lan, unit: 1, kind: sunspec_pv}}
  - {{id: bat1, bus: lan, unit: 2, kind: sunspec_storage}}
poc: {{bus: lan, unit: 3, sign: 1}}
functions:{rows}
"""


def built(site: Site, kind: str) -> Any:
    return next(function for function, _ in site.plan.der_functions if function.kind == kind)


def entry(name: str, kind: str, setting: str) -> Entry:
    return grid_code.grid_code(name).functions[kind][setting]


# ---- the presets


def test_every_code_of_the_issue_ships_and_is_found_in_config() -> None:
    assert {*names()} == {*CONFIRMED, "rule21", "as4777_c", "vde4105", "en50549", "g100"}
    assert {path.stem for path in (ROOT / "config" / "grid-codes").glob("*.yaml")} == {*names()}


@pytest.mark.parametrize("name", names())
def test_a_code_has_a_word_on_every_function_that_follows_one(name: str) -> None:
    code = grid_code.grid_code(name)
    assert code.name == name
    assert code.functions.keys() == {*RULED}
    for kind in RULED:
        assert code.functions[kind].keys() <= {item.name for item in settings_of(ROWS[kind].function)}


@pytest.mark.parametrize(("name", "kind", "setting"), ENTRIES)
def test_a_default_has_a_public_source_and_what_has_none_is_asked_for(name: str, kind: str, setting: str) -> None:
    said = entry(name, kind, setting)
    assert (said.default is None) == (said.ask is not None)
    text = said.source if said.ask is None else said.ask
    assert len(text) > 10


@pytest.mark.parametrize(("name", "kind", "setting"), ENTRIES)
def test_a_range_is_sourced_and_no_rule_of_a_code_is_deaf(name: str, kind: str, setting: str) -> None:
    said = entry(name, kind, setting)
    assert said.low is None or len(said.source) > 10
    rules = said_of(grid_code.grid_code(name), kind, grid_code.grid_code(name).f_nom_hz).rules or {}
    if isinstance(rules.get(setting), Between):
        [item] = [item for item in settings_of(ROWS[kind].function) if item.name == setting]
        wrong = violation(item, rules[setting].high + 1e-3, rules)  # type: ignore[attr-defined]
        assert wrong is not None and name in wrong.allowed


@pytest.mark.parametrize(("name", "kind", "setting"), ENTRIES)
def test_a_default_lies_in_the_code_s_own_range(name: str, kind: str, setting: str) -> None:
    code = grid_code.grid_code(name)
    said = said_of(code, kind, code.f_nom_hz)
    if setting in said.defaults:
        assert said.rules is not None
        assert said.rules[setting].violation(setting, said.defaults[setting]) is None


@pytest.mark.parametrize("name", CONFIRMED)
def test_the_confirmed_codes_run_their_voltage_and_frequency_functions_as_they_are(
    name: str, site_of: SiteOf
) -> None:
    f_nom_hz = grid_code.grid_code(name).f_nom_hz
    site = site_of(site_with(name, "kind: volt_var", "kind: volt_watt", "kind: freq_droop", f_nom_hz=f_nom_hz))
    assert site.questions == ()


def test_what_is_not_confirmed_is_asked_for_by_name(problems_of: ProblemsOf) -> None:
    asked = {
        ("as4777_c", 50): {"volt_var points", "volt_watt v1_pu", "volt_watt v2_pu", "volt_watt p2_pu"},
        ("rule21", 60): {
            *("volt_var points", "volt_var olrt_s", "volt_watt v1_pu", "volt_watt v2_pu", "volt_watt p2_pu"),
            *(f"freq_droop {name}" for name in ("db_of_hz", "db_uf_hz", "k_of", "k_uf", "olrt_s")),
        },
        ("vde4105", 50): {
            *(
                "volt_var points",
                "volt_var olrt_s",
                *(f"volt_watt {n}" for n in ("v1_pu", "v2_pu", "p2_pu", "olrt_s")),
            ),
            *(f"freq_droop {name}" for name in EUROPE),
        },
        ("en50549", 50): {
            *(
                "volt_var points",
                "volt_var olrt_s",
                *(f"volt_watt {n}" for n in ("v1_pu", "v2_pu", "p2_pu", "olrt_s")),
            ),
            *(f"freq_droop {name}" for name in EUROPE),
        },
    }
    for (name, f_nom_hz), wanted in asked.items():
        text = site_with(name, "kind: volt_var", "kind: volt_watt", "kind: freq_droop", f_nom_hz=f_nom_hz)
        found = problems_of(text)
        assert {
            " needs ".join(p.message.split(":")[0].split(" needs ")).replace(" needs ", " ") for p in found
        } == wanted
        assert all(f"{name} has no default (" in p.message for p in found)


# ---- the numbers, as the documents have them


@pytest.mark.parametrize(
    ("name", "volts", "var", "watt"),
    [
        ("as4777_a", (207, 220, 240, 258), (0.44, 0, 0, -0.6), (253, 260)),
        ("as4777_b", (205, 220, 235, 255), (0.3, 0, 0, -0.4), (250, 260)),
    ],
)
def test_australia_s_curves_are_in_volts_of_230(name: str, volts: Any, var: Any, watt: Any, site_of: SiteOf) -> None:
    site = site_of(site_with(name, "kind: volt_var", "kind: volt_watt"))
    curve = built(site, "volt_var")
    assert [v * 230 for v, _ in curve.points] == pytest.approx(volts)
    assert [q for _, q in curve.points] == pytest.approx(var)
    falls = built(site, "volt_watt")
    assert (falls.v1_pu * 230, falls.v2_pu * 230, falls.p2_pu) == pytest.approx((*watt, 0.2))


@pytest.mark.parametrize(
    ("name", "band", "over", "under"),
    [
        ("as4777_a", 0.25, (50.75, 52), (49, 48)),
        ("as4777_b", 0.15, (50.75, 52), (49, 48)),
    ],
)
def test_australia_s_frequencies(name: str, band: float, over: Any, under: Any, site_of: SiteOf) -> None:
    droop = built(site_of(site_with(name, "kind: freq_droop")), "freq_droop")
    assert (droop.db_of_hz, droop.db_uf_hz) == (band, band)
    assert ((droop.of_mid_hz, droop.of_end_hz), (droop.uf_mid_hz, droop.uf_end_hz)) == (over, under)
    assert (droop.stop_s, droop.return_pu_per_s * 60) == (20, pytest.approx(0.1667, abs=1e-4))


def test_hawaii_s_curve_ends_at_0_w_and_its_droop_is_quick(site_of: SiteOf) -> None:
    site = site_of(site_with("heco_14h", "kind: volt_var", "kind: volt_watt", "kind: freq_droop", f_nom_hz=60))
    assert built(site, "volt_var").points == ((0.94, 0.44), (0.97, 0), (1.03, 0), (1.06, -0.44))
    assert built(site, "volt_watt").p2_pu == 0
    droop = built(site, "freq_droop")
    assert (droop.db_of_hz, droop.k_of, droop.k_uf, droop.olrt_s, droop.p_min_pu) == (0.036, 0.04, 0.04, 0.5, 0)


def test_the_ieee_codes_are_the_numbers_of_before(site_of: SiteOf) -> None:
    """OpenDER's defaults, which a file without a code runs with too."""
    for category in "AB":
        functions = (f"kind: volt_var, category: {category}", "kind: volt_watt", "kind: freq_droop")
        coded = site_of(site_with(f"ieee1547_{category.lower()}", *functions, f_nom_hz=60))
        plain = site_of(site_with(None, *functions, f_nom_hz=60))
        for kind in ("volt_watt", "freq_droop"):
            for item in settings_of(ROWS[kind].function):
                assert getattr(built(coded, kind), item.name) == getattr(built(plain, kind), item.name), item.name
        ours, before = built(coded, "volt_var"), built(plain, "volt_var")
        assert (ours._curve, ours._olrt_s) == (before._curve, before._olrt_s)


NEW = ("kind: watt_var", "kind: enter_service")


@pytest.mark.parametrize("name", ["ieee1547_a", "ieee1547_b"])
def test_what_came_with_the_codes_runs_under_a_code(name: str, site_of: SiteOf) -> None:
    site = site_of(site_with(name, *NEW, f_nom_hz=60))
    full_q = {"a": 0.25, "b": 0.44}[name[-1]]
    assert built(site, "watt_var").points == (
        (-1, full_q), (-0.5, 0), (-0.2, 0), (0.2, 0), (0.5, 0), (1, -full_q),
    )  # fmt: skip
    entry = built(site, "enter_service")
    assert (entry.v_low_pu, entry.v_high_pu, entry.f_low_hz, entry.f_high_hz) == (0.917, 1.05, 59.5, 60.1)
    assert (entry.delay_s, entry.ramp_s, entry.random_s) == (300, 300, 0)


def test_what_came_with_the_codes_is_refused_without_one(problems_of: ProblemsOf) -> None:
    found = problems_of(site_with(None, *NEW))
    assert [p.message.split(",")[0] for p in found] == [
        "watt_var needs site.grid_code", "enter_service needs site.grid_code",
    ]  # fmt: skip


def test_two_reactive_modes_on_one_der_are_refused(problems_of: ProblemsOf) -> None:
    modes = ("kind: volt_var", "kind: const_pf, pf: 0.95", "kind: const_var, q_pu: 0.1", "kind: watt_var")
    found = problems_of(site_with("ieee1547_b", *modes, f_nom_hz=60))
    assert {p.path for p in found} == {"functions[1]", "functions[2]", "functions[3]"}
    assert all("has a reactive mode already, in functions[0]" in p.message for p in found)


def test_a_window_that_the_nominal_frequency_is_not_in_is_refused(problems_of: ProblemsOf) -> None:
    given = "v_low_pu: 0.9, v_high_pu: 1.1, f_low_hz: 50.1, f_high_hz: 50.2, delay_s: 60, ramp_s: 600, random_s: 0"
    [problem] = problems_of(site_with("vde4105", f"kind: enter_service, {given}"))
    assert problem.path == "functions[0].f_low_hz" and "50 Hz" in problem.message


# ---- what the site file may say instead


@pytest.mark.parametrize(
    ("code", "function", "f_nom_hz"),
    [
        ("ieee1547_b", "kind: volt_watt, v1_pu: 1.05", 60),
        ("ieee1547_b", "kind: freq_droop, k_of: 0.02", 60),
        ("as4777_a", "kind: volt_watt, olrt_s: 5", 50),
        ("as4777_c", "kind: volt_watt, v1_pu: 1.1, v2_pu: 1.1304, p2_pu: 0.2", 50),
        ("rule21", "kind: volt_var, olrt_s: 5, points: [[0.92, 0.3], [0.967, 0], [1.033, 0], [1.07, -0.3]]", 60),
        ("as4777_c", "kind: volt_var, points: [[0.9348, 0.44], [1, 0], [1.0435, 0], [1.1087, -0.6]]", 50),
        ("en50549", droop_of_europe(k_of=0.12), 50),
        ("vde4105", droop_of_europe(stop_s=60, p_ref_of="rated"), 50),
        ("as4777_a", "kind: freq_droop, return_pu_per_s: 0.002", 50),
    ],
)
def test_the_file_may_say_otherwise_inside_the_code_s_range(
    code: str, function: str, f_nom_hz: int, site_of: SiteOf
) -> None:
    site = site_of(site_with(code, function, f_nom_hz=f_nom_hz))
    kind, *rest = yaml.safe_load(f"{{{function}}}").values()
    names_given = [*yaml.safe_load(f"{{{function}}}")][1:]
    for name, value in zip(names_given, rest, strict=True):
        wanted = tuple(tuple(point) for point in value) if isinstance(value, list) else value
        assert getattr(built(site, kind), name) == wanted


@pytest.mark.parametrize(
    ("code", "function", "f_nom_hz", "path", "says"),
    [
        ("ieee1547_a", "kind: freq_droop, k_of: 0.02", 60, "k_of", "0.02 is outside 0.03 to 0.05 (ieee1547_a: IEEE"),
        ("ieee1547_b", "kind: freq_droop, of_end_hz: 62", 60, "of_end_hz", "ieee1547_b has no of_end_hz: leave it"),
        ("ieee1547_b", "kind: volt_var, category: A", 60, "category", "'A' is not one of B"),
        ("ieee1547_b", "kind: volt_watt, v2_pu: 1.13", 60, "v2_pu", "1.13 is outside 1.06 to 1.1 ("),
        ("as4777_a", "kind: volt_var, category: B", 50, "category", "as4777_a has no category: leave it out"),
        ("as4777_a", "kind: volt_watt, v1_pu: 1.06", 50, "v1_pu", "1.06 is outside 1.1 pu, 253 V (as4777_a: CICCADA"),
        ("as4777_a", "kind: volt_watt, olrt_s: 11", 50, "olrt_s", "11 is outside 0.2 to 10 ("),
        ("as4777_b", "kind: freq_droop, db_of_hz: 0.036", 50, "db_of_hz", "0.036 is outside 0.15 ("),
        ("vde4105", droop_of_europe(k_of=0.13), 50, "k_of", "0.13 is outside 0.02 to 0.12 (vde4105: Austria's"),
        ("as4777_a", "kind: freq_droop, return_pu_per_s: 0.1", 50, "return_pu_per_s", "0.001 to 0.002778 (as4777_a"),
        ("heco_14h", "kind: freq_droop, p_min_pu: 0.9", 60, "p_min_pu", "0.9 is outside -1 to 0 (heco_14h"),
        ("ieee1547_b", "kind: enter_service, ramp_s: 0", 60, "ramp_s", "at least 1, or random_s: 1 or more"),
        ("rule21", "kind: freq_droop, k_of: 0.5", 60, "k_of", "0.5 is outside 0.01 to 0.2 (what is possible at all)"),
    ],
)
def test_what_a_code_does_not_allow_is_refused_with_what_it_allows(
    code: str, function: str, f_nom_hz: int, path: str, says: str, problems_of: ProblemsOf
) -> None:
    found = [p for p in problems_of(site_with(code, function, f_nom_hz=f_nom_hz)) if " needs " not in p.message]
    assert [p.path for p in found] == [f"functions[0].{path}"]
    assert says in found[0].message


@pytest.mark.parametrize(
    ("code", "points", "says"),
    [
        ("rule21", "[[0.92, 0.3], [0.967, 0], [1.033, 0.1], [1.07, -0.3]]", "a rising curve drives away"),
        ("rule21", "[[0.92, -0.3], [0.967, 0], [1.033, 0], [1.07, 0.3]]", "a rising curve drives away"),
        ("rule21", "[[0.4, 0.3], [0.967, 0], [1.033, 0], [1.07, -0.3]]", "0.5 to 1.5"),
        ("rule21", "[[0.92, 1.3], [0.967, 0], [1.033, 0], [1.07, -0.3]]", "-1 to 1"),
        ("rule21", "[[0.92, 0.3], [0.967, 0], [1.07, -0.3]]", "four points"),
        ("ieee1547_b", "[[0.92, 0.3], [0.96, 0], [1.02, 0], [1.07, -0.3]]", "0.97 to 1 ("),
        ("ieee1547_b", "[[0.96, 0.3], [0.97, 0], [1.02, 0], [1.07, -0.3]]", "at least 0.98"),
        ("ieee1547_b", "[[0.92, 0.3], [0.97, 0], [1.07, -0.3]]", "4 points"),
        (
            "as4777_a",
            "[[207, 0.44], [220, 0], [240, 0], [258, -0.6]]",
            "207.0 is outside 0.9 pu, 207 V (as4777_a: CIC",
        ),
    ],
)
def test_points_outside_a_code_or_rising_are_refused(
    code: str, points: str, says: str, problems_of: ProblemsOf
) -> None:
    f_nom_hz = grid_code.grid_code(code).f_nom_hz
    text = site_with(code, f"kind: volt_var, olrt_s: 5, points: {points}", f_nom_hz=f_nom_hz)
    [problem] = problems_of(text)
    assert problem.path.startswith("functions[0].points") and says in problem.message


def test_a_rising_curve_is_refused_without_a_code_too(problems_of: ProblemsOf) -> None:
    points = "[[0.92, 0.3], [0.98, -0.2], [1.02, 0.2], [1.07, -0.3]]"
    [problem] = problems_of(site_with(None, f"kind: volt_var, points: {points}"))
    assert "a rising curve" in problem.message


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("of_end_hz: 50.1", "of_end_hz"),
        ("of_mid_hz: 52.5, of_end_hz: 52", "of_end_hz"),
        ("uf_end_hz: 49.99", "uf_end_hz"),
        ("of_stop_hz: 50.3", "of_stop_hz"),
        ("uf_stop_hz: 49.7", "uf_stop_hz"),
    ],
)
def test_frequencies_on_the_wrong_side_of_each_other_are_refused(
    given: str, says: str, problems_of: ProblemsOf
) -> None:
    bands = "db_of_hz: 0.2, db_uf_hz: 0.2"
    [problem] = problems_of(site_with(None, f"kind: freq_droop, {bands}, {given}"))
    assert problem.path == f"functions[0].{says}" and "Hz" in problem.message


# ---- the code and the site


def test_a_code_of_60_hz_gives_a_site_of_50_hz_no_frequencies(site_of: SiteOf, problems_of: ProblemsOf) -> None:
    """A site of 50 Hz does not begin its droop at 50.036 Hz by a silent default."""
    found = problems_of(site_with("ieee1547_b", "kind: freq_droop"))
    wanted = {"db_of_hz", "db_uf_hz", "k_of", "k_uf"}
    assert {p.message.split()[2].rstrip(":") for p in found} == wanted
    assert all("the code's own is for 60 Hz" in p.message for p in found)
    given = "db_of_hz: 0.2, db_uf_hz: 0.2, k_of: 0.05, k_uf: 0.05"
    droop = built(site_of(site_with("ieee1547_b", f"kind: freq_droop, {given}")), "freq_droop")
    assert (droop.db_of_hz, droop.olrt_s) == (0.2, 5)
    assert site_of(site_with("ieee1547_b", "kind: volt_var")).questions == (), "its voltages are per unit"


def test_a_code_in_volts_is_for_a_site_of_its_nominal_voltage(problems_of: ProblemsOf) -> None:
    [problem] = problems_of(site_with("as4777_a", "kind: volt_var", v_nom_v=240))
    assert problem.path == "site.grid_code" and "230 V" in problem.message and "240" in problem.message


def test_a_code_that_is_none_is_named_with_those_there_are(problems_of: ProblemsOf) -> None:
    [problem] = problems_of(site_with("as4777a", "kind: volt_var"))
    assert problem.path == "site.grid_code"
    assert "did you mean as4777_a" in problem.message and "vde4105" in problem.message


def test_without_a_code_the_file_runs_as_before_and_is_asked(site_of: SiteOf) -> None:
    site = site_of(site_with(None, "kind: volt_var", "kind: freq_droop", "kind: reserve, min_pct: 20"))
    [question] = site.questions
    assert question.path == "site"
    assert "volt_var, freq_droop" in question.message and "50.036 Hz" in question.message
    assert "reserve" not in question.message and "en50549" in question.message
    assert built(site, "freq_droop").rules is None
    assert "Hz" not in site_of(site_with(None, "kind: volt_watt")).questions[0].message
    assert site_of(site_with(None, "kind: reserve, min_pct: 20")).questions == ()


def test_a_spoilt_preset_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd.yaml").write_text("name: odd\n", encoding="utf-8")
    monkeypatch.setattr(grid_code, "_folder", lambda: tmp_path)
    with pytest.raises(ConfigError) as caught:
        grid_code.grid_code("odd")
    assert "odd.yaml" in str(caught.value)
    assert GridCode.__struct_fields__[0] == "name"
