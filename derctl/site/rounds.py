"""How often a bus can poll its units, as far as the site file tells; the devices that are found tell the rest."""

from __future__ import annotations

from dataclasses import dataclass

from derctl.core.freshness import METER_STALE_MAX_S, STALE_MAX_S, WRITES, Round, stale_s
from derctl.devices import CATALOGUE
from derctl.site.site import Site, slowest

EXPECTED = {"der": 4, "bms": 2, "meter": 1}
"""Requests of one poll, by what a unit is: its control blocks, and the slow one that may stand before them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusRound:
    """bus: its id. requests, min_interval_s, timeout_s: expected. stale_s: how long a reading counts; stale_most_s:
    however slow the bus turns out to be."""

    bus: str
    requests: int
    min_interval_s: float
    timeout_s: float
    stale_s: float
    stale_most_s: float

    @property
    def poll_s(self) -> float:
        """How long a poll takes, at the least."""
        return self.requests * self.min_interval_s

    @property
    def too_slow(self) -> bool:
        """Whether each reading is too old before the next one comes."""
        return self.poll_s > self.stale_most_s


def rounds_of(site: Site) -> tuple[BusRound, ...]:
    """Of each bus that something is on."""
    found = []
    for bus in site.file.buses:
        roles = _roles(site, bus.id)
        requests = sum(EXPECTED.get(role, 1) for role in roles)
        if not requests:
            continue
        pace, tick_s = slowest(site, bus), site.file.site.tick_s
        meter = site.file.poc is not None and site.file.poc.bus == bus.id
        most_s = METER_STALE_MAX_S if meter else STALE_MAX_S
        writes = WRITES * roles.count("der")
        expected = Round(requests=requests, writes=writes, min_interval_s=pace["min_interval_s"])
        found.append(
            BusRound(
                bus=bus.id,
                requests=requests,
                min_interval_s=pace["min_interval_s"],
                timeout_s=pace["timeout_s"],
                stale_s=stale_s(tick_s, expected, most_s),
                stale_most_s=stale_s(tick_s, Round(requests=1, answer_s=most_s), most_s),
            )
        )
    return tuple(found)


def _roles(site: Site, bus: str) -> list[str]:
    ders = [der for der in site.file.ders if der.bus == bus]
    roles = [CATALOGUE[der.kind].role for der in ders]
    roles += ["bms" for der in site.file.ders if der.bms is not None and der.bms.bus == bus]
    return roles + (["meter"] if site.file.poc is not None and site.file.poc.bus == bus else [])
