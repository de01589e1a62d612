"""The running daemon as people are shown it: what it is and does now, and what arming would write."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from derctl import __version__
from derctl.core.dataclass import dataclass
from derctl.core.poc import with_belief
from derctl.core.sensitivity import UNKNOWN
from derctl.core.types import Decision, SiteState
from derctl.core.words import Refusal
from derctl.daemon.clock import Clock
from derctl.daemon.control import Control
from derctl.daemon.news import News
from derctl.daemon.picture import Picture, stroke
from derctl.daemon.report.buses import Buses
from derctl.daemon.report.contained import containment
from derctl.daemon.report.loops import loops, loops_now, sensitivities
from derctl.daemon.report.unwatched import unwatched
from derctl.daemon.report.view import DerView, View, der_view, loop_view, poc_view
from derctl.daemon.survival import Survival
from derctl.daemon.uplink import Uplink
from derctl.errors import CommandError
from derctl.store.ticks import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """records: what is kept for others. contacts: what the inputs say. security: what came.
    started_s: when the daemon began, monotonic."""

    clock: Clock
    control: Control
    recorder: Recorder
    news: News
    uplink: Uplink
    survival: Survival
    records: Callable[[], Mapping[str, Any]] = dict
    contacts: Callable[[], Mapping[str, Any]] = dict
    security: Callable[[], Mapping[str, Any]] = dict
    buses: Buses = field(default_factory=Buses)
    started_s: float = field(default_factory=time.monotonic)

    def picture(self) -> Picture:
        """What the last tick would have written. Raises CommandError before the first."""
        tick, writers = self.recorder.latest, self.control.writers
        if tick is None:
            raise CommandError(Refusal.NOT_READY, "the first tick is not done yet")
        decisions = self._decisions()
        return Picture(
            ders=tuple(
                stroke(
                    der,
                    decisions.get(der.id),
                    writers[der.id].promised.told,
                    writers[der.id].kept_from(der),
                    self._newer(der.id),
                )
                for der in tick.state.ders
            )
        )

    def _newer(self, der_id: str) -> str:
        record = self.control.absent.known.of.get(der_id)
        return "" if record is None else record.newer

    def view(self) -> View:
        """Now."""
        control, clock = self.control, self.clock
        state = with_belief(control.state(), control.loop.memories)
        requests = control.requests
        return View(
            version=__version__,
            site=control.site.file.site.id,
            pid=os.getpid(),
            now=clock.now(),
            now_s=state.t_s,
            synced=clock.synced,
            uptime_s=state.t_s - self.started_s,
            arming=control.gate.arming,
            loop=loop_view(control.loop),
            poc=poc_view(
                state.poc,
                control.plant.poc,
                control.proof.belief(control.loop.memories),
                unwatched(control.loop.plan, state.poc, control.loop.memories),
            ),
            ders=self._ders(state),
            buses=control.plant.buses,
            mqtt=self.uplink.view(),
            requests=[(request, requests.binds(request)) for request in state.requests],
            events=self.news.events,
            disk=self.survival.disk_view(),
            loops=loops(loops_now(control.site, state.requests), control.loop.memories),
            loads=self.loads(),
            records=self.records(),
            contacts=self.contacts(),
            security=self.security(),
            containment=containment(control.loop.plan, control.loop.memories),
        )

    def loads(self) -> dict[str, dict[str, Any]]:
        """By bus, what it is loaded with."""
        control = self.control
        return self.buses.shown(control.site, control.plant, control.loop.clock())

    def _ders(self, state: SiteState) -> list[DerView]:
        control, decisions = self.control, self._decisions()
        moved = sensitivities(control.loop.memories)
        sections = {section.id: section for section in control.site.file.ders}
        return [
            der_view(
                sections[n].kind,
                der,
                control.plant.ders[n],
                control.writers[n],
                decisions.get(n),
                control.releaser.records.of(n),
                control.standings.view(n),
                moved.get(n, UNKNOWN),
                control.absent.known.due(sections[n]),
            )
            for der in state.ders
            for n in (der.id,)
        ]

    def _decisions(self) -> Mapping[str, Decision]:
        """Of the last tick, by DER id."""
        tick = self.recorder.latest
        return {} if tick is None else {decision.der: decision for decision in tick.decisions}
