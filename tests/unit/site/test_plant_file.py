"""plant.json: what `identify` found out, and what a site file makes of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from derctl.core.identified import Identified, MeterFound, Pull, Response
from derctl.core.words import Belief, Flaw, KnownBy, Stage
from derctl.errors import ConfigError
from derctl.site import Site, load
from derctl.site.plant_file import NOTHING_FOUND, PLANT, PLANT_MAX, PlantFile, plant_text, read_plant
from derctl.site.stability import loop_text
from tests.unit.site.conftest import fenced

FOUND = Identified(
    name="Maker Model",
    firmware="1.2",
    at="2026-01-02T03:04:05.000Z",
    rated_va=5_000.0,
    refresh_s=1.0,
    fall=Response(dead_s=0.5, t90_s=1.0, gain=1.0),
    rise=Response(dead_s=0.5, t90_s=2.0, gain=1.0, ramp_w_per_s=500.0),
    var=Response(dead_s=0.5, t90_s=1.0, gain=1.0),
    least_w=250.0,
    dv_dp=Pull(v_pu=0.02, error=0.001),
    dv_dq=Pull(v_pu=0.01, error=0.001),
    flaws=(Flaw.MINIMUM_ON,),
)
METER = MeterFound(name="M", belief=Belief.PROVEN, slope=1.0, delay_s=1.0, refresh_s=0.5)


CONTRACT = "{kind: contract_export_limit, limit_w: 5000}"


def site_in(
    folder: Path,
    plant: PlantFile,
    *,
    serials: tuple[str, str] = ("A", "B"),
    site: str = "",
    function: str = "{kind: volt_var}",
    meter: str = "M",
) -> Site:
    """Two inverters of 5 kVA with volt_var of 7.33 per unit per unit."""
    told = [f", serial: '{serial}'" if serial else "" for serial in serials]
    (folder / "site.yaml").write_text(f"""\
version: 1
site: {{id: house, v_nom_v: 230, f_nom_hz: 60, grid_code: ieee1547_b{site}}}
buses:
  - {{id: roof, tcp: {{host: pv.example}}}}
ders:
  - {{id: pv1, bus: roof, unit: 1, kind: sunspec_pv, rating: {{s_max_va: 5000}}{told[0]}}}
  - {{id: pv2, bus: roof, unit: 2, kind: sunspec_pv, rating: {{s_max_va: 5000}}{told[1]}}}
poc: {{bus: roof, unit: 3, sign: 1, serial: '{meter}'}}
functions:
  - {function}
