"""YAML to a Site: every problem with file, line and path."""

from __future__ import annotations

from derctl.site.absence import Absence, absence_of, der_absence, fallback_of, found_of
from derctl.site.profiles import profiles
from derctl.site.rounds import BusRound, rounds_of
from derctl.site.schema import BusSection, DerSection, MqttSection, PocSection, SiteFile
from derctl.site.site import Site, build, load, rating_of, slowest
from derctl.site.wires import WIRES, Place, place_at, place_of

__all__ = [
    "WIRES",
    "Absence",
    "BusRound",
    "BusSection",
    "DerSection",
    "MqttSection",
    "Place",
    "PocSection",
    "Site",
    "SiteFile",
    "absence_of",
    "build",
    "der_absence",
    "fallback_of",
    "found_of",
    "load",
    "place_at",
    "place_of",
    "profiles",
    "rating_of",
    "rounds_of",
    "slowest",
]
