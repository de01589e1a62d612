"""Models 120-124: nameplate, settings, status, immediate controls, storage; and the commands they carry."""

from collections.abc import Mapping, Sequence
from math import sqrt

from hil.faces.bank import ILLEGAL_VALUE, Refused
from hil.faces.face import Control
from hil.faces.image import ModelImage, Slot
from hil.faces.view import Rating

CONTROLS_123 = {
    "ceiling": Control(
        model_id=123,
        enable="WMaxLim_Ena",
        points=("WMaxLimPct", "WMaxLimPct_WinTms", "WMaxLimPct_RmpTms"),
        timer="WMaxLimPct_RvrtTms",
    ),
    "pf": Control(
        model_id=123,
        enable="OutPFSet_Ena",
        points=("OutPFSet", "OutPFSet_WinTms", "OutPFSet_RmpTms"),
        timer="OutPFSet_RvrtTms",
    ),
    "var": Control(
        model_id=123,
        enable="VArPct_Ena",
        points=("VArWMaxPct", "VArMaxPct", "VArAvalPct", "VArPct_Mod", "VArPct_WinTms", "VArPct_RmpTms"),
        timer="VArPct_RvrtTms",
    ),
    "connect": Control(model_id=123, enable="Conn", points=("Conn_WinTms",), timer="Conn_RvrtTms", off=1),
}
CONTROL_124 = {
    "storage": Control(
        model_id=124,
        enable="StorCtl_Mod",
        points=("OutWRte", "InWRte", "InOutWRte_WinTms", "InOutWRte_RmpTms"),
        timer="InOutWRte_RvrtTms",
    )
}
SCALES_120 = {"PFRtg_SF": -2, "ARtg_SF": -1, "AhrRtg_SF": 0, "WHRtg_SF": 0}
SCALES_121 = {"VRef_SF": -1, "VRefOfs_SF": -1, "VMinMax_SF": -1, "WGra_SF": 0, "PFMin_SF": -2, "ECPNomHz_SF": -1}
SCALES_123 = {"WMaxLimPct_SF": -1, "OutPFSet_SF": -3, "VArPct_SF": -1}
SCALES_124 = {"WChaDisChaGra_SF": 0, "MinRsvPct_SF": -1, "ChaState_SF": -1, "InBatV_SF": -1, "InOutWRte_SF": -1}

Effective = Mapping[str, Mapping[str, float | None]]


def nameplate(rating: Rating, v_nom_v: float, phases: int) -> dict[str, float | str | None]:
    """Model 120."""
    plate: dict[str, float | str | None] = {
        "DERTyp": 82 if rating.energy_wh else 4, "WRtg": rating.p_max_w, "VARtg": rating.s_max_va,
        "VArRtgQ1": rating.q_max_var, "VArRtgQ4": -rating.q_max_var, "ARtg": rating.s_max_va / v_nom_v / phases,
        "PFRtgQ1": 0.8, "PFRtgQ4": -0.8,
    }  # fmt: skip
    if rating.energy_wh:
        battery = {"WHRtg": rating.energy_wh, "MaxChaRte": rating.p_charge_max_w, "MaxDisChaRte": rating.p_max_w}
        plate.update(battery)
    return plate


def settings(rating: Rating, v_nom_v: float, f_nom_hz: float) -> dict[str, float | str | None]:
    """Model 121."""
    return {
        "WMax": rating.p_max_w, "VRef": v_nom_v, "VRefOfs": 0.0, "VAMax": rating.s_max_va, "VMax": 1.2 * v_nom_v,
        "VMin": 0.8 * v_nom_v, "VArMaxQ1": rating.q_max_var, "VArMaxQ4": -rating.q_max_var, "ECPNomHz": f_nom_hz,
        "WGra": 100.0,
    }  # fmt: skip


