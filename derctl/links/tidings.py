"""How it goes with the sessions at the broker, and what people are told of that."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.links.sessions import BRIEF_S, STEADY_S, End, Sessions, after, lost_text, pause_s


@dataclass(slots=True)
class Tidings:
    """Carries the history of the sessions. word: of the last, for people. told: whether people believe it is up, None
    before they were told anything. won_s: since when the present one is up.

    on_change hears of the first try's end, and then of each session won or lost; one that follows a session which did
    not last is won when it has lasted. on_news: event and text of what else a person has to know, once each.
    """

    on_change: Callable[[bool], None]
    on_news: Callable[[str, str], None]
    jitter: Callable[[float, float], float] = random.uniform
    history: Sessions = field(default_factory=Sessions)
    connected: bool = False
    sessions: int = 0
    word: str = "not connected yet"
    told: bool | None = None
    won_s: float | None = None

    def begin(self) -> None:
        """Another try."""
        self.won_s = None

    def won(self, word: str) -> None:
        """A session is up."""
        self.word, self.connected, self.sessions, self.won_s = word, True, self.sessions + 1, time.monotonic()

    async def lasts(self) -> None:
        """For as long as it is up: one that may be taken again is told when it has lasted."""
        if self.history.doubtful:
            await asyncio.sleep(STEADY_S if self.history.contested else BRIEF_S)
            self.history = Sessions()
        self._tell(True)
        await asyncio.Event().wait()

    def lost(self, text: str, *, closed: bool, taken_over: bool) -> float:
        """The try has ended, be it before there was a session. text: why, in its own words. closed, taken_over: as of
        an End. Returns the pause until the next."""
        won = self.won_s is not None
        lasted_s = 0.0 if self.won_s is None else time.monotonic() - self.won_s
        ended = End(won=won, lasted_s=lasted_s, closed=won and closed, taken_over=taken_over)
        before, self.history = self.history, after(self.history, ended)
        least_s, more_s = pause_s(self.history, ended)
        wait_s = least_s + self.jitter(0.0, more_s)
        self.word = lost_text(self.history, ended, text, wait_s)
        if self.history.taken(ended) and not before.contested:
            self.told = False
            self.on_news("broker_taken_over", self.word)
        else:
            self._tell(False)
        return wait_s

    def _tell(self, connected: bool) -> None:
        if connected is not self.told:
            self.told = connected
            self.on_change(connected)
