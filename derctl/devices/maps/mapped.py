"""What all devices with a register map have in common: their blocks, who they are, and what of them is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar, Self

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Read, Write
from derctl.core.value import replace
from derctl.devices.maps.blocks import Block, polled, readable
from derctl.devices.maps.derived import derived
from derctl.devices.maps.map import RegisterMap
from derctl.devices.maps.number import Value
from derctl.devices.maps.quantities import PHASE_POWERS
from derctl.devices.maps.recognise import connected, identified
from derctl.devices.nominal import Nominal, System
from derctl.devices.profile import Habits
from derctl.devices.types import Answers, Identity, Options
from derctl.devices.unwritten import Unwritten
from derctl.errors import NotRecognised

TOLD = frozenset({"map_bms", "map_storage", "map_hybrid"})
"""Kinds of which what they tell when they are found decides what of a battery is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is known of a device once its signature fits. fast, slow: what is polled; own: the points that are
    written, with each fast poll. system: how it is connected. first: what the fast ones said when it was found."""

    map: RegisterMap
    options: Options
    identity: Identity
    fast: tuple[Block, ...]
    slow: tuple[Block, ...]
    own: tuple[Block, ...] = ()
    system: System | None = None
    first: Mapping[str, Value | None] = field(default_factory=dict, repr=False, compare=False)


def started(kind: str, options: Options) -> Exchange[Start]:
    """Recognise it. Raises NotRecognised."""
    made, most = options.profile.map, options.profile.max_regs
    if made is None or made.kind != kind:
        raise NotRecognised(f"profile {options.profile.name} has no register map of a {kind}")
    identity = yield from identified(made, most)
    system = yield from connected(made)
    fast, slow = (polled(made, most, slow=each, system=system) for each in (False, True))
    fast, first = yield from readable(made, fast, told=kind in TOLD)
    if any(len(block.places) > 1 for block in slow):
        slow, _ = yield from readable(made, slow, told=False)
    return Start(map=made, options=options, identity=identity, fast=fast, slow=slow, system=system, first=first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A bound device. Who inherits decodes it. unseen: why nobody raises it, "" where nothing speaks against it."""

    VITAL: ClassVar[tuple[str, ...]] = ("p_w",)
    """Quantities without which it is no such device."""

    start: Start
    problems: tuple[str, ...] = ()
    unseen: str = ""
    lacks: tuple[str, ...] = ()
    control: Mapping[str, Read] = field(init=False, repr=False, compare=False)
    slow: Mapping[str, Read] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "control", {block.name: block.read for block in (*self.start.fast, *self.start.own)})
        object.__setattr__(self, "slow", {f"slow.{block.name}": block.read for block in self.start.slow})

    @property
    def options(self) -> Options:
        return self.start.options

    @property
    def identity(self) -> Identity:
        return self.start.identity

    @property
    def nominal(self) -> Nominal:
        return Nominal(system=self.start.system)

    @property
    def habits(self) -> Habits:
        return Habits(profile=self.options.profile, by=self.options.profile_by, unverified=self.unseen)

    def saying(self, problem: str) -> Self:
        """The same with one more problem."""
        return replace(self, problems=(*self.problems, problem))

    def identify(self) -> Exchange[Identity]:
        return identified(self.start.map, self.options.profile.max_regs)

    def without(self, refused: Mapping[str, str]) -> Self | None:
        """Nothing is left without what it needs: of a meter its power, of a battery its state."""
        left = tuple(block for block in self.start.fast if block.name not in refused)
        gone = [line.name for block in self.start.fast if block.name in refused for line, _ in block.places]
        vital = PHASE_POWERS if self.start.map.summed else self.VITAL
        if not left or any(name in vital for name in gone):
            return None
        problems = (*self.problems, f"without {', '.join(gone)}: {'; '.join(refused.values())}")
        return replace(self, start=replace(self.start, fast=left), problems=problems)

    def values(self, answers: Answers) -> dict[str, Value | None]:
        """What its lines say, None where nothing; of a block that is missing nothing is known."""
        values: dict[str, Value | None] = {}
        for blocks, prefix in ((self.start.fast, ""), (self.start.slow, "slow.")):
            for block in blocks:
                words = answers.get(f"{prefix}{block.name}")
                values |= {} if words is None else block.values(words)
        return derived(self.start.map, values)

    def points_of(self, write: Write) -> tuple[str, ...]:
        """It has none that derctl writes."""
        return tuple(f"register {write.address + i}" for i in range(len(write.values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Unwritten, Mapped):
    """A meter or a BMS: without a rating, and only read."""
