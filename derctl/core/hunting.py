"""A loop that hunts is made slower, then held still: swings that are large, quick and in a row. Pure.

The loops are those that follow a voltage which they move themselves (docs/sources.md, how the gains were derived).
"""

from __future__ import annotations

import math

from derctl.core.types import DerState, Proposal
from derctl.core.value import made, replace, value
from derctl.core.words import Reason

SWING_PU = 0.03
"""A swing of what the loop asks for is large from this share of the rating on (docs/sources.md)."""
REACHES_PU = 0.05
"""A ceiling has a say where the power comes this near to it, in shares of the rating."""
HALF_S, HALF_TICKS = 8.0, 2.5
"""A swing is quick that takes no longer than this, or so many ticks."""
SWINGS = 6
"""So many large and quick ones in a row are no weather and no load."""
ITS_OWN = 0.9
"""From this correlation of the voltage with what the DER gives on the swings are its own doing."""
STAGES = 3
"""So often the response time is doubled; then the loop is held still."""
QUIET_S = 600.0
"""After so long without hunting it is one stage quicker; twice as long after each relapse, QUIET_MAX_S at most."""
QUIET_MAX_S = 14_400.0


@value
class Tie:
    """How the voltage goes with what the DER gives, lately: means, squares and products of what is beside them."""

    v: float | None = None
    y: float = 0.0
    vv: float = 0.0
    yy: float = 0.0
    vy: float = 0.0

    @property
    def own(self) -> float:
        """Correlation: 1 where the voltage is the DER's own doing."""
        size = math.sqrt(self.vv * self.yy)
        return self.vy / size if size > 0.0 else 0.0


_new_tie = made(Tie)


@value
class Memory:
    """One loop, in shares of the rating. up: which way it goes, None before it moved. edge: the furthest
    that way, at edge_s. corner: the turning point before, at corner_s; before: the one before that. run: large and
    quick swings in a row.

    stage: how often its response time is doubled now. held: its last word, which stands while it is held still; None:
    it is not. quiet_s: since it hunted, or got quicker. wait_s: until it gets quicker. eased: it did.
    tie: whose doing the swings are.
    """

    up: bool | None = None
    edge: float | None = None
    edge_s: float = 0.0
    corner: float = 0.0
    corner_s: float = 0.0
    before: float = 0.0
    run: int = 0
    stage: int = 0
    held: float | None = None
    quiet_s: float = 0.0
    wait_s: float = QUIET_S
    eased: bool = False
    tie: Tie = Tie()

    @property
    def pace(self) -> float:
        """What a second is worth for the loop's own time."""
        return 0.5**self.stage


START = Memory()


def guarded(
    memory: Memory, said: Proposal, der: DerState, *, t_s: float, tick_s: float, dt_s: float
) -> tuple[Memory, Proposal]:
    """One tick on, and what of the loop's word is passed on."""
    half_s = max(HALF_S, HALF_TICKS * tick_s)
    memory = _recovered(memory, dt_s)
    if memory.held is not None:
        return _still(memory, said, der)
    share, given, reached = _share(said, der)
    v_pu = der.v_pu
    if share is None or given is None or v_pu is None:
        return memory, said
    tie = _tied(memory.tie, v_pu, given, min(dt_s / (2.0 * half_s), 1.0))
    memory = _swung(memory, tie, share, reached, t_s, half_s)
    return (memory, said) if memory.run < SWINGS or tie.own < ITS_OWN else _slower(memory, said, der)


def _share(said: Proposal, der: DerState) -> tuple[float | None, float | None, bool]:
    """What it asks for and what is given of that, in shares of the rating; and whether that has a say now."""
    reading, size_w = der.reading, der.rating.size_w
    if said.q_var is not None and reading.q_var is not None and der.rating.s_max_va > 0.0:
        return said.q_var / der.rating.s_max_va, reading.q_var / der.rating.s_max_va, True
    if said.p_ceiling_w is None or reading.p_w is None or size_w <= 0.0:
        return None, None, False
    reached = reading.p_w >= said.p_ceiling_w - REACHES_PU * size_w
    return said.p_ceiling_w / size_w, reading.p_w / size_w, reached


def _tied(tie: Tie, v: float, y: float, share: float) -> Tie:
    """One sample more; the older it is the less it counts."""
    if tie.v is None:
        return Tie(v=v, y=y)
    dv, dy, keep = v - tie.v, y - tie.y, 1.0 - share
    return _new_tie(
        v=tie.v + share * dv,
        y=tie.y + share * dy,
        vv=keep * (tie.vv + share * dv * dv),
        yy=keep * (tie.yy + share * dy * dy),
        vy=keep * (tie.vy + share * dv * dy),
    )


def _swung(memory: Memory, tie: Tie, share: float, reached: bool, t_s: float, half_s: float) -> Memory:
    """A turning point is one once the way back is large, too."""
    if memory.edge is None:
        return replace(memory, tie=tie, edge=share, edge_s=t_s, corner=share, corner_s=t_s)
    if memory.up is None:
        up = None if share == memory.edge else share > memory.edge
        return replace(memory, tie=tie, up=up, edge=share, edge_s=memory.edge_s if up is None else t_s)
    if share >= memory.edge if memory.up else share <= memory.edge:
        return replace(memory, tie=tie, edge=share, edge_s=t_s)
    if abs(share - memory.edge) < SWING_PU:
        return replace(memory, tie=tie)
    quick = memory.edge_s - memory.corner_s <= half_s and (memory.up or reached)
    return replace(
        memory,
        tie=tie,
        up=not memory.up,
        edge=share,
        edge_s=t_s,
        corner=memory.edge,
        corner_s=memory.edge_s,
        before=memory.corner,
        run=memory.run + 1 if quick else 0,
    )


def _slower(memory: Memory, said: Proposal, der: DerState) -> tuple[Memory, Proposal]:
    """Twice as slow; after the third time it stands at the middle of its swing. Who hunts again once it got quicker
    stays slow for longer."""
    wait_s = min(2.0 * memory.wait_s, QUIET_MAX_S) if memory.eased else memory.wait_s
    found = replace(START, stage=memory.stage, wait_s=wait_s)
    if memory.stage < STAGES:
        return replace(found, stage=memory.stage + 1), said
    return _still(replace(found, held=0.5 * (memory.corner + memory.before)), said, der)


def _still(memory: Memory, said: Proposal, der: DerState) -> tuple[Memory, Proposal]:
    """Var stands where it is held. A ceiling may still come down: to hold it up would break what it is for."""
    assert memory.held is not None
    if said.q_var is not None:
        return memory, replace(said, q_var=memory.held * der.rating.s_max_va, why=Reason.HUNTING)
    if said.p_ceiling_w is None or der.rating.size_w <= 0.0:
        return memory, said
    held = min(memory.held, said.p_ceiling_w / der.rating.size_w)
    return replace(memory, held=held), replace(said, p_ceiling_w=held * der.rating.size_w, why=Reason.HUNTING)


def _recovered(memory: Memory, dt_s: float) -> Memory:
    """One stage quicker after wait_s; after QUIET_MAX_S at full pace all is forgotten."""
    if memory.stage == 0 and not memory.eased:
        return memory
    quiet_s = memory.quiet_s + dt_s
    if quiet_s < (memory.wait_s if memory.stage else QUIET_MAX_S):
        return replace(memory, quiet_s=quiet_s)
    if memory.stage == 0:
        return replace(memory, quiet_s=0.0, wait_s=QUIET_S, eased=False)
    stage = memory.stage if memory.held is not None else memory.stage - 1
    return replace(START, stage=stage, wait_s=memory.wait_s, eased=True)
