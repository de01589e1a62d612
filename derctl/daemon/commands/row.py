"""One row of the table of commands: its arguments, what it does, and whether it may let more power through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from derctl.core.engine import Plan
from derctl.core.types import SiteState
from derctl.core.words import Refusal
from derctl.daemon.actuate.releaser import Releaser
from derctl.daemon.gate import Gate
from derctl.daemon.requests import Requests
from derctl.errors import CommandError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a command may touch. look: look again for what was not found, or found incomplete, for so many seconds at
    most. changed: something that must survive a restart has changed."""

    plan: Plan
    requests: Requests
    gate: Gate
    releaser: Releaser
    state: Callable[[], SiteState]
    changed: Callable[[], None]
    look: Callable[[float], Awaitable[None]]

    def has_function(self, kind: str, der: str | None) -> bool:
        """Whether the site file gives this function to this DER (None: to any)."""
        return any(f.kind == kind and (der is None or der in ids) for f, ids in self.plan.der_functions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command that passed the envelope's checks. by: the principal who sent it.

    seconds: what is left of its life. synced: its age was checked.
    """

    id: str
    by: str
    seconds: float
    until: str
    args: Any
    synced: bool = True

    @property
    def asked(self) -> dict[str, Any]:
        """What every request carries."""
        return {"id": self.id, "by": self.by, "remaining_s": self.seconds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """relaxing: it may let more power through, so it waits for a clock that can be believed.

    saved: it changes something that must survive a restart.
    """

    args: type[msgspec.Struct]
    apply: Callable[[Reach, Order], Awaitable[str]]
    relaxing: bool
    saved: bool = True


class Nothing(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A command without arguments."""


def check_der(reach: Reach, der: str | None) -> None:
    """Raises CommandError for a DER that the site doesn't have."""
    known = [each.id for each in reach.state().ders]
    if der is not None and der not in known:
        raise CommandError(Refusal.NO_DER, f"no DER {der!r}; known are {', '.join(known)}")


def admitted(reach: Reach, order: Order) -> str:
    """Until when. What is admitted is not what is written."""
    text = f"until {order.until}"
    return text if reach.gate.open else f"{text}, but nothing is written in observe mode"
