"""What the modes share that follow the voltage through the open-loop response of IEEE 1547."""

from __future__ import annotations

from dataclasses import dataclass

from derctl.core.response import Lag
from derctl.core.types import Abstain, DerState
from derctl.core.value import value
from derctl.functions.settings import Ruled

NO_VOLTAGE = Abstain("no fresh voltage", lost=True)


@value
class Memory:
    """The lag's state in per unit of the rating that the mode acts on; None before the first voltage."""

    lag: Lag | None = None


def moved(memory: Memory, lag: Lag) -> Memory:
    """With the lag after a step. One that is settled is the same."""
    return memory if lag is memory.lag else Memory(lag=lag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lagged(Ruled):
    """Base: a mode that follows the voltage; without it its lag stands still."""

    def start(self) -> Memory:
        """No lag yet: it begins at the measured output."""
        return Memory()


def fresh_v_pu(der: DerState) -> float | None:
    """The voltage that counts now, in per unit."""
    return der.v_pu if der.fresh else None
