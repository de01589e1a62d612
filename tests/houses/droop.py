"""A battery that is lifted in under-frequency, and a frequency that goes to the other side of the band at once."""

import random
from collections.abc import Iterable

from derctl.core.requests import BatteryRequest
from derctl.core.types import Setpoint
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.operator import SetpointFunction
from hil.following import STEP_S
from hil.houses import Unit
from tests import make
from tests.timeline import PlanTimeline

DEMAND_W, UNDER_HZ, OVER_HZ = -1000.0, 49.5, 50.1
NOISE_HZ, NOISE_W, UNDER_S = 0.003, 10.0, 60.0


def crossed(seed: int, seconds: float, *, t90_s: float = 0.5) -> list[float]:
    """What it gives, tick by tick of a second, from the last one in under-frequency on. The battery's answer and both
    measurements have their own time and noise."""
    dice, time = random.Random(seed), PlanTimeline.of(FreqDroop(), SetpointFunction(), der="bat1")
    unit = Unit(p_max_w=5000.0, p_min_w=-5000.0, t90_s=t90_s, dead_s=0.2, p_w=DEMAND_W)
    asked = (BatteryRequest(id="r", der="bat1", by="anna", remaining_s=9e9, p_target_w=DEMAND_W),)
    told, given = Setpoint(p_target_w=DEMAND_W), list[float]()
    for n, f_hz in enumerate(_course(seconds)):
        for k in range(round(1.0 / STEP_S)):
            unit.step(lambda w: DEMAND_W if w is None else w, n + k * STEP_S)
        given.append(unit.p_w)
        read = make.battery(p_w=unit.p_w + dice.gauss(0.0, NOISE_W), f_hz=f_hz + dice.gauss(0.0, NOISE_HZ))
        told = time.told(read, requests=asked)["bat1"]
        unit.tell(told.p_target_w, n + 1.0)
    return given[-round(seconds) - 1 :]


def _course(seconds: float) -> Iterable[float]:
    return [50.0] * 10 + [UNDER_HZ] * round(UNDER_S) + [OVER_HZ] * round(seconds)
