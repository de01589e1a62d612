"""A year of decisions: registers that wear out are written no more often than a day allows, over restarts too."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import pytest

from derctl.core.types import NOTHING, Fallback, Setpoint
from derctl.core.words import FallbackBy
from derctl.daemon.actuate.deadband import Written, reason_to_write
from derctl.daemon.actuate.ledger import Ledger
from derctl.daemon.actuate.ration import Ration, tightens
from derctl.daemon.actuate.wear import DAY_S
from derctl.devices import Profile
from tests import make

STEP_S, DAYS = 600.0, 365
POINTS = ("123.WMaxLimPct", "123.WMaxLim_Ena")
LOW = Fallback(p_ceiling_w=1_000.0, by=FallbackBy.STANDS)
RATING = make.rating(p_max_w=10_000.0)
OVER = 2
"""Beyond the day's: what tightens goes to the fallback, and from there to nothing."""


def wanted_w(now_s: float, dice: random.Random) -> float:
    """A limit that follows load and clouds: it never stays, by day or by night."""
    hour = now_s / 3600.0 % 24.0
    sun = max(math.sin((hour - 6.0) / 12.0 * math.pi), 0.0)
    return 2_000.0 + 6_000.0 * sun * dice.random() + 1_500.0 * dice.random()


@dataclass
class Year:
    """What became of each decision: when it was written, and whether it gave less than what stood there."""

    profile: Profile
    now_s: float = 0.0
    ledger: Ledger = field(init=False)
    times: list[tuple[float, bool]] = field(default_factory=list)
    held: Setpoint = NOTHING
    written: Written | None = None

    def __post_init__(self) -> None:
        self.ledger = Ledger(clock=lambda: self.now_s)

    def decided(self, watts: float) -> None:
        ration = Ration("pv1", ledger=self.ledger)
        wanted = Setpoint(p_ceiling_w=watts)
        desired = ration.bounded(wanted, self.held, self.profile, LOW.p_ceiling_w)
        why = reason_to_write(
            desired,
            self.held,
            self.written,
            rating=RATING,
            fallback=LOW,
            profile=self.profile,
            now_s=self.now_s,
        )
        if why is None or ration.keeps_back(desired, self.held, self.held, self.profile):
            return
        self.ledger.wrote("pv1", POINTS, self.profile)
        self.times.append((self.now_s, tightens(desired, self.held)))
        self.held, self.written = desired, Written(setpoint=desired, at_s=self.now_s, found=desired)

    def restarted(self, away_s: float) -> None:
        """Its memory comes from the disk, on another clock."""
        plain = self.ledger.plain()
        self.__post_init__()
        assert self.ledger.revive(plain, away_s) == {}

    def passed(self, *, seed: int, restart_days: float) -> None:
        dice, since_s = random.Random(seed), 0.0
        for _ in range(round(DAYS * DAY_S / STEP_S)):
            self.now_s += STEP_S
            self.decided(wanted_w(self.now_s, dice))
            since_s += STEP_S
            if since_s > restart_days * DAY_S:
                self.restarted(0.0)
                since_s = 0.0

    @property
    def most_a_day(self) -> int:
        """In any 24 hours."""
        at = [when for when, _ in self.times]
        first, most = 0, 0
        for last, when in enumerate(at):
            while when - at[first] >= DAY_S:
                first += 1
            most = max(most, last - first + 1)
        return most


@pytest.mark.parametrize("a_day", [8, 24])
def test_in_a_year_no_day_has_more_writes_than_its_memory_has_left(a_day: int) -> None:
    year = Year(Profile(volatile=False, writes_a_day=a_day))
    year.passed(seed=a_day, restart_days=9.4)
    assert year.most_a_day <= a_day + OVER
    assert len(year.times) <= DAYS * (a_day + OVER)
    assert len(year.times) >= DAYS * a_day // 4, "and it is told something every day"


def test_what_lies_in_ram_is_written_as_often_as_it_changes_and_would_be_too_much_for_a_flash() -> None:
    """That the year is one that needs a budget."""
    year = Year(Profile(volatile=True))
    year.passed(seed=1, restart_days=400.0)
    assert year.most_a_day > 100 and len(year.times) > 30_000
