"""A site file as the daemon uses it: checked, cross-referenced, with its functions built."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from derctl.core.containment import Budget
from derctl.core.dataclass import dataclass
from derctl.core.plan import Plan
from derctl.core.types import Rating
from derctl.devices import Profile
from derctl.errors import ConfigError, Problem
from derctl.functions.containment import Containment
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.site_limits import GridLimits
from derctl.site.buses import refused
from derctl.site.containment import contained
from derctl.site.convert import Conversion
from derctl.site.doubts import check_doubts
from derctl.site.lines import Source, parse
from derctl.site.owners import unowned
from derctl.site.pace import pace_of, units_of
from derctl.site.phases import unphased
from derctl.site.plan import plan_of
from derctl.site.plant_file import NOTHING_FOUND, PlantFile, read_plant
from derctl.site.profiles import OWN, named, own_profiles, planned, used_profiles
from derctl.site.profiles import profiles as shipped
from derctl.site.references import check_references
from derctl.site.schema import BusSection, DerSection, SiteFile
from derctl.site.secrets import said, secret_of
from derctl.site.stability import VoltLoop, loop_text, loops_of, stability_problems

FILE_MAX = 262_144
"""Bytes of a site file: a thousand devices fit."""

NO_SOURCE = Source("", None, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A configuration that can be run. questions: what may be meant otherwise, with its place. profiles: those that
    the file names; known: all that there are. plant: what was found out by stepping its devices.
    source: where each of its keys stands."""

    file: SiteFile
    plan: Plan
    profiles: Mapping[str, Profile]
    known: Mapping[str, Profile] = field(default_factory=shipped)
    secret: str | None = None
    questions: tuple[Problem, ...] = ()
    loops: tuple[VoltLoop, ...] = ()
    plant: PlantFile = NOTHING_FOUND
    source: Source = field(default=NO_SOURCE, compare=False, repr=False)

    def profile(self, name: str | None) -> Profile:
        """What is counted with until the device is found."""
        return planned(self.profiles, name)

    def shelf(self, name: str | None) -> tuple[Profile, ...]:
        """Of which the device's own identity chooses, where the file names none."""
        return () if name is not None else tuple(self.known.values())

    def reckoned(self, found: Mapping[str, str]) -> Plan:
        """The plan with the times of the profiles that were found: by DER id, `ID.bms`, `poc` and `poc.witness`."""
        return contained(self.plan, named(self.file, found), {**self.profiles, **self.known}, self.plant)

    def too_slow(self, found: Mapping[str, str]) -> str:
        """Which buses can't keep a deadline of control by the profiles that were found; "": all can."""
        return refused(named(self.file, found), {**self.profiles, **self.known}, _budget(self.reckoned(found)))

    def margins(self, plan: Plan) -> tuple[tuple[str, bool], ...]:
        """Of each loop on the voltage of another plan for this site how far it is from hunting, in words, and whether
        it is refused."""
        return tuple((loop_text(loop), loop.refused) for loop in self.loops_in(plan))

    def loops_in(self, plan: Plan) -> tuple[VoltLoop, ...]:
        """The loops on the voltage of another plan for this site."""
        return loops_of(self.file, self.profiles, plan, self.plant)

    @property
    def limit_w(self) -> float | None:
        """The agreement's export limit where nobody says anything else, None where there is none: the contract's, and
        what it allows while no operating envelope is in force."""
        functions = [function for function, _ in self.plan.site_functions]
        found = [each.limit_w for each in functions if isinstance(each, ContractExportLimit)]
        found += [
            each.default_export_w
            for each in functions
            if isinstance(each, GridLimits) and each.default_export_w is not None
        ]
        return min(found, default=None)

    @property
    def phase_limit_w(self) -> float | None:
        """The contract's export limit of each phase, None where there is none."""
        found = (each for each, _ in self.plan.site_functions if isinstance(each, ContractExportLimit))
        return next((each.phase_limit_w for each in found), None)

    @property
    def budget(self) -> Budget | None:
        """How long an excursion may last, and does; None where no limit is agreed."""
        return _budget(self.plan)


def _budget(plan: Plan) -> Budget | None:
    return next((each.budget for each, _ in plan.site_functions if isinstance(each, Containment)), None)


