"""A SunSpec device that was found, whatever it is: its map, and who it says it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from derctl.core.exchange import Exchange
from derctl.devices.sunspec.layout import Layout
from derctl.devices.types import Identity, Options


def incomplete(lacks: Sequence[str]) -> tuple[str, ...]:
    """As a problem of the device."""
    return (f"incomplete, so it is looked at again for {', '.join(lacks)}",) if lacks else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """problems: what was wrong with the map, or is missing for control. lacks: what another look may find."""

    layout: Layout
    options: Options
    problems: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    @property
    def identity(self) -> Identity:
        return self.layout.identity

    def identify(self) -> Exchange[Identity]:
        return self.layout.identify()
