"""A site file as the daemon uses it: checked, cross-referenced, with its functions built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, get_type_hints

from derctl.config.convert import convert, plain
from derctl.config.lines import Source, parse
from derctl.config.schema import BusSection, DerSection, SiteFile
from derctl.core.engine import Plan
from derctl.core.types import Fallback, Rating
from derctl.devices import CATALOGUE as DEVICES
from derctl.devices import Profile
from derctl.errors import ConfigError, Problem, SettingError
from derctl.functions import CATALOGUE, NEEDS_STORAGE, REACTIVE, SITE_CATALOGUE, Settings
from derctl.functions.operator import OperatorSiteLimit
from derctl.functions.settings import required, violation


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A configuration that can be run."""

    file: SiteFile
    plan: Plan
    profiles: Mapping[str, Profile]
    secret: str | None = None

    @property
    def limit_w(self) -> float | None:
        """The contract's export limit, None where there is none."""
        for function, _ in self.plan.site_functions:
            if function.kind == "contract_export_limit":
                return float(function.limit_w)  # type: ignore[attr-defined]
        return None


def load(path: Path) -> Site:
    """Read and check a site file. Raises ConfigError with every problem."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(file=str(path), line=1, path="(file)", message=str(error))]) from error
    return build(parse(text, str(path)))


def build(source: Source) -> Site:
    """Check a parsed file. Raises ConfigError with every problem."""
    problems = list(source.problems)
    site_file = convert(source, source.value, SiteFile, "", problems)
    if site_file is None:
        raise ConfigError(problems)
    profiles = _profiles(source, site_file, problems)
    _check_references(source, site_file, problems)
    plan = _plan(source, site_file, problems)
    secret = _secret(source, site_file, problems)
    if problems:
        raise ConfigError(problems)
    return Site(file=site_file, plan=plan, profiles=profiles, secret=secret)


def fallback_of(der: DerSection) -> Fallback:
    """The declared fallback in control's words."""
    section = der.fallback
    return Fallback(p_ceiling_w=section.p_ceiling_w, by=section.by, after_s=section.after_s)


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


def _profiles(source: Source, site: SiteFile, problems: list[Problem]) -> dict[str, Profile]:
    used = {f"ders[{i}].profile": der.profile for i, der in enumerate(site.ders)}
    used |= {f"ders[{i}].bms.profile": der.bms.profile for i, der in enumerate(site.ders) if der.bms is not None}
    if site.poc is not None:
        used["poc.profile"] = site.poc.profile
    known = profiles()
    for path, name in used.items():
        if name not in known:
            problems.append(source.problem(path, f"no profile {name!r}; known are {', '.join(sorted(known))}"))
    return {name: known[name] for name in used.values() if name in known}


def profiles() -> dict[str, Profile]:
    """Every profile that ships with derctl."""
    folder = files("derctl").joinpath("devices", "profiles")
    found = (profile(parse(entry.read_text(encoding="utf-8"), entry.name)) for entry in folder.iterdir())
    return {each.name: each for each in found}


def profile(source: Source) -> Profile:
    """One profile file. Raises ConfigError for an unknown key or a value of another type."""
    problems = list(source.problems)
    kinds = get_type_hints(Profile)
    values: dict[str, Any] = {}
    given = source.value if isinstance(source.value, dict) else {}
    if given is not source.value:
        problems.append(source.problem("", f"expected a mapping of {', '.join(kinds)}"))
    for key, value in given.items():
        if key not in kinds:
            problems.append(source.problem(key, f"unknown key; known are {', '.join(kinds)}"))
            continue
        values[key] = plain(source, value, kinds[key], key, problems)
    if problems:
        raise ConfigError(problems)
    return Profile(**values)


