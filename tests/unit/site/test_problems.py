"""A site file with mistakes: all of them at once, each with its place, and never anything but ConfigError."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from derctl.core import engine
from derctl.core.plan import Plan
from derctl.core.requests import LimitRequest
from derctl.core.types import Capability, Port, Setpoint, SiteState
from derctl.devices import CATALOGUE, Kind
from derctl.errors import ConfigError, Problem
from derctl.site import Site, load
from derctl.site.lines import parse
from derctl.site.site import build
from tests import make


def named(problems: Any) -> Any:
    return {problem.path for problem in problems}


def test_the_small_site_is_right(small: Callable[..., str], site_of: Callable[[str], Site]) -> None:
    assert site_of(small()).limit_w == 5000


def test_all_problems_come_at_once_with_file_line_and_path(problems_of: Callable[[str], tuple[Problem, ...]]) -> None:
    text = """\
version: 2
site:
  id: A House
  v_nom_v: 20
  f_nom_hz: 55
  colour: red
buses:
  - {id: lan, tcp: {host: a, port: 70000}}
ders:
  - id: pv1
    bus: lan
    unit: 300
    kind: sunspec_pv
    fallback: {by: magic}
poc: {bus: lan, sign: 2}
functions: volt_var
"""
    problems = problems_of(text)
    assert {(p.line, p.path) for p in problems} == {
        (1, "version"),
        (3, "site.id"),
        (4, "site.v_nom_v"),
        (5, "site.f_nom_hz"),
        (6, "site.colour"),
        (8, "buses[0].tcp.port"),
        (12, "ders[0].unit"),
        (14, "ders[0].fallback.by"),
        (15, "poc"),
        (15, "poc.sign"),
        (16, "functions"),
    }
    for problem in problems:
        line = str(problem)
        assert line.startswith(f"site.yaml:{problem.line}: {problem.path}: ")
        assert "\n" not in line


def test_references_and_functions_are_all_checked_at_once(problems_of: Callable[[str], tuple[Problem, ...]]) -> None:
    text = """\
version: 1
site: {id: house, v_nom_v: 230, f_nom_hz: 50}
buses:
  - {id: lan, tcp: {host: a}}
  - {id: lan, tcp: {host: b}}
  - {id: lan2, tcp: {host: a, port: 502}}
ders:
  - {id: pv1, bus: lam, unit: 1, kind: sunspec_pv}
  - {id: pv1, bus: lan, unit: 1, kind: sunspec_wind}
  - {id: pv2, bus: lan, unit: 1, kind: sunspec_meter, profile: acme}
  - {id: pv3, bus: lan, unit: 4, kind: sunspec_pv, bms: {bus: lan, unit: 5}}
  - {id: pv4, bus: lan, unit: 6, kind: sunspec_pv, fallback: {by: stands}}
  - {id: pv5, bus: lan, unit: 7, kind: sunspec_pv, rating: {p_max_w: 5}, fallback: {p_ceiling_w: 5000}}
functions:
  - {kind: volt_vat}
  - {kind: volt_var, category: C, slope: 3}
  - {kind: soc_guard, ders: [pv3]}
  - {kind: freq_droop, ders: [pv9]}
  - {kind: contract_export_limit}
  - {kind: self_consumption}
