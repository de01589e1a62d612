"""What a demand-response event wants of the site: the power of its batteries together, or at the point of connection.

As opModFixedW and opModTargetW of IEEE 2030.5, and DISPATCH_SETPOINT of OpenADR 3, mean it (docs/sources.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

from derctl.core.capability import assumed_w
from derctl.core.dataclass import dataclass
from derctl.core.requests import aiming
from derctl.core.text import share_of
from derctl.core.types import Abstain, DerState, SiteProposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Reason
from derctl.functions.operator import NO_REQUEST, RELAX_PU_PER_S, START_WITHIN_S
from derctl.functions.plain import finite
from derctl.functions.self_consumption import Memory as Loop
from derctl.functions.self_consumption import SelfConsumption
from derctl.functions.settings import Settings

EDGE_W = 0.5
"""So far on either side of a target juniors may have it: within that two powers are the same."""
NO_STORAGE = "no storage to steer"


@value
class Memory:
    """at_w: the sum of the batteries that was asked for last; None: none. by: the event that asks for it, "" once
    that has ended; left_s: what that had left when it was seen last. wait_s: until it is let go; wide_w: how far they
    may be from it meanwhile. loop: of a target at the point of connection, None while there is none."""

    at_w: float | None = None
    by: str = ""
    left_s: float = 0.0
    wait_s: float = 0.0
    wide_w: float = 0.0
    loop: Loop | None = None


START = Memory()


@lru_cache(maxsize=64)
def loop_of(target_w: float) -> SelfConsumption:
    """What brings the point of connection there."""
    return SelfConsumption(target_w=target_w)


def batteries(ders: Sequence[DerState]) -> list[DerState]:
    """Whose power it is about."""
    return [der for der in ders if der.can.balance]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridTarget(Settings):
    """It holds the batteries' sum where the event wants it, against all juniors and inside what seniors leave; limits
    of its own rank go before it. What ends is let go on a ramp, both ways, which begins at a moment of its own where
    the event has run out.

    A target at the point of connection is followed by the batteries alone, as `self_consumption` follows its own.
    While the meter is not believed it is let go.
    """

    kind: ClassVar[str] = "grid_target"
    rank: ClassVar[int] = 40

    def start(self) -> Memory:
        """Nothing is asked for."""
        return START

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step. One that is silent counts with what it was told."""
        stores = [der for der in batteries(ders) if der.controllable and der.trial is None]
        event = aiming(site.requests)
        if event is None:
            return self._let_go(replace(memory, loop=None), stores, site, dt_s, NO_REQUEST)
        if not stores:
            return memory, Abstain(NO_STORAGE)
        if event.p_target_w is not None:
            silent_w = sum((assumed_w(der) for der in batteries(ders) if not der.fresh), 0.0)
            said, loop = self._said(stores, event.p_target_w - silent_w), None
        else:
            assert event.poc_target_w is not None
            loop, word = loop_of(event.poc_target_w).step(memory.loop or Loop(), ders, site, dt_s)
            if isinstance(word, Abstain) or word.why is Reason.METER_LOST or word.p_target_w is None:
                return self._let_go(replace(memory, loop=loop), stores, site, dt_s, Abstain(Reason.METER_LOST))
            said = self._said(stores, word.p_target_w)
            said = replace(said, meter_pu=word.meter_pu, need=word.need, uneven_w=word.uneven_w)
        left_s = event.remaining_s if event.part_s is None else event.part_s
        return Memory(at_w=said.p_target_w, by=event.id, left_s=left_s, loop=loop), said

    def _said(self, stores: Sequence[DerState], aim_w: float, wide_w: float = 0.0) -> SiteProposal:
        """Their sum there, or so far from it."""
        return SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=tuple([der.id for der in stores]),
            p_ceiling_w=aim_w + wide_w + EDGE_W,
            p_floor_w=aim_w - wide_w - EDGE_W,
            p_target_w=aim_w,
            asked=True,
        )

    def _let_go(
        self, memory: Memory, stores: Sequence[DerState], site: SiteState, dt_s: float, idle: Abstain
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """Both edges move away from what was asked for last, until no battery is held. idle: what is said then."""
        if memory.at_w is None:
            return replace(START, loop=memory.loop), idle
        wait_s, wide_w = memory.wait_s, memory.wide_w
        if memory.by:  # it ends just now
            expired = memory.left_s <= dt_s + site.tick_s
            wait_s = START_WITHIN_S * share_of(f"{site.id} {memory.by}") if expired else 0.0
        if wait_s <= 0.0:
            wide_w += RELAX_PU_PER_S * dt_s * sum((der.rating.size_w for der in stores), 0.0)
        if wide_w >= sum((der.rating.p_max_w - der.rating.p_min_w for der in stores), 0.0):
            return replace(START, loop=memory.loop), idle
        said = replace(self._said(stores, memory.at_w, wide_w), p_target_w=None, why=Reason.RELAXING)
        return Memory(at_w=memory.at_w, wait_s=max(wait_s - dt_s, 0.0), wide_w=wide_w, loop=memory.loop), said


def kept_target(memory: Memory) -> dict[str, Any] | None:
    """For a restart: what is asked for. The loop begins anew at what is measured."""
    if memory.at_w is None:
        return None
    return {name: getattr(memory, name) for name in ("at_w", "by", "wait_s", "wide_w")}


def target_of(plain: Any) -> Memory:
    """It goes on from where it was; what has gone by then has run out. Raises ValueError."""
    if not isinstance(plain, Mapping) or not isinstance(plain.get("by"), str):
        raise ValueError(f"{plain!r} is no target that was asked for")
    at_w, wait_s, wide_w = (finite(plain, name) for name in ("at_w", "wait_s", "wide_w"))
    return Memory(at_w=at_w, by=plain["by"], wait_s=wait_s, wide_w=wide_w)
