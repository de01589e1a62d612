"""A register map in a profile file: what it makes, and every mistake with its place and number."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from derctl.cli.maps import order_text
from derctl.core.words import SeenBy
from derctl.devices.maps.line import Type
from derctl.errors import ConfigError, Problem
from derctl.site import Site, load
from derctl.site.lines import parse
from derctl.site.profiles import profile

ROOT = Path(__file__).resolve().parents[3]
INTERFACES = (ROOT / "docs" / "interfaces.md").read_text("utf-8")
SHOWN: list[str] = re.findall(r"^```yml map\n(.*?)^```$", INTERFACES, re.M | re.S)
CONTROL: list[str] = re.findall(r"^```yml control\n(.*?)^```$", INTERFACES, re.M | re.S)
RELEASE = "{point: forced, value: 0}"
SITE = """\
version: 1
site: {id: house, v_nom_v: 230, f_nom_hz: 50}
buses:
  - {id: rs485, rtu: {port: /dev/ttyUSB0}}
ders: []
poc: {bus: rs485, unit: 1, kind: map_meter, profile: acme_meter, sign: -1}
"""


def problems(*changes: tuple[str, str]) -> list[Problem]:
    [text] = SHOWN
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    with pytest.raises(ConfigError) as caught:
        profile(parse(text, "acme.yaml"))
    return [*caught.value.problems]


def test_the_map_of_the_document_loads() -> None:
    [text] = SHOWN
    made = profile(parse(text, "acme.yaml")).map
    assert made is not None
    power, volts, energy = made.lines
    assert (power.name, power.address, power.function, power.type, power.unit) == ("p_w", 0x34, 4, Type.F32, "W")
    assert (volts.valid, volts.fact.by) == ((0.0, 1000.0), SeenBy.DOCUMENT)
    assert (energy.type, energy.scale, energy.absent, energy.slow) == (Type.U32, 100.0, (0xFFFFFFFF,), True)
    assert [mark.wanted for mark in made.signature] == ["40 to 70", "7 or 9"]


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        (("{name: p_w,", "{name: p_x,"), "map.lines", "needs a line p_w"),
        (("{name: v_a_v,", "{name: v_d_v,"), "map.lines[1].name", "no quantity 'v_d_v' of a map_meter"),
        (("{name: v_a_v,", "{name: p_w,"), "map.lines[1].name", "stands twice"),
        (("{name: v_a_v,", "{name: v_a_v, count: 3,"), "map.lines[1]", "count goes with pick"),
        (("{name: v_a_v,", "{name: v_a_v, pick: lowest,"), "map.lines[1]", "count goes with pick"),
        (
            (
                "{name: energy_wh, address: 0x0100,",
                "{name: energy_wh, address: 0x0100, count: 2, pick: lowest, exponent: 3,",
            ),
            "map.lines[2].count",
            "only plain numbers",
        ),
        (
            ("{name: v_a_v, address: 0x0000,", "{name: v_a_v, count: 9, pick: lowest, address: 0xFFF0,"),
            "map.lines[1].address",
            "behind register 65535",
        ),
        (("address: 0x0034}", "address: 0x10034}"), "map.lines[0].address", "outside 0 to 65535"),
        (("address: 0x0034}", "address: 0xFFFF}"), "map.lines[0].address", "ends behind register 65535"),
        (("valid: [0, 1000]", "valid: [1000, 0]"), "map.lines[1].valid", "is not below"),
        (("valid: [0, 1000]", "part: low"), "map.lines[1].part", "only a u16"),
        (("valid: [0, 1000]", "unit: kV"), "map.lines[1].unit", "v_a_v is in V"),
        (("valid: [0, 1000]", "exponent: 2"), "map.lines[1].exponent", "only a whole number has a power of ten"),
        (("valid: [0, 1000]", "registers: 2"), "map.lines[1]", "a text needs registers"),
        (("valid: [0, 1000]", "type: string, registers: 2"), "map.lines[1].type", "is no text"),
        (("valid: [0, 1000]", "scael: 2"), "map.lines[1].scael", "did you mean scale"),
        (("values: [7, 9]", "within: [9, 7]"), "map.signature[1].within", "is above"),
        (("values: [7, 9]", "values: []"), "map.signature[1]", "needs one of"),
        (("values: [7, 9]", "text: ACME"), "map.signature[1]", "text goes with type: string"),
        (("kind: map_meter ", "kind: map_metre "), "map.kind", "did you mean map_meter"),
        (("  by: document  ", "  by: hearsay   "), "map.by", "expected 'capture' or"),
    ],
)
def test_a_mistake_is_named_with_its_place(change: tuple[str, str], path: str, says: str) -> None:
    found = problems(change)
    assert any(each.path == path and says in each.message and each.line > 1 for each in found), found


def test_alarms_and_status_need_their_tables() -> None:
    found = problems(
        ("kind: map_meter ", "kind: map_bms "), ("{name: v_a_v,", "{name: alarms,"), ("{name: p_w,", "{name: status,")
    )
    said = [each.message for each in found]
    assert any("alarms need bits" in text for text in said)
    [text] = SHOWN
    flow = text.replace("kind: map_meter ", "kind: map_bms ").replace("{name: v_a_v,", "{name: flow,")
    with pytest.raises(ConfigError, match="flow needs bits"):
        profile(parse(flow, "acme.yaml"))
    assert any("status needs states" in text for text in said)


def own(folder: Path, **changes: str) -> Path:
    """A site file with a map of one's own beside it."""
    [text] = SHOWN
    (folder / "profiles.d").mkdir()
    (folder / "profiles.d" / "mine.yaml").write_text(text.replace("name: p_w", changes.get("p_w", "name: p_w")))
    path = folder / "site.yaml"
    path.write_text(SITE.replace("acme_meter", changes.get("profile", "acme_meter")), encoding="utf-8")
    return path


