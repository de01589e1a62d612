"""What a device made of a write that it answered: taken over, or not, and how often in a row. Pure."""

from __future__ import annotations

from typing import NamedTuple

from derctl.core.types import Rating, Setpoint
from derctl.core.words import WriteFor
from derctl.daemon.actuate.deadband import near, taken
from derctl.daemon.actuate.text import setpoint_text
from derctl.daemon.actuate.trouble import IGNORED_AFTER, Happened
from derctl.devices import Profile


class Taking(NamedTuple):
    """refusals: writes in a row that it has not taken over now. happened: what that is called, None: nothing yet."""

    refusals: int
    happened: Happened | None = None
    text: str = ""


def taking(
    desired: Setpoint,
    found: Setpoint,
    why: WriteFor,
    rating: Rating,
    profile: Profile,
    *,
    before: int,
    known: Setpoint | None,
    doubtful: bool,
) -> Taking:
    """found: what it reads back. before: refusals until now. known: what it read back before. doubtful: whether what
    it reads back may be what is wrong."""
    if profile.readback == "effect_only":  # only its power tells, and that is judged by itself
        return Taking(before + 1 if why is WriteFor.DISOBEYED else before, Happened.TAKEN)
    if near(desired, found, rating, profile):
        return Taking(0, Happened.TAKEN)
    if before + 1 < IGNORED_AFTER or doubtful:
        return Taking(before + 1)
    unmoved = known is None or found == known
    ignored = unmoved and not taken(desired, found, rating, profile)
    text = f"asked for {setpoint_text(desired)}, reads back {setpoint_text(found)}"
    return Taking(before + 1, Happened.IGNORED if ignored else Happened.CLIPPED, text)
