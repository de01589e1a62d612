"""Whether each function that a device may run itself has one owner, as the devices tell it. Pure."""

from __future__ import annotations

from derctl.core.plan import Plan
from derctl.core.types import SiteState

REMEDY = "name in ders of these functions only those that derctl is to do it for, or switch it off in the device"


def two_owners(plan: Plan, state: SiteState) -> str:
    """Who runs what the site file gives to derctl, and what to do; "": nobody does."""
    found = [f"{der} runs {', '.join(kinds)} itself" for der, kinds in _by_der(plan, state, untold=False)]
    return f"{'; '.join(found)}, and the site file gives it to derctl too: {REMEDY}" if found else ""


def untold(plan: Plan, state: SiteState) -> list[str]:
    """A line for each DER of which can't be read whether it does: derctl's own stays off there."""
    return [
        f"! {der}: whether it runs {', '.join(kinds)} itself can't be read, so derctl's stays off (see own_functions)"
        for der, kinds in _by_der(plan, state, untold=True)
    ]


def _by_der(plan: Plan, state: SiteState, *, untold: bool) -> list[tuple[str, list[str]]]:
    """Of those that are heard, with the kinds."""
    found = []
    for der in state.ders:
        given = [f.kind for f, ids in plan.der_functions if f.kind in plan.also_on_device and der.id in ids]
        on, off = der.reading.own_on, der.reading.own_off
        kinds = [kind for kind in given if (kind not in on and kind not in off if untold else kind in on)]
        if kinds and der.fresh and der.controllable:
            found.append((der.id, kinds))
    return found
