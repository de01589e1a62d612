"""YAML to a Site: every problem with file, line and path."""

from __future__ import annotations

from derctl.site.absence import Absence, absence_of, der_absence, fallback_of, found_of
from derctl.site.profiles import profiles
from derctl.site.schema import BusSection, DerSection, MqttSection, PocSection, SiteFile
from derctl.site.site import Site, build, load, rating_of, slowest
from derctl.site.wires import WIRES, place_of, wire_at, wire_of

__all__ = [
    "WIRES",
    "Absence",
    "BusSection",
    "DerSection",
    "MqttSection",
    "PocSection",
    "Site",
    "SiteFile",
    "absence_of",
    "build",
    "der_absence",
    "fallback_of",
    "found_of",
    "load",
    "place_of",
    "profiles",
    "rating_of",
    "slowest",
    "wire_at",
    "wire_of",
]
