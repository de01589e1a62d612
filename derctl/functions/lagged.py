"""What the modes share that follow the voltage through the open-loop response of IEEE 1547."""

from __future__ import annotations

from derctl.core.capability import DARK
from derctl.core.dataclass import dataclass
from derctl.core.feeding import alone_in
from derctl.core.response import Lag, respond
from derctl.core.types import Abstain, DerState, PocState, Proposal
from derctl.core.value import made, value
from derctl.core.words import Priority
from derctl.functions.settings import Ruled, Settings

new_proposal = made(Proposal)

NO_RATING = Abstain("no apparent-power rating")
NO_VOLTAGE = Abstain("no fresh voltage", lost=True)


@value
class Memory:
    """The lag's state in per unit of the rating that the mode acts on; None before the first voltage."""

    lag: Lag | None = None


def moved(memory: Memory, lag: Lag) -> Memory:
    """With the lag after a step. One that is settled is the same."""
    return memory if lag is memory.lag else Memory(lag=lag)


def var_towards(
    function: Settings, memory: Memory, der: DerState, q_pu: float, dt_s: float, *, olrt_s: float, priority: Priority
) -> tuple[Memory, Proposal | Abstain]:
    """One step of a mode towards this var, per unit of the rated apparent power; it begins at the measured one."""
    s_max_va, measured = der.rating.s_max_va, der.reading.q_var
    if s_max_va <= 0.0:
        return Memory(), NO_RATING
    begin = q_pu if measured is None else measured / s_max_va
    lag = respond(memory.lag, q_pu, begin=begin, dt_s=dt_s, olrt_s=olrt_s)
    return moved(memory, lag), new_proposal(
        by=function.kind, rank=function.rank, q_var=lag.y * s_max_va, q_priority=priority
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lagged(Ruled):
    """Base: a mode that follows the voltage; without it its lag stands still."""

    def start(self) -> Memory:
        """No lag yet: it begins at the measured output."""
        return Memory()


def fresh_v_pu(der: DerState, poc: PocState | None) -> float | None:
    """The voltage that counts now, in per unit: the DER's own; of one in a single phase that measures none, and gives
    power, that phase's at the point of connection."""
    v_pu = der.v_pu if der.fresh else None
    if v_pu is not None or not der.fresh:
        return v_pu
    phase = alone_in(der)
    if phase is None or poc is None or not poc.fresh or der.reading.status in DARK:
        return None
    each = poc.reading.v_phase_v or ()
    volts = each[phase] if phase < len(each) else None
    return None if volts is None else volts / poc.v_nom_v