""")
    (folder / PLANT).write_bytes(plant_text(plant))
    return load(folder / "site.yaml")


def found(**given: Any) -> Identified:
    return Identified(**{"rated_va": 5_000.0} | given)


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    plant = NOTHING_FOUND.with_der("A", FOUND).with_meter("M", METER)
    (tmp_path / PLANT).write_bytes(plant_text(plant))
    again = read_plant(tmp_path)
    assert again == plant
    assert (again.der("A"), again.meter("M")) == (FOUND, METER)
    assert (again.der("B"), again.der(None), again.meter("")) == (None, None, None)


def test_none_is_no_problem(tmp_path: Path) -> None:
    assert read_plant(tmp_path) is NOTHING_FOUND


@pytest.mark.parametrize(
    "content",
    [b"{", b'{"version": 2}', b'{"ders": {"A": {"fall": 3}}}', b'{"other": 1}', b" " * (PLANT_MAX + 1)],
)
def test_one_that_can_t_be_used_is_named_with_what_mends_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PLANT).write_bytes(content)
    with pytest.raises(ConfigError, match=r"plant\.json.*derctl identify"):
        read_plant(tmp_path)


def test_the_example_of_the_document_is_one() -> None:
    [(_, text)] = [each for each in fenced("json") if each[0] == "plant"]
    plant = msgspec.json.decode(text, type=PlantFile)
    assert plant.der("1001").rise.ramp_w_per_s == 100.0
    assert plant.meter("77").belief is Belief.PROVEN


def gain_of(site: Site) -> float | None:
    [loop] = site.loops
    return loop.gain


def test_what_was_measured_counts_with_two_errors(tmp_path: Path) -> None:
    """7.33 times 0.010 + 2 x 0.001, of each of the two."""
    pull = Pull(v_pu=0.010, error=0.001)
    plant = NOTHING_FOUND.with_der("A", found(dv_dq=pull)).with_der("B", found(dv_dq=pull))
    site = site_in(tmp_path, plant)
    assert gain_of(site) == pytest.approx(7.33 * 0.024, rel=1e-2)
    assert "as measured on pv1, pv2" in loop_text(site.loops[0])


def test_of_who_was_not_measured_the_site_file_tells(tmp_path: Path) -> None:
    """At a short-circuit ratio of 10 and R/X 2, half of the rating moves 0.022."""
    plant = NOTHING_FOUND.with_der("A", found(dv_dq=Pull(v_pu=0.010, error=0.0)))
    site = site_in(tmp_path, plant, site=", scr: 10, r_over_x: 2")
    assert gain_of(site) == pytest.approx(7.33 * (0.010 + 0.5 * 0.1 / 5.0**0.5), rel=1e-2)
    assert site.loops[0].measured == ("pv1",)


def test_where_the_file_does_not_each_moves_as_much_by_its_size(tmp_path: Path) -> None:
    plant = NOTHING_FOUND.with_der("A", found(dv_dq=Pull(v_pu=0.010, error=0.0)))
    assert gain_of(site_in(tmp_path, plant)) == pytest.approx(7.33 * 0.020, rel=1e-2)


@pytest.mark.parametrize("serials", [("", ""), ("C", "D")])
def test_another_device_was_never_stepped(tmp_path: Path, serials: tuple[str, str]) -> None:
    """Keyed by serial number: who does not say it, or says another one, is not known."""
    plant = NOTHING_FOUND.with_der("A", found(dv_dq=Pull(v_pu=0.010, error=0.0)))
    assert gain_of(site_in(tmp_path, plant, serials=serials)) is None


def test_a_slow_inverter_makes_the_loop_late(tmp_path: Path) -> None:
    quick = site_in(tmp_path, NOTHING_FOUND.with_der("A", found(var=Response(dead_s=0.1, t90_s=0.1, gain=1.0))))
    slow = site_in(tmp_path, NOTHING_FOUND.with_der("A", found(var=Response(dead_s=4.0, t90_s=2.3, gain=1.0))))
    assert slow.loops[0].late - quick.loops[0].late == pytest.approx(5, abs=1)
    lazy = site_in(tmp_path, NOTHING_FOUND.with_der("A", found(refresh_s=10.0)))
    assert lazy.loops[0].late - quick.loops[0].late == pytest.approx(5, abs=1)


@pytest.mark.parametrize(("v_pu", "judged"), [(0.02, "fine"), (0.08, "little"), (0.3, "refused")])
def test_a_margin_that_was_measured_refuses_below_1_5_and_warns_below_3(
    tmp_path: Path, v_pu: float, judged: str
) -> None:
    plant = NOTHING_FOUND.with_der("A", found(dv_dq=Pull(v_pu=v_pu, error=0.0))).with_der("B", found())
    if judged == "refused":
        with pytest.raises(ConfigError, match=r"as measured on pv1, gain .* refused below 1\.5; olrt_s"):
            site_in(tmp_path, plant)
        return
    site = site_in(tmp_path, plant)
    says = [question.message for question in site.questions if "volt_var" in question.message]
    assert len(says) == (judged == "little")
    assert all(
        re.search(r"little below 3; olrt_s [0-9.]+ or a slope of [0-9.]+ would leave 3", each) for each in says
    )


def lasts(site: Site) -> dict[Stage, tuple[float | None, KnownBy]]:
    assert site.budget is not None
    return {each.stage: (each.seconds, each.by) for each in site.budget.summands}


def test_how_long_an_excursion_lasts_is_reckoned_with_what_was_measured(tmp_path: Path) -> None:
    """The meter 1 s late instead of 5, inverters that are there after 0.5 s and 1.52 times 1 s instead of 10 s."""
    plant = NOTHING_FOUND.with_der("A", FOUND).with_der("B", FOUND).with_meter("M", METER)
    site = site_in(tmp_path, plant, function=CONTRACT)
    before, after = lasts(site_in(tmp_path, NOTHING_FOUND, function=CONTRACT)), lasts(site)
    assert before[Stage.METER_DELAY] == (5.0, KnownBy.ASSUMED) and before[Stage.RESPONSE][0] == 10.0
    assert after[Stage.METER_DELAY] == (1.0, KnownBy.MEASURED)
    assert after[Stage.METER_REFRESH] == (0.5, KnownBy.MEASURED)
    assert after[Stage.LAW] == (pytest.approx(before[Stage.LAW][0] - 4.0), KnownBy.MEASURED)
    assert after[Stage.RESPONSE] == (pytest.approx(0.5 + 1.523, abs=0.001), KnownBy.MEASURED)
    assert lasts(replace(site, plan=site.reckoned({}))) == after, "and once the profiles are found"


def test_one_that_goes_at_one_speed_takes_its_whole_way(tmp_path: Path) -> None:
    slow = found(fall=Response(dead_s=0.5, t90_s=0.9, gain=1.0, ramp_w_per_s=500.0))
    plant = NOTHING_FOUND.with_der("A", slow).with_der("B", FOUND)
    assert lasts(site_in(tmp_path, plant, function=CONTRACT))[Stage.RESPONSE][0] == pytest.approx(0.5 + 9.7)


@pytest.mark.parametrize(
    ("meter", "der"),
    [
        (MeterFound(belief=Belief.UNPROVEN, delay_s=1.0, refresh_s=0.5), None),
        (MeterFound(belief=Belief.PROVEN, delay_s=1.0, refresh_s=0.5, flaws=(Flaw.METER_REVERSED,)), found()),
        (MeterFound(belief=Belief.PROVEN), found(refresh_s=1.0)),
    ],
)
def test_what_was_not_proven_or_not_measured_of_all_stays_as_it_is_assumed(
    tmp_path: Path, meter: MeterFound, der: Identified | None
) -> None:
    plant = NOTHING_FOUND.with_meter("M", meter).with_der("A", FOUND)
    plant = plant if der is None else plant.with_der("B", der)
    assert lasts(site_in(tmp_path, plant, function=CONTRACT)) == lasts(
        site_in(tmp_path, NOTHING_FOUND, function=CONTRACT)
    )