"""
    problems = problems_of(text)
    assert {(p.line, p.path) for p in problems} >= {
        (5, "buses[1].id"),
        (6, "buses[2].tcp"),
        (8, "ders[0].bus"),
        (9, "ders[1].id"),
        (9, "ders[1].kind"),
        (10, "ders[2].unit"),
        (10, "ders[2].kind"),
        (10, "ders[2].profile"),
        (11, "ders[3].bms"),
        (12, "ders[4].fallback"),
        (13, "ders[5].fallback.p_ceiling_w"),
        (15, "functions[0].kind"),
        (16, "functions[1].category"),
        (16, "functions[1].slope"),
        (17, "functions[2].ders"),
        (18, "functions[3].ders"),
        (19, "functions[4]"),
        (20, "functions[5]"),  # no meter
    }


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("id: house,", "id: house, id: home,", "site.id", "twice"),
        ("{id: pv1, bus: lan, unit: 1", "{id: pv1, bus: lan, unit: 2", "ders[1].unit", "ders[0]"),
        ("{id: pv1, bus: lan, unit: 1", "{id: pv1, bus: lan, unit: 3", "poc.unit", "ders[0]"),
        ("unit: 3, sign: 1}", "unit: 3}", "poc", "sign is missing"),  # nobody guesses a sign
        ("sign: 1}", "sign: 0}", "poc.sign", "1 or -1"),
        ("kind: sunspec_storage", "kind: sunspec_storage, bms: {bus: lan, unit: 1}", "ders[1].bms.unit", "ders[0]"),
        ("limit_w: 5000", "limit_w: 5 kW", "functions[0].limit_w", "5 kW"),
        ("limit_w: 5000", "limit_w: .nan", "functions[0].limit_w", "nan"),
        ("limit_w: 5000", "limit_w: -5", "functions[0].limit_w", "0 to"),
        ("kind: sunspec_pv}", "kind: sunspec_pv, rating: {p_max_w: .inf}}", "ders[0].rating.p_max_w", "inf"),
        ("unit: 1, kind", "unit: 1, fallback: {p_ceiling_w: .inf}, kind", "ders[0].fallback.p_ceiling_w", "inf"),
        ("kind: sunspec_pv}", "kind: sunspec_pv, fallback: {p_ceiling_w: -1}}", "ders[0].fallback.p_ceiling_w", "-1"),
        ("kind: sunspec_pv}", "kind: sunspec_pv, control: no}", "ders[0].control", "'no'"),
        ("kind: sunspec_pv}", "kind: sunspec_pv, serial: 0123}", "ders[0].serial", "quotes"),
        ("kind: sunspec_pv}", "kind: sunspec_pv, serial: 2026-99-99}", "ders[0].serial", "quotes"),
        ("kind: sunspec_pv}", "kind: sunspec_pv, rating: }", "ders[0].rating", "p_max_w"),
        ("host: pv.example", "host: pv.example, prot: 502", "buses[0].tcp.prot", "host, port"),
        ("f_nom_hz: 50", "f_nom_hz: 50, tick_s: 0.01", "site.tick_s", "0.1"),
        ("  - {kind: contract_export_limit, limit_w: 5000}", "  - volt_var", "functions[0]", "mapping"),
        ("  - {kind: contract", "  - {kind: volt_var, ders: pv1}\n  - {kind: contract", "functions[0].ders", "list"),
        ("  - {kind: contract", "  - {kind: volt_var, ders: [[]]}\n  - {kind: contract", "functions[0].ders", "DER"),
        ("  - {kind: contract", "  - {kind: {a: b}}\n  - {kind: contract", "functions[0].kind", "volt_var"),
        ("  - {kind: contract", "  - {kind: operator_site_limit}\n  - {kind: contract", "functions[0].kind", "known"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_where_it_stands(
    small: Callable[..., str],
    problems_of: Callable[[str], tuple[Problem, ...]],
    old: str,
    new: str,
    path: str,
    says: str,
) -> None:
    problems = problems_of(small((old, new)))
    assert [problem.path for problem in problems] == [path], problems
    assert says in problems[0].message
    line = small((old, new)).splitlines()[problems[0].line - 1]
    assert path.endswith("]") or path.rpartition(".")[2] in line


def test_off_is_a_word_of_the_site_file_and_no_truth_value(
    small: Callable[..., str], site_of: Callable[[str], Site]
) -> None:
    """The README and the table write `own_functions: off`; YAML 1.1 would make it false."""
    site = site_of(small(("kind: sunspec_pv}", "kind: sunspec_pv, own_functions: off}")))
    assert site.file.ders[0].own_functions == "off"
    assert site_of(small(("kind: sunspec_pv}", "kind: sunspec_pv, control: false}"))).file.ders[0].control is False


def test_a_der_has_one_function_of_a_kind_and_one_reactive_mode(
    small: Callable[..., str], problems_of: Callable[[str], tuple[Problem, ...]]
) -> None:
    twice = "  - {kind: volt_var}\n  - {kind: volt_var, ders: [bat1]}\n  - {kind: contract"
    problems = problems_of(small(("  - {kind: contract", twice)))
    assert [(problem.path, problem.line) for problem in problems] == [("functions[1]", 11)]
    assert "bat1" in problems[0].message
    assert "functions[0]" in problems[0].message


@pytest.mark.parametrize("sections", [["ders: [pv1]"], ["ders: [pv1]", "ders: [bat1]"], [""]])
def test_a_limit_on_the_site_is_one_over_all_ders_whatever_the_sections_name(
    small: Callable[..., str], site_of: Callable[[str], Site], sections: list[str]
) -> None:
    """A section each for pv1 and bat1 once gave each of them the whole limit."""
    given = "".join(f"  - {{kind: operator_limit, {each}}}\n" for each in sections)
    plan = site_of(small(("  - {kind: contract", f"{given}  - {{kind: contract"))).plan
    assert [ids for function, ids in plan.site_functions if function.kind == "operator_site_limit"] == [
        ("pv1", "bat1")
    ]
    ders = tuple(
        make.der(
            name, make.rating(q=0.0), Capability(ac=Port(limit=True)), p_w=8e3, accepted=Setpoint(p_ceiling_w=1e4)
        )
        for name in ("pv1", "bat1")
    )
    asked = LimitRequest(id="a", by="home", der=None, p_ceiling_w=5e3, remaining_s=60.0)
    functions = tuple(each for each in plan.site_functions if each[0].kind == "operator_site_limit")
    state = SiteState(t_s=1.0, tick_s=1.0, f_nom_hz=50.0, ders=ders, requests=(asked,))
    _, decisions = engine.step(Plan(site_functions=functions), {}, state, 1.0)
    assert sum(decision.setpoint.p_ceiling_w or 0.0 for decision in decisions) == pytest.approx(5e3)


@pytest.mark.parametrize(("probe", "there"), [("none", False), ("due", True), ("always", True)])
def test_steps_for_the_meter_come_where_the_contract_asks_for_them(
    small: Callable[..., str], site_of: Callable[[str], Site], probe: str, there: bool
) -> None:
    text = small().replace("kind: contract_export_limit,", f"kind: contract_export_limit, probe: {probe},")
    kinds = [function.kind for function, _ in site_of(text).plan.site_functions]
    assert text != small() and ("probe" in kinds) is there


@pytest.mark.parametrize(
    ("functions", "there"),
    [
        ("{kind: self_consumption}", True),
        ("{kind: self_consumption, probe: none}", False),
        ("{kind: self_consumption}\n  - {kind: contract_export_limit, limit_w: 7000, probe: none}", False),
        ("{kind: self_consumption, probe: none}\n  - {kind: contract_export_limit, limit_w: 7000}", True),
    ],
)
def test_steps_for_the_meter_come_where_a_store_follows_it_unless_the_contract_says_another_thing(
    small: Callable[..., str], site_of: Callable[[str], Site], functions: str, there: bool
) -> None:
    text = small().replace("{kind: contract_export_limit, limit_w: 5000}", functions)
    kinds = [function.kind for function, _ in site_of(text).plan.site_functions]
    assert ("probe" in kinds) is there


def test_without_an_operator_limit_nobody_limits_the_site(
    small: Callable[..., str], site_of: Callable[[str], Site]
) -> None:
    kinds = [function.kind for function, _ in site_of(small()).plan.site_functions]
    assert kinds == ["contract_export_limit", "probe", "containment"]


@pytest.mark.parametrize(("given", "missing"), [("[pv1]", "bat1"), ("[bat1]", "pv1"), ("[]", "pv1, bat1")])
def test_the_contract_is_over_every_der_or_refused(
    small: Callable[..., str], problems_of: Callable[[str], tuple[Problem, ...]], given: str, missing: str
) -> None:
    """A DER that the limit doesn't count gives all it can when the meter is lost: 16 kW of 6 (pv2 not named)."""
    [problem] = problems_of(small(("limit_w: 5000", f"limit_w: 5000, ders: {given}")))
    assert (problem.path, problem.line) == ("functions[0].ders", 10)
    assert missing in problem.message
    assert "control: false" in problem.message


