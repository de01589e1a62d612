"""What a site file says of registers that derctl would not write by itself, or that wear out when it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from derctl.devices import Profile
from derctl.devices.writable import GATE, OWN_POINT, barred
from derctl.links.models import model
from derctl.site.convert import STAND_IN
from derctl.site.hints import similar
from derctl.site.profiles import planned
from derctl.site.schema import DerSection, SiteFile

DIGITS = 5
"""Of a model's number: it is a word of 16 bits."""


def refused_writes(site: SiteFile, profiles: Mapping[str, Profile]) -> Iterator[tuple[str, str]]:
    """Path and message of what can't be."""
    for i, der in enumerate(site.ders):
        for j, point in enumerate(der.may_write):
            own = point.startswith(OWN_POINT)
            wrong = _own(point, planned(profiles, der.profile)) if own else _unwritable(point)
            if point != GATE and wrong is not None:
                yield f"ders[{i}].may_write[{j}]", wrong
        if (wrong := _no_timer(der, planned(profiles, der.profile))) is not None:
            yield f"ders[{i}].fallback.by", wrong


def _own(point: str, profile: Profile) -> str | None:
    """One of a register map may be named where it is quoted only."""
    control = None if profile.map is None else profile.map.control
    if control is None:
        return f"profile {profile.name} names no register of its own that is written"
    known = [each.name for each in control.points]
    if point not in known:
        return f"profile {profile.name} has no point {point!r}{similar(point, known)}; it has {', '.join(known)}"
    mine = [order for order in control.orders.values() if point in {each.name for each in control.points_of(order)}]
    doubts = next((each for order in mine for each in control.doubts(order)), None)
    if any(point in control.quoted(order) and not list(control.doubts(order)) for order in mine):
        return None
    if doubts is None:
        return f"{point} is written for setpoints anyway: take it out"
    return f"{point} is not written even so, since nobody has confirmed {doubts}"


def _unwritable(point: str) -> str | None:
    number, _, name = point.partition(".")
    if not number.isdecimal() or len(number) > DIGITS:
        return None if STAND_IN in point else f"{point!r} is no model and point, such as 703.ESDlyTms"
    table = model(int(number))
    if table is None:
        return f"SunSpec has no model {number}"
    if name not in table.fixed:
        return f"model {number} has no point {name!r}{similar(name, table.fixed)}"
    if not table.fixed[name].writable:
        return f"{point} can only be read"
    return None if barred(point) else f"{point} is written for setpoints anyway: take it out"


def _no_timer(der: DerSection, profile: Profile) -> str | None:
    """A timer has to be written anew before half of it is spent."""
    timed = der.control and der.fallback.by == "reversion" and der.fallback.p_ceiling_w is not None
    if not (profile.guarded and timed):
        return None
    return (
        f"the control registers of {profile.name} wear out ({profile.writes_a_day} writes a day), so no timer is kept"
        " up: use stands, or a limit in the device and device"
    )
