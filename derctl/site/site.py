"""A site file as the daemon uses it: checked, cross-referenced, with its functions built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from derctl.core.engine import Plan
from derctl.core.types import Rating
from derctl.devices import Profile
from derctl.errors import ConfigError, Problem
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.site.convert import Conversion
from derctl.site.doubts import check_doubts
from derctl.site.lines import Source, parse
from derctl.site.plan import plan_of
from derctl.site.profiles import used_profiles
from derctl.site.references import check_references
from derctl.site.schema import BusSection, DerSection, SiteFile
from derctl.site.secrets import said, secret_of

FILE_MAX = 262_144
"""Bytes of a site file: a thousand devices fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A configuration that can be run. questions: what may be meant otherwise, with its place."""

    file: SiteFile
    plan: Plan
    profiles: Mapping[str, Profile]
    secret: str | None = None
    questions: tuple[Problem, ...] = ()

    @property
    def limit_w(self) -> float | None:
        """The contract's export limit, None where there is none."""
        for function, _ in self.plan.site_functions:
            if isinstance(function, ContractExportLimit):
                return function.limit_w
        return None


def load(path: Path) -> Site:
    """Read and check a site file. Raises ConfigError with every problem."""
    try:
        text = text_of(_read(path))
    except OSError as error:
        raise ConfigError([Problem(file=str(path), line=0, path="(file)", message=said(error))]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{error.object[error.start]:02x} is no UTF-8: save the file as UTF-8"
        raise ConfigError([Problem(file=str(path), line=line, path="(file)", message=message)]) from error
    return build(parse(text, str(path)))


def _read(path: Path) -> bytes:
    """No more of it than a site file may have. Raises ConfigError where there is more."""
    with path.open("rb") as file:
        raw = file.read(FILE_MAX + 1)
    if len(raw) > FILE_MAX:
        message = f"more than {FILE_MAX} bytes: this is no site file"
        raise ConfigError([Problem(file=str(path), line=0, path="(file)", message=message)])
    return raw


def text_of(raw: bytes) -> str:
    """UTF-8, or UTF-16 where a byte order mark says so, as some editors save. Raises UnicodeDecodeError."""
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff")) and len(raw) % 2 == 0
    return raw.decode("utf-16" if wide else "utf-8-sig")


def build(source: Source) -> Site:
    """Check a parsed file. Raises ConfigError with every problem."""
    problems, later, questions = list(source.problems), list[Problem](), list[Problem]()
    conversion = Conversion(source, problems, questions)
    site_file = conversion.of(SiteFile)
    profiles = used_profiles(source, site_file, later)
    check_references(source, site_file, later)
    plan = plan_of(source, site_file, later)
    secret = secret_of(source, site_file, later, questions)
    check_doubts(source, site_file, later, questions, profiles)
    problems += [problem for problem in later if not conversion.concerns(problem)]
    if problems:
        raise ConfigError(problems)
    return Site(file=site_file, plan=plan, profiles=profiles, secret=secret, questions=tuple(sorted(questions)))


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
    names = [der.profile for der in site.file.ders if der.bus == bus.id]
    names += [der.bms.profile for der in site.file.ders if der.bms is not None and der.bms.bus == bus.id]
    if site.file.poc is not None and site.file.poc.bus == bus.id:
        names.append(site.file.poc.profile)
    used = [site.profiles[name] for name in names] or [Profile()]
    keys = ("timeout_s", "min_interval_s", "connect_delay_s", "backoff_s")
    given = {key: getattr(bus, key) for key in keys}
    return {key: max(getattr(p, key) for p in used) if given[key] is None else given[key] for key in keys}
