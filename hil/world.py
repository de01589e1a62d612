"""The plant as a running thing: knobs that a timeline turns, the site's state, and the faces that show it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hil.faces.bms import Bms
from hil.faces.captured import Captured
from hil.faces.der_7xx import Der7xx
from hil.faces.face import Face
from hil.faces.meter import Meter
from hil.faces.personality import Personality, made, personality
from hil.faces.pv_1xx import Inverter1xx
from hil.faces.register_map import DER_PARTS, RegisterMap, register_map
from hil.faces.registers import Registers
from hil.faces.sections import Sections
from hil.faces.view import Rating, SiteView
from hil.plant.battery import BatteryInputs, BatteryParams, settled
from hil.plant.curve import Points, interpolate, points_of
from hil.plant.frequency import SwingParams
from hil.plant.grid import GridModel, Line, PhasedFeeder, ZBusFeeder
from hil.plant.inverter import InverterCommand, InverterParams
from hil.plant.load import Load
from hil.plant.site import Der, DerInputs, SiteInputs, SiteModel, at_rest, step
from hil.plant.sun import SunProfile
from hil.recordings import recording
from hil.scenario import DeviceSpec, Scenario, ScenarioError

HYBRID_FACE = "hybrid_124"
STORAGE_FACES = ("storage_7xx", "storage_124", HYBRID_FACE)
DER_FACES = ("pv_1xx", "pv_7xx", "captured", *STORAGE_FACES)
LARGEST_DT_S = 0.1


def map_of(spec: DeviceSpec) -> RegisterMap | None:
    """The register map of a device that has one."""
    return register_map(spec.personality) if spec.face == "registers" else None


def unit_of(spec: DeviceSpec) -> int:
    """The unit id that it answers to."""
    own = map_of(spec)
    return spec.unit if spec.unit is not None else 1 if own is None else own.unit


def is_der(spec: DeviceSpec) -> bool:
    """Whether a plant's own inverter stands behind it."""
    own = map_of(spec)
    return spec.face in DER_FACES or (own is not None and own.part in DER_PARTS)


def stores(spec: DeviceSpec) -> bool:
    """Whether a battery stands behind its inverter."""
    own = map_of(spec)
    return spec.face in STORAGE_FACES or (own is not None and own.part in ("storage", "hybrid"))


class Knob:
    """A number over plant time: a constant or points, turned by the timeline."""

    def __init__(self, given: Any) -> None:
        self._points: Points = points_of(given) if isinstance(given, list) else ((0.0, float(given)),)

    def at(self, t_s: float) -> float:
        """Its value."""
        return interpolate(self._points, t_s)

    def turn(self, t_s: float, to: float, over_s: float = 0.0) -> None:
        """From what it is now to `to` in over_s."""
        self._points = ((t_s, self.at(t_s)), (t_s + over_s, float(to)))

    def follow(self, t_s: float, points: list[list[float]]) -> None:
        """Follow points whose times count from now."""
        self._points = tuple((t_s + at_s, value) for at_s, value in points_of(points))


@dataclass(slots=True, kw_only=True)
class Forced:
    """What a scenario forces on one DER. `irradiance` replaces the sun's share while it is not None."""

    trip: bool = False
    irradiance: Knob | None = None
    battery: BatteryInputs = field(default_factory=BatteryInputs)


