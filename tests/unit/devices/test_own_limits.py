"""Limits in a battery's own chain, 802 beside 704 or 124, are used unasked; where nobody reads any, it says so."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.exchange import Write
from derctl.core.types import Fallback, Setpoint
from derctl.core.value import replace
from derctl.core.words import Bar
from derctl.devices import Options
from derctl.devices.sunspec.der import HYBRID, OWN_MATTER, bind_hybrid, bind_storage
from derctl.errors import SectionUnclear
from tests.fake import AC_701, BATTERY_802, COMMON, DEVICES, OFF_704, PLATE_702, Fake, chained
from tests.fake import bound as bind

NEW, OLD = "storage_7xx", "storage_124"
BANK = (803, {"NStr": 1, "NStrCon": 1, "ModTmp_SF": 0})
PACK = (1, {**COMMON, "SN": "PACK2"})


def storage(name: str, *more: tuple[int, Any], battery: Any = BATTERY_802) -> Fake:
    return chained(*DEVICES[name].items(), (802, battery), *more)


@pytest.mark.parametrize("name", [NEW, OLD])
def test_limits_charge_and_alarms_of_802_in_the_own_chain_are_used_unasked(name: str) -> None:
    """10 A and 25 A at 401.2 V, below the 5 kW of WChaRteMax for charging and above it for discharging."""
    fake = storage(name, battery={**BATTERY_802, "Evt1": 1 << 1 | 1 << 20})
    device = bind(fake, bind_storage)
    seen = fake.reading(device)
    assert seen.limits_by == "chain"
    assert (seen.p_charge_limit_w, seen.p_discharge_limit_w) == (pytest.approx(4012.0), 5000.0)
    assert (seen.soc_pct, seen.dc_p_w) == (61.5, -2006)
    assert seen.alarms == ("over_temp_alarm", "contactor_error")
    assert device.problems == ()


def test_the_battery_is_read_in_the_poll_of_its_inverter_and_no_block_of_it_twice() -> None:
    fake = storage(NEW, BANK)
    device = bind(fake, bind_storage)
    reads = [(read.address, read.count) for read in (*device.control.values(), *device.slow.values())]
    assert len({address for address, _ in reads}) == len(reads)
    assert {"bms", "bank"} <= {*device.control}


@pytest.mark.parametrize(("point", "value"), [("State", 99), ("State", 1), ("State", 6)])
def test_a_battery_in_a_fault_permits_nothing_also_in_the_own_chain(point: str, value: int) -> None:
    fake = storage(NEW)
    device = bind(fake, bind_storage)
    fake.put(802, **{point: value})
    seen = fake.reading(device)
    assert (seen.p_charge_limit_w, seen.p_discharge_limit_w) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("given", "closed", "bars"),
    [
        ({"State": 3}, True, ()),
        ({"State": 4}, None, ()),
        ({"State": 1}, False, ()),
        ({"State": 99}, None, (Bar.BATTERY_FAULT,)),
        ({"State": 3, "ChaSt": 2}, True, (Bar.EMPTY,)),
        ({"State": 3, "Evt1": 1 << 11 | 1 << 13}, True, (Bar.UNDER_VOLT, Bar.EMPTY)),
        ({"State": 3, "Evt1": 1 << 9 | 1 << 10 | 1 << 21}, True, (Bar.OVER_VOLT,)),
    ],
)
def test_what_802_tells_of_cells_contactor_and_alarms_is_in_the_pack(
    given: dict[str, int], closed: bool | None, bars: tuple[Bar, ...]
) -> None:
    """SunSpec model 802: State 1 disconnected, 3 connected, 4 standby, 99 fault; ChaSt 2 empty; Evt1 bits 9 to 13."""
    cells = {"CellV_SF": -3, "CellVMax": 3.345, "CellVMin": 3.301}
    fake = storage(NEW, battery={**BATTERY_802, "ChaSt": 3, "Evt1": 0, **cells, **given})
    pack = fake.reading(bind(fake, bind_storage)).pack
    assert pack is not None
    assert (pack.closed, pack.bars) == (closed, bars)
    assert (pack.cell_max_v, pack.cell_min_v) == (pytest.approx(3.345), pytest.approx(3.301))
    assert (pack.battery_v, pack.charge_limit_a, pack.discharge_limit_a) == (pytest.approx(401.2), 10.0, 25.0)


def test_803_tells_temperatures_and_how_many_contactors_are_closed() -> None:
    warm = (803, {"NStr": 2, "NStrCon": 1, "ModTmp_SF": 0, "ModTmpMax": 31, "ModTmpMin": -7})
    fake = storage(NEW, warm, battery={**BATTERY_802, "State": 4})
    pack = fake.reading(bind(fake, bind_storage)).pack
    assert pack is not None
    assert (pack.t_max_c, pack.t_min_c, pack.closed) == (31, -7, True)


def test_no_connected_string_permits_nothing() -> None:
    fake = storage(NEW, (803, {"NStr": 1, "NStrCon": 0}))
    assert fake.reading(bind(fake, bind_storage)).p_charge_limit_w == 0.0


def test_a_battery_whose_block_is_not_answered_now_keeps_its_inverter_and_tells_no_limit() -> None:
    fake = storage(NEW)
    device = bind(fake, bind_storage)
    answers = fake.poll(device)
    del answers["bms"]
    seen = device.decode(answers)
    assert seen.p_w == 3120
    assert (seen.p_charge_limit_w, seen.p_discharge_limit_w, seen.limits_by) == (None, None, "chain")


def test_a_battery_that_refuses_while_its_inverter_is_looked_for_is_found_all_the_same() -> None:
    fake = storage(NEW)
    fake.refuse = lambda op: 4 if op.address >= fake.places[802] and op.count > 2 else None
    device = bind(fake, bind_storage)
    assert "802 can't be read" in device.problems[-2]
    assert device.lacks == ("the battery's limits in model 802",), "it is looked at again for them"
    answers = fake.poll(device)
    assert device.decode({name: answers[name] for name in answers if name != "bms"}).limits_by == "chain"
    fake.refuse = lambda op: None
    assert fake.reading(device).p_charge_limit_w == pytest.approx(4012.0)
    fake.put(802, AChaMax=None)
    assert fake.reading(device).p_charge_limit_w == 5000.0, "what it doesn't have keeps nobody from what it has"


@pytest.mark.parametrize("name", [NEW, OLD])
def test_a_battery_whose_limits_nobody_reads_says_so(name: str) -> None:
    fake = chained(*DEVICES[name].items())
    device = bind(fake, bind_storage)
    assert fake.reading(device).limits_by == "nobody"
    assert "nobody reads the battery's limits" in device.problems[-1]


def test_an_802_that_states_no_limit_tells_its_charge_and_is_not_taken_for_one_that_does() -> None:
    silent = {key: value for key, value in BATTERY_802.items() if "Max" not in key or key.endswith("_SF")}
    fake = storage(NEW, battery=silent)
    device = bind(fake, bind_storage)
    seen = fake.reading(device)
    assert (seen.limits_by, seen.soc_pct) == ("nobody", 61.5)
    assert "states none" in device.problems[-1]


def test_two_batteries_in_one_chain_are_not_chosen_between_until_one_is_named() -> None:
    fake = storage(NEW, PACK, (802, {**BATTERY_802, "SoC": 12.0}))
    assert fake.reading(bind(fake, bind_storage)).soc_pct == 61.5, "the one behind the same model 1"
    both = storage(NEW, (802, {**BATTERY_802, "SoC": 12.0}))
    device = bind(both, bind_storage)
    assert both.reading(device).limits_by == "nobody"
    assert "2 models 802" in device.problems[-1]
    assert both.reading(bind(both, bind_storage, bms_here=True, bms_section=2)).soc_pct == 12.0
    named = fake.reading(bind(fake, bind_storage, bms_here=True, bms_section="PACK2"))
    assert (named.soc_pct, named.limits_by) == (12.0, "chain")
    with pytest.raises(SectionUnclear, match="no section 9"):
        bind(fake, bind_storage, bms_here=True, bms_section=9)


def test_a_battery_behind_a_model_1_of_its_own_is_that_of_the_only_inverter() -> None:
    fake = chained(*DEVICES[NEW].items(), PACK, (802, BATTERY_802), BANK)
    device = bind(fake, bind_storage)
    assert fake.reading(device).limits_by == "chain"
    assert device.identity.serial == "SN-0001", "the inverter's"


@pytest.mark.parametrize(
    ("options", "says", "by"),
    [
        ({"bms_here": False}, "", "nobody"),  # another device tells them, and the image says so
        ({"bms_here": True, "bms_serial": " SN-0001 "}, "", "chain"),
        ({"bms_here": True, "bms_serial": "SN-9"}, "bms.serial is 'SN-9'", "nobody"),
    ],
)
def test_what_the_site_file_says_of_the_bms_counts(options: Any, says: str, by: str) -> None:
    fake = storage(NEW)
    device = bind(fake, bind_storage, **options)
    assert fake.reading(device).limits_by == by
    assert says in " ".join(device.problems)
    assert bool(says) == bool(device.problems)


def test_a_bms_that_is_named_here_and_is_not_there_is_missed() -> None:
    fake = chained((1, COMMON), (701, AC_701), (702, PLATE_702), (704, OFF_704))
    device = bind(fake, bind_storage, bms_here=True)
    assert "no model 802 stands in its chain: the battery rests" in device.problems[-1]


def test_a_battery_that_does_not_fit_into_one_request_is_read_in_parts() -> None:
    fake = storage(OLD)
    assert Options().profile.max_regs == 125
    device = bind(fake, bind_storage, max_regs=60)
    assert device.can.store
    assert len(device.control["bms"].parts) == 2
    assert fake.reading(device) == fake.reading(bind(fake, bind_storage))


# ---- a hybrid


@pytest.mark.parametrize("name", [NEW, OLD])
def test_a_hybrid_is_limited_at_its_ac_terminals_and_its_battery_is_told_nothing(name: str) -> None:
    """Model 123 beside 124, or 704: the limit alone, whatever its own kind of storage would take."""
    fake = storage(name)
    device = bind(fake, bind_hybrid)
    assert device.can == replace(HYBRID, least_w=device.can.least_w)
    assert device.rating.p_min_w == 0.0 and fake.run(device.rate()) == device.rating
    assert device.problems == () and fake.reading(device).limits_by == "chain"
    fake.run(device.write(Setpoint(p_ceiling_w=2000.0), Fallback(), fake.poll(device)))
    written = {name for op in fake.ops if isinstance(op, Write) for name in device.points_of(op)}
    assert written and not any(point.startswith(("124.", "704.WSet")) for point in written)


@pytest.mark.parametrize("name", [NEW, OLD])
def test_a_hybrid_whose_battery_nobody_reads_says_what_is_missing_and_who_stands_in(name: str) -> None:
    device = bind(chained(*DEVICES[name].items()), bind_hybrid)
    assert "nobody reads the battery's limits" in device.problems[-1]
    assert OWN_MATTER in device.problems[-1] and device.can.limit


def test_a_hybrid_whose_battery_is_read_elsewhere_says_it_of_no_chain() -> None:
    device = bind(chained(*DEVICES[OLD].items()), bind_hybrid, bms_here=False)
    assert device.problems == () and device.limits is None
