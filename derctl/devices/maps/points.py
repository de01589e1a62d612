"""The control points of a register map: a setpoint as their writes, and what they hold as a setpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from derctl.core.capability import clamp
from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Registers, Write
from derctl.core.types import Fallback, Rating
from derctl.devices.maps.blocks import Block
from derctl.devices.maps.control import AMOUNTS, SIZES, VARS, Control, Of, Order, Step
from derctl.devices.maps.line import Line, Type
from derctl.devices.maps.number import encoded, number, size, words_of
from derctl.devices.most import MOST_PU
from derctl.devices.steps import Steps
from derctl.devices.sunspec.controls.rated import Rated
from derctl.devices.types import Answers

Words = Mapping[str, tuple[int, ...]]
"""The registers of each control point, by its name in the map."""
PERCENTS = frozenset({Of.PERCENT, Of.FALLBACK_PERCENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """blocks: in which they are read, with each poll; () where they are written only."""

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

    def told(self, order: Order, words: Words) -> float | None:
        """W or var, by the way whose fixed values stand there; None where none does."""
        for way, sign in ((order.give, 1.0), (order.take, -1.0)):
            if way and self.stands(way, words):
                amounts = {self._read(step, words, sign) for step in _amounts(way)}
                return amounts.pop() if len(amounts) == 1 else None
        return None

    def _read(self, step: Step, words: Words, sign: float = 1.0) -> float | None:
        value = number(self._line(step), words[step.point])
        amount = None if value is None else value * _unit(self.rated.rating, step)
        return sign * amount if amount is not None and step.of in SIZES else amount

    def falls_w(self, order: Order, words: Words) -> float | None:
        """To what its timer lets it fall, as that reads back; None where it doesn't run, or nothing tells."""
        runs = [number(self._line(step), words[step.point]) for step in order.give if step.of is Of.SECONDS]
        falls = [self._read(step, words) for step in order.give if step.of is Of.FALLBACK_PERCENT]
        return falls[0] if falls and all(runs) and self.stands(order.give, words) else None

    def steps(self, order: Order) -> Steps:
        """Of the registers that take the power, or the var; a floating number has none."""
        given = _amounts(order.give)
        sizes = [
            0.0 if self._line(step).type is Type.F32 else self._line(step).scale * _unit(self.rated.rating, step)
            for step in given
        ]
        return Steps(size=max(sizes), most=_most(self.rated.rating, given[0]))

    def tell(
        self, way: Sequence[Step], amount: float, fallback: Fallback, *, held: Words | None = None
    ) -> Exchange[None]:
        """Each step in a request of its own, in its order. held: what stands there, where that is known."""
        for step in way:
            point, line = self.control.point(step.point), self._line(step)
            words = self._fixed(step) if step.of is None else words_of(line, self._number(step, amount, fallback))
            if point.once and held is not None and held.get(step.point) == words:
                continue
            singly = self.rated.profile.writes == "registers"
            for i, part in enumerate([(word,) for word in words] if singly else [words]):
                yield Write(address=line.address + i, values=part, function=6 if singly else 16)

    def beyond(self, order: Order, write: Write) -> str:
        """What of a write would say more than the rating, in words. Values of the map's own mean what it says."""
        fixed = {(step.point, self._fixed(step)) for step in order.steps if step.of is None}
        for step in (step for step in order.steps if step.of in AMOUNTS | PERCENTS):
            line = self._line(step)
            at = line.address - write.address
            words = write.values[at : at + size(line)] if at >= 0 else ()
            if len(words) < size(line) or (step.point, words) in fixed:
                continue
            value, most = number(line, words), _most(self.rated.rating, step)
            if value is not None and abs(value) * _unit(self.rated.rating, step) > MOST_PU * most:
                unit = "var" if step.of in VARS else "W"
                return f"own.{line.name} would say {value:.6g}, and {most:.6g} {unit} is all that it is rated for"
        return ""

    def _number(self, step: Step, amount: float, fallback: Fallback) -> float:
        if step.of is Of.SECONDS:
            line = self._line(step)
            low, high = line.valid or (line.scale, math.inf)
            return min(max(fallback.after_s, low), high)
        if step.of is Of.FALLBACK_PERCENT:
            full = self.rated.rating.p_max_w
            amount = full if fallback.p_ceiling_w is None else clamp(fallback.p_ceiling_w, 0.0, full)
        return (abs(amount) if step.of in SIZES else amount) / _unit(self.rated.rating, step)

    def _fixed(self, step: Step) -> tuple[int, ...]:
        return encoded(self._line(step), step.value)

    def _line(self, step: Step) -> Line:
        return self.control.point(step.point).line


def most_var(rating: Rating) -> float:
    """The larger of what it injects and what it absorbs."""
    return max(rating.q_inj_max_var, rating.q_abs_max_var)


def point_at(control: Control | None, address: int) -> str:
    """The name of the control point that has this register; of none, the register."""
    points = () if control is None else control.points
    there = (point.name for point in points if 0 <= address - point.line.address < size(point.line))
    return next(there, f"register {address}")


def _amounts(way: Sequence[Step]) -> list[Step]:
    """One, or the same in each phase's register, which holds its share by its scale."""
    return [step for step in way if step.of in AMOUNTS]


def _unit(rating: Rating, step: Step) -> float:
    """What one of its unit is, W or var."""
    bases = {Of.VAR_PERCENT: most_var(rating), Of.VA_PERCENT: rating.s_max_va}
    if step.of in bases:
        return bases[step.of] / 100.0
    return rating.p_max_w / 100.0 if step.of in PERCENTS else 1.0


def _most(rating: Rating, step: Step) -> float:
    """All that it is rated for, W or var."""
    return most_var(rating) if step.of in VARS else rating.size_w
