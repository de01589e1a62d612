"""Limits in a battery's own chain, 802 beside 704 or 124, are used unasked; where nobody reads any, it says so."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from derctl.core.exchange import Read, Write
from derctl.core.types import Fallback, Setpoint
from derctl.core.value import replace
from derctl.core.words import Bar
from derctl.devices import Options, Profile
from derctl.devices.sunspec.der import BMS_NOT, HYBRID, NONE_GUARDS, OWN_MATTER, bind_hybrid, bind_storage
from derctl.errors import BusTimeout, DecodeError, SectionUnclear
from derctl.links.models import model
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
    assert OWN_MATTER.format(NONE_GUARDS) in device.problems[-1] and device.can.limit


def test_a_hybrid_whose_battery_is_read_elsewhere_says_it_of_no_chain() -> None:
    device = bind(chained(*DEVICES[OLD].items()), bind_hybrid, bms_here=False)
    assert device.problems == () and device.limits is None


# ---- the DC ports of a hybrid

GEN24 = (0xFFFC, 0xFFFE, 0xFFFF, 0xFFFE, 0xFFFF, 0xFFFF, 4, 0xFFFF)
CHARGING = bytes.fromhex(
    "0003 5374 4368 6120 3300 0000 0000 0000 0000 ee97 a6e3 65f2 3536 16c9 2e81 4b77 8000 ffff ffff ffff"
)
"""A GEN24's own words, while its battery is charged with 2609.8 W (a trace in evcc-io/evcc#16256): what follows the
length of its model 160, and its third input."""


def text(word: str) -> tuple[int, ...]:
    return struct.unpack(">8H", word.encode().ljust(16, b"\0"))


def gen24(*, names: bool = True) -> Fake:
    fake = chained(*DEVICES[OLD].items())
    end = max(fake.registers) - 1
    strings = [(n, *text(f"String {n}" if names else ""), 400, 4000, 20000, *[0] * 8) for n in (1, 2)]
    charging = struct.unpack(">20H", CHARGING)
    giving = (4, *text("StDisCha 4"), 0, 4000, 0, *[0] * 8)
    unnamed = [(n, *text(""), *each[9:]) for n, each in ((3, charging), (4, giving))]
    words = [160, 88, *GEN24]
    for module in (*strings, *((charging, giving) if names else unnamed)):
        words += module
    assert len(words) == 90
    for i, word in enumerate((*words, 0xFFFF, 0)):
        fake.registers[end + i] = word
    fake.places[160] = end
    return fake


def test_a_hybrid_knows_the_power_of_its_battery_apart_from_its_sun() -> None:
    fake = gen24()
    device = bind(fake, bind_hybrid)
    assert fake.reading(device).dc_p_w == pytest.approx(-2609.8), "as evcc decodes it, charging"
    at = fake.places[160]
    fake.registers |= {at + 61: 0, at + 81: 12000}
    assert fake.reading(device).dc_p_w == pytest.approx(1200.0), "what its fourth input gives"
    assert OWN_MATTER.format(BMS_NOT) in device.problems[-1], "soc_guard and reserve hold it now"
    assert fake.reading(bind(fake, bind_storage)).dc_p_w == 3250.0, "with a battery alone all of it is the battery's"


def test_what_model_103_calls_dc_is_no_battery_where_sun_is_behind_it_too() -> None:
    """Taken for the battery's, the sun's power would have been cut as its battery's."""
    fake = chained(*DEVICES[OLD].items())
    assert fake.get(103, "DCW") == 3250
    assert fake.reading(bind(fake, bind_hybrid)).dc_p_w is None
    unnamed = gen24(names=False)
    device = bind(unnamed, bind_hybrid)
    assert unnamed.reading(device).dc_p_w is None and "inputs" not in device.control


@pytest.mark.parametrize("place", [4, 61, 81])
def test_an_input_that_is_not_told_is_no_power_of_0_w(place: int) -> None:
    fake = gen24()
    device = bind(fake, bind_hybrid)
    fake.registers[fake.places[160] + place] = 0x8000 if place == 4 else 0xFFFF
    assert fake.reading(device).dc_p_w is None


def test_a_battery_s_power_in_802_counts_before_its_inputs() -> None:
    fake = storage(OLD)
    at = max(fake.registers) - 1
    from160 = gen24()
    fake.registers |= {at + i: from160.registers[from160.places[160] + i] for i in range(92)}
    assert fake.reading(bind(fake, bind_hybrid)).dc_p_w == -2006


def test_inputs_that_moved_are_no_reading_and_refused_ones_are_named() -> None:
    fake = gen24()
    device = bind(fake, bind_hybrid)
    answers = fake.poll(device)
    with pytest.raises(DecodeError, match="expected 160"):
        device.decode({**answers, "inputs": (123, *answers["inputs"][1:])})
    assert device.decode({key: words for key, words in answers.items() if key != "inputs"}).dc_p_w is None
    left = device.without({"inputs": "exception 2"})
    assert left is not None and "its battery's power: exception 2" in left.problems and "inputs" not in left.control


def test_inputs_that_can_t_be_read_leave_the_hybrid_as_it_is() -> None:
    fake = gen24()
    at = fake.places[160]
    fake.refuse = lambda op: 4 if op.address == at and isinstance(op, Read) and op.count > 2 else None
    device = bind(fake, bind_hybrid)
    assert device.can.limit and device.inputs is None


@pytest.mark.parametrize("silent", [True, False])
def test_inputs_without_an_answer_are_missing_where_its_profile_has_it_so(*, silent: bool) -> None:
    fake = gen24()
    at, served = fake.places[160], fake.served

    def deaf() -> Any:
        options = Options(profile=Profile(silence_is_missing=silent))
        exchange = bind_hybrid(model, options)
        op = next(exchange)
        while True:
            assert isinstance(op, Read)
            try:
                gone = op.address == at and op.count > 2
                op = exchange.throw(BusTimeout("no answer")) if gone else exchange.send(served(op))
            except StopIteration as stop:
                return stop.value

    if silent:
        assert deaf().inputs is None
    else:
        with pytest.raises(BusTimeout):
            deaf()
