"""What holds a DER where it is, in words: who limits it, until when, or that nobody does."""

from __future__ import annotations

from typing import Any

from derctl.cli.plain import STATES, Clockface, amount, number, reason, watts, who
from derctl.core.requests import COMMON, LOCAL, REQUESTS
from derctl.core.text import wish
from derctl.core.types import FOREVER_S
from derctl.core.words import Reason, Seen
from derctl.functions import ROWS, Scope

NEAR_W = 0.5
FURTHER = "further notice"
LITTLE = 0.005
"""Var below this share of the rating come and go with the voltage's last digit."""
SILENT = frozenset({"starting", "unreachable", "refused", "frozen", "unmeasured", "stale"})
"""States in which nothing of what is known is of now."""
WHOSE = {"written": "not given back yet", "left": "left by derctl", "missing": "whoever wrote it: no record is there"}
"""core.words.Record for people, of something that stands."""
KINDS = {request: kind for kind, request in REQUESTS.items()}
REQUEST_OF = {
    row.kind: (tuple(KINDS[each] for each in row.passes_on), row.scope is Scope.DER)
    for row in ROWS.values()
    if row.passes_on
}
"""A function that passes on requests: their kinds, and whether they are for one DER."""
OPERATORS = frozenset({"limit_power", "set_battery_power"})
"""Kinds of request that are an operator's."""
SHARED = COMMON | {"until", "binds"}
"""What a request of every kind has in `status`."""


def holding(name: str, der: dict[str, Any], state: dict[str, Any], face: Clockface) -> str:
    """One DER's sentence for `status`."""
    if der["state"] in SILENT:
        return _silent(der)
    written = state["mode"] == "control" and der["state"] != "observed"
    soc = der["measurement"].get("soc_pct")
    parts = [
        STATES[der["state"]] if der["state"] in {"asleep", "standby", "fault", "observed"} else None,
        _held(name, der, state, face) if written else _wish(name, der, state, face),
        _var(der) if der["state"] != "observed" else None,
        _reads_back(der) if not written else None,
        None if soc is None else f"{number(soc)} %",
        _battery(der["measurement"]),
    ]
    return "; ".join(part for part in parts if part is not None)


def _battery(seen: dict[str, Any]) -> str | None:
    """What its BMS complains of, what else bars it, and that nobody reads its limits."""
    pack = seen.get("pack") or {}
    opened = ("contactor_open",) if pack.get("closed") is False else ()
    names = (*(seen.get("alarms") or pack.get("bars") or ()), *opened)
    alarms = ", ".join(alarm.replace("_", " ") for alarm in names)
    parts = [f"battery: {alarms}" if alarms else "", "limits not read" if seen.get("limits_by") == "nobody" else ""]
    return "; ".join(part for part in parts if part) or None


def _silent(der: dict[str, Any]) -> str:
    said = [STATES[der["state"]]]
    if der["text"] and der["text"] != said[0]:
        said.append(der["text"])
    parts = [": ".join(said), accepted(der)]
    return "; told last: ".join(part for part in parts if part is not None)


def _reads_back(der: dict[str, Any]) -> str | None:
    """Of one that does not tell, or whose power contradicts it: what was written last. And whether it is derctl's."""
    standing = der.get("standing") or {}
    told = parts_of(standing) if standing else ""
    text = accepted(der)
    if text is not None:
        text = f"it reads back {told or text}"
    elif der["outcome"]["reason"] == Reason.CONTRADICTED:
        text = reason(Reason.CONTRADICTED)
    elif told and standing["seen"] == Seen.AS_WRITTEN:
        text = f"{told} was written, and it does not tell"
    whose = WHOSE.get(standing.get("record") or "") if told else None
    return text if text is None or whose is None else f"{text}, {whose}"


def parts_of(standing: dict[str, Any]) -> str:
    """All that stands, in words; empty where nothing does."""
    parts = [
        None if standing["p_ceiling_w"] is None else f"a limit of {watts(standing['p_ceiling_w'])}",
        None if standing["p_target_w"] is None else f"a setpoint of {watts(standing['p_target_w'])}",
        None if standing["q_var"] is None else f"{number(standing['q_var'])} var",
    ]
    return " and ".join(part for part in parts if part is not None)


def accepted(der: dict[str, Any]) -> str | None:
    """What the device itself says that it holds to; None where it says nothing of the kind."""
    found = der["outcome"].get("accepted") or {}
    if found.get("p_target_w") is not None:
        return f"a setpoint of {watts(found['p_target_w'])}"
    if found.get("p_ceiling_w") is None:
        return None
    full = found["p_ceiling_w"] >= der["rating"]["p_max_w"] - NEAR_W
    return "no limit" if full else f"a limit of {watts(found['p_ceiling_w'])}"


def _held(name: str, der: dict[str, Any], state: dict[str, Any], face: Clockface) -> str:
    told, outcome = der["setpoint"], der["outcome"]
    if told is None:
        return "nothing is decided yet"
    verdict = outcome["achieved"]
    text = _sentence(name, der, state, face)
    if verdict == "no":
        return f"{text}, but {reason(outcome['reason'] or 'it does not obey')}"
    if verdict == "pending":
        return f"{text}, under way"
    if verdict == "unknown" and outcome["reason"] is not None:
        return f"{text}; whether it obeys is not known: {reason(outcome['reason'])}"
    return text


