"""The split of a phase, and what is uneven between phases."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.engine import step
from derctl.core.feeding import EVERYWHERE, alone_in, levelled, shares_pu
from derctl.core.types import PhaseEdges, Setpoint, SiteProposal
from derctl.core.value import replace
from tests import make

A, B, THREE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1 / 3, 1 / 3, 1 / 3)
WISH = SiteProposal(by="contract_export_limit", rank=15, over=())


def told(ders: list[Any], ceiling_w: tuple[float, ...] = (), floor_w: tuple[float, ...] = (), **given: Any) -> Any:
    """What the DERs are told where each phase may carry so much."""
    ids = tuple(der.id for der in ders)
    edges = PhaseEdges(over=ids, shares_pu=tuple(map(shares_pu, ders)), ceiling_w=ceiling_w, floor_w=floor_w)
    wish = replace(WISH, over=ids, phases=edges, **given)
    _, decisions = step(make.plan({}, [wish]), {}, make.site(*ders), 1.0)
    return {each.der: each for each in decisions}


def test_only_who_feeds_in_a_phase_is_cut_for_it() -> None:
    ders = [make.pv("pva", p_w=4000.0, feeds_pu=A), make.pv("pvb", p_w=4000.0, feeds_pu=B)]
    found = told(ders, (3000.0, 99e3, 99e3))
    assert found["pva"].setpoint.p_ceiling_w == pytest.approx(3000.0)
    assert found["pvb"].setpoint.p_ceiling_w == 10_000.0


def test_who_feeds_in_three_is_cut_by_the_worst_and_the_bound_names_its_whole_power() -> None:
    found = told([make.pv("pv3", p_w=9000.0, feeds_pu=THREE)], (3000.0, 2000.0, 2500.0))["pv3"]
    assert found.setpoint.p_ceiling_w == pytest.approx(6000.0)
    assert found.bound_by[-1].value == pytest.approx(6000.0)


def test_of_one_that_feeds_nobody_knows_where_the_least_of_the_phases_counts() -> None:
    found = told([make.pv("pv", p_w=9000.0)], (3000.0, 2000.0, 2500.0))["pv"]
    assert found.setpoint.p_ceiling_w == pytest.approx(2000.0)


def test_what_a_device_reads_back_is_split_with_it() -> None:
    held = Setpoint(p_ceiling_w=9000.0)
    three = make.pv("pv3", p_max_w=9000.0, p_w=None, accepted=held, written=held, feeds_pu=THREE)
    one = make.pv("pva", p_max_w=3000.0, p_w=3000.0, feeds_pu=A)
    found = told([three, one], (3000.0, 99e3, 99e3))
    in_a = found["pv3"].setpoint.p_ceiling_w / 3 + found["pva"].setpoint.p_ceiling_w
    assert in_a == pytest.approx(3000.0)
    assert found["pva"].setpoint.p_ceiling_w == pytest.approx(1500.0), "3 kW each: half and half"


def test_a_store_of_the_phase_charges_before_its_sun_is_cut_and_a_store_of_another_does_not() -> None:
    ders = [
        make.pv("pva", p_w=4000.0, feeds_pu=A, accepted=Setpoint()),
        make.battery("bata", p_w=0.0, feeds_pu=A),
        make.battery("batb", p_w=0.0, feeds_pu=B),
    ]
    found = told(ders, (3000.0, 3000.0, 3000.0), meter_pu=1.0)
    assert found["bata"].setpoint.p_target_w == pytest.approx(-1000.0)
    assert found["batb"].setpoint.p_target_w == 0.0


def test_a_store_in_three_phases_charges_by_its_part() -> None:
    ders = [make.pv("pva", p_w=4000.0, feeds_pu=A), make.battery("bat3", p_w=0.0, feeds_pu=THREE)]
    found = told(ders, (3500.0, 9000.0, 9000.0), meter_pu=1.0)
    assert found["bat3"].setpoint.p_target_w == pytest.approx(-1500.0)


def test_a_floor_of_a_phase_lifts_the_store_that_is_there() -> None:
    ders = [make.battery("bata", p_w=-3000.0, feeds_pu=A), make.battery("batb", p_w=-3000.0, feeds_pu=B)]
    found = told(ders, floor_w=(-1000.0, -5000.0, 0.0), p_target_w=-6000.0)
    assert found["bata"].setpoint.p_target_w == pytest.approx(0.0, abs=1e-6), "no sun is measured"
    ders.append(make.pv("pv", p_w=6000.0, feeds_pu=THREE))
    found = told(ders, floor_w=(-1000.0, -5000.0, -9000.0), p_target_w=-6000.0, meter_pu=1.0)
    assert found["bata"].setpoint.p_target_w == pytest.approx(-3000.0), "2 kW come from the sun in its phase"


@pytest.mark.parametrize(
    ("feeds", "phase"), [(A, 0), (B, 1), (THREE, None), ((0.5, 0.5, 0.0), None), (EVERYWHERE, None), (None, None)]
)
def test_one_phase_is_known_where_it_feeds_in_that_alone(feeds: Any, phase: int | None) -> None:
    assert alone_in(make.pv(feeds_pu=feeds)) == phase


@pytest.mark.parametrize(
    ("amount", "exports", "rooms", "taken"),
    [
        (1000.0, (3000.0, 1000.0, 0.0), (5e3, 5e3, 5e3), (1000.0, 0.0, 0.0)),
        (3000.0, (3000.0, 1000.0, 0.0), (5e3, 5e3, 5e3), (2500.0, 500.0, 0.0)),
        (9000.0, (3000.0, 1000.0, 0.0), (5e3, 5e3, 5e3), (3000.0, 1000.0, 0.0)),
        (3000.0, (3000.0, 1000.0, 0.0), (2e3, 5e3, 5e3), (2000.0, 1000.0, 0.0)),
        (1000.0, (500.0, 500.0), (5e3, 5e3), (0.0, 0.0)),
        (1000.0, (-500.0, -2500.0), (5e3, 5e3), (1000.0, 0.0)),
    ],
)
def test_the_phases_come_as_close_together_as_they_can(
    amount: float, exports: tuple[float, ...], rooms: tuple[float, ...], taken: tuple[float, ...]
) -> None:
    assert levelled(amount, exports, rooms) == pytest.approx(taken, abs=0.01)


@given(
    amount=st.floats(0.0, 1e5),
    phases=st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(0.0, 1e5)), min_size=2, max_size=3),
)
def test_no_phase_takes_more_than_its_room_and_all_no_more_than_the_amount(amount: float, phases: Any) -> None:
    exports, rooms = zip(*phases, strict=True)
    taken = levelled(amount, exports, rooms)
    assert sum(taken) <= amount + 0.01
    assert all(0.0 <= w <= room for w, room in zip(taken, rooms, strict=True))


def shared(target_w: float, uneven_w: tuple[float, ...], *stores: Any) -> list[float]:
    ders = [*stores, make.pv("pv", p_w=9000.0)]
    wish = replace(WISH, over=tuple(der.id for der in stores), p_target_w=target_w, uneven_w=uneven_w, meter_pu=1.0)
    _, decisions = step(make.plan({}, [wish]), {}, make.site(*ders), 1.0)
    return [each.setpoint.p_target_w or 0.0 for each in decisions if each.der != "pv"]


def test_the_store_of_the_phase_that_exports_most_charges_first_and_the_rest_is_shared() -> None:
    stores = [make.battery(f"bat{i}", p_w=0.0, soc_pct=50.0, feeds_pu=feeds) for i, feeds in enumerate((A, B, THREE))]
    assert shared(-1000.0, (3000.0, 500.0, 0.0), *stores) == pytest.approx([-1000.0, 0.0, 0.0], abs=0.01)
    assert shared(-3000.0, (3000.0, 500.0, 0.0), *stores) == pytest.approx([-2750.0, -250.0, 0.0], abs=0.01)
    assert shared(-6500.0, (3000.0, 500.0, 0.0), *stores) == pytest.approx([-4000.0, -1500.0, -1000.0], abs=0.01)
    assert shared(1000.0, (3000.0, -2000.0, 0.0), *stores) == pytest.approx([0.0, 1000.0, 0.0], abs=0.01)
    assert shared(-1500.0, (), *stores) == pytest.approx([-500.0] * 3)


def test_stores_that_feed_in_all_phases_share_as_ever() -> None:
    stores = [make.battery(f"bat{i}", p_w=0.0, soc_pct=50.0, feeds_pu=THREE) for i in range(2)]
    assert shared(-1000.0, (3000.0, 500.0, 0.0), *stores) == pytest.approx([-500.0, -500.0])
