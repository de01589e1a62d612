"""An inverter of the 1xx generation: 1, 101/103/113, 120-123 and, with a battery, 124."""

from collections.abc import Mapping, Sequence

from hil.faces import ac, immediate
from hil.faces.face import Control, Face
from hil.faces.image import ModelImage, Slot
from hil.faces.personality import Personality
from hil.faces.view import Rating, SiteView
from hil.plant.ems import Ems
from hil.plant.inverter import InverterCommand

INPUTS = ("MPPT 1", "MPPT 2", "StCha 3", "StDisCha 4")
"""The names of a GEN24's inputs; that of the third stands in a trace (evcc-io/evcc#16256), the others are a guess."""
SCALES_160 = {"DCA_SF": -2, "DCV_SF": -1, "DCW_SF": 0, "DCWH_SF": 0}
BOUNDS = {
    "WMaxLimPct": (0.0, 100.0),
    "OutPFSet": (-1.0, 1.0),
    "VArWMaxPct": (-100.0, 100.0),
    "VArMaxPct": (-100.0, 100.0),
    "VArAvalPct": (-100.0, 100.0),
    "OutWRte": (-100.0, 100.0),
    "InWRte": (-100.0, 100.0),
}


class Inverter1xx(Face):
    """`model` is the measuring model (101, 103, 111 or 113); with a battery model 124 controls it.

    `hybrid`: the sun is behind the same port, model 160 shows it (1, 2) and the battery (3 charge, 4 discharge), as
    a GEN24 does (Tinkerforge/esp32-firmware, meters_modbus_tcp/fronius.py). It brings its meter to 0 W by itself,
    within the rates of 124.
    """

    def __init__(
        self,
        habits: Personality,
        rating: Rating,
        *,
        der: str,
        serial: str,
        view: SiteView,
        model: int | None = None,
        hybrid: bool = False,
        seed: int = 0,
    ) -> None:
        self.der = der
        self.hybrid = hybrid
        self._p_w = 0.0
        alone = bool(view.state.ders[der].phase) if der in view.state.ders else False
        self.model = model or (103 if view.phases == 3 and not alone else 101)
        self.controls: Mapping[str, Control] = immediate.CONTROLS_123
        if rating.energy_wh:
            self.controls = {**immediate.CONTROLS_123, **immediate.CONTROL_124}
        super().__init__(self._images(habits, rating, serial, view), habits, rating, seed=seed)

    def _images(self, habits: Personality, rating: Rating, serial: str, view: SiteView) -> Sequence[ModelImage]:
        watts = ac.watt_scale(rating.p_max_w)
        rated = dict.fromkeys(("WRtg_SF", "VARtg_SF", "VArRtg_SF", "MaxChaRte_SF", "MaxDisChaRte_SF"), watts)
        limits = dict.fromkeys(("WMax_SF", "VAMax_SF", "VArMax_SF"), watts)
        storage = dict.fromkeys(("WChaMax_SF", "VAChaMax_SF"), watts)
        plan: list[tuple[int, Mapping[str, int], Mapping[str, float | str | None]]] = [
            (self.model, ac.scales_1xx(rating.p_max_w), {}),
            (120, {**immediate.SCALES_120, **rated}, immediate.nameplate(rating, view.v_nom_v, view.phases)),
            (121, {**immediate.SCALES_121, **limits}, immediate.settings(rating, view.v_nom_v, view.f_nom_hz)),
            (122, {"VArAval_SF": watts, "WAval_SF": watts}, {"PVConn": 7, "ECPConn": 1}),
            (123, immediate.SCALES_123, immediate.controls_off()),
        ]
        if rating.energy_wh:
            plan.append((124, {**immediate.SCALES_124, **storage}, immediate.storage_idle(rating)))
        images = [ac.common_image(habits, serial)]
        if self.hybrid:
            named = {f"module[{i}].IDStr": name for i, name in enumerate(INPUTS)}
            plan.append((160, SCALES_160, {"N": 4, **{f"module[{i}].ID": i + 1 for i in range(4)}, **named}))
        for model_id, scales, values in plan:
            image = ModelImage(model_id, {"N": 4} if model_id == 160 else None)
            ac.set_scales(image, scales, habits)
            image.put_all(values)
            images.append(image)
        return images

    def fill(self, view: SiteView) -> None:
        """Measurements, available power and energy."""
        der = view.state.ders[self.der]
        reading = self.noised(ac.der_reading(view, der))
        dc_w = reading.p_w / 0.96 if der.battery is None else der.battery.dc_p_w + der.pv_w
        dc_v = der.battery.v_v if der.battery is not None else (600.0 if der.p_available_w > 20.0 else 0.0)
        ac.fill_1xx(self.bank.image(self.model), reading, status=der.inverter.status, dc_v=dc_v, dc_w=dc_w)
        if self.habits.voltage == "lines":
            ac.only_lines(self.bank.image(self.model), reading)
        known_w = der.p_available_w if der.battery is None else None
        energy_wh = 1000.0 + reading.energy_out_wh
        self.bank.image(122).put_all({"WAval": known_w, "ActWh": energy_wh, "VArAval": self.rating.q_max_var})
        if der.battery is not None:
            charging = 4 if der.battery.current_a < -0.2 else 3 if der.battery.current_a > 0.2 else 6
            values = {"ChaState": der.battery.soc_pct, "InBatV": der.battery.v_v, "ChaSt": float(charging)}
            self.bank.image(124).put_all(values)
            if self.hybrid:
                battery_w = der.battery.dc_p_w
                inputs_w = (der.pv_w / 2.0, der.pv_w / 2.0, max(-battery_w, 0.0), max(battery_w, 0.0))
                self.bank.image(160).put_all({f"module[{i}].DCW": watts for i, watts in enumerate(inputs_w)})
        self._p_w = der.inverter.p_w

    def command(self) -> InverterCommand:
        """What 123 and 124 ask."""
        settings = self.bank.image(121)
        floor_w, bound_w = None, None
        if self.rating.energy_wh:
            floor_w, bound_w = immediate.storage_bounds_w(self.effective, self.bank.image(124))
        limit_w = immediate.ceiling_w(self.effective, settings)
        ems = Ems()
        if self.hybrid:
            charge_w = None if floor_w is None else max(-floor_w, 0.0)
            discharge_w = None if bound_w is None else max(bound_w, 0.0)
            ems = Ems(grid_w=0.0, charge_max_w=charge_w, discharge_max_w=discharge_w)
            floor_w, bound_w = None, None
        ceilings = [value for value in (limit_w, bound_w) if value is not None]
        return InverterCommand(
            p_ceiling_w=min(ceilings) if ceilings else None,
            p_floor_w=floor_w,
            q_var=immediate.fixed_var(self.effective, self.rating, self._p_w, settings),
            tan_phi=immediate.tan_phi(self.effective),
            connect=self.effective["connect"]["Conn"] != 0,
            ems=ems,
        )

    def check(self, image: ModelImage, slots: Sequence[Slot]) -> None:
        """Percentages outside of their range are refused."""
        found = immediate.out_of_range(image, slots, BOUNDS)
        self.violations += found
        immediate.refuse_any(found)
