"""What is told of a loop that hunts, once each; and what `status` shows of it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from derctl.core.hunting import Memory
from derctl.core.sensitivity import Memory as Terminals
from derctl.core.sensitivity import Sensitivity, Terminal
from derctl.daemon.report.loops import guarded, hunting_changes, loops
from derctl.functions.containment import Memory as Seen
from derctl.site.stability import VoltLoop

KEY = "hunting/volt_var/pv1"


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        (None, Memory(), []),
        (Memory(), Memory(stage=1), ["loop_hunts"]),
        (Memory(stage=1), Memory(stage=1), []),
        (Memory(stage=2), Memory(stage=3), ["loop_hunts"]),
        (Memory(stage=3), Memory(stage=3, held=0.1), ["loop_held"]),
        (Memory(stage=3, held=0.1), Memory(stage=3), ["loop_eased"]),
        (Memory(stage=3), Memory(stage=2), ["loop_eased"]),
    ],
)
def test_each_change_is_told_once(before: Memory | None, after: Memory, events: list[str]) -> None:
    found = list(hunting_changes({} if before is None else {KEY: before}, {KEY: after, "sun": None}))
    assert [(event, der) for event, der, _ in found] == [(event, "pv1") for event in events]


def test_status_shows_the_margin_and_the_ders_on_which_a_loop_is_slower() -> None:
    known = VoltLoop(kind="volt_var", slope=7.3, sample_s=1.0, late=2, olrt_s=5.0, most=2.6, gain=0.33, margin=8.0)
    memories = {KEY: Memory(stage=3, held=0.1), "hunting/volt_watt/pv1": Memory(stage=1)}
    [shown] = loops([known], memories)
    assert (shown["kind"], shown["margin"], shown["slowed"]) == ("volt_var", 8.0, {"pv1": {"times": 8, "held": True}})


def test_containment_is_told_beside_the_loops() -> None:
    after = {KEY: Memory(stage=1), "containment": Seen(uncontained=True)}
    assert [(event, der) for event, der, _ in guarded({}, after)] == [
        ("load_not_credited", ""),
        ("loop_hunts", "pv1"),
    ]


def terminals(**known: Sensitivity) -> dict[str, object]:
    return {"sensitivity": Terminals(terminals=tuple(Terminal(der=der, known=each) for der, each in known.items()))}


def loop(kind: str, **given: Any) -> VoltLoop:
    return VoltLoop(
        **{
            "kind": kind,
            "slope": 7.0,
            "sample_s": 1.0,
            "late": 2,
            "olrt_s": 5.0,
            "most": 2.8,
            "ders": ("pv1",),
            **given,
        }
    )


def test_the_margin_on_the_grid_as_measured_is_of_all_loops_of_a_der() -> None:
    """Slope times what moves the voltage, over what is stable: 7 * 0.1 of 2.8 and 7 * 0.2 of 2.8."""
    known = [loop("volt_var"), loop("volt_watt")]
    var, watt = loops(known, terminals(pv1=Sensitivity(dv_dp_pu=0.2, dv_dq_pu=0.1)))
    assert var["measured"]["pv1"] == pytest.approx({"gain": 0.7, "alone": 4.0, "margin": 4.0 / 3.0})
    assert watt["measured"]["pv1"] == pytest.approx({"gain": 1.4, "alone": 2.0, "margin": 4.0 / 3.0})


def test_where_half_of_the_rating_runs_it_the_gain_is_half() -> None:
    [shown] = loops([loop("volt_watt", share=0.5)], terminals(pv1=Sensitivity(dv_dp_pu=0.2)))
    assert shown["measured"]["pv1"]["gain"] == pytest.approx(0.7)


def test_what_is_not_known_is_no_margin() -> None:
    known = [loop("volt_var"), loop("volt_watt"), loop("volt_watt", ders=("pv2",))]
    var, watt, other = loops(known, terminals(pv1=Sensitivity(dv_dp_pu=0.2)))
    assert var["measured"] == other["measured"] == {}
    assert watt["measured"]["pv1"] == {"gain": pytest.approx(1.4), "alone": pytest.approx(2.0), "margin": None}
    assert [each["measured"] for each in loops(known, {})] == [{}, {}, {}]


@pytest.mark.parametrize("given", [{"slope": math.inf}, {"slope": 0.0}, {"pull": -0.2}])
def test_a_step_in_the_curve_or_a_voltage_that_falls_gives_no_number(given: dict[str, float]) -> None:
    pull = given.pop("pull", 0.2)
    [shown] = loops([loop("volt_watt", **given)], terminals(pv1=Sensitivity(dv_dp_pu=pull)))
    assert shown["measured"] == {}


def test_a_claim_that_its_voltage_contradicts_is_told_once_and_when_that_is_over() -> None:
    honest, liar = Sensitivity(dv_dp_pu=0.081), Sensitivity(contradicted=True)
    before, after = terminals(pv1=honest, pv2=honest), terminals(pv1=liar, pv2=honest)
    [(event, der, text)] = guarded(before, after)
    assert (event, der, "0.081 per unit" in text) == ("claim_doubted", "pv1", True)
    assert not [*guarded(after, after)]
    assert [each[:2] for each in guarded(after, before)] == [("claim_undoubted", "pv1")]
    [(_, _, text)] = guarded({}, after)
    assert "before" not in text


def test_of_a_claim_that_is_contradicted_no_margin_is_shown() -> None:
    [shown] = loops([loop("volt_watt")], terminals(pv1=Sensitivity(dv_dp_pu=0.2, contradicted=True)))
    assert shown["measured"] == {}
