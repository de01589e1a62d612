"""Runs a scenario: plant, servers, daemon, broker, timeline, recorder, and the verdict."""

import asyncio
import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from hil import certificates, children, recordings
from hil.actions import carry_out
from hil.charging import Charging, Unasked
from hil.expect import Check, check, ready_s
from hil.eyes import MqttEye, StatusEye
from hil.faults import FaultBoard
from hil.invariants import Watch, verdicts
from hil.rig import Rig, site_of
from hil.scenario import Event, Scenario, load, put
from hil.snapshot import snapshot
from hil.validate import validate
from hil.world import World, battery_of, rating_of

Observer = Callable[[Mapping[str, Any]], None]
STATUS_EVERY_S = 0.5
ANSWERS_WITHIN_S = 60.0
BEHIND_S = 0.3
"""A plant that stands still for so long, and jumps then, is another one than that which was to be controlled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The verdict. `unsupported`: what the machine lacks; then nothing ran. behind_s: the most that a step of the
    plant came too late."""

    name: str
    checks: tuple[Check, ...]
    snapshots: tuple[Mapping[str, Any], ...]
    log: tuple[str, ...]
    wall_s: float
    unsupported: str = ""
    stderr: str = ""
    behind_s: float = 0.0

    @property
    def overrun(self) -> bool:
        """Whether the machine had no time for the bench: what it measured then says little of the daemon."""
        return self.behind_s > BEHIND_S

    @property
    def passed(self) -> bool:
        """All held."""
        return not self.unsupported and all(c.passed for c in self.checks)


def charging_of(world: World) -> Charging:
    """Who watches the stores of this plant."""
    stores = {
        id: Unasked(rating_w=rating_of(spec).p_charge_max_w) for id, spec in world.ders.items() if battery_of(spec)
    }
    return Charging(f_nom_hz=world.f_nom_hz, stores=stores)


