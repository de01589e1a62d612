"""The daemon at one moment, as `status` shows it: only nouns, so that it can be tested without a daemon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, field
from datetime import datetime
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.requests import Request
from derctl.core.sensitivity import UNKNOWN, Sensitivity
from derctl.core.types import Decision, DerState, Outcome, PocState
from derctl.core.words import Belief, Bind, Phase, ProfileBy, Reason, Record, Shown, Status
from derctl.daemon.actuate.rest import AWAKE, Rest
from derctl.daemon.actuate.standing import Standing
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.arming import Arming
from derctl.daemon.channel.channel import Channel
from derctl.daemon.known import Once
from derctl.daemon.loop import Loop
from derctl.devices import Identity
from derctl.links.bus import Bus
from derctl.links.mqtt import MqttLink
from derctl.store.outbox import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """A device as its channel knows it. identity None: it was never found. habits: the profile that it is taken by
    and who says so, None before it was found."""

    state: Bind
    reason: Reason | None
    text: str
    identity: Identity | None = None
    problems: tuple[str, ...] = ()
    habits: tuple[str, ProfileBy] | None = None

    def shown(
        self, *, fresh: bool, status: Status = Status.ON, written: bool = True, phase: Phase = Phase.AWAKE
    ) -> Shown:
        """In one word. written: derctl may write it. phase: by the limit that it was told."""
        if self.state is not Bind.OK:
            return Shown(self.state)
        if not fresh:
            return Shown.STALE
        if status in {Status.ASLEEP, Status.FAULT}:
            return Shown(status)
        if phase is not Phase.AWAKE:
            return Shown.STANDBY
        return Shown.OK if written else Shown.OBSERVED


@dataclass(frozen=True, slots=True, kw_only=True)
class DerView:
    """One DER. control: the site file lets derctl write it. decision None: before the first tick. found: somebody's
    limit that stood in it (limit_w), and whether it was lifted. sensitivity: what moves its voltage.
    wear: how often its registers were written. reverify: its firmware and the one relied on, None: the same.
    rest: whether it stands by because of its limit."""

    kind: str
    control: bool
    der: DerState
    device: DeviceView
    decision: Decision | None
    outcome: Outcome
    writes: int
    found: Mapping[str, Any] | None = None
    standing: Standing = field(default_factory=Standing)
    sensitivity: Sensitivity = UNKNOWN
    wear: Mapping[str, Any] = field(default_factory=dict)
    reverify: Mapping[str, str] | None = None
    rest: Rest = AWAKE


@dataclass(frozen=True, slots=True, kw_only=True)
class PocView:
    """The meter at the point of connection. belief None: nothing closes a loop on it. unwatched: what nobody watches
    with it now, a sentence each."""

    poc: PocState
    device: DeviceView
    belief: Belief | None
    unwatched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopView:
    """How the tick keeps its time, s."""

    tick_s: float
    ticks: int
    missed: int
    overran: int
    last_s: float
    worst_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskView:
    """What the card took since the start, and why the state is not on it; None: it is."""

    writes: int = 0
    bytes: int = 0
    unsaved: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttView:
    """The broker session."""

    connected: bool
    protocol: str
    text: str
    sessions: int
    published: int
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """now and now_s are the same moment on the wall and the monotonic clock. synced: the wall clock is believed.

    requests: each with whether it binds. loads: by bus, what it is loaded with. records: what is kept for others.
    contacts: what the inputs say, by name. security: by incident, how many and the last.
    """

    version: str
    site: str
    pid: int
    now: datetime
    now_s: float
    synced: bool
    uptime_s: float
    arming: Arming
    loop: LoopView
    poc: PocView | None
    ders: Sequence[DerView]
    buses: Mapping[str, Bus]
    mqtt: MqttView | None
    requests: Sequence[tuple[Request, bool]]
    events: Sequence[Mapping[str, Any]]
    disk: DiskView = field(default_factory=DiskView)
    containment: Mapping[str, Any] | None = None
    loops: Sequence[Mapping[str, Any]] = ()
    loads: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    records: Mapping[str, Any] = field(default_factory=dict)
    contacts: Mapping[str, Any] = field(default_factory=dict)
    security: Mapping[str, Any] = field(default_factory=dict)


def device_view(channel: Channel) -> DeviceView:
    """What a channel knows now."""
    device = channel.device
    return DeviceView(
        state=channel.state,
        reason=channel.bond.binding.reason,
        text=channel.bond.binding.text,
        identity=channel.bond.binding.known,
        problems=() if device is None else tuple(device.problems),
        habits=None if device is None else (device.habits.profile.name, device.habits.by),
    )


def der_view(
    kind: str,
    der: DerState,
    channel: Channel,
    writer: Writer,
    decision: Decision | None,
    record: Record,
    found: Mapping[str, Any] | None = None,
    sensitivity: Sensitivity = UNKNOWN,
    due: Once | None = None,
) -> DerView:
    """One DER now. record: what derctl has written down of it. due: whose new firmware is to be acknowledged."""
    return DerView(
        kind=kind,
        control=writer.control,
        der=der,
        device=device_view(channel),
        decision=decision,
        outcome=writer.account.outcome,
        writes=writer.writes,
        found=found,
        standing=writer.standing(record),
        sensitivity=sensitivity,
        reverify=None if due is None else {"relied_on": due.identity.firmware, "now": due.newer},
        wear=writer.account.ration.ledger.view(der.id, channel.measured.profile),
        rest=writer.account.rest,
    )


def poc_view(
    poc: PocState | None, channel: Channel | None, belief: Belief | None, unwatched: tuple[str, ...] = ()
) -> PocView | None:
    """The meter now; None for a site without one."""
    if poc is None or channel is None:
        return None
    return PocView(poc=poc, device=device_view(channel), belief=belief, unwatched=unwatched)


def loop_view(loop: Loop) -> LoopView:
    """The loop's time-keeping now."""
    return LoopView(tick_s=loop.tick_s, ticks=loop.ticks, **asdict(loop.beat))


def mqtt_view(link: MqttLink, outbox: Outbox) -> MqttView:
    """The broker session now."""
    return MqttView(
        connected=link.connected,
        protocol=link.protocol,
        text=link.text,
        sessions=link.tidings.sessions,
        published=outbox.published,
        dropped=outbox.dropped,
    )
