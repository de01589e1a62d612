"""Fifty houses of each kind of meter, and what became of them: the table of `make houses`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import mean, median

from derctl.core.engine import Plan
from derctl.core.evidence import Evidence
from derctl.core.words import Belief
from derctl.functions.contract_export_limit import ContractExportLimit
from hil.houses import House
from tests.houses.believing import Believing
from tests.houses.control import Controlled

LIMIT_W = 7000.0
FAULTS = ("reversed", "dead", "near_zero", "stuck", "tenth", "load_side", "lost_phase")
REFRESH_S = (0.2, 1.0, 2.0)
RIGHT = ((0.2, 0.0), (1.0, 0.0), (2.0, 0.0), (1.0, 5.0), (5.0, 0.0), (10.0, 0.0))
"""Refresh and lateness, s."""
PROVEN_WITHIN_S, WATCHED_S = 2000.0, 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One house and its meter. today: the law as it is, without core/belief.py."""

    seed: int
    lie: str
    refresh_s: float = 1.0
    late_s: float = 0.0
    always: bool = False
    today: bool = False


def of(lie: str, houses: int, *, always: bool = False, today: bool = False) -> list[Case]:
    """The houses of one kind, whose meters refresh differently."""
    return [
        Case(seed=i, lie=lie, refresh_s=REFRESH_S[i % len(REFRESH_S)], always=always, today=today)
        for i in range(houses)
    ]


def controlled(case: Case, lie: str) -> Controlled:
    """The house at its first tick."""
    house = House(case.seed, refresh_s=case.refresh_s, late_s=case.late_s, lie=lie)
    law = ContractExportLimit(limit_w=LIMIT_W)
    coin = (case.seed * 7919 * 65537 + 12345) % 2**31
    function = law if case.today else Believing(law=law, always=case.always, seed=coin)
    return Controlled(house, Plan(site_functions=((function, ("pv1",)),)))


def belief(control: Controlled) -> Belief:
    """What the meter is believed to be."""
    memory = control.memories.get("contract_export_limit")
    evidence = getattr(memory, "evidence", None)
    if isinstance(evidence, Evidence):
        return evidence.belief
    trust = getattr(memory, "trust", None)
    if trust is None:
        return Belief.UNPROVEN
    return Belief.DOUBTED if trust.doubted else Belief.PROVEN if trust.proven else Belief.UNPROVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """over_wh: above the limit. noticed_s: after the fault, None if not. proven: ever (from the start), or before the
    fault. shares: of the time, by belief."""

    over_wh: float
    proven: bool
    noticed_s: float | None = None
    doubted: float = 0.0
    unproven: float = 0.0


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
        if not noticed and belief(control) is not Belief.PROVEN:
            noticed.append(control.house.t_s - began_s)

    control.run(WATCHED_S * (2.0 if case.lie == "lost_phase" else 1.0), LIMIT_W, each)
    return Became(over_wh=control.over_wh, proven=proven, noticed_s=noticed[0] if noticed else None)


def from_the_start(case: Case, seconds: float = 1200.0) -> Became:
    """Wrong, or right, all the time."""
    control = controlled(case, case.lie)
    words: list[Belief] = []
    control.run(seconds, LIMIT_W, lambda control: words.append(belief(control)))
    return Became(
        over_wh=control.over_wh,
        proven=Belief.PROVEN in words,
        doubted=mean(word in {Belief.DOUBTED, Belief.LOST} for word in words),
        unproven=mean(word is Belief.UNPROVEN for word in words),
    )


def an_hour(case: Case) -> Became:
    """The same for an hour."""
    return from_the_start(case, 3600.0)


Map = Callable[[Callable[[Case], Became], Iterable[Case]], Iterable[Became]]


def table(houses: int, spread: Map, *, today: bool = False) -> Iterable[str]:
    """Line by line."""
    for lie in FAULTS:
        for always in (False,) if today else (False, True):
            found = list(spread(after_proof, of(lie, houses, always=always, today=today)))
            over = sorted(each.over_wh for each in found)
            times = [each.noticed_s for each in found if each.noticed_s is not None]
            yield (
                f"{lie:17} after proof{', always' if always else '':8}: over {median(over):6.1f} Wh median, "
                f"{over[max(int(0.96 * houses) - 1, 0)]:6.1f} in 48 of 50; noticed {len(times)} of {houses}, "
                f"{sum(s <= 60.0 for s in times)} in 60 s, {sum(s <= 1200.0 for s in times)} in 20 min"
            )
    for lie in (*FAULTS, "frozen_near_zero"):
        found = list(spread(from_the_start, of(lie, houses, today=today)))
        ever, most = sum(each.proven for each in found), max(each.over_wh for each in found)
        yield f"{lie:17} from the start    : proven {ever} of {houses}; over {most:6.1f} Wh at most"
    for refresh_s, late_s in RIGHT:
        cases = [Case(seed=i, lie="right", refresh_s=refresh_s, late_s=late_s, today=today) for i in range(houses)]
        found = list(spread(an_hour, cases))
        doubted, unproven = mean(each.doubted for each in found), mean(each.unproven for each in found)
        over_wh = median(each.over_wh for each in found)
        yield (
            f"right, refresh {refresh_s:4} s, {late_s:3} s late: doubted {doubted:6.2%}, unproven {unproven:6.2%} "
            f"of an hour; over {over_wh:.1f} Wh"
        )
