"""Models 702 and 704: capacity, and the AC controls with reversion targets."""

from collections.abc import Mapping
from math import sqrt

from hil.faces.ac import BETWEEN
from hil.faces.face import Control
from hil.faces.image import ModelImage
from hil.faces.view import Rating

SCALES_702 = {"PF_SF": -2, "V_SF": -1, "A_SF": -1, "S_SF": 0}
SCALES_704 = {"PF_SF": -3, "WMaxLimPct_SF": -1, "WSet_SF": 0, "WSetPct_SF": -1, "VarSet_SF": 0, "VarSetPct_SF": -1}

CONTROLS_704 = {
    "ceiling": Control(
        model_id=704,
        enable="WMaxLimPctEna",
        points=("WMaxLimPct",),
        timer="WMaxLimPctRvrtTms",
        remaining="WMaxLimPctRvrtRem",
        revert_enable="WMaxLimPctEnaRvrt",
        pairs=(("WMaxLimPct", "WMaxLimPctRvrt"),),
    ),
    "target": Control(
        model_id=704,
        enable="WSetEna",
        points=("WSetMod", "WSet", "WSetPct"),
        timer="WSetRvrtTms",
        remaining="WSetRvrtRem",
        revert_enable="WSetEnaRvrt",
        pairs=(("WSet", "WSetRvrt"), ("WSetPct", "WSetPctRvrt")),
    ),
    "var": Control(
        model_id=704,
        enable="VarSetEna",
        points=("VarSetMod", "VarSetPri", "VarSet", "VarSetPct"),
        timer="VarSetRvrtTms",
        remaining="VarSetRvrtRem",
        revert_enable="VarSetEnaRvrt",
        pairs=(("VarSet", "VarSetRvrt"), ("VarSetPct", "VarSetPctRvrt")),
    ),
    "pf_inj": Control(
        model_id=704,
        enable="PFWInjEna",
        points=("PFWInj.PF", "PFWInj.Ext"),
        timer="PFWInjRvrtTms",
        remaining="PFWInjRvrtRem",
        revert_enable="PFWInjEnaRvrt",
        pairs=(("PFWInj.PF", "PFWInjRvrt.PF"), ("PFWInj.Ext", "PFWInjRvrt.Ext")),
    ),
    "pf_abs": Control(
        model_id=704,
        enable="PFWAbsEna",
        points=("PFWAbs.PF", "PFWAbs.Ext"),
        timer="PFWAbsRvrtTms",
        remaining="PFWAbsRvrtRem",
        revert_enable="PFWAbsEnaRvrt",
        pairs=(("PFWAbs.PF", "PFWAbsRvrt.PF"), ("PFWAbs.Ext", "PFWAbsRvrt.Ext")),
    ),
}

Effective = Mapping[str, Mapping[str, float | None]]


def capacity(rating: Rating, v_nom_v: float, phases: int, *, settings: bool) -> dict[str, float | str | None]:
    """Model 702: ratings, and settings equal to them unless the device implements none."""
    amps = rating.s_max_va / v_nom_v / phases
    volts = v_nom_v * BETWEEN[phases]
    rated: dict[str, float | str | None] = {
        "WMaxRtg": rating.p_max_w, "VAMaxRtg": rating.s_max_va, "VarMaxInjRtg": rating.q_max_var,
        "VarMaxAbsRtg": rating.q_max_var, "VNomRtg": volts, "VMaxRtg": 1.2 * volts, "VMinRtg": 0.8 * volts,
        "AMaxRtg": amps, "PFOvrExtRtg": 0.8, "PFUndExtRtg": 0.8, "NorOpCatRtg": 1, "AbnOpCatRtg": 1,
        "CtrlModes": 0x6FF,
    }  # fmt: skip
    storage = rating.p_charge_max_w > 0.0
    charge_w = rating.p_charge_max_w if storage else None
    discharge_w = rating.p_max_w if storage else None
    rated.update({"WChaRteMaxRtg": charge_w, "WDisChaRteMaxRtg": discharge_w, "VAChaRteMaxRtg": charge_w})
    if not settings:
        return rated
    values = {name.removesuffix("Rtg"): value for name, value in rated.items() if name.endswith("Rtg")}
    return {**rated, **{name: value for name, value in values.items() if name not in ("NorOpCat", "AbnOpCat")}}


def controls_off() -> dict[str, float | str | None]:
    """Model 704 as delivered: everything off, reversion off."""
    values: dict[str, float | str | None] = {}
    for control in CONTROLS_704.values():
        names = (control.enable, control.revert_enable, control.timer, control.remaining)
        values.update(dict.fromkeys((*names, *control.points, *(revert for _, revert in control.pairs)), 0))
    values.update({"WMaxLimPct": 100.0, "WMaxLimPctRvrt": 100.0, "WSetMod": 1, "VarSetMod": 4, "VarSetPri": 1})
    for name in ("PFWInj", "PFWInjRvrt", "PFWAbs", "PFWAbsRvrt"):
        values.update({f"{name}.PF": 1.0, f"{name}.Ext": 0})
    return {**values, "WRmp": 100, "WRmpRef": 1, "VarRmp": 100, "AntiIslEna": 1}


def base_w(image_702: ModelImage) -> float:
    """Percentages are of WMax where the device has it, else of the rating (model 704)."""
    value = image_702.get("WMax")
    return value if value is not None else image_702.get("WMaxRtg") or 0.0


def ceiling_w(effective: Effective, image_702: ModelImage) -> float | None:
    """704's limit."""
    group = effective["ceiling"]
    if group["WMaxLimPctEna"] != 1 or group["WMaxLimPct"] is None:
        return None
    return group["WMaxLimPct"] / 100.0 * base_w(image_702)


def target_w(effective: Effective, image_702: ModelImage) -> float | None:
    """704's W setpoint, + injects."""
    group = effective["target"]
    if group["WSetEna"] != 1:
        return None
    if group["WSetMod"] == 1:
        return group["WSet"]
    return (group["WSetPct"] or 0.0) / 100.0 * base_w(image_702)


def fixed_var(effective: Effective, image_702: ModelImage, rating: Rating, p_w: float) -> float | None:
    """704's var setpoint in its five modes."""
    group = effective["var"]
    if group["VarSetEna"] != 1:
        return None
    mode = int(group["VarSetMod"] or 0)
    if mode == 4:
        return group["VarSet"]
    share = (group["VarSetPct"] or 0.0) / 100.0
    available_var = sqrt(max(0.0, rating.s_max_va**2 - p_w**2))
    return share * (base_w(image_702), rating.q_max_var, available_var, rating.s_max_va)[mode]


def tan_phi(effective: Effective) -> float | None:
    """704's fixed power factor while injecting: Ext 0 is over-excited, which injects var."""
    group = effective["pf_inj"]
    pf = group["PFWInj.PF"]
    if group["PFWInjEna"] != 1 or pf is None or pf < 0.1:
        return None
    return sqrt(1.0 - min(1.0, pf * pf)) / pf * (-1.0 if group["PFWInj.Ext"] == 1 else 1.0)