class World:
    """Steps the plant in plant time; faces get their registers and give their commands."""

    def __init__(self, scenario: Scenario) -> None:
        self.plant = plant = dict(scenario.plant)
        self.v_nom_v = float(plant.get("v_nom_v", 230.0))
        self.f_nom_hz = float(plant.get("f_nom_hz", 50.0))
        self.phases = int(plant.get("phases", 3))
        self.source_v_pu = Knob(plant.get("source_v_pu", 1.0))
        swing = plant.get("swing")
        self.f_hz = None if swing is not None else Knob(plant.get("f_hz", self.f_nom_hz))
        self.loss_w = Knob(0.0)
        self.sun = sun_profile(plant.get("sun", {}))
        self._loads = {name: dict(load) for name, load in plant.get("loads", {}).items()}
        self.load_w = {name: Knob(load.pop("p_w")) for name, load in self._loads.items()}
        self.unbalance_pu = tuple(float(x) for x in plant.get("unbalance_pu", (0.0, 0.0, 0.0)))
        self.ders = {spec.id: spec for spec in scenario.devices if is_der(spec)}
        self.suns = {id: sun_profile(spec.sun) if spec.sun else self.sun for id, spec in self.ders.items()}
        self.forced = {id: Forced() for id in self.ders}
        self.faces: dict[str, Face] = {}
        self.model = self._model(SwingParams(f_nom_hz=self.f_nom_hz, **swing) if swing is not None else None)
        self.packs = {der.id: der.battery for der in self.model.ders if der.battery is not None}
        batteries = {
            id: settled(pack, soc_pct=float(self.ders[id].battery.get("soc_pct", 50.0)))
            for id, pack in self.packs.items()
        }
        self.state = at_rest(self.model, batteries)

    def _model(self, swing: SwingParams | None) -> SiteModel:
        source = self.plant.get("source", {"r_ohm": 0.1, "x_ohm": 0.1})
        lines = [_line({"parent": "source", "node": "poc", **source})]
        lines += [_line(line) for line in self.plant.get("lines", [])]
        poc = str(self.plant.get("poc", "poc"))
        grid: GridModel = ZBusFeeder(lines, poc=poc, v_nom_v=self.v_nom_v, phases=self.phases)
        if self._has_phases(lines):
            grid = PhasedFeeder(lines, poc=poc, v_nom_v=self.v_nom_v)
        ders = tuple(_der(spec) for spec in self.ders.values())
        return SiteModel(grid=grid, f_nom_hz=self.f_nom_hz, ders=ders, swing=swing)

    def _has_phases(self, lines: list[Line]) -> bool:
        """Whether anything is on one phase alone, or a line's phases differ."""
        on_one = [spec.phase for spec in self.ders.values()]
        on_one += [str(load.get("phase", "")) for load in self._loads.values()]
        phased = any(on_one) or any(line.each or any(line.neutral) for line in lines)
        if phased and self.phases != 3:
            raise ScenarioError(f"a plant of {self.phases} phases has no phase of its own")
        return phased

    def hybrid(self, id: str) -> bool:
        """Whether the sun is behind its port beside a battery."""
        return any(der.id == id and der.sun_w > 0.0 for der in self.model.ders)

    @property
    def view(self) -> SiteView:
        """What faces see."""
        return SiteView(
            state=self.state,
            v_nom_v=self.v_nom_v,
            f_nom_hz=self.f_nom_hz,
            phases=self.phases,
            unbalance_pu=self.unbalance_pu,
        )

    def advance(self, plant_s: float) -> None:
        """Let plant time pass in steps of at most 0.1 s (at most 20 of them; then longer)."""
        steps = min(20, max(1, round(plant_s / LARGEST_DT_S)))
        for _ in range(steps):
            self.state = step(self.model, self.state, self._inputs(), plant_s / steps)

    def _inputs(self) -> SiteInputs:
        t_s = self.state.t_s
        loads = {name: Load(p_w=self.load_w[name].at(t_s), **load) for name, load in self._loads.items()}
        return SiteInputs(
            source_v_pu=self.source_v_pu.at(t_s),
            f_hz=None if self.f_hz is None else self.f_hz.at(t_s),
            loads=loads,
            ders={id: self._der_inputs(id, t_s) for id in self.ders},
            loss_w=self.loss_w.at(t_s),
        )

    def _der_inputs(self, id: str, t_s: float) -> DerInputs:
        forced = self.forced[id]
        share = forced.irradiance.at(t_s) if forced.irradiance is not None else self.suns[id].at(t_s)
        face = self.faces.get(id)
        command = face.command() if face is not None else InverterCommand()
        battery, forced.battery = forced.battery, replace(forced.battery, soc_pct=None)
        battery = self._allowed(id, battery)
        return DerInputs(command=command, irradiance=share, trip=forced.trip, battery=battery)

    def _allowed(self, id: str, battery: BatteryInputs) -> BatteryInputs:
        """Less where somebody wrote less into the registers of its BMS."""
        told = [
            face.pack_limits_a() for face in self.faces.values() if isinstance(face, Registers) and face.der == id
        ]
        charge = [a for a in (battery.charge_limit_a, *(each[0] for each in told)) if a is not None]
        discharge = [a for a in (battery.discharge_limit_a, *(each[1] for each in told)) if a is not None]
        return replace(
            battery, charge_limit_a=min(charge, default=None), discharge_limit_a=min(discharge, default=None)
        )


