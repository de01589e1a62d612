"""A site file says how long an excursion may last, or its grid code does; and what it takes at this site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from derctl.core.containment import Budget
from derctl.core.words import Stage
from derctl.site import Site
from derctl.site.grid_code import grid_code, names

SiteOf = Callable[[str], Site]
WITHOUT_CONTRACT = "functions: []"


def text(site: str = "", *, tick_s: float = 1.0, profile: str = "generic", functions: str = "", bus: str = "") -> str:
    """A site file: two inverters on one bus, the meter on another."""
    after_s = 5.0 * tick_s + 60.0
    return f"""\
version: 1
site: {{id: house, v_nom_v: 230, f_nom_hz: 50, tick_s: {tick_s}{site}}}
buses:
  - {{id: roof, tcp: {{host: pv.example}}{bus}}}
  - {{id: cabinet, tcp: {{host: meter.example}}}}
ders:
  - {{id: pv1, bus: roof, unit: 1, kind: sunspec_pv, profile: {profile}, fallback: {{after_s: {after_s}}}}}
  - {{id: pv2, bus: roof, unit: 2, kind: sunspec_pv, control: false, fallback: {{after_s: {after_s}}}}}
poc: {{bus: cabinet, unit: 1, sign: 1}}
{functions or "functions: [{kind: contract_export_limit, limit_w: 5000}]"}
"""


def budget(site_of: SiteOf, given: str) -> Budget:
    found = site_of(given).budget
    assert found is not None
    return found


def seconds(found: Budget) -> dict[Stage, float | None]:
    return {each.stage: each.seconds for each in found.summands}


@pytest.mark.parametrize(
    ("site", "containment_s", "by"),
    [
        (", grid_code: as4777_a", 15.0, "as4777_a"),
        (", grid_code: g100", 15.0, "g100"),
        (", grid_code: ieee1547_b", 30.0, "ieee1547_b"),
        (", grid_code: en50549", 60.0, "no grid code says less"),
        ("", 60.0, "no grid code says less"),
        (", grid_code: as4777_a, containment_s: 8", 8.0, "site.containment_s"),
    ],
)
def test_the_site_file_says_it_or_its_grid_code_or_the_most_that_any_code_allows(
    site_of: SiteOf, site: str, containment_s: float, by: str
) -> None:
    found = budget(site_of, text(site))
    assert (found.containment_s, found.by) == (containment_s, by)


def test_only_g100_has_a_word_on_what_follows_the_third(site_of: SiteOf) -> None:
    rules = {name: said.rule for name in names() if (said := grid_code(name).containment) is not None}
    assert {name for name, rule in rules.items() if rule is not None} == {"g100"}
    rule = budget(site_of, text(", grid_code: g100, containment_s: 10")).rule
    assert rule is not None and (rule.most, rule.within_s, rule.lock_s) == (3, 86_400.0, 14_400.0)


@pytest.mark.parametrize("name", names())
def test_what_a_code_allows_has_its_source(name: str) -> None:
    said = grid_code(name).containment
    assert said is None or (said.seconds in {15.0, 30.0} and len(said.source) > 20)


def test_the_table_of_a_second_s_tick(site_of: SiteOf) -> None:
    assert seconds(budget(site_of, text())) == {
        Stage.METER_REFRESH: 1.0,
        Stage.METER_DELAY: 5.0,
        Stage.POLL: 1.0,
        Stage.DECIDE: 0.4,
        Stage.LAW: 6.5,
        Stage.PACING: 0.0,
        Stage.WRITE: pytest.approx(0.4),
        Stage.RESPONSE: 10.0,
    }


def test_a_bus_of_one_request_a_second_takes_four_seconds_to_write(site_of: SiteOf) -> None:
    found = seconds(budget(site_of, text(profile="fronius")))
    assert found[Stage.POLL] == 1.0, "the meter is on another bus"
    assert found[Stage.PACING] == 1.0 and found[Stage.WRITE] == pytest.approx(4.4)


def test_a_meter_on_it_is_heard_each_seven_seconds(site_of: SiteOf) -> None:
    """Two inverters of two blocks and a slow one each, and itself."""
    found = seconds(
        budget(
            site_of,
            text(profile="fronius")
            .replace("poc: {bus: cabinet", "poc: {bus: roof")
            .replace("unit: 1, sign", "unit: 3, sign"),
        )
    )
    assert found[Stage.POLL] == 7.0


@pytest.mark.parametrize(
    ("tick_s", "containment_s", "hopeless"),
    [(60.0, 60.0, True), (60.0, 85.0, False), (10.0, 15.0, False), (11.0, 15.0, True)],
)
def test_a_tick_of_a_minute_is_refused_and_one_of_ten_seconds_runs_without_credit(
    site_of: SiteOf, tick_s: float, containment_s: float, hopeless: bool
) -> None:
    """From 60 s of tick a load that dropped stood in the grid for 11 ticks, and nothing was said."""
    found = budget(site_of, text(f", containment_s: {containment_s}", tick_s=tick_s))
    assert (found.contained, found.hopeless) == (False, hopeless)


def test_a_smaller_gain_takes_longer(site_of: SiteOf) -> None:
    contract = "functions: [{kind: contract_export_limit, limit_w: 5000, gain: 0.33}]"
    assert seconds(budget(site_of, text(functions=contract)))[Stage.LAW] == pytest.approx(6.5 + 9.77, abs=0.01)


def test_where_nothing_is_agreed_nothing_has_to_be_contained(site_of: SiteOf) -> None:
    assert site_of(text(functions=WITHOUT_CONTRACT)).budget is None


def test_what_takes_time_is_reckoned_anew_with_the_profiles_that_are_found(site_of: SiteOf) -> None:
    """As if the rows had named them."""
    open_, named = text().replace(" profile: generic,", ""), text(profile="fronius")
    site = site_of(open_)
    found = replace(site, plan=site.reckoned({"pv1": "fronius"})).budget
    assert found == budget(site_of, named) != budget(site_of, open_)
    again = replace(site, plan=replace(site, plan=site.reckoned({"pv1": "apsystems"})).reckoned({"pv1": "fronius"}))
    assert again.budget == found, "the plan has it once"
    assert replace(site, plan=site.reckoned({"pv1": "apsystems"})).budget.contained is False  # 900 s
    poc = site.reckoned({"poc": "wattsonic", "poc.witness": "kaco", "pv1.bms": "kaco"})
    assert replace(site, plan=poc).budget == budget(site_of, open_), "it is no slower than the documents"
