"""SunSpec inverters with PV or storage behind them: 101-103 / 111-113 with 120-124, or 701-704 with 713."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Read, Write
from derctl.core.types import NOTHING, Capability, Fallback, Port, Rating, Reading, Setpoint
from derctl.core.value import replace
from derctl.devices.fitting import met, unverified
from derctl.devices.kind import Models
from derctl.devices.nominal import Nominal, System
from derctl.devices.profile import Habits
from derctl.devices.sunspec.controls.bounds import Bounds
from derctl.devices.sunspec.controls.controls import Controls
from derctl.devices.sunspec.controls.gate import opened
from derctl.devices.sunspec.controls.groups import Groups
from derctl.devices.sunspec.controls.m123 import build_123
from derctl.devices.sunspec.controls.m124 import build_124
from derctl.devices.sunspec.controls.m704 import build_704
from derctl.devices.sunspec.controls.rated import Rated
from derctl.devices.sunspec.controls.toggle import enables_of, toggled
from derctl.devices.sunspec.found import Found, incomplete
from derctl.devices.sunspec.inputs import BLOCK, Inputs, inputs_of
from derctl.devices.sunspec.layout import Layout, View
from derctl.devices.sunspec.limits import Limits, own_limits, with_limits
from derctl.devices.sunspec.measure import INVERTERS, POINTS_1XX, POINTS_701, inverter, system_of
from derctl.devices.sunspec.nameplate import plate_of
from derctl.devices.sunspec.own import Own, own_of
from derctl.devices.sunspec.section import chosen
from derctl.devices.sunspec.wrong import not_a
from derctl.devices.types import Answers, Options, Reversion
from derctl.errors import DeviceError, NotRecognised

PV = Capability(ac=Port(limit=True, var=True), pv=Port())
STORAGE = Capability(ac=Port(aim=True, var=True), battery=Port())
HYBRID = Capability(ac=Port(limit=True, var=True), pv=Port(), battery=Port())
"""The most that each kind takes. Everything is told at the AC terminals; what is behind them takes nothing. A hybrid
shares its sun between the terminals and its battery by itself: what a limit holds back charges the battery, and what
the battery gives counts against it (Fronius: home-assistant/home-assistant.io PR#47649)."""
OWN_MATTER = (
    "its own inverter keeps what its battery permits: charge and discharge limits, cells, temperatures and alarms of"
    " it are not known here, and {} not keep it from giving"
)
NONE_GUARDS, BMS_NOT = "bms_guard, soc_guard and reserve do", "bms_guard does"
"""Who doesn't, where its battery's power is not known either, and where model 160 tells that."""

CHARGE = {713: ("SoC", "SoH"), 124: ("ChaState",)}
"""Where a battery's state stands."""

ANY_MESSAGE = (
    "its reversion timer starts again with every Modbus message: a fallback by reversion comes true only once nothing"
    " asks it any more, be it derctl or another client"
)

GUARDED = (
    "its control registers wear out: it is told {} times a day at most, no var, and no reversion timer is kept up,"
    " so that its fallback is true by stands or by device only"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SunspecDer(Found):
    """A bound inverter. can: by the control groups that were found.

    ac, charge: measurements, and the battery's state where there is one. limits: of a battery management system in
    the same chain. inputs: of a hybrid that tells its battery's power apart from its sun's. bounds: the most that its
    points can be told.
    """

    rating: Rating
    can: Capability
    ac: View
    charge: View | None
    controls: Controls
    own: Own = field(default_factory=Own)
    nominal: Nominal = field(default_factory=Nominal)
    limits: Limits | None = None
    inputs: Inputs | None = None
    control: Mapping[str, Read] = field(init=False, repr=False, compare=False)
    bounds: Mapping[str, Bounds] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        reads = {view.name: view.read for view in (self.ac, *self.controls.groups.views.values())}
        limits = {} if self.limits is None else self.limits.reads
        ports = {} if self.inputs is None else {BLOCK: self.inputs.read}
        object.__setattr__(self, "control", {**reads, **limits, **ports})
        object.__setattr__(self, "bounds", self.controls.groups.bounds(self.rating))

    @property
    def slow(self) -> Mapping[str, Read]:
        charge = () if self.charge is None else (self.charge,)
        return {**self.whose, **{view.name: view.read for view in (*charge, *self.own.views.values())}}

    @property
    def reversion(self) -> Reversion:
        return self.controls.groups.reversion

    def without(self, refused: Mapping[str, str]) -> SunspecDer | None:
        if self.ac.name in refused:
            return None
        controls = self.controls.without(refused)
        problems = controls.groups.problems[len(self.controls.groups.problems) :]
        if self.limits is not None:
            problems += tuple(
                f"the battery's limits: {refused[name]}" for name in self.limits.reads if name in refused
            )
        inputs = None if BLOCK in refused else self.inputs
        if inputs is not self.inputs:
            problems += (f"its battery's power: {refused[BLOCK]}",)
        can = replace(self.can, ac=controls.groups.port)
        return replace(self, can=can, controls=controls, inputs=inputs, problems=(*self.problems, *problems))

    def rate(self) -> Exchange[Rating]:
        layout = replace(self.layout, unread={})
        plate = yield from plate_of(layout, self.options, storage=charges(self.can))
        if layout.unread:
            raise NotRecognised(f"{', '.join(layout.unread.values())} was refused")
        return plate.rating

    def decode(self, answers: Answers) -> Reading:
        self.confirm(answers)
        values = self.ac.values(answers)
        soc, soh = charged(self.charge, answers)
        on, off = self.own.states(answers, self.options.own_functions)
        told = (self.can.steer or self.can.var) and self.controls.groups.views.keys() <= answers.keys()
        read = self.controls.groups.values(answers) if told else None
        accepted = self.controls.accepted(read) if read is not None and self.controls.groups.tells(read) else None
        reading = inverter(
            self.ac.block.model_id,
            values,
            phase=self.options.phase,
            soc_pct=soc,
            soh_pct=soh,
            accepted=accepted,
            own_on=on,
            own_off=off,
        )
        if not self.can.store:
            return reading
        if not charges(self.can):
            battery_w = None if self.inputs is None else self.inputs.battery_w(answers)
            reading = replace(reading, dc_p_w=battery_w)
        return with_limits(reading, self.limits, answers)

    def promises(self, answers: Answers, fallback: Fallback) -> bool | None:
        return self.controls.promises(answers, fallback)

    def absent_w(self, fallback: Fallback) -> float:
        return self.controls.absent_w(fallback)

    def beyond(self, write: Write, answers: Answers) -> str:
        return self.controls.groups.beyond(write, answers, self.bounds)

    def sendable(self, setpoint: Setpoint) -> Setpoint:
        return self.controls.sendable(setpoint)

    def write(
        self,
        setpoint: Setpoint,
        fallback: Fallback,
        answers: Answers,
        *,
        give_back_var: bool = False,
        toggle: bool = False,
    ) -> Exchange[Setpoint]:
        exchange = self.controls.write(setpoint, fallback, answers, give_back_var=give_back_var)
        if toggle:
            exchange = toggled(exchange, enables_of(self.controls.groups.views.values()))
        return opened(exchange, self.options.profile.gate)

    def release(
        self,
        fallback: Fallback,
        *,
        lift: bool,
        held: Setpoint = NOTHING,
        believed: bool = True,
    ) -> Exchange[Setpoint]:
        exchange = self.controls.release(fallback, lift=lift, held=held, believed=believed)
        return opened(exchange, self.options.profile.gate)


def charged(charge: View | None, answers: Answers) -> tuple[float | None, float | None]:
    """State of charge and of health, percent."""
    if charge is None or charge.name not in answers:
        return None, None
    values = charge.values(answers)
    return values.get("SoC", values.get("ChaState")), values.get("SoH")


def bind_pv(models: Models, options: Options) -> Exchange[SunspecDer]:
    """Find a PV inverter and learn its rating, measurements and control groups."""
    return (yield from _bind(models, options, PV))


def charges(can: Capability) -> bool:
    """Whether charging is ours to tell; a hybrid's is not."""
    return can.store and can.pv is None


def bind_hybrid(models: Models, options: Options) -> Exchange[SunspecDer]:
    """Find an inverter with sun and a battery behind it: its AC terminals are limited, its battery is its own."""
    return (yield from _bind(models, options, HYBRID))


def bind_storage(models: Models, options: Options) -> Exchange[SunspecDer]:
    """Find a battery inverter: power through 704 or 124, state from 713 or 124 unless a BMS tells more: 802 in its
    own chain, or a device of its own."""
    return (yield from _bind(models, options, STORAGE))


def _bind(models: Models, options: Options, kind: Capability) -> Exchange[SunspecDer]:
    whole, options = yield from met(models, options)
    layout = yield from chosen(whole, options.section, INVERTERS)
    ac = layout.find(*INVERTERS)
    if ac is None:
        expected = "sunspec_storage" if charges(kind) else "sunspec_hybrid" if kind.store else "sunspec_pv"
        raise not_a(expected, layout, "no inverter model (701, 101-103, 111-113) in the chain")
    if kind is HYBRID:
        yield from plate_of(layout, options, storage=True)  # that a battery is behind it
    plate = yield from plate_of(layout, options, storage=charges(kind))
    groups = yield from _groups(layout, options, plate.rating, kind.ac, only_read=plate.only_read)
    limits, unread = (yield from own_limits(whole, layout, ac, options)) if kind.store else (None, "")
    inputs = (yield from inputs_of(layout)) if kind is HYBRID else None
    if kind is HYBRID and limits is None and options.bms_here is not False:
        unread = f"{unread}; {OWN_MATTER.format(NONE_GUARDS if inputs is None else BMS_NOT)}"
    lacks = (*layout.lacks, *(_missing(groups.port, kind.ac) if options.control else ()))
    if limits is not None and limits.unread:
        lacks = (*lacks, "the battery's limits in model 802")
    view = layout.view("ac", ac, POINTS_701 if ac.model_id == 701 else POINTS_1XX)
    controls = Controls(rated=Rated(rating=plate.rating, profile=options.profile), groups=groups)
    system = yield from _system(view)
    why = unverified(options, whole.identity)
    return SunspecDer(
        layout=layout,
        options=options,
        problems=(*layout.chain.problems, *groups.problems, *filter(None, (unread, why)), *incomplete(lacks)),
        habits=Habits(profile=options.profile, by=options.profile_by, unverified=why),
        lacks=lacks,
        rating=plate.rating,
        can=replace(kind, ac=groups.port, volatile=not options.profile.guarded, least_w=controls.least_w),
        ac=view,
        charge=_charge_of(layout) if kind.store else None,
        controls=controls,
        own=own_of(layout),
        nominal=replace(plate.nominal, system=system),
        limits=limits,
        inputs=inputs,
    )


def _system(ac: View) -> Exchange[System | None]:
    """How it is connected: by its model, or by what a 701 says of itself, where it can be read now."""
    if ac.block.model_id != 701:
        return system_of(ac.block.model_id, {})
    try:
        return system_of(701, ac.values({ac.name: (yield ac.read)}))
    except DeviceError:
        return None


def _missing(port: Port, want: Port) -> tuple[str, ...]:
    """The control groups that the kind could have and the device hasn't."""
    limit = ("a control group that limits its power",) if want.limit and not port.limit else ()
    aim = ("a control group that sets its power",) if want.aim and not port.aim else ()
    return (*limit, *aim)


def _charge_of(layout: Layout) -> View | None:
    block = layout.find(*CHARGE)
    return None if block is None else layout.view("soc", block, CHARGE[block.model_id])


def _groups(layout: Layout, options: Options, rated: Rating, want: Port, *, only_read: str) -> Exchange[Groups]:
    """704 before the older models. None where the device is only read; its problems say why."""
    profile = options.profile
    if profile.guarded:
        want = replace(want, var=False)
    if layout.mended:
        return Groups(problems=("the chain had to be repaired: this device is only read",))
    if only_read:
        return Groups(problems=(only_read,))
    if layout.find(704) is not None:
        found = yield from build_704(layout, rated, profile, want)
    else:
        found = yield from build_123(layout, rated, profile, want)
        found = found.joined((yield from build_124(layout, rated, profile, want)))
    if found == Groups():
        return found.saying("no control model (704, 123, 124): this device is only read")
    if profile.guarded:
        found = found.saying(GUARDED.format(profile.writes_a_day))
    return found.saying(ANY_MESSAGE) if profile.timer_rearm == "any_message" and found.port != Port() else found
