"""The gate that setpoints pass: carries the state of arming, and says when it opens or closes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.value import replace
from derctl.core.words import Mode, Refusal
from derctl.daemon.arming import Arm, Arming, Said, filed, seen, told
from derctl.daemon.picture import AGAIN, Offer, Picture, lines
from derctl.errors import CommandError
from derctl.site.absence import Absence, agreement


@dataclass(slots=True)
class Gate:
    """absence: what the site does without derctl, as far as it is known now. on_change: it has opened or closed.

    picture: what arming would write now. offer: the last that was shown.

    unsaved: why nothing can be saved now: then control does not begin.

    on_word: an operator's word was taken: its event, and who said it and what was shown to him.

    on_broken: while it is open, what it opened under holds no more, and why. agreed: what control began under last,
    before a restart too. disarms: how often it was disarmed, for an arm that took its time. trial: what is tried out
    with a DER now, "": nothing. heard: takes each change of arming, before and after.
    """

    absence: Callable[[], Absence]
    on_change: Callable[[], None]
    stamp: Callable[[], str]
    arming: Arming = field(default_factory=Arming)
    picture: Callable[[], Picture] = Picture
    clock: Callable[[], float] = time.monotonic
    offer: Offer | None = None
    on_word: Callable[[str, str], None] = lambda event, text: None
    on_broken: Callable[[str], None] = lambda text: None
    agreed: str | None = None
    unsaved: Callable[[], str | None] = lambda: None
    disarms: int = 0
    trial: str = ""
    heard: Callable[[Arming, Arming], None] = lambda before, now: None

    @property
    def open(self) -> bool:
        return self.arming.open

    @property
    def warning(self) -> str | None:
        """What does not stand against control, and should be mended."""
        return self.absence().warning

    def evaluate(self) -> bool:
        """Once a tick: whether setpoints may leave."""
        absence, before = self.absence(), self.arming
        if before.state is Arm.WATCHING:
            self.agreed = None
        if self.trial:
            self._become(replace(before, absence=absence, trial=self.trial))
            return self.open
        before = replace(before, trial="") if before.trial else before
        unsaved = self.unsaved() if before.state is Arm.HELD else None
        if unsaved is not None:
            self._become(replace(before, absence=absence, unsaved=unsaved))
            return False
        resumed = before.state is Arm.HELD and self.agreed == agreement(absence)
        before = before if before.unsaved is None else replace(before, unsaved=None)
        self._become(seen(before, absence, resumed=resumed))
        if self.open and self.arming is not before:
            self.agreed = agreement(absence)
            self._say_broken(before.absence if before.open else None, absence)
        return self.open

    def _say_broken(self, before: Absence | None, now: Absence) -> None:
        known = None if before is None else before.objection
        if now.objection is not None and now.objection != known and now.objection[0] is not Refusal.UNPROVEN:
            self.on_broken(now.objection[1])

    def ask(self, by: str, confirm: str | None, also: Sequence[str] = ()) -> None:
        """An operator's word, which has to come twice: the first shows what would be written and does nothing. also:
        what is shown beside.

        Raises CommandError, with the picture where a second word would do it.
        """
        if self.trial:
            raise CommandError(Refusal.NOT_READY, f"{self.trial}: wait for its end, or end it where it was begun")
        if self.arming.armed or self.arming.state is Arm.LOOKING:
            self.arm(by)
            return
        now_s, picture = self.clock(), self.picture()
        shown = [*lines(picture), *([] if self.warning is None else [f"! {self.warning}"]), *also]
        objection = self.absence().objection
        if objection is not None:
            raise CommandError(objection[0], "\n".join((objection[1], *shown)))
        if self.offer is not None and self.offer.stands(by, confirm, picture, now_s):
            self.offer = None
            self.arm(by, lines(picture))
            return
        self.offer = Offer(token=secrets.token_hex(4), by=by, at_s=now_s, picture=picture)
        raise CommandError(Refusal.UNCONFIRMED, "\n".join((*shown, AGAIN)), confirm=self.offer.token)

    def arm(self, by: str, shown: Sequence[str] = ()) -> None:
        """An operator's word; control begins with the next tick. shown: what it will write, as he agreed to. Raises
        CommandError with what stands against it."""
        if self.arming.state is Arm.LOOKING:
            raise CommandError(Refusal.NOT_READY, "the daemon runs with --observe")
        objection = self.absence().objection
        if objection is not None:
            raise CommandError(*objection)
        before = self.arming
        self._become(told(before, Said.ARM, by=by, since=self.stamp()))
        if not before.armed:
            self.on_word("armed", "; ".join((f"by {by}", *shown)))

    def disarm(self, by: str) -> None:
        """An operator's word: from now on nothing but releases is written."""
        self.disarms += 1
        before = self.arming
        self._become(told(before, Said.DISARM, by=by, since=self.stamp()))
        if before.armed:
            self.on_word("disarmed", f"by {by}")

    def undo(self, before: Arming) -> Callable[[], None]:
        """What takes back an arm that was not there before."""

        def back() -> None:
            if self.arming.armed and not before.armed:
                by = self.arming.by
                self._become(replace(told(self.arming, Said.DISARM), by=before.by, since=before.since))
                self.on_word("disarmed", f"what {by} said is taken back, since it could not be saved")

        return back

    def file_says(self, mode: Mode) -> None:
        """The site file was read: its mode counts where it has changed since the last word."""
        self._become(filed(self.arming, mode))

    def _become(self, arming: Arming) -> None:
        before, self.arming = self.arming, arming
        if arming is not before:
            self.heard(before, arming)
        if before.open != arming.open:
            self.on_change()
