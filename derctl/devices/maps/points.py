"""The control points of a register map: a setpoint as their writes, and what they hold as a setpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from derctl.core.capability import clamp
from derctl.core.exchange import Exchange, Registers, Write
from derctl.core.types import Fallback
from derctl.devices.maps.blocks import Block
from derctl.devices.maps.control import Control, Of, Order, Step
from derctl.devices.maps.line import Line, Type
from derctl.devices.maps.number import encoded, number, size, words_of
from derctl.devices.most import MOST_PU
from derctl.devices.steps import Steps
from derctl.devices.sunspec.controls.rated import Rated
from derctl.devices.types import Answers

Words = Mapping[str, tuple[int, ...]]
"""The registers of each control point, by its name in the map."""
POWERS = frozenset({Of.WATTS, Of.SIZE, Of.PERCENT})
PERCENTS = frozenset({Of.PERCENT, Of.FALLBACK_PERCENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """blocks: in which they are read, with each poll."""

    control: Control
    rated: Rated
    blocks: tuple[Block, ...]

    def words(self, answers: Answers) -> Words | None:
        """None where a block is missing."""
        found: dict[str, tuple[int, ...]] = {}
        for block in self.blocks:
            words = answers.get(block.name)
            if words is None:
                return None
            found |= {line.name: tuple(words[at : at + size(line)]) for line, at in block.places}
        return found

    def read(self) -> Exchange[Words]:
        """Ask for them again."""
        fresh: dict[str, Registers] = {}
        for block in self.blocks:
            fresh[block.name] = yield block.read
        return self.words(fresh) or {}

    def stands(self, way: Sequence[Step], words: Words) -> bool:
        """Whether all its fixed values stand there."""
        fixed = [step for step in way if step.of is None]
        return all(words[step.point] == self._fixed(step) for step in fixed)

    def told_w(self, order: Order, words: Words) -> float | None:
        """By the way whose fixed values stand there; None where none does."""
        for way, sign in ((order.give, 1.0), (order.take, -1.0)):
            if way and self.stands(way, words):
                watts = {self._read_w(step, words, sign) for step in _powers(way)}
                return watts.pop() if len(watts) == 1 else None
        return None

    def _read_w(self, step: Step, words: Words, sign: float = 1.0) -> float | None:
        value = number(self._line(step), words[step.point])
        watts = None if value is None else value * _unit_w(self.rated, step)
        return watts if watts is None or step.of is not Of.SIZE else sign * watts

    def falls_w(self, order: Order, words: Words) -> float | None:
        """To what its timer lets it fall, as that reads back; None where it doesn't run, or nothing tells."""
        runs = [number(self._line(step), words[step.point]) for step in order.give if step.of is Of.SECONDS]
        falls = [self._read_w(step, words) for step in order.give if step.of is Of.FALLBACK_PERCENT]
        return falls[0] if falls and all(runs) and self.stands(order.give, words) else None

    def steps(self, order: Order) -> Steps:
        """Of the registers that take the power; a floating number has none."""
        sizes = [
            0.0 if self._line(step).type is Type.F32 else self._line(step).scale * _unit_w(self.rated, step)
            for step in _powers(order.give)
        ]
        return Steps(size=max(sizes), most=self.rated.rating.size_w)

    def tell(
        self, way: Sequence[Step], watts: float, fallback: Fallback, *, held: Words | None = None
    ) -> Exchange[None]:
        """Each step in a request of its own, in its order. held: what stands there, where that is known."""
        for step in way:
            point, line = self.control.point(step.point), self._line(step)
            words = self._fixed(step) if step.of is None else words_of(line, self._number(step, watts, fallback))
            if point.once and held is not None and held.get(step.point) == words:
                continue
            singly = self.rated.profile.writes == "registers"
            for i, part in enumerate([(word,) for word in words] if singly else [words]):
                yield Write(address=line.address + i, values=part, function=6 if singly else 16)

    def beyond(self, order: Order, write: Write) -> str:
        """What of a write would say more than the rating, in words. Values of the map's own mean what it says."""
        fixed = {(step.point, self._fixed(step)) for step in order.steps if step.of is None}
        for step in (step for step in order.steps if step.of in POWERS | PERCENTS):
            line = self._line(step)
            at = line.address - write.address
            words = write.values[at : at + size(line)] if at >= 0 else ()
            if len(words) < size(line) or (step.point, words) in fixed:
                continue
            value, most_w = number(line, words), self.rated.rating.size_w
            if value is not None and abs(value) * _unit_w(self.rated, step) > MOST_PU * most_w:
                return f"own.{line.name} would say {value:.6g}, and {most_w:.6g} W is all that it is rated for"
        return ""

    def _number(self, step: Step, watts: float, fallback: Fallback) -> float:
        if step.of is Of.SECONDS:
            line = self._line(step)
            low, high = line.valid or (line.scale, math.inf)
            return min(max(fallback.after_s, low), high)
        if step.of is Of.FALLBACK_PERCENT:
            full = self.rated.rating.p_max_w
            watts = full if fallback.p_ceiling_w is None else clamp(fallback.p_ceiling_w, 0.0, full)
        return (abs(watts) if step.of is Of.SIZE else watts) / _unit_w(self.rated, step)

    def _fixed(self, step: Step) -> tuple[int, ...]:
        return encoded(self._line(step), step.value)

    def _line(self, step: Step) -> Line:
        return self.control.point(step.point).line


def point_at(control: Control | None, address: int) -> str:
    """The name of the control point that has this register; of none, the register."""
    points = () if control is None else control.points
    there = (point.name for point in points if 0 <= address - point.line.address < size(point.line))
    return next(there, f"register {address}")


def _powers(way: Sequence[Step]) -> list[Step]:
    """One, or the same in each phase's register, which holds its share by its scale."""
    return [step for step in way if step.of in POWERS]


def _unit_w(rated: Rated, step: Step) -> float:
    """What one of its unit is, W."""
    return rated.rating.p_max_w / 100.0 if step.of in PERCENTS else 1.0
