"""Whether a row's kind and its profile fit: what goes by a register map needs a profile that has one of its kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from derctl.devices import CATALOGUE, Profile
from derctl.site.schema import SiteFile


def misfits(site: SiteFile, used: Mapping[str, Profile], known: Mapping[str, Profile]) -> Iterator[tuple[str, str]]:
    """Path and message. used: the profiles that the file names, of all that are known."""
    rows = [(f"ders[{i}]", der.kind, der.profile) for i, der in enumerate(site.ders)]
    rows += [(path, meter.kind, meter.profile) for path, meter in site.meters]
    for path, kind, name in rows:
        if kind not in CATALOGUE or (name is not None and name not in used):
            continue
        of = None if name is None else _kind_of(used[name])
        if of is not None and of != kind:
            yield f"{path}.kind", f"profile {name} is the register map of a {of}: write kind: {of}"
        elif of is None and CATALOGUE[kind].mapped:
            able = ", ".join(each.name for each in known.values() if _kind_of(each) == kind) or "none"
            has = "name it by profile" if name is None else f"profile {name} has none"
            yield (
                path if name is None else f"{path}.profile",
                f"{kind} goes by a register map: {has}; known are {able}",
            )
    yield from _batteries(site, used)


def _batteries(site: SiteFile, used: Mapping[str, Profile]) -> Iterator[tuple[str, str]]:
    for i, der in enumerate(site.ders):
        name = None if der.bms is None else der.bms.profile
        of = None if name is None or name not in used else _kind_of(used[name])
        if of is not None and of != "map_bms":
            yield f"ders[{i}].bms.profile", f"profile {name} is the register map of a {of}, not of a map_bms"


def _kind_of(profile: Profile) -> str | None:
    return None if profile.map is None else profile.map.kind
