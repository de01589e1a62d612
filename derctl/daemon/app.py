"""The daemon: its named tasks, and what happens at start, stop and restart."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from derctl import __version__
from derctl.core.types import SiteState, Tick
from derctl.daemon.actuate.retry import Retry
from derctl.daemon.actuate.writer import Dispatch, Writer
from derctl.daemon.arming import Absence, Gate
from derctl.daemon.build import build
from derctl.daemon.clock import Clock
from derctl.daemon.commands.desk import COMMANDS, Desk
from derctl.daemon.image import Image, absent
from derctl.daemon.log import logger
from derctl.daemon.loop import Loop
from derctl.daemon.poller import Poller
from derctl.daemon.report.status import status
from derctl.daemon.report.telemetry import Telemetry, encode
from derctl.daemon.requests import Requests
from derctl.daemon.survival import MeterProof, kept_droop, kept_requests, revive_requests, revived_droop
from derctl.errors import CommandError, LinkError
from derctl.links.ending import end
from derctl.links.local import serve
from derctl.links.mqtt import Broker, MqttLink
from derctl.links.notify import Notifier
from derctl.site import Site, fallback_of
from derctl.store.outbox import Message, Outbox
from derctl.store.state import StateDir, Surviving
from derctl.store.ticks import Recorder

RELEASE_S = 2.0
PATIENT_RELEASE_S = 30.0
"""For one that is tried again, which nobody waits for: over a bus of a request a second it takes several."""
WARM_UP_S = 0.5
SAVE_EVERY_S = 30.0
DROOP_KEEP_S = 600.0
EVENTS_KEPT = 50
RESTART_S = (1.0, 30.0)
FREEZE_GC_TICK = 10


class App:
    """A site under control. `run` returns when the daemon was asked to stop and has released what it wrote."""

    def __init__(self, site: Site, *, observe: bool = False) -> None:
        self.site = site
        self.version = __version__
        self.pid = os.getpid()
        self.log = logger()
        self.clock = Clock(site.file.site.clock_sync)
        self.clock_s: Callable[[], float] = time.monotonic
        self.started_s = self.clock_s()
        self.events: deque[dict[str, Any]] = deque(maxlen=EVENTS_KEPT)
        self.outbox = Outbox()
        self.recorder = Recorder()
        self.requests = Requests()
        self.notifier = Notifier()
        self.plant = build(site, self.event)
        self.buses = self.plant.buses
        self.channels = self.plant.ders
        self.kinds = {der.id: der.kind for der in site.file.ders}
        self.image = Image(site.file, self.channels, self.plant.bms, self.plant.poc, self.requests)
        self.writers = {der.id: self._writer(der.id) for der in site.file.ders}
        self.image.written = lambda der_id: self.writers[der_id].told
        self.observe_only = observe
        self.gate = Gate(armed=False, absence=self._absence, on_event=self.event)
        self.poller = Poller(self.plant.channels)
        self.loop = self._loop()
        self.desk = Desk(self, self.clock)
        self.state_dir = StateDir(Path(site.file.site.state_dir), Path(site.file.site.socket).parent)
        self.mqtt = self._mqtt()
        self.telemetry = self._telemetry()
        self._wrote: dict[str, Any] = {}
        self._unsaved = self._unsaved_told = False
        self._armed_word: bool | None = None
        self._releasing = asyncio.Lock()
        self._let_go: asyncio.Task[dict[str, str]] | None = None
        self._retry = Retry()
        self._lift = False
        self._release_words: dict[str, str] = {}
        self.proof = MeterProof(self.plant.poc)
        self._dirty = asyncio.Event()
        self._stop = asyncio.Event()

    def _writer(self, der_id: str) -> Writer:
        section = next(der for der in self.site.file.ders if der.id == der_id)
        return Writer(
            id=der_id,
            channel=self.channels[der_id],
            fallback=fallback_of(section),
            control=section.control,
            tick_s=self.site.file.site.tick_s,
            journal=self._journal,
            on_event=self.event,
        )

    def _loop(self) -> Loop:
        return Loop(
            tick_s=self.site.file.site.tick_s,
            plan=self.site.plan,
            poller=self.poller,
            image=self.image,
            gate=self.gate,
            dispatch=Dispatch(self.writers),
            report=self._report,
            vouch=self._vouch,
        )

    def _telemetry(self) -> Telemetry | None:
        section = self.site.file.mqtt
        if section is None:
            return None
        return Telemetry(self.clock, section.measurement_every_s, section.measurement_min_s)

    def _mqtt(self) -> MqttLink | None:
        section, site = self.site.file.mqtt, self.site.file.site
        if section is None:
            return None
        tls = section.tls
        broker = Broker(
            host=section.host,
            port=section.port,
            base=f"{section.prefix}/{site.fleet}/{site.id}",
            will=encode({"online": False}),
            username=section.username,
            password=self.site.secret,
            ca_file=None if tls is None else tls.ca_file,
            cert_file=None if tls is None else tls.cert_file,
            key_file=None if tls is None else tls.key_file,
            keepalive_s=section.keepalive_s,
        )
        return MqttLink(broker, self.outbox, self._on_mqtt, self._hello, lambda: tls is None or self.clock.synced)

    # ---- what others call ------------------------------------------------------------------------------------

    def event(self, name: str, der: str, text: str) -> None:
        """Something a person may want to know: log, status and broker."""
        stamp = self.clock.stamp()
        self.log.info(name, der=der or None, text=text)
        self.events.append({"t": stamp, "event": name, "der": der or None, "text": text})
        if self.site.file.mqtt is not None:
            self.outbox.put(Telemetry.event(stamp, name, der, text))
        if name in {"mode_control", "mode_observe"}:
            self.notifier.send(f"STATUS={self._one_line()}")
            if self.site.file.mqtt is not None:
                self.outbox.put(Message(topic="online", payload=self._hello(), qos=1, retain=True))

    def state(self) -> SiteState:
        """Now."""
        return self.image.snapshot(self.clock_s())

    def has_function(self, kind: str, der: str | None) -> bool:
        """Whether the site file gives this function to this DER (None: to any)."""
        plan = self.site.plan
        return any(f.kind == kind and (der is None or der in ids) for f, ids in plan.der_functions)

    def changed(self) -> None:
        """Something that must survive a restart has changed."""
        self._dirty.set()

    async def arm(self) -> str:
        """Observe to control. Raises CommandError with what stands against it."""
        if self.observe_only:
            raise CommandError("not_ready", "the daemon runs with --observe")
        if self._releasing.locked():
            raise CommandError("not_ready", "a release is under way")
        objection = self._absence().objection
        if objection is not None:
            raise CommandError(*objection)
        self.gate.armed, self._armed_word = True, True
        return "armed"

    async def disarm(self) -> str:
        """Control to observe, releasing what was written."""
        self.gate.armed, self._armed_word = False, False
        self.gate.evaluate()
        return self._told(await self.release(lift=False))

    async def release(self, *, lift: bool, only: Sequence[str] | None = None) -> dict[str, str]:
        """Release every DER that derctl wrote, or `only` these of them, patiently; forget those that are released."""
        if only is None and self._let_go is not None:
            await end([self._let_go])  # somebody waits for this one, which begins it all again
        async with self._releasing:
            self._lift = lift
            if only is None:
                return await self._release(self._left, lift=lift, seconds=RELEASE_S)
            return await self._release(only, lift=lift, seconds=PATIENT_RELEASE_S)

    @property
    def _left(self) -> list[str]:
        """What was written and not released yet, as far as the site file has it."""
        return [der_id for der_id in self._wrote if der_id in self.writers]

    async def _release(self, wrote: Sequence[str], *, lift: bool, seconds: float) -> dict[str, str]:
        result = await self.loop.dispatch.release(wrote, lift=lift, seconds=seconds)
        self._retry.note(result, self.clock_s())
        for der_id, word in result.items():
            self._say_release(der_id, word)
        done = [der_id for der_id, word in result.items() if word == "released" and not self.writers[der_id].wrote]
        if done:
            self._wrote = {der_id: entry for der_id, entry in self._wrote.items() if der_id not in done}
            await self._save_journal()
        return result

    def _say_release(self, der_id: str, word: str) -> None:
        """Once for each word: what can't be reached is tried again and again."""
        if self._release_words.get(der_id) != word:
            self.event("released" if word == "released" else "not_released", der_id, word)
        self._release_words[der_id] = word

    @staticmethod
    def _told(result: Mapping[str, str]) -> str:
        return ", ".join(f"{der_id}: {word}" for der_id, word in result.items()) or "nothing was written"

    # ---- the tick's ends -------------------------------------------------------------------------------------

    def _absence(self) -> Absence:
        return absent(self.site, self.channels)

    def _report(self, tick: Tick) -> None:
        self.recorder.add(tick)
        self._follow_gate()
        self.proof.recall(self.loop.memories)
        if (proven := self.proof.learn(self.loop.memories)) is not None:
            self.event("meter_proven", "poc", f"{proven} followed a step of the inverters")
            self.changed()
        if self.telemetry is not None:
            outcomes = {der_id: writer.outcome for der_id, writer in self.writers.items()}
            for message in self.telemetry.messages(tick.state, tick.decisions, outcomes):
                self.outbox.put(message)

    def _follow_gate(self) -> None:
        """A closed gate leaves nothing to lapse: what was written is released, and what couldn't be, is tried again.

        Limits stand, unless an operator's `release` asked for them to be lifted.
        """
        if self.gate.open or self.observe_only or self._releasing.locked():
            return
        due = self._retry.due(self._left, self.clock_s())
        if due and (self._let_go is None or self._let_go.done()):
            lift = self._lift and not self.gate.armed
            self._let_go = asyncio.create_task(self.release(lift=lift, only=due), name="let go")

    def _vouch(self) -> None:
        if self.loop.ticks == 1:
            self.notifier.send("READY=1", f"STATUS={self._one_line()}")
        if self.loop.ticks == FREEZE_GC_TICK:
            gc.collect()
            gc.freeze()
        self.notifier.send("WATCHDOG=1")

    def _one_line(self) -> str:
        mode = "controlling" if self.gate.open else f"observing ({self.gate.reason})"
        ok = sum(channel.state == "ok" for channel in self.channels.values())
        return f"{mode}, {ok} of {len(self.channels)} DERs answer"

    def _hello(self) -> bytes:
        return encode(
            {
                "online": True,
                "t": self.clock.stamp(),
                "synced": self.clock.synced,
                "version": self.version,
                "mode": "control" if self.gate.open else "observe",
                "tick_s": self.site.file.site.tick_s,
            }
        )

    async def _journal(self, der_id: str) -> None:
        """Before the first write to a DER its name is on disk, so that a kill can't make it be forgotten."""
        self._release_words.pop(der_id, None)
        self._retry.forget(der_id)
        if der_id not in self._wrote:
            self._wrote[der_id] = {"since": self.clock.stamp(), "fallback": asdict(self.writers[der_id].fallback)}
            self._unsaved = True
        if self._unsaved:
            await self._save_journal()

    async def _save_journal(self) -> None:
        """A disk that is full keeps nobody from control; it is tried again at the next write, and with the state."""
        self._unsaved = False
        try:
            await self.state_dir.set_journal(self._wrote)
        except OSError as error:
            self._unsaved = True
            if not self._unsaved_told:
                self.event("journal_not_saved", "", str(error))
        self._unsaved_told = self._unsaved

    # ---- life ------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask for the end; `run` returns when it is reached."""
        self._stop.set()

    async def run(self) -> None:
        """Raises AlreadyRunning, OSError (state directory), or whatever bug ended the control path."""
        self.state_dir.hold()
        try:
            self._restore()
            await self._run()
        finally:
            self.state_dir.let_go()

    async def _run(self) -> None:
        running = asyncio.get_running_loop()
        running.set_exception_handler(self._loop_problem)
        for number in (signal.SIGTERM, signal.SIGINT):
            running.add_signal_handler(number, self.stop)
        tasks: list[asyncio.Task[Any]] = [
            *(asyncio.create_task(bus.run(), name=f"bus {name}") for name, bus in self.buses.items()),
            asyncio.create_task(self._control(), name="control"),
            asyncio.create_task(self._slow(), name="slow blocks"),
            asyncio.create_task(self._guarded("socket", self._socket), name="socket"),
            asyncio.create_task(self._guarded("state", self._keep_state), name="state"),
            asyncio.create_task(self._stop.wait(), name="stop"),
        ]
        if self.mqtt is not None:
            tasks.append(asyncio.create_task(self._guarded("mqtt", self.mqtt.run), name="mqtt"))
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await self._end(next(task for task in tasks if task.get_name() == "control"))
        finally:
            await end(tasks)
        bugs = [error for task in ended if isinstance(error := task.exception(), Exception)]
        if bugs:
            raise ExceptionGroup("a bug in the control path", bugs)

    async def _control(self) -> None:
        await self.poller.warm_up(WARM_UP_S)
        self.proof.recall(self.loop.memories)
        await self.loop.run()

    async def _end(self, control: asyncio.Task[None]) -> None:
        self.notifier.send("STOPPING=1")
        self.loop.stop()
        await end([control])
        await self.poller.stop()
        if self._wrote and not self.observe_only:
            await self.release(lift=False)
        await self._save()
        self.log.info("stopped")

    async def _slow(self) -> None:
        await self.poller.run_slow(min(self.loop.tick_s, 1.0) / 2.0)

    async def _socket(self) -> None:
        await serve(Path(self.site.file.site.socket), self._answer)

    async def _guarded(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """A failure domain: whatever breaks in there is said, and it is started again with capped back-off."""
        wait_s = RESTART_S[0]
        while True:
            try:
                await run()
            except (LinkError, OSError) as error:
                self.log.error("link_failed", link=name, error=str(error))
            except Exception:
                self.log.exception("link_broke", link=name)
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(2.0 * wait_s, RESTART_S[1])

    def _loop_problem(self, running: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a transport's callback raised, for example on a frame that can't be decoded: the bus reconnects."""
        self.log.warning("transport", text=context.get("message"), error=repr(context.get("exception")))

    async def _answer(self, call: str, args: Mapping[str, Any]) -> Any:
        if call == "status":
            return status(self)
        if call == "record":
            return self.recorder.last(int(args.get("count", 10)))
        if call == "release":
            self.gate.armed, self._armed_word = False, False
            self.gate.evaluate()
            result = await self.release(lift=bool(args.get("lift")))
            self.changed()
            return result
        if call in COMMANDS:
            return await self.desk.local(call, args)
        raise CommandError("unknown_command", f"no call {call!r}")

    async def _on_mqtt(self, topic: str, payload: bytes, retained: bool) -> None:
        parts = topic.split("/")
        if len(parts) != 3 or parts[0] != "cmd" or not payload:  # nothing: somebody takes a retained message back
            return
        _, principal, name = parts
        reply = await self.desk.by_mqtt(name, payload, retained)
        self.log.info("command", principal=principal, **{k: reply[k] for k in ("command", "id", "result", "code")})
        self.outbox.put(Message(topic=f"reply/{principal}", payload=encode(reply), qos=1))

    # ---- what survives ---------------------------------------------------------------------------------------

    def _restore(self) -> None:
        saved, problem = self.state_dir.load()
        for text in (self.state_dir.problem, problem):
            if text is not None:
                self.event("state_unreadable", "", text)
        try:
            self._wrote = self.state_dir.journal()
        except (OSError, ValueError) as error:
            self.event("journal_unreadable", "", str(error))
        self._armed_word = saved.armed
        self.proof.proven = saved.proven_meter
        wanted = self.site.file.site.mode == "control" if saved.armed is None else saved.armed
        self.gate.armed = wanted and not self.observe_only
        now, now_s = self.clock.wall(), self.clock_s()
        self.desk.seen = dict(saved.seen)
        revive_requests(saved.requests, self.requests, wall=now if self.clock.synced else None)
        if self.clock.synced and 0.0 <= now - saved.saved < DROOP_KEEP_S:
            self.loop.memories |= revived_droop(saved.droop)
        self.started_s = now_s

    async def _keep_state(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._dirty.wait(), SAVE_EVERY_S)
            except TimeoutError:
                pass
            self._dirty.clear()
            await self._save()

    async def _save(self) -> None:
        now, now_s = self.clock.wall(), self.clock_s()
        state = Surviving(
            saved=now,
            armed=self._armed_word,
            requests=kept_requests(self.requests.held.values(), wall=now if self.clock.synced else None, now_s=now_s),
            droop=kept_droop(self.loop.memories),
            seen=dict(self.desk.seen),
            proven_meter=self.proof.proven,
        )
        try:
            await self.state_dir.save(state)
        except OSError as error:
            self.log.error("state_not_saved", error=str(error))
        if self._unsaved:
            await self._save_journal()
