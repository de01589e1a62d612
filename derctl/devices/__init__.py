"""Device kinds, one a file. CATALOGUE is the only place that lists them. No `await` in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from derctl.core.exchange import Exchange
from derctl.core.types import Capability
from derctl.devices.profile import Profile
from derctl.devices.sunspec.bms import bind_bms
from derctl.devices.sunspec.der import PV, STORAGE, SunspecDer, bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from derctl.devices.types import Device, Identity, Models, Options, Reversion


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of the catalogue. role: der | meter | bms. can: the most that a device of this kind takes."""

    role: str
    bind: Callable[[Models, Options], Exchange[Device]]
    can: Capability = field(default_factory=Capability)


CATALOGUE: dict[str, Kind] = {
    "sunspec_pv": Kind(role="der", bind=bind_pv, can=PV),
    "sunspec_storage": Kind(role="der", bind=bind_storage, can=STORAGE),
    "sunspec_meter": Kind(role="meter", bind=bind_meter),
    "sunspec_bms": Kind(role="bms", bind=bind_bms),
}

__all__ = ["CATALOGUE", "Device", "Identity", "Kind", "Models", "Options", "Profile", "Reversion", "SunspecDer"]
