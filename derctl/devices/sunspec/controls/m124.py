"""Model 124: storage power by its two rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from derctl.core.capability import clamp
from derctl.core.exchange import Exchange
from derctl.core.types import Fallback
from derctl.devices.sunspec.controls.group import Group
from derctl.devices.types import Answers

POINTS_124 = ("WChaMax", "StorCtl_Mod", "OutWRte", "InWRte", "InOutWRte_RvrtTms", "InOutWRte_SF", "WChaMax_SF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target124(Group):
    """Storage power by model 124: both rates at the same value, so that they leave one power only."""

    NEEDED: ClassVar = frozenset({"OutWRte", "InWRte", "StorCtl_Mod"})

    def accepted_w(self, values: dict[str, Any]) -> float | None:
        if values["StorCtl_Mod"] != 3 or values["OutWRte"] is None:
            return None
        return float(values["OutWRte"] * self.base / 100.0)

    def write(self, target_w: float, fallback: Fallback, answers: Answers, *, timer: bool = True) -> Exchange[None]:
        sf = self.view.values(answers)["InOutWRte_SF"]
        target = clamp(target_w, -self.base, self.base)
        points = {
            "OutWRte": self._percent("OutWRte", target, sf, down=True),
            "InWRte": self._percent("InWRte", -target, sf, down=True),
        }
        seconds = round(fallback.after_s) if timer and fallback.by != "stands" else 0
        points |= {"InOutWRte_WinTms": (0,), "InOutWRte_RvrtTms": (seconds,), "InOutWRte_RmpTms": (0,)}
        yield from self._write(answers, points | {"StorCtl_Mod": (3,)})

    def release(self, fallback: Fallback, answers: Answers) -> Exchange[None]:
        if fallback.p_ceiling_w is None:
            yield from self._write(answers, {"StorCtl_Mod": (0,)})
        else:
            yield from self.write(0.0, fallback, answers, timer=False)
