"""The points that every AC face shares: models 1, 101/103/113 and 701."""

from collections.abc import Mapping
from math import sqrt

from hil.faces.image import ModelImage
from hil.faces.personality import Personality
from hil.faces.view import AcReading, SiteView, phase_voltages_v
from hil.plant.inverter import FAULT, OFF, RUNNING, SLEEPING, STANDBY, STARTING, THROTTLED
from hil.plant.site import DerState

STATE_1XX = {OFF: 1, SLEEPING: 2, STARTING: 3, RUNNING: 4, THROTTLED: 5, FAULT: 7, STANDBY: 8}
STATE_701 = {OFF: 0, SLEEPING: 1, STARTING: 2, RUNNING: 3, THROTTLED: 4, FAULT: 6, STANDBY: 7}
PHASES = ("A", "B", "C")


def watt_scale(p_max_w: float) -> int:
    """The smallest scale factor from 0 that keeps 1.3 times the rating inside an int16."""
    factor = 0
    while p_max_w * 1.3 / 10**factor > 32767:
        factor += 1
    return factor


def common_image(habits: Personality, serial: str) -> ModelImage:
    """Model 1 with the identity strings."""
    image = ModelImage(1, without="Pad" if habits.common_length == 65 else "")
    image.put_all({"Mn": habits.maker, "Md": habits.model, "Vr": habits.version, "SN": serial, "Opt": "", "DA": 1})
    return image


def set_scales(image: ModelImage, defaults: Mapping[str, int], habits: Personality) -> None:
    """Scale factors of a model: the face's defaults under the personality's."""
    for name in image.slots:
        given = name in defaults or name in habits.scale_factors
        if given and image.slots[name].type == "sunssf":
            image.put_raw(name, habits.scale_factors.get(name, defaults.get(name, 0)))


def der_reading(view: SiteView, der: DerState) -> AcReading:
    """AC terminals of a DER."""
    inverter = der.inverter
    return AcReading(
        p_w=inverter.p_w,
        q_var=inverter.q_var,
        v_v=phase_voltages_v(view, der.v_pu, der.each_v_pu),
        f_hz=view.state.poc.f_hz,
        energy_out_wh=inverter.energy_out_wh,
        energy_in_wh=inverter.energy_in_wh,
    )


def scales_1xx(p_max_w: float) -> dict[str, int]:
    """Scale factors of a typical 10x: volts in 0.1, hertz in 0.01, watts whole, PF in 0.1 percent."""
    watts = watt_scale(p_max_w)
    amps = -2 if p_max_w < 100e3 else -1
    own = {"A_SF": amps, "V_SF": -1, "Hz_SF": -2, "PF_SF": -1, "WH_SF": 0, "DCA_SF": amps, "DCV_SF": -1, "Tmp_SF": -1}
    return {**own, "W_SF": watts, "VA_SF": watts, "VAr_SF": watts, "DCW_SF": watts}


def fill_1xx(image: ModelImage, ac: AcReading, *, status: str, dc_v: float, dc_w: float) -> None:
    """Models 101, 103, 111, 113."""
    phase_a = ac.current_a / len(ac.v_v)
    values: dict[str, float | str | None] = {
        "A": ac.current_a, "W": ac.p_w, "Hz": ac.f_hz, "VA": ac.s_va, "VAr": ac.q_var, "PF": 100.0 * ac.pf,
        "WH": 1000.0 + ac.energy_out_wh, "DCV": dc_v, "DCA": dc_w / dc_v if dc_v > 1.0 else 0.0, "DCW": dc_w,
        "TmpCab": 35.0, "St": STATE_1XX[status], "Evt1": 0, "Evt2": 0,
    }  # fmt: skip
    for phase, volts in zip(PHASES, ac.v_v, strict=False):
        values[f"Aph{phase}"] = phase_a
        values[f"PhVph{phase}"] = volts
    if len(ac.v_v) == 3:
        for pair in ("AB", "BC", "CA"):
            values[f"PPVph{pair}"] = ac.v_mean_v * sqrt(3.0)
    image.put_all(values)


BETWEEN = {1: 1.0, 2: 2.0, 3: sqrt(3.0)}
"""By the number of phases: the voltage between the lines (of one: at its terminals), of the one to neutral."""


def only_lines(image: ModelImage, ac: AcReading) -> None:
    """The phases are not implemented; the voltage stands between the lines alone."""
    for name in ("PhVphA", "PhVphB", "PhVphC", "LNV", "VL1", "VL2", "VL3"):
        if name in image.slots:
            image.clear(name)
    image.put_all(dict.fromkeys(("PPVphAB", "LLV"), ac.v_mean_v * BETWEEN[len(ac.v_v)]))


def scales_701(p_max_w: float) -> dict[str, int]:
    """Scale factors of a typical 701."""
    watts = watt_scale(p_max_w)
    amps = -2 if p_max_w < 100e3 else -1
    own = {"A_SF": amps, "V_SF": -1, "Hz_SF": -3, "PF_SF": -3, "TotWh_SF": 0, "TotVarh_SF": 0, "Tmp_SF": -1}
    return {**own, "W_SF": watts, "VA_SF": watts, "Var_SF": watts}


def fill_701(image: ModelImage, ac: AcReading, *, status: str) -> None:
    """Model 701; phases share equally."""
    phases = len(ac.v_v)
    on = status in (RUNNING, THROTTLED)
    values: dict[str, float | str | None] = {
        "ACType": phases - 1, "St": 1 if on else 0, "InvSt": STATE_701[status], "Alrm": 0,
        "ConnSt": 1 if on else 0, "DERMode": 1, "W": ac.p_w, "VA": ac.s_va, "Var": ac.q_var, "PF": ac.pf,
        "A": ac.current_a, "LNV": ac.v_mean_v, "Hz": ac.f_hz, "TotWhInj": 1000.0 + ac.energy_out_wh,
        "TotWhAbs": 1000.0 + ac.energy_in_wh, "TmpCab": 35.0, "ThrotPct": 0 if status != THROTTLED else 50,
        "LLV": ac.v_mean_v * sqrt(3.0) if phases == 3 else None,
    }  # fmt: skip
    for index, volts in enumerate(ac.v_v, start=1):
        values[f"VL{index}"] = volts
        values[f"WL{index}"] = ac.p_w / phases
        values[f"VarL{index}"] = ac.q_var / phases
        values[f"VAL{index}"] = ac.s_va / phases
        values[f"AL{index}"] = ac.current_a / phases
    image.put_all(values)
