"""What PV could give while stores make room for it, on roofs with noise."""

from itertools import pairwise
from typing import Any

import pytest

from derctl.core import could
from derctl.core.could import AGAIN, STANDS_S, WAIT_S, Could, watched
from derctl.core.types import Setpoint
from derctl.core.words import Status
from derctl.functions.contract_export_limit import ContractExportLimit
from tests import make, roof
from tests.roof import Roof, Unit

LIMIT_W = 7_000.0
NAMES = ("pv1", "pv2", "bat1")


def house(sun_pu: float, *, until_s: float = 1e9, then_pu: float = 0.0, **given: Any) -> Roof:
    """What the limit does not let out goes into a battery that could take more."""

    def sun(rated_w: float) -> Unit:
        return Unit(rated_w, sun_w=lambda t_s: rated_w * (sun_pu if t_s < until_s else then_pu))

    units = {"pv1": sun(5_000.0), "pv2": sun(10_000.0), "bat1": Unit(5_000.0, charge_w=5_000.0)}
    law = (ContractExportLimit(limit_w=LIMIT_W),)
    return Roof(units, LIMIT_W, load_w=lambda t_s: 3_000.0, believed=NAMES, functions=law, **given)


@pytest.mark.parametrize("tau_s", [0.3, 1.5])
@pytest.mark.parametrize("sun_pu", [0.75, 0.8, 0.95])
def test_a_battery_that_makes_room_does_not_come_and_go(
    sun_pu: float, tau_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen: each second tick PV was told what it gave, was taken to be held down, and the battery drew 1 kW more."""
    monkeypatch.setattr(roof, "TAU_S", tau_s)
    seen = house(sun_pu).run(240)
    drawn = seen.of("bat1", 60)
    moved = [abs(b - a) for a, b in pairwise(drawn)]
    assert sum(moved) / len(moved) <= 60.0, "W in each second, the most of it noise"
    assert max(drawn) - min(drawn) <= (AGAIN - 1.0 + could.IDLE_SHARE) * 15_000.0 + 200.0
    assert max(seen.over(60)) <= LIMIT_W
    given = [a + b for a, b in zip(seen.of("pv1", 60), seen.of("pv2", 60), strict=True)]
    assert sum(given) / len(given) >= 0.99 * sun_pu * 15_000.0


@pytest.mark.parametrize("tau_s", [0.3, 2.0])
def test_sun_that_comes_is_found_though_it_was_seen_to_have_no_more(
    tau_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roof, "TAU_S", tau_s)
    seen = house(0.7, until_s=100.0, then_pu=0.95).run(200)
    late_s = 100.0 + STANDS_S + 4.0 * WAIT_S
    assert min(seen.of("pv2", late_s)) >= 0.98 * 9_500.0
    assert max(seen.over(60)) <= LIMIT_W + 40.0, "and the noise of the load"


def test_sun_that_goes_takes_the_battery_s_room_along() -> None:
    seen = house(0.95, until_s=100.0, then_pu=0.7).run(200)
    assert max(seen.of("bat1", 130)) <= 0.0
    assert min(seen.of("bat1", 130)) >= -1_500.0


def pv(p_w: float, told_w: float | None, **given: Any) -> Any:
    return make.pv("pv1", p_max_w=10_000.0, p_w=p_w, accepted=Setpoint(p_ceiling_w=told_w), **given)


def after(*moments: tuple[float, float | None], dt_s: float = 1.0) -> Could:
    memory: tuple[Could, ...] = ()
    for p_w, told_w in moments:
        memory = watched(memory, [pv(p_w, told_w)], dt_s)
    return memory[0]


def test_who_is_not_held_down_could_give_what_it_gives() -> None:
    assert after((4_000.0, None)).w == after((3_000.0, 10_000.0), (4_000.0, 10_000.0)).w == 4_000.0
    assert after((4_000.0, 4_000.0), (4_000.0, 4_000.0)).w == 2.0 * 4_000.0 + 100.0


def test_who_is_let_rise_and_does_not_has_no_more() -> None:
    waits = [(4_000.0, 8_100.0)] * round(WAIT_S)
    assert after((4_000.0, 4_000.0), *waits[:-1]).w == 8_100.0
    assert after((4_000.0, 4_000.0), *waits).w == 4_000.0
    assert after((4_000.0, 4_000.0), *waits, *[(4_000.0, 4_000.0)] * 9).w == 4_000.0, "though it is held there"


def test_who_was_not_let_rise_may_have_more() -> None:
    assert after(*[(4_000.0, 4_000.0)] * 60).w == 8_100.0


def test_who_rises_slowly_gets_its_time() -> None:
    rising = [(4_000.0 * 1.03**n, 8_100.0) for n in range(20)]
    assert after((4_000.0, 4_000.0), *rising).w == 8_100.0


def test_who_got_there_is_let_rise_further_up_to_its_rating() -> None:
    assert after((2_000.0, 2_000.0), (4_000.0, 4_100.0)).w == 8_100.0
    assert after((4_000.0, 4_000.0), (8_000.0, 8_100.0)).w == 10_000.0


def test_who_falls_while_it_is_let_rise_has_no_more() -> None:
    assert after((4_000.0, 4_000.0), (3_700.0, 8_100.0)).w == 3_700.0


def test_after_a_while_it_is_let_rise_a_little() -> None:
    waits = [(4_000.0, 8_100.0)] * round(WAIT_S)
    held = [(4_000.0, 4_000.0)] * round(STANDS_S)
    assert after((4_000.0, 4_000.0), *waits, *held).w == pytest.approx(AGAIN * 4_000.0 + 100.0)


def test_a_sun_that_rose_meanwhile_is_let_rise_as_at_first() -> None:
    waits = [(4_000.0, 8_100.0)] * round(WAIT_S)
    assert after((4_000.0, 4_000.0), *waits, (4_000.0, 4_000.0), (4_300.0, 4_300.0)).w == 8_700.0


def test_of_who_is_dark_or_silent_or_a_store_nothing_is_known() -> None:
    dark, silent = pv(0.0, 0.0, status=Status.ASLEEP), pv(5.0, 5.0, fresh=False)
    assert watched((), [dark, silent, make.battery(p_w=5.0), pv(None, 5.0)], 1.0) == ()  # type: ignore[arg-type]


def test_who_may_give_its_rating_is_not_held_down() -> None:
    assert after((9_700.0, 10_000.0)).w == 9_700.0
    assert after((9_700.0, 9_700.0), (9_700.0, 10_000.0)).w == 9_700.0
    assert after((9_700.0, 9_700.0)).w == 9_700.0, "nor who gives nearly that"
