"""What a register map says of writing: the points, and in which order they make a setpoint. Data."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import StrEnum

from derctl.core.dataclass import dataclass
from derctl.core.words import Timer
from derctl.devices.fact import Fact
from derctl.devices.maps.line import Line


class Of(StrEnum):
    """What a step writes where that is no fixed value. watts: the setpoint, positive towards the grid; size: the same
    without its sign; percent: the setpoint in percent of p_max_w; fallback_percent: the same of what the DER may give
    without derctl; seconds: the reversion time. Of reactive power, positive where it is injected: var; var_size: the
    same without its sign; var_percent: in percent of q_max_var; va_percent: in percent of s_max_va."""

    WATTS = "watts"
    SIZE = "size"
    PERCENT = "percent"
    FALLBACK_PERCENT = "fallback_percent"
    SECONDS = "seconds"
    VAR = "var"
    VAR_SIZE = "var_size"
    VAR_PERCENT = "var_percent"
    VA_PERCENT = "va_percent"


POWERS = frozenset({Of.WATTS, Of.SIZE, Of.PERCENT})
VARS = frozenset({Of.VAR, Of.VAR_SIZE, Of.VAR_PERCENT, Of.VA_PERCENT})
AMOUNTS = POWERS | VARS
"""What a step makes of the setpoint, W or var."""
SIZES = frozenset({Of.SIZE, Of.VAR_SIZE})
"""Without a sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One that is written. volatile: its memory doesn't wear out; None: nobody says. wears: who says that. once:
    written only where it reads something else."""

    line: Line
    wears: Fact
    volatile: bool | None = None
    once: bool = False

    @property
    def name(self) -> str:
        """As the choke point of all writes knows it."""
        return f"own.{self.line.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One write: a raw value, or what `of` makes of the setpoint."""

    point: str
    value: int = 0
    of: Of | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How one thing is told. give: steps for 0 W or var and more; take: below 0, () where they are the same. release:
    to give it back; its last step alone tells that it is given back. timer: what the device makes of it by itself,
    after the seconds that it is told, or lapses_s. battery: it is the battery's power, and not that of the AC
    terminals."""

    fact: Fact
    give: tuple[Step, ...]
    release: tuple[Step, ...]
    take: tuple[Step, ...] = ()
    timer: Timer = Timer.NONE
    lapses_s: float | None = None
    battery: bool = False

    def way(self, amount: float) -> tuple[Step, ...]:
        """The steps for such a setpoint, W or var."""
        return self.take if amount < 0.0 and self.take else self.give

    @property
    def steps(self) -> Iterator[Step]:
        yield from (*self.give, *self.take, *self.release)

    @property
    def timed(self) -> bool:
        """Whether what it told lapses by itself."""
        return self.lapses_s is not None or any(step.of is Of.SECONDS for step in self.give)

    @property
    def reactive(self) -> bool:
        """Whether it tells var."""
        return any(step.of in VARS for step in self.give)

    @property
    def shares(self) -> bool:
        """Whether it is told in percent of a rating."""
        return any(step.of in {Of.PERCENT, Of.FALLBACK_PERCENT} for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """points: all that is written. limit: a ceiling; target: a power; var: reactive power."""

    points: tuple[Point, ...]
    limit: Order | None = None
    target: Order | None = None
    var: Order | None = None

    @property
    def orders(self) -> dict[str, Order]:
        """What it takes, by its name."""
        each = {"limit": self.limit, "target": self.target, "var": self.var}
        return {name: order for name, order in each.items() if order is not None}

    @property
    def used(self) -> tuple[Point, ...]:
        """Those that its orders need."""
        names = {step.point for order in self.orders.values() for step in order.steps}
        return tuple(point for point in self.points if point.line.name in names)

    @property
    def var_alone(self) -> tuple[Point, ...]:
        """Those that nothing but its var needs."""
        if self.var is None:
            return ()
        powers = [self.limit, self.target]
        needed = {step.point for order in powers if order is not None for step in order.steps}
        return tuple(point for point in self.points_of(self.var) if point.line.name not in needed)

    def point(self, name: str) -> Point:
        return next(point for point in self.points if point.line.name == name)

    def points_of(self, order: Order) -> tuple[Point, ...]:
        """Those that it needs, in their order."""
        return tuple(map(self.point, dict.fromkeys(step.point for step in order.steps)))

    def doubts(self, order: Order) -> Iterator[str]:
        """What of it nobody has confirmed, in words."""
        for line in (point.line for point in self.points_of(order)):
            if not (line.fact.confirmed or line.fact.quoted):
                yield f"{line.name} at {line.place} ({line.fact.by}: {line.fact.source})"
        if order.battery:
            yield "how the battery's own power is told apart from the PV's behind the same terminals"
        if not (order.fact.confirmed or order.fact.quoted):
            yield f"what writing it does ({order.fact.by}: {order.fact.source})"

    def quoted(self, order: Order, named: Collection[str] = ()) -> tuple[str, ...]:
        """The points of it that are quoted only, and that the site file does not name; all of them where what it does
        is quoted only."""
        points = self.points_of(order)
        doubted = [point for point in points if point.line.fact.quoted or order.fact.quoted]
        return tuple(point.name for point in doubted if point.name not in named)