def _line(given: Mapping[str, Any]) -> Line:
    """`each`: [[r, x], ...] of the phases, `neutral`: [r, x]."""
    own = dict(given)
    own["each"] = tuple((float(r), float(x)) for r, x in own.get("each", ()))
    r_ohm, x_ohm = own.get("neutral", (0.0, 0.0))
    own["neutral"] = (float(r_ohm), float(x_ohm))
    if own["each"]:
        own.setdefault("r_ohm", sum(r for r, _ in own["each"]) / 3.0)
        own.setdefault("x_ohm", sum(x for _, x in own["each"]) / 3.0)
    return Line(**own)


def sun_profile(given: Mapping[str, Any]) -> SunProfile:
    """From `{points: ...}` or `{clear_day: true, ...}`."""
    arguments = dict(given)
    if "points" in arguments:
        arguments["points"] = points_of(arguments["points"])
    return SunProfile(**arguments)


def rating_of(spec: DeviceSpec) -> Rating:
    """Nameplate; apparent power defaults to P, var to 44 % of it (IEEE 1547 category B)."""
    p_max_w = float(spec.rating.get("p_max_w", 10_000.0))
    s_max_va = float(spec.rating.get("s_max_va", p_max_w))
    charge_w = float(spec.rating.get("p_charge_max_w", p_max_w if stores(spec) else 0.0))
    energy_wh = float(spec.battery.get("capacity_wh", 10_000.0)) if stores(spec) else 0.0
    q_max_var = float(spec.rating.get("q_max_var", 0.44 * s_max_va))
    return Rating(
        p_max_w=p_max_w, s_max_va=s_max_va, q_max_var=q_max_var, p_charge_max_w=charge_w, energy_wh=energy_wh
    )


def battery_of(spec: DeviceSpec) -> BatteryParams | None:
    """The pack behind a storage device; `soc_pct` of the file is its start, not a parameter."""
    if not stores(spec):
        return None
    return BatteryParams(**{key: value for key, value in spec.battery.items() if key != "soc_pct"})


def _der(spec: DeviceSpec) -> Der:
    rating = rating_of(spec)
    given = dict(spec.inverter)
    obeys_bms = bool(given.pop("obeys_bms", True))
    for pair in ("v_service_pu", "f_service_hz", "trip_v_pu"):
        if given.get(pair) is not None:
            given[pair] = tuple(given[pair])
    inverter = InverterParams(
        p_max_w=rating.p_max_w,
        s_max_va=rating.s_max_va,
        q_max_var=rating.q_max_var,
        p_charge_max_w=rating.p_charge_max_w,
        **given,
    )
    own = map_of(spec)
    hybrid = spec.face == HYBRID_FACE or (own is not None and own.part == "hybrid")
    return Der(
        id=spec.id,
        node=spec.node,
        inverter=inverter,
        battery=battery_of(spec),
        obeys_bms=obeys_bms,
        sun_w=float(spec.rating.get("sun_w", 1.3 * rating.p_max_w)) if hybrid else 0.0,
        phase=spec.phase,
    )


def _bms(owner: DeviceSpec, habits: Personality, serial: str, seed: int, **options: Any) -> Bms:
    """The BMS of a DER's battery."""
    pack = battery_of(owner)
    if pack is None:
        raise ScenarioError(f"{owner.id} has no battery")
    return Bms(habits, rating_of(owner), der=owner.id, serial=serial, pack=pack, seed=seed, **options)


