"""Which `fallback.by` works with a device, and why: the driver itself says what stands when derctl is silent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from derctl.core.types import Fallback
from derctl.core.words import FallbackBy, Timer
from derctl.devices import Device

TRIED = (FallbackBy.REVERSION, FallbackBy.STANDS)
"""What derctl itself can make true, the better one first: a timer ends by itself."""


def advised(device: Device) -> dict[str, Any]:
    """by: the one to write. works: all that do. why: in words, of each that does not, too."""
    works = [by for by in TRIED if _works(device, by)]
    by = works[0] if works else FallbackBy.DEVICE
    return {"by": by, "works": [*works, FallbackBy.DEVICE], "why": "; ".join(_why(device, works))}


def _works(device: Device, by: FallbackBy) -> bool:
    """Whether a limit of half its rating would be kept. One that is not written keeps none; where the control
    registers wear out no timer is written."""
    if not device.can.steer or (by is FallbackBy.REVERSION and device.habits.profile.guarded):
        return False
    half_w = 0.5 * device.rating.p_max_w
    return device.absent_w(Fallback(p_ceiling_w=half_w, by=by)) <= half_w


def _why(device: Device, works: list[FallbackBy]) -> Iterator[str]:
    timer, model = device.reversion.timer, device.reversion.model
    named = "its timer" if model is None else f"the timer of model {model}"
    if not device.can.steer:
        yield "derctl does not write it, so only a limit that is kept in the device counts (by: device)"
        return
    if FallbackBy.REVERSION in works:
        yield f"{named} goes to a target when derctl is silent"
    elif device.habits.profile.guarded:
        yield "its control registers wear out, so no timer is written"
    elif timer is Timer.NO_TARGET:
        yield f"{named} lets go of the limit when it runs out, so reversion would mean its full rating"
    else:
        yield "it has no timer that counts, so nothing reverts"
    if FallbackBy.STANDS in works and FallbackBy.REVERSION not in works:
        yield "a limit that is written without a timer stands"
    elif not works:
        yield "nor does a limit stand, so only one that is kept in the device counts (by: device)"
    if device.habits.profile.timer_rearm == "any_message" and timer is not Timer.NONE:
        yield "each message starts its timer again, so a second client keeps it from running out"
