"""Commands that only look: all that is retained once more, why, doctor, and a capture for whoever is to help."""

from __future__ import annotations

import msgspec

from derctl.daemon.commands.row import (
    EVERYBODY,
    HOME,
    LOCAL_ID,
    OPERATORS,
    Command,
    Done,
    Nothing,
    Order,
    Reach,
    check_der,
)
from derctl.daemon.commands.views import bounded

PUBLISH_EVERY_S = 10.0
WHY_EVERY_S = 1.0
DOCTOR_EVERY_S = 10.0
CAPTURE_EVERY_S = 60.0
"""How often each is answered at most over MQTT; the first and the last for all principals together."""


class Why(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of why."""

    der: str


def _paced(reach: Reach, order: Order, what: str, every_s: float, *, together: bool = False) -> None:
    """Who comes over the socket waits for nobody."""
    if not order.id.startswith(LOCAL_ID):
        reach.views.paced(what, "" if together else order.by, every_s)


async def publish_all(reach: Reach, order: Order) -> Done:
    """All that is retained, once more."""
    _paced(reach, order, "publish_all", PUBLISH_EVERY_S, together=True)
    return Done(text=reach.views.publish())


async def why(reach: Reach, order: Order) -> Done:
    """Why a DER gives what it gives."""
    args: Why = order.args
    check_der(reach, args.der)
    _paced(reach, order, "why", WHY_EVERY_S)
    return Done(text=bounded([reach.views.why(args.der)], f"derctl why {args.der} on the device shows it"))


async def doctor(reach: Reach, order: Order) -> Done:
    """What is not well, and what to do."""
    _paced(reach, order, "doctor", DOCTOR_EVERY_S)
    return Done(text=bounded(reach.views.doctor(), "derctl doctor on the device shows all"))


async def capture(reach: Reach, order: Order) -> Done:
    """A file on the device, for whoever is to help."""
    _paced(reach, order, "capture", CAPTURE_EVERY_S, together=True)
    return Done(text=await reach.views.capture(), unsaved="the capture is there all the same")


ROWS: dict[str, Command] = {
    "publish_all": Command(
        args=Nothing,
        apply=publish_all,
        relaxing=False,
        saved=False,
        says="all that is retained goes out once more: measurements, setpoints, outcomes, what stands, requests, "
        "announcements, heads",
        may=EVERYBODY,
    ),
    "why": Command(
        args=Why,
        apply=why,
        relaxing=False,
        saved=False,
        says="why the DER gives what it gives, in one paragraph; times in UTC",
        verb="why pv1",
        may=EVERYBODY,
    ),
    "doctor": Command(
        args=Nothing,
        apply=doctor,
        relaxing=False,
        saved=False,
        whole=True,
        says="what is not well and what to do about it, the worst first; of the machine itself (service, "
        "certificates) only `derctl doctor` tells",
        verb="doctor",
        may=HOME,
    ),
    "capture": Command(
        args=Nothing,
        apply=capture,
        relaxing=False,
        says="writes `capture.json` to `state_dir`: `status`, the site file without passwords, keys and "
        "certificates, the last ticks; 1 MB at most. The answer says where it is, its size and its SHA-256",
        may=OPERATORS,
    ),
}
