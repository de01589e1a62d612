"""What models 802 and 803 tell of a battery: its state of charge, what it permits now, and its alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Read
from derctl.core.pack import Pack
from derctl.core.text import serial_text
from derctl.core.types import Reading
from derctl.core.value import replace
from derctl.core.words import Bar, LimitsBy, Status
from derctl.devices.sunspec.layout import Layout, View
from derctl.devices.sunspec.section import BATTERIES, Section, chosen, named, sections_of
from derctl.devices.types import Answers, Options
from derctl.errors import DeviceRefused
from derctl.sunspec import Block

POINTS_802 = (
    *("SoC", "SoH", "V", "A", "W", "AChaMax", "ADisChaMax", "WChaRteMax", "WDisChaRteMax"),
    *("ChaSt", "State", "LocRemCtl", "WHRtg", "Evt1", "CellVMax", "CellVMin"),
)
POINTS_803 = ("NStr", "NStrCon", "ModTmpMax", "ModTmpMin")
PERMITS = frozenset({"AChaMax", "ADisChaMax", "WChaRteMax", "WDisChaRteMax"})
DISCONNECTED, CONNECTED, EMPTY = 1, 3, 2
FAULTS = frozenset({6, 99})
"""Point State: disconnected, connected; suspending, fault: no power may flow. Point ChaSt: empty."""
ALARMS: Mapping[str, Bar] = {
    "communication_error": Bar.BATTERY_FAULT,
    "over_temp_alarm": Bar.OVER_TEMP,
    "under_temp_alarm": Bar.TOO_COLD_TO_CHARGE,
    "over_charge_current_alarm": Bar.OVER_CHARGE_CURRENT,
    "over_discharge_current_alarm": Bar.OVER_DISCHARGE_CURRENT,
    "over_volt_alarm": Bar.OVER_VOLT,
    "under_volt_alarm": Bar.UNDER_VOLT,
    "under_soc_min_alarm": Bar.EMPTY,
    "over_soc_max_alarm": Bar.FULL,
    "contactor_error": Bar.BATTERY_FAULT,
    "ground_fault": Bar.BATTERY_FAULT,
}
"""Of Evt1: what bars a way, by our choice (docs/sources.md). Warnings and all others leave it to the limits."""
BLOCK = "bms"
"""The name of the block that tells the limits."""
NOBODY = "nobody reads the battery's limits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """bank: model 803, where it is there, says how many of its strings are connected.

    stated: the points of 802 that were implemented when it was found; unread: it could not be read then.
    """

    view: View
    bank: View | None = None
    stated: frozenset[str] = frozenset()
    unread: bool = False

    @property
    def reads(self) -> Mapping[str, Read]:
        views = [self.view] if self.bank is None else [self.view, self.bank]
        return {view.name: view.read for view in views}

    @property
    def states(self) -> bool:
        """Whether it tells any limit at all, as far as is known."""
        return self.unread or bool(self.stated & PERMITS)

    def told(self, answers: Answers, by: LimitsBy) -> Reading:
        """Limits in W: the smaller of the power limit and current limit times voltage, each where it is given.

        Unknown where a point that was given when it was found is missing now: what is left would be a wider limit.
        0 W both ways in a fault, and while no string is connected. by: who reads them, if there are any.
        """
        values = self.view.values(answers)
        connected = None if self.bank is None or self.bank.name not in answers else self._connected(answers)
        state, soc, alarms = values.get("State"), values.get("SoC"), self._alarms(values.get("Evt1"))
        off = state in {DISCONNECTED, *FAULTS} or connected == 0
        return Reading(
            soc_pct=soc if soc is not None and 0.0 <= soc <= 100.0 else None,
            soh_pct=values.get("SoH"),
            dc_p_w=values.get("W"),
            p_charge_limit_w=0.0 if off else permitted_w(values, self.stated, "AChaMax", "WChaRteMax"),
            p_discharge_limit_w=0.0 if off else permitted_w(values, self.stated, "ADisChaMax", "WDisChaRteMax"),
            limits_by=by if self.states else LimitsBy.NOBODY,
            alarms=alarms,
            pack=self._pack(answers, values, _bars(values, alarms or ()), closed=_closed(state, connected)),
            status=Status.FAULT if off else Status.ON,
        )

    def _pack(self, answers: Answers, values: dict[str, Any], bars: tuple[Bar, ...], *, closed: bool | None) -> Pack:
        modules = {} if self.bank is None or self.bank.name not in answers else self.bank.values(answers)
        return Pack(
            battery_v=values.get("V"),
            battery_a=values.get("A"),
            charge_limit_a=values.get("AChaMax"),
            discharge_limit_a=values.get("ADisChaMax"),
            charge_limit_w=values.get("WChaRteMax"),
            discharge_limit_w=values.get("WDisChaRteMax"),
            cell_max_v=values.get("CellVMax"),
            cell_min_v=values.get("CellVMin"),
            t_max_c=modules.get("ModTmpMax"),
            t_min_c=modules.get("ModTmpMin"),
            closed=closed,
            bars=bars,
        )

    def _connected(self, answers: Answers) -> int | None:
        assert self.bank is not None
        count: int | None = self.bank.values(answers)["NStrCon"]
        return count

    def _alarms(self, bits: int | None) -> tuple[str, ...] | None:
        if bits is None:
            return None
        return tuple(name.lower() for name in self.view.model.fixed["Evt1"].names(bits))


def _bars(values: Mapping[str, Any], alarms: tuple[str, ...]) -> tuple[Bar, ...]:
    found = [ALARMS[alarm] for alarm in alarms if alarm in ALARMS]
    if values.get("State") in FAULTS:
        found.append(Bar.BATTERY_FAULT)
    if values.get("ChaSt") == EMPTY:
        found.append(Bar.EMPTY)
    return tuple(dict.fromkeys(found))


def _closed(state: int | None, connected: int | None) -> bool | None:
    """Whether any contactor is closed, by the state of the bank and the count of connected strings."""
    if state == DISCONNECTED or connected == 0:
        return False
    return True if state == CONNECTED or connected else None


def permitted_w(values: dict[str, Any], stated: frozenset[str], current: str, power: str) -> float | None:
    """None where the battery states neither limit, or one that it stated once is missing. stated: once."""
    amps, volts, watts = values.get(current), values.get("V"), values.get(power)
    needed = {power, current}
    if current in stated or amps is not None:
        needed.add("V")
    if any(values.get(point) is None for point in needed & stated):
        return None
    limits = [watts, amps * volts if amps is not None and volts is not None else None]
    return min((limit for limit in limits if limit is not None), default=None)


def limits_of(layout: Layout, block: Block, strings: Block | None) -> Exchange[Limits]:
    """Learn which points this model 802 implements. Raises DeviceRefused where it can't be read now."""
    first = yield from layout.once(block, POINTS_802)
    stated = frozenset(point for point, value in first.items() if value is not None)
    return _made(layout, block, strings, stated)


