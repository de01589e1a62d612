"""Contact inputs as principals: what each asks for is held as a request of its own, until it asks no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from derctl.core.contacts import START, Memory, Seen, Wiring, limit_share, plain_of, seen_of, step, text_of
from derctl.core.dataclass import dataclass
from derctl.core.requests import GridLimitRequest, Request, StopRequest
from derctl.core.types import FOREVER_S, SiteState
from derctl.core.words import Contact, Standing
from derctl.daemon.commands.row import LOCAL_ID
from derctl.daemon.requests import Requests
from derctl.links.gpio import Chip, Opener, Watched, opened
from derctl.site import Site
from derctl.site.contacts import latched, offsets_of, wiring_of
from derctl.site.schema import ContactSection

LOOK_S = 0.1
"""How often it is looked what the contacts say."""
FIRST_S = 2.0
"""How long the first reading is waited for; until then what was held before the start stands."""
ASKS = f"{LOCAL_ID}contact"
BROKEN = f"{LOCAL_ID}contact-broken"
"""The ids of a contact's requests: what it asks for, and a stop that is only there because it is broken."""


def unnoted(what: str, who: str, text: str, **more: Any) -> None:
    """Without an audit log."""


@dataclass(slots=True)
class Input:
    """One contact: its section, its wires, what it remembers, and since when (wall time) it says what it says.
    began_s: when it was taken, monotonic."""

    section: ContactSection
    wiring: Wiring
    watched: Watched
    began_s: float
    memory: Memory = START
    since: str | None = None

    @classmethod
    def of(cls, section: ContactSection, open_: Opener, clock: Callable[[], float]) -> Input:
        """Nothing is read yet."""
        chip = Chip(path=section.chip, low=section.closed_is == "low", pull=section.pull == "internal")
        lines = sorted(set(offsets_of(section).values()))
        return cls(section, wiring_of(section), Watched(chip, lines, open_, clock), clock())

    def look(self, now_s: float) -> Seen | None:
        """What its inputs say now, None: they were not read yet, and there is still time."""
        if not self.watched.tried and now_s - self.began_s < FIRST_S:
            return None
        read, why = self.watched.closed()
        closed = {name: read.get(line) for name, line in offsets_of(self.section).items()}
        return seen_of(self.wiring, closed, why)

    def holds(self, rated_w: float) -> Request | None:
        """The request that its word is, None: it asks for nothing."""
        seen, name = self.memory.settled, self.section.name
        share = None if seen is None else limit_share(self.wiring, seen)
        if seen is None or share is None:
            return None
        if self.wiring.kind is Contact.EMERGENCY_STOP:
            which = BROKEN if seen.fault else ASKS
            return StopRequest(id=which, der=None, by=name, remaining_s=FOREVER_S)
        limit_w = share * (self.section.rated_w or rated_w)
        export = self.section.limits == "export"
        return GridLimitRequest(
            id=ASKS,
            der=None,
            by=name,
            remaining_s=FOREVER_S,
            export_w=limit_w if export else None,
            generation_w=None if export else limit_w,
        )


