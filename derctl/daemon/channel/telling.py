"""What people are told of a device, in words, and what they have been told. Pure."""

from __future__ import annotations

from derctl.core.dataclass import dataclass
from derctl.core.words import ProfileBy
from derctl.devices import Device, Identity
from derctl.devices.profile import Habits


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """text: of the last event. strayed: that something came instead of answers was told."""

    text: str = ""
    strayed: bool = False


def is_news(told: Told, stray: str) -> bool:
    """What comes instead of answers is news once, where the silence was told without it."""
    return not told.strayed and stray not in told.text


def gained_text(before: Device, whole: Device) -> str:
    """What the same device has now that it lacked."""
    now = {_named(lack) for lack in whole.lacks}
    news = [lack for lack in map(_named, before.lacks) if lack not in now]
    return f"has now {', '.join(news)}" if news else "its map has changed"


def _named(lack: str) -> str:
    """Without why it could not be read."""
    return lack.partition(" (")[0]


def who(identity: Identity) -> str:
    """`Maker Model, serial 1001`."""
    serial = f"serial {identity.serial}" if identity.serial else "which tells no serial"
    return f"{identity.name}, {serial}"


def taken_as(habits: Habits) -> str:
    """By which profile; nothing where the site file says it."""
    if habits.by is ProfileBy.SITE_FILE:
        return ""
    nobody = habits.by is ProfileBy.NOBODY
    return f"; {'no profile is meant for it, the documents count' if nobody else f'profile {habits.profile.name}'}"
