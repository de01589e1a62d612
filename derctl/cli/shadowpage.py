"""The record of looking on as a page: how long, the contract, who would have been held, writes, owners, the meter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from derctl.cli.plain import METER, Clockface, number, reason, span, watts, who, wrapped
from derctl.daemon.shadow.report import held_wh
from derctl.site.stability import WARNED_BELOW

WHY = {
    "before": "nothing is recorded of it",
    "control": "in control, so not looking on",
    "reloaded": "the site file was taken over",
    "stopped": "derctl was stopped",
    "killed": "derctl ended without a word: killed, or power lost",
    "torn": "what was kept of it can't be read",
    "open": "derctl does not run, or was killed, or the last minutes are not saved yet",
}
"""Why a time is missing, by its code."""
GAPS_SHOWN = 3
LITTLE_WH = 50.0
TOLD = {
    "meter_doubted": "the meter was doubted",
    "loop_hunts": "a loop would have hunted",
    "loop_held": "a loop went on hunting and would have been held still",
    "claim_doubted": "what a DER claims did not go with its voltage",
    "device_unreachable": "a device was not to be reached",
    "locked_out": "the site would have been locked out",
}
"""Events that a report counts, in words."""


def render(report: Mapping[str, Any], zone: Any = None) -> str:
    """A page for a person; zone: of the times shown, default the system's."""
    face = Clockface(report["t"], zone)
    lines = [*_head(report, face), *_contract(report, face), *_held(report)]
    lines += [*_writes(report), *_meter(report), *_owners(report), *_events(report)]
    return "\n".join([*lines, *wrapped(" ".join(report["limits"]), "", "  ")])


def _head(report: Mapping[str, Any], face: Clockface) -> Iterator[str]:
    first, last = face.at(report["since"]), face.at(report["until"])
    text = f"{report['site']}, what derctl would have done: it looked on for {span(report['observed_s'])}"
    yield from wrapped(f"{text} between {first} and {last}; nothing was written", rest="  ")
    if not report["synced"]:
        yield from wrapped("the clock was not set for some of it: times and gaps are not sure", "! ", "  ")
    gaps = sorted(report["gaps"], key=lambda each: -(each["seconds"] or 0))
    for gap in gaps[:GAPS_SHOWN]:
        long = "nobody knows how long" if gap["seconds"] is None else span(gap["seconds"])
        text = f"missing: {long} from {face.at(gap['from'])} ({WHY.get(gap['why'], gap['why'])})"
        yield from wrapped(text, "  ")
    if len(gaps) > GAPS_SHOWN:
        yield f"  missing: {len(gaps) - GAPS_SHOWN} shorter times"
    if report["torn"]:
        yield f"  {report['torn']} lines of the record can't be read"


def _contract(report: Mapping[str, Any], face: Clockface) -> Iterator[str]:
    poc = report["poc"]
    if poc is None:
        yield "no meter at the point of connection"
        return
    flows = f"{_kwh(poc['out_wh'])} went out, {_kwh(poc['in_wh'])} came in"
    if poc["limit_w"] is None:
        yield from wrapped(f"contract: no limit of export; {flows}", rest="  ")
    elif not poc["overs"]:
        yield from wrapped(f"contract: {watts(poc['limit_w'])} of export, kept all the time; {flows}", rest="  ")
    else:
        text = (
            f"contract: {watts(poc['limit_w'])} of export, broken {_times(poc['overs'])}, for {span(poc['over_s'])}"
        )
        text += (
            f" in all, by {_kwh(poc['over_wh'])}, at most {watts(poc['most_w'])} ({face.at(poc['most_t'])}); {flows}"
        )
        yield from wrapped(text, rest="  ")
        lag = f" (the first {poc['lag_s']:.2g} s of each, in which it may go on, not counted)" if poc["lag_s"] else ""
        yield from wrapped(f"derctl would have prevented {_kwh(poc['kept_wh'])} of that{lag}", "  ", "    ")


def _held(report: Mapping[str, Any]) -> Iterator[str]:
    made = sum(der["gave_wh"] for der in report["ders"].values())
    lost = held_wh(report, unproven=False)
    share = f" of {_kwh(made)} that were made ({100.0 * lost / made:.1f} %)" if made else ""
    yield from wrapped(f"held back: {_kwh(lost)}{share}", rest="  ")
    unproven = held_wh(report, unproven=True)
    if unproven >= LITTLE_WH:
        text = f"and {_kwh(unproven)} while the meter was not proven, so that load did not count: nothing steps an"
        text += " inverter now, and once armed that takes about a minute"
        needed = (report["poc"] or {}).get("needed_wh", 0.0)
        yield from wrapped(f"{text}; {_kwh(needed)} were above the agreement less its margin", "  ", "    ")
    for name, der in report["ders"].items():
        parts = [_part(each) for each in der["held"]]
        parts += [_aim(each) for each in der["aimed"]]
        parts += [_var(each) for each in der["var"]]
        if parts:
            yield from wrapped("; ".join(parts), f"  {name}: ", "    ")


