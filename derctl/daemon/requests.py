"""What operators asked for and is still alive. Expiry runs on the monotonic clock: a wall clock may jump."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field
from typing import Any

import msgspec

from derctl.core.dataclass import dataclass
from derctl.core.requests import LATEST, LimitRequest, Request
from derctl.core.value import replace
from derctl.core.words import Abides, Refusal, Standing
from derctl.daemon.waiting import Key, Waiting
from derctl.errors import CommandError
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
    and who ended them, "" where they did by themselves; the latest ENDED_MAX. waiting: commands that wait for the
    clock.
    """

    clock: Callable[[], float] = time.monotonic
    held: dict[Key, Held] = field(default_factory=dict)
    moved: list[tuple[Request, Standing]] = field(default_factory=list)
    ended: dict[Key, tuple[Standing, str]] = field(default_factory=dict)
    waiting: Waiting = field(default_factory=Waiting)
    _binding: set[Key] = field(default_factory=set)
    _silent: set[Key] = field(default_factory=set)

    def put(self, request: Request, *, instead: bool = False, knew: Collection[Key] | None = None) -> None:
        """Hold it for its remaining_s from now. instead: of all limits of its sender's for the same DER, or for the
        site. knew: of one that had to wait, those that were asked for before it. Raises CommandError: too many of its
        sender's are alive, or this one is, or a later one has its place."""
        now = self.clock()
        self._forget(now)
        ends_s = now + request.remaining_s
        if _key(request) in self.held:
            raise CommandError(Refusal.REPLAYED, f"id {request.id!r} is alive")
        gone = [key for key, held in self.held.items() if _replaced(held, request, ends_s, instead)]
        later = next((key for key in gone if knew is not None and key not in knew), None)
        if later is not None:
            raise CommandError(Refusal.OVERTAKEN, f"{later[0]} asked for another one while it waited")
        theirs = [key for key in self.held if key[0] == request.by and key not in gone]
        if len(theirs) >= HELD_MAX and not request.latched:
            text = f"{HELD_MAX} limits and setpoints of {request.by} are alive: clear some, or wait until one ends"
            raise CommandError(Refusal.TOO_MANY, text)
        if request.beside is Abides.TIGHTER and not instead:
            ends_s = max([ends_s, *(self.held[key].ends_s for key in gone)])
        for key in gone:
            self._end(key, Standing.REPLACED, request.by)
        self.held[_key(request)] = Held(request=request, ends_s=ends_s)
        self._judge(now)

    def loosened(self, request: LimitRequest) -> bool:
        """Whether it is above one of its sender's that it would take the place of."""
        mine = [held.request for held in self.held.values() if _same_place(held.request, request)]
        limits = [each for each in mine if isinstance(each, LimitRequest)]
        return any(each.p_ceiling_w < request.p_ceiling_w for each in limits if each.by == request.by)

    def clear(
        self,
        der: str | None,
        *,
        by: str | None = None,
        others: bool = True,
        knew: Collection[Key] | None = None,
    ) -> int:
        """Drop what concerns this DER (None: everything), but for what nobody may clear, or by alone may not; without
        `others` only what `by` asked for. knew: as of drop. Returns how many."""

        def concerned(each: Request) -> bool:
            mine = by in {None, each.by}
            return der in {None, each.der} and not each.latched and (mine or (others and not each.own))

        return self.drop(concerned, Standing.CLEARED, by or "", knew=knew)

    def drop(
        self, which: Callable[[Request], bool], why: Standing, by: str = "", *, knew: Collection[Key] | None = None
    ) -> int:
        """End those, by somebody's word. knew: that word waited, and these were asked for before it. Returns how
        many."""
        keys = [key for key, held in self.held.items() if which(held.request) and (knew is None or key in knew)]
        for key in keys:
            self._end(key, why, by)
        self._judge(self.clock())
        return len(keys)

    def shorten(self, key: Key, seconds: float) -> None:
        """One that is alive ends by itself, so soon at most."""
        held = self.held[key]
        self.held[key] = Held(request=held.request, ends_s=min(held.ends_s, self.clock() + seconds))

    def undo(self, before: Mapping[Key, Held]) -> Callable[[], None]:
        """What takes back all that has happened to `held` since it was `before`, and nothing that happens later."""
        came = {key: held for key, held in self.held.items() if key not in before}
        went = {key: held for key, held in before.items() if key not in self.held}

        def back() -> None:
            now = self.clock()
            gone = [key for key, held in came.items() if self.held.get(key) is held]
            untold = {_key(each) for each, why in self.moved if why is Standing.BINDS}
            for key in gone:
                self._end(key, Standing.CLEARED)
            self.moved = [each for each in self.moved if _key(each[0]) not in untold.intersection(gone)]
            self.held |= {key: held for key, held in went.items() if held.ends_s > now and key not in self.held}
            self._judge(now)

        return back

    def alive(self) -> tuple[Request, ...]:
        """For the site state; the expired ones are forgotten."""
        now = self.clock()
        self._forget(now)
        return tuple(left(held, now) for held in self.held.values())

    def binds(self, request: Request) -> bool:
        """Whether it is the tightest limit of its DER, or of the site; of setpoints, any."""
        return _key(request) in self._binding - self._silent

    def news(self) -> list[tuple[Request, Standing]]:
        """What moved since the last time."""
        moved, self.moved = self.moved, []
        return moved

    def _forget(self, now: float) -> None:
        for key in [key for key, held in self.held.items() if held.ends_s <= now]:
            self._end(key, Standing.EXPIRED)
        self._judge(now)

    def _end(self, key: Key, why: Standing, by: str = "") -> None:
        self.moved.append((left(self.held.pop(key), self.clock()), why))
        self.ended[key] = (why, by)
        if len(self.ended) > ENDED_MAX:
            del self.ended[next(iter(self.ended))]
        self._binding.discard(key)

    def _judge(self, now: float) -> None:
        """Who binds now, and for whom that is new. One that says nothing now waits for nobody."""
        asked = {key: left(held, now) for key, held in self.held.items()}
        self._silent = {key for key, request in asked.items() if not request.bounds()}
        binding = {_key(request) for request in tightest(asked.values())} | (self._silent & self._binding)
        for key, request in asked.items():
            if (key in binding) != (key in self._binding):
                self.moved.append((request, Standing.BINDS if key in binding else Standing.WAITS))
        self._binding = binding


