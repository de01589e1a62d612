"""Faults inside a device, one function each: they start on a Unit and give back what undoes them.

Points are named `MODEL.POINT`, as in `103.W` or `704.PFWInj.PF`.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable, Mapping, Sequence

from hil.faces.bank import Bank, Overlay, Refused
from hil.faces.image import ModelImage, Slot
from hil.plant.reversion import DeadMan
from hil.unit import Unit

Undo = Callable[[], None]
_numbers = itertools.count(1)


def _overlay(unit: Unit, overlay: Overlay) -> Undo:
    number = next(_numbers)
    unit.face.bank.overlays[number] = overlay
    unit.face.bank.publish()

    def undo() -> None:
        unit.face.bank.overlays.pop(number, None)
        unit.face.bank.publish()

    return undo


def _on_write(unit: Unit, fault: Callable[[int, bytes], bytes | None]) -> Undo:
    number = next(_numbers)
    unit.write_faults[number] = fault

    def undo() -> None:
        unit.write_faults.pop(number, None)

    return undo


def _point(unit: Unit, name: str) -> tuple[ModelImage, Slot]:
    model_id, _, point = name.partition(".")
    image = unit.face.bank.image(int(model_id))
    return image, image.slots[point]


def _on_point(unit: Unit, name: str, change: Callable[[bytes], bytes]) -> Undo:
    target, slot = _point(unit, name)
    first, last = slot.at * 2, (slot.at + slot.size) * 2

    def overlay(image: ModelImage, memory: bytearray) -> None:
        if image is target:
            memory[first:last] = change(bytes(memory[first:last]))

    return _overlay(unit, overlay)


def frozen(unit: Unit, *, models: Sequence[int] | None = None) -> Undo:
    """Measured values stand still while the socket lives; control points still echo what is written."""
    kept = {id(image): bytes(image.memory) for image in unit.face.bank.images}

    def overlay(image: ModelImage, memory: bytearray) -> None:
        if models is not None and image.model_id not in models:
            return
        for slot in image.slots.values():
            if not slot.writable:
                first, last = slot.at * 2, (slot.at + slot.size) * 2
                memory[first:last] = kept[id(image)][first:last]

    return _overlay(unit, overlay)


def not_implemented(unit: Unit, *, point: str) -> Undo:
    """The point reads as its type's "not implemented"."""
    image, slot = _point(unit, point)
    blank = ModelImage(image.model_id, image.counts)
    gone = bytes(blank.memory[slot.at * 2 : (slot.at + slot.size) * 2])
    return _on_point(unit, point, lambda _: gone)


def all_not_implemented(unit: Unit, *, model: int) -> Undo:
    """Every measured point of a model reads "not implemented" (asleep, as some devices do it)."""
    target = unit.face.bank.image(model)
    blank = ModelImage(target.model_id, target.counts)

    def overlay(image: ModelImage, memory: bytearray) -> None:
        for slot in image.slots.values() if image is target else ():
            if not slot.writable and slot.type not in ("sunssf",) and slot.name not in ("ID", "L"):
                memory[slot.at * 2 : (slot.at + slot.size) * 2] = blank.memory[
                    slot.at * 2 : (slot.at + slot.size) * 2
                ]

    return _overlay(unit, overlay)


def scale_factor(unit: Unit, *, point: str, to: int) -> Undo:
    """A scale factor changes while the device runs; engineering values stay what they are."""
    image, slot = _point(unit, point)
    before = int(image.raw(slot.name) or 0)

    def change(raw: int) -> None:
        scaled = [name for name, other in image.slots.items() if other.sf == slot.name]
        values = {name: image.get(name) for name in scaled}
        image.put_raw(slot.name, raw)
        for name, value in values.items():
            image.put(name, value)
        unit.face.bank.publish((image.model_id,))

    change(to)
    return lambda: change(before)


def sign_flip(unit: Unit, *, point: str) -> Undo:
    """The point reads negated."""
    return _on_point(unit, point, _negated)


def _negated(content: bytes) -> bytes:
    value = int.from_bytes(content, "big", signed=True)
    low = -(2 ** (8 * len(content) - 1))
    return content if value == low else (-value).to_bytes(len(content), "big", signed=True)


def word_swap(unit: Unit, *, point: str) -> Undo:
    """The words of a long point come low word first."""
    return _on_point(
        unit, point, lambda content: b"".join(content[i : i + 2] for i in range(len(content) - 2, -1, -2))
    )


def spike(unit: Unit, *, point: str, to: float, p: float = 0.2) -> Undo:
    """With probability p a refresh shows an absurd value (engineering units)."""
    image, slot = _point(unit, point)

    def change(content: bytes) -> bytes:
        if unit.face.random.random() >= p:
            return content
        return image.encoded(slot, to)

    return _on_point(unit, point, change)


def stuck_at(unit: Unit, *, point: str, to: float) -> Undo:
    """The point shows one value (engineering units), whatever happens."""
    image, slot = _point(unit, point)
    return _on_point(unit, point, lambda _: image.encoded(slot, to))


FROM_CLAMPS = frozenset({"A_SF", "W_SF", "VA_SF", "VAR_SF", "PF_SF"})
"""Scale factors of what a meter works out of its current clamps: all of it but voltage, frequency and energy."""