def controls_off() -> dict[str, float | str | None]:
    """Model 123 as delivered: everything off, no timers, connected."""
    zero: tuple[str, ...] = (
        "Conn_WinTms",
        "Conn_RvrtTms",
        "WMaxLimPct_WinTms",
        "WMaxLimPct_RvrtTms",
        "WMaxLimPct_RmpTms",
    )
    zero += ("WMaxLim_Ena", "OutPFSet_WinTms", "OutPFSet_RvrtTms", "OutPFSet_RmpTms", "OutPFSet_Ena", "VArWMaxPct")
    zero += ("VArMaxPct", "VArAvalPct", "VArPct_WinTms", "VArPct_RvrtTms", "VArPct_RmpTms", "VArPct_Ena")
    return {**dict.fromkeys(zero, 0), "Conn": 1, "WMaxLimPct": 100.0, "OutPFSet": 1.0, "VArPct_Mod": 2}


def storage_idle(rating: Rating) -> dict[str, float | str | None]:
    """Model 124 as delivered: its own mode, no timer."""
    return {
        "WChaMax": max(rating.p_charge_max_w, rating.p_max_w), "WChaGra": 100, "WDisChaGra": 100, "StorCtl_Mod": 0,
        "MinRsvPct": 0.0, "OutWRte": 100.0, "InWRte": 100.0, "InOutWRte_WinTms": 0, "InOutWRte_RvrtTms": 0,
        "InOutWRte_RmpTms": 0, "ChaGriSet": 1,
    }  # fmt: skip


def ceiling_w(effective: Effective, image_121: ModelImage) -> float | None:
    """123's limit in W; percent of 121.WMax."""
    group = effective["ceiling"]
    if group["WMaxLim_Ena"] != 1 or group["WMaxLimPct"] is None:
        return None
    return group["WMaxLimPct"] / 100.0 * (image_121.get("WMax") or 0.0)


def fixed_var(effective: Effective, rating: Rating, p_w: float, image_121: ModelImage) -> float | None:
    """123's fixed var: percent of WMax (1), VArMax (2) or what is left of VA (3)."""
    group = effective["var"]
    if group["VArPct_Ena"] != 1:
        return None
    available_var = sqrt(max(0.0, rating.s_max_va**2 - p_w**2))
    bases = {1: image_121.get("WMax"), 2: image_121.get("VArMaxQ1"), 3: available_var}
    points = {1: "VArWMaxPct", 2: "VArMaxPct", 3: "VArAvalPct"}
    mode = int(group["VArPct_Mod"] or 0)
    if mode not in points:
        return None
    return (group[points[mode]] or 0.0) / 100.0 * (bases[mode] or 0.0)


def tan_phi(effective: Effective) -> float | None:
    """123's fixed power factor as Q/P: a negative PF absorbs."""
    group = effective["pf"]
    pf = group["OutPFSet"]
    if group["OutPFSet_Ena"] != 1 or pf is None or abs(pf) < 0.1:
        return None
    return sqrt(1.0 - min(1.0, pf * pf)) / abs(pf) * (1.0 if pf > 0.0 else -1.0)


def storage_bounds_w(effective: Effective, image_124: ModelImage) -> tuple[float | None, float | None]:
    """124 as (floor, ceiling): bit 0 bounds charging by InWRte, bit 1 discharging by OutWRte; negative forces."""
    group = effective["storage"]
    mode = int(group["StorCtl_Mod"] or 0)
    base_w = image_124.get("WChaMax") or 0.0
    floor_w = -(group["InWRte"] or 0.0) / 100.0 * base_w if mode & 1 else None
    ceiling = (group["OutWRte"] or 0.0) / 100.0 * base_w if mode & 2 else None
    return floor_w, ceiling


def out_of_range(image: ModelImage, slots: Sequence[Slot], bounds: Mapping[str, tuple[float, float]]) -> list[str]:
    """I1: written values outside of the nameplate, by name."""
    found = []
    for slot in slots:
        low_high = bounds.get(slot.name)
        value = image.get(slot.name) if low_high else None
        if low_high and value is not None and not low_high[0] - 1e-6 <= value <= low_high[1] + 1e-6:
            found.append(f"I1 {image.model_id}.{slot.name} = {value} outside {low_high}")
    return found


def refuse_any(found: list[str]) -> None:
    """A device refuses values outside of its nameplate with exception 3."""
    if found:
        raise Refused(ILLEGAL_VALUE)
