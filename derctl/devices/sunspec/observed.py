"""What meters and battery management systems have in common: one block that is read, and nothing that is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Read
from derctl.devices.nominal import Nominal
from derctl.devices.sunspec.found import Found
from derctl.devices.sunspec.layout import View
from derctl.devices.unwritten import Unwritten


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Unwritten, Found):
    """A bound device with one view; who inherits decodes it."""

    view: View

    @property
    def nominal(self) -> Nominal:
        """It states none."""
        return Nominal()

    @property
    def control(self) -> Mapping[str, Read]:
        return {self.view.name: self.view.read}

    @property
    def slow(self) -> Mapping[str, Read]:
        return self.whose

    def without(self, refused: Mapping[str, str]) -> Self | None:
        return None if self.view.name in refused else self
