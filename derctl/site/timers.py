"""Reversion timers in order: what `check` asks where they leave the site above its contract after a kill."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import structs

from derctl.devices import Profile
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.site.absence import absence_of
from derctl.site.between import QUICK_S
from derctl.site.profiles import planned
from derctl.site.schema import DerSection, SiteFile


def least_after_s(tick_s: float) -> float:
    """The shortest reversion time that can be refreshed in time."""
    return 4.0 * tick_s + 2.0


def out_of_order(site: SiteFile, profiles: Mapping[str, Profile]) -> Iterator[tuple[str, str]]:
    """Path and message: who gives more after its reversion must not lapse while who gives less still holds on."""
    between = absence_of(site.ders, {}, _limit_w(site)).between
    if between is None or between.contained:
        return
    able = [der.id for der in site.ders if _shortens(der, site, profiles)]
    waits = {name for name, _ in between.waits}
    for names in ([name for name in able if name in waits], able):
        if names and _contained(site, names):
            yield _path(site, names), f"{between.text}. {_quick(names)}"
            return
    last_s = max((at_s for _, at_s in between.waits), default=0.0)
    rises = [name for name, _ in between.rises]
    yield _path(site, rises), f"{between.text}. Write {2.0 * last_s:g} or more for {', '.join(rises)}"


def _quick(names: Sequence[str]) -> str:
    where = "where the timer has a target and a restart of derctl takes less"
    return f"Write {QUICK_S:g} (from 10 to {QUICK_S:g}) for {', '.join(names)}, {where}"


def _path(site: SiteFile, names: Sequence[str]) -> str:
    """Of the slowest of them."""
    found = [(der.fallback.after_s, i) for i, der in enumerate(site.ders) if der.id in names]
    return f"ders[{max(found)[1]}].fallback.after_s" if found else "ders"


def _contained(site: SiteFile, names: Collection[str]) -> bool:
    """Whether all is well with short timers for these."""
    ders = [_with_quick(der) if der.id in names else der for der in site.ders]
    between = absence_of(ders, {}, _limit_w(site)).between
    return between is None or between.contained


def _with_quick(der: DerSection) -> DerSection:
    return structs.replace(der, fallback=structs.replace(der.fallback, after_s=QUICK_S))


def _shortens(der: DerSection, site: SiteFile, profiles: Mapping[str, Profile]) -> bool:
    """Whether its timer can be a short one: it reverts, its registers may be written so often, a tick is short."""
    profile, timed = planned(profiles, der.profile), der.control and der.fallback.by == "reversion"
    able = not profile.guarded and profile.timer_rearm != "none"
    return timed and able and least_after_s(site.site.tick_s) <= QUICK_S < der.fallback.after_s


def _limit_w(site: SiteFile) -> float | None:
    """The contract's, where it is a number."""
    given = (each.get("limit_w") for each in site.functions if each.get("kind") == ContractExportLimit.kind)
    limit_w = next(given, None)
    return float(limit_w) if isinstance(limit_w, int | float) and math.isfinite(limit_w) else None
