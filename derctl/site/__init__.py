"""YAML to a Site: every problem with file, line and path."""

from __future__ import annotations

from derctl.site.profiles import profiles
from derctl.site.schema import BusSection, DerSection, MqttSection, PocSection, SiteFile
from derctl.site.site import Site, build, fallback_of, load, rating_of, slowest
from derctl.site.wires import WIRES, Place, place_at, place_of

__all__ = [
    "WIRES",
    "BusSection",
    "DerSection",
    "MqttSection",
    "Place",
    "PocSection",
    "Site",
    "SiteFile",
    "build",
    "fallback_of",
    "load",
    "place_at",
    "place_of",
    "profiles",
    "rating_of",
    "slowest",
]
