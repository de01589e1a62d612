"""Curves 705, 706, 711, 712: category B shapes, off; curve 1 is the active one's read-only copy (SunSpec)."""

from collections.abc import Mapping, Sequence

from hil.faces.bank import ILLEGAL_VALUE, Bank, Refused
from hil.faces.image import ModelImage, Slot
from hil.plant.curve import Points
from hil.plant.inverter import OwnFunctions

NONE = OwnFunctions()
VOLT_VAR = ((92.0, 100.0), (98.0, 0.0), (102.0, 0.0), (108.0, -100.0))
VOLT_WATT = ((106.0, 100.0), (110.0, 0.0))
WATT_VAR = ((-100.0, 0.0), (-50.0, 0.0), (-20.0, 0.0), (20.0, 0.0), (50.0, 0.0), (100.0, -100.0))
Plan = list[tuple[ModelImage, Mapping[str, int], Mapping[str, float | str | None]]]


def images() -> Plan:
    """The four models with their scale factors and points."""
    scales = {"V_SF": -1, "W_SF": -1, "DeptRef_SF": -1, "RspTms_SF": -1, "Db_SF": -3, "K_SF": -3}
    droop = ModelImage(711, {"NCtl": 2})
    return [
        (ModelImage(705, {"NPt": 4, "NCrv": 2}), scales, {**_off("Crv"), **_curves("V", "Var", VOLT_VAR)}),
        (ModelImage(706, {"NPt": 2, "NCrv": 2}), scales, {**_off("Crv"), **_curves("V", "W", VOLT_WATT)}),
        (ModelImage(712, {"NPt": 6, "NCrv": 2}), scales, {**_off("Crv"), **_curves("W", "Var", WATT_VAR)}),
        (droop, scales, {**_off("Ctl"), **_droops()}),
    ]


def _off(kind: str) -> dict[str, float | str | None]:
    return {"Ena": 0, f"Adpt{kind}Req": 0, f"Adpt{kind}Rslt": 1, "RvrtTms": 0, "RvrtRem": 0, f"Rvrt{kind}": 0}


def _curves(x: str, y: str, points: Points) -> dict[str, float | str | None]:
    values: dict[str, float | str | None] = {}
    for index in range(2):
        crv = f"Crv[{index}]."
        fixed = {"ActPt": len(points), "DeptRef": 1 if y == "Var" else 0, "Pri": 1, "VRef": 100.0, "VRefAutoEna": 0}
        fixed |= {"VRefAutoTms": 300, "RspTms": 5.0, "ReadOnly": 1 if index == 0 else 0}
        values.update({crv + name: value for name, value in fixed.items()})
        for number, (at, value) in enumerate(points):
            values |= {f"{crv}Pt[{number}].{x}": at, f"{crv}Pt[{number}].{y}": value}
    return values


def _droops() -> dict[str, float | str | None]:
    values: dict[str, float | str | None] = {}
    for index in range(2):
        fixed = {"DbOf": 0.036, "DbUf": 0.036, "KOf": 0.05, "KUf": 0.05, "RspTms": 5.0, "PMin": 0}
        values.update({f"Ctl[{index}].{name}": value for name, value in fixed.items()})
        values[f"Ctl[{index}].ReadOnly"] = 1 if index == 0 else 0
    return values


def adopt(image: ModelImage, slots: Sequence[Slot]) -> None:
    """AdptCrvReq = k copies curve k to the active place; the read-only copy itself takes no writes."""
    if image.model_id not in (705, 706, 711, 712):
        return
    if any(slot.name.startswith(("Crv[0]", "Ctl[0]")) for slot in slots):
        raise Refused(ILLEGAL_VALUE)
    kind = "Ctl" if image.model_id == 711 else "Crv"
    if not any(slot.name == f"Adpt{kind}Req" for slot in slots):
        return
    wanted = image.raw(f"Adpt{kind}Req")
    good = wanted == 2
    image.put_raw(f"Adpt{kind}Rslt", 1 if good else 2)
    for name in [n for n in image.slots if good and n.startswith(f"{kind}[1].") and not n.endswith("ReadOnly")]:
        raw = image.raw(name)
        if raw is not None:
            image.put_raw(name.replace("[1].", "[0].", 1), int(raw))


def own_functions(bank: Bank) -> OwnFunctions:
    """What the device does by itself: the active curves of those models whose Ena is 1."""
    volt_var, volt_watt, droop = bank.image(705), bank.image(706), bank.image(711)
    on = droop.raw("Ena") == 1
    return OwnFunctions(
        volt_var=_points(volt_var, "V", "Var") if volt_var.raw("Ena") == 1 else (),
        volt_var_olrt_s=volt_var.get("Crv[0].RspTms") or 5.0,
        volt_watt=_points(volt_watt, "V", "W") if volt_watt.raw("Ena") == 1 else (),
        droop_db_hz=droop.get("Ctl[0].DbOf") if on else None,
        droop_k_pu=(droop.get("Ctl[0].KOf") or 0.05) if on else 0.05,
        droop_olrt_s=(droop.get("Ctl[0].RspTms") or 5.0) if on else 5.0,
    )


def _points(image: ModelImage, x: str, y: str) -> Points:
    count = int(image.raw("Crv[0].ActPt") or 0)
    pairs = [(image.get(f"Crv[0].Pt[{i}].{x}") or 0.0, image.get(f"Crv[0].Pt[{i}].{y}") or 0.0) for i in range(count)]
    return tuple((at / 100.0, value / 100.0) for at, value in pairs)
