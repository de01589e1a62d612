"""What operators asked for and is still alive. Expiry runs on the monotonic clock: a wall clock may jump."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from derctl.core.types import Request
from derctl.store.requests import plain_of, request_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One request as it came, with the monotonic time at which it ends."""

    request: Request
    ends_s: float


@dataclass(slots=True)
class Requests:
    """The latest request of a kind for a DER replaces the one before."""

    clock: Callable[[], float] = time.monotonic
    held: dict[tuple[str, str | None], Held] = field(default_factory=dict)

    def put(self, request: Request) -> None:
        """Hold it for its remaining_s from now."""
        ends_s = self.clock() + request.remaining_s
        self.held[request.kind, request.der] = Held(request=request, ends_s=ends_s)

    def clear(self, der: str | None) -> int:
        """Drop what concerns this DER (None: everything). Returns how many."""
        keys = [key for key in self.held if der is None or key[1] == der]
        for key in keys:
            del self.held[key]
        return len(keys)

    def alive(self) -> tuple[Request, ...]:
        """For the site state; the expired ones are forgotten."""
        now = self.clock()
        self.held = {key: held for key, held in self.held.items() if held.ends_s > now}
        return tuple(replace(held.request, remaining_s=held.ends_s - now) for held in self.held.values())


def to_plain(held: Held, *, wall: float | None, now_s: float) -> dict[str, Any]:
    """For the state file: the request's fields, remaining_s as of now, and `ends`.

    wall: s since 1970, None where the clock is not set; now_s: the monotonic clock that the requests run on.
    """
    left_s = held.ends_s - now_s
    return plain_of(replace(held.request, remaining_s=left_s)) | {"ends": None if wall is None else wall + left_s}


def from_plain(plain: Mapping[str, Any], *, wall: float | None) -> Request:
    """With what is left of it: nothing, if remaining_s is not above 0. Raises msgspec.ValidationError.

    Where the clock isn't set (wall is None), or wasn't when it was saved, what was left then counts.
    """
    request = request_of(plain)
    ends = msgspec.convert(plain.get("ends"), float | None)
    if wall is None or ends is None:
        return request
    return replace(request, remaining_s=min(request.remaining_s, ends - wall))
