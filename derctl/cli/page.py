"""The live state as a page of 80 columns. Nothing that matters is cut; what is long goes on in the next line."""

from __future__ import annotations

import math
from datetime import tzinfo
from typing import Any

from derctl.cli import contacted, recorded
from derctl.cli.holding import FURTHER, OPERATORS, asked_for, holding, owner, until
from derctl.cli.plain import (
    METER,
    STATES,
    Clockface,
    cleaned,
    columns,
    number,
    padded,
    reason,
    sides,
    span,
    watts,
    wrapped,
)
from derctl.core.requests import LOCAL, REQUESTS
from derctl.core.text import NOTHING_NOW
from derctl.core.words import Idle
from derctl.site.stability import WARNED_BELOW

IDLE = frozenset(Idle)
OWN = {
    "own_function_on: the device runs its own": "the device runs its own",
    "own_function_on: the device's own mode can't be read back": "its own mode can't be read back",
}
EVENTS_SHOWN = 5
NAME_MAX = 16


def render(state: dict[str, Any], *, zone: tzinfo | None = None) -> str:
    """A page for a person. state: section 4 of docs/interfaces.md; zone: of the times shown, default the system's."""
    state = cleaned(state)
    face = Clockface(state["t"], zone)
    lines = [*_head(state, face), *_poc(state)]
    lines += _ders(state, face)
    blocks = (_not_running(state), _trouble(state), _requests(state, face), _absent(state), _running(state))
    lines += [line for block in blocks for line in block]
    lines += [*contacted.lines(state, face), *recorded.lines(state, face)]
    return "\n".join([*lines, *_events(state, face)])


def _head(state: dict[str, Any], face: Clockface) -> list[str]:
    text = _decided(state.get("armed") or {}, face)
    clock = f"{face.now:%H:%M:%S}" if state["synced"] else "clock not synchronised"
    if state["mode"] == "control":
        return sides(f"{state['site']}   CONTROL" + (f", {text}" if text else ""), clock)
    why = (state["mode_reason"] or "").partition(": ")
    head = f"{state['site']}   OBSERVE" + _watching(state.get("armed") or {}, text, why[0] if not why[2] else "")
    return [*sides(head, clock), *(wrapped(why[2], "  not in control: ") if why[2] else [])]


def _watching(armed: dict[str, Any], text: str, why: str) -> str:
    """Why it only observes, and who said so. text: who decided. why: empty where a line of its own says it."""
    if armed.get("armed"):
        return f", although armed {text}" if armed.get("by") is None else f", although {text}"
    if armed.get("by") is not None and why == "not armed":
        return f", {text}"
    return f": {why}" if why else ""


def _decided(armed: dict[str, Any], face: Clockface) -> str:
    """Who decided the mode: `armed 15:11 by anna`, or the site file. Empty where the daemon doesn't say."""
    by, since = armed.get("by"), armed.get("since")
    if by is None:
        return "by the site file" if armed else ""
    word = "armed" if armed.get("armed") else "disarmed"
    at = f" {face.at(since)}" if since else ""
    return f"{word}{at}" + ("" if by in {"", LOCAL} else f" by {by}")


def _poc(state: dict[str, Any]) -> list[str]:
    poc, limit = state["poc"], state["absent"]["limit_w"]
    allowed = "no limit on export" if limit is None else f"{watts(limit)} of export allowed"
    if poc is None:
        return [f"no meter at the point of connection; {allowed}"]
    seen, belief = poc["measurement"], METER.get(poc.get("meter") or "", "meter answers")
    if not poc["fresh"] or seen["p_w"] is None:
        why = poc["text"] or ("it gives no power" if poc["fresh"] else "")
        word = belief if belief == METER["lost"] else f"meter {STATES.get(poc['state'], poc['state'])}"
        return wrapped(f"export not known; {allowed}; {word}" + (f": {why}" if why else ""), rest="  ")
    volts = "-" if seen.get("v_v") is None else number(seen["v_v"])
    hertz = "-" if seen["f_hz"] is None else f"{seen['f_hz']:.2f}"
    delay_s = (poc.get("belief") or {}).get("delay_s")
    late = f", {delay_s:.1f} s late" if delay_s is not None and delay_s >= 0.05 else ""
    middle = padded(_flow(seen["p_w"], limit) + "  ", 32) + f"{volts} V  {hertz} Hz"
    return sides(middle, belief + late)


