"""The only list of functions. A new one is its file and its row here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum, auto
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.plan import DerFunction, Memory, Plan, SiteFunction
from derctl.core.requests import (
    BatteryRequest,
    DepartureRequest,
    EnvelopeRequest,
    EventRequest,
    FloorRequest,
    FunctionRequest,
    GridLimitRequest,
    LimitRequest,
    OwnerLimitRequest,
    PlanRequest,
    PowerFactorRequest,
    Request,
    ReserveRequest,
    VarRequest,
)
from derctl.functions.bms_guard import BmsGuard, guard_of, kept_guard
from derctl.functions.const_pf import ConstPf
from derctl.functions.const_var import ConstVar
from derctl.functions.containment import Containment, excursions_of, kept_excursions
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.departure import Departure
from derctl.functions.enter_service import EnterService, entry_of, kept_entry
from derctl.functions.export_memory import seen_of_the_meter
from derctl.functions.freq_droop import FreqDroop, event_of, kept_event, uncut_event
from derctl.functions.fuse_limit import FuseLimit
from derctl.functions.grid_target import GridTarget, kept_target, target_of
from derctl.functions.operator import OperatorLimit, OperatorSiteLimit, SetpointFunction, kept_limit, limit_of
from derctl.functions.owner_export_limit import OwnerExportLimit
from derctl.functions.probe import Probe
from derctl.functions.reserve import Reserve
from derctl.functions.schedule import Schedule
from derctl.functions.self_consumption import SelfConsumption
from derctl.functions.settings import Settings
from derctl.functions.shaped import made
from derctl.functions.site_limits import GridLimits, OwnerLimits, kept_limits, limits_of, seen_of_the_loop
from derctl.functions.soc_guard import SocGuard
from derctl.functions.utility_limit import UtilityLimit
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt
from derctl.functions.watt_var import WattVar


class Scope(Enum):
    """For whom a function speaks."""

    DER = auto()
    SITE = auto()


class Need(Enum):
    """What a function can't do without."""

    STORAGE = auto()
    TARGET = auto()
    METER = auto()


