"""What a proof asks for, step by step, and who it is about."""

from __future__ import annotations

from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.types import Reading, Setpoint
from derctl.core.words import Beside, FallbackBy, Proven, Unplugged


@dataclass(frozen=True, slots=True)
class Look:
    """Read it. Answered by a reading."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Write this, with the declared fallback armed. Answered by what it reads back, None where it doesn't."""

    setpoint: Setpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Ask nothing for so long. cut: with the connection closed, as if derctl were unplugged."""

    seconds: float
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Pull:
    """A person pulls the cable, and plugs it in again after so long. Until it is out the setpoint is told again every
    every_s. Answered by away_s."""

    seconds: float
    setpoint: Setpoint
    every_s: float


@dataclass(frozen=True, slots=True)
class Kill:
    """derctl is killed, just after it told this at told_s. bound: its power stood at it. Never answered."""

    setpoint: Setpoint
    told_s: float
    bound: bool


@dataclass(frozen=True, slots=True)
class Meet:
    """A second client, over a connection of its own beside ours. Answered by a reading of its own."""


@dataclass(frozen=True, slots=True)
class Watch:
    """In so long the second client reads it, while ours is unplugged. Answered by that reading."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Alone:
    """The second client has gone, and ours is there again."""


Step = Look | Tell | Silence | Pull | Kill | Meet | Watch | Alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """at_s: when the step ended, monotonic. away_s: for how long it was not heard; None: it was all the time."""

    at_s: float
    away_s: float | None = None
    reading: Reading = field(default_factory=Reading)
    accepted: Setpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """lapsed_s: how long after the last word it let go, as far as that was seen. went_w: the limit that it has since
    then, None: none. polled: whether it was asked meanwhile. how: derctl was taken from it. beside: what a second
    client changes, None: none was there."""

    verdict: Proven
    text: str
    lapsed_s: float | None = None
    went_w: float | None = None
    polled: bool = True
    how: Unplugged = Unplugged.ASKING
    beside: Beside | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One DER and its declared fallback (by, p_ceiling_w, after_s).

    limit, aim: what it takes. p_max_w, p_min_w: its rating. tolerance_w: what counts as the same.
    asks: whether it is asked while its timer runs, first. cannot: why the declared fallback is more than it can do.
    own_timer_s: of one whose timer runs also where none is set, and whose read-back says nothing of that; 0: none.
    cable: a person pulls its cable instead. second: a second client polls it afterwards.
    """

    by: FallbackBy
    p_ceiling_w: float | None
    after_s: float
    p_max_w: float
    p_min_w: float = 0.0
    limit: bool = True
    aim: bool = False
    tolerance_w: float
    settle_s: float = 2.0
    poll_s: float = 1.0
    asks: bool = True
    cannot: str = ""
    own_timer_s: float = 0.0
    cable: bool = False
    second: bool = False

    @property
    def step_w(self) -> float:
        """What can be told from another setpoint, by read-back and by power."""
        return max(STEP_PU * max(self.p_max_w, -self.p_min_w), 2.0 * self.tolerance_w)

    def holds(self, accepted: Setpoint, told: Setpoint) -> bool:
        """Whether what reads back is what was told."""
        pairs = ((accepted.p_ceiling_w, told.p_ceiling_w), (accepted.p_target_w, told.p_target_w))
        return all(want is None or (have is not None and self._same(have, want)) for have, want in pairs)

    def let_go(self, reading: Reading, told: Setpoint) -> bool:
        """Whether it reads back that it holds what it was told no more. What can't be read back says nothing."""
        return reading.accepted is not None and not self.holds(reading.accepted, told)

    def bound(self, reading: Reading, told: Setpoint) -> bool:
        """Whether its power stands at what it was told, so that it would show a lapse."""
        goal_w = told.p_ceiling_w if told.p_target_w is None else told.p_target_w
        return reading.p_w is not None and goal_w is not None and self._same(reading.p_w, goal_w)

    def over(self, reading: Reading, limit_w: float) -> bool:
        """Whether its power contradicts a limit."""
        return reading.p_w is not None and reading.p_w > limit_w + 2.0 * self.tolerance_w

    def goes_to(self, accepted: Setpoint, goal_w: float) -> bool:
        """Whether what reads back is at most the declared ceiling."""
        given = [w for w in (accepted.p_ceiling_w, accepted.p_target_w) if w is not None]
        return any(watts <= goal_w + self.tolerance_w for watts in given)

    def _same(self, have: float, want: float) -> bool:
        return abs(have - want) <= self.tolerance_w


STEP_PU = 0.05
"""Of the rating: our choice."""
LATE_PU, LATE_S = 0.2, 2.0
"""So much later than declared it is late: this share of the time, and this long beside it: our choice."""


def stands_s(subject: Subject) -> float:
    """For so long what it was told has to stand."""
    return max(subject.after_s, subject.own_timer_s * (1.0 + LATE_PU))


def late_s(subject: Subject) -> float:
    """After so long it is late."""
    return subject.after_s * (1.0 + LATE_PU) + LATE_S


def let_go(subject: Subject, reading: Reading, told: Setpoint) -> bool:
    """Whether its power has left what it was told, which it stood at before: for more, or of a target either way."""
    p_w, goal_w = reading.p_w, told.p_ceiling_w if told.p_target_w is None else told.p_target_w
    if p_w is None or goal_w is None:
        return False
    off_w = p_w - goal_w if told.p_target_w is None else abs(p_w - goal_w)
    return off_w > 1.5 * subject.tolerance_w
