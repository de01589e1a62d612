"""YAML to a Site: every problem with file, line and path."""

from __future__ import annotations

from derctl.config.schema import BusSection, DerSection, MqttSection, PocSection, SiteFile
from derctl.config.site import Site, build, fallback_of, load, profiles, rating_of, slowest

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