def limits_unread(layout: Layout, block: Block, strings: Block | None) -> Exchange[tuple[Limits, str]]:
    """The same, and what is wrong. One that can't be read now is expected to state limits: the battery rests until it
    answers."""
    try:
        return (yield from limits_of(layout, block, strings)), ""
    except DeviceRefused as error:
        text = f"model 802 can't be read ({error}): the battery rests until it can"
        return replace(_made(layout, block, strings, frozenset()), unread=True), text


def _made(layout: Layout, block: Block, strings: Block | None, stated: frozenset[str]) -> Limits:
    bank = None if strings is None else layout.view("bank", strings, POINTS_803)
    return Limits(view=layout.view(BLOCK, block, POINTS_802), bank=bank, stated=stated)


def with_bms(reading: Reading, told: Reading) -> Reading:
    """The inverter's reading with what the BMS knows better."""
    return replace(
        reading,
        soc_pct=reading.soc_pct if told.soc_pct is None else told.soc_pct,
        soh_pct=reading.soh_pct if told.soh_pct is None else told.soh_pct,
        dc_p_w=reading.dc_p_w if told.dc_p_w is None else told.dc_p_w,
        p_charge_limit_w=told.p_charge_limit_w,
        p_discharge_limit_w=told.p_discharge_limit_w,
        limits_by=told.limits_by,
        alarms=told.alarms,
        pack=told.pack,
    )


def with_limits(reading: Reading, limits: Limits | None, answers: Answers) -> Reading:
    """With what its own chain tells, if anything there does. A block that can't be read now tells nothing: what it
    permitted is not permitted for ever."""
    if limits is None:
        return replace(reading, limits_by=LimitsBy.NOBODY)
    if BLOCK not in answers:
        return replace(reading, limits_by=LimitsBy.CHAIN if limits.states else LimitsBy.NOBODY)
    return with_bms(reading, limits.told(answers, LimitsBy.CHAIN))


def own_limits(whole: Layout, layout: Layout, beside: Block, options: Options) -> Exchange[tuple[Limits | None, str]]:
    """Those that stand in the battery's own chain, and what is wrong with that; with None nobody reads any there.

    whole: the device's; layout: that of its section. beside: its inverter's model.
    """
    if options.bms_here is False:
        return None, ""
    found = yield from _batteries(whole, layout, beside, options)
    if len(found) != 1:
        return None, _none_or_many(len(found), asked=options.bms_here is True)
    section = next(section for section in sections_of(whole.chain) if found[0] in section.blocks)
    wrong = (yield from _stranger(whole, section, options.bms_serial)) if options.bms_serial else ""
    if wrong:
        return None, wrong
    limits, problem = yield from limits_unread(layout, found[0], section.head(803))
    return limits, problem or ("" if limits.states else f"{NOBODY}: its model 802 states none")


def _batteries(whole: Layout, layout: Layout, beside: Block, options: Options) -> Exchange[list[Block]]:
    """The models 802 that may be meant: the section that is named, else those behind the same model 1, else all."""
    if options.bms_section is not None:
        layout = yield from chosen(whole, options.bms_section, BATTERIES)
        return [block for block in layout.chain.blocks if block.model_id in BATTERIES]
    there = [block for block in layout.chain.blocks if block.model_id in BATTERIES]
    return [block for block in there if block.section == beside.section] or there


def _none_or_many(count: int, *, asked: bool) -> str:
    if count:
        return f"{NOBODY}: {count} models 802 stand in its chain: name one by bms: {{bus, unit, section}}"
    if asked:
        return "bms names this unit, and no model 802 stands in its chain: the battery rests"
    return f"{NOBODY}: no model 802 stands in its chain, and the site file names no bms"


def _stranger(whole: Layout, section: Section, serial: str) -> Exchange[str]:
    """What is wrong with the serial of the battery's section; empty where it is the one that is expected."""
    seen = yield from named(whole, section)
    if seen.identity.serial == serial_text(serial):
        return ""
    return f"bms.serial is {serial!r}, the battery's section says {seen.identity.serial!r}: the battery rests"
