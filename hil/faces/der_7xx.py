"""An inverter of the 7xx generation, for the sun or a battery: 1, 701-704, 705, 706, 711-715."""

from collections.abc import Mapping, Sequence

from hil.faces import ac, curves_7xx
from hil.faces import controls_7xx as controls
from hil.faces.face import Control, Face
from hil.faces.image import ModelImage, Slot
from hil.faces.immediate import out_of_range, refuse_any
from hil.faces.personality import Personality
from hil.faces.view import Rating, SiteView
from hil.plant.inverter import InverterCommand
from hil.plant.site import DerState

ENTER_SERVICE = {
    "ES": 1,
    "ESVHi": 105.0,
    "ESVLo": 91.7,
    "ESDlyTms": 5,
    "ESRndTms": 0,
    "ESRmpTms": 5,
    "ESDlyRemTms": 0,
}


class Der7xx(Face):
    """`curves` False leaves 703, 705, 706, 711 and 712 out (a small storage inverter)."""

    controls: Mapping[str, Control] = controls.CONTROLS_704

    def __init__(
        self,
        habits: Personality,
        rating: Rating,
        *,
        der: str,
        serial: str,
        view: SiteView,
        curves: bool = True,
        own_volt_var: bool = False,
        seed: int = 0,
    ) -> None:
        self.der = der
        self.curves = curves
        self._p_w = 0.0
        self._beats = 0
        self._bounds = _bounds(rating)
        super().__init__(self._images(habits, rating, serial, view), habits, rating, seed=seed)
        if curves and own_volt_var:
            self.bank.image(705).put("Ena", 1)

    def _images(self, habits: Personality, rating: Rating, serial: str, view: SiteView) -> Sequence[ModelImage]:
        watts = ac.watt_scale(rating.p_max_w)
        scales_702 = {**controls.SCALES_702, **dict.fromkeys(("W_SF", "VA_SF", "Var_SF"), watts)}
        with_settings = not habits.settings_not_implemented
        alone = bool(view.state.ders[self.der].phase) if self.der in view.state.ders else False
        phases = 1 if alone else view.phases
        capacity = controls.capacity(rating, view.v_nom_v, phases, settings=with_settings)
        storage = rating.energy_wh > 0.0
        enter = {**ENTER_SERVICE, "ESHzHi": view.f_nom_hz + 0.1, "ESHzLo": view.f_nom_hz - 0.5}
        dc_scales = {"DCA_SF": -1, "DCV_SF": -1, "DCW_SF": watts, "DCWH_SF": 0, "Tmp_SF": -1}
        port = {"Prt[0].PrtTyp": 1 if storage else 0, "Prt[0].ID": 1, "Prt[0].IDStr": "ESS" if storage else "PV"}
        plan: list[tuple[ModelImage, Mapping[str, int], Mapping[str, float | str | None]]] = [
            (ModelImage(701), ac.scales_701(rating.p_max_w), {}),
            (ModelImage(702), scales_702, capacity),
            (ModelImage(704), controls.SCALES_704, controls.controls_off()),
            (ModelImage(713), {"WH_SF": 0, "Pct_SF": -1}, {"WHRtg": rating.energy_wh, "SoC": 0.0, "Sta": 0}),
            (ModelImage(714, {"NPrt": 1}), dc_scales, {**port, "PrtAlrms": 0}),
            (ModelImage(715), {}, {"LocRemCtl": 0, "DERHb": 0, "ControllerHb": 0, "AlarmReset": 0, "OpCtl": 1}),
        ]
        if self.curves:
            plan.insert(2, (ModelImage(703), {"V_SF": -1, "Hz_SF": -2}, enter))
            plan += curves_7xx.images()
        for image, scales, values in plan:
            ac.set_scales(image, scales, habits)
            image.put_all(values)
        return [ac.common_image(habits, serial), *(image for image, _, _ in plan)]

    def fill(self, view: SiteView) -> None:
        """Measurements, DC port and state of charge."""
        der = view.state.ders[self.der]
        self._p_w = der.inverter.p_w
        reading = self.noised(ac.der_reading(view, der))
        ac.fill_701(self.bank.image(701), reading, status=der.inverter.status)
        if self.habits.voltage == "lines":
            ac.only_lines(self.bank.image(701), reading)
        self._fill_dc(der)
        self._beats += 1
        self.bank.image(715).put("DERHb", self._beats // 5)

    def _fill_dc(self, der: DerState) -> None:
        battery = der.battery
        dc_v = battery.v_v if battery is not None else (600.0 if der.p_available_w > 20.0 else 0.0)
        dc_w = battery.dc_p_w if battery is not None else der.inverter.p_w / 0.96
        dc_a = dc_w / dc_v if dc_v > 1.0 else 0.0
        out_wh, in_wh = der.inverter.energy_out_wh, der.inverter.energy_in_wh
        values = {
            "DCA": dc_a,
            "DCW": dc_w,
            "DCWhInj": out_wh,
            "DCWhAbs": in_wh,
            "Prt[0].DCV": dc_v,
            "Prt[0].DCSta": 1,
        }
        port = {"Prt[0].DCA": dc_a, "Prt[0].DCW": dc_w, "Prt[0].DCWhInj": out_wh, "Prt[0].DCWhAbs": in_wh}
        self.bank.image(714).put_all({**values, **port})
        if battery is not None:
            available_wh = self.rating.energy_wh * battery.soc_pct / 100.0
            self.bank.image(713).put_all({"WHAvail": available_wh, "SoC": battery.soc_pct, "SoH": 99.0})

    def command(self) -> InverterCommand:
        """What 703, 704, 715 and the device's own curves ask."""
        capacity = self.bank.image(702)
        serves = self.bank.image(703).raw("ES") == 1 if self.curves else True
        return InverterCommand(
            p_ceiling_w=controls.ceiling_w(self.effective, capacity),
            p_target_w=controls.target_w(self.effective, capacity),
            q_var=controls.fixed_var(self.effective, capacity, self.rating, self._p_w),
            tan_phi=controls.tan_phi(self.effective),
            connect=serves and self.bank.image(715).raw("OpCtl") not in (0, 2),
            own=curves_7xx.own_functions(self.bank) if self.curves else curves_7xx.NONE,
        )

    def check(self, image: ModelImage, slots: Sequence[Slot]) -> None:
        """Values outside of the nameplate are refused; curve requests are carried out."""
        found = out_of_range(image, slots, self._bounds)
        self.violations += found
        refuse_any(found)
        if self.curves:
            curves_7xx.adopt(image, slots)


def _bounds(rating: Rating) -> dict[str, tuple[float, float]]:
    watts = (-rating.p_charge_max_w, rating.p_max_w)
    var = (-rating.s_max_va, rating.s_max_va)
    percent, both = (0.0, 100.0), (-100.0, 100.0)
    bounds = {"WMaxLimPct": percent, "WMaxLimPctRvrt": percent, "WSet": watts, "WSetRvrt": watts}
    return {**bounds, "WSetPct": both, "WSetPctRvrt": both, "VarSet": var, "VarSetRvrt": var, "VarSetPct": both}