def test_a_map_of_ones_own_beside_the_site_file_is_used(tmp_path: Path) -> None:
    site = load(own(tmp_path))
    assert site.profile("acme_meter").max_regs == 40
    assert site.profile("acme_meter").map is not None


def test_a_wrong_file_beside_the_site_file_is_a_problem_of_the_site(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(own(tmp_path, p_w="name: p_q"))
    assert any(each.file.endswith("mine.yaml") and each.path == "map.lines" for each in caught.value.problems)


def test_a_file_of_ones_own_stands_in_the_place_of_a_shipped_one_and_check_says_so(tmp_path: Path) -> None:
    path = own(tmp_path, profile="eastron_sdm630")
    mine = tmp_path / "profiles.d" / "mine.yaml"
    mine.write_text(mine.read_text().replace("name: acme_meter", "name: eastron_sdm630"))
    site = load(path)
    made = site.profile("eastron_sdm630").map
    assert made is not None and made.maker == "ACME"
    assert any("in the place of the shipped one" in each.message for each in site.questions)


def test_two_files_of_one_name_are_a_problem(tmp_path: Path) -> None:
    path = own(tmp_path)
    (tmp_path / "profiles.d" / "other.yaml").write_text(SHOWN[0])
    with pytest.raises(ConfigError, match="stands in two files"):
        load(path)


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ((("profile: acme_meter, ", ""),), "poc", "map_meter goes by a register map: name it by profile; known are"),
        ((("acme_meter", "kostal_ksem"),), "poc.profile", "profile kostal_ksem has none; known are"),
        ((("acme_meter", "jk_bms"),), "poc.kind", "is the register map of a map_bms: write kind: map_bms"),
        ((("map_meter", "sunspec_meter"), ("acme_meter", "eastron_sdm630")), "poc.kind", "write kind: map_meter"),
    ],
)
def test_kind_and_map_have_to_fit(
    changes: tuple[tuple[str, str], ...],
    path: str,
    says: str,
    problems_of: Callable[[str], tuple[Problem, ...]],
) -> None:
    text = SITE
    for old, new in changes:
        text = text.replace(old, new)
    assert any(each.path == path and says in each.message for each in problems_of(text))


def test_a_bms_takes_the_map_of_a_bms_alone(
    problems_of: Callable[[str], tuple[Problem, ...]], site_of: Callable[[str], Site]
) -> None:
    der = (
        "ders:\n  - {id: bat1, bus: rs485, unit: 2, kind: sunspec_storage, bms: {bus: rs485, unit: 3, profile: X}}\n"
    )
    text = SITE.replace("ders: []\n", der).replace("acme_meter", "eastron_sdm630")
    [found] = problems_of(text.replace("profile: X", "profile: seplos_v33"))
    assert "no profile 'seplos_v33'" in found.message
    [found] = problems_of(text.replace("profile: X", "profile: eastron_sdm630"))
    assert (found.path, "not of a map_bms" in found.message) == ("ders[0].bms.profile", True)
    assert site_of(text.replace("profile: X", "profile: seplos_v3")).profile("seplos_v3").map is not None


def controlled(*changes: tuple[str, str]) -> str:
    """The document's map as one of a store, with the document's control section."""
    [text], [control] = SHOWN, CONTROL
    for old, new in changes:
        assert old in control, old
        control = control.replace(old, new)
    indented = "".join(f"  {row}\n" for row in control.splitlines())
    return text.replace("kind: map_meter ", "kind: map_storage ") + indented


