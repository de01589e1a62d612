"""What a driver is: blocks to poll, a pure decode, and generators for everything that takes several exchanges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Protocol

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Read, Registers, Write
from derctl.core.types import NOTHING, Capability, Fallback, Rating, Reading, Setpoint
from derctl.core.words import ProfileBy, Timer
from derctl.devices.nominal import Nominal
from derctl.devices.profile import Habits, Profile

Answers = Mapping[str, Registers]
"""The registers of a poll by the name that the device gave each block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the device says it is (SunSpec model 1), as text that can be shown. serial "": it has none to tell."""

    maker: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""

    @property
    def name(self) -> str:
        """`Maker Model`."""
        return f"{self.maker} {self.model}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What the site file takes as it is although nothing that is known confirms it. firmware: the version that the
    profile was not seen with. points: those of a register map that are quoted only."""

    firmware: str | None = None
    points: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the site file says about one device. sign: of a meter's W, +1 is export.

    shelf: the profiles of which the device's own identity chooses, () where the site file names one; until then, and
    where none is meant for it, `profile` counts. profile_by: who chose it.
    declared: the installer's rating, for a device that states none; such a device is only read. control: whether the
    site wants to write it.
    section: which of several in the chain it is: its number, or the Opt or serial of its model 1.
    phase: 0 to 2, in which an inverter with one phase feeds; None: not known.
    bms_here: whether the battery's management system is in this chain, None where the site file doesn't say;
    bms_section, bms_serial: which one that is.
    """

    profile: Profile = field(default_factory=Profile)
    shelf: tuple[Profile, ...] = ()
    profile_by: ProfileBy = ProfileBy.SITE_FILE
    taken: Taken = field(default_factory=Taken)
    v_nom_v: float = 230.0
    f_nom_hz: float = 50.0
    own_functions: str = "read"
    sign: int = 1
    declared: Rating | None = None
    control: bool = True
    section: int | str | None = None
    phase: int | None = None
    bms_here: bool | None = None
    bms_section: int | str | None = None
    bms_serial: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversion:
    """What a device's timer makes of its power when derctl is silent. model: the one that has the timer. lapses_s:
    of one that can't be kept from running, after how long at the latest what it was told lapses; inf: after the time
    that it is told with it."""

    timer: Timer = Timer.NONE
    model: int | None = None
    lapses_s: float | None = None


class Device(Protocol):
    """A device that was found and understood. Frozen: what it knows doesn't change until it is bound again."""

    @property
    def identity(self) -> Identity: ...

    @property
    def rating(self) -> Rating:
        """For a meter or a BMS: zeros."""
        ...

    @property
    def nominal(self) -> Nominal:
        """The voltage and frequency that it states."""
        ...

    @property
    def can(self) -> Capability: ...

    @property
    def control(self) -> Mapping[str, Read]:
        """Blocks of the fast poll, by name."""
        ...

    @property
    def slow(self) -> Mapping[str, Read]:
        """Blocks that may be read at leisure, by name."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """What was wrong with the map, or is missing for control."""
        ...

    @property
    def lacks(self) -> tuple[str, ...]:
        """What another look may find, in words; () for a device that was found whole."""
        ...

    @property
    def reversion(self) -> Reversion: ...

    @property
    def habits(self) -> Habits: ...

    def identify(self) -> Exchange[Identity]:
        """Ask again who answers there. Raises NotRecognised."""
        ...

    def rate(self) -> Exchange[Rating]:
        """Ask again for its rating. Raises DeviceError."""
        ...

    def without(self, refused: Mapping[str, str]) -> Device | None:
        """The device without what stands in these blocks of its fast poll (refused: why not, by name); None where
        nothing is left of it."""
        ...

    def decode(self, answers: Answers) -> Reading:
        """Registers to engineering units, sign normalised, as they stand: what can't be true is dropped by
        `plausible`, for all drivers alike. Of a control block that is missing nothing is known. Raises DecodeError
        where the map has moved."""
        ...

    def promises(self, answers: Answers, fallback: Fallback) -> bool | None:
        """Whether it reads back what makes the fallback true; None where that can't be read back."""
        ...

    def absent_w(self, fallback: Fallback) -> float:
        """The most it may give when derctl is not there, as far as the device itself makes the fallback true."""
        ...


class Controllable(Device, Protocol):
    """A device that takes setpoints."""

    def points_of(self, write: Write) -> tuple[str, ...]:
        """The points that a write touches, as `123.WMaxLimPct`; what has no name is never written."""
        ...

    def beyond(self, write: Write, answers: Answers) -> str:
        """What of a write would say more than its register can mean, in words; "" where nothing. answers: with the
        scale factors that count."""
        ...

    def sendable(self, setpoint: Setpoint) -> Setpoint:
        """The setpoint as this device can take it: in its rating, 0 for a limit that would send it to sleep, and on a
        step of its registers, so that it reads back as it was sent."""
        ...

    def write(
        self,
        setpoint: Setpoint,
        fallback: Fallback,
        answers: Answers,
        *,
        give_back_var: bool = False,
        toggle: bool = False,
    ) -> Exchange[Setpoint]:
        """Write with reversion armed, enable last, read back. Returns what the device accepted, in W and var.

        give_back_var: where the setpoint has no var, the device gets its own back, after the power.
        toggle: what is switched on is switched off with that, and on behind it, for a device that heeds nothing else.
        """
        ...

    def release(
        self,
        fallback: Fallback,
        *,
        lift: bool,
        held: Setpoint = NOTHING,
        believed: bool = True,
    ) -> Exchange[Setpoint]:
        """Give back setpoints; limits stand at the lower of the present one and the fallback (lift: the fallback).
        Returns what stands then: as it reads back, or as it was written where that says nothing.

        held: what derctl wrote last, for a device whose present limit or var can't be read back, or says nothing
        (believed: False, the profile's `effect_only`). Where neither tells the present limit it is left as it is,
        unless a reversion would let go of it: then the fallback stands.
        """
        ...
