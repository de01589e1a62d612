"""What commands that only look are answered from: bounded in size, and not asked for too often."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.plan import Plan
from derctl.core.words import Refusal
from derctl.errors import CommandError

TEXT_MAX = 8000
"""Characters of an answer: a reply has REPLY_MAX."""


def not_ready() -> str:
    """Raises CommandError."""
    raise CommandError(Refusal.NOT_READY, "this daemon can't tell")


async def no_capture() -> str:
    """Raises CommandError."""
    return not_ready()


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """publish: all that is retained goes out anew; gives what to say. why: of a DER. doctor: a page's lines, what
    needs somebody first. capture: writes it; gives where it is. All raise CommandError. margins: of each loop on the
    voltage of another plan how far it is from hunting, in words, and whether it would be refused in a site file."""

    publish: Callable[[], str] = not_ready
    why: Callable[[str], str] = lambda der: not_ready()
    doctor: Callable[[], Sequence[str]] = lambda: [not_ready()]
    capture: Callable[[], Awaitable[str]] = no_capture
    margins: Callable[[Plan], Sequence[tuple[str, bool]]] = lambda plan: ()
    clock: Callable[[], float] = time.monotonic
    asked_s: dict[tuple[str, str], float] = field(default_factory=dict)

    def paced(self, what: str, who: str, every_s: float) -> None:
        """who: an empty one counts for everybody. Raises CommandError: it was asked for too short a time ago."""
        now_s, before_s = self.clock(), self.asked_s.get((what, who), -math.inf)
        if now_s - before_s < every_s:
            wait_s = every_s - (now_s - before_s)
            raise CommandError(Refusal.RATE_LIMITED, f"{what} once in {every_s:g} s: again in {wait_s:.0f} s")
        self.asked_s[what, who] = now_s


def bounded(lines: Sequence[str], whole: str, most: int = TEXT_MAX) -> str:
    """Whole lines as far as they go, and how much is left out. whole: where all of it can be had."""
    text = "\n".join(lines)
    if len(text) <= most:
        return text
    room, kept = most - len(whole) - 80, list[str]()
    for line in lines:
        if room < len(line) + 1:
            break
        kept.append(line)
        room -= len(line) + 1
    if not kept:
        return f"{text[: max(room, 0)]} … cut: {len(text) - max(room, 0)} characters are left out; {whole}"
    return "\n".join([*kept, f"… cut: {len(lines) - len(kept)} of {len(lines)} lines are left out; {whole}"])
