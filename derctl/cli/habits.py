"""What `check` tells of profiles: by which one each DER is taken, and what of that nobody has confirmed."""

from __future__ import annotations

from derctl.cli.profiles import DEPENDS
from derctl.core.dataclass import dataclass
from derctl.devices import Profile
from derctl.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """profile None: chosen when they are found. ders: those of one profile that derctl may write. unconfirmed: what
    control depends on."""

    profile: str | None
    ders: tuple[str, ...]
    unconfirmed: tuple[str, ...]
    text: str


def habits_of(site: Site) -> list[Habits]:
    """Of all DERs that derctl may write, by profile."""
    ders: dict[str | None, list[str]] = {}
    for der in site.file.ders:
        if der.control:
            ders.setdefault(der.profile, []).append(der.id)
    return [_habits(site, name, tuple(ids)) for name, ids in ders.items()]


def _habits(site: Site, name: str | None, ders: tuple[str, ...]) -> Habits:
    profile, who = site.profile(name), ", ".join(ders)
    open_ = tuple(key for key in DEPENDS if not profile.confirmed(key))
    if name is None:
        text = f"{who}: profile chosen by identity when found; until then the documents' times are reckoned with"
        return Habits(profile=None, ders=ders, unconfirmed=(), text=text)
    return Habits(profile=name, ders=ders, unconfirmed=open_, text=f"{who}: {_named(profile, open_)}")


def _named(profile: Profile, open_: tuple[str, ...]) -> str:
    said = "all that control depends on is confirmed"
    if open_:
        said = f"nobody has confirmed {', '.join(open_)}: `derctl profiles show {profile.name}`"
    most = profile.max_clients
    alone = f"; it serves {most} connection{'s' if most > 1 else ''}, so no other program may take its place"
    return f"profile {profile.name}, {said}{alone if most else ''}"