STORAGE = frozenset({Need.STORAGE})
TARGET = frozenset({Need.TARGET})
METER = frozenset({Need.METER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """What a restart must not forget of a function's memory, as plain values for a file, and back.

    keep gives None where there is nothing to keep. revive raises ValueError for what keep never gave. ages: after a
    while it belongs to another event on the grid. holds_back: it keeps somebody from giving power, so that its
    beginning is saved at once, and that it goes on where nobody knows how long ago it was saved.
    """

    keep: Callable[[Memory], Any]
    revive: Callable[[Any], Memory]
    ages: bool = False
    holds_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One function. Its kind and its rank are the class's. said: what people call it.

    reactive: a mode of reactive power, of which a DER has one at a time. also_on_device: many inverters run it too.
    loop: it follows a voltage that it moves itself.
    every_der: its list of DERs must name all of the site's. comes_with: not written in a site file; any of those,
    given to any DER, brings it over all of them. passes_on: the requests that it brings to the devices.
    needs_code: it runs under a grid code only. survives: what of its memory outlives a restart. evidence: what of it
    stays while nothing is written, None: nothing, so that it starts anew in each tick.
    """

    function: type[Settings]
    said: str
    scope: Scope = Scope.DER
    needs: frozenset[Need] = frozenset()
    reactive: bool = False
    also_on_device: bool = False
    loop: bool = False
    every_der: bool = False
    needs_code: bool = False
    comes_with: tuple[type[Settings], ...] = ()
    passes_on: tuple[type[Request], ...] = ()
    survives: Survival | None = None
    evidence: Callable[[Memory], Memory] | None = None

    @property
    def kind(self) -> str:
        """Its name in the site file, in topics and in `bound_by`."""
        return self.function.kind

    @property
    def rank(self) -> int:
        """Lower binds first."""
        return self.function.rank

    @property
    def in_site_file(self) -> bool:
        """Whether somebody may write it there."""
        return not self.comes_with


def all_of_it(memory: Memory) -> Memory:
    """It remembers what was seen, and nothing of what it asked for."""
    return memory


SHAPE = (FunctionRequest,)
LIMIT = Survival(keep=kept_limit, revive=limit_of)
LIMITS = Survival(keep=kept_limits, revive=limits_of)

ROWS: Mapping[str, Row] = {
    row.kind: row
    for row in (
        Row(
            function=BmsGuard,
            said="the battery's own limits",
            needs=STORAGE,
            survives=Survival(keep=kept_guard, revive=guard_of),
            evidence=all_of_it,
        ),
        Row(function=SocGuard, said="the limits of charge", needs=STORAGE, evidence=all_of_it),
        Row(
            function=Reserve,
            said="the reserve",
            needs=STORAGE,
            passes_on=(ReserveRequest,),
            evidence=all_of_it,
        ),
        Row(
            function=EnterService,
            said="enter service",
            needs_code=True,
            survives=Survival(keep=kept_entry, revive=entry_of, ages=True, holds_back=True),
            evidence=all_of_it,
        ),
        Row(function=VoltWatt, said="volt-watt", also_on_device=True, loop=True, passes_on=SHAPE),
        Row(
            function=FreqDroop,
            said="frequency droop",
            also_on_device=True,
            passes_on=SHAPE,
            survives=Survival(keep=kept_event, revive=event_of, ages=True),
            evidence=uncut_event,
        ),
        Row(function=VoltVar, said="volt-var", also_on_device=True, reactive=True, loop=True, passes_on=SHAPE),
        Row(
            function=WattVar,
            said="watt-var",
            also_on_device=True,
            reactive=True,
            needs_code=True,
            passes_on=SHAPE,
        ),
        Row(function=ConstPf, said="constant power factor", reactive=True, passes_on=(PowerFactorRequest, *SHAPE)),
        Row(function=ConstVar, said="constant var", reactive=True, passes_on=(VarRequest, *SHAPE)),
        Row(function=UtilityLimit, said="the grid operator"),
        Row(function=OperatorLimit, said="operator", passes_on=(LimitRequest, FloorRequest), survives=LIMIT),
        Row(function=SetpointFunction, said="operator", needs=TARGET, passes_on=(BatteryRequest,)),
        Row(
            function=ContractExportLimit,
            said="the contract",
            scope=Scope.SITE,
            needs=METER,
            every_der=True,
            evidence=seen_of_the_meter,
        ),
        Row(function=FuseLimit, said="the main fuse", scope=Scope.SITE, needs=METER, every_der=True),
        Row(
            function=OwnerExportLimit,
            said="the owner's limit",
            scope=Scope.SITE,
            needs=METER,
            every_der=True,
            evidence=seen_of_the_meter,
        ),
        Row(
            function=OperatorSiteLimit,
            said="operator",
            scope=Scope.SITE,
            comes_with=(OperatorLimit,),
            passes_on=(LimitRequest,),
            survives=LIMIT,
        ),
        Row(
            function=Containment,
            said="containment",
            scope=Scope.SITE,
            comes_with=(ContractExportLimit,),
            survives=Survival(keep=kept_excursions, revive=excursions_of),
            evidence=all_of_it,
        ),
        Row(
            function=GridLimits,
            said="the grid operator",
            scope=Scope.SITE,
            every_der=True,
            passes_on=(GridLimitRequest, EnvelopeRequest, EventRequest),
            survives=LIMITS,
            evidence=seen_of_the_loop,
        ),
        Row(
            function=GridTarget,
            said="the grid operator",
            scope=Scope.SITE,
            comes_with=(GridLimits,),
            passes_on=(EventRequest,),
            survives=Survival(keep=kept_target, revive=target_of),
        ),
        Row(
            function=OwnerLimits,
            said="the owner's limit",
            scope=Scope.SITE,
            every_der=True,
            passes_on=(OwnerLimitRequest,),
            survives=LIMITS,
            evidence=seen_of_the_loop,
        ),
        Row(function=Departure, said="the departure", needs=TARGET, passes_on=(DepartureRequest,)),
        Row(function=Schedule, said="the plan", needs=TARGET, passes_on=(PlanRequest,)),
        Row(function=SelfConsumption, said="self-consumption", scope=Scope.SITE, needs=METER),
        Row(
            function=Probe,
            said="the meter's proof",
            scope=Scope.SITE,
            needs=METER,
            comes_with=(ContractExportLimit, SelfConsumption),
        ),
    )
}


def plan_of(
    der_functions: Sequence[tuple[DerFunction, tuple[str, ...]]],
    site_functions: Sequence[tuple[SiteFunction, tuple[str, ...]]],
    *,
    modes: Sequence[DerFunction] = (),
    off: Collection[str] = (),
) -> Plan:
    """What the engine runs, with what the rows say of it. modes, off: as of the plan, by the grid code."""
    also_on_device = frozenset(row.kind for row in ROWS.values() if row.also_on_device)
    return Plan(
        der_functions=tuple(der_functions),
        site_functions=tuple(site_functions),
        also_on_device=also_on_device,
        loops=frozenset(row.kind for row in ROWS.values() if row.loop),
        modes=tuple(modes),
        off=frozenset(off),
        made=made,
    )
