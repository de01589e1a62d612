"""YAML to a Site: every problem with file, line and path."""

from __future__ import annotations

from derctl.site.absence import Absence, absence_of, der_absence, fallback_of, found_of
from derctl.site.pace import KEYS as PACE
from derctl.site.profiles import OWN_PLACE, known_profiles, profile_at, profiles
from derctl.site.rounds import BusRound, rounds_of
from derctl.site.schema import (
    BusSection,
    DerSection,
    MeterSection,
    ModbusTlsSection,
    MqttSection,
    PocSection,
    SiteFile,
)
from derctl.site.site import Site, build, load, paces, rating_of, slowest
from derctl.site.wires import WIRES, Place, place_at, place_of

__all__ = [
    "OWN_PLACE",
    "PACE",
    "WIRES",
    "Absence",
    "BusRound",
    "BusSection",
    "DerSection",
    "MeterSection",
    "ModbusTlsSection",
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
    "known_profiles",
    "load",
    "paces",
    "place_at",
    "place_of",
    "profile_at",
    "profiles",
    "rating_of",
    "rounds_of",
    "slowest",
]
