"""What the audit log hears of by itself: who binds a DER, words on control, and events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.types import Decision
from derctl.daemon.arming import Arming

CONFIGURATIONS = frozenset({"site_file_reloaded", "site_file_refused"})
SELF = "derctl"
"""Who did what nobody asked for."""


@dataclass(slots=True)
class Heard:
    """note: of the log (daemon/auditing)."""

    note: Callable[..., None]
    _bounds: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def event(self, event: Mapping[str, Any]) -> None:
        """What News tells."""
        name, der = str(event["event"]), event["der"]
        what = "configuration" if name in CONFIGURATIONS else "event"
        self.note(what, SELF, str(event["text"]), often=f"{name} {der}", event=name, der=der)

    def decisions(self, decisions: tuple[Decision, ...]) -> None:
        """Of a tick: noted where another one binds a DER than before, not each value."""
        for each in decisions:
            bound = tuple([(one.by, one.what, one.why) for one in each.bound_by])
            if self._bounds.get(each.der, ()) != bound:
                self._bounds[each.der] = bound
                by = [{"by": one.by, "what": one.what, "value": one.value, "why": one.why} for one in each.bound_by]
                text = ", ".join(one.by for one in each.bound_by) or "nobody"
                self.note("decision", SELF, text, often=f"decision {each.der}", der=each.der, bound_by=by)

    def became(self, who: str, command: str, command_id: str | None, result: str, why: str) -> None:
        """What became of a command that was admitted."""
        self.note("became", who, f"{command}: {result}, {why}", command=command, id=command_id, result=result)

    def turned_away(self, who: str, command: str, command_id: str | None, verdict: str, why: str) -> None:
        """Of one that came too often, or was too large to be read."""
        code = why.partition(":")[0]
        text = f"{who}: {command}: {verdict} ({why})"
        self.note("refusal", who, text, often=f"{code} {who}", command=command, code=code, arguments={})

    def arming(self, before: Arming, now: Arming) -> None:
        """Of the gate: a word on control, or that it begins or ends."""
        if (before.asked, before.by, before.since) != (now.asked, now.by, now.since):
            self.note("arming", now.by or "site file", "arm" if now.asked else "disarm", state=now.state)
        elif before.state is not now.state or before.reason != now.reason:
            text = now.reason or "control"
            self.note("mode", SELF, text, often=f"mode {now.state}", state=now.state, mode=now.mode)
