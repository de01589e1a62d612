"""Commands that may let more power through, and came before the clock was set: they wait for it, in their order."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any

import msgspec

from derctl.core.dataclass import dataclass
from derctl.core.words import Refusal
from derctl.errors import CommandError

Key = tuple[str, str]
"""Whose request, and its id."""
WAITING_MAX = 16
"""Commands of one principal that wait (docs/sources.md)."""


class Waiter(msgspec.Struct, kw_only=True):
    """One of them. fields: as it came, its signature looked at. knew: what was asked for before it: it takes back
    nothing that came later. ends_s: when it is over, at the latest, on the monotonic clock: there is no other. why:
    what ended it before its time; "": nothing did. told: it was answered that it waits."""

    by: str
    command: str
    id: str
    fields: dict[str, Any]
    correlation: bytes | None
    knew: list[Key]
    ends_s: float
    why: str = ""
    told: bool = False


@dataclass(slots=True)
class Waiting:
    """In the order in which they came. dropped: those that somebody took back, and who has not heard of it."""

    line: list[Waiter] = field(default_factory=list)
    dropped: list[Waiter] = field(default_factory=list)

    def add(self, waiter: Waiter) -> None:
        """Raises CommandError: too many of its sender's wait."""
        if sum(each.by == waiter.by for each in self.line) >= WAITING_MAX:
            raise CommandError(Refusal.TOO_MANY, f"{WAITING_MAX} commands of {waiter.by} wait for the clock")
        self.line.append(waiter)

    def forget(self, waiter: Waiter) -> None:
        """It could not be saved."""
        self.line = [each for each in self.line if each is not waiter]

    def drop(self, which: Callable[[Waiter], bool], why: str) -> tuple[int, Callable[[], None]]:
        """How many, and what takes that back."""
        before, gone = self.line, [each for each in self.line if which(each)]
        for each in gone:
            self.forget(each)
            each.why = why
        self.dropped += gone

        def back() -> None:
            for each in gone:
                each.why = ""
            kept = [each for each in before if each.why == "" and (each in gone or each in self.line)]
            self.line = [*kept, *(each for each in self.line if each not in before)]
            self.dropped = [each for each in self.dropped if each.why]

        return len(gone), back

    def next(self, now_s: float, *, synced: bool) -> Waiter | None:
        """Whose turn it is; it does not wait any more."""
        if self.dropped:
            return self.dropped.pop(0)
        found = next((each for each in self.line if synced or each.ends_s <= now_s), None)
        if found is None or not found.told:
            return None
        self.forget(found)
        return found

    @property
    def keys(self) -> list[Key]:
        """By sender and id."""
        return [(each.by, each.id) for each in self.line]

    def plain(self, now_s: float) -> list[dict[str, Any]]:
        """For the state file, with what is left of each."""
        return [_plain(each, now_s) for each in self.line]

    def restore(self, saved: Iterable[Mapping[str, Any]], now_s: float, bad: Callable[[str], None]) -> None:
        """bad: takes what one that can't be read says."""
        for each in saved:
            try:
                self.line.append(_waiter(each, now_s))
            except (msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
                bad(str(error))


def _plain(each: Waiter, now_s: float) -> dict[str, Any]:
    correlation = None if each.correlation is None else b64encode(each.correlation).decode()
    own = {"by": each.by, "command": each.command, "id": each.id, "fields": each.fields, "knew": each.knew}
    return own | {"correlation": correlation, "left_s": each.ends_s - now_s}


def _waiter(plain: Mapping[str, Any], now_s: float) -> Waiter:
    own = dict(plain)
    code, left_s = own.pop("correlation"), own.pop("left_s")
    correlation = None if code is None else b64decode(code, validate=True)
    return msgspec.convert(own | {"correlation": correlation, "ends_s": now_s + left_s, "told": True}, Waiter)
