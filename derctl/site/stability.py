"""How far the loops on the voltage are from hunting at a site, by the grid that its file tells of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from derctl.core.dataclass import dataclass
from derctl.core.freshness import DECIDES
from derctl.core.identified import Response
from derctl.core.plan import Plan
from derctl.core.response import LN10
from derctl.core.stability import largest_gain, slowest_that_does
from derctl.devices import Profile
from derctl.errors import Problem
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt
from derctl.site.containment import write_s
from derctl.site.lines import Source
from derctl.site.pace import round_of
from derctl.site.plant_file import NOTHING_FOUND, PlantFile
from derctl.site.profiles import planned
from derctl.site.schema import DerSection, SiteFile

REFUSED_BELOW, WARNED_BELOW = 1.5, 3.0
"""Of the gain at which a loop hunts, over its own (docs/sources.md)."""
DEAD_S = 0.5
"""How long an inverter takes until its terminals begin to follow, where nobody knows (docs/sources.md)."""
MOST_OLRT_S = 600.0
"""No code has a longer response time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltLoop:
    """One loop. slope: per unit of power or var for each per unit of voltage. sample_s: how often it acts; late: so
    many samples from a voltage to its effect. olrt_s: its response time. most: the gain at which it hunts. ders: who
    runs it; share: what of the site's rating they are.

    gain, margin None: neither the site file nor a step tells of the grid. margin: of all loops together. does_s,
    slope_does: with one of the two there would be margin enough; None: not with that alone. measured: whose pull on
    the voltage `derctl identify` measured; two standard errors are added to it.
    """

    kind: str
    slope: float
    sample_s: float
    late: int
    olrt_s: float
    most: float
    ders: tuple[str, ...] = ()
    share: float = 1.0
    gain: float | None = None
    margin: float | None = None
    does_s: float | None = None
    slope_does: float | None = None
    measured: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """It would hunt, or nearly."""
        return self.margin is not None and self.margin < REFUSED_BELOW

    @property
    def warned(self) -> bool:
        """It may, where the grid is weaker than it is said to be."""
        return self.margin is not None and self.margin < WARNED_BELOW

    @property
    def used(self) -> float:
        """What of the stable gain it takes."""
        return 0.0 if self.gain is None else self.gain / self.most


def loops_of(
    file: SiteFile, profiles: Mapping[str, Profile], plan: Plan, plant: PlantFile = NOTHING_FOUND
) -> tuple[VoltLoop, ...]:
    """Each loop on the voltage. All DERs are taken to be at one place, so that their slopes add."""
    found = [
        _loop(file, profiles, function, [der for der in file.ders if der.id in ids], plant)
        for function, ids in plan.der_functions
        if isinstance(function, VoltVar | VoltWatt)
    ]
    used = sum(loop.used for loop in found)
    return tuple(_judged(loop, used) for loop in found)


def _loop(
    file: SiteFile,
    profiles: Mapping[str, Profile],
    function: VoltVar | VoltWatt,
    ders: Sequence[DerSection],
    plant: PlantFile,
) -> VoltLoop:
    sample_s, late = _times(file, profiles, ders, plant, function.kind)
    pull, measured = _moved(file, ders, plant, function.kind)
    return VoltLoop(
        kind=function.kind,
        slope=function.steepest,
        sample_s=sample_s,
        late=late,
        olrt_s=function.response_s,
        most=largest_gain(sample_s, function.response_s, late),
        ders=tuple(der.id for der in ders),
        share=_share(file, ders),
        gain=None if pull is None else function.steepest * pull,
        measured=measured,
    )


def _judged(loop: VoltLoop, used: float) -> VoltLoop:
    """used: what all loops together take of what they may. What would do leaves the others as they are."""
    if loop.gain is None or used <= 0.0:
        return loop
    if math.isinf(used):  # a step in the curve
        return replace(loop, margin=0.0)
    left = 1.0 / WARNED_BELOW - (used - loop.used)
    if left <= 0.0 or loop.used <= 0.0:
        return replace(loop, margin=1.0 / used)
    does_s = slowest_that_does(loop.sample_s, loop.late, loop.gain, 1.0 / left, MOST_OLRT_S)
    return replace(loop, margin=1.0 / used, does_s=does_s, slope_does=loop.slope * left / loop.used)


def _pull(file: SiteFile, kind: str) -> float | None:
    """The voltage that one per unit of var, or of power, moves. Where R/X is not told, all of the impedance does."""
    scr, ratio = file.site.scr, file.site.r_over_x
    if scr is None:
        return None
    if ratio is None:
        return 1.0 / scr
    return (1.0 if kind == VoltVar.kind else ratio) / math.hypot(1.0, ratio) / scr