def _part(each: Mapping[str, Any]) -> str:
    why = "" if each["why"] is None else f" ({reason(each['why'])})"
    return f"{who(each['by'])}{why} for {span(each['seconds'])}, {_kwh(each['wh'])}"


def _aim(each: Mapping[str, Any]) -> str:
    by = "nobody: at rest" if each["by"] == "rest" else who(each["by"])
    why = "" if each["why"] is None else f" ({reason(each['why'])})"
    ways = [(each["more_wh"], "up (out)"), (each["less_wh"], "down (in)")]
    moved = ", ".join(f"{_kwh(wh)} {way}" for wh, way in ways if wh) or "0 Wh"
    return f"sent elsewhere by {by}{why} for {span(each['seconds'])}, {moved}"


def _var(each: Mapping[str, Any]) -> str:
    return f"var by {who(each['by'])} for {span(each['seconds'])}, {number(each['varh'])} varh beside its own"


def _writes(report: Mapping[str, Any]) -> Iterator[str]:
    parts, over = [], []
    for name, der in report["ders"].items():
        if der["writes"]:
            bears = der["bears_a_day"]
            parts.append(f"{name} {der['writes']:,}" + ("" if bears is None else f" (bears {bears:,} a day)"))
            if bears is not None and der["writes_a_day"] is not None and der["writes_a_day"] > bears:
                over.append(f"{name} would want {der['writes_a_day']:,} a day and bears {bears:,}")
    if parts:
        yield from wrapped(f"writes that would have been made: {', '.join(parts)}", rest="  ")
    for text in over:
        more = "most of what raises it would wait for another day"
        yield from wrapped(f"{text}, since its registers wear out: {more}", "! ", "  ")


def _meter(report: Mapping[str, Any]) -> Iterator[str]:
    if report["poc"] is None:
        return
    beliefs = report["poc"]["belief"]
    parts = [f"{METER.get(word, word)} {span(s)}" for word, s in sorted(beliefs.items(), key=lambda each: -each[1])]
    yield from wrapped(", ".join(parts), rest="  ")


def _owners(report: Mapping[str, Any]) -> Iterator[str]:
    for name, der in report["ders"].items():
        if der["own"]:
            kinds = ", ".join(der["own"])
            text = f"it runs {kinds} itself, so derctl's stays off: leave {name} out of these functions, or switch"
            yield from wrapped(f"{text} them off in it", f"! {name}: ", "  ")
        if der["untold"]:
            kinds = ", ".join(der["untold"])
            text = f"whether it runs {kinds} itself can't be read: derctl's stays off (see own_functions)"
            yield from wrapped(text, f"! {name}: ", "  ")
        if der["foreign"]:
            text = f"somebody else changed what stands in it {_times(der['foreign'])}: find out who, and write that"
            yield from wrapped("one under controllers, or switch it off", f"! {name}: {text} ", "  ")
        elif der["stood_w"] is not None:
            text = f"a limit of {watts(der['stood_w'])} that is not derctl's stood in it for {span(der['stood_s'])}"
            yield from wrapped(text, f"! {name}: ", "  ")


def _events(report: Mapping[str, Any]) -> Iterator[str]:
    for key, count in report["events"].items():
        event, _, der = key.partition("/")
        if event in TOLD:
            whose = f"{der}: " if der and der != "poc" else ""
            yield from wrapped(f"{whose}{TOLD[event]} {_times(count)}", "! ", "  ")
    for key, margin in report["margins"].items():
        kind, _, der = key.partition("/")
        if margin < WARNED_BELOW:
            text = f"{der}: on the grid as measured the margin of {who(kind)} from hunting is {margin:.2g}"
            yield from wrapped(f"{text}, little below {WARNED_BELOW:g}: a longer olrt_s leaves more", "! ", "  ")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _kwh(wh: float) -> str:
    return f"{number(wh)} Wh" if abs(wh) < 1000.0 else f"{wh / 1000.0:,.1f} kWh"
