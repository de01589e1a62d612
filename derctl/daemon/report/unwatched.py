"""What nobody watches with the meter and the DERs as they are now, so that it is known before it is found out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from derctl.core import trial
from derctl.core.memories import TRIAL
from derctl.core.plan import Memory, Plan
from derctl.core.types import PocState
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.fuse_limit import FuseLimit


def unwatched(plan: Plan, poc: PocState | None, memories: Mapping[str, Memory]) -> tuple[str, ...]:
    """A sentence for each; nothing is known of a meter that isn't heard."""
    if poc is None or not poc.fresh:
        return ()
    tried = memories.get(TRIAL, trial.START)
    names = [case.der for case in tried.cases] if isinstance(tried, trial.Memory) else []
    found: list[str] = []
    for function, _ in plan.site_functions:
        if isinstance(function, FuseLimit):
            found += _phases(function, poc)
        elif isinstance(function, ContractExportLimit):
            found += _steps(function, names)
            found += _load(function, poc)
    return tuple(found)


def _phases(function: FuseLimit, poc: PocState) -> Iterator[str]:
    count = int(function.phase_count)
    if count > 1 and poc.reading.p_phase_w is None:
        yield (
            f"{function.kind}: the meter shows no power by phase, so only the sum of {count} phases is kept below"
            f" {count} times {function.fuse_a:g} A: one alone may carry more. One with WphA..C or AphA..C is judged"
            " by the worst"
        )


def _load(function: ContractExportLimit, poc: PocState) -> Iterator[str]:
    if function.phase_limit_w is not None and poc.reading.p_phase_w is None:
        yield (
            f"{function.kind}: the meter shows no power by phase, so no load counts in any: what the DERs may give in"
            f" one adds up to {function.phase_limit_w:,.0f} W at most"
        )


def _steps(function: ContractExportLimit, tried: list[str]) -> Iterator[str]:
    if function.probe != "none" and tried:
        yield (
            f"{function.kind}: no steps are made until the meter was seen to follow {', '.join(tried)}: load counts,"
            " and a meter that goes wrong meanwhile is noticed later"
        )