class Run:
    """One scenario while it runs; actions get this."""

    def __init__(
        self, scenario: Scenario, directory: Path, controller: str | None, observer: Observer | None
    ) -> None:
        self.scenario = scenario
        self.directory = directory
        self.controller = controller
        self.observer = observer
        self.rig = Rig(scenario)
        self.faults = FaultBoard(self.rig)
        self.watch = Watch(charging=charging_of(self.rig.world))
        self.child: children.Child | None = None
        self.broker: children.Child | None = None
        self.status: StatusEye | None = None
        self.mqtt: MqttEye | None = None
        self.mqtt_port = 0
        self.site: dict[str, Any] = {}
        self.clock_offset_s = float(scenario.plant.get("clock_offset_s", 0.0))
        self.snapshots: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []
        self.log: list[str] = []
        self.said: list[str] = []
        self.mqtt_wrong: list[str] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._mqtt_wrong_since_s: float | None = None
        self.laps = 0
        self.mutated = 0

    @property
    def socket_path(self) -> Path:
        """The daemon's unix socket, from the site file."""
        return Path(str(self.site["site"].get("socket", self.directory / "derctl.sock")))

    @property
    def prefix(self) -> str:
        """Where the site's topics start."""
        own = self.site["site"]
        return f"{self.site.get('mqtt', {}).get('prefix', 'derctl')}/{own.get('fleet', 'default')}/{own['id']}"

    def say(self, text: str) -> None:
        """Into the log, and to the observer with the next snapshot."""
        self.log.append(f"{self.rig.now_s:8.2f} {text}")
        self.said.append(text)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """A task that the run owns."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.log.append(f"task failed: {task.exception()!r}")

    def later(self, delay_s: float, act: Callable[[], Any]) -> None:
        """Call in delay_s of the scenario's time."""

        async def wait() -> None:
            await self.pause(delay_s)
            act()

        self.spawn(wait())

    async def pause(self, for_s: float) -> None:
        """Wait for so long of the scenario's time."""
        await self.rig.until(self.rig.now_s + for_s)

    async def publish(self, topic: str, payload: Any, *, retain: bool = False, qos: int = 1) -> None:
        """Over MQTT."""
        if self.mqtt is None:
            raise ValueError("no broker in this scenario: mqtt: true")
        await self.mqtt.publish(topic, payload, retain=retain, qos=qos)

    def change_site(self, changes: Mapping[str, Any]) -> None:
        """Set values in the rendered site file by dotted path."""
        for place, value in changes.items():
            put(self.site, place, value)
        self.write_site()

    def write_site(self) -> None:
        """The daemon's configuration as it stands now, and the profiles beside it."""
        for name, profile in self.scenario.profiles.items():
            own = self.directory / "profiles.d"
            own.mkdir(exist_ok=True)
            (own / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **profile}), encoding="utf-8")
        (self.directory / "site.yaml").write_text(yaml.safe_dump(self.site, sort_keys=False), encoding="utf-8")

    # the phases

    async def start(self) -> None:
        """Plant, broker, daemon, in this order."""
        await self.rig.start()
        if self.scenario.mqtt:
            await self.start_broker()
        self.site = self.rendered()
        if self.scenario.controller:
            await self.start_daemon()
        self.rig.begin()
        self.rig.each_step.append(self.observe)

    def rendered(self) -> dict[str, Any]:
        """The site file of the scenario, with the ports that are."""
        words = {**self.rig.words(), "dir": str(self.directory), "mqtt_port": str(self.mqtt_port)}
        return site_of(self.scenario, words)

    async def start_daemon(self) -> None:
        """It takes the site file as it is rendered, and finds what the timeline does at 0 s."""
        self.write_site()
        fakes = "faketime" in self.scenario.needs
        config, offset_s = self.directory / "site.yaml", self.clock_offset_s if fakes else None
        self.child = children.daemon(self.controller, config, self.directory, clock_offset_s=offset_s)
        self.status = StatusEye(self.socket_path)
        self.spawn(self.status.watch())
        for event in self.scenario.timeline:
            if event.at_s == 0.0:
                await self._do(event)
        await self.answering()

    async def answering(self) -> None:
        """How long a program takes to end and to start is the machine's matter: the plant stands still until it
        answers. One that ends or never answers is judged by the expectations."""
        assert self.child is not None and self.status is not None
        with self.rig.still():
            await self.child.gone()
            self.status.status = None
            await self.child.start()
            for _ in range(int(ANSWERS_WITHIN_S / 0.05)):
                if self.status.status is not None or not self.child.running:
                    return
                await asyncio.sleep(0.05)

    async def start_broker(self) -> None:
        """And the eye that is subscribed to all."""
        self.mqtt_port = children.free_port()
        lines = () if isinstance(self.scenario.mqtt, bool) else self.scenario.mqtt
        self.broker = children.broker(self.mqtt_port, self.directory, lines)
        await self.broker.start()
        if not await children.listening(self.mqtt_port, 15.0):
            raise RuntimeError(f"the broker does not listen: {self.broker.stderr()[-300:]}")
        self.mqtt = MqttEye(self.mqtt_port)
        self.spawn(self.mqtt.watch())

    async def repeat(self) -> None:
        """The timeline again and again; of the record only the last lap is kept."""
        while True:
            await self.timeline()
            self.laps += 1
            await self.rig.until(self.laps * self.scenario.duration_s)
            self.snapshots.clear()

    async def timeline(self) -> None:
        """Do each event at its time. A failing action fails the run."""
        for event in self.scenario.timeline:
            if event.at_s == 0.0 and self.child is not None and not self.laps:
                continue  # done before the daemon was started
            await self.rig.until(event.at_s + self.laps * self.scenario.duration_s)
            await self._do(event)

    async def _do(self, event: Event) -> None:
        self.say(str(event.args.get("says") or f"{event.do} {dict(event.args)}"))
        try:
            await carry_out(self, event.do, event.args)
        except (OSError, TimeoutError) as wrong:
            self.say(f"{event.do} failed: {wrong!r}")

    def observe(self) -> None:
        """After each plant step: record, watch, tell."""
        seen = snapshot(self.rig, self.status, self.child, self.mqtt)
        seen["reply"] = self.replies[-1] if self.replies else None
        seen["mutated"] = self.mutated
        seen["said"], self.said = self.said, []
        self.snapshots.append(seen)
        loop = asyncio.get_running_loop()
        self.watch.look(self.rig, seen["status"], loop.time(), self.rig.started_s)
        self.watch.memory.weigh(seen["daemon"], seen["status"], loop.time())
        if seen["status"] is not None:
            self.watch.listening.look([each.pid for each in (self.child, self.broker) if each], seen["t_s"])
        if self.watch.charging is not None:
            self.watch.charging.look(seen)
        self._compare_mqtt(seen)
        if self.observer is not None:
            self.observer(seen)

    def _compare_mqtt(self, seen: Mapping[str, Any]) -> None:
        """I7: while broker and daemon live, the retained `online` must not contradict that for more than 3 s."""
        broker_well = self.broker is not None and self.broker.running and seen["mqtt"]["connected"]
        told = seen["mqtt"]["online"]
        wrong = broker_well and told is True and not seen["daemon"]["running"]
        if not wrong:
            self._mqtt_wrong_since_s = None
        elif self._mqtt_wrong_since_s is None:
            self._mqtt_wrong_since_s = seen["t_s"]
        elif seen["t_s"] - self._mqtt_wrong_since_s > 3.0:
            self.mqtt_wrong.append("online: true is retained while the daemon is not running")

    async def stop(self) -> None:
        """End the daemon (the plant goes on meanwhile), then everything else."""
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._end_tasks)
            stack.push_async_callback(self.rig.stop)
            if self.broker is not None:
                stack.push_async_callback(self.broker.end)
            if self.child is not None and self.child.running:
                plant = asyncio.get_running_loop().create_task(self.rig.run(self.rig.now_s + 20.0))
                self.rig.each_step.remove(self.observe)
                if not await self.child.end():
                    self.say("the daemon did not end within 10 s of SIGTERM and was killed")
                plant.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await plant

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


