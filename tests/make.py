"""Builders of what control sees: DERs, meters, sites and mouths that say what a test wants. Fresh unless told so."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from derctl.core.evidence import NOTHING_KNOWN, Evidence
from derctl.core.plan import Plan
from derctl.core.requests import Request
from derctl.core.types import (
    Abstain,
    Capability,
    DerState,
    PocState,
    Port,
    Proposal,
    Rating,
    Reading,
    SiteProposal,
    SiteState,
)
from derctl.core.words import Status

OFF = ("volt_var", "volt_watt", "freq_droop", "watt_var")
LIMITED = Capability(ac=Port(limit=True, var=True))
AIMED = Capability(ac=Port(aim=True, var=True), battery=Port())
CHARGING = Capability(ac=Port(limit=True, aim=True))


def rating(
    *,
    p_max_w: float = 10_000.0,
    p_min_w: float = 0.0,
    s_max_va: float | None = None,
    v_nom_v: float = 230.0,
    q: float = 0.44,
    **given: Any,
) -> Rating:
    """q: reactive power of either sign, per unit of the apparent power."""
    s_max = max(p_max_w, -p_min_w) if s_max_va is None else s_max_va
    box = {"q_inj_max_var": q * s_max, "q_abs_max_var": q * s_max}
    return Rating(p_max_w=p_max_w, p_min_w=p_min_w, s_max_va=s_max, v_nom_v=v_nom_v, **{**box, **given})


def der(name: str, rated: Rating, can: Capability, **given: Any) -> DerState:
    """Controllable, on, its own functions off; given: fields of DerState or of its Reading, and v_pu for v_v."""
    if "v_pu" in given:
        given["v_v"] = given.pop("v_pu") * rated.v_nom_v
    of_state = {
        key: given.pop(key) for key in list(given) if key in DerState.__dataclass_fields__ and key != "reading"
    }
    reading = Reading(**{"status": Status.ON, "own_off": OFF, **given})
    state = {"age_s": 0.0, "sample": 1, "fresh": True, "controllable": True, **of_state}
    return DerState(id=name, rating=rated, can=can, reading=reading, **state)


def pv(
    name: str = "pv1", *, p_max_w: float = 10_000.0, v_nom_v: float = 230.0, q: float = 0.44, **given: Any
) -> DerState:
    """PV that takes ceilings and var."""
    return der(name, rating(p_max_w=p_max_w, v_nom_v=v_nom_v, q=q), LIMITED, **given)


def battery(
    name: str = "bat1", *, p_max_w: float = 5_000.0, charge_w: float = 5_000.0, v_nom_v: float = 230.0, **given: Any
) -> DerState:
    """A battery that takes targets and var."""
    rated = rating(p_max_w=p_max_w, p_min_w=-charge_w, v_nom_v=v_nom_v, e_max_wh=10_000.0)
    return der(name, rated, AIMED, **given)


def charger(name: str = "ev1", *, draws_w: float = 7_400.0, **given: Any) -> DerState:
    """An EV charger: its rating towards the grid is 0."""
    return der(name, rating(p_max_w=0.0, p_min_w=-draws_w), CHARGING, **given)


def again(state: DerState, **reading: Any) -> DerState:
    """The same DER one sample later, with another reading."""
    if "v_pu" in reading:
        reading["v_v"] = reading.pop("v_pu") * state.rating.v_nom_v
    return replace(state, sample=state.sample + 1, reading=replace(state.reading, **reading))


def meter(
    p_w: float | None,
    *,
    sample: int = 1,
    answer: int | None = None,
    fresh: bool = True,
    v_nom_v: float = 230.0,
    belief: Evidence = NOTHING_KNOWN,
) -> PocState:
    """At the point of connection; + exports. answer: as sample, where nothing is said."""
    answer = sample if answer is None else answer
    return PocState(
        reading=Reading(p_w=p_w),
        age_s=0.0,
        sample=sample,
        answer=answer,
        fresh=fresh,
        v_nom_v=v_nom_v,
        belief=belief,
    )


def site(
    *ders: DerState,
    f_nom_hz: float = 50.0,
    tick_s: float = 1.0,
    t_s: float = 0.0,
    poc: PocState | None = None,
    requests: tuple[Request, ...] = (),
) -> SiteState:
    """What one tick sees."""
    return SiteState(t_s=t_s, tick_s=tick_s, f_nom_hz=f_nom_hz, ders=ders, poc=poc, requests=requests)


@dataclass(frozen=True)
class Says:
    """A function that always says the same of its DER, and counts."""

    kind: str
    rank: int
    said: Proposal | Abstain

    def start(self) -> int:
        return 0

    def step(self, memory: int, der: DerState, site: SiteState, dt_s: float) -> tuple[int, Proposal | Abstain]:
        return memory + 1, self.said


@dataclass(frozen=True)
class SiteSays:
    """The same for the site."""

    kind: str
    rank: int
    said: SiteProposal | Abstain

    def start(self) -> int:
        return 0

    def step(self, memory: int, ders: Any, site: SiteState, dt_s: float) -> tuple[int, SiteProposal | Abstain]:
        return memory + 1, self.said


def says(said: Proposal | Abstain, *ids: str) -> tuple[Any, tuple[str, ...]]:
    """One row of a plan: a function with the proposal's own name and rank, for these DERs."""
    if isinstance(said, Abstain):
        return Says("silent", 0, said), ids
    return Says(said.by, said.rank, said), ids


def wishes(*wanted: SiteProposal) -> tuple[tuple[Any, tuple[str, ...]], ...]:
    """The same for the site."""
    return tuple((SiteSays(wish.by, wish.rank, wish), wish.over) for wish in wanted)


def plan(ders: dict[str, list[Proposal]], wanted: list[SiteProposal]) -> Plan:
    """Every proposal from a mouth of its own."""
    rows = tuple(says(said, name) for name, proposals in ders.items() for said in proposals)
    return Plan(der_functions=rows, site_functions=wishes(*wanted))


def on_disk(path: Path) -> dict[str, Any]:
    """A file of the store without its checksum."""
    return {name: each for name, each in json.loads(path.read_text()).items() if name != "sha256"}
