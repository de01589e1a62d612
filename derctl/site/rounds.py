"""How often a bus can poll its units, as far as the site file tells; the devices that are found tell the rest."""

from __future__ import annotations

from derctl.core.dataclass import dataclass
from derctl.core.freshness import METER_STALE_MAX_S, STALE_MAX_S, Round, stale_s
from derctl.site.pace import round_of
from derctl.site.site import Site, slowest


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


def rounds_of(site: Site) -> tuple[BusRound, ...]:
    """Of each bus that something is on."""
    found = []
    for bus in site.file.buses:
        expected = round_of(site.file, site.profiles, bus)
        if not expected.requests:
            continue
        pace, tick_s = slowest(site, bus), site.file.site.tick_s
        meter = site.file.poc is not None and site.file.poc.bus == bus.id
        most_s = METER_STALE_MAX_S if meter else STALE_MAX_S
        found.append(
            BusRound(
                bus=bus.id,
                requests=expected.requests,
                min_interval_s=pace["min_interval_s"],
                timeout_s=pace["timeout_s"],
                stale_s=stale_s(tick_s, expected, most_s),
                stale_most_s=stale_s(tick_s, Round(requests=1, answer_s=most_s), most_s),
            )
        )
    return tuple(found)
