"""How long an excursion may last, and does as far as the site file and the profiles tell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from derctl.core.containment import Budget, Summand, measured
from derctl.core.freshness import DECIDES, period_s
from derctl.core.identified import Identified
from derctl.core.pace import LATE_S
from derctl.core.plan import Plan
from derctl.core.response import LN10
from derctl.core.value import replace
from derctl.core.words import Belief, KnownBy, Stage
from derctl.devices import Profile
from derctl.functions.containment import SHOWN_PU, Containment, law_s
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.site.admission import setpoint_s
from derctl.site.between import CONTAINMENT_MAX_S
from derctl.site.grid_code import GridCode, grid_code
from derctl.site.pace import ANSWER_S, round_of, transaction_of
from derctl.site.plant_file import NOTHING_FOUND, PlantFile
from derctl.site.profiles import planned
from derctl.site.schema import DerSection, SiteFile


def contained(plan: Plan, file: SiteFile, profiles: Mapping[str, Profile], plant: PlantFile = NOTHING_FOUND) -> Plan:
    """The plan with what sees to containment, where a limit is agreed; what it had of that is reckoned anew."""
    name = file.site.grid_code
    code = None if name is None else grid_code(name)
    added = tuple(
        (
            Containment(
                limit_w=contract.limit_w,
                gain=contract.gain,
                budget=budget_of(file, profiles, code, contract, plant),
            ),
            ids,
        )
        for contract, ids in plan.site_functions
        if isinstance(contract, ContractExportLimit)
    )
    others = [(function, ids) for function, ids in plan.site_functions if not isinstance(function, Containment)]
    return replace(plan, site_functions=(*others, *added))


def budget_of(
    file: SiteFile,
    profiles: Mapping[str, Profile],
    code: GridCode | None,
    contract: ContractExportLimit,
    plant: PlantFile = NOTHING_FOUND,
) -> Budget:
    """What is allowed by the site file, else by its grid code, else by the most that any code allows."""
    found = tuple(_identified(file, contract, plant))
    summands = measured(tuple(_summands(file, profiles, contract)), found)
    said = None if code is None else code.containment
    rule = None if said is None else said.rule
    own_s = file.site.containment_s
    if own_s is not None:
        return Budget(containment_s=own_s, by="site.containment_s", summands=summands, rule=rule)
    if said is not None and code is not None:
        return Budget(containment_s=said.seconds, by=code.name, summands=summands, rule=rule)
    return Budget(containment_s=CONTAINMENT_MAX_S, by="no grid code says less", summands=summands)


def _summands(file: SiteFile, profiles: Mapping[str, Profile], contract: ContractExportLimit) -> Iterable[Summand]:
    """In the order of time, from a load that drops."""
    tick_s, told = file.site.tick_s, [der for der in file.ders if der.control]
    refresh_s = None if file.poc is None else planned(profiles, file.poc.profile).refresh_s
    used = [planned(profiles, der.profile) for der in told]
    poll_s = _poll_s(file, profiles)
    yield Summand(stage=Stage.METER_REFRESH, seconds=refresh_s, by=KnownBy.PROFILE)
    yield Summand(stage=Stage.METER_DELAY, seconds=LATE_S, by=KnownBy.ASSUMED)
    yield Summand(stage=Stage.POLL, seconds=poll_s, by=KnownBy.SET)
    yield Summand(stage=Stage.DECIDE, seconds=DECIDES * tick_s, by=KnownBy.SET)
    yield Summand(stage=Stage.LAW, seconds=law_s(LATE_S, tick_s, contract.gain), by=KnownBy.ASSUMED)
    pacing_s = max((profile.write_min_interval_s for profile in used), default=0.0)
    yield Summand(stage=Stage.PACING, seconds=pacing_s, by=KnownBy.PROFILE)
    yield Summand(stage=Stage.WRITE, seconds=write_s(file, profiles, told), by=KnownBy.SET)
    response_s = max((profile.settle_s for profile in used), default=0.0)
    yield Summand(stage=Stage.RESPONSE, seconds=response_s, by=KnownBy.ASSUMED)


def _identified(
    file: SiteFile, contract: ContractExportLimit, plant: PlantFile
) -> Iterable[tuple[Stage, float | None]]:
    """What `derctl identify` measured of the meter, where that was proven, and of the DERs, where it measured all."""
    meter = None if file.poc is None else plant.meter(file.poc.serial)
    if meter is not None and meter.belief is Belief.PROVEN and not meter.flaws:
        yield Stage.METER_REFRESH, meter.refresh_s
        if meter.delay_s is not None:
            yield Stage.METER_DELAY, meter.delay_s
            yield Stage.LAW, law_s(meter.delay_s, file.site.tick_s, contract.gain)
    found = [_response_s(plant.der(der.serial)) for der in file.ders if der.control]
    known = [seconds for seconds in found if seconds is not None]
    yield Stage.RESPONSE, max(known) if known and len(known) == len(found) else None


def _response_s(found: Identified | None) -> float | None:
    """Down to within SHOWN_PU of what it is told, as a lag does; of one that goes at one speed, from its rating."""
    if found is None or found.fall is None:
        return None
    fall = found.fall
    if fall.ramp_w_per_s is None:
        return fall.dead_s - math.log(SHOWN_PU) / LN10 * fall.t90_s
    return fall.dead_s + (1.0 - SHOWN_PU) * found.rated_va / fall.ramp_w_per_s


def _poll_s(file: SiteFile, profiles: Mapping[str, Profile]) -> float:
    """From one poll of the meter to the next, whole ticks: a poll begins with one."""
    meter = [bus for bus in file.buses if file.poc is not None and bus.id == file.poc.bus]
    rounds = [round_of(file, profiles, bus) for bus in meter]
    return max((period_s(file.site.tick_s, each) for each in rounds), default=file.site.tick_s)


def write_s(file: SiteFile, profiles: Mapping[str, Profile], told: Iterable[DerSection]) -> float:
    """All setpoints of one bus are written one after another."""
    of_bus = [der.bus for der in told]
    costs = {bus.id: transaction_of(file, profiles, bus, assumed_s=ANSWER_S) for bus in file.buses}
    return max((of_bus.count(name) * setpoint_s(cost) for name, cost in costs.items()), default=0.0)
