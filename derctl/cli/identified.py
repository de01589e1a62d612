"""What `identify` is about to do, and what it found out, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from derctl.core.identified import Identified, MeterFound, Pull, Response
from derctl.core.text import clean
from derctl.core.words import Flaw
from derctl.site import Site

FLAWS: Mapping[Flaw, str] = {
    Flaw.SETPOINT_IGNORED: "its power does not follow what it is told: is control by Modbus enabled in it?",
    Flaw.SETPOINT_INVERTED: "its power goes the other way than it is told: its profile has the sign wrong",
    Flaw.SETPOINT_PARTLY: "its power makes another step than it is told: is its rating the one that it states?",
    Flaw.VAR_IGNORED: "its var does not follow what it is told: leave it out of volt_var and the like (ders: [...])",
    Flaw.VAR_INVERTED: "its var goes the other way than it is told: volt_var would drive the voltage away",
    Flaw.VAR_PARTLY: "its var makes another step than it is told: is its rating the one that it states?",
    Flaw.VAR_AGAINST_VOLTAGE: "var that it reports as injected lowers the voltage: it means the other sign",
    Flaw.MINIMUM_ON: "below that it goes off: profile key min_limit_pct; derctl run keeps it above by plant.json",
    Flaw.METER_REVERSED: "the meter shows the steps reversed: turn poc.sign round, or its clamps",
    Flaw.METER_UNMOVED: "the meter does not show the steps: is it at the point of connection, are its clamps closed?",
    Flaw.METER_SCALED: "the meter shows another share of the steps: the clamps' ratio, or a phase that is missing",
}
"""What each means, and what mends it."""
SERIOUS = frozenset(FLAWS) - {Flaw.MINIMUM_ON}
"""With one of these it can't be controlled as it is."""
MINUTES_EACH, MINUTES_PERIOD = 2.5, 0.9
"""About: what comes before the square waves, and each of their periods; of one that answers within seconds."""
QUICK_PERIODS = 2
"""As few as there may be."""


def plan_lines(site: Site, names: Sequence[str], within_w: float | None, periods: int) -> list[str]:
    """What a person agrees to."""
    minutes = len(names) * (MINUTES_EACH + MINUTES_PERIOD * periods)
    quick = len(names) * (MINUTES_EACH + MINUTES_PERIOD * QUICK_PERIODS)
    how_far = "a tenth of its rating" if within_w is None else f"{within_w:g} W or var"
    lines = [
        f"{', '.join(names)}: one after the other, about {minutes:.0f} minutes in all",
        f"  each is moved by {how_far} at most, power first, then var, {periods} times to and fro",
        "  a limit never goes above what stands in it now, and a store gives no more than half of what may go out",
        "  before each first write it is noted on disk; at the end, or at Ctrl-C, each gets back what it had,",
        "  or its fallback where that gives less",
        "  less for one that takes no var, more for one that is slow to answer; never two at once, since the meter",
        "  and the voltage show what all of them move together, and not whose step it was",
        "  control does not wait for this: it may be done another day, or each DER on a day of its own",
        f"  --periods {QUICK_PERIODS} takes about {quick:.0f} minutes, and is less exact",
    ]
    return [*lines, f"  the results are written into {_beside(site)} by serial number"]


def _beside(site: Site) -> str:
    return "plant.json beside the site file"


def der_lines(site: Site, name: str, serial: str, found: Identified | None, notes: Sequence[str]) -> list[str]:
    """One DER."""
    if found is None:
        return [clean(f"{name}: {note}") for note in notes]
    lines = [clean(f"{name}: {found.name or 'a device'}, serial {serial or 'not told'}, {found.rated_va:g} VA")]
    lines += _answer("down", found.fall) + _answer("up", found.rise) + _answer("var", found.var)
    if found.refresh_s is not None:
        lines.append(f"  its registers change every {found.refresh_s:.1f} s")
    lines += _pull("power", found.dv_dp) + _pull("var", found.dv_dq)
    if found.least_w is not None:
        lines.append(f"  it follows limits down to {found.least_w:.0f} W")
    lines += [f"  {flaw}: {FLAWS[flaw]}" for flaw in found.flaws]
    lines += [clean(f"  {note}") for note in notes]
    declared = next(der.serial for der in site.file.ders if der.id == name)
    if not serial:
        lines.append("  it tells no serial number, so that none of this is kept")
    elif declared != serial:
        lines.append(f"  say serial: {serial!r} for it in the site file, or derctl run does not count with this")
    return lines


def _answer(what: str, found: Response | None) -> list[str]:
    if found is None:
        return []
    ramp = "" if found.ramp_w_per_s is None else f", at {found.ramp_w_per_s:.0f} a second"
    return [
        f"  {what}: begins after {found.dead_s:.1f} s, 90 % {found.t90_s:.1f} s later{ramp};"
        f" {100.0 * found.gain:.0f} % of a step is made"
    ]


def _pull(what: str, found: Pull | None) -> list[str]:
    if found is None:
        return []
    return [f"  its {what} moves the voltage by {found.v_pu:.4f} +- {found.error:.4f} per unit at its rating"]


def meter_lines(found: MeterFound | None) -> list[str]:
    """The meter, as the steps show it."""
    if found is None:
        return ["meter: nothing was learned of it"]
    slope = "" if found.slope is None else f", it shows {100.0 * found.slope:.0f} % of a step"
    late = "" if found.delay_s is None else f", up to {found.delay_s:g} s late"
    every = "" if found.refresh_s is None else f", something new every {found.refresh_s:.1f} s"
    lines = [clean(f"meter: {found.name or 'a device'}: {found.belief}{slope}{late}{every}")]
    return [*lines, *[f"  {flaw}: {FLAWS[flaw]}" for flaw in found.flaws]]
