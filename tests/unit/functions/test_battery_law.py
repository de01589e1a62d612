"""bms_guard: alarms, cells, temperatures and the contactor bind a battery, and none of them locks it out for good."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from derctl.core.pack import Bounds, Pack
from derctl.core.plan import Plan
from derctl.core.requests import BatteryRequest
from derctl.core.types import FOREVER_S, Abstain, Proposal
from derctl.core.words import Bar, Reason
from derctl.errors import SettingError
from derctl.functions.bms_guard import BmsGuard, Memory, guard_of, kept_guard
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.operator import SetpointFunction
from derctl.functions.self_consumption import SelfConsumption
from derctl.functions.soc_guard import SocGuard
from tests import make
from tests.timeline import DerTimeline, PlanTimeline

FULL = (4_750.0, -5_000.0)
"""5 kW each way, DC; 4750 W of it come out at the AC terminals."""
REST = (0.0, 0.0)
SMALL_W = 250.0
"""5 % of the 5 kW with which it may be charged."""


def state(pack: Pack | None = None, *, age_s: float | None = 0.1, **given: Any) -> Any:
    """A battery whose BMS permits 5 kW each way, unless told otherwise."""
    limits = {"p_charge_limit_w": 5_000.0, "p_discharge_limit_w": 5_000.0}
    return make.battery(**{**limits, "bms_age_s": age_s, "pack": pack, **given})


def edges(said: Proposal | Abstain) -> tuple[float | None, float | None]:
    assert isinstance(said, Proposal), said
    return said.p_ceiling_w, said.p_floor_w


def through(states: Iterable[Any], function: BmsGuard | None = None, *, dt_s: float = 1.0) -> list[Any]:
    return [edges(said) for said in DerTimeline(function or BmsGuard()).through(states, dt_s=dt_s)]


@pytest.mark.parametrize(
    ("bar", "expected"),
    [
        (Bar.OVER_VOLT, (4_750.0, 0.0)),
        (Bar.TOO_COLD_TO_CHARGE, (4_750.0, 0.0)),
        (Bar.EMPTY, (0.0, -5_000.0)),
        (Bar.UNDER_VOLT, (0.0, -SMALL_W)),
        (Bar.DISCHARGE_OFF, (0.0, -5_000.0)),
        (Bar.OVER_TEMP, REST),
        (Bar.BATTERY_FAULT, REST),
    ],
)
def test_what_bars_one_way_leaves_the_other_and_too_low_a_battery_is_charged_with_little(
    bar: Bar, expected: tuple[float, float]
) -> None:
    """Within the same tick, whatever limits its BMS tells beside the alarm."""
    assert through([state(Pack()), state(Pack(bars=(bar,)))]) == [FULL, expected]


def test_a_contactor_that_is_open_bars_both_ways() -> None:
    assert through([state(Pack(closed=True)), state(Pack(closed=False))]) == [FULL, REST]


@pytest.mark.parametrize(
    ("pack", "expected"),
    [
        ({"cell_max_v": 3.60}, FULL),
        ({"cell_max_v": 3.625}, (4_750.0, -2_500.0)),
        ({"cell_max_v": 3.65}, (4_750.0, 0.0)),
        ({"cell_min_v": 2.55}, FULL),
        ({"cell_min_v": 2.525}, (2_375.0, -5_000.0)),
        ({"cell_min_v": 2.5}, (0.0, -SMALL_W)),
        ({"t_min_c": 0.0, "t_max_c": 45.0}, FULL),
        ({"t_min_c": -0.1}, (4_750.0, 0.0)),
        ({"t_max_c": 45.1}, (4_750.0, 0.0)),
        ({"t_min_c": -20.1}, REST),
        ({"t_max_c": 60.1}, REST),
    ],
)
@pytest.mark.parametrize("told", [True, False], ids=["by the battery", "by the site file"])
def test_bounds_of_cells_and_temperatures_bind(told: bool, pack: dict[str, Any], expected: Any) -> None:
    bounds: dict[str, Any] = {
        "cell_high_v": 3.65,
        "cell_low_v": 2.5,
        "charge_t_low_c": 0.0,
        "charge_t_high_c": 45.0,
        "discharge_t_low_c": -20.0,
        "discharge_t_high_c": 60.0,
    }
    seen = Pack(bounds=Bounds(**bounds), **pack) if told else Pack(**pack)
    [found] = through([state(seen)], BmsGuard() if told else BmsGuard(**bounds))
    assert found == (pytest.approx(expected[0], abs=1e-6), pytest.approx(expected[1], abs=1e-6))


def test_the_tighter_bound_counts_and_a_battery_s_own_voltage_has_bounds_too() -> None:
    cell = Pack(cell_max_v=3.5, bounds=Bounds(cell_high_v=3.65))
    assert through([state(cell)], BmsGuard(cell_high_v=3.5)) == [(4_750.0, 0.0)]
    bounds = Bounds(v_high_v=56.0, v_low_v=44.0)
    assert through([state(Pack(battery_v=56.0, bounds=bounds))]) == [(4_750.0, 0.0)]
    assert through([state(Pack(battery_v=44.0, bounds=bounds))]) == [(0.0, -SMALL_W)]
    assert through([state(Pack(battery_v=50.0, bounds=bounds))]) == [FULL]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"cell_low_v": 3.6, "cell_high_v": 3.6}, "cell_high_v"),
        ({"charge_t_low_c": 5.0, "charge_t_high_c": 0.0}, "charge_t_high_c"),
        ({"discharge_t_low_c": 5.0, "discharge_t_high_c": 0.0}, "discharge_t_high_c"),
    ],
)
def test_bounds_the_wrong_way_round_are_refused(given: dict[str, float], name: str) -> None:
    with pytest.raises(SettingError) as refused:
        BmsGuard(**given)
    assert refused.value.name == name


def test_a_battery_that_states_no_numbers_is_bound_by_its_alarms_and_by_its_silence() -> None:
    """JK: switches and alarms, no limits that change."""
    none: dict[str, Any] = {"p_charge_limit_w": None, "p_discharge_limit_w": None}
    calm = state(Pack(), **none)
    assert through([calm]) == [(None, None)]
    assert through([calm, state(Pack(bars=(Bar.CHARGE_OFF,)), **none)])[-1] == (None, 0.0)
    silent = [state(Pack(), age_s=age_s, **none) for age_s in (10.0, 20.0, 30.0)]
    assert through([calm, *silent])[1:] == [(None, None), (2_500.0, -2_500.0), REST]
    back = through([state(Pack(bars=(Bar.CHARGE_OFF,)), **none), *[calm] * 11])
    assert back[1] == (None, -500.0) and back[-1] == (None, None)


def test_what_comes_late_counts_where_it_is_less() -> None:
    """On a bus so slow that each answer is three ticks old."""
    less: dict[str, Any] = {"p_charge_limit_w": 100.0}
    late = state(Pack(bars=(Bar.DISCHARGE_OFF,)), age_s=3.0, **less)
    assert through([state(Pack()), late]) == [FULL, (0.0, -100.0)]
    assert through([state(Pack(), **less), state(Pack(), age_s=3.0)])[-1] == (4_750.0, -100.0)


def test_a_negative_limit_forces_nothing() -> None:
    assert through([state(Pack(), p_charge_limit_w=-900.0, p_discharge_limit_w=-900.0)]) == [REST]


def test_an_alarm_that_comes_and_goes_makes_no_steps_and_is_said_once() -> None:
    time = DerTimeline(BmsGuard())
    why, floors = [], []
    for n in range(60):
        said = time.at(state(Pack(bars=(Bar.OVER_VOLT,) if n % 2 else ())))
        assert isinstance(said, Proposal) and said.p_floor_w is not None
        why.append(said.why)
        floors.append(-said.p_floor_w)
    assert max(floors[2:]) == 500.0, "5 kW in 10 s, and down again in the next tick"
    assert set(why[1:]) == {Reason.BATTERY_BARRED}


def commanded(*, f_hz: float, target_w: float, poc_w: float) -> Any:
    """The setpoints of a battery that its operator, the frequency and the meter all want something of.

    Its limits drop to 300 W each way in the last of four ticks.
    """
    functions: Any = [
        SetpointFunction(),
        FreqDroop(db_of_hz=0.036, db_uf_hz=0.036, k_of=0.05, k_uf=0.05),
        SocGuard(),
        BmsGuard(),
    ]
    plan = Plan(
        der_functions=tuple((each, ("bat1",)) for each in functions),
        site_functions=((SelfConsumption(), ("bat1",)),),
    )
    time = PlanTimeline(plan)
    wish = BatteryRequest(id="r", der="bat1", by="anna", remaining_s=60.0, p_target_w=target_w)
    told = []
    for n in range(4):
        limit_w = 5_000.0 if n < 3 else 300.0
        der = state(
            Pack(), p_charge_limit_w=limit_w, p_discharge_limit_w=limit_w, f_hz=f_hz, p_w=0.0, soc_pct=50.0, sample=n
        )
        found = time.decided(der, dt_s=1.0 if n else 0.0, poc=make.meter(poc_w, sample=n), requests=(wish,))
        told.append(found["bat1"].setpoint.p_target_w)
    return told


@pytest.mark.parametrize(
    ("f_hz", "target_w", "poc_w", "before_w", "after_w"),
    [
        (50.0, 5_000.0, -6_000.0, 4_750.0, 285.0),  # an operator
        (50.0, -5_000.0, 6_000.0, -5_000.0, -300.0),
        (48.0, -5_000.0, -6_000.0, 4_750.0, 285.0),  # droop, over the operator's head
        (52.0, 0.0, 6_000.0, -5_000.0, -300.0),
    ],
)
def test_limits_that_drop_bind_whoever_commands_in_the_tick_that_hears_them(
    f_hz: float, target_w: float, poc_w: float, before_w: float, after_w: float
) -> None:
    told = commanded(f_hz=f_hz, target_w=target_w, poc_w=poc_w)
    assert abs(told[2]) > 300.0 and told[2] * before_w > 0.0, told
    assert abs(told[2]) <= abs(before_w)
    assert told[3] == pytest.approx(after_w)


@pytest.mark.parametrize("efficiency", [0.5, 1.0])
def test_what_is_over_is_said_to_be_over_once_it_has_risen(efficiency: float) -> None:
    time, calm = DerTimeline(BmsGuard(efficiency=efficiency)), state(Pack())
    said = time.through([calm, *[state(Pack(bars=(Bar.OVER_TEMP,)))] * 3, *[calm] * 12])
    why = [each.why for each in said if isinstance(each, Proposal)]
    assert why[:4] == [None, *[Reason.BATTERY_BARRED] * 3] and why[5] is Reason.BATTERY_BARRED and why[-1] is None
    said = time.through([*[state(Pack(), age_s=12.0)] * 2, state(Pack(), age_s=29.0), calm, *[calm] * 12])
    why = [each.why for each in said if isinstance(each, Proposal)]
    assert why[:4] == [Reason.BATTERY_SILENT] * 4 and why[-1] is None


# -- the way back from empty ----------------------------------------------------------------------------------------

OFF: dict[str, Any] = {"p_charge_limit_w": 0.0, "p_discharge_limit_w": 0.0}
"""What a battery permits whose contactor is open."""


def minutes(given: Any, count: int, time: DerTimeline) -> list[float]:
    """For how many seconds of each minute it may be charged."""
    found = []
    for _ in range(count):
        said = [time.at(given) for _ in range(60)]
        found.append(float(sum((edge := edges(each)[1]) is not None and edge < 0.0 for each in said)))
    return found


@pytest.mark.parametrize("low", [Bar.UNDER_VOLT, Bar.EMPTY])
def test_an_empty_battery_with_an_open_contactor_is_offered_little_for_a_minute_every_ten(low: Bar) -> None:
    time = DerTimeline(BmsGuard())
    opened = state(Pack(closed=False, bars=(low,)), **OFF)
    said = [time.at(opened) for _ in range(20)]
    assert [edges(each) for each in said[:10]] == [REST] * 10
    assert edges(said[-1]) == (0.0, -SMALL_W)
    assert isinstance(said[-1], Proposal) and said[-1].why is Reason.BATTERY_RECOVERS
    assert minutes(opened, 30, time) == [50.0, *[0.0] * 8, 10.0] * 3


def test_a_bms_that_is_heard_now_and_then_makes_the_wait_longer_and_not_endless() -> None:
    pack = Pack(closed=False, bars=(Bar.EMPTY,))
    found = through([state(pack, age_s=5.0 if n % 3 else 0.1, **OFF) for n in range(60)])
    assert found[20] == REST and found[-3] == (0.0, -SMALL_W)
    assert found[-1] == REST, "while it is not heard nothing is let"


@pytest.mark.parametrize(("soc_pct", "floor_w"), [(5.0, -SMALL_W), (5.1, 0.0)])
def test_next_to_no_charge_is_empty_too_whatever_alarm_it_has_for_that(soc_pct: float, floor_w: float) -> None:
    assert through([state(Pack(closed=False), soc_pct=soc_pct, **OFF)] * 30)[-1] == (0.0, floor_w)


@pytest.mark.parametrize("pack", [{"bars": ()}, {"bars": (Bar.UNDER_VOLT, Bar.OVER_TEMP)}, {"bars": (Bar.FULL,)}])
def test_a_contactor_that_opened_for_anything_else_is_left_alone(pack: dict[str, Any]) -> None:
    assert through([state(Pack(closed=False, **pack), **OFF)] * 100)[-1] == REST


def test_once_its_contactor_is_closed_its_own_limits_count() -> None:
    time = DerTimeline(BmsGuard())
    for _ in range(20):
        time.at(state(Pack(closed=False, bars=(Bar.UNDER_VOLT,)), **OFF))
    low = [edges(time.at(state(Pack(closed=True, bars=(Bar.UNDER_VOLT,))))) for _ in range(20)]
    assert low[0] == (0.0, -SMALL_W) and low[-1] == (0.0, -SMALL_W), "still too low: little"
    well = [edges(time.at(state(Pack(closed=True)))) for _ in range(12)]
    assert well[0] == (475.0 + 25.0, -SMALL_W - 500.0) and well[-1] == FULL


def test_a_battery_that_can_t_be_charged_is_offered_nothing() -> None:
    opened = state(Pack(closed=False, bars=(Bar.EMPTY,)), charge_w=0.0, **OFF)
    assert through([opened] * 30)[-1] == REST


def silent(time: DerTimeline, *, p_w: float = 0.0, age_s: float = 40.0) -> list[float]:
    """For how many seconds of each minute of three hours it may be charged. p_w: what it gives then."""
    return minutes(state(Pack(), age_s=age_s, p_w=p_w), 180, time)


def test_a_bms_that_sleeps_is_woken_by_little_after_ten_minutes_and_by_no_more_than_an_hour_of_that() -> None:
    """Louisvdw/dbus-serialbattery#850: the BMS slept since no current flowed, and none was let flow for that."""
    time = DerTimeline(BmsGuard())
    time.at(state(Pack(bars=(Bar.EMPTY,))))
    nobody_charges = silent(time)
    assert nobody_charges[:10] == [0.0] * 10 and sum(nobody_charges) == 17 * 60.0 == 1020.0
    woken = DerTimeline(BmsGuard())
    woken.at(state(Pack()))
    assert sum(sum(silent(woken, p_w=-SMALL_W)) for _ in range(4)) == pytest.approx(3_600.0, abs=2.0)
    assert edges(woken.at(state(Pack()))) == (500.0, -500.0), "it is heard again"