def _moved(
    file: SiteFile, ders: Sequence[DerSection], plant: PlantFile, kind: str
) -> tuple[float | None, tuple[str, ...]]:
    """The voltage that one per unit of all of them moves, and of whom that was measured. Of the others the site file
    tells; where it does not, each moves as much by its size as the one that moves most."""
    known = {der.id: pull for der in ders if (pull := _measured(der, plant, kind)) is not None}
    told = _pull(file, kind)
    others = [der for der in ders if der.id not in known]
    if not known or (others and told is None and _size_va(others, plant) is None):
        return (None if told is None else told * _share(file, ders)), ()
    total = sum(known.values())
    if others and told is not None:
        total += told * _share(file, others)
    elif others:
        per_va = max(known[der.id] / (_size_va([der], plant) or 1.0) for der in ders if der.id in known)
        total += per_va * (_size_va(others, plant) or 0.0)
    return total, tuple(known)


def _measured(der: DerSection, plant: PlantFile, kind: str) -> float | None:
    found = plant.der(der.serial)
    pull = None if found is None else found.dv_dq if kind == VoltVar.kind else found.dv_dp
    return None if pull is None else pull.most_pu


def _size_va(ders: Sequence[DerSection], plant: PlantFile) -> float | None:
    """None: of one of them it is not known."""
    sizes = [
        found.rated_va if (found := plant.der(der.serial)) is not None else der.rating.s_max_va or der.rating.p_max_w
        for der in ders
    ]
    known = [size for size in sizes if size]
    return sum(known) if len(known) == len(sizes) else None


def _share(file: SiteFile, ders: Sequence[DerSection]) -> float:
    """What of the site's rating runs it; all, where a rating is missing."""
    rated = {der.id: der.rating.s_max_va or der.rating.p_max_w for der in file.ders}
    known = [va for va in rated.values() if va is not None]
    if len(known) < len(rated):
        return 1.0
    return sum(rated[der.id] or 0.0 for der in ders) / sum(known)


def _times(
    file: SiteFile, profiles: Mapping[str, Profile], ders: Sequence[DerSection], plant: PlantFile, kind: str
) -> tuple[float, int]:
    """How often it acts, and how many such samples later the effect is read."""
    tick_s, on = file.site.tick_s, {der.bus for der in ders}
    used = [planned(profiles, der.profile) for der in ders]
    pacing_s = max((profile.write_min_interval_s for profile in used), default=0.0)
    polls = [round_of(file, profiles, bus).round_s for bus in file.buses if bus.id in on]
    sample_s = max(math.ceil(max([pacing_s, *polls]) / tick_s - 1e-6), 1) * tick_s
    old_s = 0.5 * max((_refresh_s(der, profiles, plant) for der in ders), default=0.0)
    dead_s = max((_dead_s(der, plant, kind) for der in ders), default=DEAD_S)
    total_s = old_s + DECIDES * tick_s + write_s(file, profiles, ders) + dead_s
    return sample_s, max(math.ceil(total_s / sample_s - 1e-6), 1)


def _refresh_s(der: DerSection, profiles: Mapping[str, Profile], plant: PlantFile) -> float:
    found = plant.der(der.serial)
    if found is None or found.refresh_s is None:
        return planned(profiles, der.profile).refresh_s
    return found.refresh_s


def _dead_s(der: DerSection, plant: PlantFile, kind: str) -> float:
    """Its dead time, and the time constant of its own lag, which turns the phase no more than a dead time would."""
    found = plant.der(der.serial)
    answers: tuple[Response | None, ...] = ()
    if found is not None:
        answers = (found.var,) if kind == VoltVar.kind else (found.fall, found.rise)
    return max((each.dead_s + each.t90_s / LN10 for each in answers if each is not None), default=DEAD_S)


def stability_problems(
    source: Source, file: SiteFile, loops: Iterable[VoltLoop], problems: list[Problem], questions: list[Problem]
) -> None:
    """Refused is what would hunt; asked about what may."""
    kinds = [section.get("kind") for section in file.functions]
    for loop in loops:
        if loop.warned:
            path = f"functions[{kinds.index(loop.kind)}]"
            (problems if loop.refused else questions).append(source.problem(path, loop_text(loop)))


def loop_text(loop: VoltLoop) -> str:
    """The margin, and what would do."""
    text = (
        f"{loop.kind}: slope {loop.slope:.3g}, acts every {loop.sample_s:g} s, {loop.late * loop.sample_s:g} s late"
    )
    if loop.gain is None or loop.margin is None:
        return (
            f"{text}: how far it is from hunting is not known without site.scr and site.r_over_x; `derctl identify`"
            " measures it, and status shows it once the sun has moved the voltage"
        )
    if loop.measured:
        text += f", as measured on {', '.join(loop.measured)}"
    text += f", gain {loop.gain:.2g} of {loop.most:.2g} at which it hunts: margin {loop.margin:.2g}"
    if not loop.warned:
        return text
    ways = [] if loop.does_s is None else [f"olrt_s {_up(loop.does_s):g}"]
    ways += [] if loop.slope_does is None else [f"a slope of {loop.slope_does:.2g}"]
    least = REFUSED_BELOW if loop.refused else WARNED_BELOW
    does = (
        f"{' or '.join(ways)} would leave {WARNED_BELOW:g}"
        if ways
        else "the other loops have to become slower or gentler, too"
    )
    return f"{text}, {'refused' if loop.refused else 'little'} below {least:g}; {does}"


def _up(seconds: float) -> float:
    """To a tenth above."""
    return math.ceil(seconds * 10.0) / 10.0
