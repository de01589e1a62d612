"""A device on the wire: register images, control groups with their timers, and what they ask of the plant."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from hil.faces.bank import DEVICE_FAILURE, ILLEGAL_VALUE, Bank, Refused
from hil.faces.image import ModelImage, Slot
from hil.faces.mask import mask
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
        self.wear: dict[str, int] = {}
        self._delivered: dict[int, bytes] = {}
        self.joined: list[Face] = []
        self._late: list[tuple[float, str]] = []
        self._gate = 0
        self._held = set[int]()
        self._deliver()
        self.adopt_all()
        if habits.write_only:
            self.bank.overlays[-1] = self._hide_controls
        if habits.without or habits.shows:
            self.bank.overlays[-2] = mask(habits)
        if habits.until_told:
            self.bank.overlays[-3] = self._hide_until_told
        self.bank.publish()

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

    def read(self, function: int, address: int, count: int) -> bytes:
        """What a read function finds. Raises Refused."""
        if self.habits.gate is not None and (address, count) == (self.habits.gate[0], 1):
            return self._gate.to_bytes(2, "big")
        return self.bank.read(address, count)

    def numbers(self, address: int, count: int) -> range:
        """The numbers of so many registers from this one on."""
        return range(address, address + count)

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
        if self._at_the_gate(address, content):
            return
        image, slots = self._find(address, len(content) // 2)
        at = (address - self.bank.start[id(image)]) * 2
        before = bytes(image.memory[at : at + len(content)])
        were_on = {name for name, control in self.controls.items() if self._enabled(control)}
        image.memory[at : at + len(content)] = content
        try:
            self._check_values(image, slots)
            self.check(image, slots)
        except Refused:
            image.memory[at : at + len(content)] = before
            raise
        self._written(image, {slot.name for slot in slots}, were_on)
        self.bank.publish((image.model_id,))

    def tick(self, dt_s: float) -> None:
        """Let the dead-man timers run (wall time)."""
        late, self._late = self._late, []
        for left_s, name in late:
            if left_s > dt_s:
                self._late.append((left_s - dt_s, name))
            else:
                self._adopt(name)
        acts = self.habits.timer != "counts_but_nothing"
        for name, control in self.controls.items():
            own = acts and control.model_id not in self.habits.idle_timers
            self.timers[name], reverts = elapse(self.timers[name], dt_s, acts=own)
            if reverts:
                self._fall_back(name, control)

    def power_on(self) -> None:
        """After a restart: what was written is forgotten, and no timer runs."""
        self._late = []
        self._held = set()
        for image in () if self.habits.keeps else self.bank.images:
            delivered = self._delivered.get(id(image), bytes(image.memory))
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
        each_w, each_var = (tuple(self.noisy(x) for x in told) for told in (ac.told_p_w, ac.told_q_var))
        p_w, q_var = (sum(each_w), sum(each_var)) if each_w else (self.noisy(ac.p_w), self.noisy(ac.q_var))
        return replace(ac, p_w=p_w, q_var=q_var, v_v=v_v, told_p_w=each_w, told_q_var=each_var)

    # inside

    def _find(self, address: int, count: int) -> tuple[ModelImage, list[Slot]]:
        try:
            image, slots = self.bank.find(address, count)
        except Refused:
            raise Refused(self.habits.refuse_code) from None
        if any(f"{image.model_id}.{slot.name}" in self.habits.without for slot in slots):
            raise Refused(self.habits.refuse_code)
        return image, slots

    def _at_the_gate(self, address: int, content: bytes) -> bool:
        """Whether this turns the gate only; Refused while it is closed."""
        if self.habits.gate is None:
            return False
        register, word = self.habits.gate
        if address == register and len(content) == 2:
            self._gate = int.from_bytes(content, "big")
            return True
        if self._gate != word:
            raise Refused(DEVICE_FAILURE)
        return False

    def _check_values(self, image: ModelImage, slots: Sequence[Slot]) -> None:
        for slot in slots:
            raw = image.raw(slot.name)
            if raw is None and slot.type not in ("string", "pad"):
                self.violations.append(f"I2 {image.model_id}.{slot.name} written as not implemented")
                raise Refused(ILLEGAL_VALUE)
            low, high = self.habits.refuses.get(slot.name, (-inf, inf))
            value = image.get(slot.name) if slot.name in self.habits.refuses else None
            if value is not None and not low <= value <= high:
                raise Refused(ILLEGAL_VALUE)
            if slot.symbols and raw not in slot.symbols:
                self.violations.append(f"I1 {image.model_id}.{slot.name} written as {raw}, not a symbol")
                raise Refused(ILLEGAL_VALUE)

    def _written(self, image: ModelImage, names: set[str], were_on: set[str]) -> None:
        if self.deaf:
            return
        for name, control in self.controls.items():
            if control.model_id != image.model_id or not names & control.members:
                continue
            if control.enable in names:
                self._held.add(image.model_id)
            if self._takes(name, control, names, were_on):
                self._late.append((self.habits.act_s, name)) if self.habits.act_s else self._adopt(name)
            if self.habits.timer != "timer_point" or control.timer in names:
                self._arm(name, control)

    def _takes(self, name: str, control: Control, names: set[str], were_on: set[str]) -> bool:
        """Whether the device goes by what was just written."""
        if self.habits.enable == "at_once":
            return True
        if self.habits.enable == "toggled" and name == "ceiling":
            return control.enable in names and not (name in were_on and self._enabled(control))
        return control.enable in names

    def _enabled(self, control: Control) -> bool:
        return self.bank.image(control.model_id).raw(control.enable) not in (control.off, None)

    def _arm(self, name: str, control: Control) -> None:
        after_s = self.bank.image(control.model_id).get(control.timer) or self.habits.timer_s
        self.timers[name] = armed(after_s, enabled=self._enabled(control))

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
        if self.habits.timer == "lapses":
            self.effective[name] = {**self.effective[name], control.enable: control.off}
            self.reverted += 1
            return
        if control.revert_enable and image.raw(control.revert_enable) == 1:
            for value, revert in control.pairs:
                raw = image.raw(revert)
                if raw is not None:
                    image.put_raw(value, int(raw))
        else:
            image.put_raw(control.enable, control.off)
        self.reverted += 1
        self._held.discard(control.model_id)
        self._adopt(name)
        self.bank.publish((control.model_id,))

    def _show_remaining(self) -> None:
        for name, control in self.controls.items():
            if control.remaining:
                left_s = self.timers[name].remaining_s
                self.bank.image(control.model_id).put_raw(control.remaining, round(left_s or 0.0))

    def _deliver(self) -> None:
        """As it leaves the factory."""
        for image in self.bank.images:
            first = f"{image.model_id}."
            own = {
                name.removeprefix(first): value
                for name, value in self.habits.delivered.items()
                if name.startswith(first)
            }
            image.put_all(own)
            self._delivered[id(image)] = bytes(image.memory)

    def _hide_controls(self, image: ModelImage, memory: bytearray) -> None:
        for control in self.controls.values():
            if control.model_id == image.model_id:
                for point in (control.enable, *control.points, control.timer):
                    slot = image.slots[point]
                    memory[slot.at * 2 : (slot.at + slot.size) * 2] = b"\xff" * (slot.size * 2)

    def _hide_until_told(self, image: ModelImage, memory: bytearray) -> None:
        for name in () if image.model_id in self._held else self.habits.until_told:
            model, _, point = name.partition(".")
            if model == str(image.model_id) and point in image.slots:
                slot = image.slots[point]
                memory[slot.at * 2 : (slot.at + slot.size) * 2] = b"\xff" * (slot.size * 2)
