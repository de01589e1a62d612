"""YAML to a Site: every problem with file, line and path."""

from __future__ import annotations

from derctl.site.profiles import profiles
from derctl.site.schema import BusSection, DerSection, MqttSection, PocSection, SiteFile
from derctl.site.site import Site, build, fallback_of, load, rating_of, slowest
from derctl.site.wires import WIRES, place_of, wire_at, wire_of

__all__ = [
    "WIRES",
    "BusSection",
    "DerSection",
    "MqttSection",
    "PocSection",
    "Site",
    "SiteFile",
    "build",
    "fallback_of",
    "load",
    "place_of",
    "profiles",
    "rating_of",
    "slowest",
    "wire_at",
    "wire_of",
]