def clamps_off(unit: Unit, *, model: int, noise_w: float = 6.0) -> Undo:
    """The current clamps fell off: sum and phases of current and power read next to nothing, each refresh anew."""
    target = unit.face.bank.image(model)

    def overlay(image: ModelImage, memory: bytearray) -> None:
        for slot in image.slots.values() if image is target else ():
            if slot.sf in FROM_CLAMPS:
                to = unit.face.random.uniform(-noise_w, noise_w) if slot.sf == "W_SF" else 0.0
                memory[slot.at * 2 : (slot.at + slot.size) * 2] = image.encoded(slot, to)

    return _overlay(unit, overlay)


def identity(unit: Unit, *, serial: str | None = None, version: str | None = None) -> Undo:
    """Another serial number or firmware version: the device was swapped or updated."""
    image = unit.face.bank.image(1)
    before = (image.raw("SN"), image.raw("Vr"))

    def change(sn: str | None, vr: str | None) -> None:
        for name, value in (("SN", sn), ("Vr", vr)):
            if value is not None:
                image.put(name, value)
        unit.face.bank.publish((1,))

    change(serial, version)
    return lambda: change(*before)


def swapped(unit: Unit, *, serial: str) -> Undo:
    """Another device of the same type answers in its place, as it left the factory: nothing is limited or set."""
    for control in unit.face.controls.values():
        image = unit.face.bank.image(control.model_id)
        image.put_raw(control.enable, control.off)
    unit.face.timers = {name: DeadMan() for name in unit.face.controls}
    unit.face.adopt_all()
    return identity(unit, serial=serial)


def moves(unit: Unit, *, base: int) -> Undo:
    """Its map begins at another address from now on, as after an update of its firmware."""
    face = unit.face
    before = face.bank

    def put(bank: Bank) -> None:
        face.bank = bank
        bank.publish()

    bank = Bank(before.images, base=base)
    bank.overlays, bank.refused = before.overlays, before.refused
    put(bank)
    return lambda: put(before)


def no_map(unit: Unit) -> Undo:
    """All its registers read as garbage: the same bytes at each look, and no SunSpec map among them."""
    noise = random.Random(unit.unit_id)
    rubbish = {id(image): noise.randbytes(len(image.memory)) for image in unit.face.bank.images}

    def overlay(image: ModelImage, memory: bytearray) -> None:
        memory[:] = rubbish[id(image)]

    return _overlay(unit, overlay)


class Mirrors(Bank):
    """Whatever is read behind the first model: another header, of one register, for ever."""

    def read(self, address: int, count: int) -> bytes:
        """Its own first model, then a vendor's model of length 1 in each three registers."""
        first = self.start[id(self.images[0])] + self.images[0].size
        if address < first:
            return super().read(address, count)
        words = [(64001, 1, 0)[(at - first) % 3] for at in range(address, address + count)]
        return b"".join(word.to_bytes(2, "big") for word in words)


def mirrors(unit: Unit) -> Undo:
    """Its chain never ends."""
    bank = unit.face.bank
    unit.face.bank = Mirrors(bank.images, base=bank.base)

    def undo() -> None:
        unit.face.bank = bank

    return undo


def length_lies(unit: Unit, *, model: int, to: int) -> Undo:
    """The header of a model tells another length, so that what follows is looked for elsewhere."""
    target = unit.face.bank.image(model)

    def overlay(image: ModelImage, memory: bytearray) -> None:
        if image is target:
            memory[2:4] = to.to_bytes(2, "big")

    return _overlay(unit, overlay)


def write_ignored(unit: Unit, *, keeps_echo: bool = False) -> Undo:
    """Writes are answered as done and change nothing; `keeps_echo`: they read back, and the device does not act."""
    if not keeps_echo:
        return _on_write(unit, lambda _address, _content: None)
    unit.face.deaf = True

    def undo() -> None:
        unit.face.deaf = False
        unit.face.adopt_all()

    return undo


def write_clipped(unit: Unit, *, point: str, low: float, high: float) -> Undo:
    """The device stores the nearest value inside [low, high] (engineering units) and answers as if all were well."""
    image, slot = _point(unit, point)
    start = unit.face.bank.start[id(image)] + slot.at

    def fault(address: int, content: bytes) -> bytes:
        at = (start - address) * 2
        if at < 0 or at + slot.size * 2 > len(content):
            return content
        value = max(low, min(high, image.decoded(slot, content[at : at + slot.size * 2])))
        return content[:at] + image.encoded(slot, value) + content[at + slot.size * 2 :]

    return _on_write(unit, fault)


def write_late(unit: Unit, *, delay_s: float = 10.0) -> Undo:
    """Writes are answered at once and carried out delay_s later."""
    loop = asyncio.get_running_loop()

    def carry_out(address: int, content: bytes) -> None:
        with contextlib.suppress(Refused):
            unit.face.write(address, content)

    def fault(address: int, content: bytes) -> None:
        loop.call_later(delay_s, carry_out, address, content)

    return _on_write(unit, fault)


REGISTER: Mapping[str, Callable[..., Undo]] = {
    f.__name__: f
    for f in (
        frozen, not_implemented, all_not_implemented, scale_factor, sign_flip, word_swap, spike, stuck_at, clamps_off,
        identity, swapped, moves, no_map, mirrors, length_lies, write_ignored, write_clipped, write_late,
    )
}  # fmt: skip