def _registers(spec: DeviceSpec, own: RegisterMap, world: World, seed: int) -> Registers:
    """A device with its maker's registers. One that is none of the plant's own inverters shows that of its `der`."""
    owner = spec if is_der(spec) else world.ders.get(spec.der)
    if owner is None and own.part in ("battery", *DER_PARTS):
        raise ScenarioError(f"{spec.id}: {own.name} shows a battery; `der` says whose")
    other = world.faces.get(spec.der) if spec.der else None
    if own.part == "system" and not isinstance(other, Registers):
        raise ScenarioError(f"{spec.id}: {own.name} acts through the unit of its `der`, which has to stand before it")
    shared = other.asked if own.part != "battery" and isinstance(other, Registers) else None
    return Registers(
        made(own.name, {**own.habits, **spec.habits}),
        rating_of(owner or spec),
        spec=own,
        der=owner.id if owner is not None else "",
        serial=spec.serial or f"HIL-{spec.id}",
        pack=battery_of(owner) if owner is not None else None,
        asked=shared,
        seed=seed,
        **spec.options,
    )


@dataclass(frozen=True)
class Showing:
    """What a face is made of. options: the scenario's, for this face alone."""

    spec: DeviceSpec
    world: World
    habits: Personality
    serial: str
    seed: int
    options: dict[str, Any]


def _sections(of: Showing) -> Face:
    return Sections(of.habits, rating_of(of.spec), serial=of.serial, der=of.spec.der, seed=of.seed, **of.options)


def _meter(of: Showing) -> Face:
    view = of.world.view
    return Meter(of.habits, rating_of(of.spec), serial=of.serial, view=view, seed=of.seed, **of.options)


def _own_bms(of: Showing) -> Face:
    return _bms(of.world.ders[of.spec.der], of.habits, of.serial, of.seed, **of.options)


def _inverter_1xx(of: Showing) -> Face:
    spec, view, options = of.spec, of.world.view, of.options
    if spec.face == HYBRID_FACE:
        options = {**options, "hybrid": True}
    return Inverter1xx(of.habits, rating_of(spec), der=spec.id, serial=of.serial, view=view, seed=of.seed, **options)


def _der_7xx(of: Showing) -> Face:
    spec, view = of.spec, of.world.view
    options = {"curves": spec.face == "pv_7xx", **of.options}
    return Der7xx(of.habits, rating_of(spec), der=spec.id, serial=of.serial, view=view, seed=of.seed, **options)


def _captured(of: Showing) -> Face:
    spec, view, options = of.spec, of.world.view, dict(of.options)
    recorded = recording(options.pop("recording"))
    return Captured(of.habits, rating_of(spec), der=spec.id, view=view, recorded=recorded, seed=of.seed, **options)


FACES: Mapping[str, Callable[[Showing], Face]] = {
    "sections": _sections,
    "meter": _meter,
    "bms": _own_bms,
    "pv_1xx": _inverter_1xx,
    "storage_124": _inverter_1xx,
    HYBRID_FACE: _inverter_1xx,
    "pv_7xx": _der_7xx,
    "storage_7xx": _der_7xx,
    "captured": _captured,
}
"""By what a scenario calls it; `registers` is a maker's own map."""


def face_of(spec: DeviceSpec, world: World, *, seed: int) -> Face:
    """The registers of a device, by the name of its face."""
    own = map_of(spec)
    if own is not None:
        return _registers(spec, own, world, seed)
    if spec.face not in FACES:
        raise ScenarioError(f"{spec.id}: no face {spec.face!r}")
    habits = personality(spec.personality, {"model": f"HIL {spec.face}", **spec.habits})
    if spec.personality != "generic" and "model" not in spec.habits:
        habits = personality(spec.personality, spec.habits)
    serial, options = spec.serial or f"HIL-{spec.id}", dict(spec.options)
    apart = options.pop("own_bms", False)
    face = FACES[spec.face](Showing(spec, world, habits, serial, seed, options))
    if apart:
        face.join(_bms(spec, habits, f"{serial}-bms", seed))
    return face
