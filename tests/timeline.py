"""Functions followed through time: inputs in, outputs out, one memory. The test moves the world in between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from derctl.core.engine import step
from derctl.core.plan import DerFunction, Plan, SiteFunction
from derctl.core.requests import Request
from derctl.core.types import Abstain, Decision, DerState, PocState, Proposal, Setpoint, SiteProposal, SiteState
from tests import make


@dataclass(kw_only=True)
class Clock:
    """What the moments of a timeline have in common."""

    f_nom_hz: float = 50.0
    tick_s: float = 1.0
    t_s: float = 0.0

    def site(self, *ders: DerState, dt_s: float, poc: PocState | None, requests: tuple[Request, ...]) -> SiteState:
        """What is seen dt_s after the moment before."""
        self.t_s += dt_s
        return make.site(*ders, f_nom_hz=self.f_nom_hz, tick_s=self.tick_s, t_s=self.t_s, poc=poc, requests=requests)


@dataclass
class DerTimeline:
    """One DER's function."""

    function: DerFunction
    clock: Clock = field(default_factory=Clock)
    memory: Any = None

    def __post_init__(self) -> None:
        self.memory = self.function.start() if self.memory is None else self.memory

    def at(self, der: DerState, *, dt_s: float = 1.0, requests: tuple[Request, ...] = ()) -> Proposal | Abstain:
        """One step."""
        state = self.clock.site(der, dt_s=dt_s, poc=None, requests=requests)
        said: Proposal | Abstain
        self.memory, said = self.function.step(self.memory, der, state, dt_s)
        return said

    def proposes(self, der: DerState, *, dt_s: float = 1.0, requests: tuple[Request, ...] = ()) -> Proposal:
        """One step at which it doesn't abstain."""
        said = self.at(der, dt_s=dt_s, requests=requests)
        assert isinstance(said, Proposal), said
        return said

    def through(self, ders: Iterable[DerState], *, dt_s: float = 1.0) -> list[Proposal | Abstain]:
        """One step for each, dt_s apart."""
        return [self.at(der, dt_s=dt_s) for der in ders]


@dataclass
class SiteTimeline:
    """One function of the site."""

    function: SiteFunction
    clock: Clock = field(default_factory=Clock)
    memory: Any = None

    def __post_init__(self) -> None:
        self.memory = self.function.start() if self.memory is None else self.memory

    def at(
        self,
        *ders: DerState,
        dt_s: float = 1.0,
        poc: PocState | None = None,
        requests: tuple[Request, ...] = (),
    ) -> SiteProposal | Abstain:
        """One step."""
        state = self.clock.site(*ders, dt_s=dt_s, poc=poc, requests=requests)
        said: SiteProposal | Abstain
        self.memory, said = self.function.step(self.memory, ders, state, dt_s)
        return said

    def proposes(self, *ders: DerState, dt_s: float = 1.0, poc: PocState | None = None) -> SiteProposal:
        """One step at which it doesn't abstain."""
        said = self.at(*ders, dt_s=dt_s, poc=poc)
        assert isinstance(said, SiteProposal), said
        return said


@dataclass
class PlanTimeline:
    """A whole plan through the engine."""

    plan: Plan
    clock: Clock = field(default_factory=Clock)
    memories: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, *functions: DerFunction, der: str, f_nom_hz: float = 50.0) -> PlanTimeline:
        """Functions that all speak for one DER."""
        return cls(Plan(der_functions=tuple((each, (der,)) for each in functions)), Clock(f_nom_hz=f_nom_hz))

    def decided(
        self,
        *ders: DerState,
        dt_s: float = 1.0,
        poc: PocState | None = None,
        requests: tuple[Request, ...] = (),
    ) -> dict[str, Decision]:
        """One tick."""
        state = self.clock.site(*ders, dt_s=dt_s, poc=poc, requests=requests)
        self.memories, decisions = step(self.plan, self.memories, state, dt_s)
        return {decision.der: decision for decision in decisions}

    def told(
        self,
        *ders: DerState,
        dt_s: float = 1.0,
        poc: PocState | None = None,
        requests: tuple[Request, ...] = (),
    ) -> dict[str, Setpoint]:
        """One tick; what each DER is to do."""
        found = self.decided(*ders, dt_s=dt_s, poc=poc, requests=requests)
        return {name: decision.setpoint for name, decision in found.items()}
