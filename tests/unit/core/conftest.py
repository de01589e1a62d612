"""What the tests of the core stand on: builders, and strategies for any site and any mouth that speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from derctl.core.engine import Plan
from derctl.core.types import (
    Abstain,
    Capability,
    DerState,
    PocState,
    Port,
    Proposal,
    Rating,
    Reading,
    Request,
    Setpoint,
    SiteProposal,
    SiteState,
)
from derctl.core.words import Status

settings.register_profile("core", deadline=None, max_examples=50)
settings.load_profile("core")

OFF = ("volt_var", "volt_watt", "freq_droop", "watt_var")
WATTS = st.floats(-30_000.0, 30_000.0)
RANKS = st.sampled_from([0, 5, 15, 20, 30, 40, 50, 60, 70])


@dataclass(frozen=True)
class Says:
    """A function that always says the same of its DER."""

    kind: str
    rank: int
    said: Any

    def start(self) -> int:
        return 0

    def step(self, memory: int, der: DerState, site: SiteState, dt_s: float) -> tuple[int, Any]:
        return memory + 1, self.said


@dataclass(frozen=True)
class SiteSays:
    """The same for the site."""

    kind: str
    rank: int
    said: Any

    def start(self) -> int:
        return 0

    def step(self, memory: int, ders: Any, site: SiteState, dt_s: float) -> tuple[int, Any]:
        return memory + 1, self.said


class Make:
    """Builders and strategies."""

    Says, SiteSays = Says, SiteSays
    watts, ranks = WATTS, RANKS

    @staticmethod
    def rating(
        *, p_max_w: float = 10_000.0, p_min_w: float = 0.0, s_max_va: float | None = None, **given: Any
    ) -> Rating:
        s_max = max(p_max_w, -p_min_w) if s_max_va is None else s_max_va
        q = {"q_inj_max_var": 0.44 * s_max, "q_abs_max_var": 0.44 * s_max, "v_nom_v": 230.0}
        return Rating(p_max_w=p_max_w, p_min_w=p_min_w, s_max_va=s_max, **{**q, **given})

    @classmethod
    def pv(cls, name: str = "pv1", *, p_max_w: float = 10_000.0, **given: Any) -> DerState:
        return cls.der(name, cls.rating(p_max_w=p_max_w), Capability(ac=Port(limit=True, var=True)), **given)

    @classmethod
    def battery(
        cls, name: str = "bat1", *, p_max_w: float = 5_000.0, charge_w: float = 5_000.0, **given: Any
    ) -> DerState:
        rating = cls.rating(p_max_w=p_max_w, p_min_w=-charge_w, e_max_wh=10_000.0)
        return cls.der(name, rating, Capability(ac=Port(aim=True, var=True), battery=Port()), **given)

    @staticmethod
    def der(name: str, rating: Rating, can: Capability, **given: Any) -> DerState:
        of_state = {key: given.pop(key) for key in list(given) if key in DerState.__slots__}
        reading = Reading(**{"status": Status.ON, "own_off": OFF, **given})
        state = {"age_s": 0.0, "sample": 1, "fresh": True, "controllable": True, **of_state}
        return DerState(id=name, rating=rating, can=can, reading=reading, **state)

    @staticmethod
    def site(
        *ders: DerState, f_nom_hz: float = 50.0, poc: PocState | None = None, requests: tuple[Request, ...] = ()
    ) -> SiteState:
        return SiteState(t_s=0.0, tick_s=1.0, f_nom_hz=f_nom_hz, ders=ders, poc=poc, requests=requests)

    @staticmethod
    def meter(p_w: float | None, *, sample: int = 1, fresh: bool = True) -> PocState:
        return PocState(reading=Reading(p_w=p_w), age_s=0.0, sample=sample, fresh=fresh, v_nom_v=230.0)

    @staticmethod
    def says(said: Any, *ids: str) -> tuple[Says, tuple[str, ...]]:
        """One row of a plan: a function with the proposal's own name and rank, for these DERs."""
        if isinstance(said, Abstain):
            return Says("silent", 0, said), ids
        return Says(said.by, said.rank, said), ids

    @staticmethod
    def wishes(*wishes: SiteProposal) -> tuple[tuple[SiteSays, tuple[str, ...]], ...]:
        return tuple((SiteSays(wish.by, wish.rank, wish), wish.over) for wish in wishes)

    @classmethod
    def plan(cls, ders: dict[str, list[Proposal]], wishes: list[SiteProposal]) -> Plan:
        """Every proposal from a mouth of its own."""
        rows = tuple(cls.says(said, name) for name, proposals in ders.items() for said in proposals)
        return Plan(der_functions=rows, site_functions=cls.wishes(*wishes))

    # ---- strategies

    @staticmethod
    def proposals(max_size: int = 5, ranks: Any = RANKS) -> st.SearchStrategy[list[Proposal]]:
        one = st.builds(
            Proposal,
            by=st.just("x"),
            rank=ranks,
            p_ceiling_w=st.none() | WATTS,
            p_floor_w=st.none() | WATTS,
            p_target_w=st.none() | WATTS,
            q_var=st.none() | WATTS,
            q_priority=st.sampled_from(["reactive", "active"]),
        )
        return st.lists(one, max_size=max_size).map(lambda found: [_named(p, n) for n, p in enumerate(found)])

    @classmethod
    def ders(cls, max_size: int = 4) -> st.SearchStrategy[list[DerState]]:
        """PV that takes ceilings, and storage that takes targets."""
        return cls._several(cls._any_der(mixed=False), max_size)

    @classmethod
    def mixed_ders(cls, max_size: int = 4) -> st.SearchStrategy[list[DerState]]:
        """Every mix of ceiling and target, with ratings of 0 in either direction."""
        return cls._several(cls._any_der(mixed=True), max_size)

    @staticmethod
    def _several(one: st.SearchStrategy[DerState], max_size: int) -> st.SearchStrategy[list[DerState]]:
        return st.lists(one, min_size=1, max_size=max_size).map(
            lambda found: [_renamed(der, f"d{n}") for n, der in enumerate(found)]
        )

    @classmethod
    def _any_der(cls, *, mixed: bool) -> st.SearchStrategy[DerState]:
        @st.composite
        def build(draw: st.DrawFn) -> DerState:
            storage = draw(st.booleans())
            limit, aim = (draw(st.booleans()), draw(st.booleans())) if mixed else (not storage, storage)
            p_max = draw(st.sampled_from([0.0] * mixed + [2_000.0, 5_000.0, 10_000.0]))
            p_min = -draw(st.sampled_from([0.0, 2_500.0, 5_000.0])) if storage else 0.0
            s_max = max(p_max, -p_min) * draw(st.sampled_from([1.0, 1.1]))
            fresh = draw(st.booleans()) or draw(st.booleans())
            held = draw(st.none() | st.floats(0.0, 10_000.0))
            return cls.der(
                "d",
                cls.rating(p_max_w=p_max, p_min_w=p_min, s_max_va=s_max),
                Capability(
                    ac=Port(limit=limit, aim=aim, var=draw(st.booleans())), battery=Port() if storage else None
                ),
                p_w=draw(st.none() | st.floats(-5_000.0, 10_500.0)),
                soc_pct=draw(st.none() | st.floats(0.0, 100.0)),
                accepted=None if held is None else Setpoint(p_ceiling_w=held),
                fresh=fresh,
                controllable=fresh,
            )

        return build()

    @staticmethod
    def site_proposals(
        names: list[str], max_size: int = 3, ranks: Any = RANKS
    ) -> st.SearchStrategy[list[SiteProposal]]:
        over = st.lists(st.sampled_from(names), min_size=1, unique=True).map(lambda found: tuple(sorted(found)))
        one = st.builds(
            SiteProposal,
            by=st.just("x"),
            rank=ranks,
            over=over,
            p_ceiling_w=st.none() | WATTS,
            p_floor_w=st.none() | WATTS,
            p_target_w=st.none() | WATTS,
        )
        return st.lists(one, max_size=max_size).map(lambda found: [_named(p, n, "site") for n, p in enumerate(found)])


def _named(said: Any, n: int, word: str = "says") -> Any:
    from dataclasses import replace

    return replace(said, by=f"{word}{n}")


def _renamed(der: DerState, name: str) -> DerState:
    from dataclasses import replace

    return replace(der, id=name)


@pytest.fixture(scope="session")
def make() -> type[Make]:
    return Make
