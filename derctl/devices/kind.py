"""A row of the catalogue, and what its driver has to be given before it can find a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from functools import partial

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import Capability
from derctl.core.value import replace
from derctl.devices.lengths import Told, bound
from derctl.devices.types import Device, Options
from derctl.sunspec import Model

Models = Callable[[int], Model | None]
"""Looks a compiled SunSpec model up; None where there is no definition."""

Bind = Callable[[Options], Exchange[Device]]
"""Finds a device and learns what it can. Raises NotRecognised."""


def no_models(model_id: int) -> Model | None:
    """The look-up of a catalogue that nobody has given models: with it nothing is found."""
    return None


@dataclass(frozen=True, slots=True)
class Sunspec:
    """The bind of a driver that looks SunSpec models up."""

    driver: Callable[[Models, Options], Exchange[Told]]
    models: Models = no_models

    def __call__(self, options: Options) -> Exchange[Device]:
        return bound(partial(self.driver, self.models), options)


@dataclass(frozen=True, slots=True)
class ByMap:
    """The bind of a driver that goes by the register map of its profile."""

    driver: Callable[[Options], Exchange[Told]]

    def __call__(self, options: Options) -> Exchange[Device]:
        return bound(self.driver, options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of the catalogue. role: der | meter | bms. can: the most that a device of this kind takes."""

    role: str
    bind: Bind
    can: Capability = field(default_factory=Capability)

    @property
    def mapped(self) -> bool:
        """Whether such a device has registers of its own, and no SunSpec models."""
        return isinstance(self.bind, ByMap)

    def given(self, models: Models) -> Kind:
        """The same row; a driver that speaks SunSpec looks models up here."""
        return replace(self, bind=replace(self.bind, models=models)) if isinstance(self.bind, Sunspec) else self
