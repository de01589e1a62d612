"""Whether what answers is the device that a map is of: by reading only."""

from __future__ import annotations

from derctl.core.exchange import PASSING, Exchange, Read
from derctl.core.text import serial_text
from derctl.devices.maps.blocks import blocks_of
from derctl.devices.maps.line import Mark, Type
from derctl.devices.maps.map import RegisterMap
from derctl.devices.maps.number import number, raw_of, size, text
from derctl.devices.maps.quantities import IDENTITY
from derctl.devices.nominal import System
from derctl.devices.types import Identity
from derctl.errors import DeviceRefused, NotRecognised


def recognised(made: RegisterMap) -> Exchange[None]:
    """Raises NotRecognised with the register that says otherwise."""
    for mark in made.signature:
        line = mark.line
        try:
            words = yield Read(address=line.address, count=size(line), function=line.function)
        except DeviceRefused as error:
            if error.code in PASSING:
                raise
            raise NotRecognised(f"it is no {made.name}: register {line.place} is refused ({error})") from error
        told = _told(mark, tuple(words))
        if told is not None:
            text = f"register {line.place} reads {told}, not {mark.wanted}"
            raise NotRecognised(f"it is no {made.name}: {text}")


def _told(mark: Mark, words: tuple[int, ...]) -> str | None:
    """What stands there instead; None where it fits."""
    line = mark.line
    if line.type is Type.STRING:
        said = text(line, words)
        return None if said.casefold().startswith(mark.text.casefold()) else repr(said)
    if mark.within is None:
        raw = raw_of(line, words)
        return None if raw in mark.values else str(raw)
    value = number(line, words)
    if value is None:
        return "nothing"
    return None if mark.within[0] <= value <= mark.within[1] else f"{value:g}"


def identified(made: RegisterMap, max_regs: int) -> Exchange[Identity]:
    """Who it says it is; what of that it refuses is not told. Raises NotRecognised."""
    yield from recognised(made)
    said: dict[str, str] = {}
    for block in blocks_of(made, made.named(IDENTITY), max_regs):
        try:
            words = yield block.read
        except DeviceRefused as error:
            if error.code in PASSING:
                raise
            continue
        said |= {line.name: text(line, words[at : at + size(line)]) for line, at in block.places}
    return Identity(
        maker=made.maker,
        model=said.get("model") or made.model,
        serial=serial_text(said.get("serial", "")),
        firmware=said.get("firmware", ""),
    )


def connected(made: RegisterMap) -> Exchange[System | None]:
    """How it is connected, as far as its map or it itself says."""
    asked = made.connection
    if made.system is not None or asked is None:
        return made.system
    try:
        words = tuple((yield Read(address=asked.line.address, count=size(asked.line), function=asked.line.function)))
    except DeviceRefused as error:
        if error.code in PASSING:
            raise
        return None
    said = text(asked.line, words).casefold() if asked.texts else ""
    told = [system for part, system in asked.texts if part.casefold() in said]
    return next(iter(told), dict(asked.raws).get(raw_of(asked.line, words)))