@dataclass(slots=True, kw_only=True)
class Contacts:
    """state: the site as it is now. changed: something that must survive a restart has. tell: what News takes. note:
    the audit log. stamp: the wall time as text. open: how lines are had; start: how they begin to be read."""

    requests: Requests
    state: Callable[[], SiteState]
    changed: Callable[[], None]
    tell: Callable[[str, str, str], None]
    stamp: Callable[[], str]
    note: Callable[..., None] = unnoted
    open: Opener = opened
    start: Callable[[Watched], None] = Watched.start
    clock: Callable[[], float] = time.monotonic
    inputs: list[Input] = field(default_factory=list)
    _some: asyncio.Event = field(default_factory=asyncio.Event)

    def takes(self, site: Site) -> None:
        """A site file, the first one or another: a contact whose section is as it was stays as it is. What one that
        is there no more asked for ends; an emergency stop that it gave stays until it is lifted."""
        sections = site.file.contacts
        stay = [each for each in self.inputs if each.section in sections]
        for each in self.inputs:
            if each not in stay:
                each.watched.stop()
        known = [each.section for each in stay]
        fresh = [Input.of(each, self.open, self.clock) for each in sections if each not in known]
        self.inputs = [*stay, *fresh]
        for each in fresh:
            self.start(each.watched)
        self._sweep({each.name: each for each in sections})
        (self._some.set if self.inputs else self._some.clear)()

    def _sweep(self, sections: Mapping[str, ContactSection]) -> None:
        """Requests of contacts that are none any more, or of another kind."""

        def gone(each: Request) -> bool:
            if each.id not in {ASKS, BROKEN}:
                return False
            section = sections.get(each.by)
            stops = section is not None and Contact(section.kind) is Contact.EMERGENCY_STOP
            return each.id == BROKEN and not stops if isinstance(each, StopRequest) else section is None or stops

        if self.requests.drop(gone, Standing.CLEARED):
            self.changed()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._some.wait()
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Once: what each says, and what is held for it."""
        now_s, state = self.clock(), self.state()
        rated_w = sum(der.rating.p_max_w for der in state.ders)
        for each in self.inputs:
            before, seen = each.memory.settled, each.look(now_s)
            if seen is not None:
                each.memory = step(each.memory, each.wiring, seen, now_s)
            if each.memory.settled is None:
                continue
            wanted = each.holds(rated_w)
            if self._hold(each, wanted, state.tick_s):
                self.changed()
            if before is None or not before.same(each.memory.settled):
                each.since = self.stamp()
                self._say(each, wanted, first=before is None)

    def _hold(self, each: Input, wanted: Request | None, tick_s: float) -> bool:
        """Whether something has changed."""
        moved = False
        for which in (ASKS, BROKEN):
            want = wanted if wanted is not None and wanted.id == which else None
            moved |= self._hold_one(each, which, want, tick_s)
        return moved

    def _hold_one(self, each: Input, which: str, want: Request | None, tick_s: float) -> bool:
        key = (each.section.name, which)
        held = self.requests.held.get(key)
        if want is None:
            return held is not None and self._end(each, held.request, held.ends_s, tick_s)
        if which == BROKEN and (each.section.name, ASKS) in self.requests.held:
            return False  # somebody stopped the site before, and that is the stop that stays
        if held is not None and held.request.bounds() == want.bounds() and held.ends_s - self.clock() > FOREVER_S / 2:
            return False
        self.requests.drop(lambda request: (request.by, request.id) == key, Standing.REPLACED, each.section.name)
        self.requests.put(want)
        return True

    def _end(self, each: Input, request: Request, ends_s: float, tick_s: float) -> bool:
        """What it asked for lapses by itself within a tick, so that it is let go at random, and on a ramp. A stop
        that somebody gave stays where the file wants it latched."""
        key = (request.by, request.id)
        if isinstance(request, StopRequest):
            if request.id == ASKS and latched(each.section):
                return False
            self.requests.drop(lambda one: (one.by, one.id) == key, Standing.CLEARED, each.section.name)
            return True
        if ends_s - self.requests.clock() <= tick_s:
            return False
        self.requests.shorten(key, tick_s)
        return True

    def _say(self, each: Input, wanted: Request | None, *, first: bool) -> None:
        """Not that one which was just found is at rest."""
        if first and wanted is None:
            return
        settled = each.memory.settled
        text = f"{each.section.name} ({each.section.kind}): {text_of(each.wiring, settled)}"
        asked = () if settled is None else settled.asked
        self.tell("contact_changed", "", text)
        self.note(
            "command",
            each.section.name,
            text,
            command="contact" if wanted is None else wanted.kind,
            code=None,
            arguments={"asked": list(asked), **({} if wanted is None else wanted.bounds())},
        )

    def view(self) -> dict[str, Any]:
        """For `status`, by name."""
        return {each.section.name: _plain(each, self.requests) for each in self.inputs}


def _plain(each: Input, requests: Requests) -> dict[str, Any]:
    name = each.section.name
    held = [one.request for key, one in requests.held.items() if key in {(name, ASKS), (name, BROKEN)}]
    return plain_of(each.wiring, each.memory.settled) | {
        "since": each.since,
        "holds": [one.kind for one in held],
        "limits": {what: limit for one in held for what, limit in one.bounds().items() if what},
    }
