"""Houses whose battery follows the meter and where nothing is agreed: what becomes of a meter that goes wrong."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from derctl.core.belief import told
from derctl.core.plan import Plan
from derctl.core.words import Belief
from derctl.functions.credit import AGE_MAX_S
from derctl.functions.probe import Probe
from derctl.functions.self_consumption import LEAST_PU, SelfConsumption
from hil.houses import House
from tests.houses.control import Controlled
from tests.houses.kinds import FAULTS, OBSERVES_S, REFRESH_S, WRONG

PROVEN_WITHIN_S, WATCHED_S = 1500.0, 900.0
SLACK_S = 30.0
"""A step that has begun, and the way to rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One house. night: without sun."""

    seed: int
    lie: str = "right"
    night: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """noticed_s: after the fault, None: not. old: of the time since the proof, the battery gave or took what a step
    can be made of and more though the evidence was older than it may be. doubted: of the time."""

    proven: bool
    noticed_s: float | None
    old: float
    doubted: float


def followed(case: Case) -> Became:
    """From the proof of a right meter on."""
    refresh_s = REFRESH_S[case.seed % len(REFRESH_S)]
    house = House(case.seed, refresh_s=refresh_s, battery=True, dawn_s=1e9 if case.night else 0.0)
    functions = ((SelfConsumption(), ("bat1",)), (Probe(), ("pv1", "bat1")))
    control = Controlled(house, Plan(site_functions=functions), name=f"house-{case.seed}", observes_s=OBSERVES_S)
    control.run(60.0)
    while told(control.memories["belief"]).belief is not Belief.PROVEN and house.t_s < PROVEN_WITHIN_S:
        control.run(10.0)
    proven = told(control.memories["belief"]).belief is Belief.PROVEN
    house.lie, began_s = case.lie, house.t_s
    most_w = LEAST_PU * sum(der.rating.per_unit_w for der in control.ders)
    words, noticed, old = list[Belief](), list[float](), list[bool]()

    def each(control: Controlled) -> None:
        assert house.battery is not None
        evidence = told(control.memories["belief"])
        aged = evidence.belief is Belief.PROVEN and (evidence.age_s or 0.0) > AGE_MAX_S + SLACK_S
        words.append(evidence.belief)
        old.append(aged and abs(house.battery.p_w) > 1.1 * most_w)
        if evidence.belief in WRONG and not noticed:
            noticed.append(house.t_s - began_s)

    control.run(WATCHED_S, 0.0, each)
    doubted = sum(word in WRONG for word in words) / len(words)
    return Became(proven=proven, noticed_s=noticed[0] if noticed else None, old=sum(old) / len(old), doubted=doubted)


Map = Callable[[Callable[[Case], Became], Iterable[Case]], Iterable[Became]]


def table(seeds: range, spread: Map) -> Iterable[str]:
    """Line by line."""
    for lie in ("right", *FAULTS):
        for night in (False, True):
            found = list(spread(followed, [Case(seed=seed, lie=lie, night=night) for seed in seeds]))
            times = sorted(each.noticed_s for each in found if each.noticed_s is not None)
            yield (
                f"store, no contract, {'night' if night else 'day':5}, {lie:10}: proven before "
                f"{sum(each.proven for each in found)} of {len(found)}; noticed {len(times)}, "
                f"{sum(s <= 300.0 for s in times)} in 5 min, median {median(times) if times else 0.0:.0f} s; "
                f"on old evidence {sum(each.old for each in found) / len(found):.2%} of the time"
            )
