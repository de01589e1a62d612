"""One row of the table of commands: its arguments, what it does, and whether it may let more power through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

import msgspec

from derctl.core.dataclass import dataclass
from derctl.core.plan import Plan
from derctl.core.text import error_text
from derctl.core.types import SiteState
from derctl.core.words import Refusal, Role
from derctl.daemon.commands.views import Views
from derctl.daemon.gate import Gate
from derctl.daemon.known import Known
from derctl.daemon.requests import Requests
from derctl.daemon.waiting import Key
from derctl.errors import CommandError

if TYPE_CHECKING:  # the table is read by verbs that write nothing, and must not be able to
    from derctl.daemon.actuate.releaser import Releaser

LOCAL_ID = "local-"
"""How the id of a command over the socket begins."""
OPERATORS = frozenset({Role.OPERATOR, Role.INSTALLER})
INSTALLERS = frozenset({Role.INSTALLER})
EVERYBODY = frozenset(Role)
GRID = EVERYBODY - {Role.OWNER}
HOME = EVERYBODY - {Role.AGGREGATOR}
"""Whose command it may be."""

Heard = Callable[[str, str, str | None, str, str], None]
"""Takes who asked for what, under which id, the verdict (`admitted`, `refused`, later one of Became) and why."""


def unheard(who: str, what: str, command_id: str | None, verdict: str, reason: str) -> None:
    """Nobody keeps a record."""


async def unseen() -> str:
    """Of a house that nobody watched."""
    return ""


async def nobody(der: str) -> str:
    """Of a house without devices."""
    raise CommandError(Refusal.NOTHING_NEW, f"nothing answers in the place of {der}")


async def no_trial() -> None:
    """None is under way."""


async def no_reload() -> str:
    """Of a daemon that was started without a file. Raises CommandError."""
    raise CommandError(Refusal.NOT_READY, "there is no site file to read again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Limits that stood in devices before. lift: of a DER (None: all); gives those in which one was. keep: takes that
    back."""

    lift: Callable[[str | None], list[str]] = lambda der: []
    keep: Callable[[list[str]], None] = lambda ders: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a command may touch. look: look again for what was not found, or found incomplete, for so many seconds at
    most. changed: something that must survive a restart has changed. save: returns when what is now is on disk;
    raises OSError. known: who was ever found. replace: takes the device that answers in a DER's place for it. shadow:
    in a line, what would have been written so far. end_trial: of one that is under way; what it wrote is given back
    by then. views: for what only looks. reread: the site file, again; in words what became of it."""

    plan: Plan
    requests: Requests
    gate: Gate
    releaser: Releaser
    state: Callable[[], SiteState]
    changed: Callable[[], None]
    look: Callable[[float], Awaitable[None]]
    save: Callable[[], Awaitable[None]]
    found: Found = field(default_factory=Found)
    known: Known = field(default_factory=Known)
    replace: Callable[[str], Awaitable[str]] = nobody
    shadow: Callable[[], Awaitable[str]] = unseen
    end_trial: Callable[[], Awaitable[None]] = no_trial
    views: Views = field(default_factory=Views)
    reread: Callable[[], Awaitable[str]] = no_reload

    def has_function(self, kind: str, der: str | None) -> bool:
        """Whether the site file gives this function to this DER (None: to any)."""
        return any(f.kind == kind and (der is None or der in ids) for f, ids in self.plan.der_functions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command that passed the envelope's checks. by: the principal who sent it.

    seconds: what is left of its life. synced: its age was checked. others: it may take back what others asked for.
    knew: of one that waited, by sender and id what was asked for before it, which alone it may take back; None: it
    comes now.
    """

    id: str
    by: str
    seconds: float
    until: str
    args: Any
    synced: bool = True
    others: bool = True
    knew: Collection[Key] | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """What every request carries."""
        return {"id": self.id, "by": self.by, "remaining_s": self.seconds}


def stays() -> None:
    """Of a command that is not taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a command answers once it is saved. back: takes back what it did, where it can't be. unsaved: what the
    sender has to know of one that stays all the same."""

    text: str
    back: Callable[[], None] = stays
    unsaved: str = "nothing was done"


PAYLOAD_MAX = 8192
"""Bytes of a command."""
SCHEDULE_MAX = 32_768
"""Bytes of one that carries a schedule: 288 intervals as planners write them."""


def as_given(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a command whose fields are its arguments."""
    return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """relaxing: it may let more power through, so it waits for a clock that can be believed; without `waits` it is
    refused until then, since it is a word on what somebody sees now.

    saved: it changes something that must survive a restart. arms: over MQTT it needs a principal that may arm, or one
    whose list names it. says: what it does, for the table of docs/interfaces.md. verb: behind `derctl`, an example
    where a verb of its own sends it; `derctl command` sends any. may: the roles whose command it is. whole: it tells
    of the whole site although it saves nothing, so it is none for who may command some DERs alone. plain: makes of
    the fields as they came those that `args` has, before its sender's rights are looked at; raises CommandError.
    payload_max: bytes. apart: the socket's call of this name answers each DER by itself (commands/calls.py), for the
    verb of its own.
    """

    args: type[msgspec.Struct]
    apply: Callable[[Reach, Order], Awaitable[Done]]
    relaxing: bool
    says: str
    saved: bool = True
    arms: bool = False
    waits: bool = True
    verb: str = ""
    may: frozenset[Role] = OPERATORS
    whole: bool = False
    plain: Callable[[Mapping[str, Any]], Mapping[str, Any]] = as_given
    payload_max: int = PAYLOAD_MAX
    apart: bool = False


async def saved(reach: Reach, done: Done) -> str:
    """The answer, once what was answered is on disk. Raises CommandError where it can't be: then it is taken back."""
    try:
        await reach.save()
    except OSError as error:
        done.back()
        text = f"can't be saved ({error_text(error)}): {done.unsaved}"
        raise CommandError(Refusal.NOT_SAVED, text) from error
    return done.text


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


def acknowledged(reach: Reach, der: str | None) -> tuple[str, Callable[[], None]]:
    """The new firmware of a DER (None: of all) is relied on: what to say, "" where none is new, and what takes it
    back."""
    before = reach.known.acknowledge(der)
    text = ", ".join(f"{name}: firmware {each.newer} is relied on" for name, each in before.items())
    return text, lambda: reach.known.of.update(before)