def _check_references(source: Source, site: SiteFile, problems: list[Problem]) -> None:
    buses = {bus.id for bus in site.buses}
    _unique(source, "buses", [bus.id for bus in site.buses], problems)
    _unique(source, "ders", [der.id for der in site.ders], problems)
    places: dict[tuple[str, int], str] = {}
    for path, bus, unit in _places(site):
        if bus not in buses:
            problems.append(source.problem(f"{path}.bus", f"no bus {bus!r} in buses"))
        if (bus, unit) in places:
            problems.append(source.problem(f"{path}.unit", f"{bus} unit {unit} is already {places[bus, unit]}"))
        places.setdefault((bus, unit), path)
    endpoints: dict[tuple[str, int], str] = {}
    for i, section in enumerate(site.buses):
        where = (section.tcp.host, section.tcp.port)
        if where in endpoints:
            problems.append(
                source.problem(f"buses[{i}].tcp", f"same endpoint as bus {endpoints[where]!r}: use one bus")
            )
        endpoints.setdefault(where, section.id)
    for i, der in enumerate(site.ders):
        _check_der(source, f"ders[{i}]", der, site.site.tick_s, problems)
    if site.poc is not None and _role(site.poc.kind) != "meter":
        problems.append(source.problem("poc.kind", f"{site.poc.kind!r} is no meter; known are {_kinds('meter')}"))


def _places(site: SiteFile) -> Iterable[tuple[str, str, int]]:
    for i, der in enumerate(site.ders):
        yield f"ders[{i}]", der.bus, der.unit
        if der.bms is not None:
            yield f"ders[{i}].bms", der.bms.bus, der.bms.unit
    if site.poc is not None:
        yield "poc", site.poc.bus, site.poc.unit


def _check_der(source: Source, path: str, der: DerSection, tick_s: float, problems: list[Problem]) -> None:
    if _role(der.kind) != "der":
        problems.append(source.problem(f"{path}.kind", f"{der.kind!r} is no DER; known are {_kinds('der')}"))
        return
    if der.bms is not None and not DEVICES[der.kind].storage:
        problems.append(source.problem(f"{path}.bms", f"{der.kind} has no battery behind it"))
    fallback, rated = der.fallback, der.rating.p_max_w
    if fallback.by == "stands" and DEVICES[der.kind].storage:
        text = "a setpoint that stands would charge or discharge on without its guards; use reversion or device"
        problems.append(source.problem(f"{path}.fallback.by", text))
    if fallback.after_s < 4.0 * tick_s + 2.0:
        text = f"{fallback.after_s:g} s can't be refreshed in time: at least 4 ticks + 2 s = {4.0 * tick_s + 2.0:g} s"
        problems.append(source.problem(f"{path}.fallback.after_s", text))
    if fallback.by != "reversion" and fallback.p_ceiling_w is None:
        problems.append(source.problem(f"{path}.fallback", f"by: {fallback.by} needs p_ceiling_w"))
    if rated is not None and fallback.p_ceiling_w is not None and fallback.p_ceiling_w > rated:
        text = f"{fallback.p_ceiling_w:g} W is above rating.p_max_w {rated:g} W"
        problems.append(source.problem(f"{path}.fallback.p_ceiling_w", text))


def _role(kind: str) -> str | None:
    return DEVICES[kind].role if kind in DEVICES else None


def _kinds(role: str) -> str:
    return ", ".join(name for name, kind in DEVICES.items() if kind.role == role)


