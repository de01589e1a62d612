"""A device of the site file as it was met: what it was asked for, what came, and what else answers on its wire."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from derctl.core.dataclass import dataclass
from derctl.core.types import Fallback, Reading
from derctl.devices import Device, Profile


class Trouble(StrEnum):
    """Why a device was not met.

    no_connection: its wire could not be opened. closed: opened, and closed by the other side before any answer.
    silent: no answer in time. elsewhere: a gateway says that nobody is there. foreign: something came that is no
    answer to it. not_understood, other_kind, section: it answers, and is not what the site file says.
    """

    NO_CONNECTION = "no_connection"
    CLOSED = "closed"
    SILENT = "silent"
    ELSEWHERE = "elsewhere"
    FOREIGN = "foreign"
    NOT_UNDERSTOOD = "not_understood"
    OTHER_KIND = "other_kind"
    SECTION = "section"


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """Who answers on the wire of one that does not: at which unit id, with which settings of a serial line (as the
    keys of the site file), and as whom; "": it answers, and does not say."""

    unit: int
    settings: str = ""
    who: str = ""
    serial: str = ""

    def __str__(self) -> str:
        at = f"unit {self.unit}" + (f" at {self.settings}" if self.settings else "")
        return f"{at}: {self.who}" if self.who else at


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the site file says. place: as people write it; serial_line: whether it is one. wanted: the serial number.
    fallback: of a DER that is controlled. sign: of a meter."""

    id: str
    role: str
    bus: str
    place: str
    unit: int
    serial_line: bool = False
    wanted: str | None = None
    profile: Profile = field(default_factory=Profile)
    fallback: Fallback | None = None
    store: bool = False
    bms_elsewhere: bool = False
    sign: int = 1
    deadline_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """asked, and what came of it. said: the words of what failed. neighbours: who answers there in its place.

    wrong: what of the device is not as the site file says, by its key there. samples: readings, one after the other,
    None for one that failed. slowest_s: of its answers.
    """

    asked: Asked
    device: Device | None = None
    trouble: Trouble | None = None
    said: str = ""
    neighbours: tuple[Neighbour, ...] = ()
    wrong: tuple[tuple[str, str], ...] = ()
    samples: tuple[Reading | None, ...] = ()
    slowest_s: float = 0.0

    @property
    def read(self) -> tuple[Reading, ...]:
        """The samples that came."""
        return tuple(each for each in self.samples if each is not None)

    @property
    def profile(self) -> Profile:
        """By which it is taken."""
        return self.asked.profile if self.device is None else self.device.habits.profile
