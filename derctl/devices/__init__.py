"""Device kinds, one a file. CATALOGUE is the only place that lists them. No `await` in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from derctl.core.exchange import Exchange
from derctl.devices.profile import Profile
from derctl.devices.sunspec.bms import bind_bms
from derctl.devices.sunspec.der import SunspecDer, bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from derctl.devices.types import Device, Identity, Models, Options, Reversion


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of the catalogue. role: der | meter | bms."""

    role: str
    bind: Callable[[Models, Options], Exchange[Device]]
    storage: bool = False


CATALOGUE: dict[str, Kind] = {
    "sunspec_pv": Kind(role="der", bind=bind_pv),
    "sunspec_storage": Kind(role="der", bind=bind_storage, storage=True),
    "sunspec_meter": Kind(role="meter", bind=bind_meter),
    "sunspec_bms": Kind(role="bms", bind=bind_bms),
}

__all__ = ["CATALOGUE", "Device", "Identity", "Kind", "Models", "Options", "Profile", "Reversion", "SunspecDer"]
