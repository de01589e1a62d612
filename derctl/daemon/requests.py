"""What operators asked for and is still alive. Expiry runs on the monotonic clock: a wall clock may jump."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from derctl.core.types import LimitRequest, Request
from derctl.core.value import replace
from derctl.core.words import Refusal, Standing
from derctl.errors import CommandError
from derctl.functions.operator import standing
from derctl.store.requests import plain_of, request_of

CLOCKS_S = 1.0
"""Two ends this near to each other are the same: the sender's clock and ours tell them."""
HELD_MAX = 64
"""Limits and setpoints of one principal that are alive at once: whoever fills his list takes no room from another."""

ENDED_MAX = 4096
"""Requests of which it is remembered how they ended, until somebody asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One request as it came, with the monotonic time at which it ends."""

    request: Request
    ends_s: float


@dataclass(slots=True)
class Requests:
    """Limits live side by side: a second one erases no tighter one, and each ends by itself. Of setpoints, which are
    no bound, the latest for a DER replaces the one before.

    moved: what became of requests since somebody looked, for their owners. ended: the same of those that have ended,
    and who ended them, "" where they did by themselves; the latest ENDED_MAX.
    """

    clock: Callable[[], float] = time.monotonic
    held: dict[tuple[str, str], Held] = field(default_factory=dict)
    moved: list[tuple[Request, Standing]] = field(default_factory=list)
    ended: dict[tuple[str, str], tuple[Standing, str]] = field(default_factory=dict)
    _binding: set[tuple[str, str]] = field(default_factory=set)

    def put(self, request: Request) -> None:
        """Hold it for its remaining_s from now. Raises CommandError: too many of its sender's are alive, or this one
        is."""
        now = self.clock()
        self._forget(now)
        ends_s = now + request.remaining_s
        if _key(request) in self.held:
            raise CommandError(Refusal.REPLAYED, f"id {request.id!r} is alive")
        gone = [key for key, held in self.held.items() if _replaced(held, request, ends_s)]
        theirs = [key for key in self.held if key[0] == request.by and key not in gone]
        if len(theirs) >= HELD_MAX:
            text = f"{HELD_MAX} limits and setpoints of {request.by} are alive: clear some, or wait until one ends"
            raise CommandError(Refusal.TOO_MANY, text)
        if isinstance(request, LimitRequest):
            ends_s = max([ends_s, *(self.held[key].ends_s for key in gone)])
        for key in gone:
            self._end(key, Standing.REPLACED, request.by)
        self.held[_key(request)] = Held(request=request, ends_s=ends_s)
        self._judge()

    def clear(self, der: str | None, *, by: str = "", others: bool = True) -> int:
        """Drop what concerns this DER (None: everything); without `others` only what `by` asked for. Returns how
        many."""
        concerned = [key for key, held in self.held.items() if der is None or held.request.der == der]
        keys = [key for key in concerned if others or key[0] == by]
        for key in keys:
            self._end(key, Standing.CLEARED, by)
        self._judge()
        return len(keys)

    def undo(self, before: Mapping[tuple[str, str], Held]) -> Callable[[], None]:
        """What takes back all that has happened to `held` since it was `before`, and nothing that happens later."""
        came = {key: held for key, held in self.held.items() if key not in before}
        went = {key: held for key, held in before.items() if key not in self.held}

        def back() -> None:
            now = self.clock()
            for key in [key for key, held in came.items() if self.held.get(key) is held]:
                self._end(key, Standing.CLEARED)
            self.held |= {key: held for key, held in went.items() if held.ends_s > now and key not in self.held}
            self._judge()

        return back

    def alive(self) -> tuple[Request, ...]:
        """For the site state; the expired ones are forgotten."""
        now = self.clock()
        self._forget(now)
        return tuple(replace(held.request, remaining_s=held.ends_s - now) for held in self.held.values())

    def binds(self, request: Request) -> bool:
        """Whether it is the tightest limit of its DER, or of the site; of setpoints, any."""
        return _key(request) in self._binding

    def news(self) -> list[tuple[Request, Standing]]:
        """What moved since the last time."""
        moved, self.moved = self.moved, []
        return moved

    def _forget(self, now: float) -> None:
        for key in [key for key, held in self.held.items() if held.ends_s <= now]:
            self._end(key, Standing.EXPIRED)
        self._judge()

    def _end(self, key: tuple[str, str], why: Standing, by: str = "") -> None:
        self.moved.append((self.held.pop(key).request, why))
        self.ended[key] = (why, by)
        if len(self.ended) > ENDED_MAX:
            del self.ended[next(iter(self.ended))]
        self._binding.discard(key)

    def _judge(self) -> None:
        """Who binds now, and for whom that is new."""
        binding = {_key(request) for request in tightest(held.request for held in self.held.values())}
        for key, held in self.held.items():
            if (key in binding) != (key in self._binding):
                self.moved.append((held.request, Standing.BINDS if key in binding else Standing.WAITS))
        self._binding = binding


def tightest(requests: Iterable[Request]) -> list[Request]:
    """Of each kind, for each DER and the site, the one that binds."""
    found: dict[tuple[str, str | None], Request] = {}
    for request in sorted(requests, key=standing):
        found.setdefault((request.kind, request.der), request)
    return [*found.values()]


def rival(request: Request, others: Iterable[Request]) -> Request | None:
    """The one of its kind, for the same DER, that binds in its place."""
    alike = [each for each in others if (each.kind, each.der) == (request.kind, request.der)]
    return next((each for each in tightest(alike) if _key(each) != _key(request)), None)


def _key(request: Request) -> tuple[str, str]:
    return request.by, request.id


def _replaced(held: Held, new: Request, ends_s: float) -> bool:
    """A setpoint by the next one. A limit by its own sender's that is as tight and lasts as long, by the clocks of
    both: it would never bind again, and who renews a limit each minute shall not fill the list."""
    old = held.request
    if (old.kind, old.der) != (new.kind, new.der):
        return False
    if not isinstance(old, LimitRequest) or not isinstance(new, LimitRequest):
        return True
    return old.by == new.by and new.p_ceiling_w <= old.p_ceiling_w and ends_s >= held.ends_s - CLOCKS_S


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
