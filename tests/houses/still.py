"""Houses whose meter stands still once it is proven, with volts and hertz and all: when that is noticed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from derctl.core.types import Rating, Reading
from derctl.core.words import Belief
from derctl.daemon.channel.stillness import Stillness, observe, stands_still
from hil.houses import House
from tests.houses.control import Controlled
from tests.houses.kinds import PROVEN_WITHIN_S, REFRESH_S, WRONG, belief, controlled
from tests.houses.kinds import Case as Kind

NEAR_W, CLEAR_W = 60.0, 500.0
"""So near to 0 W, and so far from it."""
WITHIN_S, WATCHED_S, WAITS_S = 20.0, 120.0, 4000.0
PROFILE_S = 1.0
"""How often its registers change, by a profile that doesn't know better."""
WHERE: dict[str, tuple[float, Callable[[float], bool]]] = {
    "at 0 W": (0.0, lambda shown_w: abs(shown_w) <= NEAR_W),
    "while importing": (0.0, lambda shown_w: shown_w <= -CLEAR_W),
    "while exporting": (7000.0, lambda shown_w: shown_w >= CLEAR_W),
}
"""The limit, and what the meter has to show."""
METER = Rating(p_max_w=0.0, p_min_w=0.0, s_max_va=0.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0)
"""A meter has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One house, and where its meter begins to stand still."""

    seed: int
    where: str


@dataclass(slots=True)
class Registers:
    """What is read of the meter: its power, volts in tenths and hertz in hundredths, which waver with each refresh.
    stuck: they change no more. next_s: when the meter refreshes next."""

    house: House
    random: Random
    stuck: bool = False
    words: tuple[int, ...] = ()
    next_s: float = 0.0
    still: Stillness = field(default_factory=Stillness)

    def stand_still(self) -> bool:
        """One poll."""
        house, reading = self.house, Reading(p_w=self.house.shown_w, v_v=230.0, f_hz=50.0)
        if house.heard and not self.stuck and house.next_s != self.next_s:
            self.next_s = house.next_s
            volts, hertz = 2300 + self.random.randint(-15, 15), 5000 + self.random.randint(-3, 3)
            self.words = (round(house.shown_w) & 0xFFFF, volts, hertz)
        self.still = observe(self.still, self.words, None, house.t_s)
        return stands_still(self.still, reading, METER, PROFILE_S, house.t_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """noticed_s: since it stands still, None if not. began: whether it ever came to stand there."""

    began: bool
    noticed_s: float | None = None


def stood_still(case: Case) -> Became:
    """A right meter that stands still once it is proven, at the first moment at which it shows what is wanted."""
    limit_w, there = WHERE[case.where]
    kind = Kind(seed=case.seed, lie="right", refresh_s=REFRESH_S[case.seed % len(REFRESH_S)], limit_w=limit_w)
    control = controlled(kind, "right")
    registers = Registers(control.house, Random(case.seed))
    control.silent = registers.stand_still
    control.run(400.0 + case.seed * 7 % 60)
    while belief(control) is not Belief.PROVEN and control.house.t_s < PROVEN_WITHIN_S:
        control.run(10.0)
    until_s = control.house.t_s + WAITS_S
    while not there(control.house.shown_w) or belief(control) is not Belief.PROVEN:
        if control.house.t_s >= until_s:
            return Became(began=False)
        control.run(1.0)
    control.house.lie, registers.stuck, began_s = "frozen", True, control.house.t_s
    noticed: list[float] = []

    def each(control: Controlled) -> None:
        if not noticed and belief(control) in WRONG:
            noticed.append(control.house.t_s - began_s)

    control.run(WATCHED_S, limit_w, each)
    return Became(began=True, noticed_s=noticed[0] if noticed else None)


Map = Callable[[Callable[[Case], Became], Iterable[Case]], Iterable[Became]]


def table(seeds: range, spread: Map) -> Iterable[str]:
    """Line by line."""
    for where in WHERE:
        became = spread(stood_still, [Case(seed=i, where=where) for i in seeds])
        found = [each for each in became if each.began]
        times = [each.noticed_s for each in found if each.noticed_s is not None]
        yield (
            f"stands still {where:16}: noticed in {sum(s <= WITHIN_S for s in times)} of {len(found)} within "
            f"{WITHIN_S:.0f} s, after {max(times, default=0.0):.0f} s at most"
        )
