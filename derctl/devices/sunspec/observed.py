"""What meters and battery management systems have in common: one block that is read, and nothing that is written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Self

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Read
from derctl.core.types import Capability, Fallback, Rating
from derctl.devices.nominal import Nominal
from derctl.devices.sunspec.found import Found
from derctl.devices.sunspec.layout import View
from derctl.devices.types import Answers, Reversion

NO_CONTROL = Capability()


@cache
def _unrated(v_nom_v: float) -> Rating:
    return Rating(p_max_w=0.0, p_min_w=0.0, s_max_va=0.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=v_nom_v)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed(Found):
    """A bound device with one view; who inherits decodes it."""

    view: View

    @property
    def rating(self) -> Rating:
        return _unrated(self.options.v_nom_v)

    @property
    def nominal(self) -> Nominal:
        """It states none."""
        return Nominal()

    @property
    def can(self) -> Capability:
        return NO_CONTROL

    @property
    def control(self) -> Mapping[str, Read]:
        return {self.view.name: self.view.read}

    @property
    def slow(self) -> Mapping[str, Read]:
        return self.whose

    @property
    def reversion(self) -> Reversion:
        return Reversion()

    def without(self, refused: Mapping[str, str]) -> Self | None:
        return None if self.view.name in refused else self

    def rate(self) -> Exchange[Rating]:
        """It has none."""
        yield from ()
        return self.rating

    def promises(self, answers: Answers, fallback: Fallback) -> bool | None:
        return None

    def absent_w(self, fallback: Fallback) -> float:
        return 0.0
