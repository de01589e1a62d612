"""What keeps a device from being met, and what mends it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from derctl.commission.finding import Finding, Found, mend
from derctl.commission.met import Met, Neighbour, Trouble

TWO_WIRES = (
    "Look at the line: A and B swapped, no common ground, no terminating resistor, the wrong adapter, or the device"
    " has Modbus RTU switched off in its menu"
)


def reached(met: Met) -> Iterator[Finding]:
    """Why it was not met; nothing where it was."""
    if met.trouble is None:
        return
    finding = JUDGED[met.trouble](met)
    yield finding if met.asked.role != "bms" else _bms(met, finding)


def _bms(met: Met, finding: Finding) -> Finding:
    """Without its limits a battery rests, whatever keeps them away."""
    text = f"the battery's management system is not heard, so the battery would only rest: {finding.text}"
    return mend(Found.BMS_SILENT, met.asked.id, text, finding.remedy)


def _where(met: Met) -> str:
    return f"{met.asked.place} unit {met.asked.unit}"


def _no_connection(met: Met) -> Finding:
    if met.asked.serial_line:
        remedy = "Look whether the adapter is plugged in (ls /dev/serial/by-id), whether another program has it open"
        remedy += " (fuser PORT), and whether you are in the group dialout; then write its name as buses[].rtu.port"
    else:
        remedy = "Look whether it has power and a network (ping), whether Modbus TCP is switched on in its menu, and"
        remedy += " whether host and port are right: 502 is usual, 1502 with SolarEdge and Kostal"
    return mend(Found.NO_CONNECTION, met.asked.id, met.said, remedy)


OTHER_CLIENT = (
    "End the other client: another gateway, Home Assistant, a wallbox, the maker's energy manager, an old derctl."
    " Where that can't be, let all of them go through one Modbus proxy"
)


def _closed(met: Met) -> Finding:
    text = f"{_where(met)} takes the connection and closes it before it has answered, as one that serves a single"
    text += f" client does while a second client has it: {met.said}"
    return mend(Found.ONE_CLIENT, met.asked.id, text, OTHER_CLIENT)


def _silent(met: Met) -> Finding:
    """Somebody else answers there; or at another baud rate; or nobody at all."""
    if met.neighbours:
        return _elsewhere(met)
    if met.asked.serial_line:
        text = f"{_where(met)}: nothing answers there, nor at the other usual baud rates and parities: {met.said}"
        return mend(Found.LINE_SILENT, met.asked.id, text, TWO_WIRES)
    if met.profile.max_clients == 1:
        text = f"{_where(met)} takes the connection and answers nothing; by profile {met.profile.name} it serves one"
        return mend(Found.ONE_CLIENT, met.asked.id, f"{text} client: a second client seems to have it", OTHER_CLIENT)
    text = f"{_where(met)} takes the connection, and no unit id answers there: as where another client has the only"
    text += f" connection that it serves, or where a gateway has no device behind it ({met.said})"
    remedy = f"{OTHER_CLIENT}. If there is none, look for the unit id in the device's menu, and at the line behind it"
    return mend(Found.PLACE_SILENT, met.asked.id, text, remedy)


def _elsewhere(met: Met) -> Finding:
    """Who answers on that wire is named; by its serial number it may be the one that is meant."""
    told = f"{_where(met)} does not answer"
    if not met.neighbours:
        remedy = "Look for the unit id in the device's menu (SMA 126, Kostal 71), and at the line behind the gateway"
        return mend(Found.UNIT_WRONG, met.asked.id, f"{told}: {met.said}", remedy)
    meant = _meant(met)
    there = "; ".join(map(str, met.neighbours))
    if meant is not None and meant.settings:
        text = f"{told} with the settings of the site file; it does at {meant.settings} ({there})"
        return mend(Found.BAUD_WRONG, met.asked.id, text, f"Write {meant.settings} for bus {met.asked.bus}")
    if meant is not None:
        text = f"{told}, but others do: {there}"
        return mend(Found.UNIT_WRONG, met.asked.id, text, f"Write unit: {meant.unit} for {met.asked.id}")
    text = f"{told}, but others do: {there}"
    remedy = f"Take the unit id of the right one for {met.asked.id}, or look why it is silent"
    return mend(Found.UNIT_WRONG, met.asked.id, text, remedy)


def _meant(met: Met) -> Neighbour | None:
    """The one whose serial number is wanted; without such a word the only one there is."""
    if met.asked.wanted is not None:
        named = [each for each in met.neighbours if each.serial == met.asked.wanted]
        if named or all(each.serial for each in met.neighbours):
            return named[0] if named else None
    return met.neighbours[0] if len(met.neighbours) == 1 else None


def _foreign(met: Met) -> Finding:
    remedy = (
        "A second master on the line, two devices with one unit id, or a wrong baud rate do that; behind a gateway"
    )
    remedy += " that answers under other numbers, see buses[].header"
    return mend(Found.NOT_UNDERSTOOD, met.asked.id, f"{_where(met)}: {met.said}", remedy)


def _not_understood(met: Met) -> Finding:
    remedy = "Look whether SunSpec is switched on in its menu; for one with registers of its own name its profile"
    remedy += " (derctl profiles), and the kind that goes with it"
    return mend(Found.NOT_UNDERSTOOD, met.asked.id, f"{_where(met)} answers, and: {met.said}", remedy)


def _other_kind(met: Met) -> Finding:
    remedy = f"Write the kind that answers, or the place of the right device for {met.asked.id}"
    return mend(Found.KIND_WRONG, met.asked.id, f"{_where(met)} {met.said}", remedy)


def _section(met: Met) -> Finding:
    grid = " The grid's is the one that imports at night" if met.asked.role == "meter" else ""
    remedy = f"Write section: with the number or the Opt of the right one for {met.asked.id}.{grid}"
    return mend(Found.SECTION_UNCLEAR, met.asked.id, f"{_where(met)}: {met.said}", remedy)


JUDGED: Mapping[Trouble, Callable[[Met], Finding]] = {
    Trouble.NO_CONNECTION: _no_connection,
    Trouble.CLOSED: _closed,
    Trouble.SILENT: _silent,
    Trouble.ELSEWHERE: _elsewhere,
    Trouble.FOREIGN: _foreign,
    Trouble.NOT_UNDERSTOOD: _not_understood,
    Trouble.OTHER_KIND: _other_kind,
    Trouble.SECTION: _section,
}
