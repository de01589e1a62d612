"""The security log: what an attacker, or a mistake in rights, leaves behind. In one shape, counted, bounded.

It hears of what is told and refused elsewhere, and keeps nothing: the audit log has each of these by itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from derctl.core.dataclass import dataclass
from derctl.core.text import clean
from derctl.core.words import Incident, Refusal
from derctl.daemon.arming import Arming
from derctl.daemon.clock import Clock
from derctl.daemon.counted import Counted
from derctl.daemon.often import Often
from derctl.store.outbox import Message

TOPIC = "security"
SELF = "derctl"
"""Who did what nobody asked for."""
TEXT_MAX = 500
"""Characters of a text, and of a name."""


class Severity(StrEnum):
    """As the journal has it: info is the course of things, warning is to be looked at, error is to be acted on."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Told(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One security event. n: how many of this incident there were since derctl started, with those not told; skipped:
    how many of this incident and sender were not told since the last that was. event, code: what it comes from."""

    version: Literal[1]
    t: str
    synced: bool
    site: str
    incident: Incident
    severity: Severity
    n: Annotated[int, msgspec.Meta(ge=1)]
    skipped: Annotated[int, msgspec.Meta(ge=0)]
    who: str
    event: str | None
    code: str | None
    der: str | None
    text: str


INCIDENTS: dict[Incident, tuple[Severity, str]] = {
    Incident.REFUSED_COMMAND: (
        Severity.INFO,
        "A command, or a call of the socket, was refused. `warning` where its sender may not do that, or somebody "
        "may have sent it for him (GRAVE)",
    ),
    Incident.FAILED_SIGNATURE: (Severity.WARNING, "A command of who signs had no good signature"),
    Incident.UNKNOWN_SENDER: (Severity.WARNING, "Somebody commands who is not under `mqtt.principals`"),
    Incident.FAILED_TLS: (
        Severity.WARNING,
        "A broker or a device is not who its certificate has to be, or does not take derctl's",
    ),
    Incident.NAME_TAKEN: (Severity.ERROR, "Another client comes to the broker under this site's name"),
    Incident.CONFIGURATION: (
        Severity.INFO,
        "Another site file counts, or another key signs the records. `warning`: a site file was refused, or "
        "no key before vouches for that one",
    ),
    Incident.CLOCK_SET: (
        Severity.WARNING,
        "The clock jumped by a second or more. `info` where it was not set before",
    ),
    Incident.ARMING: (Severity.INFO, "A word on control was taken, or control begins"),
    Incident.AUDIT_BROKEN: (Severity.ERROR, "The audit log is not as it was written: looked for at start and daily"),
    Incident.FILE_BROKEN: (Severity.ERROR, "A file of `state_dir` is not as it was saved"),
    Incident.DEVICE_CHANGED: (
        Severity.INFO,
        "A device has other firmware. `warning`: another device answers in its place",
    ),
}
"""Each with how grave it is where nothing else is said, and what it means."""

EVENTS: dict[str, tuple[Incident, Severity | None]] = {
    "unknown_principal": (Incident.UNKNOWN_SENDER, None),
    "broker_taken_over": (Incident.NAME_TAKEN, None),
    "tls_failed": (Incident.FAILED_TLS, None),
    "site_file_reloaded": (Incident.CONFIGURATION, None),
    "site_file_changed": (Incident.CONFIGURATION, None),
    "site_file_refused": (Incident.CONFIGURATION, Severity.WARNING),
    "signing_key_changed": (Incident.CONFIGURATION, None),
    "signing_key_unvouched": (Incident.CONFIGURATION, Severity.WARNING),
    "clock_stepped": (Incident.CLOCK_SET, None),
    "clock_found": (Incident.CLOCK_SET, Severity.INFO),
    "mode_control": (Incident.ARMING, None),
    "audit_broken": (Incident.AUDIT_BROKEN, None),
    "records_set_aside": (Incident.FILE_BROKEN, Severity.WARNING),
    "state_unreadable": (Incident.FILE_BROKEN, None),
    "journal_unreadable": (Incident.FILE_BROKEN, None),
    "firmware_changed": (Incident.DEVICE_CHANGED, None),
    "device_replaced": (Incident.DEVICE_CHANGED, Severity.WARNING),
}
"""What of the events is one."""

GRAVE = frozenset(
    {
        Refusal.NOT_PERMITTED,
        Refusal.MAY_NOT_ARM,
        Refusal.MAY_NOT_OPT_OUT,
        Refusal.OUT_OF_ENVELOPE,
        Refusal.REPLAYED,
        Refusal.RETAINED,
        Refusal.EXPIRED,
        Refusal.NOT_YET_VALID,
        Refusal.RATE_LIMITED,
        Refusal.TOO_LARGE,
    }
)
"""Refusals that are about rights, or that a recorded or flooding sender gets."""


LOOK_S = 5.0
"""How often it is looked for TLS that was not agreed (docs/sources.md)."""


@dataclass(slots=True)
class Distrust:
    """Says of each wire once why TLS is not agreed, and again where that is another reason. tell: event, text."""

    tell: Callable[[str, str], None]
    monotonic: Callable[[], float] = time.monotonic
    said: dict[str, str] = field(default_factory=dict)
    _due_s: float = 0.0

    def look(self, now: Callable[[], Mapping[str, str]]) -> None:
        """Once a tick. now: by wire, why it was not agreed at the last try; "": it was."""
        if self.monotonic() < self._due_s:
            return
        self._due_s = self.monotonic() + LOOK_S
        for wire, why in now().items():
            if why and self.said.get(wire) != why:
                self.tell("tls_failed", why)
            self.said[wire] = why


@dataclass(slots=True)
class Security:
    """put: takes the message. Who floods it is counted: 30 of an incident and sender at once, then one a minute."""

    site: str
    clock: Clock
    log: Any
    put: Callable[[Message], None]
    often: Often
    counts: Counted = field(init=False)

    def __post_init__(self) -> None:
        self.counts = Counted(self.often.clock)

    def event(self, event: Mapping[str, Any]) -> None:
        """What News tells."""
        found = EVENTS.get(str(event["event"]))
        if found is not None:
            incident, severity = found
            self.came(
                incident, SELF, str(event["text"]), severity=severity, event=str(event["event"]), der=event["der"]
            )

    def refused(self, who: str, code: str | None, text: str) -> None:
        """A command. code: of Refusal. The first word of two is no incident."""
        if code == Refusal.UNCONFIRMED:
            return
        incident = Incident.FAILED_SIGNATURE if code == Refusal.BAD_SIGNATURE else Incident.REFUSED_COMMAND
        grave = incident is Incident.REFUSED_COMMAND and code in GRAVE
        self.came(incident, who, text, severity=Severity.WARNING if grave else None, code=code)

    def arming(self, before: Arming, now: Arming) -> None:
        """Of the gate: a word on control."""
        if (before.asked, before.by, before.since) != (now.asked, now.by, now.since):
            self.came(Incident.ARMING, now.by or "site file", "arm" if now.asked else "disarm")

    def came(
        self,
        incident: Incident,
        who: str,
        text: str,
        *,
        severity: Severity | None = None,
        event: str | None = None,
        code: str | None = None,
        der: str | None = None,
    ) -> None:
        """severity None: the incident's own."""
        severity = severity or INCIDENTS[incident][0]
        who_text, said, t = clean(who)[:TEXT_MAX], clean(text)[:TEXT_MAX], self.clock.stamp()
        n = self.counts.came(
            incident, grave=severity is not Severity.INFO, t=t, severity=severity, who=who_text, text=said
        )
        skipped = self.often.came(f"{incident} {who}")
        if skipped is None:
            return
        told = Told(
            version=1,
            t=t,
            synced=self.clock.synced,
            site=self.site,
            incident=incident,
            severity=severity,
            n=n,
            skipped=skipped,
            who=who_text,
            event=event,
            code=None if code is None else str(code),
            der=der,
            text=said,
        )
        level = logging.getLevelNamesMapping()[told.severity.upper()]
        more = {"skipped": skipped} if skipped else {}
        self.log.log(level, TOPIC, text=told.text, incident=str(incident), who=told.who, n=told.n, **more)
        self.put(Message(topic=TOPIC, payload=msgspec.json.encode(told), qos=1))
