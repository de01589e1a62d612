"""Seeded houses whose meter tells its phases, or has somebody else who follows it, and what became of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from derctl.core import phases
from derctl.core.words import Belief, Doubt
from hil.houses import House
from tests.houses.watched import Watched

REFRESH_S = (0.2, 1.0, 2.0)
EVEN = (1 / 3, 1 / 3, 1 / 3)
MINUTES_20, HOUR_S = 1200.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One house. even: the inverter feeds all phases alike, else it tells how it does (told) or not."""

    seed: int
    lie: str = "right"
    by_phase: bool = True
    even: bool = True
    told: bool = False
    follower: str = ""
    declared: tuple[str, ...] = ()

    def watched(self, lie: str) -> Watched:
        """The house at its first tick."""
        shares = EVEN if self.even else None
        refresh_s = REFRESH_S[self.seed % len(REFRESH_S)]
        house = House(self.seed, refresh_s=refresh_s, shares=shares, lie=lie, follower=self.follower)
        return Watched(house, by_phase=self.by_phase, told_phases=self.told, followers=self.declared, seed=self.seed)


def noticed(case: Case) -> tuple[float | None, Doubt | None]:
    """A right meter that loses a phase, or has one turned round, once it is proven: after how long it is doubted."""
    watched = case.watched("right").run(600.0 + case.seed % 60)
    while watched.evidence.belief is not Belief.PROVEN and watched.n < HOUR_S:
        watched.run(10.0)
    assert watched.evidence.belief is Belief.PROVEN
    watched.house.lie, began = case.lie, watched.n
    while watched.n - began < 1.5 * MINUTES_20:
        watched.run(1.0)
        if watched.evidence.belief is Belief.DOUBTED:
            return float(watched.n - began), watched.evidence.why
    return None, None


def phase_doubted_s(case: Case, seconds: float = HOUR_S) -> float:
    """Of a right meter: for how long one of its phases was called wrong."""
    watched, found = case.watched("right"), 0.0
    for _ in range(round(seconds)):
        watched.run(1.0)
        found += phases.contradiction(watched.others.phases) is not None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Of an hour, by belief; suspected: whether somebody was."""

    proven: float
    unproven: float
    doubted: float
    suspected: bool


def with_follower(case: Case, seconds: float = HOUR_S) -> Shares:
    """An hour of a house in which somebody else follows the meter."""
    watched = case.watched(case.lie).run(seconds)
    return Shares(
        proven=watched.share(Belief.PROVEN),
        unproven=watched.share(Belief.UNPROVEN),
        doubted=watched.share(Belief.DOUBTED),
        suspected=Doubt.FOLLOWER_SUSPECTED in watched.whys,
    )


Map = Callable[[Callable[[Case], Any], Iterable[Case]], Iterable[Any]]
KINDS: dict[str, dict[str, Any]] = {
    "even": {},
    "uneven, told": {"even": False, "told": True},
    "uneven, not told": {"even": False},
    "no phases": {"by_phase": False},
}


def table(seeds: range, spread: Map) -> Iterable[str]:
    """Line by line."""
    houses = len(seeds)
    for lie in ("lost_phase", "phase_reversed"):
        for name, given in KINDS.items():
            found = list(spread(noticed, [Case(seed=i, lie=lie, **given) for i in seeds]))
            times = [s for s, _ in found if s is not None]
            named = sum(why in {Doubt.PHASE_LOST, Doubt.PHASE_REVERSED} for _, why in found)
            yield (
                f"{lie:17} {name:17}: noticed {len(times)} of {houses}, "
                f"{sum(s <= MINUTES_20 for s in times)} in 20 min, median {median(times):.0f} s; "
                f"the phase is named in {named}"
            )
    for name, given in KINDS.items():
        if given.get("by_phase", True):
            seconds = list(spread(phase_doubted_s, [Case(seed=i, **given) for i in seeds]))
            wrong = sum(s > 0.0 for s in seconds)
            yield f"{'right':17} {name:17}: a phase is called wrong in {wrong} of {houses}"
    yield from _followed(seeds, spread)


def _followed(seeds: range, spread: Map) -> Iterable[str]:
    houses = len(seeds)
    for follower in ("surplus_charger", "foreign_battery"):
        for declared in ((), ("somebody",)):
            for lie in ("right", "near_zero"):
                cases = [Case(seed=i, lie=lie, by_phase=False, follower=follower, declared=declared) for i in seeds]
                found = list(spread(with_follower, cases))
                share = {
                    word: sum(getattr(each, word) for each in found) / houses
                    for word in ("proven", "unproven", "doubted")
                }
                yield (
                    f"{follower:17} {'declared' if declared else 'not declared':12} {lie:9}: "
                    + ", ".join(f"{word} {each:.1%}" for word, each in share.items())
                    + f"; suspected in {sum(each.suspected for each in found)} of {houses}"
                )
