"""Which profiles the devices chose that were found: what takes time is reckoned anew with those."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.plan import Plan
from derctl.core.words import ProfileBy
from derctl.daemon.build import Plant
from derctl.site import Site


@dataclass(slots=True)
class Reckoned:
    """found: by the channel's id. One that is silent for a while is still the one that it was."""

    found: dict[str, str] = field(default_factory=dict)

    def look(self, site: Site, plant: Plant) -> Plan | None:
        """The plan by all that is found now; None: as before."""
        found = dict(chosen(plant))
        if found.items() <= self.found.items():
            return None
        self.found |= found
        return site.reckoned(self.found)


def chosen(plant: Plant) -> Iterator[tuple[str, str]]:
    for channel in plant.channels:
        device = channel.device
        if device is not None and device.habits.by is ProfileBy.IDENTITY:
            yield channel.id, device.habits.profile.name
