"""A running site as a doctor sees it: rows, each with how it is and what to do. From `status` alone, without I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from derctl.cli.plain import METER, STATES, number, reason, span, wrapped
from derctl.commission.finding import Weight
from derctl.core.dataclass import dataclass
from derctl.core.text import clean

Json = Mapping[str, Any]
WELL = frozenset({"ok", "asleep", "observed", "standby"})
"""States of a device that need nobody."""
MISSED, TIMED_OUT, BROKEN = 0.01, 0.05, 0.01
"""Our choice: of all ticks, requests and answers, how many may fail before somebody should look."""
LOADED_PCT, MORE = 80.0, 1.5
"""Our choice: a wire that is taken for longer has no room for a bad minute; times the plan: answers are slower."""
DAY_S = 86400.0
WORN_BYTES = 1e9
"""Our choice: what is written in a day; a card of 32 GB with a thousand cycles lasts decades then."""
FEW_LEFT = 0.2
"""Our choice: of a day's writes."""

STATE_REMEDIES: Mapping[str, str] = {
    "starting": "Wait some seconds; then look at its power and network",
    "unreachable": "Look at its power, the cable and other clients; derctl check --live (service stopped) says more",
    "refused": "It is not as the site file says: mend that file or the device, then derctl reload",
    "frozen": "Its registers stand still: restart the device or its gateway",
    "unmeasured": "Look at its wiring, its section and its profile",
    "stale": "Look at its bus: more timeouts, or another client that takes its time",
    "fault": "Read its own display or log: the device itself says that it is out of order",
}
REASON_REMEDIES: Mapping[str, str] = {
    "override": "Somebody else sets it: switch that off, or write it under `controllers`",
    "contested": "Somebody else keeps it at less: switch that off, or write it under `controllers`",
    "write_ignored": "Look whether remote control is allowed in its menu, and at its profile",
    "write_clipped": "Look at the limits in the device's own menu",
    "not_followed": "Look whether remote control is allowed in its menu; derctl why says what it was told",
    "contradicted": "Its power contradicts what it reads back: derctl why says both",
    "firmware_changed": "Try what it does with a limit, then derctl arm (or derctl command acknowledge)",
    "refused": "Look at the text of derctl why, and whether remote control is allowed in its menu",
    "write_budget": "Fewer commands a day, or functions that move it less often",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """topic: of what; about: whose, "" where there is one. weight None: well. remedy: "" where there is none."""

    topic: str
    text: str
    about: str = ""
    weight: Weight | None = None
    remedy: str = ""


def health(state: Json) -> list[Row]:
    """All that `status` tells, in the order of a page."""
    parts = (mode, loop, meter, absent, buses, devices, budgets, broker)
    return [row for part in parts for row in part(state)]


def mode(state: Json) -> Iterator[Row]:
    why = state["mode_reason"]
    if state["mode"] == "control":
        yield Row(topic="mode", text="control: setpoints are sent")
    elif state["armed"]["armed"]:
        remedy = "Mend what it says; control begins by itself then"
        yield Row(topic="mode", text=f"armed, and not in control: {why}", weight=Weight.MEND, remedy=remedy)
    else:
        remedy = "If that is meant, nothing; else derctl arm (it says first what it would write)"
        yield Row(topic="mode", text=f"observes, nothing is written: {why}", weight=Weight.NOTE, remedy=remedy)


def loop(state: Json) -> Iterator[Row]:
    seen = state["loop"]
    ticks, missed = seen["ticks"], seen["missed"]
    text = f"{ticks} ticks of {seen['tick_s']:g} s, {missed} missed; the slowest took {seen['worst_s']:.2f} s"
    if missed > MISSED * max(ticks, 1):
        remedy = "Look what else keeps this machine busy (top), or write a larger site.tick_s"
        yield Row(topic="loop", text=text, weight=Weight.LOOK, remedy=remedy)
    else:
        yield Row(topic="loop", text=text)


METER_REMEDIES: Mapping[str, tuple[Weight, str]] = {
    "unproven": (Weight.NOTE, "Wait until the sun moves, or an operator: it is proven by what it follows"),
    "doubted": (Weight.LOOK, "Look at the meter: clamps, sign, section; until then load is not counted"),
    "lost": (Weight.MEND, "Look at the meter's power and bus; until then the DERs are held below the limit in sum"),
}


def meter(state: Json) -> Iterator[Row]:
    poc = state["poc"]
    if poc is None:
        return
    if poc["state"] not in WELL:
        yield device("poc", poc)
        return
    belief, why = poc["meter"], (poc["belief"] or {}).get("text") or ""
    if belief is None:
        yield Row(topic="meter", about="poc", text="answers; no function closes a loop on it")
        return
    text = METER.get(belief, belief) + (f": {why}" if why else "")
    weight, remedy = METER_REMEDIES.get(belief, (None, ""))
    yield Row(topic="meter", about="poc", text=text, weight=weight, remedy=remedy)
    for each in poc["unwatched"]:
        yield Row(topic="meter", about="poc", text=each, weight=Weight.NOTE)


def absent(state: Json) -> Iterator[Row]:
    seen = state["absent"]
    if seen["limit_w"] is None:
        return
    if seen["unknown"]:
        text = f"what {', '.join(seen['unknown'])} would do without derctl is not known yet"
        yield Row(topic="fail-safe", text=text, weight=Weight.LOOK, remedy="Let them be found: see devices")
        return
    text = f"without derctl at most {number(seen['p_export_w'])} W, {number(seen['limit_w'])} W allowed"
    if seen["holds"]:
        yield Row(topic="fail-safe", text=text)
    else:
        remedy = "Declare lower fallbacks, or ones that the devices keep; derctl check says whose part is how large"
        yield Row(topic="fail-safe", text=f"{text}: broken", weight=Weight.MEND, remedy=remedy)


def buses(state: Json) -> Iterator[Row]:
    for name, seen in state["buses"].items():
        yield bus(name, seen)


def bus(name: str, seen: Json) -> Row:
    """Plan against measured."""
    if not seen["connected"]:
        remedy = "Look at power, network and cable; derctl check --live (service stopped) says more"
        return Row(topic="bus", about=name, text="not connected", weight=Weight.MEND, remedy=remedy)
    load, plan, asked = seen.get("load_pct"), seen.get("plan") or {}, max(seen["requests"], 1)
    planned = plan.get("load_pct")
    text = f"{_pct(load)} taken, {_pct(planned)} planned; {seen['timeouts']} of {seen['requests']} unanswered"
    text += f", {seen['frame_errors']} broken, {seen['late']} late; connected {seen['connects']} times"
    remedy = ""
    if seen["timeouts"] > TIMED_OUT * asked or seen["late"] > TIMED_OUT * asked:
        remedy = "Look for a device without power or another client; where answers are late, see timeout_s"
    elif seen["frame_errors"] + seen["foreign"] > BROKEN * asked:
        remedy = "Look at the cable: shield, ground, termination; and for a second master on it"
    elif load is not None and load > LOADED_PCT:
        remedy = "Ask less: a longer site.tick_s, a faster baud rate, or a bus of their own for some devices"
    elif load is not None and planned is not None and load > MORE * planned + 10.0:
        remedy = "Answers take longer than planned: look at the devices' firmware, and for other clients"
    return Row(topic="bus", about=name, text=text, weight=Weight.LOOK if remedy else None, remedy=remedy)


def _pct(value: float | None) -> str:
    return "- %" if value is None else f"{value:.0f} %"


def devices(state: Json) -> Iterator[Row]:
    """Those that are well on one row, each other one with what to do."""
    well = [name for name, der in state["ders"].items() if _obeys(der)]
    if well:
        yield Row(topic="device", about=", ".join(well), text="well")
    for name, der in state["ders"].items():
        if name not in well:
            yield device(name, der)
        if der["reverify"] is not None:
            text = f"firmware {der['reverify']['now']} and not {der['reverify']['relied_on']} as before"
            remedy = REASON_REMEDIES["firmware_changed"]
            yield Row(topic="device", about=name, text=text, weight=Weight.LOOK, remedy=remedy)
        for problem in der["problems"]:
            yield Row(topic="device", about=name, text=problem, weight=Weight.NOTE)


def _obeys(der: Json) -> bool:
    return der["state"] in WELL and not _disobeys(der)


def _disobeys(der: Json) -> bool:
    return der["outcome"]["achieved"] == "no" and der["outcome"]["reason"] in REASON_REMEDIES


def device(name: str, seen: Json) -> Row:
    """One that is not well."""
    if seen["state"] in WELL:
        code = seen["outcome"]["reason"]
        return Row(
            topic="device", about=name, text=reason(code), weight=Weight.LOOK, remedy=REASON_REMEDIES.get(code, "")
        )
    word = str(seen["state"])
    text = STATES.get(word, word) + (f": {seen['text']}" if seen["text"] else "")
    remedy = STATE_REMEDIES.get(seen["state"], "derctl why says more")
    weight = Weight.NOTE if seen["state"] == "starting" else Weight.MEND
    return Row(topic="device", about=name, text=text, weight=weight, remedy=remedy)


def budgets(state: Json) -> Iterator[Row]:
    """Of those whose control registers wear out."""
    for name, der in state["ders"].items():
        a_day, left = der["wear"].get("a_day"), der["wear"].get("left")
        if a_day is None or left is None:
            continue
        text = f"{left} of {a_day} writes of 24 hours left; its memory wears out"
        few = left < FEW_LEFT * a_day
        remedy = REASON_REMEDIES["write_budget"] if few else ""
        yield Row(topic="writes", about=name, text=text, weight=Weight.LOOK if few else None, remedy=remedy)


def broker(state: Json) -> Iterator[Row]:
    seen = state["mqtt"]
    if seen is None:
        return
    text = f"{seen['text']}; {seen['published']} messages published, {seen['dropped']} dropped"
    if seen["connected"]:
        yield Row(topic="broker", text=text)
    else:
        remedy = "Look at the broker, the network and the password; control works without it, and messages are kept"
        yield Row(topic="broker", text=text, weight=Weight.LOOK, remedy=remedy)


def wear(state: Json, free_bytes: int | None, *, read_only: bool) -> Row:
    """The card: what is written to it, what is left of it, and whether the last save was good."""
    seen, uptime_s = state["disk"], max(state["uptime_s"], 1.0)
    a_day = seen["bytes"] * DAY_S / uptime_s
    free = "" if free_bytes is None else f"; {free_bytes / 1e6:,.0f} MB free"
    text = f"{seen['writes']} writes, {seen['bytes'] / 1e3:,.0f} kB in {span(uptime_s)}"
    text += f" ({a_day / 1e6:,.1f} MB a day){free}" if uptime_s >= 600.0 else free
    if seen["unsaved"] is not None or read_only:
        why = seen["unsaved"] or "it is read-only"
        remedy = "Make room, or change the card: control does not begin while nothing can be saved"
        return Row(topic="disk", text=f"not saved: {why}", weight=Weight.MEND, remedy=remedy)
    if uptime_s >= 600.0 and a_day > WORN_BYTES:
        return Row(topic="disk", text=text, weight=Weight.LOOK, remedy="Look at derctl command and message rates")
    return Row(topic="disk", text=text)


def page(rows: list[Row]) -> list[str]:
    """For people: each with its remedy below it, then how many need somebody."""
    lines: list[str] = []
    before = ""
    for row in rows:
        topic = "" if row.topic == before else row.topic
        before = row.topic
        mark = "" if row.weight is None else f"[{row.weight}] "
        whose = f"{row.about}: " if row.about else ""
        lines += wrapped(f"{mark}{whose}{clean(row.text)}", f"{topic:<12} ")
        if row.remedy:
            lines += wrapped(f"-> {clean(row.remedy)}", " " * 15, " " * 18)
    open_ = sum(row.weight in {Weight.MEND, Weight.LOOK} for row in rows)
    return [*lines, "", "all well" if not open_ else f"{open_} to mend or to look at"]
