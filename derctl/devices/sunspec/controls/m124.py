"""Model 124: storage power by its two rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from derctl.core.capability import clamp
from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import Fallback, Port, Rating
from derctl.core.words import FallbackBy, Timer
from derctl.devices.profile import Profile
from derctl.devices.steps import percent_of
from derctl.devices.sunspec.controls.group import NO_TIMER, Group, timed
from derctl.devices.sunspec.controls.groups import Groups
from derctl.devices.sunspec.layout import Layout, View
from derctl.devices.sunspec.nameplate import base_124
from derctl.devices.types import Answers

POINTS_124 = ("WChaMax", "StorCtl_Mod", "OutWRte", "InWRte", "InOutWRte_RvrtTms", "InOutWRte_SF", "WChaMax_SF")


def build_124(layout: Layout, rating: Rating, profile: Profile, want: Port) -> Exchange[Groups]:
    """The target, where one is wanted."""
    block, nothing = layout.find(124), Groups()
    if block is None or not want.aim:
        return nothing
    view = layout.view("sto", block, POINTS_124, told=True)
    values = yield from layout.asked(block, POINTS_124)
    if 124 in layout.unread:
        return nothing
    target = Target124.build(view, values, (yield from base_124(layout)), profile)
    problems = (NO_TIMER,) if target.timer is Timer.NONE else ()
    return Groups(views={view.name: view}, target=target, problems=problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target124(Group):
    """Storage power by model 124: both rates at the same value, so that they leave one power only. Its timer has no
    target: the storage goes back to its own mode."""

    NEEDED: ClassVar = frozenset({"OutWRte", "InWRte", "StorCtl_Mod"})
    SHARES: ClassVar = ("OutWRte", "InWRte")

    @classmethod
    def build(cls, view: View, values: dict[str, Any], base: float, profile: Profile) -> Target124:
        """base: what both rates count from, W."""
        counts = timed(profile) and profile.storage_reverts and values["InOutWRte_RvrtTms"] is not None
        steps = percent_of(base, values["InOutWRte_SF"])
        timer = Timer.NO_TARGET if counts else Timer.NONE
        return cls(view=view, base=base, profile=profile, steps=steps, timer=timer)

    def tells(self, values: Mapping[str, Any]) -> bool:
        return values["StorCtl_Mod"] is not None and values["OutWRte"] is not None

    def accepted_w(self, values: dict[str, Any]) -> float | None:
        if values["StorCtl_Mod"] != 3 or values["OutWRte"] is None:
            return None
        return float(values["OutWRte"] * self.base / 100.0)

    def promises(self, values: dict[str, Any], fallback: Fallback) -> bool:
        return self._kept(values["InOutWRte_RvrtTms"], self.accepted_w(values), fallback)

    def write(self, target_w: float, fallback: Fallback, answers: Answers) -> Exchange[None]:
        yield from self._aim(target_w, 0.0 if fallback.by == FallbackBy.STANDS else fallback.after_s, answers)

    def release(self, fallback: Fallback, answers: Answers) -> Exchange[None]:
        if fallback.p_ceiling_w is None:
            yield from self._write(answers, {"StorCtl_Mod": (0,)})
        else:
            yield from self._aim(0.0, 0.0, answers)

    def _aim(self, target_w: float, timer_s: float, answers: Answers) -> Exchange[None]:
        sf = self.view.values(answers)["InOutWRte_SF"]
        target = clamp(target_w, -self.base, self.base)
        rates = {
            "OutWRte": self._percent("OutWRte", target, sf, down=True),
            "InWRte": self._percent("InWRte", -target, sf, down=True),
        }
        timers = {"InOutWRte_WinTms": (0,), "InOutWRte_RvrtTms": (round(timer_s),), "InOutWRte_RmpTms": (0,)}
        yield from self._write(answers, rates | timers | {"StorCtl_Mod": (3,)})
