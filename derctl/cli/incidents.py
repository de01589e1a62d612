"""Security events for people, in `status` and `doctor`: how many there were since the start, and the last of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

from derctl.cli.health import DAY_S, Row
from derctl.cli.plain import Clockface, wrapped
from derctl.commission.finding import Weight
from derctl.core.words import Incident

Json = Mapping[str, Any]
TEXT_MAX = 160
"""Characters of the last one on a page; the audit log has all of it."""
CALLED: Mapping[str, tuple[str, str]] = {
    Incident.REFUSED_COMMAND: ("command refused", "commands refused"),
    Incident.FAILED_SIGNATURE: ("bad signature", "bad signatures"),
    Incident.UNKNOWN_SENDER: ("word of a stranger", "words of strangers"),
    Incident.FAILED_TLS: ("TLS failure", "TLS failures"),
    Incident.NAME_TAKEN: ("session taken by another", "sessions taken by another"),
    Incident.CONFIGURATION: ("change of the site file or key", "changes of the site file or key"),
    Incident.CLOCK_SET: ("jump of the clock", "jumps of the clock"),
    Incident.ARMING: ("word on control", "words on control"),
    Incident.AUDIT_BROKEN: ("break of the audit log", "breaks of the audit log"),
    Incident.FILE_BROKEN: ("file that was changed", "files that were changed"),
    Incident.DEVICE_CHANGED: ("changed device", "changed devices"),
}
"""One of them, and several."""
REMEDIES: Mapping[str, str] = {
    Incident.REFUSED_COMMAND: "If it goes on: ask its sender, and look what the site file lets him (mqtt.principals)",
    Incident.FAILED_SIGNATURE: "Look at its key and clock; else another one sent it: close the broker's list",
    Incident.UNKNOWN_SENDER: "List it under mqtt.principals if it may command; else look who is on the broker",
    Incident.FAILED_TLS: "As it says: derctl doctor shows which certificate ends when",
    Incident.NAME_TAKEN: "Look who else has this site's id, and its certificate or password: docs/hardening.md",
    Incident.CONFIGURATION: "Was it you? derctl audit show has when, and what",
    Incident.CLOCK_SET: "Who set it? Look at the time servers",
    Incident.AUDIT_BROKEN: "Keep the files audit-*.log as they are: derctl audit verify",
    Incident.FILE_BROKEN: "Who could write in state_dir, or does the card fail? Keep what was set aside",
    Incident.DEVICE_CHANGED: "Was it you? derctl replace accepts another device in its place",
}


def lines(state: Json, face: Clockface) -> list[str]:
    """Of a page: one, where there was something to look at."""
    found = {name: kind for name, kind in (state.get("security") or {}).items() if kind["grave"]}
    if not found:
        return []
    last = min(found.values(), key=lambda kind: float(kind["age_s"]))
    counts = ", ".join(_count(name, kind["grave"]) for name, kind in found.items())
    return wrapped(f"{counts} since the start; the last one {_last(last, face)}", "security: ", "  ")


def rows(state: Json, *, zone: tzinfo | None = None) -> Iterator[Row]:
    """Of a doctor's page: a row for each that is to be looked at, and one for the rest. zone: of its times."""
    kinds = state.get("security")
    if kinds is None:
        return
    face = Clockface(state["t"], zone)
    grave = {name: kind for name, kind in kinds.items() if kind["grave"]}
    for name, kind in grave.items():
        weight = _weight(name, kind)
        text = f"{_count(name, kind['grave'])} since the start; the last one {_last(kind, face)}"
        yield Row(topic="security", text=text, weight=weight, remedy=REMEDIES.get(name, "") if weight else "")
    rest = ", ".join(_count(name, kind["n"]) for name, kind in kinds.items() if name not in grave)
    if not grave:
        yield Row(topic="security", text=f"nothing to look at since the start{rest and f': {rest}'}")
    elif rest:
        yield Row(topic="security", text=rest)


def _weight(name: str, kind: Json) -> Weight | None:
    """Of the last day; what was refused reached nothing, so it is noted only."""
    if kind["age_s"] > DAY_S:
        return None
    return Weight.NOTE if name == Incident.REFUSED_COMMAND else Weight.LOOK


def _count(name: str, n: int) -> str:
    return f"{n:,} {CALLED.get(name, (name, name))[n != 1]}"


def _last(kind: Json, face: Clockface) -> str:
    """When, who and what."""
    text = str(kind["text"])
    cut = text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}..."
    whose = "" if text.startswith(f"{kind['who']}: ") or kind["who"] == "derctl" else f"{kind['who']}: "
    return f"{face.at(kind['t'], seconds=True)}: {whose}{cut}"