MEMORY = Path("/dev/shm")


def in_memory() -> Path | None:
    """Where the daemon's state lies: its sync on a disk that is busy with other work takes tens of seconds, and that
    says nothing of the daemon. None: the usual folder for temporary files."""
    return MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None


def lacking(scenario: Scenario) -> str:
    """What this machine does not have for the scenario; empty when all is there."""
    if "faketime" in scenario.needs and children.libfaketime() is None:
        return "libfaketime is not installed (apt: faketime; or HIL_LIBFAKETIME)"
    if "mosquitto" in scenario.needs and children.mosquitto() is None:
        return "mosquitto is not installed"
    if "openssl" in scenario.needs and certificates.program() is None:
        return "openssl is not installed"
    if "recordings" in scenario.needs and recordings.directory() is None:
        return "there are no recorded devices (DERCTL_DUMPS names their directory)"
    return ""


def cut(scenario: Scenario, seconds: float) -> Scenario:
    """The scenario over `seconds`: later events, and expectations that can't be judged by then, are left out."""
    judged = tuple(each for each in scenario.expect if ready_s(each) < seconds)
    events = tuple(event for event in scenario.timeline if event.at_s < seconds)
    return dataclasses.replace(scenario, duration_s=seconds, timeline=events, expect=judged)


END_S = 2.5
"""What the end of a run takes: the daemon gives back what it wrote within 2 s, and all else ends."""


async def run_scenario(
    path: Path | Scenario,
    *,
    controller: str | None = None,
    observer: Observer | None = None,
    seconds: float | None = None,
    by_s: float | None = None,
    repeat: bool = False,
) -> Result:
    """Run it in wall time and judge. `controller` is a command line with `{config}` (default: derctl run).

    seconds: another duration than the scenario's. by_s: on the monotonic clock, when all of it has to be over, its
    start and its end too: what the start takes is the machine's matter, and goes off the duration. repeat: its
    timeline again and again, until cancelled.
    """
    scenario = path if isinstance(path, Scenario) else load(path)
    if seconds is not None:
        scenario = cut(scenario, seconds)
    validate(scenario)
    began_s = time.monotonic()
    missing = lacking(scenario)
    if missing:
        return Result(name=scenario.name, checks=(), snapshots=(), log=(), wall_s=0.0, unsupported=missing)
    with TemporaryDirectory(prefix="hil-", dir=in_memory(), ignore_cleanup_errors=True) as directory:
        run = Run(scenario, Path(directory), controller, observer)
        try:
            await run.start()
            if by_s is not None:
                scenario = run.scenario = cut(scenario, max(by_s - time.monotonic() - END_S, 1.0))
            timeline = asyncio.get_running_loop().create_task(run.repeat() if repeat else run.timeline())
            await run.rig.run(float("inf") if repeat else scenario.duration_s)
            failed = await _joined(timeline)
        finally:
            await run.stop()
        checks = [check(wanted, run.snapshots) for wanted in scenario.expect]
        checks += verdicts(run.rig, run.watch, run.child, run.mqtt_wrong, scenario.waive)
        if failed:
            checks.append(Check(says="the timeline could be carried out", passed=False, seen=failed))
        stderr = run.child.stderr() if run.child is not None else ""
    return Result(
        name=scenario.name,
        checks=tuple(checks),
        snapshots=tuple(run.snapshots),
        log=tuple(run.log),
        wall_s=time.monotonic() - began_s,
        stderr=stderr,
        behind_s=run.rig.behind_s,
    )


async def _joined(timeline: asyncio.Task[None]) -> str:
    if not timeline.done():
        timeline.cancel()
    try:
        await timeline
    except asyncio.CancelledError:
        return "not finished when the time was over"
    except Exception as wrong:
        return repr(wrong)
    return ""
