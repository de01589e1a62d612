"""A meter at the point of connection: 201, 203 or their float twins 211, 213. The registers' sign is an option."""

import random

from hil.faces import ac
from hil.faces.face import Face
from hil.faces.image import ModelImage
from hil.faces.personality import Personality
from hil.faces.view import AcReading, Rating, SiteView, between_v, phase_voltages_v

SCALES = {"A_SF": -2, "V_SF": -1, "Hz_SF": -2, "W_SF": 0, "VA_SF": 0, "VAR_SF": 0, "PF_SF": -1, "TotWh_SF": 0}
FLICKER_PU = 0.0005
"""What the neighbours do to the voltage of a grid that is alive, from one refresh to the next: 0.1 V of 230 V."""


class Meter(Face):
    """`sign` +1: W is positive for export; -1: positive for import. The energy counters never change sides."""

    def __init__(
        self,
        habits: Personality,
        rating: Rating,
        *,
        serial: str,
        view: SiteView,
        model: int | None = None,
        sign: int = 1,
        seed: int = 0,
    ) -> None:
        self.model = model or (203 if view.phases == 3 else 201)
        self.sign = sign
        image = ModelImage(self.model)
        watts = ac.watt_scale(rating.p_max_w)
        ac.set_scales(image, {**SCALES, **dict.fromkeys(("W_SF", "VA_SF", "VAR_SF"), watts)}, habits)
        super().__init__([ac.common_image(habits, serial), image], habits, rating, seed=seed)

    def fill(self, view: SiteView) -> None:
        """The flow at the point of connection."""
        self.bank.image(self.model).put_all(meter_values(self.noised(flow(view, self.random)), self.sign))


def flow(view: SiteView, dice: random.Random) -> AcReading:
    """What crosses the point of connection, at a voltage that wavers."""
    poc = view.state.poc
    return AcReading(
        p_w=poc.p_w,
        q_var=poc.q_var,
        v_v=tuple(v * (1.0 + dice.gauss(0.0, FLICKER_PU)) for v in phase_voltages_v(view, poc.v_pu, poc.each_v_pu)),
        f_hz=poc.f_hz,
        energy_out_wh=poc.export_wh,
        energy_in_wh=poc.import_wh,
        told_p_w=poc.each_p_w,
        told_q_var=poc.each_q_var,
        told_out_wh=poc.each_export_wh,
        told_in_wh=poc.each_import_wh,
    )


def meter_values(reading: AcReading, sign: int) -> dict[str, float | str | None]:
    """The points of a meter's model."""
    between = between_v(reading.v_v)
    values: dict[str, float | str | None] = {
        "A": reading.current_a, "PhV": reading.v_mean_v, "Hz": reading.f_hz, "W": sign * reading.p_w,
        "VA": reading.s_va, "VAR": sign * reading.q_var, "PF": 100.0 * sign * reading.pf, "Evt": 0,
        "TotWhExp": 1000.0 + reading.energy_out_wh, "TotWhImp": 1000.0 + reading.energy_in_wh,
        "PPV": sum(between) / 3.0 if between else None,
    }  # fmt: skip
    for index, (phase, volts) in enumerate(zip(ac.PHASES, reading.v_v, strict=False)):
        values[f"Aph{phase}"] = reading.each_a[index]
        values[f"PhVph{phase}"] = volts
        values[f"Wph{phase}"] = sign * reading.each_p_w[index]
        values[f"VAph{phase}"] = reading.each_s_va[index]
        values[f"VARph{phase}"] = sign * reading.each_q_var[index]
    for pair, volts in zip(("AB", "BC", "CA"), between, strict=False):
        values[f"PhVph{pair}"] = values[f"PPVph{pair}"] = volts
    return values
