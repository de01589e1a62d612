"""The broker's side of the daemon: the session that the site file wants, what goes out on it, and what comes in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.types import Tick
from derctl.core.words import Mode, Refusal
from derctl.daemon.actuate.standing import Standing
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.build import broker_of
from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.intake import Intake, rates_of
from derctl.daemon.commands.rights import rights_of
from derctl.daemon.commands.signed import Signed, keys_of
from derctl.daemon.commands.strangers import Strangers
from derctl.daemon.report.discovery import Discovery
from derctl.daemon.report.telemetry import Telemetry
from derctl.daemon.report.view import MqttView, mqtt_view
from derctl.daemon.tasks import Tasks
from derctl.errors import CommandError
from derctl.links.mqtt import MqttLink
from derctl.site import Site
from derctl.store.outbox import Message, Outbox

SESSION = "mqtt"
ANNOUNCE_S = 5.0
"""How often it is looked whether what was found makes an announcement another one (docs/sources.md)."""


@dataclass(slots=True)
class Uplink:
    """site: the file that counts; where it has no broker nothing goes out. hello: the retained word of a new session.

    desk: takes the commands. tell: what News takes. stands: what stands in a DER. again: tells the others' retained
    words anew.
    """

    site: Site
    outbox: Outbox
    desk: Desk
    hello: Callable[[], bytes]
    tell: Callable[[str, str, str], None]
    stands: Callable[[str], Standing]
    link: MqttLink | None = None
    telemetry: Telemetry | None = None
    again: Callable[[], None] = lambda: None
    discovery: Discovery = field(default_factory=Discovery)
    _announced_s: float = -ANNOUNCE_S

    def __post_init__(self) -> None:
        self.takes(self.site)
        self._wire()

    def _wire(self) -> None:
        """Not connected yet."""
        section, clock, put = self.site.file.mqtt, self.desk.clock, self.outbox.put
        self.link = self.telemetry = None
        if section is not None:
            broker = broker_of(self.site, section)
            self.desk.rights = rights_of(section.principals)
            self.desk.opened = Signed(base=broker.base, clock=clock, keys=keys_of(section.principals)).opened
            intake = Intake(
                [each.name for each in section.principals],
                Strangers(lambda text: self.tell("unknown_principal", "", text)),
                put,
                clock.stamp,
                self.desk.log,
                rates=rates_of(section.principals),
                heard=self.desk.turned_away,
            )
            self.link = MqttLink(
                broker,
                self.outbox,
                self.desk.on_mqtt(put),
                self.hello,
                lambda: section.tls is None or clock.synced,
                self._session,
                lambda event, text: self.tell(event, "", text),
                admits=intake.admits,
                queued_max=intake.queued_max,
            )
            self.telemetry = Telemetry(clock, section.measurement_every_s, section.measurement_min_s)

    def _session(self, up: bool, text: str) -> None:
        """It began, or ended. The broker of another one may know nothing of the site; what waited for it is old."""
        self.tell("broker_connected" if up else "broker_lost", "", text)
        if up:
            tell_anew(self)

    def start(self, tasks: Tasks) -> None:
        """The session, if there is to be one."""
        if self.link is not None:
            tasks.guard(SESSION, self.link.run)

    def takes(self, site: Site) -> bool:
        """Another site file; whether it wants another session: `restart` follows then."""
        before, self.site = self.site, site
        self.outbox.shut = site.file.mqtt is None
        return _wants(before) != _wants(site)

    async def restart(self, tasks: Tasks) -> None:
        """Another session, or none."""
        await tasks.drop(SESSION)
        self._wire()
        self.start(tasks)

    def report(
        self, tick: Tick, writers: Mapping[str, Writer], mode: Mode, loads: Callable[[], Mapping[str, Any]] = dict
    ) -> None:
        """What the tick has to say, and what stands in each device. loads: of the buses."""
        if self.telemetry is not None:
            outcomes = {name: writer.account.outcome for name, writer in writers.items()}
            for message in self.telemetry.messages(tick.state, tick.decisions, outcomes):
                self.outbox.put(message)
            for message in (*self.telemetry.buses(loads, tick.state.t_s), *self.telemetry.requests(tick.state)):
                self.outbox.put(message)
            self._put_standing(writers, mode)
            if tick.state.t_s - self._announced_s >= ANNOUNCE_S:
                self._announced_s = tick.state.t_s
                for message in self.discovery.messages(self.site, tick.state.ders, self.desk.reach.known.of):
                    self.outbox.put(message)

    def last(self, writers: Mapping[str, Writer]) -> None:
        """derctl ends, and controls no more: what it leaves standing."""
        self._put_standing(writers, Mode.OBSERVE, last=True)

    def _put_standing(self, writers: Mapping[str, Writer], mode: Mode, *, last: bool = False) -> None:
        if self.telemetry is not None:
            for message in self.telemetry.standing(writers, self.stands, mode, time.monotonic(), last=last):
                self.outbox.put(message)

    async def emptied(self, seconds: float) -> None:
        """Wait for a broker that is there to take what is left, so long at most."""
        if self.link is not None and self.link.connected:
            await self.outbox.emptied(seconds)

    def view(self) -> MqttView | None:
        """The session now, None without a broker."""
        return None if self.link is None else mqtt_view(self.link, self.outbox)


def tell_anew(uplink: Uplink) -> None:
    """All that is retained goes out with the next tick. `online` in the place of one that waited: a session begins
    with that word, and an older one behind it would stay."""
    uplink.outbox.put(Message(topic="online", payload=uplink.hello(), qos=1, retain=True))
    if uplink.telemetry is not None:
        uplink.telemetry.anew()
    uplink.discovery.anew()
    uplink._announced_s = -ANNOUNCE_S
    uplink.again()


def publish_all(uplink: Uplink) -> None:
    """Somebody asks for that. Raises CommandError: there is no broker."""
    if uplink.telemetry is None:
        raise CommandError(Refusal.NOT_READY, "the site file has no broker (mqtt)")
    tell_anew(uplink)


def _wants(site: Site) -> tuple[object, ...]:
    """What a session depends on."""
    return site.file.mqtt, site.secret, site.file.site.id, site.file.site.fleet
