"""A house of which only the belief in its meter is looked at: PV follows the sun, and the steps that are asked for.

What depends on the meter is there all the time, so a proof is renewed every few minutes.
"""

from dataclasses import dataclass, field

from derctl.core import belief, doubts
from derctl.core.evidence import Evidence, Need
from derctl.core.types import DerState, PocState, Reading, Setpoint
from derctl.core.value import replace
from derctl.core.words import Belief, Doubt
from hil.following import STEP_S
from hil.houses import PHASES, House
from tests import make

TICK_S = 1.0


@dataclass(slots=True)
class Watched:
    """by_phase: the meter shows its phases. told_phases: the inverter tells its own; else it counts as even.

    more: of the meter's reading, by the house, as it would be read.
    """

    house: House
    by_phase: bool = True
    told_phases: bool = False
    followers: tuple[str, ...] = ()
    exposed_w: float = 3000.0
    seed: int = 1
    known: belief.Memory = field(init=False)
    others: doubts.Memory = doubts.START
    evidence: Evidence = field(default_factory=Evidence)
    words: list[Belief] = field(default_factory=list)
    whys: list[Doubt | None] = field(default_factory=list)
    n: int = 0

    def __post_init__(self) -> None:
        self.known = belief.start(f"house-{self.seed}")

    def run(self, seconds: float) -> "Watched":
        """Tick after tick."""
        for _ in range(round(seconds / TICK_S)):
            for _ in range(round(TICK_S / STEP_S)):
                self.house.step()
            self.tick()
        return self

    def tick(self) -> None:
        """What is seen and believed, and the step that is told."""
        self.n += 1
        poc, ders, need = self.poc(), [self.der()], Need(exposed_w=self.exposed_w, steps=True)
        before = self.known.doublet
        self.known, evidence = belief.step(self.known, ders, poc, need, TICK_S)
        self.others = doubts.step(self.others, before, self.known.doublet, ders, poc, TICK_S)
        if self.others.found is not None:
            self.known = belief.contradicted(self.known)
            evidence = belief.told(self.known)
        self.evidence = doubts.told(self.others, evidence)
        self.house.pv.tell(self.evidence.most_w, self.house.t_s)
        self.words.append(self.evidence.belief)
        self.whys.append(self.evidence.why)

    def der(self) -> DerState:
        """The inverter, read now."""
        house = self.house
        p_w = float(round(house.pv.p_w))
        phases = house.shares if self.told_phases else (1.0 / PHASES,) * PHASES
        told = None if self.evidence.most_w is None else Setpoint(p_ceiling_w=self.evidence.most_w)
        reading = Reading(p_w=p_w, p_phase_w=tuple(share * p_w for share in phases), accepted=told)
        der = make.pv("pv1", p_max_w=house.pv.p_max_w)
        return replace(der, sample=self.n, reading=reading, written=told)

    def poc(self) -> PocState:
        """The meter, read now."""
        house = self.house
        reading = Reading(p_w=house.shown_w, p_phase_w=house.shown_phase_w if self.by_phase else None)
        return PocState(
            reading=reading, age_s=0.0, sample=self.n, fresh=True, v_nom_v=230.0, followers=self.followers
        )

    def share(self, *words: Belief) -> float:
        """Of the time."""
        return sum(word in words for word in self.words) / len(self.words)
