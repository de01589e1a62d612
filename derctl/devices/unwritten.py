"""What meters and battery management systems have in common, whatever their registers: nothing of them is written."""

from __future__ import annotations

from functools import cache

from derctl.core.exchange import Exchange
from derctl.core.types import Capability, Fallback, Rating
from derctl.devices.types import Answers, Options, Reversion

NO_CONTROL = Capability()


@cache
def _unrated(v_nom_v: float) -> Rating:
    return Rating(p_max_w=0.0, p_min_w=0.0, s_max_va=0.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=v_nom_v)


class Unwritten:
    """The half of a device that speaks of its control. It stands before who reads it among the bases of a class."""

    __slots__ = ()

    options: Options

    @property
    def rating(self) -> Rating:
        return _unrated(self.options.v_nom_v)

    @property
    def can(self) -> Capability:
        return NO_CONTROL

    @property
    def reversion(self) -> Reversion:
        return Reversion()

    def rate(self) -> Exchange[Rating]:
        """It has none."""
        yield from ()
        return self.rating

    def promises(self, answers: Answers, fallback: Fallback) -> bool | None:
        return None

    def absent_w(self, fallback: Fallback) -> float:
        return 0.0