def _unique(source: Source, section: str, names: list[str], problems: list[Problem]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            problems.append(source.problem(f"{section}[{i}].id", f"{name!r} stands twice"))


def _plan(source: Source, site: SiteFile, problems: list[Problem]) -> Plan:
    der_functions: list[Any] = []
    site_functions: list[Any] = []
    spoken: dict[tuple[str, str], str] = {}
    for i, section in enumerate(site.functions):
        path = f"functions[{i}]"
        function = _function(source, path, section, problems)
        ids = _ders_of(source, path, section, site, problems)
        if function is None or ids is None:
            continue
        _check_once(source, path, function.kind, ids, spoken, problems)
        (site_functions if function.kind in SITE_CATALOGUE else der_functions).append((function, ids))
        if function.kind in SITE_CATALOGUE and any(f.kind == function.kind for f, _ in site_functions[:-1]):
            problems.append(source.problem(path, f"{function.kind} speaks for the site: once only"))
        if function.kind in SITE_CATALOGUE and site.poc is None:
            problems.append(source.problem(path, f"{function.kind} needs a meter at the point of connection (poc)"))
    if any(function.kind == "operator_limit" for function, _ in der_functions):
        site_functions.append((OperatorSiteLimit(), tuple(der.id for der in site.ders)))
    return Plan(der_functions=tuple(der_functions), site_functions=tuple(site_functions))


def _function(source: Source, path: str, section: Mapping[str, object], problems: list[Problem]) -> Settings | None:
    kind = section.get("kind")
    cls = CATALOGUE.get(kind) if isinstance(kind, str) and kind != "operator_site_limit" else None
    if cls is None:
        known = ", ".join(name for name in CATALOGUE if name != "operator_site_limit")
        problems.append(source.problem(f"{path}.kind", f"no function {kind!r}; known are {known}"))
        return None
    settings = {item.name: item for item in fields(cls) if item.init}
    before = len(problems)
    given = {key: value for key, value in section.items() if key not in {"kind", "ders"}}
    for key, value in given.items():
        if key not in settings:
            text = f"unknown setting of {kind}; known are {', '.join(settings) or 'none'}"
            problems.append(source.problem(f"{path}.{key}", text))
            continue
        wrong = violation(settings[key], value)
        if wrong is not None:
            problems.append(source.problem(f"{path}.{key}", f"{value!r} is outside {wrong.allowed}"))
    missing = [name for name in required(cls) if name not in given]
    problems.extend(source.problem(path, f"{kind} needs {name}") for name in missing)
    if len(problems) > before:
        return None
    return _built(source, path, cls, given, problems)


def _built(
    source: Source, path: str, cls: type[Settings], given: dict[str, Any], problems: list[Problem]
) -> Settings | None:
    if given.get("points") is not None:
        try:
            given["points"] = tuple((float(x), float(y)) for x, y in given["points"])
        except (TypeError, ValueError):
            problems.append(source.problem(f"{path}.points", "expected a list of [v_pu, q_pu] pairs"))
            return None
    try:
        return cls(**given)
    except SettingError as error:
        name = error.name.split(".")[0]
        problems.append(
            source.problem(f"{path}.{name}", f"{error.name} = {error.value!r} is outside {error.allowed}")
        )
        return None


def _ders_of(
    source: Source, path: str, section: Mapping[str, object], site: SiteFile, problems: list[Problem]
) -> tuple[str, ...] | None:
    kind = str(section.get("kind"))
    able = {d.id for d in site.ders if kind not in NEEDS_STORAGE or (d.kind in DEVICES and DEVICES[d.kind].storage)}
    given = section.get("ders")
    if given is None:
        return tuple(der.id for der in site.ders if der.id in able)
    if not isinstance(given, list):
        problems.append(source.problem(f"{path}.ders", "expected a list of DER ids"))
        return None
    known = {der.id for der in site.ders}
    for name in given:
        if not isinstance(name, str) or name not in known:
            problems.append(source.problem(f"{path}.ders", f"no DER {name!r} in ders"))
        elif name not in able:
            problems.append(source.problem(f"{path}.ders", f"{kind} needs storage, which {name!r} has not"))
    missing = [der.id for der in site.ders if der.id not in given]
    if kind == "contract_export_limit" and missing:
        text = f"the agreement is the site's, and {', '.join(missing)} would not count: name every DER or leave ders"
        text += " out; one that must not be written has control: false"
        problems.append(source.problem(f"{path}.ders", text))
    return tuple(str(name) for name in given)


def _check_once(
    source: Source,
    path: str,
    kind: str,
    ids: tuple[str, ...],
    spoken: dict[tuple[str, str], str],
    problems: list[Problem],
) -> None:
    group = "reactive mode" if kind in REACTIVE else kind
    for der_id in ids:
        if (group, der_id) in spoken:
            problems.append(source.problem(path, f"{der_id!r} has a {group} already, in {spoken[group, der_id]}"))
        spoken.setdefault((group, der_id), path)


def _secret(source: Source, site: SiteFile, problems: list[Problem]) -> str | None:
    if site.mqtt is None:
        return None
    tls = site.mqtt.tls
    if tls is not None and tls.key_file is not None and Path(tls.key_file).is_file():
        _keep_private(source, "mqtt.tls.key_file", Path(tls.key_file), problems)
    if site.mqtt.password_file is None:
        return None
    path = Path(site.mqtt.password_file)
    try:
        _keep_private(source, "mqtt.password_file", path, problems)
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        problems.append(source.problem("mqtt.password_file", str(error)))
        return None


def _keep_private(source: Source, path: str, file: Path, problems: list[Problem]) -> None:
    mode = file.stat().st_mode
    if mode & 0o007:
        text = f"{file} is open to everyone (mode {mode & 0o777:o}); chmod 640 or stricter"
        problems.append(source.problem(path, text))


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
