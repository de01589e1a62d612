"""The first lines of `derctl check`: whether the file can be used, and what keeps the site from control."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.cli.plain import wrapped
from derctl.core.words import Contract
from derctl.site import Absence, Site
from derctl.site.between import SLACK_W
from derctl.site.buses import Planned


def headline(path: object, site: Site, absence: Absence, buses: Sequence[Planned], first: str) -> list[str]:
    """What stands against control in a few words, each in a line of its own; below it is told in full. first: what
    control waits for, "" where it waits for nothing."""
    why = against(site, absence, buses)
    asked = _asked(len(site.questions))
    controls = site.file.site.mode == "control"
    if why:
        word = "will" if controls else "would"
        head = f"{path}: can be read, but control {word} be refused{asked}:"
        return [head, *(line for text in why for line in wrapped(text, "  ! ", "    "))]
    if controls and first:
        return [f"{path}: no problems{asked}; before control:", *wrapped(first, "  ! ", "    ")]
    return [f"{path}: no problems{asked and f'{asked}:'}"]


def against(site: Site, absence: Absence, buses: Sequence[Planned]) -> list[str]:
    """What is refused whatever is found there: the contract without derctl, and what takes too long with it."""
    found = []
    if absence.verdict is Contract.BROKEN and absence.limit_w is not None:
        most_w = f"{'at least ' if absence.unknown else ''}{absence.least_w:,.0f} W"
        summed = absence.least_w > absence.limit_w + SLACK_W
        text = f"{most_w} may go out without derctl, and {absence.limit_w:,.0f} W are allowed"
        found.append(text if summed else "without derctl one phase gives more than is allowed")
    if site.budget is not None and site.budget.hopeless:
        found.append(f"an export above the limit does not end within {site.budget.containment_s:g} s")
    missed = [bus.plan.bus for bus in buses if bus.missed]
    if missed:
        found.append(f"too slow for control: bus {', '.join(missed)}")
    return found


def _asked(count: int) -> str:
    return "" if not count else f", {count} question{'' if count == 1 else 's'}"
