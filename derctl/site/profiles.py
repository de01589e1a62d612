"""Profiles that ship with derctl, and those that a site file names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from msgspec import structs

from derctl.core.words import SeenBy
from derctl.devices import Profile
from derctl.devices.fact import Fact
from derctl.devices.maps.control import Control
from derctl.devices.profile import About, Register, Row, within
from derctl.devices.writable import CONTROL
from derctl.errors import ConfigError, Problem
from derctl.site.convert import Conversion
from derctl.site.fits import misfits
from derctl.site.hints import similar
from derctl.site.lines import Source, parse
from derctl.site.map_doubts import doubtful
from derctl.site.map_file import map_of
from derctl.site.profile_file import KEYS, FirmwareSection, ProfileFile, RegisterSection, RowSection
from derctl.site.schema import BmsSection, DerSection, MeterSection, PocSection, SiteFile

R = TypeVar("R", DerSection, BmsSection, MeterSection, PocSection)

AT_LEAST = ("refresh_s", "settle_s", "deadband_pct", "timeout_s", "backoff_s", "answer_floor_s")
AT_MOST = ("tolerance_pct", "writes_a_day")
"""Where less, or more, than the default is less careful: only what is confirmed may be that."""
BOLD: dict[str, Callable[[Any], bool]] = {
    "spans": lambda value: value,
    "repaired": lambda value: value == "write",
    "cyclic": lambda value: bool({*value} - {*Profile().cyclic}),
    "gate": bool,
    "until_told": bool,
}
"""The same of what is no number: which values are less careful than the default."""


OWN = "profiles.d"
"""The folder of somebody's own files, beside the site file."""
OWN_PLACE = Path("/etc/derctl") / OWN
"""Where it is looked for without a site file."""


def used_profiles(
    source: Source, site: SiteFile, problems: list[Problem], known: Mapping[str, Profile]
) -> dict[str, Profile]:
    """Those that the file names, of all that are known."""
    named = {f"ders[{i}].profile": der.profile for i, der in enumerate(site.ders)}
    named |= {f"ders[{i}].bms.profile": der.bms.profile for i, der in enumerate(site.ders) if der.bms is not None}
    named |= {f"{path}.profile": meter.profile for path, meter in site.meters}
    used = {path: name for path, name in named.items() if name is not None}
    for path, name in used.items():
        if name not in known:
            listed = (
                f"known are {', '.join(sorted(known))}; without this key it is taken by who the device says it is"
            )
            problems.append(source.problem(path, f"no profile {name!r}{similar(name, known)}; {listed}"))
    found = {name: known[name] for name in used.values() if name in known}
    problems.extend(source.problem(path, text) for path, text in misfits(site, found, known))
    return found


def named(file: SiteFile, found: Mapping[str, str]) -> SiteFile:
    """The file as if its rows named the profiles that were found; found: by DER id, `ID.bms`, and a meter's path."""
    ders = [_named_der(der, found) for der in file.ders]
    poc = file.poc
    if poc is not None:
        witness = None if poc.witness is None else _named_row(poc.witness, found.get("poc.witness"))
        poc = structs.replace(_named_row(poc, found.get("poc")), witness=witness)
    return structs.replace(file, ders=ders, poc=poc)


def _named_der(der: DerSection, found: Mapping[str, str]) -> DerSection:
    bms = None if der.bms is None else _named_row(der.bms, found.get(f"{der.id}.bms"))
    return structs.replace(_named_row(der, found.get(der.id)), bms=bms)


def _named_row(row: R, name: str | None) -> R:
    return row if name is None else structs.replace(row, profile=name)


def planned(profiles: Mapping[str, Profile], name: str | None) -> Profile:
    """What is counted with before a device is found: the profile that the file names, else the documents'."""
    return profiles.get(name or "generic", Profile())


@cache
def profiles() -> Mapping[str, Profile]:
    """Every profile that ships with derctl, by name."""
    folders = (Path(__file__).parent.parent / "devices" / name for name in ("profiles", "maps"))
    entries = [entry for folder in folders for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    found = (profile(parse(entry.read_text(encoding="utf-8"), entry.name, ours=True)) for entry in entries)
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}


def known_profiles(folder: Path | None) -> Mapping[str, Profile]:
    """All that ship with derctl, and those of a folder, which stand in the place of one with the same name. Raises
    ConfigError with the problems of all of them."""
    return profiles() if folder is None else {**profiles(), **own_profiles(folder)}


def own_profiles(folder: Path) -> dict[str, Profile]:
    """By name. Where there is no such folder there are none. Raises ConfigError."""
    found, problems = dict[str, Profile](), list[Problem]()
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
        try:
            made = profile_at(path)
        except ConfigError as error:
            problems += error.problems
            continue
        if made.name in found:
            problems.append(
                Problem(file=str(path), line=1, path="name", message=f"{made.name!r} stands in two files")
            )
        found[made.name] = made
    if problems:
        raise ConfigError(problems)
    return found


