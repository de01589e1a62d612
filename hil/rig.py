"""A running plant with its servers: what `serve` runs and every scenario stands on."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import yaml

from hil.night import go_dark
from hil.plant.inverter import SLEEPING
from hil.scenario import Scenario, filled
from hil.wire import Endpoint, Unit
from hil.world import World, face_of

STEP_S = 0.1


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
        self.random = random.Random(scenario.seed)
        self._refreshed_s: dict[str, float] = {}
        self._dark: dict[str, Callable[[], None]] = {}
        for number, spec in enumerate(scenario.devices):
            seed = scenario.seed * 1000 + number
            name = spec.endpoint or spec.id
            endpoint = self.endpoints.setdefault(name, Endpoint(name, seed=seed))
            face = face_of(spec, self.world, seed=seed)
            self.world.faces[spec.id] = face
            self.units[spec.id] = endpoint.units[spec.unit] = Unit(spec.id, spec.unit, face)

    @property
    def now_s(self) -> float:
        """Wall time since the start."""
        return asyncio.get_running_loop().time() - self.started_s

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
            await asyncio.sleep(max(0.0, following_s - self.now_s))
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

    def ports(self) -> dict[str, int]:
        """Port of each endpoint."""
        return {name: endpoint.port for name, endpoint in self.endpoints.items()}

    def site_file(self, directory: Path, mqtt_port: int = 0) -> Path:
        """Render the daemon's site file into the directory."""
        words = {f"port:{name}": str(port) for name, port in self.ports().items()}
        words |= {"dir": str(directory), "mqtt_port": str(mqtt_port)}
        path = directory / "site.yaml"
        path.write_text(yaml.safe_dump(filled(dict(self.scenario.site), words), sort_keys=False), encoding="utf-8")
        return path