@pytest.mark.parametrize("given", ["", ", ders: [bat1, pv1]"])
def test_the_contract_counts_a_der_that_derctl_must_not_write(
    small: Callable[..., str], site_of: Callable[[str], Site], given: str
) -> None:
    text = small(
        ("limit_w: 5000", f"limit_w: 5000{given}"), ("kind: sunspec_pv}", "kind: sunspec_pv, control: false}")
    )
    for _, ids in site_of(text).plan.site_functions:
        assert {*ids} == {"pv1", "bat1"}


@pytest.mark.parametrize("kind", ["soc_guard", "reserve", "bms_guard", "setpoint"])
def test_what_needs_storage_goes_to_storage_only(
    small: Callable[..., str],
    site_of: Callable[[str], Site],
    problems_of: Callable[[str], tuple[Problem, ...]],
    kind: str,
) -> None:
    needs = ", min_pct: 20" if kind in {"soc_guard", "reserve"} else ""
    site = site_of(small(("  - {kind: contract", f"  - {{kind: {kind}{needs}}}\n  - {{kind: contract")))
    assert [ids for function, ids in site.plan.der_functions if function.kind == kind] == [("bat1",)]
    problems = problems_of(
        small(("  - {kind: contract", f"  - {{kind: {kind}{needs}, ders: [bat1, pv1]}}\n  - {{kind: contract"))
    )
    assert "pv1" in problems[0].message