def left(held: Held, now_s: float) -> Request:
    """What of it counts now."""
    return replace(held.request, remaining_s=held.ends_s - now_s).now()


def tightest(requests: Iterable[Request]) -> list[Request]:
    """Of each kind, for each DER and the site, the one that binds; of several bounds each one's. Of what is no bound
    (LATEST) the one that came last."""
    found: dict[tuple[str, str | None, str], tuple[float, str, str]] = {}
    asked = list(requests)
    for request in asked:
        for name, bound in request.bounds().items():
            at, wish = (request.kind, request.der, name), (bound, request.id, request.by)
            found[at] = wish if name == LATEST else min(found.get(at, wish), wish)
    binding = {(*at[:2], *wish[1:]) for at, wish in found.items()}
    return [each for each in asked if (each.kind, each.der, each.id, each.by) in binding]


def rival(request: Request, others: Iterable[Request]) -> Request | None:
    """The one of its kind, for the same DER, that binds in its place."""
    alike = [each for each in others if _same_place(each, request)]
    return next((each for each in tightest(alike) if _key(each) != _key(request)), None)


def _key(request: Request) -> Key:
    return request.by, request.id


def _same_place(one: Request, other: Request) -> bool:
    """Of one kind, or for one function, for the same DER or for the site."""
    return (one.place, one.der) == (other.place, other.der)


def _replaced(held: Held, new: Request, ends_s: float, instead: bool) -> bool:
    """By what its kind says (`Request.beside`). A limit by its own sender's that is as tight and lasts as long, by
    the clocks of both: it would never bind again, and who renews a limit each minute shall not fill the list."""
    old = held.request
    if not _same_place(old, new):
        return False
    if new.beside is Abides.NONE:
        return True
    if new.beside is Abides.ALL or old.by != new.by:
        return False
    if instead or new.beside is Abides.OTHERS:
        return True
    return _as_tight(old, new) and ends_s >= held.ends_s - CLOCKS_S


def _as_tight(old: Request, new: Request) -> bool:
    """In all that the old one bounds."""
    bounds = new.bounds()
    return all(name in bounds and bounds[name] <= w for name, w in old.bounds().items())


def to_plain(held: Held, *, wall: float | None, now_s: float) -> dict[str, Any]:
    """For the state file: the request's fields, remaining_s as of now, and `ends`.

    wall: s since 1970, None where the clock is not set; now_s: the monotonic clock that the requests run on.
    """
    left_s = held.ends_s - now_s
    return plain_of(replace(held.request, remaining_s=left_s)) | {"ends": None if wall is None else wall + left_s}


def from_plain(plain: Mapping[str, Any], *, wall: float | None) -> Request:
    """With what is left of it: nothing, if remaining_s is not above 0. Raises msgspec.ValidationError.

    Where the clock isn't set (wall is None), or wasn't when it was saved, what was left then counts; of a schedule
    nothing: nobody knows which part of it is now.
    """
    request = request_of(plain)
    if request.latched:
        return request
    ends = msgspec.convert(plain.get("ends"), float | None)
    if wall is None or ends is None:
        return replace(request, remaining_s=0.0) if getattr(request, "schedule", ()) else request
    return replace(request, remaining_s=min(request.remaining_s, ends - wall))
