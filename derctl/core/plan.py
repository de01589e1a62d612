"""Which function speaks for whom, and what a function is: a step from its memory and the state to a proposal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from derctl.core import shape
from derctl.core.dataclass import dataclass
from derctl.core.types import Abstain, DerState, Proposal, SiteProposal, SiteState

Memory = Any
"""A function's own frozen Memory. The engine only carries it."""

Memories = Mapping[str, Memory]
"""Keyed `kind` for a site function, `kind/der` for a DER function; `held/` before either: what is held."""


class DerFunction(Protocol):
    """Speaks for one DER. `kind` and `rank` are the class's: a grid code is no preference."""

    kind: ClassVar[str]
    rank: ClassVar[int]

    def start(self) -> Memory:
        """The memory before the first step."""
        ...

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step; dt_s is measured, 0 at the first."""
        ...


class SiteFunction(Protocol):
    """Speaks for the site; allocation splits what it wants."""

    kind: ClassVar[str]
    rank: ClassVar[int]

    def start(self) -> Memory:
        """The memory before the first step."""
        ...

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step over the DERs that the site file gave this function."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which function speaks for whom: (function, DER ids), in the site file's order.

    also_on_device: kinds that many inverters also run themselves; two of them on one inverter would add their slopes.
    loops: kinds that follow a voltage which they move themselves, and may hunt (core/hunting.py).
    modes: reactive modes that may be chosen for a time in the place of a DER's own, as the grid code has them; off:
    kinds that may be switched off; made: gives a function in the shape that is asked for (core/shape.py).
    """

    der_functions: tuple[tuple[DerFunction, tuple[str, ...]], ...] = ()
    site_functions: tuple[tuple[SiteFunction, tuple[str, ...]], ...] = ()
    also_on_device: frozenset[str] = frozenset()
    loops: frozenset[str] = frozenset()
    modes: tuple[DerFunction, ...] = ()
    off: frozenset[str] = frozenset()
    made: shape.Made = shape.as_filed

    def runs(self, kind: str) -> frozenset[str] | None:
        """Whose function of this kind is; None: no DER's."""
        listed = [ders for function, ders in self.der_functions if function.kind == kind]
        return frozenset(der for ders in listed for der in ders) or None
