"""The daemon: what it is made of, and what happens at start, each tick, and the end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from derctl import __version__
from derctl.core.types import SiteState, Tick
from derctl.core.words import Mode, Refusal
from derctl.daemon.absent import Absent
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.actuate.releaser import Releaser
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.arming import Arm, Arming
from derctl.daemon.build import broker_of, build, writer_of
from derctl.daemon.clock import Clock
from derctl.daemon.commands.calls import Calls
from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.intake import Intake
from derctl.daemon.commands.notices import Notices
from derctl.daemon.commands.row import Reach
from derctl.daemon.commands.strangers import Strangers
from derctl.daemon.ending import CONTROL_BY_S, RELEASED_BY_S, SAVED_BY_S, TASKS_BY_S, TOLD_BY_S, Ending
from derctl.daemon.gate import Gate
from derctl.daemon.image import Image
from derctl.daemon.log import logger
from derctl.daemon.loop import Loop
from derctl.daemon.news import News
from derctl.daemon.picture import Picture, stroke
from derctl.daemon.poller import Poller
from derctl.daemon.presence import Presence
from derctl.daemon.promises import Promises
from derctl.daemon.reload import Reloading, task_of
from derctl.daemon.report.telemetry import Telemetry
from derctl.daemon.report.view import View, der_view, loop_view, mqtt_view, poc_view
from derctl.daemon.requests import Requests
from derctl.daemon.standings import Standings, rules_of
from derctl.daemon.survival import MeterProof, Survival
from derctl.daemon.tasks import Tasks
from derctl.errors import CommandError
from derctl.links.local import serve
from derctl.links.mqtt import MqttLink
from derctl.links.notify import Notifier
from derctl.site import Site
from derctl.store.folder import Folder
from derctl.store.journal import Journal
from derctl.store.outbox import Outbox
from derctl.store.ticks import Recorder

WARM_UP_S = 0.5
LAST_WORDS_S = 0.5
"""How long the end waits for the broker to take what became of the devices (docs/sources.md)."""


class App:
    """A site under control. `run` returns when the daemon was asked to stop and has released what it wrote."""

    def __init__(self, site: Site, *, observe: bool = False, read: Callable[[], Site] | None = None) -> None:
        """read: the site file as it is now, for a reload."""
        self.site = site
        self.read = read or (lambda: site)
        self.log = logger()
        self.clock = Clock(site.file.site.clock_sync)
        self.started_s = time.monotonic()
        self.outbox = Outbox()
        self.recorder = Recorder()
        self.requests = Requests()
        self.news = News(self.log, self.clock.stamp, [self._to_broker])
        self.plant = build(site, self.news.tell)
        self.dirty = asyncio.Event()
        self.absent = Absent(site, self.plant.ders, changed=self.dirty.set)
        self.presence = Presence(
            Notifier(),
            self.news,
            None if site.file.mqtt is None else self.outbox,
            self.clock,
            lambda: self.gate.arming,
            self.plant.ders,
            site.file.site.tick_s,
        )
        self.gate = Gate(
            absence=self.absent.whole,
            on_change=self._mode_changed,
            on_broken=lambda text: self.news.tell("fallback_broken", "", text),
            stamp=self.clock.stamp,
            arming=Arming(state=Arm.LOOKING if observe else Arm.WATCHING),
            picture=self.picture,
            unsaved=lambda: self.survival.unsaved,
        )
        self.reloading = Reloading(self)
        self._wire_control(Folder(Path(site.file.site.state_dir), Path(site.file.site.socket).parent))
        self._wire_links()
        self.tasks = Tasks(self.log)
        self.ending = Ending(self.log)
        self._stop = asyncio.Event()

    def _to_broker(self, event: Mapping[str, Any]) -> None:
        if self.site.file.mqtt is not None:
            self.outbox.put(Telemetry.event(event))

    def _wire_control(self, folder: Folder) -> None:
        """From the image to the registers."""
        site, ders, tell = self.site, self.plant.ders, self.news.tell
        writers: dict[str, Writer] = {}
        dispatch = Dispatch(writers)
        journal = Journal(folder)
        self.releaser = Releaser(journal, dispatch, self.clock.stamp, tell)
        self.standings = Standings(
            rules=rules_of(site), written=journal, left=self.releaser.left, tell=tell, changed=self.dirty.set
        )
        for der in site.file.ders:
            writers[der.id] = writer_of(site, der, ders[der.id], self.releaser.note, tell)
            self.look_after(writers[der.id])
        self.promises = Promises(writers, self.absent, lambda: self.gate.arming, tell)
        self.loop = Loop(
            tick_s=site.file.site.tick_s,
            plan=site.plan,
            poller=Poller(self.plant.channels, lambda name: self.loop.dispatch.heard(name, self.gate.open)),
            image=self.image(writers),
            gate=self.gate,
            dispatch=dispatch,
            report=self._report,
            vouch=lambda: self.presence.vouch(self.loop.ticks),
            standing=self.standings.tick,
        )
        self.proof = MeterProof(self.plant.poc)

    def look_after(self, writer: Writer) -> None:
        """What stood in its device is kept."""
        writer.found_w = partial(self.standings.found_w, writer.id)
        writer.spared_w = partial(self.standings.unsure.get, writer.id)

    def image(self, writers: Mapping[str, Writer]) -> Image:
        """Of the plant as the site file has it."""
        return Image(
            site=self.site.file,
            absent=self.absent,
            channels=self.plant.ders,
            bms=self.plant.bms,
            poc=self.plant.poc,
            requests=self.requests,
            written=lambda name: writers[name].hold.told,
            halted=lambda: self.promises.halted,
        )

    def reach(self) -> Reach:
        """What a command may touch."""
        return Reach(
            plan=self.site.plan,
            requests=self.requests,
            gate=self.gate,
            releaser=self.releaser,
            look=self.loop.poller.look_again,
            state=self.state,
            changed=self.dirty.set,
            save=self._keep,
            lift_found=self.standings.lift,
            keep_found=self.standings.keep_again,
        )

    async def _keep(self) -> None:
        await self.survival.keep()

    def _wire_links(self) -> None:
        """Operators, the broker, and what survives a restart."""
        reach = self.reach()
        desk = Desk(reach, self.clock, self.log)
        to_broker = None if self.site.file.mqtt is None else self.outbox.put
        self.notices = Notices(self.requests, to_broker, self.news.tell, self.clock.stamp)
        self.calls = Calls(desk=desk, reach=reach, recorder=self.recorder, view=self.view, reload=self.reloading.now)
        self.survival = Survival(
            folder=self.releaser.journal.folder,
            clock=self.clock,
            requests=self.requests,
            desk=desk,
            gate=self.gate,
            releaser=self.releaser,
            loop=self.loop,
            standings=self.standings,
            proof=self.proof,
            log=self.log,
            dirty=self.dirty,
            known=self.absent.known,
            tell=self.news.tell,
        )
        self.mqtt: MqttLink | None = None
        self.telemetry: Telemetry | None = None
        self.wire_broker()

    def wire_broker(self) -> None:
        """The session that the site file wants, if any; not connected yet."""
        section = self.site.file.mqtt
        self.mqtt = self.telemetry = None
        if section is not None:
            self.calls.desk.may_arm = frozenset(each.name for each in section.principals if each.may_arm)
            intake = Intake(
                [each.name for each in section.principals],
                Strangers(lambda text: self.news.tell("unknown_principal", "", text)),
                self.outbox.put,
                self.clock.stamp,
                self.log,
            )
            self.mqtt = MqttLink(
                broker_of(self.site, section),
                self.outbox,
                self.calls.desk.on_mqtt(self.outbox.put),
                self.presence.hello,
                lambda: section.tls is None or self.clock.synced,
                lambda up, text: self.news.tell("broker_connected" if up else "broker_lost", "", text),
                lambda event, text: self.news.tell(event, "", text),
                admits=intake.admits,
                queued_max=intake.queued_max,
            )
            self.telemetry = Telemetry(self.clock, section.measurement_every_s, section.measurement_min_s)

    def _mode_changed(self) -> None:
        """Control has begun or ended: said, and saved with what it began under."""
        self.presence.mode_changed()
        self.dirty.set()

    def state(self) -> SiteState:
        """Now."""
        return self.loop.image.snapshot(time.monotonic())

    def picture(self) -> Picture:
        """What the last tick would have written. Raises CommandError before the first."""
        tick, writers = self.recorder.latest, self.loop.dispatch.writers
        if tick is None:
            raise CommandError(Refusal.NOT_READY, "the first tick is not done yet")
        decisions = {decision.der: decision for decision in tick.decisions}
        return Picture(
            ders=tuple(
                stroke(der, decisions.get(der.id), writers[der.id].promise, writers[der.id].kept_from(der))
                for der in tick.state.ders
            )
        )

    def view(self) -> View:
        """Now, for people."""
        state, tick, writers = self.state(), self.recorder.latest, self.loop.dispatch.writers
        decisions = {} if tick is None else {decision.der: decision for decision in tick.decisions}
        kinds = {section.id: section.kind for section in self.site.file.ders}
        record = self.releaser.record
        ders = [
            der_view(
                kinds[n], der, self.plant.ders[n], writers[n], decisions.get(n), record(n), self.standings.view(n)
            )
            for der in state.ders
            for n in (der.id,)
        ]
        return View(
            version=__version__,
            site=self.site.file.site.id,
            pid=os.getpid(),
            now=self.clock.now(),
            now_s=state.t_s,
            synced=self.clock.synced,
            uptime_s=state.t_s - self.started_s,
            arming=self.gate.arming,
            loop=loop_view(self.loop),
            poc=poc_view(state.poc, self.plant.poc, self.proof.belief(self.loop.memories)),
            ders=ders,
            buses=self.plant.buses,
            mqtt=None if self.mqtt is None else mqtt_view(self.mqtt, self.outbox),
            requests=[(request, self.requests.binds(request)) for request in state.requests],
            events=self.news.events,
            disk=self.survival.disk_view(),
        )

    def stop(self) -> None:
        """Ask for the end; `run` returns when it is reached, within TASKS_BY_S."""
        self.ending.begin()
        self._stop.set()

    async def run(self) -> None:
        """Raises AlreadyRunning, OSError (state directory), or whatever bug ended the control path."""
        folder = self.survival.folder
        folder.hold()
        try:
            self.survival.restore(Mode(self.site.file.site.mode), self.news.tell)
            self.releaser.restore()
            await self._run()
        finally:
            folder.let_go()

    async def _run(self) -> None:
        running = asyncio.get_running_loop()
        running.set_exception_handler(self._loop_problem)
        for number in (signal.SIGTERM, signal.SIGINT):
            running.add_signal_handler(number, self.stop)
        running.add_signal_handler(signal.SIGHUP, self.reloading.hup.set)
        tasks = self.tasks
        for bus in self.plant.buses.values():
            tasks.start(task_of(bus), bus.run())
        tasks.start("control", self._control())
        self.start_slow()
        tasks.guard("socket", lambda: serve(Path(self.site.file.site.socket), self._answer))
        tasks.guard("reload", self.reloading.run)
        tasks.guard("state", self.survival.run)
        if self.mqtt is not None:
            tasks.guard("mqtt", self.mqtt.run)
        tasks.start("stop", self._stop.wait())
        try:
            bugs = await tasks.first_end()
            await self._end()
        finally:
            self.ending.step = "tasks"
            self.ending.leave(*await tasks.end_all(self.ending.left_s(TASKS_BY_S)))
        if bugs:
            raise ExceptionGroup("a bug in the control path", bugs)

    async def _answer(self, call: str, args: Mapping[str, Any], who: str) -> Any:
        return await self.calls.answer(call, args, who)

    def start_slow(self) -> None:
        """The slow blocks of the devices as they are now."""
        self.tasks.start("slow blocks", self.loop.poller.run_slow(min(self.loop.tick_s, 1.0) / 2.0))

    async def _control(self) -> None:
        await self.loop.poller.warm_up(WARM_UP_S)
        self.proof.recall(self.loop.memories)
        await self.reloading.took_over()  # asked for before the first tick
        await self.loop.run()
        while await self.reloading.took_over():
            await self.loop.run()

    def _report(self, tick: Tick) -> None:
        """The tick's end. A closed gate leaves nothing to lapse: what was written is released, and tried again."""
        self.recorder.add(tick)
        self.notices.look()
        self.promises.look(tick.state.t_s)
        if self.gate.arming.state in {Arm.WATCHING, Arm.HELD}:
            self.releaser.follow(lift=self.gate.arming.state is Arm.WATCHING)
        self.proof.recall(self.loop.memories)
        if (proven := self.proof.learn(self.loop.memories)) is not None:
            self.news.tell("meter_proven", "poc", f"{proven or 'it'} followed a step of the inverters")
            self.dirty.set()
        if self.telemetry is not None:
            outcomes = {name: writer.outcome for name, writer in self.loop.dispatch.writers.items()}
            for message in self.telemetry.messages(tick.state, tick.decisions, outcomes):
                self.outbox.put(message)
            self._tell_standing()

    def _tell_standing(self, *, last: bool = False) -> None:
        """last: derctl ends, and controls no more."""
        if self.telemetry is not None:
            ders, stands = self.loop.dispatch.writers, self.releaser.stands
            mode = Mode.OBSERVE if last else self.gate.arming.mode
            for message in self.telemetry.standing(ders, stands, mode, time.monotonic(), last=last):
                self.outbox.put(message)

    async def _end(self) -> None:
        """Releases first; whatever becomes of them, what has to survive is saved."""
        ending = self.ending
        ending.begin()
        self.presence.ending()
        self.loop.stop()
        self.dirty.set()  # saved beside the releases, and once more with what they did
        try:
            await ending.take("control", self._quiet(), CONTROL_BY_S)
            if self.gate.arming.state is not Arm.LOOKING:
                await ending.take("release", self.releaser.release(lift=False), RELEASED_BY_S)
            self._tell_standing(last=True)
        finally:
            await ending.take("save", self.survival.save(), SAVED_BY_S)
        if self.mqtt is not None and self.mqtt.connected:
            ending.step = "last words"
            await self.outbox.emptied(min(LAST_WORDS_S, ending.left_s(TOLD_BY_S)))
        self.log.info("stopped")

    async def _quiet(self) -> None:
        """Nobody asks or tells the devices anything any more."""
        await self.tasks.end("control")
        await self.loop.poller.stop()

    def _loop_problem(self, running: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a transport's callback raised, for example on a frame that can't be decoded: the bus reconnects."""
        self.log.warning("transport", text=context.get("message"), error=repr(context.get("exception")))
