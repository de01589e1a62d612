"""A record as a report: sums over the stretches of the time asked for, and each gap with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.daemon.shadow.report import report_of, summary_of
from derctl.store.shadow import DerPart, Kept, SitePart, Stretch

NOON = 1_800_000_000.0


def stretch(n: int, began: float, seconds: float = 300.0, **given: Any) -> Stretch:
    usual: dict[str, Any] = {"run": "a", "n": n, "began": NOON + began, "ended": NOON + began + seconds}
    return Stretch(**{**usual, "seconds": seconds, "synced": True, **given})


def report(*stretches: Stretch, now: float = 600.0, since_s: float = 600.0, synced: bool = True) -> dict[str, Any]:
    kept = Kept(stretches=stretches, torn=1)
    found = report_of(kept, now=NOON + now, synced=synced, since_s=since_s, site="house")
    assert found is not None
    return found


def gaps(found: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(gap["why"], gap["seconds"]) for gap in found["gaps"]]


def test_nothing_is_no_report() -> None:
    assert report_of(Kept(), now=NOON, synced=True, since_s=60.0, site="house") is None
    old = Kept(stretches=(stretch(0, 0.0),))
    assert report_of(old, now=NOON + 9000.0, synced=True, since_s=60.0, site="house") is None


def test_what_follows_itself_has_no_gap() -> None:
    found = report(stretch(0, 0.0), stretch(1, 300.0))
    assert gaps(found) == [] and (found["observed_s"], found["torn"], found["synced"]) == (600, 1, True)


@pytest.mark.parametrize(
    ("second", "last", "why"),
    [
        ({"n": 1, "away_s": 120.0, "after": "control"}, False, [("control", 120)]),
        ({"n": 1, "away_s": 3.0, "after": "reloaded"}, False, []),
        ({"n": 2}, False, [("torn", 120)]),
        ({"run": "b", "n": 0}, False, [("killed", 120)]),
        ({"run": "b", "n": 0}, True, [("stopped", 120)]),
        ({"run": "b", "n": 0, "synced": False}, True, [("stopped", None)]),
    ],
)
def test_what_is_missing_has_a_reason(second: dict[str, Any], last: bool, why: list[Any]) -> None:
    found = report(stretch(0, 0.0, last=last), stretch(began=420.0, **{"n": 0} | second), now=720.0, since_s=720.0)
    assert gaps(found) == why


def test_before_the_first_and_behind_the_last_is_missing_too() -> None:
    assert gaps(report(stretch(0, 100.0), now=1000.0, since_s=1000.0)) == [("before", 100), ("open", 600)]
    ended = report(stretch(0, 0.0, last=True), now=1000.0, since_s=1000.0)
    assert gaps(ended) == [("stopped", 700)]


def test_a_restart_that_took_a_moment_is_no_gap() -> None:
    assert gaps(report(stretch(0, 0.0, last=True), stretch(0, 302.0, run="b"), now=602.0, since_s=602.0)) == []


def test_without_a_clock_everything_counts_and_that_is_said() -> None:
    found = report(stretch(0, -1e9, synced=False), stretch(1, 300.0, synced=False))
    assert found["observed_s"] == 600 and not found["synced"]
    assert not report(stretch(0, 0.0), stretch(1, 300.0), synced=False)["synced"]


def test_sums_go_over_all_stretches() -> None:
    one = DerPart(
        heard_s=300.0,
        gave_wh=100.0,
        stored=True,
        held={"volt_watt": (10.0, 5.0)},
        aimed={"setpoint": (2.0, 3.0, 4.0)},
        var={"volt_var": (5.0, 6.0)},
        writes=3,
        a_day=24,
        own={"volt_var": 300.0},
        untold={"freq_droop": 1.0},
        foreign=1,
        stood_s=4.0,
        stood_w=4000.0,
    )
    two = DerPart(
        heard_s=300.0,
        gave_wh=50.0,
        held={"volt_watt": (1.0, 1.0), "contract_export_limit:meter_unproven": (9.0, 90.0)},
        writes=1,
        own={"volt_var": 1.0},
    )
    site_a = SitePart(
        limit_w=3000.0, over_s=2.0, over_wh=9.0, overs=1, most_w=70.0, most_at=NOON, belief={"proven": 300.0}
    )
    site_b = SitePart(limit_w=2000.0, kept_wh=4.0, over_wh=1.0, most_w=5.0, most_at=NOON + 400, belief={"lost": 3.0})
    found = report(
        stretch(0, 0.0, ders={"pv1": one}, site=site_a, margins={"volt_var/pv1": 4.0}, events={"excursion": 1}),
        stretch(1, 300.0, ders={"pv1": two}, site=site_b, margins={"volt_var/pv1": 2.5}, events={"excursion": 2}),
    )
    der, poc = found["ders"]["pv1"], found["poc"]
    assert (der["gave_wh"], der["writes"], der["bears_a_day"], der["foreign"]) == (150.0, 4, 24, 1)
    assert der["writes_a_day"] == 576, "4 in 600 s"
    assert der["held"] == [
        {"by": "contract_export_limit", "why": "meter_unproven", "seconds": 9.0, "wh": 90.0},
        {"by": "volt_watt", "why": None, "seconds": 11.0, "wh": 6.0},
    ]
    assert der["aimed"] == [{"by": "setpoint", "why": None, "seconds": 2.0, "more_wh": 3.0, "less_wh": 4.0}]
    assert der["var"] == [{"by": "volt_var", "why": None, "seconds": 5.0, "varh": 6.0}]
    assert (der["own"], der["untold"], der["stood_w"]) == ({"volt_var": 301.0}, {"freq_droop": 1.0}, 4000.0)
    assert (poc["limit_w"], poc["overs"], poc["over_wh"], poc["kept_wh"]) == (2000.0, 1, 10.0, 4.0)
    assert poc["most_w"] == 70.0 and poc["most_t"] == "2027-01-15T08:00:00.000Z"
    assert poc["belief"] == {"proven": 300.0, "lost": 3.0}
    assert (found["margins"], found["events"]) == ({"volt_var/pv1": 2.5}, {"excursion": 3})
    assert found["summary"] == summary_of(found)
    assert (
        "observed for 10 min alone (a day shows more)" in found["summary"]
        and "0.1 kWh more while the meter was not" in found["summary"]
    )


def test_a_site_without_a_meter_or_a_limit_has_a_line_too() -> None:
    bare = report(stretch(0, 0.0), stretch(1, 300.0))
    assert bare["poc"] is None and "contract" not in bare["summary"]
    free = report(stretch(0, 0.0, site=SitePart(belief={"proven": 300.0})), stretch(1, 300.0))
    assert free["poc"]["limit_w"] is None and free["poc"]["most_t"] is None and "contract" not in free["summary"]
    kept = report(stretch(0, 0.0, site=SitePart(limit_w=1.0, belief={"proven": 1.0})), stretch(1, 300.0))
    assert "; 0.0 kWh went out above the contract: derctl" in kept["summary"]
    day = report(*(stretch(n, 3600.0 * n, 3600.0) for n in range(12)), now=43_200.0, since_s=86_400.0)
    assert day["summary"].startswith("it observed 12.0 h of the last 24 h, and would have held back 0.0 kWh")
