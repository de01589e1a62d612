"""The daemon: what it is made of, and what happens at start, each tick, and the end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from derctl.core.plan import Plan
from derctl.core.types import Tick
from derctl.core.words import Mode
from derctl.daemon.arming import Arm, Arming
from derctl.daemon.build import build
from derctl.daemon.clock import Clock
from derctl.daemon.commands.calls import Calls
from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.functions import drop_misfits
from derctl.daemon.commands.line import Line
from derctl.daemon.commands.notices import Deliveries, Notices
from derctl.daemon.commands.row import Found, Reach
from derctl.daemon.commands.stories import Stories
from derctl.daemon.contacts import Contacts
from derctl.daemon.control import Control, Ears, absent_of
from derctl.daemon.dusk import Dusk
from derctl.daemon.ending import CONTROL_BY_S, KEPT_BY_S, RELEASED_BY_S, SAVED_BY_S, TASKS_BY_S, TOLD_BY_S, Ending
from derctl.daemon.gate import Gate
from derctl.daemon.kept import Kept
from derctl.daemon.known import Known
from derctl.daemon.log import logger
from derctl.daemon.news import News
from derctl.daemon.presence import Presence
from derctl.daemon.reload import Reloading
from derctl.daemon.replacing import Replacing
from derctl.daemon.report.panel import Panel
from derctl.daemon.report.status import status
from derctl.daemon.report.telemetry import Telemetry
from derctl.daemon.requests import Requests
from derctl.daemon.seldom import Transports
from derctl.daemon.shadow.shadow import Shadow
from derctl.daemon.shadow.watch import Watch
from derctl.daemon.survival import Survival
from derctl.daemon.tasks import Tasks
from derctl.daemon.trials import Session, Trials
from derctl.daemon.uplink import Uplink, publish_all
from derctl.daemon.views import Looking, Pages
from derctl.links.bus import Bus
from derctl.links.local import serve
from derctl.links.mqtt import MqttLink
from derctl.links.notify import Notifier
from derctl.site import Site
from derctl.store.outbox import Outbox
from derctl.store.ticks import Recorder

LAST_WORDS_S = 0.5
"""How long the end waits for the broker to take what became of the devices (docs/sources.md)."""


class App:
    """A site under control. `run` returns when the daemon was asked to stop and has released what it wrote."""

    def __init__(
        self,
        site: Site,
        *,
        observe: bool = False,
        read: Callable[[], Site] | None = None,
        sessions: Mapping[str, Session] | None = None,
        pages: Pages | None = None,
    ) -> None:
        """read: the site file as it is now, for a reload. sessions: what is carried out with its DERs, by call.
        pages: what it is to answer in words."""
        self.sessions = sessions or {}
        self.log = logger()
        self.clock = Clock(site.file.site.clock_sync)
        self.tasks = Tasks(self.log)
        self.ending = Ending(self.log)
        self._stop = asyncio.Event()
        self.recorder = Recorder()
        self.requests = Requests()
        self.dirty = asyncio.Event()
        self.outbox = Outbox()
        self.news = News(self.log, self.clock.stamp, [lambda event: self.outbox.put(Telemetry.event(event))])
        self._wire_control(site, Arm.LOOKING if observe else Arm.WATCHING)
        plan = partial(_plan, self.control)
        self.stories = Stories(self.requests, self.clock, self.outbox.put, self.dirty.set, plan=plan)
        folder = self.control.releaser.records.written.folder
        self.shadow = Shadow(folder, Watch(self.clock, self.control), self.news.tell)
        self.news.hearers = [*self.news.hearers, self.shadow.watch.hear]
        self.trials = Trials(self.control, self.tasks, self.clock, self.news.tell)
        desk = self._desk(pages or Pages())
        self.kept = Kept(
            site,
            folder,
            self.clock,
            self.outbox,
            self.news,
            lambda: takes_intervals(self.uplink.link),
        )
        self.kept.listen(desk, self.gate)
        self._wire_links(site, desk)
        self._wire_people(desk, read or (lambda: site))

    def _desk(self, pages: Pages) -> Desk:
        """Who takes what people ask for."""
        reach = reach_of(self.control, self.dirty.set, lambda: self.survival.keep(), self.shadow.summary)  # noqa: PLW0108  made later
        views = looking_of(self, pages).views
        reach = replace(reach, end_trial=self.trials.end, views=views, reread=lambda: self.reloading.now())  # noqa: PLW0108  made later
        return Desk(reach, self.clock, self.log, stories=self.stories)

    def _wire_control(self, site: Site, arm: Arm) -> None:
        """From the image to the registers."""
        tell, stamp, changed = self.news.tell, self.clock.stamp, self.dirty.set
        known = Known()
        self.dusk = Dusk(tell)
        plant = build(site, self.dusk.tell, known)
        absent = absent_of(site, plant, known, changed)
        self.gate = Gate(
            absence=absent.whole,
            on_change=self._mode_changed,
            on_word=lambda event, text: tell(event, "", text),
            on_broken=lambda text: tell("fallback_broken", "", text),
            stamp=stamp,
            arming=Arming(state=arm),
            unsaved=lambda: self.survival.unsaved,
        )
        self.presence = Presence(
            Notifier(),
            self.news,
            self.outbox.put,
            self.clock,
            lambda: self.gate.arming,
            plant.ders,
            site.file.site.tick_s,
        )
        ears = Ears(
            report=self._report,
            vouch=lambda: self.presence.vouch(self.control.loop.ticks),
            tell=tell,
            stamp=stamp,
            changed=changed,
        )
        self.control = Control(site, plant, absent, self.gate, self.requests, ears)

    def _wire_links(self, site: Site, desk: Desk) -> None:
        """The broker, who asked for something, and what survives a restart."""
        control, tell = self.control, self.news.tell
        self.uplink = Uplink(site, self.outbox, desk, self.presence.hello, tell, control.releaser.inventory.stands)
        self.uplink.again = self.kept.feeding.anew
        self.notices = Notices(self.requests, self.outbox.put, tell, self.clock.stamp)
        self.line = Line(desk, self.outbox.put)
        self.deliveries = Deliveries(self.outbox.put, self.clock.stamp, self.stories.between, lambda: self.gate.open)
        self.survival = Survival(
            folder=control.releaser.records.written.folder,
            clock=self.clock,
            requests=self.requests,
            desk=desk,
            gate=self.gate,
            releaser=control.releaser,
            loop=control.loop,
            standings=control.standings,
            proof=control.proof,
            log=self.log,
            dirty=self.dirty,
            known=control.absent.known,
            tell=tell,
        )

    def _wire_people(self, desk: Desk, read: Callable[[], Site]) -> None:
        """Who looks, calls, presses a button, or edits the site file."""
        self.contacts = contacts_of(self)
        self.panel = Panel(
            clock=self.clock,
            control=self.control,
            recorder=self.recorder,
            news=self.news,
            uplink=self.uplink,
            survival=self.survival,
            records=self.kept.view,
            security=self.kept.security.counts.view,
            contacts=self.contacts.view,
        )
        self.gate.picture = self.panel.picture
        self.reloading = Reloading(
            read=read,
            control=self.control,
            uplink=self.uplink,
            presence=self.presence,
            desk=desk,
            tasks=self.tasks,
            news=self.news,
            heard=self.dusk.tell,
            taken=takers(self),
        )
        self.calls = Calls(
            desk=desk,
            recorder=self.recorder,
            view=self.panel.view,
            shadow=self.shadow.report,
            sessions={name: partial(session, self.trials) for name, session in self.sessions.items()},
        )

    def _mode_changed(self) -> None:
        """Control has begun or ended: said, and saved with what it began under."""
        self.presence.mode_changed()
        self.dirty.set()

    def stop(self) -> None:
        """Ask for the end; `run` returns when it is reached, within TASKS_BY_S."""
        self.ending.begin()
        self._stop.set()

    async def run(self) -> None:
        """Raises AlreadyRunning, OSError (state directory), or whatever bug ended the control path."""
        folder = self.survival.folder
        folder.hold()
        try:
            self.kept.begins()
            self.survival.restore(Mode(self.control.site.file.site.mode), self.news.tell)
            self.control.releaser.restore()
            drop_misfits(self.uplink.desk.reach)
            await self._run()
        finally:
            folder.let_go()

    async def _run(self) -> None:
        running = asyncio.get_running_loop()
        running.set_exception_handler(Transports(self.news.tell).problem)
        for number in (signal.SIGTERM, signal.SIGINT):
            running.add_signal_handler(number, self.stop)
        running.add_signal_handler(signal.SIGHUP, self.reloading.hup.set)
        tasks, control = self.tasks, self.control
        control.start(tasks)
        self.contacts.takes(control.site)
        tasks.start("contacts", self.contacts.run())
        tasks.start("control", control.run(self.reloading.took_over))
        tasks.guard("socket", lambda: serve(Path(control.site.file.site.socket), self.calls.answer))
        tasks.guard("reload", self.reloading.run)
        tasks.guard("state", self.survival.run)
        tasks.guard("waiting", self.line.run)
        tasks.guard("shadow", self.shadow.run)
        self.kept.start(tasks)
        self.uplink.start(tasks)
        tasks.start("stop", self._stop.wait())
        try:
            bugs = await tasks.first_end()
            await self._end()
        finally:
            self.ending.step = "tasks"
            self.ending.leave(*await tasks.end_all(self.ending.left_s(TASKS_BY_S)))
        if bugs:
            raise ExceptionGroup("a bug in the control path", bugs)

    def _report(self, tick: Tick) -> None:
        """The tick's end."""
        self.recorder.add(tick)
        self.shadow.look(tick)
        self.kept.report(tick)
        self.kept.distrust.look(partial(distrusted, self.control.plant.buses, self.uplink.link))
        self.notices.look()
        self.deliveries.look(tick)
        self.stories.look(tick, {name: writer.account.outcome for name, writer in self.control.writers.items()})
        self.dusk.look(tick.state.ders)
        self.control.follow(tick)
        self.panel.buses.look(tick, self.control.plant)
        self.uplink.report(tick, self.control.writers, self.gate.arming.mode, self.panel.loads)

    async def _end(self) -> None:
        """Releases first; whatever becomes of them, what has to survive is saved."""
        ending, control = self.ending, self.control
        ending.begin()
        self.presence.ending()
        control.loop.stop()
        self.dirty.set()  # saved beside the releases, and once more with what they did
        try:
            await ending.take("trial", self.trials.end(hurry=True), RELEASED_BY_S)
            await ending.take("control", self._quiet(), CONTROL_BY_S)
            if self.gate.arming.state is not Arm.LOOKING:
                await ending.take("release", control.releaser.release(lift=False), RELEASED_BY_S)
            self.uplink.last(control.writers)
        finally:
            await ending.take("save", _saved(self.survival, self.shadow), SAVED_BY_S)
            await ending.take("records", self.kept.end(), KEPT_BY_S)
        ending.step = "last words"
        await self.uplink.emptied(min(LAST_WORDS_S, ending.left_s(TOLD_BY_S)))
        self.log.info("stopped")

    async def _quiet(self) -> None:
        """Nobody asks or tells the devices anything any more."""
        await self.tasks.end("control")
        await self.control.loop.poller.stop()


