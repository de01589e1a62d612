"""The voltage of each phase as a second's mean and as that of ten minutes (EN 50160, 4.2.2; VDE-AR-N 4105, 6.5.1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.types import PocState

WINDOW_S = 600
"""Ten minutes."""
LEAST_S = 540
"""Seconds of them that have to be there: a mean of less is none of ten minutes."""

Volts = tuple[float | None, ...]


def of_poc(poc: PocState | None) -> Volts:
    """By phase where the meter shows them, else the one that it shows; () while it shows none that is of now."""
    if poc is None or not poc.fresh:
        return ()
    if poc.reading.v_phase_v is not None:
        return poc.reading.v_phase_v
    return () if poc.reading.v_v is None else (poc.reading.v_v,)


def means(rows: Sequence[Volts], least: int = 1) -> tuple[float | None, ...]:
    """Of each phase, None where fewer than `least` rows have it."""
    count = max((len(row) for row in rows), default=0)
    found = []
    for phase in range(count):
        seen = [row[phase] for row in rows if phase < len(row)]
        known = [each for each in seen if each is not None]
        found.append(sum(known) / len(known) if known and len(known) >= least else None)
    return tuple(found)


@dataclass(slots=True)
class Window:
    """seconds: each with its number and mean, the last WINDOW_S of them. now: what came in the second that runs."""

    seconds: deque[tuple[int, Volts]] = field(default_factory=lambda: deque(maxlen=WINDOW_S))
    now: list[Volts] = field(default_factory=list)
    number: int = -1

    def add(self, t_s: float, volts: Volts) -> None:
        """One tick's."""
        if int(t_s) != self.number:
            if any(self.now):
                self.seconds.append((self.number, means(self.now)))
            self.now, self.number = [], int(t_s)
        self.now.append(volts)

    @property
    def one_s(self) -> Volts:
        """The last second's that is whole; of a tick that is longer than that, its own."""
        recent = [volts for number, volts in self.seconds if number >= self.number - 1]
        return recent[-1] if recent else means(self.now)

    @property
    def ten_min(self) -> Volts:
        """Of the last ten minutes, None where too much of them is missing. Ticks of more than a second count for all
        of theirs."""
        rows = [(number, volts) for number, volts in self.seconds if number > self.number - 1 - WINDOW_S]
        if not rows:
            return ()
        each_s = max(1, round((self.number - rows[0][0]) / len(rows)))
        found = means([volts for _, volts in rows])
        return found if len(rows) * each_s >= LEAST_S else (None,) * len(found)
