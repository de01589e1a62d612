"""`derctl why DER`: what it is told, who bound it, and what became of it, in one paragraph."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import tzinfo
from functools import partial
from typing import Any

from derctl.cli.holding import NEAR_W, SILENT, accepted, asked_for, owner, request_of, until
from derctl.cli.local import add_socket, call, known_der
from derctl.cli.page import abstention
from derctl.cli.plain import STATES, Clockface, cleaned, number, reason, who, wrapped
from derctl.core.text import edge_text, gives_text, power_text
from derctl.core.words import Idle

PARTS: dict[str, Callable[[float], str]] = {
    "p_ceiling_w": partial(edge_text, ceiling=True),
    "p_floor_w": partial(edge_text, ceiling=False),
    "p_target_w": power_text,
    "q_var": lambda value: f"{number(value)} var",
}
ACHIEVED = {
    "yes": "It does what it is told",
    "no": "It does not do what it is told",
    "pending": "It is on its way there",
    "not_binding": "It gives less by itself, so the limit changes nothing",
    "unknown": "Whether it does so is not known",
}
"""core.words.Achieved for people."""


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("der", metavar="DER", help="its name in the site file")
    parser.add_argument("--json", action="store_true", help="for programs: the paragraph, and what it is made of")


def run(args: argparse.Namespace) -> int:
    """0 if there is such a DER."""
    state = call(args, "status")
    known_der(args.der, state)
    said = why(args.der, state)
    print(json.dumps(_summary(args.der, said, state), indent=2) if args.json else "\n".join(wrapped(said)))
    return 0


def _summary(name: str, said: str, state: dict[str, Any]) -> dict[str, Any]:
    """For programs: parts of section 4 of docs/interfaces.md."""
    der = cleaned(state["ders"][name])
    parts = ("state", "measurement", "setpoint", "outcome", "standing", "abstained")
    return {"der": name, "text": said, "mode": state["mode"], **{part: der.get(part) for part in parts}}


def why(name: str, state: dict[str, Any], *, zone: tzinfo | None = None) -> str:
    """The paragraph. zone: of the times in it."""
    state = cleaned(state)
    face, der = Clockface(state["t"], zone), state["ders"][name]
    sentences = [
        _gives(name, der),
        _told(der, control=state["mode"] == "control"),
        _bound(name, der, state, face),
        _requested(name, der, state, face),
        _accepted(der, face),
        _achieved(der, state, face),
        _abstained(der),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _gives(name: str, der: dict[str, Any]) -> str:
    if der["state"] in SILENT:
        return f"{name}: {STATES[der['state']]}" + (f": {der['text']}." if der["text"] else ".")
    seen = der["measurement"]
    status = seen["status"] if seen["status"] not in {"unknown", "on"} else _way(seen["p_w"], der)
    given = "gives - W" if seen["p_w"] is None else gives_text(seen["p_w"])
    return f"{name} {given}" + (f" ({status})." if status else ".")


def _way(p_w: float | None, der: dict[str, Any]) -> str:
    """Which way a battery's power goes."""
    if p_w is None or abs(p_w) < NEAR_W or der["rating"]["p_min_w"] >= 0.0:
        return ""
    return "charging" if p_w < 0.0 else "discharging"


def _told(der: dict[str, Any], *, control: bool) -> str:
    if der["setpoint"] is None:
        return "Nothing is decided yet."
    told = _setpoint(der["setpoint"])
    if not told:
        return "It is told nothing."
    return f"It is told: {told}." if control else f"It would be told: {told}; nothing is written in observe mode."


def _told_something(der: dict[str, Any]) -> bool:
    return bool(_setpoint(der["setpoint"] or {}))


def _setpoint(values: dict[str, Any]) -> str:
    return ", ".join(PARTS[key](values[key]) for key in PARTS if values.get(key) is not None)


def _bound(name: str, der: dict[str, Any], state: dict[str, Any], face: Clockface) -> str:
    bounds = (der["setpoint"] or {}).get("bound_by", [])
    if not bounds:
        return "Nobody bounds it below its rating." if _told_something(der) else ""
    parts = []
    for bound in bounds:
        request = request_of(bound["by"], name, state)
        whose = who(bound["by"]) if request is None else owner(request)
        text = f"{whose} {PARTS[bound['what']](bound['value'])}"
        if request is not None:
            text += f" (asked for {asked_for(request)} until {until(request, state, face)})"
        if bound["why"] is not None:
            text += f" ({reason(bound['why'])})"
        parts.append(text)
    return f"Bound in this order: {', then '.join(parts)}."


def _requested(name: str, der: dict[str, Any], state: dict[str, Any], face: Clockface) -> str:
    outcome = der["outcome"]
    if (asked := outcome.get("requested")) is None:
        return ""
    since = _since(outcome.get("requested_t"), face)
    request = request_of(asked["by"], name, state)
    return f"Requested by {who(asked['by']) if request is None else owner(request)}: {_setpoint(asked)}{since}."


def _accepted(der: dict[str, Any], face: Clockface) -> str:
    text = accepted(der)
    return "" if text is None else f"It reads back {text}{_since(der['outcome'].get('accepted_t'), face)}."


def _since(stamp: str | None, face: Clockface) -> str:
    return "" if stamp is None else f" since {face.at(stamp, seconds=True)}"


def _achieved(der: dict[str, Any], state: dict[str, Any], face: Clockface) -> str:
    outcome = der["outcome"]
    if not _told_something(der) or (state["mode"] != "control" and outcome["reason"] == "gate_closed"):
        return ""
    told = ACHIEVED[outcome["achieved"]]
    code = outcome["reason"]
    return f"{told}." if code is None else f"{told}: {reason(code)} ({code})."


def _abstained(der: dict[str, Any]) -> str:
    """Functions without a say, those with the same reason together; that nobody asked for anything goes without."""
    groups: dict[str, list[str]] = {}
    for kind, text in der["abstained"].items():
        if text != Idle.NO_REQUEST:
            groups.setdefault(abstention(text), []).append(kind)
    parts = [f"{', '.join(kinds)} ({text})" for text, kinds in groups.items()]
    return f"Without a say now: {'; '.join(parts)}." if parts else ""