def contacts_of(app: App) -> Contacts:
    """The inputs of this machine; none is read yet."""
    return Contacts(
        requests=app.requests,
        state=app.control.state,
        changed=app.dirty.set,
        tell=app.news.tell,
        stamp=app.clock.stamp,
        note=app.kept.audit.note,
    )


def takers(app: App) -> Callable[[Site], None]:
    """Who else takes another site file."""

    def taken(site: Site) -> None:
        app.kept.takes(site)
        app.contacts.takes(site)
        drop_misfits(app.uplink.desk.reach)

    return taken


def looking_of(app: App, pages: Pages) -> Looking:
    """What commands that only look are answered from."""
    return Looking(
        pages=pages,
        state=lambda: status(app.panel.view()),
        site=lambda: app.control.site,
        publish=lambda: publish_all(app.uplink),
        recorder=app.recorder,
        folder=app.control.releaser.records.written.folder,
        clock=app.clock,
    )


def takes_intervals(broker: MqttLink | None) -> bool:
    """Whether there is one now, and it lets them be written."""
    return broker is not None and broker.connected and not broker.publisher.denies("interval")


def distrusted(buses: Mapping[str, Bus], broker: MqttLink | None) -> dict[str, str]:
    """By wire, why TLS was not agreed there at the last try; "": it was, or it came to none."""
    closed = {name: bus.line.closed() for name, bus in buses.items() if not bus.line.connected}
    found = {name: str(closed[name]) if name in closed and closed[name].distrust else "" for name in buses}
    return found if broker is None else found | {"broker": f"broker: {broker.distrust}" if broker.distrust else ""}


def _plan(control: Control) -> Plan:
    return control.site.plan


async def _saved(survival: Survival, shadow: Shadow) -> None:
    """What has to survive first."""
    await survival.end()
    await shadow.end()


def reach_of(
    control: Control,
    changed: Callable[[], None],
    save: Callable[[], Awaitable[None]],
    shadow: Callable[[], Awaitable[str]],
) -> Reach:
    """What a command may touch."""
    return Reach(
        plan=control.site.plan,
        requests=control.requests,
        gate=control.gate,
        releaser=control.releaser,
        look=control.loop.poller.look_again,
        state=control.state,
        changed=changed,
        save=save,
        found=Found(lift=control.standings.lift, keep=control.standings.keep_again),
        known=control.absent.known,
        replace=Replacing(control).take,
        shadow=shadow,
    )
