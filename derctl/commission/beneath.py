"""What stands beneath derctl in an inverter: the most that it is set to give, of what it is rated for."""

from __future__ import annotations

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.devices.sunspec.layout import Layout
from derctl.devices.sunspec.nameplate import POINTS_120, POINTS_121, POINTS_702
from derctl.errors import BusError, DeviceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Beneath:
    """set_w: 702.WMax or 121.WMax, which derctl never writes. rated_w: 702.WMaxRtg or 120.WRtg. None: not told."""

    set_w: float | None = None
    rated_w: float | None = None

    @property
    def limited(self) -> bool:
        """Whether it is set to less than it could give."""
        return self.set_w is not None and self.rated_w is not None and self.set_w < self.rated_w


PLACES = ((702, POINTS_702, "WMax", "WMaxRtg"), (121, POINTS_121, "WMax", ""), (120, POINTS_120, "", "WRtg"))


def beneath(layout: Layout) -> Exchange[Beneath]:
    """As it reads back; asked as its driver asks, so that nothing is read twice."""
    set_w: float | None = None
    rated_w: float | None = None
    for model_id, points, setting, rating in PLACES:
        block = layout.find(model_id)
        if block is None:
            continue
        try:
            values = yield from layout.once(block, points)
        except (DeviceError, BusError):
            continue
        set_w = set_w or values.get(setting) or None
        rated_w = rated_w or values.get(rating) or None
    return Beneath(set_w=set_w, rated_w=rated_w)