def _flow(p_w: float, limit_w: float | None) -> str:
    if p_w < 0.0:
        return f"import {watts(-p_w)}" + ("" if limit_w is None else f" (export limit {number(limit_w)})")
    return f"export {watts(p_w)}" if limit_w is None else f"export {number(p_w)} of {watts(limit_w)}"


def _ders(state: dict[str, Any], face: Clockface) -> list[str]:
    wide = min(max((columns(name) for name in state["ders"]), default=0), NAME_MAX)
    found = []
    for name, der in state["ders"].items():
        power = watts(der["measurement"]["p_w"]) if der["fresh"] else "- W"
        first = f"{padded(name, wide)} {power:>8}  "
        indent = " " * min(columns(first), wide + 11)
        found += wrapped(holding(name, der, state, face), first, indent)
    return found


def _not_running(state: dict[str, Any]) -> list[str]:
    """Functions that can't work, those with the same reason and DERs together; idle ones are well."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    ders: dict[tuple[str, str], list[str]] = {}
    for name, der in state["ders"].items():
        for kind, why in der["abstained"].items():
            if why not in IDLE:
                ders.setdefault((kind, abstention(why)), []).append(name)
    for (kind, why), names in ders.items():
        groups.setdefault((why, tuple(names)), []).append(kind)
    return [
        line
        for (why, names), kinds in groups.items()
        for line in wrapped(f"not running: {', '.join(kinds)} on {', '.join(names)} ({why})", rest="  ")
    ]


def abstention(why: str) -> str:
    """Why a function has no say, in words."""
    return OWN.get(why, reason(why))


def _trouble(state: dict[str, Any]) -> list[str]:
    found = [*_contained(state.get("containment")), *_hunting(state.get("loops", []))]
    for text in (state["poc"] or {}).get("unwatched", []):
        found += wrapped(text, "! ", "  ")
    for name, der in state["ders"].items():
        found += _worded(name, der)
        for problem in der["problems"]:
            found += wrapped(problem, f"! {name}: ", "  ")
    return found


def _worded(name: str, der: dict[str, Any]) -> list[str]:
    """What waits for somebody's word, and what its memory keeps back."""
    found, due, wear = list[str](), der.get("reverify"), der.get("wear") or {}
    if due is not None:
        text = (
            f"its firmware is {due['now']}, and {due['relied_on']} is relied on: nothing beyond what stood is told it"
        )
        found += wrapped(f"{text} until `derctl command acknowledge der={name}`", f"! {name}: ", "  ")
    if wear.get("left") is not None and wear["left"] * 4 <= wear["a_day"]:
        text = f"{wear['left']} of {wear['a_day']} writes a day are left: its registers wear out"
        found += wrapped(text, f"! {name}: ", "  ")
    return found


def _contained(now: dict[str, Any] | None) -> list[str]:
    """Where load does not count, or the site is locked out: why, and what takes so long."""
    if now is None:
        return []
    locked_s, long = now["excursions"]["locked_s"], now["excursions"]["long"]
    if locked_s > 0.0:
        return wrapped(f"locked out for {span(locked_s)}: too many long excursions above the limit", "! ", "  ")
    found = [] if not long else wrapped(f"{long} long excursions above the limit", "! ", "  ")
    if now["credit"]:
        return found
    wait_s = now.get("credited_in_s")
    if wait_s is not None:
        text = f"load is not credited yet: an excursion lasts for up to {now['lasts_s']:.3g} s by now"
        text += f", {now['containment_s']:g} s are allowed, and it has to stay so for another {span(wait_s)}"
        return found + wrapped(text, "! ", "  ")
    lasts = "for nobody knows how long" if now["lasts_s"] is None else f"for up to {now['lasts_s']:.3g} s"
    slow = max(now["summands"], key=lambda each: math.inf if each["seconds"] is None else each["seconds"])
    text = f"load is not credited: an excursion may last {lasts}, {now['containment_s']:g} s are allowed"
    return found + wrapped(f"{text}; most of it {slow['stage'].replace('_', ' ')} ({slow['by']})", "! ", "  ")


