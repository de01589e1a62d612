"""One number of a register map, as data: where it stands, what it means, and who says so."""

from __future__ import annotations

from enum import StrEnum

from derctl.core.dataclass import dataclass
from derctl.core.words import Status
from derctl.devices.fact import Fact
from derctl.devices.nominal import System


class Type(StrEnum):
    """How a number stands in its registers. string: text, two characters a register. bits:
    coils or discrete inputs, the first one is bit 0."""

    U16 = "u16"
    S16 = "s16"
    U32 = "u32"
    S32 = "s32"
    U64 = "u64"
    F32 = "f32"
    STRING = "string"
    BITS = "bits"


SIZES = {Type.U16: 1, Type.S16: 1, Type.U32: 2, Type.S32: 2, Type.U64: 4, Type.F32: 2}
"""Registers of each type; a text and bits have their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One number of a map. value = sign * (raw * scale + offset), in `unit`.

    address: of the wire, 0-based. low_first: of several registers the low word stands first. part: half of a
    register, "" for all of it. absent: raw values that mean nothing. valid: what is outside means nothing either.
    states: what a raw value says of the device. bits: names of the bits that are set. slow: read now and then.
    exponent: so many registers behind its first one stands its power of ten; 0: nowhere. when, unless: it counts only
    of a device that is connected so, or that isn't. count, pick: so many numbers stand one behind the other, of which
    it is the highest or the lowest that means anything.
    """

    name: str
    address: int
    type: Type
    fact: Fact
    function: int = 3
    registers: int = 1
    low_first: bool = False
    part: str = ""
    scale: float = 1.0
    offset: float = 0.0
    sign: int = 1
    unit: str = ""
    absent: tuple[int, ...] = ()
    valid: tuple[float, float] | None = None
    states: tuple[tuple[int, Status], ...] = ()
    bits: tuple[tuple[int, str], ...] = ()
    slow: bool = False
    exponent: int = 0
    when: System | None = None
    unless: System | None = None
    count: int = 1
    pick: str = ""

    def counts(self, system: System | None) -> bool:
        """Of a device that is connected so; None: nobody says how."""
        return (self.when is None or self.when is system) and (self.unless is None or self.unless is not system)

    @property
    def place(self) -> str:
        """For people."""
        return f"{self.address} (0x{self.address:04X}, function {self.function})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What stands in a register of such a device: one of `values`, a number within `within`, or a text that begins
    with `text`. It is read alone."""

    line: Line
    values: tuple[int, ...] = ()
    within: tuple[float, float] | None = None
    text: str = ""

    @property
    def wanted(self) -> str:
        """For people."""
        if self.text:
            return f"a text that begins with {self.text!r}"
        if self.within is not None:
            return f"{self.within[0]:g} to {self.within[1]:g}"
        return " or ".join(map(str, self.values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A register that says how such a device is connected: by its raw value, or by what stands in its text."""

    line: Line
    raws: tuple[tuple[int, System], ...] = ()
    texts: tuple[tuple[str, System], ...] = ()
