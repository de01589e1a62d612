"""What speaks against a device: an answer that didn't come, or one that is not its own. Pure, a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from derctl.core.words import Reason
from derctl.daemon.channel import believed
from derctl.daemon.channel import binding as binds
from derctl.daemon.channel.binding import Binding, Look
from derctl.daemon.channel.expected import Expected
from derctl.devices import Device, Identity
from derctl.errors import BusError, BusTimeout, DeviceError, DeviceRefused, NoMap, SectionUnclear, WrongKind

ILLEGAL_ADDRESS = 2


class Fault(NamedTuple):
    """The binding that is left, and what was seen."""

    binding: Binding
    look: Look
    reason: Reason
    text: str


def _same(binding: Binding) -> Binding:
    return binding


FAILURES: tuple[tuple[type[Exception], Callable[[Binding], Binding], Look, Reason], ...] = (
    (BusError, _same, Look.SILENT, Reason.UNREACHABLE),
    (DeviceRefused, _same, Look.SILENT, Reason.UNREACHABLE),
    (WrongKind, binds.another, Look.WRONG, Reason.IDENTITY_CHANGED),
    (SectionUnclear, binds.another, Look.WRONG, Reason.SECTION_UNCLEAR),
    (NoMap, binds.forgotten, Look.WRONG, Reason.IDENTITY_CHANGED),
    (DeviceError, binds.forgotten, Look.SILENT, Reason.UNREACHABLE),
)
"""What becomes of the binding, and what was seen; the first that fits. Only an address that isn't there any more
(exception 2) speaks against the map."""


def failed(binding: Binding, error: BusError | DeviceError) -> Fault:
    """An error came instead of an answer."""
    _, after, look, reason = next(row for row in FAILURES if isinstance(error, row[0]))
    if isinstance(error, DeviceRefused) and error.code == ILLEGAL_ADDRESS:
        after = binds.refused
    return Fault(after(binding), look, reason, error.full if isinstance(error, BusTimeout) else str(error))


def objection(binding: Binding, device: Device, told: Identity, expected: Expected, misfit: str) -> Fault | None:
    """A device answers: what speaks against it. told: who it says it is. misfit: what it measured against the site
    file."""
    wrong = believed.objection(device, told, binding.known, binding.rated, expected.wanted)
    if wrong is not None:  # another one answers in its place
        left = binds.another(binding, device.rating.p_max_w)
        return Fault(left, Look.WRONG, Reason.IDENTITY_CHANGED, wrong)
    misfit = expected.check(device) or misfit
    return misfits(binding, device, misfit) if misfit else None


def misfits(binding: Binding, device: Device, text: str) -> Fault:
    """It is the right one, and not as the site file says."""
    return Fault(binds.barred(binding, device), Look.WRONG, Reason.MISMATCH, text)


def implausible(binding: Binding, jump: str) -> Fault:
    """It is the right one, and its rating can't be right."""
    return Fault(binds.forgotten(binding), Look.WRONG, Reason.IMPLAUSIBLE, jump)