def profile_at(path: Path) -> Profile:
    """A file of somebody's own. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(file=str(path), line=0, path="(file)", message=str(error))]) from error
    return profile(parse(text, str(path)))


def profile(source: Source) -> Profile:
    """One profile file. Raises ConfigError with every problem."""
    problems, questions = list(source.problems), list[Problem]()
    conversion = Conversion(source, problems, questions)
    file: Any = conversion.of(ProfileFile)
    later = [source.problem(path, text) for path, text in _doubtful(file)]
    problems += questions + [each for each in later if not conversion.concerns(each)]
    if problems:
        raise ConfigError(problems)
    return _made(file)


def _given(file: Any) -> Iterator[tuple[str, str, Any]]:
    """Group, key and section of each value that the file has."""
    for group, keys in KEYS.items():
        section = getattr(file, group)
        for key in keys if section is not None else ():
            if getattr(section, key) is not None:
                yield group, key, getattr(section, key)


def _doubtful(file: Any) -> Iterator[tuple[str, str]]:
    """Path and message of what no type can tell."""
    yield from _match_doubts(file)
    yield from doubtful(file.map)
    for group, key, given in _given(file):
        yield from _value_doubts(f"{group}.{key}.value", key, given)


def _match_doubts(file: Any) -> Iterator[tuple[str, str]]:
    """Whose profile it is, and of which firmware."""
    for i, row in enumerate(file.match):
        if not row.maker and not row.model and row.has is None:
            yield f"match[{i}]", "a row needs a maker, a model, or a model id in `has`"
        if (row.oldest is None) is not (row.newest is None):
            yield f"match[{i}]", "oldest and newest go together"
        elif row.oldest is not None and not within(row.oldest, (row.oldest, row.newest)):
            yield f"match[{i}].newest", f"{row.newest} is older than {row.oldest}"
    firmware = file.firmware
    if firmware is not None and not within(firmware.oldest, (firmware.oldest, firmware.newest)):
        yield "firmware.newest", f"{firmware.newest} is older than {firmware.oldest}"


def _value_doubts(path: str, key: str, given: Any) -> Iterator[tuple[str, str]]:
    """A claim that makes derctl less careful has to be confirmed by somebody."""
    default = getattr(Profile(), key)
    careless = (key in AT_LEAST and given.value < default) or (key in AT_MOST and given.value > default)
    careless = careless or (key in BOLD and BOLD[key](given.value))
    if careless and not _fact(given).confirmed:
        value, other = (text_of(each) for each in (given.value, default))
        text = f"{value} is less careful than the usual {other}, and by: {given.by} confirms nothing"
        yield path, f"{text}: leave it out, or name a capture or the maker's document"
    if given.value == []:
        yield path, "is an empty list: leave the key out"
    if key == "absent":
        yield from _misnamed(given.value)


def text_of(value: Any) -> str:
    """A value as its file has it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value)) or "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _misnamed(absent: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in absent:
        model, _, point = name.partition(".")
        if not model.isdecimal() or not point:
            yield "decode.absent.value", f"{name!r} names no point: write it as 203.TotWhExp"


def _made(file: Any) -> Profile:
    values: dict[str, Any] = {}
    facts: dict[str, Fact] = {}
    for _, key, given in _given(file):
        values[key], facts[key] = _frozen(given.value), _fact(given)
    firmware = file.firmware
    if firmware is not None:
        values["seen"], facts["seen"] = (firmware.oldest, firmware.newest), _fact(firmware)
    about = About(
        title=file.title,
        reads=file.reads,
        controls=file.controls,
        failsafe=file.failsafe,
        notes=tuple(file.notes),
        dumps=tuple(file.dumps),
        personality=file.personality or "",
        registers=tuple(map(_register, file.registers)),
    )
    made = None if file.map is None else map_of(file.map)
    if made is not None and made.control is not None:
        _wearing(made.control, values, facts)
    rows = tuple(map(_row, file.match))
    return Profile(name=file.name, match=rows, map=made, facts=facts, about=about, **values)


def _wearing(control: Control, values: dict[str, Any], facts: dict[str, Fact]) -> None:
    """What its points say of their memory, where the file has no word of its own. Those of its var alone leave the
    others as they are: where they wear out it is told no var."""
    often = [point for point in control.points if not point.once]
    powers = [point for point in often if point not in control.var_alone] or often
    lasting = [point for point in often if point.volatile]
    fact = next((point for point in powers), control.points[0]).wears
    values.setdefault("volatile", all(point.volatile for point in powers))
    values.setdefault("cyclic", (*CONTROL, *(point.name for point in lasting)))
    facts.setdefault("volatile", fact)
    facts.setdefault("cyclic", fact)


def _fact(given: Any | FirmwareSection | RowSection | RegisterSection) -> Fact:
    return Fact(by=SeenBy(given.by), source=given.source)


def _row(row: RowSection) -> Row:
    firmware = None if row.oldest is None or row.newest is None else (row.oldest, row.newest)
    return Row(fact=_fact(row), maker=row.maker, model=row.model, firmware=firmware, has=row.has)


def _register(each: RegisterSection) -> Register:
    return Register(name=each.name, address=each.address, stored=each.stored, fact=_fact(each))


def _frozen(value: Any) -> Any:
    """As the fields of a frozen class have it."""
    if isinstance(value, dict):
        return {key: tuple(each) for key, each in value.items()}
    return tuple(value) if isinstance(value, list) else value