def load(path: Path) -> Site:
    """Read and check a site file, with the profiles beside it. Raises ConfigError with every problem."""
    try:
        text = text_of(_read(path))
    except OSError as error:
        raise ConfigError([Problem(file=str(path), line=0, path="(file)", message=said(error))]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{error.object[error.start]:02x} is no UTF-8: save the file as UTF-8"
        raise ConfigError([Problem(file=str(path), line=line, path="(file)", message=message)]) from error
    return build(parse(text, str(path)), path.parent / OWN, read_plant(path.parent))


def _read(path: Path) -> bytes:
    """No more of it than a site file may have. Raises ConfigError where there is more, or where everyone may write
    who commands and what is allowed."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        raw = file.read(FILE_MAX + 1)
    if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
        message = f"everyone can write it (mode {stat.S_IMODE(mode):o}), and so change what is allowed: chmod o-w"
        raise ConfigError([Problem(file=str(path), line=0, path="(file)", message=message)])
    if len(raw) > FILE_MAX:
        message = f"more than {FILE_MAX} bytes: this is no site file"
        raise ConfigError([Problem(file=str(path), line=0, path="(file)", message=message)])
    return raw


def text_of(raw: bytes) -> str:
    """UTF-8, or UTF-16 where a byte order mark says so, as some editors save. Raises UnicodeDecodeError."""
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff")) and len(raw) % 2 == 0
    return raw.decode("utf-16" if wide else "utf-8-sig")


def build(source: Source, folder: Path | None = None, plant: PlantFile = NOTHING_FOUND) -> Site:
    """Check a parsed file. folder: of profiles of one's own. plant: what stepping its devices has shown. Raises
    ConfigError with every problem."""
    problems, later, questions = list(source.problems), list[Problem](), list[Problem]()
    own = _own(folder, problems)
    known = {**shipped(), **own}
    for name in own.keys() & shipped().keys():
        questions.append(
            source.problem("", f"{OWN} has a profile {name}, which stands in the place of the shipped one")
        )
    conversion = Conversion(source, problems, questions)
    site_file = conversion.of(SiteFile)
    profiles = used_profiles(source, site_file, later, known)
    check_references(source, site_file, later)
    plan = plan_of(source, site_file, later)
    secret = secret_of(source, site_file, later, questions)
    later += [source.problem(path, text) for path, text in (*unowned(site_file, plan), *unphased(site_file))]
    check_doubts(source, site_file, later, questions, profiles)
    problems += [problem for problem in later if not conversion.concerns(problem)]
    if problems:
        raise ConfigError(problems)
    loops = loops_of(site_file, profiles, plan, plant)
    stability_problems(source, site_file, loops, problems, questions)
    if problems:
        raise ConfigError(problems)
    plan = contained(plan, site_file, profiles, plant)
    return Site(
        file=site_file,
        plan=plan,
        profiles=profiles,
        known=known,
        secret=secret,
        questions=tuple(sorted(questions)),
        loops=loops,
        plant=plant,
        source=source,
    )


def _own(folder: Path | None, problems: list[Problem]) -> dict[str, Profile]:
    """Profiles of one's own; none of them where one is wrong."""
    try:
        return {} if folder is None else own_profiles(folder)
    except ConfigError as error:
        problems += error.problems
        return {}


def rating_of(der: DerSection, v_nom_v: float) -> Rating:
    """The declared rating; zeros where the site file says nothing."""
    p_max = der.rating.p_max_w or 0.0
    return Rating(
        p_max_w=p_max,
        p_min_w=-(der.rating.p_charge_max_w or 0.0),
        s_max_va=der.rating.s_max_va or p_max,
        q_inj_max_var=0.0,
        q_abs_max_var=0.0,
        v_nom_v=v_nom_v,
    )


def slowest(site: Site, bus: BusSection) -> dict[str, float]:
    """Pace of a bus: what the site file gives, else the most careful value among the profiles on it."""
    return pace_of(site.file, site.profiles, bus)


def paces(site: Site, bus: BusSection) -> dict[int, dict[str, float]]:
    """What each unit of a bus needs by itself."""
    return units_of(site.file, site.profiles, bus)
