"""A SunSpec device that was found, whatever it is: its map, and who it says it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Self

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Read, Write
from derctl.core.text import device_text, serial_text
from derctl.core.value import replace
from derctl.devices.profile import Habits
from derctl.devices.sunspec.layout import Layout
from derctl.devices.types import Answers, Identity, Options
from derctl.devices.writable import GATE
from derctl.errors import DecodeError


def incomplete(lacks: Sequence[str]) -> tuple[str, ...]:
    """As a problem of the device."""
    return (f"incomplete, so it is looked at again for {', '.join(lacks)}",) if lacks else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """problems: what was wrong with the map, or is missing for control. lacks: what another look may find."""

    layout: Layout
    options: Options
    problems: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    habits: Habits = field(default_factory=Habits)

    @property
    def identity(self) -> Identity:
        return self.layout.identity

    @property
    def whose(self) -> Mapping[str, Read]:
        """A slow block that tells whose the others are, where one of several sections was meant."""
        return {} if self.layout.who is None else {self.layout.who.name: self.layout.who.read}

    def confirm(self, answers: Answers) -> None:
        """Raises DecodeError where another section has come to stand in its place: a meter that is switched off may
        vanish from the chain, and those behind it move up."""
        who = self.layout.who
        if who is None or who.name not in answers:
            return
        values = who.values(answers)
        told = {"serial": serial_text(values["SN"] or ""), "Opt": device_text(values["Opt"] or "")}
        stood = {"serial": self.identity.serial, "Opt": self.layout.opt}
        for name, now in told.items():
            if now and stood[name] and now != stood[name] and "?" not in now + stood[name]:
                raise DecodeError(f"{name} {now!r} stands where {stood[name]!r} stood: the sections have moved")

    def saying(self, problem: str) -> Self:
        """The same with one more problem."""
        return replace(self, problems=(*self.problems, problem))

    def identify(self) -> Exchange[Identity]:
        return self.layout.identify()

    def points_of(self, write: Write) -> tuple[str, ...]:
        gate = (write.address, *write.values) == self.options.profile.gate
        return (GATE,) if gate else self.layout.points_of(write)
