"""Fifty houses of each kind of meter, and what became of them: the table of `make houses`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from derctl.core.belief import told
from derctl.core.plan import Plan
from derctl.core.words import Belief
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.probe import Probe
from derctl.functions.self_consumption import SelfConsumption
from hil.following import STEP_S
from hil.houses import House
from tests.houses.control import Controlled

LIMIT_W = 7000.0
FAULTS = ("reversed", "dead", "near_zero", "stuck", "tenth", "load_side", "lost_phase")
STARTS = (*FAULTS, "frozen_near_zero")
REFRESH_S = (0.2, 1.0, 2.0)
RIGHT = ((0.2, 0.0), (1.0, 0.0), (2.0, 0.0), (1.0, 5.0), (5.0, 0.0), (10.0, 0.0))
"""Refresh and lateness, s."""
WRONG = frozenset({Belief.DOUBTED, Belief.LOST})
HOB = 2
"""Its place among the switched loads."""
OBSERVES_S = 10.0
"""Until then nothing is written, and what stands in the inverter is the limit."""
PROVEN_WITHIN_S, WATCHED_S = 2000.0, 900.0
STARTS_S = 600.0
"""A start: what is proven then is proven by the first steps."""
PROVEN_MOST = 0.04
"""Of the starts with a wrong meter: 48 of 50 have to be found out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One house and its meter. always: with a step all the time. battery: one that serves the house is there too.
    hob: it cycles from the first moment on."""

    seed: int
    lie: str
    refresh_s: float = 1.0
    late_s: float = 0.0
    always: bool = False
    battery: bool = False
    hob: bool = False
    limit_w: float = LIMIT_W


def of(lie: str, seeds: Iterable[int], **given: Any) -> list[Case]:
    """The houses of one kind, whose meters refresh differently."""
    return [Case(seed=i, lie=lie, refresh_s=REFRESH_S[i % len(REFRESH_S)], **given) for i in seeds]


def controlled(case: Case, lie: str) -> Controlled:
    """The house at its first tick."""
    house = House(case.seed, refresh_s=case.refresh_s, late_s=case.late_s, lie=lie, battery=case.battery)
    law = ContractExportLimit(limit_w=case.limit_w, probe="always" if case.always else "due")
    ders = ("pv1", "bat1") if case.battery else ("pv1",)
    functions: list[Any] = [(law, ders), (Probe(), ders)]
    if case.battery:
        functions.append((SelfConsumption(), ("bat1",)))
    if case.hob:
        house.loads.switched[HOB].until_s = STEP_S
    house.pv.tell(case.limit_w, 0.0)
    name = f"house-{case.seed}"
    return Controlled(house, Plan(site_functions=tuple(functions)), name=name, observes_s=OBSERVES_S)


def belief(control: Controlled) -> Belief:
    """What the meter is believed to be."""
    memory = control.memories.get("belief")
    return Belief.UNPROVEN if memory is None else told(memory).belief


def counted(control: Controlled) -> bool:
    """Whether load counts: by the coin's steps or by the loop's own first one."""
    memory = control.memories.get(ContractExportLimit.kind)
    return memory is not None and memory.trust.proven and not memory.lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """over_wh: above the limit. noticed_s: after the fault, None if not. proven: by the coin's steps or by the loop's
    own first one, ever (from the start) or before the fault. doubted, unproven: of the time, by the coin's steps.
    uncounted: of the time, load counts for nothing. sun: of what might have gone out, what was given."""

    over_wh: float
    proven: bool
    noticed_s: float | None = None
    doubted: float = 0.0
    unproven: float = 0.0
    uncounted: float = 0.0
    sun: float = 1.0


def after_proof(case: Case) -> Became:
    """A right meter that goes wrong once it is proven."""
    control = controlled(case, "right")
    control.run(400.0 + case.seed * 7 % 60)
    while belief(control) is not Belief.PROVEN and control.house.t_s < PROVEN_WITHIN_S:
        control.run(10.0)
    proven = belief(control) is Belief.PROVEN
    control.house.lie, control.over_wh = case.lie, 0.0
    began_s = control.house.t_s
    noticed: list[float] = []

    def each(control: Controlled) -> None:
        if not noticed and belief(control) in WRONG:
            noticed.append(control.house.t_s - began_s)

    control.run(WATCHED_S * (2.0 if case.lie == "lost_phase" else 1.0), case.limit_w, each)
    return Became(over_wh=control.over_wh, proven=proven, noticed_s=noticed[0] if noticed else None)


def from_the_start(case: Case, seconds: float = 1200.0) -> Became:
    """Wrong, or right, all the time."""
    control = controlled(case, case.lie)
    words, counts, given, could = list[Belief](), list[bool](), list[float](), list[float]()

    def each(control: Controlled) -> None:
        house = control.house
        if not house.heard:
            return
        words.append(belief(control))
        counts.append(counted(control))
        given.append(house.given_w)
        could.append(min(house.sun.now * house.pv.p_max_w, case.limit_w + sum(house.drawn_w)))

    control.run(seconds, case.limit_w, each)
    return Became(
        over_wh=control.over_wh,
        proven=Belief.PROVEN in words or any(counts),
        uncounted=1.0 - mean(counts),
        sun=sum(given) / sum(could),
        doubted=mean(word in WRONG for word in words),
        unproven=mean(word is Belief.UNPROVEN for word in words),
    )


def an_hour(case: Case) -> Became:
    """The same for an hour."""
    return from_the_start(case, 3600.0)


def a_start(case: Case) -> Became:
    """The same for ten minutes."""
    return from_the_start(case, STARTS_S)


Map = Callable[[Callable[[Case], Became], Iterable[Case]], Iterable[Became]]


def table(seeds: range, spread: Map) -> Iterable[str]:
    """Line by line."""
    houses = len(seeds)
    for lie in FAULTS:
        for always in (False, True):
            found = list(spread(after_proof, of(lie, seeds, always=always)))
            over = sorted(each.over_wh for each in found)
            times = [each.noticed_s for each in found if each.noticed_s is not None]
            yield (
                f"{lie:17} after proof{', always' if always else '':8}: over {median(over):6.1f} Wh median, "
                f"{over[max(int(0.96 * houses) - 1, 0)]:6.1f} in 48 of 50; noticed {len(times)} of {houses}, "
                f"{sum(s <= 60.0 for s in times)} in 60 s, {sum(s <= 1200.0 for s in times)} in 20 min"
            )
    for lie in STARTS:
        found = list(spread(from_the_start, of(lie, seeds)))
        over = sorted(each.over_wh for each in found)
        yield (
            f"{lie:17} from the start    : proven {sum(each.proven for each in found)} of {houses}; over "
            f"{over[max(int(0.96 * houses) - 1, 0)]:6.1f} Wh in 48 of 50, {over[-1]:6.1f} Wh at most"
        )
    for refresh_s, late_s, hob in (*((*each, False) for each in RIGHT), *((*each, True) for each in RIGHT)):
        cases = [Case(seed=i, lie="right", refresh_s=refresh_s, late_s=late_s, hob=hob) for i in seeds]
        found = list(spread(an_hour, cases))
        doubted, unproven = mean(each.doubted for each in found), mean(each.unproven for each in found)
        over_wh = median(each.over_wh for each in found)
        yield (
            f"right, refresh {refresh_s:4} s, {late_s:3} s late{', hob' if hob else ''}: doubted {doubted:.2%}, "
            f"unproven {unproven:.1%}, load uncounted {mean(each.uncounted for each in found):.1%} of an hour; sun "
            f"{mean(each.sun for each in found):.1%}; over {over_wh:.1f} Wh"
        )


def starts(seeds: range, spread: Map) -> Iterable[tuple[str, bool]]:
    """Line by line, and whether the kind is found out often enough."""
    runs = len(seeds)
    for lie in STARTS:
        found = list(spread(a_start, of(lie, seeds)))
        proven = [seed for seed, each in zip(seeds, found, strict=True) if each.proven]
        over = sorted(each.over_wh for each in found)
        line = (
            f"{lie:17} {runs} starts of {STARTS_S:.0f} s: proven {len(proven)} ({len(proven) / runs:.1%}; at most "
            f"{PROVEN_MOST:.0%}); over {over[int(0.96 * runs) - 1]:.1f} Wh in 96 %, {over[-1]:.1f} Wh at most"
        )
        yield line + (f"; seeds {proven[:10]}" if proven else ""), len(proven) <= PROVEN_MOST * runs
