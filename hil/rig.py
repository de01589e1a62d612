"""A running plant with its servers: what `serve` runs and every scenario stands on."""

import asyncio
import contextlib
import copy
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from hil import certificates
from hil.night import go_dark
from hil.plant.inverter import SLEEPING
from hil.rtu import RtuOverTcp
from hil.scenario import Scenario, filled
from hil.serial_line import SerialLine
from hil.unit import Unit
from hil.wire import Endpoint
from hil.world import World, face_of, unit_of

STEP_S = 0.1


def endpoint_for(scenario: Scenario, name: str, seed: int) -> Endpoint:
    """As the scenario has it."""
    if name in scenario.serial:
        return SerialLine(name, seed=seed, **scenario.serial[name])
    return RtuOverTcp(name, seed=seed) if name in scenario.rtu_over_tcp else Endpoint(name, seed=seed)


class Rig:
    """Plant, faces and endpoints of one scenario. `each_step` is called after every plant step."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = World(scenario)
        self.endpoints: dict[str, Endpoint] = {}
        self.units: dict[str, Unit] = {}
        self.each_step: list[Callable[[], None]] = []
        self.started_s = 0.0
        self.behind_s = 0.0
        self._still_s: float | None = None
        self._goes_on = asyncio.Event()
        self._goes_on.set()
        self.random = random.Random(scenario.seed)
        self._refreshed_s: dict[str, float] = {}
        self._dark: dict[str, Callable[[], None]] = {}
        self._papers: TemporaryDirectory[str] | None = None
        for number, spec in enumerate(scenario.devices):
            seed = scenario.seed * 1000 + number
            name = spec.endpoint or spec.id
            endpoint = self.endpoints.setdefault(name, endpoint_for(scenario, name, seed))
            face = face_of(spec, self.world, seed=seed)
            self.world.faces[spec.id] = face
            self.units[spec.id] = endpoint.units[unit_of(spec)] = Unit(spec.id, unit_of(spec), face)

    @property
    def now_s(self) -> float:
        """Time of the scenario: wall time since the start, but for when it stood still."""
        now_s = asyncio.get_running_loop().time() if self._still_s is None else self._still_s
        return now_s - self.started_s

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Plant, timers and timeline stand still meanwhile; the devices answer."""
        assert self._still_s is None
        self._still_s = asyncio.get_running_loop().time()
        self._goes_on.clear()
        try:
            yield
        finally:
            self.started_s += asyncio.get_running_loop().time() - self._still_s
            self._still_s = None
            self._goes_on.set()

    async def until(self, t_s: float) -> None:
        """Wait for this time of the scenario."""
        while self._still_s is not None or self.now_s < t_s:
            await self._goes_on.wait()
            await asyncio.sleep(max(t_s - self.now_s, 0.0))

    @property
    def papers(self) -> Path:
        """The folder with the certificates; they are made when the first of them is needed."""
        if self._papers is None:
            self._papers = TemporaryDirectory(prefix="hil-tls-")
            certificates.make(Path(self._papers.name))
        return Path(self._papers.name)

    def endpoint_of(self, device: str) -> Endpoint:
        """The endpoint that a device sits behind."""
        spec = next(spec for spec in self.scenario.devices if spec.id == device)
        return self.endpoints[spec.endpoint or spec.id]

    async def start(self) -> None:
        """Settle the plant for two seconds, fill the registers, listen."""
        for _ in range(20):
            self.world.advance(STEP_S)
        for unit in self.units.values():
            unit.face.refresh(self.world.view)
        for spec in self.scenario.devices:
            if spec.tls:
                self.endpoint_of(spec.id).tls = certificates.server(self.papers, spec.tls)
        for endpoint in self.endpoints.values():
            await endpoint.listen()
        self.begin()

    def begin(self) -> None:
        """The time of the scenario is 0 now."""
        self.started_s = asyncio.get_running_loop().time()

    async def run(self, duration_s: float) -> None:
        """Step in wall time until duration_s have passed."""
        following_s = self.now_s
        last_s = following_s
        while self.now_s < duration_s:
            following_s = max(following_s + STEP_S, self.now_s - 1.0)
            await self.until(following_s)
            now_s = self.now_s
            self.behind_s = max(self.behind_s, now_s - following_s)
            self._step(now_s - last_s)
            last_s = now_s

    def _step(self, dt_s: float) -> None:
        self.world.advance(dt_s * self.scenario.plant_speed)
        view = self.world.view
        for name, unit in self.units.items():
            unit.face.tick(dt_s)
            if self.now_s - self._refreshed_s.get(name, -1e9) >= unit.face.habits.refresh_s - 0.05:
                unit.face.refresh(view)
                self._refreshed_s[name] = self.now_s
            self._night(name, unit)
        for endpoint in self.endpoints.values():
            endpoint.kick_idle()
        for observer in self.each_step:
            observer()

    def _night(self, name: str, unit: Unit) -> None:
        """Dusk and dawn of a device whose habit is more than to sleep."""
        habit = unit.face.habits.night
        if habit == "sleeps" or name not in self.world.ders:
            return
        dark = self.world.state.ders[name].inverter.status == SLEEPING
        if dark and name not in self._dark:
            self._dark[name] = go_dark(unit, self.endpoint_of(name), habit)
        elif not dark and name in self._dark:
            self._dark.pop(name)()

    async def stop(self) -> None:
        """Close all sockets."""
        for endpoint in self.endpoints.values():
            with contextlib.suppress(OSError):
                await endpoint.stop()
        if self._papers is not None:
            self._papers.cleanup()
            self._papers = None

    def words(self) -> dict[str, str]:
        """What a site file's `{port:ENDPOINT}` and `{certificates}` stand for."""
        words = {f"port:{name}": str(port) for name, port in self.ports().items()}
        return words if self._papers is None else {**words, "certificates": self._papers.name}

    def ports(self) -> dict[str, Any]:
        """Port of each endpoint; of a serial line its path."""
        return {name: endpoint.place for name, endpoint in self.endpoints.items()}

    def site_file(self, directory: Path, mqtt_port: int = 0) -> Path:
        """Render the daemon's site file into the directory."""
        words = {**self.words(), "dir": str(directory), "mqtt_port": str(mqtt_port)}
        path = directory / "site.yaml"
        path.write_text(yaml.safe_dump(site_of(self.scenario, words), sort_keys=False), encoding="utf-8")
        return path


def site_of(scenario: Scenario, words: Mapping[str, str]) -> dict[str, Any]:
    """The scenario's site file with its words filled in. A bench proves nothing, unless the scenario says so."""
    site = dict(filled(copy.deepcopy(dict(scenario.site)), words))
    if isinstance(site.get("site"), dict):
        site["site"].setdefault("require_proof", False)
    return site
