"""One simulated device of some maker in virtual time: its registers, its timers and its plant, without a socket."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, cast

from derctl.cli.proof import Wanted, subject_of
from derctl.commission.identify import Subject as Steps
from derctl.commission.trial import Alone, Answer, Finding, Look, Meet, Pull, Silence, Step, Subject, Tell, Watch
from derctl.core.exchange import Exchange, Pause, Read, Write
from derctl.core.stages import Heard, Sample, Stage
from derctl.core.types import NOTHING, Reading, Setpoint
from derctl.daemon.kinds import KINDS
from derctl.devices import Options
from derctl.devices.plausible import plausible
from derctl.errors import BusClosed, BusTimeout, DerctlError, DeviceRefused
from derctl.site import DerSection, fallback_of, profiles
from derctl.site.schema import FallbackSection
from hil.scenario import parse as parsed
from hil.unit import Unit
from hil.world import World, face_of

STEP_S = 0.1
SHELF = tuple(profiles().values())
PLANT = {
    "source": {"r_ohm": 0.2, "x_ohm": 0.2},
    "loads": {"house": {"node": "poc", "p_w": 1000}},
    "sun": {"points": [[0, 0.8]]},
}


@dataclass
class Maker:
    """kind: derctl's. fallback: as the site file declares it. profile: other than by who it says it is.

    cable: whether a person pulls it. spoil: what is done to its face. steps: of a proof, as they came.
    """

    personality: str
    face: str
    kind: str
    fallback: dict[str, Any] = field(default_factory=dict)
    profile: str | None = None
    habits: dict[str, Any] = field(default_factory=dict)
    inverter: dict[str, Any] = field(default_factory=dict)
    sun: float = 0.8
    cable: bool = True
    sign: float = 1.0
    poll_s: float = 0.25
    spoil: Callable[[Any], None] = lambda face: None
    steps: list[Step] = field(default_factory=list)
    now_s: float = 0.0
    there: bool = True

    def __post_init__(self) -> None:
        store = self.face.startswith("storage")
        spec: dict[str, Any] = {
            "id": "it", "face": self.face, "personality": self.personality, "habits": self.habits,
            "rating": {"p_max_w": 5000, "s_max_va": 5000}, "inverter": self.inverter,
        }  # fmt: skip
        if store:
            spec["battery"], spec["rating"]["p_charge_max_w"] = {"soc_pct": 60}, 4000
        scenario = parsed({"name": "it", "plant": PLANT | {"sun": {"points": [[0, self.sun]]}}, "devices": [spec]})
        self.world = World(scenario)
        self.unit = Unit("it", 1, face_of(scenario.devices[0], self.world, seed=1))
        self.world.faces["it"] = self.unit.face
        self.spoil(self.unit.face)
        self.let(15.0)
        shelf = {"profile": profiles()[self.profile]} if self.profile else {"shelf": SHELF}
        self.device = self.run(KINDS[self.kind].bind(Options(**cast(Any, shelf))))
        declared = FallbackSection(**cast(Any, self.fallback))
        self.section = DerSection(id="it", bus="lan", unit=1, kind=self.kind, fallback=declared)

    def let(self, seconds: float) -> None:
        """Time passes."""
        for _ in range(max(round(seconds / STEP_S), 1)):
            self.now_s += STEP_S
            self.world.advance(STEP_S)
            self.unit.face.tick(STEP_S)
            self.unit.face.refresh(self.world.view)

    def run(self, exchange: Exchange[Any]) -> Any:
        """An exchange to its end, as a bus carries it."""
        step: Callable[[], Any] = lambda: next(exchange)  # noqa: E731
        try:
            while True:
                op = step()
                try:
                    answer = self._answered(op)
                except DerctlError as error:
                    step = _thrown(exchange, error)
                else:
                    step = _sent(exchange, answer)
        except StopIteration as stop:
            return stop.value

    def _answered(self, op: Any) -> tuple[int, ...]:
        if isinstance(op, Pause):
            self.let(op.seconds)
            return ()
        count = op.count if isinstance(op, Read) else len(op.values)
        pdu = self.unit.answer(_pdu(op), self.now_s)
        if pdu[0] & 0x80:
            raise DeviceRefused(pdu[1], function=op.function, address=op.address, count=count)
        return struct.unpack(f">{count}H", pdu[2:]) if isinstance(op, Read) else ()

    def _answers(self) -> dict[str, Any]:
        blocks = {**self.device.control, **self.device.slow}
        return {name: self.run(_asked(each)) for name, each in blocks.items()}

    def read(self) -> Reading:
        """As a channel believes it."""
        if not self.there:
            raise BusTimeout("no answer")
        reading: Reading = plausible(self.device.decode(self._answers()), self.device.rating)
        return reading

    def write(self, setpoint: Setpoint) -> tuple[Setpoint, Setpoint | None]:
        """What is sent, and what reads back."""
        desired = self.device.sendable(setpoint)
        found = self.run(self.device.write(desired, fallback_of(self.section), self._answers()))
        blind = self.device.habits.profile.readback == "effect_only"
        return desired, None if blind else found

    # a proof

    def subject(self, **wanted: Any) -> Subject:
        return subject_of(self.section, self.device, self.device.habits.profile, Wanted(**wanted))

    def prove(self, proof: Generator[Step, Answer, Finding]) -> Finding:
        """To its end; each step takes its time."""
        step: Callable[[], Step] = lambda: next(proof)  # noqa: E731
        try:
            while True:
                made = step()
                self.steps.append(made)
                try:
                    answer = self.done(made)
                except DerctlError as error:
                    step = _thrown(proof, error)
                else:
                    step = _sent(proof, answer)
        except StopIteration as stop:
            finding: Finding = stop.value
            return finding

    def done(self, step: Step) -> Answer:
        """One step of a proof. Raises what a bus or a device does."""
        reading, away_s = Reading(), None
        if isinstance(step, Look):
            reading = self.read()
        elif isinstance(step, Tell):
            _, accepted = self.write(step.setpoint)
            return Answer(at_s=self.now_s, accepted=accepted)
        elif isinstance(step, Pull) and self.cable:
            self.let(step.seconds + 1.0)
            away_s = step.seconds + 1.0
        elif isinstance(step, Silence):
            self.let(step.seconds)
        elif isinstance(step, Meet):
            if self.unit.face.habits.max_clients == 1:
                raise BusClosed("closed by the device")
        elif isinstance(step, Watch):
            self.let(step.seconds)
            reading = self.read()
        else:
            assert isinstance(step, Alone | Pull)
        return Answer(at_s=self.now_s, reading=reading, away_s=away_s)

    @property
    def told(self) -> list[Setpoint]:
        return [step.setpoint for step in self.steps if isinstance(step, Tell)]

    # step tests

    def stepped(self, **given: Any) -> Steps:
        profile, rating = self.device.habits.profile, self.device.rating
        usual = {
            "rating": rating, "can": self.device.can, "most_w": rating.p_max_w, "within_w": 500.0, "periods": 2,
            "least_w": rating.p_min_w if self.device.can.rest else 0.0, "settle_s": profile.settle_s,
        }  # fmt: skip
        return Steps(**cast(Any, usual | given))

    def hear(self, stage: Stage) -> Heard:
        """The stage stands for its time."""
        sent, accepted, at_s = NOTHING, None, self.now_s
        if stage.setpoint != NOTHING:
            try:
                sent, accepted = self.write(stage.setpoint)
            except DeviceRefused as refused:
                return Heard(at_s=at_s, samples=(), refused=str(refused))
        samples = []
        while self.now_s < at_s + stage.seconds:
            self.let(self.poll_s)
            samples.append(self._sample())
        return Heard(at_s=at_s, samples=tuple(samples), sent=sent, accepted=accepted)

    def _sample(self) -> Sample:
        reading = self.read()
        return Sample(
            t_s=self.now_s,
            p_w=reading.p_w,
            q_var=reading.q_var,
            v_pu=None if reading.v_v is None else reading.v_v / self.device.rating.v_nom_v,
            ders_w=reading.p_w,
            meter_w=self.sign * round(self.world.state.poc.p_w),
            status=reading.status,
        )


def inverted_var(face: Any) -> None:
    """It makes the other var than it is told."""
    asks = face.command
    face.command = lambda: dataclasses.replace(asks(), q_var=-asks().q_var if asks().q_var else None)


def _asked(read: Read) -> Exchange[Any]:
    return (yield read)


def _thrown(generator: Any, error: Exception) -> Callable[[], Any]:
    return lambda: generator.throw(error)


def _sent(generator: Any, answer: Any) -> Callable[[], Any]:
    return lambda: generator.send(answer)


def _pdu(op: Read | Write) -> bytes:
    if isinstance(op, Read):
        return struct.pack(">BHH", op.function, op.address, op.count)
    if op.function == 6:
        return struct.pack(">BHH", 6, op.address, op.values[0])
    head = struct.pack(">BHHB", 16, op.address, len(op.values), 2 * len(op.values))
    return head + struct.pack(f">{len(op.values)}H", *op.values)
