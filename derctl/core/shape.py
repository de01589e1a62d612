"""Functions whose settings somebody asked to be others for a time: who speaks in which shape, and how it is let go.

Pure. What relaxes a ceiling, at its begin or when it ends, does so on a ramp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar, Protocol

from derctl.core.dataclass import dataclass
from derctl.core.lost import Hold
from derctl.core.requests import FunctionRequest
from derctl.core.text import share_of
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Idle, Reason

SHAPE_PU_PER_S = 0.1
"""A ceiling that another shape leaves higher rises by this share of the rating a second."""
SHAPE_WITHIN_S = 30.0
"""What has expired begins to rise at a moment within this, the same for the same site and request."""

OFF = Abstain(Idle.SWITCHED_OFF)


class Speaker(Protocol):
    """A function of one DER (core/engine)."""

    kind: ClassVar[str]
    rank: ClassVar[int]

    def start(self) -> Any: ...

    def step(self, memory: Any, der: DerState, site: SiteState, dt_s: float) -> tuple[Any, Proposal | Abstain]: ...


Modes = Sequence[Speaker]
Made = Callable[[Modes, Speaker, FunctionRequest], Speaker | None]
"""Gives a function in the shape that is asked for; itself, where that is none of its affairs, or does not fit; None:
it is switched off."""


def as_filed(modes: Modes, function: Speaker, request: FunctionRequest) -> Speaker | None:
    """Where no function can be shaped."""
    return function


@value
class Ease:
    """One function of one DER. of: its kind and the DER. by: whose request counted last, and its id, "" once it has
    ended; left_s: what that had left. rises: its ceiling is on its way up, after wait_s."""

    of: str
    by: str = ""
    left_s: float = 0.0
    wait_s: float = 0.0
    rises: bool = False


@value
class Memory:
    """Those that are shaped, or were and are let go."""

    eases: tuple[Ease, ...] = ()


@dataclass(slots=True, kw_only=True)
class Shaping:
    """One tick's. asked: what counts now. held: gives what stands of a function's word, by its kind and the DER.
    after: for the next tick."""

    asked: Sequence[FunctionRequest]
    before: Mapping[str, Ease]
    held: Callable[[str], Hold | None]
    modes: Modes
    made: Made
    after: list[Ease] = field(default_factory=list)

    def speaker(self, function: Speaker, der: str) -> Speaker:
        """Who speaks in this function's place now."""
        shaped, request = self._shaped(function, der)
        of = f"{function.kind}/{der}"
        before = self.before.get(of)
        if before is None and request is None:
            return function
        turn: Any = _Turn(shaped, function, request, before or Ease(of=of), self)
        return turn  # type: ignore[no-any-return]

    def passed(self, function: Speaker, der: DerState) -> Speaker:
        """Of one whose device runs it, or does not say just now, as before it is found after a restart: then it goes
        on from here."""
        before = self.before.get(f"{function.kind}/{der.id}")
        if before is not None and function.kind not in der.reading.own_on:
            self.after.append(before)
        return function

    def _shaped(self, function: Speaker, der: str) -> tuple[Speaker | None, FunctionRequest | None]:
        """One for this DER goes before one for all."""
        for whom in (der, None):
            for request in self.asked:
                if request.der == whom and (made := self.made(self.modes, function, request)) is not function:
                    return made, request
        return function, None

    @property
    def memory(self) -> Memory | None:
        """None: nothing is shaped, and all of it is let go."""
        return Memory(eases=tuple(self.after)) if self.after else None


def shaping_of(
    memory: Memory | None, state: SiteState, held: Callable[[str], Hold | None], modes: Modes, made: Made
) -> Shaping | None:
    """None: nobody asks for another shape, and none is let go."""
    asked = [each for each in state.requests if isinstance(each, FunctionRequest) and each.remaining_s > 0.0]
    if not asked and memory is None:
        return None
    before = {} if memory is None else {each.of: each for each in memory.eases}
    return Shaping(asked=asked, before=before, held=held, modes=modes, made=made)


class _Turn:
    """A function of one DER for one tick: it speaks as it is asked to, and rises slowly where that relaxes."""

    def __init__(
        self, shaped: Speaker | None, function: Speaker, request: FunctionRequest | None, ease: Ease, shaping: Shaping
    ) -> None:
        speaker = function if shaped is None else shaped
        self.kind, self.rank, self.start = speaker.kind, speaker.rank, speaker.start
        self.shaped, self.request, self.ease, self.shaping = shaped, request, ease, shaping

    def step(self, memory: Any, der: DerState, site: SiteState, dt_s: float) -> tuple[Any, Proposal | Abstain]:
        """One step."""
        said: Proposal | Abstain = OFF
        after = self.start() if self.shaped is None else memory
        if self.shaped is not None:
            after, said = self.shaped.step(memory, der, site, dt_s)
        ease, said = self._eased(said, der, site, dt_s)
        if ease.by or ease.rises:
            self.shaping.after.append(ease)
        return after, said

    def _eased(self, said: Proposal | Abstain, der: DerState, site: SiteState, dt_s: float) -> tuple[Ease, Any]:
        ease, request = self.ease, self.request
        by, left_s = ("", 0.0) if request is None else (f"{request.by} {request.id}", request.remaining_s)
        if by != ease.by:
            expired = request is None and ease.left_s <= dt_s + site.tick_s
            wait_s = SHAPE_WITHIN_S * share_of(f"{site.id} {ease.by}") if expired else 0.0
            ease = Ease(of=ease.of, by=by, left_s=left_s, wait_s=wait_s, rises=True)
        ease = replace(ease, left_s=left_s)
        if not ease.rises or (isinstance(said, Abstain) and said.lost):
            return ease, said
        hold = self.shaping.held(f"{self.kind}/{der.id}")
        was_w = None if hold is None or hold.given is None else hold.given.p_ceiling_w
        goal_w = None if isinstance(said, Abstain) else said.p_ceiling_w
        most_w = der.rating.p_max_w if goal_w is None else min(goal_w, der.rating.p_max_w)
        if was_w is None or was_w >= most_w:
            return replace(ease, rises=False), said
        rise_w = 0.0 if ease.wait_s > 0.0 or not der.fresh else SHAPE_PU_PER_S * dt_s * der.rating.size_w
        if was_w + rise_w >= most_w:
            return replace(ease, rises=False), said
        word = Proposal(by=self.kind, rank=self.rank) if isinstance(said, Abstain) else said
        ease = replace(ease, wait_s=max(ease.wait_s - dt_s, 0.0))
        return ease, replace(word, p_ceiling_w=was_w + rise_w, why=Reason.RELAXING)
