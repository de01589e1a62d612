"""Whether setpoints may leave the daemon: a table of what was asked for, and what stands against it. Pure."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from derctl.core.dataclass import dataclass
from derctl.core.value import replace
from derctl.core.words import Mode, Refusal
from derctl.site.absence import Absence, beside


class Arm(StrEnum):
    """looking: started with --observe, and nothing ever leaves. watching: not armed. held: armed, but
    something stands against it. controlling: armed, and setpoints leave."""

    LOOKING = "looking"
    WATCHING = "watching"
    HELD = "held"
    CONTROLLING = "controlling"


class Said(StrEnum):
    """arm and disarm come from the site file or an operator; holds and breaks are the tick's look at the contract
    without derctl, and late the one at the buses."""

    ARM = "arm"
    DISARM = "disarm"
    HOLDS = "holds"
    BREAKS = "breaks"
    LATE = "late"


TABLE: dict[tuple[Arm, Said], Arm] = {
    **{(Arm.LOOKING, said): Arm.LOOKING for said in Said},
    (Arm.WATCHING, Said.ARM): Arm.HELD,
    (Arm.WATCHING, Said.DISARM): Arm.WATCHING,
    (Arm.WATCHING, Said.HOLDS): Arm.WATCHING,
    (Arm.WATCHING, Said.BREAKS): Arm.WATCHING,
    (Arm.WATCHING, Said.LATE): Arm.WATCHING,
    (Arm.HELD, Said.ARM): Arm.HELD,
    (Arm.HELD, Said.DISARM): Arm.WATCHING,
    (Arm.HELD, Said.HOLDS): Arm.CONTROLLING,
    (Arm.HELD, Said.BREAKS): Arm.HELD,
    (Arm.HELD, Said.LATE): Arm.HELD,
    (Arm.CONTROLLING, Said.ARM): Arm.CONTROLLING,
    (Arm.CONTROLLING, Said.DISARM): Arm.WATCHING,
    (Arm.CONTROLLING, Said.HOLDS): Arm.CONTROLLING,
    (Arm.CONTROLLING, Said.BREAKS): Arm.CONTROLLING,
    (Arm.CONTROLLING, Said.LATE): Arm.HELD,
}
"""Arming takes effect with the next tick that finds nothing against it; disarming at once.

Control that has begun ends by a word: to let go of the others since one was lost would be just what it is lost for,
and a release may break the contract by itself. Or where a bus turns out too slow for it, and the contract holds
without derctl: what is read there would be too old to act on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arming:
    """asked: whether control was asked for last, also of a daemon that only looks. by: who asked, None: the site
    file. since: when, as text. file: the site file's mode when that was said; another one is a later word. unsaved:
    why nothing can be saved, trial: what is tried out with a DER now; both keep control from beginning."""

    state: Arm = Arm.WATCHING
    asked: bool = False
    by: str | None = None
    since: str | None = None
    file: Mode | None = None
    unsaved: str | None = None
    trial: str = ""
    absence: Absence = field(default_factory=Absence)

    @property
    def armed(self) -> bool:
        """Whether control was asked for, and of one that may."""
        return self.state in {Arm.HELD, Arm.CONTROLLING}

    @property
    def open(self) -> bool:
        """Whether setpoints leave."""
        return self.state is Arm.CONTROLLING

    @property
    def mode(self) -> Mode:
        return Mode.CONTROL if self.open else Mode.OBSERVE

    @property
    def reason(self) -> str | None:
        """Why setpoints don't leave, None while they do."""
        if self.state is Arm.LOOKING:
            return "started with --observe"
        if not self.armed:
            return "not armed"
        if self.trial:
            return f"{Refusal.NOT_READY}: {self.trial}"
        if self.unsaved is not None:
            return f"{Refusal.NOT_SAVED}: {self.unsaved}"
        objection = self.absence.objection
        return None if objection is None else f"{objection[0]}: {objection[1]}"


def told(arming: Arming, said: Said, *, by: str | None = None, since: str | None = None) -> Arming:
    """After a word of an operator; by None: of the site file."""
    return replace(arming, state=TABLE[arming.state, said], asked=said is Said.ARM, by=by, since=since)


def filed(arming: Arming, mode: Mode) -> Arming:
    """After a look at the site file: its mode is a word where it isn't the one that the last word was given under."""
    if mode is arming.file:
        return arming
    return told(replace(arming, file=mode), Said.ARM if mode is Mode.CONTROL else Said.DISARM)


def seen(arming: Arming, absence: Absence, *, resumed: bool = False) -> Arming:
    """After the tick's look at what the site does without derctl. resumed: control had begun under the same agreement
    before a restart, so that a device which another one replaced meanwhile keeps nobody else from it."""
    if absence is arming.absence and arming.state is not Arm.HELD:
        return arming
    objection = absence.objection
    late = objection is not None and objection[0] is Refusal.BUS_TOO_SLOW
    holds = objection is None or (resumed and absence.held and beside(absence) is None)
    said = Said.LATE if late else Said.HOLDS if holds else Said.BREAKS
    state = TABLE[arming.state, said]
    if state is arming.state and absence is arming.absence:
        return arming
    return replace(arming, state=state, absence=absence)
