"""A battery management system: 1, 802, 803. Current and power + for discharge unless `sign` is -1."""

from hil.faces import ac
from hil.faces.face import Face
from hil.faces.image import ModelImage
from hil.faces.personality import Personality
from hil.faces.view import Rating, SiteView
from hil.plant.battery import BatteryParams, BatteryState

SCALES = {
    "AHRtg_SF": -1, "WHRtg_SF": 0, "DisChaRte_SF": -1, "SoC_SF": -1, "DoD_SF": -1, "SoH_SF": -1, "V_SF": -1,
    "CellV_SF": -3, "A_SF": -1, "AMax_SF": -1, "ModTmp_SF": -1,
}  # fmt: skip
UNDER_VOLT_ALARM = 1 << 11
"""Of 802's Evt1."""


class Bms(Face):
    """The BMS of the battery behind `der`."""

    def __init__(
        self,
        habits: Personality,
        rating: Rating,
        *,
        der: str,
        serial: str,
        pack: BatteryParams,
        sign: int = 1,
        seed: int = 0,
    ) -> None:
        self.der = der
        self.pack = pack
        self.sign = sign
        self._beats = 0
        base, bank = ModelImage(802), ModelImage(803, {"NStr": 1})
        watts = ac.watt_scale(rating.p_max_w)
        for image in (base, bank):
            ac.set_scales(image, {**SCALES, "W_SF": watts, "WChaDisChaMax_SF": watts}, habits)
        base.put_all(self._plate(rating))
        bank.put_all({"string[0].StrNMod": 1, "string[0].StrConFail": 0, "string[0].StrSetEna": 1})
        super().__init__([ac.common_image(habits, serial), base, bank], habits, rating, seed=seed)

    def _plate(self, rating: Rating) -> dict[str, float | str | None]:
        pack = self.pack
        return {
            "AHRtg": pack.capacity_ah, "WHRtg": pack.capacity_wh, "WChaRteMax": rating.p_charge_max_w,
            "WDisChaRteMax": rating.p_max_w, "SoCMax": pack.soc_max_pct, "SoCMin": pack.soc_min_pct, "SoH": 99.0,
            "SocRsvMax": 100.0, "SoCRsvMin": 0.0, "LocRemCtl": 0, "CtrlHb": 0, "AlmRst": 0, "Typ": 4,
            "VMax": pack.cells * pack.cell_v_max_v, "VMin": pack.cells * pack.cell_v_min_v, "Evt1": 0, "Evt2": 0,
            "ReqInvState": 0, "ReqW": 0.0, "SetOp": 1, "SetInvState": 3, "NCyc": 12,
        }  # fmt: skip

    def fill(self, view: SiteView) -> None:
        """State of charge, cell voltages, current and the limits that the inverter must keep."""
        battery = view.state.ders[self.der].battery
        if battery is None:
            raise ValueError(f"{self.der} has no battery")
        self._beats += 1
        self.bank.image(802).put_all(self._base(battery))
        self.bank.image(803).put_all(self._string(battery))

    def _base(self, battery: BatteryState) -> dict[str, float | str | None]:
        amps = self.noisy(self.sign * battery.current_a)
        charging = 4 if battery.current_a < -0.2 else 3 if battery.current_a > 0.2 else 6
        return {
            "SoC": battery.soc_pct, "DoD": 100.0 - battery.soc_pct, "ChaSt": charging,
            "Hb": (self._beats // 5) % 65000,
            "State": 3 if battery.closed else 1, "Evt1": UNDER_VOLT_ALARM if battery.low else 0,
            "V": battery.v_v, "A": amps, "W": amps * battery.v_v,
            "CellVMax": battery.cell_max_v, "CellVMin": battery.cell_min_v,
            "CellVMaxStr": 1, "CellVMinStr": 1,
            "CellVAvg": (battery.cell_max_v + battery.cell_min_v) / 2.0, "AChaMax": battery.charge_limit_a,
            "ADisChaMax": battery.discharge_limit_a, "CellVMaxMod": 1, "CellVMinMod": 1,
        }  # fmt: skip

    def _string(self, battery: BatteryState) -> dict[str, float | str | None]:
        amps, celsius = self.sign * battery.current_a, battery.temperature_c
        both = dict.fromkeys(("ModTmpMax", "ModTmpMin", "ModTmpAvg"), celsius)
        own = {"StrSoC": battery.soc_pct, "StrSoH": 99.0, "StrA": amps, "StrCellVMax": battery.cell_max_v}
        own |= {"StrCellVMin": battery.cell_min_v, "StrSt": 3 if battery.closed else 1}
        own |= dict.fromkeys(("StrModTmpMax", "StrModTmpMin", "StrModTmpAvg"), celsius)
        volts = dict.fromkeys(("StrVMax", "StrVMin", "StrVAvg"), battery.v_v)
        current = dict.fromkeys(("StrAMax", "StrAMin", "StrAAvg"), amps)
        string = {f"string[0].{name}": value for name, value in own.items()}
        return {**both, **volts, **current, **string, "NStrCon": 1 if battery.closed else 0, "NCellBal": 0}
