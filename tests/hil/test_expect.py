"""The grammar of expectations: each key can hold and can fail."""

from pathlib import Path
from typing import Any

import pytest

from hil.expect import check, look_up
from hil.scenario import ScenarioError, filled, load, parse

RAMP = [
    {"t_s": round(0.1 * i, 3), "a": {"b": float(i)}, "list": [{"c": i}], "word": "on" if i < 50 else "off"}
    for i in range(101)
]
WAVE = [{"t_s": round(0.1 * i, 3), "q": 10.0 * ((i // 10) % 2)} for i in range(101)]


@pytest.mark.parametrize(
    ("expectation", "spare"),
    [
        ({"max": 125}, 0.2),
        ({"max": 95, "tolerance": 10}, 0.5),
        ({"min": -100, "tolerance": 10}, 1.0),
        ({"equals": 50, "tolerance": 100}, 0.5),
        ({"max": 50, "tolerate_s": 10}, 0.51),
        ({"max": 50, "tolerate_s": 5.1}, 0.039),
        ({"from": 2, "within_s": 6, "min": 50}, 0.5),
        ({"at_end": True, "equals": 100, "tolerance": 1}, 1.0),
        ({"counts": {"max": 200}}, 0.5),
        ({"pp": {"max": 99}}, None),
        ({"one_of": [1]}, None),
        ({"never": 101}, None),
    ],
)
def test_what_was_left_of_a_bound_is_told(expectation: dict[str, Any], spare: float | None) -> None:
    assert check({"signal": "a.b", **expectation}, RAMP).spare == spare


@pytest.mark.parametrize(
    ("holds", "fails"),
    [
        ({"max": 100}, {"max": 99}),
        ({"min": 0}, {"min": 1}),
        ({"max": 95, "tolerance": 5}, {"max": 95, "tolerance": 4}),
        ({"max": 50, "tolerate_s": 5.1}, {"max": 50, "tolerate_s": 4.5}),
        ({"from": 5, "min": 50}, {"from": 4.9, "min": 50}),
        ({"to": 5, "max": 50}, {"to": 5.1, "max": 50}),
        ({"at_end": True, "equals": 100}, {"at_end": True, "equals": 99}),
        ({"from": 2, "within_s": 3.1, "min": 50}, {"from": 2, "within_s": 2.5, "min": 50}),
        ({"within_s": 6, "min": 50, "stays": True}, {"within_s": 6, "equals": 50, "stays": True}),
        ({"counts": {"equals": 100}}, {"counts": {"max": 99}}),
        ({"pp": {"max": 100}}, {"pp": {"max": 99}}),
        ({"mean": {"equals": 50}}, {"mean": {"min": 51}}),
        ({"never": 101}, {"never": 7}),
        ({"minus": "a.b", "equals": 0}, {"minus": "a.b", "equals": 1}),
        (
            {"along": {"signal": "t_s", "points": [[0, 0], [10, 100]]}, "equals": 0},
            {"along": {"signal": "t_s", "points": [[0, 0], [10, 90]]}, "equals": 0},
        ),
        (
            {"max": 50, "unless": {"signal": "word", "equals": "off"}},
            {"max": 48, "unless": {"signal": "word", "equals": "off"}},
        ),
        ({"max": 50, "unless": {"signal": "t_s", "min": 5.1}}, {"max": 50, "unless": {"signal": "t_s", "min": 5.2}}),
        ({"at_end": True, "equals": 101, "tolerance_pct": 1}, {"at_end": True, "equals": 102, "tolerance_pct": 1}),
        ({"scale": -1, "abs": True, "min": -100, "max": 0}, {"scale": -1, "min": 0}),
        ({"reversals": {"max": 0, "size": 5}}, {"reversals": {"min": 1, "size": 5}}),
    ],
)
def test_each_key_can_hold_and_can_fail(holds: dict[str, Any], fails: dict[str, Any]) -> None:
    assert check({"signal": "a.b", **holds}, RAMP).passed
    assert not check({"signal": "a.b", **fails}, RAMP).passed


def test_reversals_are_counted_by_size() -> None:
    assert check({"signal": "q", "reversals": {"equals": 9, "size": 5}}, WAVE).passed
    assert check({"signal": "q", "reversals": {"equals": 0, "size": 11}}, WAVE).passed


def test_words_and_lists_are_signals_too() -> None:
    assert look_up(RAMP[3], "list.0.c") == 3
    assert look_up(RAMP[3], "list.1.c") is None
    assert check({"signal": "word", "to": 4.9, "equals": "on"}, RAMP).passed
    assert check({"signal": "word", "one_of": ["on", "off"]}, RAMP).passed
    assert not check({"signal": "word", "equals": "on"}, RAMP).passed


def test_a_signal_without_a_value_fails_unless_none_is_expected() -> None:
    assert not check({"signal": "no.such", "max": 5}, RAMP).passed
    assert check({"signal": "no.such", "equals": None}, RAMP).passed
    assert not check({"signal": "a.b", "equals": None}, RAMP).passed


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(ValueError, match="maximum"):
        check({"signal": "a.b", "maximum": 5}, RAMP)
    with pytest.raises(ValueError, match="within_s"):
        check({"signal": "a.b", "max": 5, "unless": {"signal": "word", "equals": "off", "within_s": 3}}, RAMP)


def test_a_template_becomes_numbers_where_it_is_all_digits() -> None:
    template = {"port": "{port:pv1}", "list": ["{dir}/x", 5], "text": "plain"}
    assert filled(template, {"port:pv1": "1502", "dir": "/tmp"}) == {
        "port": 1502,
        "list": ["/tmp/x", 5],
        "text": "plain",
    }


def test_the_timeline_is_sorted_and_ids_are_unique() -> None:
    scenario = parse({"name": "x", "timeline": [{"at": 5, "do": "b"}, {"at": 1, "do": "a", "to": 3}]})
    assert [(event.do, dict(event.args)) for event in scenario.timeline] == [("a", {"to": 3}), ("b", {})]
    with pytest.raises(ScenarioError, match="repeat"):
        parse({"name": "x", "devices": [{"id": "a", "face": "meter"}, {"id": "a", "face": "meter"}]})


def test_a_scenario_stands_on_its_base(tmp_path: Path) -> None:
    (tmp_path / "house.yaml").write_text(
        "name: house\nplant: {v_nom_v: 230, f_nom_hz: 50}\ndevices: [{id: a, face: meter}, {id: b, face: pv_1xx}]\n"
        "site: {functions: [{kind: x, limit_w: 1}, {kind: y}]}\n"
    )
    (tmp_path / "own.yaml").write_text(
        "name: own\nbase: house\nplant: {f_nom_hz: 60}\n"
        "set: {devices.b.personality: sma, site.functions.x.limit_w: 5, site.functions.y: null,\n"
        "  site.functions.+: {kind: z}}\n"
    )
    scenario = load(tmp_path / "own.yaml")
    assert scenario.plant == {"v_nom_v": 230, "f_nom_hz": 60}
    assert [device.personality for device in scenario.devices] == ["generic", "sma"]
    assert scenario.site == {"functions": [{"kind": "x", "limit_w": 5}, {"kind": "z"}]}


def test_a_scenario_adds_to_the_lists_of_its_base_and_many_of_a_kind(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("name: base\nduration_s: 1\ntimeline: [{at: 1, do: note}]\ndevices: []\n")
    above = tmp_path / "above.yaml"
    above.write_text(
        "name: above\nbase: base\nalso: {timeline: [{at: 2, do: note}], expect: [{signal: poc.p_w}]}\n"
        "many: [{first: 2, last: 3, add: {devices: {id: 'pv{n}', face: pv_1xx, unit: '{n}'}}}]\n"
    )
    scenario = load(above)
    assert [event.at_s for event in scenario.timeline] == [1.0, 2.0]
    assert [(device.id, device.unit) for device in scenario.devices] == [("pv2", 2), ("pv3", 3)]
    assert scenario.expect == ({"signal": "poc.p_w"},)