@pytest.mark.parametrize(
    "last",
    [
        state(Pack(bars=(Bar.FULL,))),
        state(Pack(bars=(Bar.TOO_COLD_TO_CHARGE, Bar.EMPTY))),
        state(Pack(), p_charge_limit_w=0.0),
        state(Pack(closed=False), **OFF),
    ],
)
def test_one_that_might_not_be_charged_by_its_last_word_is_not(last: Any) -> None:
    time = DerTimeline(BmsGuard())
    time.at(last)
    assert sum(silent(time)) == 0.0


def test_one_that_was_never_heard_or_whose_values_stand_still_is_not_either() -> None:
    assert sum(silent(DerTimeline(BmsGuard()))) == 0.0
    time = DerTimeline(BmsGuard())
    time.at(state(Pack()))
    assert sum(silent(time, age_s=FOREVER_S)) == 0.0, "it is awake, and what it tells is not of now"


def test_a_restart_beside_a_bms_that_sleeps_forgets_neither_that_it_may_nor_what_was_spent() -> None:
    time = DerTimeline(BmsGuard())
    time.at(state(Pack()))
    silent(time, p_w=-SMALL_W)
    kept = kept_guard(time.memory)
    assert kept is not None
    again = DerTimeline(BmsGuard(), memory=guard_of(kept))
    assert edges(again.at(state(None, age_s=1e9 + 50.0, **OFF))) == REST
    found = sum(silent(again, p_w=-SMALL_W, age_s=1e9 + 50.0))
    assert found == pytest.approx(1020.0, abs=2.0)
    assert again.memory.given_wh > kept["given_wh"] > 0.0
    assert kept_guard(Memory()) is None
    for spoilt in (None, {}, {"given_wh": "much"}):
        with pytest.raises(ValueError):
            guard_of(spoilt)


def test_soc_guard_leaves_the_floor_to_bms_guard_where_a_bms_sleeps() -> None:
    def then(function: SocGuard, *states: Any) -> Any:
        said = DerTimeline(function).through(states)[-1]
        assert isinstance(said, Abstain) and said.then is not None
        return said.then.p_ceiling_w, said.then.p_floor_w

    asleep = state(None, age_s=121.0, soc_pct=None)
    assert then(SocGuard(), asleep) == (0.0, None)
    assert then(SocGuard(), state(None, age_s=120.0, soc_pct=None)) == REST
    assert then(SocGuard(), state(None, age_s=None, soc_pct=None)) == REST
    assert then(SocGuard(), state(None, soc_pct=99.0), asleep) == REST, "it was full"
