"""Hypothesis: any site, and any mouth that speaks."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from derctl.core.types import Capability, DerState, Port, Proposal, Setpoint, SiteProposal
from derctl.core.words import Priority
from tests import make

WATTS = st.floats(-30_000.0, 30_000.0)
RANKS = st.sampled_from([0, 5, 15, 20, 30, 40, 50, 60, 70])


def proposals(max_size: int = 5, ranks: st.SearchStrategy[int] = RANKS) -> st.SearchStrategy[list[Proposal]]:
    """Each from a name of its own."""
    one = st.builds(
        Proposal,
        by=st.just("x"),
        rank=ranks,
        p_ceiling_w=st.none() | WATTS,
        p_floor_w=st.none() | WATTS,
        p_target_w=st.none() | WATTS,
        q_var=st.none() | WATTS,
        q_priority=st.sampled_from(Priority),
    )
    return st.lists(one, max_size=max_size).map(
        lambda found: [replace(said, by=f"says{n}") for n, said in enumerate(found)]
    )


def site_proposals(
    names: list[str], max_size: int = 3, ranks: st.SearchStrategy[int] = RANKS
) -> st.SearchStrategy[list[SiteProposal]]:
    """Over some of these DERs each."""
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
    return st.lists(one, max_size=max_size).map(
        lambda found: [replace(said, by=f"site{n}") for n, said in enumerate(found)]
    )


def ders(max_size: int = 4) -> st.SearchStrategy[list[DerState]]:
    """PV that takes ceilings, and storage that takes targets."""
    return _several(_any_der(mixed=False), max_size)


def mixed_ders(max_size: int = 4) -> st.SearchStrategy[list[DerState]]:
    """Every mix of ceiling and target, with ratings of 0 in either direction."""
    return _several(_any_der(mixed=True), max_size)


def _several(one: st.SearchStrategy[DerState], max_size: int) -> st.SearchStrategy[list[DerState]]:
    return st.lists(one, min_size=1, max_size=max_size).map(
        lambda found: [replace(der, id=f"d{n}") for n, der in enumerate(found)]
    )


@st.composite
def _any_der(draw: st.DrawFn, *, mixed: bool) -> DerState:
    storage = draw(st.booleans())
    limit, aim = (draw(st.booleans()), draw(st.booleans())) if mixed else (not storage, storage)
    p_max = draw(st.sampled_from([0.0] * mixed + [2_000.0, 5_000.0, 10_000.0]))
    p_min = -draw(st.sampled_from([0.0, 2_500.0, 5_000.0])) if storage else 0.0
    s_max = max(p_max, -p_min) * draw(st.sampled_from([1.0, 1.1]))
    fresh = draw(st.booleans()) or draw(st.booleans())
    held = draw(st.none() | st.floats(0.0, 10_000.0))
    return make.der(
        "d",
        make.rating(p_max_w=p_max, p_min_w=p_min, s_max_va=s_max),
        Capability(ac=Port(limit=limit, aim=aim, var=draw(st.booleans())), battery=Port() if storage else None),
        p_w=draw(st.none() | st.floats(-5_000.0, 10_500.0)),
        soc_pct=draw(st.none() | st.floats(0.0, 100.0)),
        accepted=None if held is None else Setpoint(p_ceiling_w=held),
        fresh=fresh,
        controllable=fresh,
    )
