"""The error tree. A class says who can act on it; attributes carry the numbers, so no caller matches on text."""

from __future__ import annotations

from dataclasses import dataclass


class DerctlError(Exception):
    """Root of everything derctl raises on purpose. Anything else that escapes is a bug."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing wrong in a configuration: where it stands and what would be right. line 0: the file as a whole."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message}" if self.path == "(file)" else f"{place}: {self.path}: {self.message}"


class ConfigError(DerctlError):
    """The configuration can't be used. Carries every problem found, not just the first. Exit code 78."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class BusError(DerctlError):
    """The exchange did not complete: the wire, not the device's opinion. The next poll is the retry."""


class BusTimeout(BusError):
    """No answer within the deadline. hint: what to look at, for a person. stray: what came instead, if anything."""

    def __init__(self, text: str = "", *, hint: str = "", stray: str = "") -> None:
        self.hint = hint
        self.stray = stray
        super().__init__(text)

    @property
    def full(self) -> str:
        """With the hint."""
        return f"{self}: {self.hint}" if self.hint else str(self)


class BusLate(BusTimeout):
    """Its time had passed before it could be sent: a busy wire or a process that was stopped, not a silent device."""


class BusClosed(BusError):
    """The connection is down (refused, reset, or closed by the peer). hint: what to look at, for a person. ended:
    somebody had taken it, and ended it. distrust: one side does not trust the other's certificate."""

    def __init__(self, text: str, *, hint: str = "", ended: bool = False, distrust: bool = False) -> None:
        self.hint, self.ended, self.distrust = hint, ended, distrust
        super().__init__(text)


class BusFrameError(BusError):
    """An answer came that doesn't belong to the request: transaction, unit, function, length or echo differ."""


class BusNoise(BusFrameError):
    """The same on a line where frames are found by themselves: this one is lost, the next request may follow."""


class BusBroken(BusNoise):
    """As many bytes came as the answer has, and they are none: noise on the line."""


class DeviceError(DerctlError):
    """The device answered, and the answer is no."""


EXCEPTIONS = {
    1: "illegal function",
    2: "illegal address",
    3: "illegal value",
    4: "device failure",
    5: "acknowledged, not done yet",
    6: "busy",
    0x0A: "the gateway has no way to it",
    0x0B: "the gateway gets no answer from it",
}
"""What a device means (Modbus V1.1b3, 7), for people."""


GATEWAY = frozenset({0x0A, 0x0B})
"""Exceptions that a gateway answers for a device which is silent."""


class DeviceRefused(DeviceError):
    """A Modbus exception response.

    code: the exception code (1 illegal function, 2 illegal address, 3 illegal value, 4 device failure,
    6 busy, 0x0A and 0x0B gateway).
    """

    def __init__(self, code: int, *, function: int, address: int, count: int) -> None:
        self.code = code
        self.function = function
        self.address = address
        self.count = count
        said = f" ({EXCEPTIONS[code]})" if code in EXCEPTIONS else ""
        super().__init__(f"exception {code}{said} to function {function} at {address} x {count}")

    @property
    def by_gateway(self) -> bool:
        """A gateway says so in the unit's place: no path to it, or no answer from it."""
        return self.code in GATEWAY


class WriteBarred(DerctlError):
    """derctl itself keeps this write from the wire: nobody permits it, or its register is never written."""


class RoleRefused(DeviceRefused):
    """Exception 1 over TLS: also the answer to a role that lacks the right (MB-TCP-Security-v21).

    role: the one in our certificate, None where it has none.
    """

    def __init__(self, refused: DeviceRefused, role: str | None) -> None:
        super().__init__(refused.code, function=refused.function, address=refused.address, count=refused.count)
        self.role = role
        self.who = "a certificate without a role" if role is None else f"the role {role}"
        told = str(self).replace(EXCEPTIONS[self.code], f"{EXCEPTIONS[self.code]}, or {self.who} may not")
        self.args = (told,)


class DecodeError(DeviceError):
    """Registers that can't mean what they claim. Names the model, the point and the raw value."""


class NotRecognised(DeviceError):
    """Whatever answers there is not the device that was asked for."""


class NoMap(NotRecognised):
    """A device that answers, with other registers than SunSpec's."""


class WrongKind(NotRecognised):
    """A device of another kind answers: no time will mend it. found: as what; expected: a kind of the catalogue."""

    def __init__(self, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected
        super().__init__(f"answers as {found}, the site file says {expected}")


class SectionUnclear(NotRecognised):
    """Several sections of a device fit, or not the one that is named. sections: those that fit, as text."""

    def __init__(self, text: str, sections: tuple[str, ...] = ()) -> None:
        self.sections = sections
        super().__init__(text)


class LinkError(DerctlError):
    """Broker or socket trouble. Retried around, never felt in control."""


class CommandError(DerctlError):
    """A command that is refused. `code` is stable, for the reply. confirm: what has to be said for it to be done."""

    def __init__(self, code: str, message: str, *, confirm: str | None = None) -> None:
        self.code = code
        self.confirm = confirm
        super().__init__(message)


class SettingError(DerctlError, ValueError):
    """A function's setting outside its range. Carries the range; config turns it into a Problem."""

    def __init__(self, name: str, value: object, allowed: str) -> None:
        self.name = name
        self.value = value
        self.allowed = allowed
        super().__init__(f"{name} = {value!r} is outside {allowed}")
