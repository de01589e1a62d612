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
    """absence: what the site does without derctl, as far as it is known now. on_change: it has opened or closed."""

    absence: Callable[[], Absence]
    on_change: Callable[[], None]
    stamp: Callable[[], str]
    arming: Arming = field(default_factory=Arming)

    @property
    def open(self) -> bool:
        return self.arming.open

    def evaluate(self) -> bool:
        """Once a tick: whether setpoints may leave."""
        self._become(seen(self.arming, self.absence()))
        return self.open

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
