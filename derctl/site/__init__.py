"""YAML to a Site: every problem with file, line and path."""

from __future__ import annotations

from derctl.site.profiles import profiles
from derctl.site.schema import BusSection, DerSection, MqttSection, PocSection, SiteFile
from derctl.site.site import Site, build, fallback_of, load, rating_of, slowest

__all__ = [
    "BusSection",
    "DerSection",
    "MqttSection",
    "PocSection",
    "Site",
    "SiteFile",
    "build",
    "fallback_of",
    "load",
    "profiles",
    "rating_of",
    "slowest",
]