def _wish(name: str, der: dict[str, Any], state: dict[str, Any], face: Clockface) -> str | None:
    """What control would do."""
    if der["state"] == "observed":
        return None
    if der["setpoint"] is None:
        return "nothing is decided yet"
    sentence = _sentence(name, der, state, face)
    return f"would not be {sentence[4:]}" if sentence.startswith("not ") else f"would be {sentence}"


def _sentence(name: str, der: dict[str, Any], state: dict[str, Any], face: Clockface) -> str:
    told = der["setpoint"]
    if told["p_target_w"] is not None:
        return f"{_aimed(told['p_target_w'], der)}: {_by(name, told, 'p_target_w', state, face)}"
    ceiling, most = told["p_ceiling_w"], der["rating"]["p_max_w"]
    if ceiling is None:
        return "not limited: it takes no limit"
    if ceiling >= most - NEAR_W > 0.0:
        return f"not limited (rated {watts(most)})"
    by = _by(name, told, "p_ceiling_w", state, face)
    if der["outcome"]["achieved"] == "not_binding":
        return f"below its limit of {watts(ceiling)} by {by}"
    return f"limited to {watts(ceiling)} by {by}"


def _aimed(target_w: float, der: dict[str, Any]) -> str:
    word = "charging" if target_w < -NEAR_W else "discharging" if target_w > NEAR_W else "resting"
    p_w = der["measurement"].get("p_w")
    far = p_w is None or abs(p_w - target_w) > max(50.0, 0.02 * abs(target_w))
    return f"{word} at {watts(abs(target_w))}" if far and word != "resting" else word


def _by(name: str, told: dict[str, Any], what: str, state: dict[str, Any], face: Clockface) -> str:
    bound = binding(told, what)
    if bound is None:
        return "nobody aims at it" if what == "p_target_w" else who("rating")
    text = who(bound["by"])
    if (request := request_of(bound["by"], name, state)) is not None:
        text = f"{owner(request)} until {until(request, state, face)}"
    return text if bound["why"] is None else f"{text}, because {reason(bound['why'])}"


def binding(told: dict[str, Any], what: str) -> dict[str, Any] | None:
    """The narrowing that decided: the last one that left this value."""
    value = told[what]
    names = {what} if what == "p_ceiling_w" else {what, "p_ceiling_w", "p_floor_w"}
    found = [b for b in told["bound_by"] if b["what"] in names and abs(b["value"] - value) <= 1.0]
    return found[-1] if found else next((b for b in reversed(told["bound_by"]) if b["what"] in names), None)


def request_of(by: str, name: str, state: dict[str, Any]) -> dict[str, Any] | None:
    """The request behind a function's bound."""
    if by not in REQUEST_OF:
        return None
    kinds, own = REQUEST_OF[by]
    der = name if own else None
    found = [r for r in state["requests"] if r["kind"] in kinds and r["der"] == der]
    return next((r for r in found if r.get("binds", True)), None)


def owner(request: dict[str, Any]) -> str:
    """`operator anna`; without a name where the request came over the socket from somebody unknown. Of a kind that is
    no operator's: what it is, and of whom."""
    kind = request["kind"]
    if kind in REQUESTS and kind not in OPERATORS:
        return f"{REQUESTS[kind].called} of {request['by']}"
    return f"operator {request['by']}" if request.get("by") not in {None, "", LOCAL} else "operator"


def asked_for(request: dict[str, Any]) -> str:
    """What a request of any kind asks for: the values that it has of its own."""
    return wish({name: value for name, value in request.items() if name not in SHARED}, amount)


def until(request: dict[str, Any], state: dict[str, Any], face: Clockface) -> str:
    """When a request ends; what has no end of its own goes until somebody says otherwise."""
    if request["remaining_s"] > FOREVER_S / 2:
        return FURTHER
    stamp = request.get("until")
    return face.at(stamp) if stamp and state["synced"] else face.ahead(request["remaining_s"])


def _var(der: dict[str, Any]) -> str | None:
    told = der["setpoint"] or {}
    if told.get("q_var") is None or abs(told["q_var"]) < max(NEAR_W, LITTLE * der["rating"]["p_max_w"]):
        return None
    bound = next((b for b in reversed(told["bound_by"]) if b["what"] == "q_var"), None)
    return f"{number(told['q_var'])} var" + ("" if bound is None else f": {who(bound['by'])}")


def because(told: dict[str, Any]) -> str:
    """Who bound this setpoint, in one line: the last to narrow each part. An edge that a target keeps away from is
    left out."""
    last: dict[str, str] = {}
    target = told.get("p_target_w")
    for bound in told.get("bound_by", []):
        edge = bound["what"] in {"p_ceiling_w", "p_floor_w"}
        if target is not None and edge and abs(bound["value"] - target) > 1.0:
            continue
        why = "" if bound["why"] is None else f" ({bound['why']})"
        last[bound["what"]] = f"{bound['by']} {number(bound['value'])}{why}"
    return "; ".join(last.values())
