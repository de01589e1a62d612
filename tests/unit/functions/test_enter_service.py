"""Into service after an outage: what begins it, what it waits for, and what never begins it."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.engine import step
from derctl.core.text import share_of
from derctl.core.types import Abstain, Proposal
from derctl.core.words import Status
from derctl.errors import SettingError
from derctl.functions import plan_of
from derctl.functions.enter_service import EnterService, Memory, entry_of, kept_entry
from derctl.functions.survival import revived
from derctl.functions.tracking import tracked
from tests import make
from tests.timeline import DerTimeline

IN_SERVICE = Abstain("in service")


def der(**given: Any) -> Any:
    return make.pv(**{"v_pu": 1.0, "f_hz": 60.0, "p_w": 5_000.0, **given})


def service(**given: Any) -> DerTimeline:
    return DerTimeline(EnterService(**{"delay_s": 10.0, "ramp_s": 20.0, **given}))


def at_rest(said: Any) -> bool:
    return isinstance(said, Proposal) and (said.p_ceiling_w, said.p_floor_w) == (0.0, 0.0)


def test_a_start_of_the_daemon_holds_nobody_back() -> None:
    time = service()
    assert [time.at(der()) for _ in range(20)] == [IN_SERVICE] * 20


@pytest.mark.parametrize("v_pu", [0.51, 0.87, 1.06, 1.2])
def test_a_dip_or_a_rise_that_a_device_rides_through_ends_nothing(v_pu: float) -> None:
    time = service()
    assert [time.at(der(v_pu=v, f_hz=61.0)) for v in (1.0, v_pu, 1.0)] == [IN_SERVICE] * 3


@pytest.mark.parametrize("gone", [{"v_pu": 0.49}, {"v_pu": 0.0}, {"status": Status.FAULT}])
def test_after_an_outage_or_a_trip_it_waits_and_then_rises_on_its_ramp(gone: dict[str, Any]) -> None:
    time = service()
    time.at(der())
    assert at_rest(time.at(der(**gone)))
    assert all(at_rest(time.at(der())) for _ in range(9)), "the delay"
    rises = [time.proposes(der()) for _ in range(19)]
    assert [each.p_ceiling_w for each in rises] == pytest.approx([500.0 * n for n in range(1, 20)])
    assert time.at(der()) == IN_SERVICE
    assert not time.memory.out


def test_a_der_that_is_found_tripped_waits_when_it_reconnects() -> None:
    time = service()
    assert at_rest(time.at(der(status=Status.FAULT)))
    assert at_rest(time.at(der(), dt_s=1.0))


@pytest.mark.parametrize("status", [Status.ASLEEP, Status.OFF])
def test_an_inverter_that_sleeps_without_a_voltage_wakes_up_in_service(status: Status) -> None:
    """Night: it gave less and less before, or nothing since the daemon started."""
    asleep = der(v_pu=0.0, p_w=0.0, status=status)
    assert service().at(asleep) == IN_SERVICE
    time = service()
    dusk = [der(p_w=400.0), *[der(p_w=150.0)] * 12, asleep, asleep, der(p_w=150.0)]
    assert [time.at(each) for each in dusk] == [IN_SERVICE] * len(dusk)


@pytest.mark.parametrize("status", [Status.ASLEEP, Status.OFF])
@pytest.mark.parametrize("between_s", [1, 9])
def test_one_that_stops_in_the_middle_of_its_work_was_cut_off(status: Status, between_s: int) -> None:
    """An outage that reads 0 V and 0 Hz is taken for sleep where registers are judged."""
    time = service()
    time.at(der(p_w=5_000.0))
    for _ in range(between_s - 1):
        time.at(der(p_w=0.0))
    asleep = make.pv(v_v=None, f_hz=None, p_w=0.0, status=status)
    assert at_rest(time.at(asleep))
    assert all(at_rest(time.at(asleep)) for _ in range(20))
    assert all(at_rest(time.at(der(p_w=0.0))) for _ in range(9))
    assert not at_rest(time.at(der(p_w=0.0)))


@pytest.mark.parametrize("outside", [{"v_pu": 0.9}, {"v_pu": 1.055}, {"f_hz": 59.4}, {"f_hz": 60.2}, {"f_hz": None}])
def test_the_delay_begins_anew_each_time_the_grid_leaves_the_window(outside: dict[str, Any]) -> None:
    time = service()
    time.at(der(v_pu=0.0))
    for _ in range(9):
        time.at(der())
    assert at_rest(time.at(der(**outside)))
    assert all(at_rest(time.at(der())) for _ in range(9))
    assert not at_rest(time.at(der()))


def test_a_voltage_that_is_not_told_is_no_outage_and_no_calm() -> None:
    time = service()
    silent = make.pv(v_v=None, f_hz=60.0, p_w=5_000.0)
    assert time.at(silent) == IN_SERVICE
    time.at(der(v_pu=0.0))
    assert all(at_rest(time.at(silent)) for _ in range(20))


def test_a_second_outage_on_the_ramp_begins_all_over() -> None:
    time = service()
    time.at(der(v_pu=0.0))
    for _ in range(15):
        time.at(der())
    assert at_rest(time.at(der(v_pu=0.0)))
    assert all(at_rest(time.at(der())) for _ in range(9))


def test_on_the_ramp_a_voltage_outside_the_window_is_no_matter() -> None:
    time = service()
    time.at(der(v_pu=0.0))
    for _ in range(15):
        before = time.at(der())
    assert time.proposes(der(v_pu=1.07)).p_ceiling_w == pytest.approx(before.p_ceiling_w + 500.0)


def test_unheard_it_comes_no_nearer() -> None:
    time = service()
    time.at(der(v_pu=0.0))
    for _ in range(9):
        time.at(der())
    said = time.at(der(fresh=False))
    assert isinstance(said, Abstain) and said.lost
    assert all(at_rest(time.at(der())) for _ in range(9))


def test_what_was_said_stands_while_it_is_unheard() -> None:
    plan = plan_of([(EnterService(delay_s=10.0, ramp_s=20.0), ("pv1",))], [])
    memories: Any = {}
    for given in ({"v_pu": 0.0}, {}, {"fresh": False, "controllable": False}):
        memories, [decision] = step(plan, memories, make.site(der(**given), f_nom_hz=60.0), 1.0)
        assert decision.setpoint.p_ceiling_w == 0.0


def test_a_battery_neither_gives_nor_draws_before_it_is_in_service() -> None:
    time = service()
    bat = make.battery(v_pu=0.0, f_hz=60.0, p_w=-3_000.0)
    assert at_rest(time.at(bat))
    time.at(make.again(bat, v_pu=1.0), dt_s=10.0)
    said = time.proposes(make.again(bat, v_pu=1.0), dt_s=9.0 - 10.0 + 1.0)
    assert said.p_floor_w == pytest.approx(-said.p_ceiling_w)


def test_a_random_delay_is_the_site_s_own_and_there_is_no_ramp() -> None:
    time = service(ramp_s=0.0, random_s=100.0)
    time.at(der(v_pu=0.0))
    waited = next(n for n in range(1, 200) if time.at(der()) == IN_SERVICE)
    assert waited == pytest.approx(10.0 + 100.0 * share_of(" pv1"), abs=1.0)


def test_a_ramp_and_a_random_delay_exclude_each_other() -> None:
    with pytest.raises(SettingError) as caught:
        EnterService(random_s=300.0)
    assert caught.value.name == "random_s" and "ramp_s: 0" in caught.value.allowed


@pytest.mark.parametrize(
    ("given", "name"),
    [({"ramp_s": 0.0}, "ramp_s"), ({"ramp_s": 0.9}, "ramp_s"), ({"ramp_s": 0.0, "random_s": 0.5}, "random_s")],
)
def test_nobody_comes_back_at_once_with_all_the_others(given: dict[str, Any], name: str) -> None:
    """1547 4.10.3: a ramp or a random delay, of 1 to 1000 s."""
    with pytest.raises(SettingError) as caught:
        EnterService(**given)
    assert caught.value.name == name
    assert EnterService(ramp_s=1.0).random_s == 0.0 and EnterService(ramp_s=0.0, random_s=1.0).ramp_s == 0.0


def test_a_window_without_the_nominal_frequency_does_not_fit() -> None:
    assert EnterService().misfit(60.0) is None
    for f_nom_hz, name in ((50.0, "f_low_hz"), (62.0, "f_high_hz")):
        wrong = EnterService().misfit(f_nom_hz)
        assert wrong is not None and wrong.name == name


@pytest.mark.parametrize("memory", [Memory(out=True), Memory(out=True, risen_s=7.0)])
def test_a_restart_goes_on_with_it(memory: Memory) -> None:
    plain = kept_entry(memory)
    assert plain is not None
    assert entry_of(plain) == memory
    assert kept_entry(Memory()) is None
    assert revived({"enter_service/pv1": 3}).refused.keys() == {"enter_service/pv1"}


def test_what_was_seen_of_an_outage_stays_while_nothing_is_written() -> None:
    memory = Memory(out=True, calm_s=3.0)
    assert tracked({"enter_service/pv1": memory}) == {"enter_service/pv1": memory}
