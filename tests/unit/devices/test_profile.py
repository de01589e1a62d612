"""Which profile fits a device, by the words that real ones say in SunSpec model 1."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.site import profiles

SEEN = [
    ("Fronius", "Symo 8.2-3-M", "fronius"),  # evcc-io/evcc#16924
    ("Fronius", "IG+V11.4", "fronius"),  # SolarNetwork/solarnetwork-node, test-data-101-01
    ("KACO new energy", "blueplanet 8.6 TL3 INT", "kaco"),  # pkg kaco-modbus 1.1.0
    ("KOSTAL", "PLENTICORE plus5.5", "kostal"),  # evcc-io/evcc#12444
    ("SMA", "Solar Inverter", "sma"),  # SolarNetwork/solarnetwork-node, test-data-103-05
    ("SMA", "SB3.6-1AV-41", "sma"),  # nielsbasjes/sunspec-device
    ("SolarEdge", "SE10K", "solaredge"),  # volkszaehler/mbmd#128
    ("SolarEdge ", "SE33.3K", "solaredge"),  # SolarNetwork/solarnetwork-node, test-data-103-01
    ("FIMER", "-3Q58-", None),  # nielsbasjes/sunspec-device
    ("Veris Industries", "E51C2", None),  # SolarNetwork/solarnetwork-node, test-data-203-01
    ("", "", None),
]


@pytest.mark.parametrize(("maker", "model", "name"), SEEN)
def test_a_device_that_was_seen_fits_its_makers_profile_alone(maker: Any, model: Any, name: str) -> None:
    fitting = {each.name for each in profiles().values() if each.fit(maker, model)}
    assert fitting == ({name} if name else set())


def test_a_row_fits_where_all_that_it_names_does() -> None:
    kostal = profiles()["kostal"]
    assert kostal.fit("kostal", "Plenticore plus 10") == 2
    assert kostal.fit("KOSTAL", "Smart Energy Meter") == 0
    assert kostal.fit("Other", "PLENTICORE") == 0
