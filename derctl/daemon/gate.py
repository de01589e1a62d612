"""The gate that setpoints pass: carries the state of arming, and says when it opens or closes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from derctl.core.words import Mode, Refusal
from derctl.daemon.arming import Arm, Arming, Said, seen, told
from derctl.errors import CommandError
from derctl.site.absence import Absence


@dataclass(slots=True)
class Gate:
    """absence: what the site does without derctl, as far as it is known now. on_change: it has opened or closed.

    on_broken: while it is open, what it opened under holds no more, and why. agreed: what control began under last,
    before a restart too.
    """

    absence: Callable[[], Absence]
    on_change: Callable[[], None]
    stamp: Callable[[], str]
    arming: Arming = field(default_factory=Arming)
    on_broken: Callable[[str], None] = lambda text: None
    agreed: str | None = None

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
        resumed = before.state is Arm.HELD and self.agreed == absence.agreement
        self._become(seen(before, absence, resumed=resumed))
        if self.open and self.arming is not before:
            self.agreed = absence.agreement
            self._say_broken(before.absence if before.open else None, absence)
        return self.open

    def _say_broken(self, before: Absence | None, now: Absence) -> None:
        known = None if before is None else before.objection
        if now.objection is not None and now.objection != known:
            self.on_broken(now.objection[1])

    def arm(self, by: str) -> None:
        """An operator's word; control begins with the next tick. Raises CommandError with what stands against it."""
        if self.arming.state is Arm.LOOKING:
            raise CommandError(Refusal.NOT_READY, "the daemon runs with --observe")
        objection = self.absence().objection
        if objection is not None:
            raise CommandError(*objection)
        self._become(told(self.arming, Said.ARM, by=by, since=self.stamp()))

    def disarm(self, by: str) -> None:
        """An operator's word: from now on nothing but releases is written."""
        self._become(told(self.arming, Said.DISARM, by=by, since=self.stamp()))

    def file_says(self, mode: Mode) -> None:
        """The site file's mode has changed while derctl runs: that is the last word then."""
        self._become(told(self.arming, Said.ARM if mode is Mode.CONTROL else Said.DISARM))

    def _become(self, arming: Arming) -> None:
        before, self.arming = self.arming, arming
        if before.open != arming.open:
            self.on_change()
