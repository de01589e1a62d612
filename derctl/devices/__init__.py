"""Device kinds, one a file. CATALOGUE is the only place that lists them. No `await` in here."""

from __future__ import annotations

from derctl.devices.kind import ByMap, Kind, Models, Sunspec
from derctl.devices.maps import bms as map_bms
from derctl.devices.maps import der as map_der
from derctl.devices.maps import meter as map_meter
from derctl.devices.profile import Profile
from derctl.devices.sunspec.bms import bind_bms
from derctl.devices.sunspec.der import HYBRID, PV, STORAGE, bind_hybrid, bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from derctl.devices.types import Device, Identity, Options, Reversion

CATALOGUE: dict[str, Kind] = {
    "sunspec_pv": Kind(role="der", bind=Sunspec(bind_pv), can=PV),
    "sunspec_storage": Kind(role="der", bind=Sunspec(bind_storage), can=STORAGE),
    "sunspec_hybrid": Kind(role="der", bind=Sunspec(bind_hybrid), can=HYBRID),
    "sunspec_meter": Kind(role="meter", bind=Sunspec(bind_meter)),
    "sunspec_bms": Kind(role="bms", bind=Sunspec(bind_bms)),
    "map_pv": Kind(role="der", bind=ByMap(map_der.bind_pv), can=map_der.PV),
    "map_storage": Kind(role="der", bind=ByMap(map_der.bind_storage), can=map_der.STORAGE),
    "map_hybrid": Kind(role="der", bind=ByMap(map_der.bind_hybrid), can=map_der.HYBRID),
    "map_meter": Kind(role="meter", bind=ByMap(map_meter.bind_meter)),
    "map_bms": Kind(role="bms", bind=ByMap(map_bms.bind_bms)),
}


def kinds(models: Models) -> dict[str, Kind]:
    """The catalogue, ready to find devices: its SunSpec drivers look models up where the shell has read them."""
    return {name: kind.given(models) for name, kind in CATALOGUE.items()}


__all__ = [
    "CATALOGUE",
    "Device",
    "Identity",
    "Kind",
    "Models",
    "Options",
    "Profile",
    "Reversion",
    "kinds",
]