def test_a_kind_that_is_only_aimed_takes_setpoints_and_no_battery_s_guards(
    small: Callable[..., str],
    site_of: Callable[[str], Site],
    problems_of: Callable[[str], tuple[Problem, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An EV charger: one row of the catalogue, and the site file knows what it can be given."""

    def nobody(options: Any) -> Any:
        raise AssertionError("a site file finds no devices")

    charger = Kind(role="der", bind=nobody, can=Capability(ac=Port(aim=True)))
    monkeypatch.setitem(CATALOGUE, "acme_charger", charger)
    change = ("kind: sunspec_storage", "kind: acme_charger")
    site = site_of(small(change, ("  - {kind: contract", "  - {kind: setpoint}\n  - {kind: contract")))
    assert [ids for function, ids in site.plan.der_functions if function.kind == "setpoint"] == [("bat1",)]
    guard = ("  - {kind: contract", "  - {kind: bms_guard, ders: [bat1]}\n  - {kind: contract")
    assert "storage" in problems_of(small(change, guard))[0].message
    stands = ("kind: acme_charger", "kind: acme_charger, fallback: {by: stands, p_ceiling_w: 0}")
    assert problems_of(small(change, stands))[0].path == "ders[1].fallback.by"


@pytest.mark.parametrize("kind", ["contract_export_limit, limit_w: 1", "self_consumption"])
def test_a_site_function_without_a_meter_is_refused(
    small: Callable[..., str], problems_of: Callable[[str], tuple[Problem, ...]], kind: str
) -> None:
    text = small(("poc: {bus: lan, unit: 3, sign: 1}\n", "")).replace("contract_export_limit, limit_w: 5000", kind)
    assert "meter" in problems_of(text)[0].message


@pytest.mark.parametrize(
    "points",
    [
        "[[0.92, 0.44], [0.98, 0], [1.02, 0]]",
        "[[0.98, 0.44], [0.92, 0], [1.02, 0], [1.08, -0.44]]",  # not monotonic
        "[[0.92, 0.44], [0.98, 0], [1.02, .nan], [1.08, -0.44]]",
        "[[a, b], [c, d], [e, f], [g, h]]",
        "5",
        "[1, 2, 3, 4]",
    ],
)
def test_a_curve_that_is_none_is_refused_with_its_place(
    small: Callable[..., str], problems_of: Callable[[str], tuple[Problem, ...]], points: str
) -> None:
    text = small(("  - {kind: contract", f"  - {{kind: volt_var, points: {points}}}\n  - {{kind: contract"))
    assert {path.removesuffix("[1]").removesuffix("[2]") for path in named(problems_of(text))} == {
        "functions[0].points"
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("version: 1\nsite: {id: a\n", 2),
        ("version: 1\n\tsite: 1\n", 2),
        ("version: 1\n---\nversion: 1\n", 2),
        ("version: 1\nsite: \x07\n", 2),
        ("version: 1\nsite: *nowhere\n", 2),
        ("[" * 3000, 1),
        ("a: &a [*a]", 1),
        ("\n".join(["a: &a [x, x]", *(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]"
                    for i in range(12))]), None),
        ("- 1\n", 1),
        ("hello", 1),
        ("", 1),
        ("# nothing but a comment\n", 1),
    ],
)  # fmt: skip
def test_what_is_no_site_file_at_all_is_a_config_error(
    problems_of: Callable[[str], tuple[Problem, ...]], text: Any, line: int | None
) -> None:
    problems = problems_of(text)
    assert all(isinstance(problem, Problem) for problem in problems)
    if line is not None:
        assert line in {problem.line for problem in problems}


@pytest.mark.parametrize(
    "value",
    ["2026-99-99", "0b_", "!!int abc", "!!bool maybe", "!!timestamp soon", "!!float x", "!secret x", "1" * 5000],
)
def test_a_word_that_yaml_itself_stumbles_over_is_named(
    small: Callable[..., str], problems_of: Callable[[str], tuple[Problem, ...]], value: Any
) -> None:
    problems = problems_of(small(("kind: sunspec_pv}", f"kind: sunspec_pv, serial: {value}}}")))
    assert named(problems) == {"ders[0].serial"}
    assert problems[0].line == 6
    assert len(str(problems[0])) < 200


def test_an_empty_file_lists_what_it_needs(problems_of: Callable[[str], tuple[Problem, ...]]) -> None:
    says = {problem.message for problem in problems_of("")}
    assert says == {"buses is missing", "ders is missing", "site is missing", "version is missing"}


def test_a_file_that_is_not_there_or_no_text_is_a_config_error(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"version: \xff\xfe")
    for path in (tmp_path / "none.yaml", tmp_path, bad):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert str(path) in str(caught.value)


MQTT = "mqtt: {{host: broker, password_file: {path}}}\nfunctions:"


@pytest.mark.parametrize(
    ("mode", "refused"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True), (0o602, True)]
)
def test_a_secret_that_everyone_can_read_or_write_is_refused(
    small: Callable[..., str],
    site_of: Callable[[str], Site],
    problems_of: Callable[[str], tuple[Problem, ...]],
    tmp_path: Path,
    mode: int,
    refused: bool,
) -> None:
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    path.chmod(mode)
    text = small(("functions:", MQTT.format(path=path)))
    if not refused:
        assert site_of(text).secret == "hunter2"
        return
    [problem] = problems_of(text)
    assert problem.path == "mqtt.password_file"
    assert f"{mode:o}" in problem.message
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(("mode", "refused"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_private_key_that_everyone_can_read_is_refused(
    small: Callable[..., str],
    site_of: Callable[[str], Site],
    problems_of: Callable[[str], tuple[Problem, ...]],
    tmp_path: Path,
    mode: int,
    refused: bool,
) -> None:
    key = tmp_path / "site.key"
    key.write_text("key\n")
    key.chmod(mode)
    tls = f"mqtt: {{host: broker, tls: {{ca_file: {key}, cert_file: {key}, key_file: {key}}}}}\nfunctions:"
    text = small(("functions:", tls))
    if refused:
        assert named(problems_of(text)) == {"mqtt.tls.key_file"}
    else:
        assert site_of(text).file.mqtt is not None


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_secret_that_cannot_be_read_is_refused(
    small: Callable[..., str],
    problems_of: Callable[[str], tuple[Problem, ...]],
    tmp_path: Path,
    content: bytes | None,
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    assert named(problems_of(small(("functions:", MQTT.format(path=path))))) == {"mqtt.password_file"}


KEYS = st.sampled_from(
    ["version", "site", "id", "buses", "tcp", "host", "ders", "bus", "unit", "kind", "poc", "sign", "functions", "x",
     "mqtt", "password_file", "fallback", "rating", "bms", "points", "limit_w", "tls", "profile"]
)  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates(), st.binary(max_size=4),
    st.sampled_from(["volt_var", "sunspec_pv", "lan", "pv1", "control", "reversion", "generic"]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=15
)


@settings(deadline=None)
@given(value=VALUES)
def test_no_value_whatever_raises_anything_but_config_error(value: Any) -> None:
    with pytest.raises(ConfigError):
        build(parse(yaml.safe_dump(value, allow_unicode=True), "any.yaml"))


PLACES = [
    ("version",), ("site",), ("site", "id"), ("site", "v_nom_v"), ("buses",), ("buses", 0), ("buses", 0, "tcp"),
    ("ders",), ("ders", 0), ("ders", 0, "unit"), ("ders", 0, "kind"), ("ders", 0, "fallback"), ("ders", 1, "bms"),
    ("poc",), ("poc", "kind"), ("functions",), ("functions", 0), ("functions", 0, "kind"), ("functions", 0, "ders"),
    ("mqtt",), ("functions", 0, "limit_w"), ("ders", 0, "rating"), ("ders", 0, "profile"), ("ders", 0, "serial"),
]  # fmt: skip


@settings(deadline=None)
@given(place=st.sampled_from(PLACES), value=VALUES)
def test_no_value_at_any_place_of_a_good_file_raises_anything_but_config_error(
    small: Callable[..., str], place: Any, value: Any
) -> None:
    whole = copy.deepcopy(yaml.safe_load(small()))
    inner = whole
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    try:
        build(parse(yaml.safe_dump(whole, allow_unicode=True), "any.yaml"))
    except ConfigError as error:
        assert error.problems


@settings(deadline=None)
@given(text=st.text(max_size=80) | st.text(alphabet="{}[]:,-&*!|>#'\"?%@` \nab1.", max_size=60))
def test_no_text_whatever_raises_anything_but_config_error(text: Any) -> None:
    with pytest.raises(ConfigError):
        build(parse(text, "any.yaml"))


@pytest.mark.parametrize("header", ["ignore_transaction", "ignore_unit"])
def test_a_loose_header_needs_a_bus_of_one_unit(
    small: Callable[..., str],
    site_of: Callable[[str], Site],
    problems_of: Callable[[str], tuple[Problem, ...]],
    header: str,
) -> None:
    """An answer could be taken for another's."""
    loose = ("tcp: {host: pv.example}}", f"tcp: {{host: pv.example}}, header: {header}}}")
    [problem] = problems_of(small(loose))
    assert (problem.path, problem.line) == ("buses[0].header", 4)
    assert "the units 1, 2, 3" in problem.message
    alone = f"{loose[1]}\n  - {{id: other, tcp: {{host: b.example}}}}"
    text = small(
        (loose[0], alone), ("bat1, bus: lan", "bat1, bus: other"), ("bus: lan, unit: 3", "bus: other, unit: 3")
    )
    assert site_of(text).file.buses[0].header == header


def test_a_header_is_one_of_three_words(
    small: Callable[..., str], problems_of: Callable[[str], tuple[Problem, ...]]
) -> None:
    [problem] = problems_of(small(("pv.example}}", "pv.example}, header: ignore_transactions}")))
    assert problem.path == "buses[0].header"
    assert "did you mean" in problem.message or "ignore_transaction'" in problem.message


def test_strict_is_for_any_bus(small: Callable[..., str], site_of: Callable[[str], Site]) -> None:
    assert site_of(small(("pv.example}}", "pv.example}, header: strict}"))).limit_w == 5000