def test_the_control_of_the_document_loads_and_its_points_wear_as_they_say() -> None:
    made = profile(parse(controlled(), "acme.yaml"))
    assert made.map is not None and made.map.control is not None
    assert [point.name for point in made.map.control.points][:2] == ["own.forced", "own.charge_w"]
    target = made.map.control.target
    assert target is not None
    assert [step.point for step in target.way(-1.0)] == ["charge_w", "minutes", "forced"]
    assert not made.wears("own.forced") and made.volatile and not made.guarded
    var = made.map.control.var
    assert var is not None and var.reactive and not target.reactive
    assert order_text(var) == "q_var = var, q_mode = 2; given back: q_mode = 0; stands"
    assert [point.name for point in made.map.control.var_alone] == ["own.q_var", "own.q_mode"]
    assert made.facts["volatile"].by is SeenBy.DOCUMENT
    inferred = (
        "address: 100, volatile: true",
        "address: 100, volatile: true, volatile_by: assumed, volatile_source: x",
    )
    marked = profile(parse(controlled(inferred), "x.yaml"))
    assert (marked.facts["volatile"].by, marked.confirmed("volatile")) == (SeenBy.ASSUMED, False)
    some = profile(
        parse(controlled(("type: u16, scale: 60, valid: [60, 3600], volatile: true", "scale: 60")), "x.yaml")
    )
    assert some.wears("own.minutes") and some.guarded


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        (("{name: minutes,", "{name: forced,"), "map.control.points[3].name", "stands twice"),
        ((RELEASE, "{point: forzed, value: 0}"), "map.control.target.release[0].point", "forced?"),
        ((RELEASE, "{point: forced}"), "map.control.target.release[0]", "either value"),
        ((RELEASE, "{point: charge_w, of: size}"), "map.control.target.release", "gives no power"),
        (("[{point: charge_w, of: size}, ", "["), "map.control.target.take", "needs one step of watts"),
        (("address: 105, type: u16,", "address: 105, function: 4, type: u16,"), "map.control.points[3].function",
         "only what function 3 reads"),
        (("  target:", "  limit:"), "map.control.limit", "a map_storage is told its target"),
        (("timer: no_target", "timer: target"), "map.control.target.timer", "target goes with a step of fallback"),
        (("{name: charge_w, address: 101, type: u32,", "{name: charge_w, address: 101, function: 1, type: u32,"),
         "map.control.points[1].function", "only what function 3 reads"),
        (("{name: charge_w, address: 101, type: u32,", "{name: charge_w, address: 101, type: bits, registers: 4,"),
         "map.control.points[1].type", "read bits, and nothing else does"),
        (("{name: charge_w, address: 101,", "{name: charge_w, once: true, address: 101,"), "map.control.target",
         "charge_w takes its power"),
        (("{point: q_var, of: var}", "{point: q_var, of: watts}"), "map.control.var.give[0].of", "its own"),
        (("{point: q_var, of: var}", "{point: q_var, of: pf}"), "map.control.var.give[0].of", "'va_percent'"),
        (("[{point: q_var, of: var}, {point: q_mode, value: 2}]", "q_var"), "map.control.var.give", "list"),
        (("[{point: q_var, of: var}, {point: q_mode, value: 2}]", "[]"), "map.control.var.give", "at least one"),
        (("{point: q_var, of: var}, ", ""), "map.control.var.give", "needs one step of var, var_size, var_percent"),
        (("{point: q_mode, value: 0}", "{point: q_var, of: var}"), "map.control.var.release", "gives no var"),
        (("{point: charge_w, of: size}", "{point: charge_w, of: var}"), "map.control.target.take[0].of", "its own"),
        (("  var:\n", "  var:\n    at: battery\n"), "map.control.var.at", "a battery has no reactive power"),
        (("  var:\n", "  var:\n    timer: target\n"), "map.control.var.timer", "write none or no_target"),
        (("{name: q_var, address: 110,", "{name: q_var, once: true, address: 110,"), "map.control.var",
         "q_var takes its var"),
    ],
)  # fmt: skip
def test_a_mistake_in_what_is_written_is_named_with_its_place(change: tuple[str, str], path: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        profile(parse(controlled(change), "acme.yaml"))
    found = caught.value.problems
    assert any(each.path == path and says in each.message and each.line > 1 for each in found), found


def test_a_meter_is_not_written_and_a_map_with_byte_numbers_isn_t_either() -> None:
    with pytest.raises(ConfigError, match="a map_meter is not written"):
        profile(parse(controlled().replace("kind: map_storage ", "kind: map_meter "), "acme.yaml"))
    with pytest.raises(ConfigError, match="a map_hybrid is told its limit"):
        profile(parse(controlled().replace("kind: map_storage ", "kind: map_hybrid "), "acme.yaml"))
    with pytest.raises(ConfigError, match="step isn't 1"):
        profile(parse(controlled().replace("step: 1 ", "step: 2 "), "acme.yaml"))
