"""A device on the wire: register images, control groups with their timers, and what they ask of the plant."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hil.faces.bank import ILLEGAL_VALUE, Bank, Refused
from hil.faces.image import ModelImage, Slot
from hil.faces.personality import Personality
from hil.faces.view import AcReading, Rating, SiteView
from hil.plant.inverter import InverterCommand
from hil.plant.reversion import DeadMan, armed, elapse, restarted


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control group in the registers. `pairs` are (value, reversion value); without `revert_enable` it goes off."""

    model_id: int
    enable: str
    points: tuple[str, ...]
    timer: str
    remaining: str = ""
    revert_enable: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    off: int = 0

    @property
    def members(self) -> frozenset[str]:
        """Every point whose write belongs to this group."""
        reversion = tuple(revert for _, revert in self.pairs)
        named = (self.enable, self.timer, self.revert_enable)
        return frozenset((*self.points, *(n for n in named if n), *(v for v, _ in self.pairs), *reversion))


class Face:
    """Base of all faces. A subclass gives images and controls, fills registers, and reads its command from them."""

    controls: Mapping[str, Control] = {}

    def __init__(self, images: Sequence[ModelImage], habits: Personality, rating: Rating, *, seed: int = 0) -> None:
        self.habits = habits
        self.rating = rating
        self.random = random.Random(seed)
        self.bank = Bank(images, base=habits.base)
        self.timers: dict[str, DeadMan] = {name: DeadMan() for name in self.controls}
        self.effective: dict[str, dict[str, float | None]] = {}
        self.reverted = 0
        self.deaf = False
        self.violations: list[str] = []
        self._delivered = {id(image): bytes(image.memory) for image in self.bank.images}
        self.joined: list[Face] = []
        self.adopt_all()
        if habits.write_only:
            self.bank.overlays[-1] = self._hide_controls

    # what a subclass gives

    def fill(self, view: SiteView) -> None:
        """Write the plant's values into the images."""
        raise NotImplementedError

    def command(self) -> InverterCommand:
        """What the registers ask of the inverter now."""
        return InverterCommand()

    def check(self, image: ModelImage, slots: Sequence[Slot]) -> None:
        """Raise Refused, or note a violation, for values that the device does not take."""

    def join(self, other: "Face") -> None:
        """Another device's models stand behind this one's in the same chain: a battery's 802 beside its 704."""
        overlays = self.bank.overlays
        self.bank = Bank([*self.bank.images, *other.bank.images[1:]], base=self.habits.base)
        self.bank.overlays = overlays
        self.joined.append(other)

    # the life of the registers

    def refresh(self, view: SiteView) -> None:
        """New measured values, published at once."""
        self.fill(view)
        for other in self.joined:
            other.fill(view)
        self._show_remaining()
        self.bank.publish()

    def write(self, address: int, content: bytes) -> None:
        """A write request: whole writable points only; refused values leave everything as it was."""
        image, slots = self._find(address, len(content) // 2)
        at = (address - self.bank.start[id(image)]) * 2
        before = bytes(image.memory[at : at + len(content)])
        image.memory[at : at + len(content)] = content
        try:
            self._check_values(image, slots)
            self.check(image, slots)
        except Refused:
            image.memory[at : at + len(content)] = before
            raise
        self._written(image, {slot.name for slot in slots})
        self.bank.publish((image.model_id,))

    def tick(self, dt_s: float) -> None:
        """Let the dead-man timers run (wall time)."""
        acts = self.habits.timer != "counts_but_nothing"
        for name, control in self.controls.items():
            self.timers[name], reverts = elapse(self.timers[name], dt_s, acts=acts)
            if reverts:
                self._fall_back(name, control)

    def power_on(self) -> None:
        """After a restart: what was written is forgotten, and no timer runs."""
        for image in self.bank.images:
            delivered = self._delivered[id(image)]
            for slot in image.slots.values():
                if slot.writable:
                    first, last = slot.at * 2, (slot.at + slot.size) * 2
                    image.memory[first:last] = delivered[first:last]
        self.timers = {name: DeadMan() for name in self.controls}
        self.adopt_all()
        self.bank.publish()

    def any_message(self) -> None:
        """A message arrived: restarts the timers of devices that count that as life."""
        if self.habits.timer == "any_message":
            self.timers = {name: restarted(timer) for name, timer in self.timers.items()}

    def noisy(self, value: float) -> float:
        """Measurement noise of the device, from its own seed."""
        pu = self.habits.noise_pu
        return value * (1.0 + self.random.gauss(0.0, pu)) if pu > 0.0 else value

    def noised(self, ac: AcReading) -> AcReading:
        """The same reading through this device's sensors."""
        v_v = tuple(self.noisy(v) for v in ac.v_v)
        return replace(ac, p_w=self.noisy(ac.p_w), q_var=self.noisy(ac.q_var), v_v=v_v)

    # inside

    def _find(self, address: int, count: int) -> tuple[ModelImage, list[Slot]]:
        try:
            return self.bank.find(address, count)
        except Refused:
            raise Refused(self.habits.refuse_code) from None

    def _check_values(self, image: ModelImage, slots: Sequence[Slot]) -> None:
        for slot in slots:
            raw = image.raw(slot.name)
            if raw is None and slot.type not in ("string", "pad"):
                self.violations.append(f"I2 {image.model_id}.{slot.name} written as not implemented")
                raise Refused(ILLEGAL_VALUE)
            if slot.symbols and raw not in slot.symbols:
                self.violations.append(f"I1 {image.model_id}.{slot.name} written as {raw}, not a symbol")
                raise Refused(ILLEGAL_VALUE)

    def _written(self, image: ModelImage, names: set[str]) -> None:
        if self.deaf:
            return
        for name, control in self.controls.items():
            if control.model_id != image.model_id or not names & control.members:
                continue
            if not self.habits.needs_enable_rewritten or control.enable in names:
                self._adopt(name)
            if self.habits.timer != "timer_point" or control.timer in names:
                self._arm(name, control)

    def _arm(self, name: str, control: Control) -> None:
        image = self.bank.image(control.model_id)
        enabled = image.raw(control.enable) not in (control.off, None)
        self.timers[name] = armed(image.get(control.timer) or 0.0, enabled=enabled)

    def adopt_all(self) -> None:
        """Act by what stands in the registers of every group."""
        for name in self.controls:
            self._adopt(name)

    def _adopt(self, name: str) -> None:
        """From now on the device acts by what stands in the registers of this group."""
        control = self.controls[name]
        image = self.bank.image(control.model_id)
        self.effective[name] = {point: image.get(point) for point in (control.enable, *control.points)}

    def _fall_back(self, name: str, control: Control) -> None:
        image = self.bank.image(control.model_id)
        if control.revert_enable and image.raw(control.revert_enable) == 1:
            for value, revert in control.pairs:
                raw = image.raw(revert)
                if raw is not None:
                    image.put_raw(value, int(raw))
        else:
            image.put_raw(control.enable, control.off)
        self.reverted += 1
        self._adopt(name)
        self.bank.publish((control.model_id,))

    def _show_remaining(self) -> None:
        for name, control in self.controls.items():
            if control.remaining:
                left_s = self.timers[name].remaining_s
                self.bank.image(control.model_id).put_raw(control.remaining, round(left_s or 0.0))

    def _hide_controls(self, image: ModelImage, memory: bytearray) -> None:
        for control in self.controls.values():
            if control.model_id == image.model_id:
                for point in (control.enable, *control.points, control.timer):
                    slot = image.slots[point]
                    memory[slot.at * 2 : (slot.at + slot.size) * 2] = b"\xff" * (slot.size * 2)
