"""What stands around every command: its id, when it was issued, and until when it holds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from derctl.core.words import Refusal
from derctl.daemon.commands.arguments import convert
from derctl.errors import CommandError
from derctl.store.answered import EXPIRES_MAX_S

EARLY_S = 30.0
"""How far in the future a command may be issued: clocks differ."""
ID_MAX = 128
"""Characters of an id: it is remembered, saved and sent back."""


class Envelope(msgspec.Struct, kw_only=True, frozen=True):
    """What every command carries. Its end is either a duration, counted from its issue, or a time."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=ID_MAX)]
    issued_at: datetime
    expires_s: float = 0.0
    expires_at: datetime | None = None

    @property
    def life_s(self) -> float:
        """From its issue to its end."""
        return self.expires_s if self.expires_at is None else (self.expires_at - self.issued_at).total_seconds()

    def left_s(self, now: float) -> float:
        """Of a clock that is set: what is left of it, more than nothing. Raises CommandError."""
        age = now - self.issued_at.timestamp()
        if age < -EARLY_S:
            text = f"issued {-age:.0f} s in the future, more than the {EARLY_S:g} s by which clocks may differ"
            raise CommandError(Refusal.NOT_YET_VALID, text)
        if age >= self.life_s:
            raise CommandError(Refusal.EXPIRED, f"issued {age:.0f} s ago, valid for {self.life_s:g} s")
        return self.life_s - max(age, 0.0)


KEYS = ("id", "issued_at", "expires_s", "expires_at")


def envelope_of(fields: dict[str, Any]) -> Envelope:
    """Takes its parts out of the fields. Raises CommandError."""
    for key in ("id", "issued_at"):
        if key not in fields:
            raise CommandError(Refusal.MISSING, f"{key} is missing")
    given = {key: fields.pop(key) for key in KEYS if key in fields}
    ends = [key for key in ("expires_s", "expires_at") if key in given]
    if not ends:
        raise CommandError(Refusal.MISSING, "expires_s is missing, or expires_at")
    if len(ends) > 1:
        raise CommandError(Refusal.BAD_ARGUMENT, "expires_s and expires_at: give one of them")
    envelope = convert(given, Envelope)
    for key in ("issued_at", *(["expires_at"] if envelope.expires_at is not None else [])):
        if getattr(envelope, key).tzinfo is None:
            raise CommandError(Refusal.BAD_ARGUMENT, f"{key} needs a time zone, such as Z")
    if not 0.0 < envelope.life_s <= EXPIRES_MAX_S:
        raise CommandError(Refusal.OUT_OF_RANGE, no_life(ends[0], envelope.life_s))
    return envelope


def no_life(key: str, seconds: Any) -> str:
    """A life that no command has, with the range."""
    number = isinstance(seconds, float) or (type(seconds) is int and abs(seconds) < 10**18)
    shown = f"{seconds:.10g}" if number else str(seconds)[:ID_MAX]
    of = key if key == "expires_s" else f"{key} - issued_at"
    most = f"{EXPIRES_MAX_S:.10g} s, which is {EXPIRES_MAX_S / 86400.0:g} days"
    return f"{of} = {shown} is outside 0 (not included) to {most}"
