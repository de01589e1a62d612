"""The story of one command: admitted, then what became of it, then its end. What is told when, pure."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

from derctl.core.words import Achieved, Became, Standing
from derctl.daemon.commands.effect import OPEN, Effect
from derctl.daemon.commands.record import Record

SURE_TICKS = 3
"""An effect is told once so many ticks in a row show it: a decision and what became of the one before lie apart."""
NEVER_S = -1e9
PAUSE_S = 60.0
"""Between what is told of one command; the last that is so then is told."""


class Story(msgspec.Struct, kw_only=True):
    """begun: when it was taken, as text. admitted: when it was answered; "" until then. n: answers so far. effect: as
    it is now, for `ticks` ticks since since_s; said: as it was told last, at said_s (monotonic). part, of parts: the
    interval of a schedule that lasts now, from 1 on: what is told is of that one."""

    id: str
    by: str
    command: str
    correlation: bytes | None = None
    begun: str = ""
    admitted: str = ""
    n: int = 0
    effect: Effect = OPEN
    ticks: int = 0
    since_s: float = NEVER_S
    said: Effect = OPEN
    said_s: float = NEVER_S
    part: int | None = None
    parts: int = 0
    record: Record = msgspec.field(default_factory=Record)

    def see(self, effect: Effect, now_s: float) -> None:
        """One tick's."""
        if effect != self.effect or self.ticks == 0:
            self.effect, self.ticks, self.since_s = effect, 0, now_s
        self.ticks += 1

    def due(self, now_s: float) -> bool:
        """Whether there is something to tell that was not told."""
        known = self.effect.became is not None and self.ticks >= SURE_TICKS
        sure = known and now_s - self.since_s >= self.effect.sure_s
        return sure and self.effect != self.said and now_s - self.said_s >= PAUSE_S

    def tell(self, now_s: float) -> Effect:
        """It is told now."""
        self.said, self.said_s = self.effect, now_s
        return self.effect

    @property
    def over(self) -> Effect | None:
        """What an interval's end is called; None: it had an answer, or none lasted."""
        if self.part is None or self.said.became is not None:
            return None
        return self.end(Standing.EXPIRED, "")

    def turn(self, part: int | None, parts: int) -> None:
        """Another interval begins, of which nothing was told."""
        self.part, self.parts = part, parts
        self.effect, self.ticks, self.said, self.said_s = OPEN, 0, OPEN, NEVER_S

    def counted(self) -> int:
        """The number of the answer that follows: it is given once."""
        self.n += 1
        return self.n

    def end(self, why: Standing, by: str) -> Effect:
        """What its end is called. why, by: how its request ended, and by whose word. The code of a lapse says why it
        was not achieved, where it was not."""
        if why is Standing.EXPIRED:
            return Effect(became=Became.LAPSED, code=self._missed())
        return Effect(became=Became.OVERRIDDEN_BY, by=by or None, code=why)

    def _missed(self) -> str | None:
        """Of what no tick was seen, what was told last counts. A schedule is answered interval by interval: between
        two of them nothing is missed."""
        last = self.effect if self.ticks else self.said
        if last.became in {Became.ACHIEVED, Became.NOT_BINDING} or (self.parts and self.part is None):
            return None
        return last.code or (Achieved.PENDING if self.ticks else Achieved.UNKNOWN)


def plain_of(story: Story) -> dict[str, Any]:
    """For the state file. Of the monotonic clock nothing."""
    record: Any = msgspec.to_builtins(story.record)
    correlation = None if story.correlation is None else b64encode(story.correlation).decode()
    same: dict[str, Any] = {"id": story.id, "by": story.by, "command": story.command, "begun": story.begun}
    same |= {"admitted": story.admitted, "n": story.n}
    now = {"said": msgspec.to_builtins(story.said), "part": story.part, "parts": story.parts}
    return same | now | {"correlation": correlation, "record": record}


def story_of(plain: Mapping[str, Any]) -> Story:
    """Raises msgspec.ValidationError for what is none."""
    try:
        code = plain.get("correlation")
        fields = dict(plain) | {"correlation": None if code is None else b64decode(code, validate=True)}
    except (TypeError, ValueError) as error:
        raise msgspec.ValidationError(str(error)) from error
    return msgspec.convert(fields, Story)