def _hunting(loops: list[dict[str, Any]]) -> list[str]:
    found = []
    for loop in loops:
        for name, slowed in loop["slowed"].items():
            text = "is held still" if slowed["held"] else f"has {slowed['times']} times its response time"
            found += wrapped(f"{loop['kind']} hunted, and {text}", f"! {name}: ", "  ")
        found += _steep(loop)
    return found


def _steep(loop: dict[str, Any]) -> list[str]:
    """On which DERs it may hunt, on the grid as it was measured."""
    found = []
    for name, seen in loop.get("measured", {}).items():
        margin = seen["alone"] if seen["margin"] is None else seen["margin"]
        if margin < WARNED_BELOW:
            text = f"on the grid as measured the margin of {loop['kind']} is {margin:.2g}, little below"
            found += wrapped(f"{text} {WARNED_BELOW:g}: a longer olrt_s leaves more", f"! {name}: ", "  ")
    return found


def _requests(state: dict[str, Any], face: Clockface) -> list[str]:
    found = []
    for request in state["requests"]:
        kind = request["kind"]
        what = REQUESTS[kind].called if kind in REQUESTS else kind.replace("_", " ")
        whom = request["der"] or "the site"
        left = f"until {until(request, state, face)}"
        left += "" if left.endswith(FURTHER) else f", {span(request['remaining_s'])} left"
        by = request["by"] if kind in REQUESTS and kind not in OPERATORS else owner(request)
        wants = asked_for(request)
        words = (what, wants, f"on {whom} by {by} {left}")
        text = " ".join(word for word in words if word)
        text += "" if request.get("binds", True) or wants == NOTHING_NOW else "; a tighter one binds"
        found += wrapped(text, "requested: ", "  ")
    return found


def _absent(state: dict[str, Any]) -> list[str]:
    absent = state["absent"]
    parts = [f"{name} {number(most)}" for name, most in absent["by_der"].items()]
    parts += [f"{name} not known" for name in absent["unknown"]]
    most, limit = absent["p_export_w"], absent["limit_w"]
    text = f"without derctl: at most {watts(most)}"
    if limit is not None:
        kept = "keeps" if absent["holds"] else "BREAKS"
        text = f"without derctl: at most {number(most)} of {watts(limit)}, {kept} the contract"
    between = absent.get("between")
    killed = "" if between is None else f"; killed without a release above it for up to {between['for_s']:.3g} s"
    return wrapped(text + (f" ({', '.join(parts)})" if parts else "") + killed, rest="  ")


def _running(state: dict[str, Any]) -> list[str]:
    loop, broker = state["loop"], state["mqtt"]
    lines = []
    if broker is not None:
        dropped = f"; {broker['dropped']:,} messages dropped" if broker["dropped"] else ""
        lines += wrapped(f"broker: {broker['text'] or 'connected'} (MQTT {broker['protocol']}){dropped}", rest="  ")
    missed = f"{loop['missed']:,} missed, slowest {loop['worst_s']:.3f} s"
    up = span(state["uptime_s"])
    lines += wrapped(
        f"tick {loop['tick_s']:g} s: {loop['ticks']:,} done, {missed}; up {up}, {state['version']}", rest="  "
    )
    return lines


def _events(state: dict[str, Any], face: Clockface) -> list[str]:
    found: list[str] = []
    for event in state["events"][-EVENTS_SHOWN:]:
        found += wrapped(said(event), f"{face.at(event['t'], seconds=True)}  ")
    return ["", *found] if found else []


def said(event: dict[str, Any]) -> str:
    """`pv1 device unreachable: no answer within 1 s`."""
    name = event["event"].replace("_", " ")
    text = f"{event['der']} {name}" if event["der"] else name
    return text if name.endswith(event["text"]) else f"{text}: {event['text']}"
