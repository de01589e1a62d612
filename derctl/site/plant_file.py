"""plant.json beside the site file: what `derctl identify` found out, by serial number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from derctl.core.identified import Identified, MeterFound
from derctl.errors import ConfigError, Problem

PLANT = "plant.json"
PLANT_MAX = 1_048_576
"""Bytes: some thousand devices."""


class PlantFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By the serial number that the site file tells of a device: another one in its place was never stepped."""

    version: Literal[1] = 1
    ders: Mapping[str, Identified] = {}
    meters: Mapping[str, MeterFound] = {}

    def der(self, serial: str | None) -> Identified | None:
        """What is known of one; None: nothing, or its serial number is not told."""
        return self.ders.get(serial) if serial else None

    def meter(self, serial: str | None) -> MeterFound | None:
        return self.meters.get(serial) if serial else None

    def with_der(self, serial: str, found: Identified) -> PlantFile:
        return msgspec.structs.replace(self, ders={**self.ders, serial: found})

    def with_meter(self, serial: str, found: MeterFound) -> PlantFile:
        return msgspec.structs.replace(self, meters={**self.meters, serial: found})


NOTHING_FOUND = PlantFile()


def read_plant(folder: Path) -> PlantFile:
    """NOTHING_FOUND where there is none. Raises ConfigError for one that can't be used."""
    path = folder / PLANT
    try:
        with path.open("rb") as file:
            content = file.read(PLANT_MAX + 1)
        if len(content) > PLANT_MAX:
            raise msgspec.ValidationError(f"more than {PLANT_MAX} bytes")
        return msgspec.json.decode(content, type=PlantFile)
    except FileNotFoundError:
        return NOTHING_FOUND
    except (OSError, msgspec.MsgspecError) as error:
        text = f"{error}: correct it, or remove it and let `derctl identify` make it again"
        raise ConfigError([Problem(file=str(path), line=0, path="(file)", message=text)]) from error


def plant_text(plant: PlantFile) -> bytes:
    """As it is written: for people, too."""
    return (json.dumps(msgspec.to_builtins(plant), indent=2) + "\n").encode()
