"""What a device measures: the last reading that can be believed, whether it stands still, what its claim is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Registers
from derctl.core.types import Rating, Reading, Setpoint
from derctl.core.value import replace
from derctl.daemon.channel.claim import Claim, counts, profile_of, weighed
from derctl.daemon.channel.expected import Expected
from derctl.daemon.channel.sight import Decoded, Sight, decoded, sight
from derctl.daemon.channel.steady import Steady
from derctl.daemon.channel.stillness import Stillness, observe, stands_still
from derctl.devices import Device, Profile
from derctl.devices.sunspec.limits import BLOCK


@dataclass(slots=True)
class Measured:
    """read_s, sample: when `reading` came, and which it is. control: the registers of the last fast poll; changes: in
    how many of them any was another. still: of the device, battery: of the one in its chain.

    habits: the profile that it is taken by: the site file's, or of a device that was found its own.
    claim: what its read-back is worth; where that is nothing, `reading.accepted` is None.
    """

    expected: Expected
    reading: Reading = field(default_factory=Reading)
    read_s: float = -1e9
    sample: int = 0
    changes: int = 0
    control: Mapping[str, Registers] = field(default_factory=dict)
    steady: Steady = field(default_factory=Steady)
    still: Stillness = field(default_factory=Stillness)
    battery: Stillness = field(default_factory=Stillness)
    claim: Claim = field(default_factory=Claim)
    habits: Profile = field(init=False)
    _said: Decoded | None = None

    def __post_init__(self) -> None:
        self.habits = self.expected.options.profile

    @property
    def profile(self) -> Profile:
        """Its profile, by what it has shown."""
        return profile_of(self.claim, self.habits)

    def believed(self, accepted: Setpoint | None) -> Setpoint | None:
        """What it reads back, where that says anything."""
        return accepted if counts(self.claim, self.habits) else None

    def take(
        self, device: Device, answers: Mapping[str, Registers], now_s: float, soc_s: float | None = None
    ) -> Sight:
        """Keep what can be believed of these answers."""
        self.habits = device.habits.profile
        self._said = said = decoded(self._said, device, answers)
        expected = self.expected
        doubt = None if self.steady.fits else expected.doubts(device, said.seen)
        seen = sight(self.steady, said, expected.options, doubt, now_s, soc_s)
        self.steady, self.reading = seen.steady, seen.reading
        self.read_s = now_s
        self.sample += 1
        return seen

    def polled(self, fresh: Mapping[str, Registers]) -> None:
        """The registers of a fast poll that was taken."""
        if fresh != self.control:
            self.control, self.changes = fresh, self.changes + 1

    def still_s(self, fresh: Mapping[str, Registers], rating: Rating) -> float | None:
        """For how long the device has been frozen, by the registers of the poll that was taken; None: it isn't."""
        now_s = self.read_s
        self.still = observe(self.still, next(iter(fresh.values())), self.reading.energy_wh, now_s)
        if BLOCK in fresh:
            self.battery = observe(self.battery, fresh[BLOCK], None, now_s)
        refresh_s = self.habits.refresh_s
        return (
            now_s - self.still.since_s if stands_still(self.still, self.reading, rating, refresh_s, now_s) else None
        )

    def weigh(self, rating: Rating, before_s: float, *, steers: bool, moves: bool) -> None:
        """Registers that stand still contradict nothing. What is no claim goes no further.

        steers: whether it can be told anything. moves: whether what it measures counts. before_s: when the reading
        before came.
        """
        mute = steers and self.reading.accepted is None
        if mute is not self.claim.mute:
            self.claim = replace(self.claim, mute=mute)
        if moves:
            self.claim = weighed(self.claim, self.reading, rating, self.habits, self.read_s, before_s=before_s)
        if self.reading.accepted is not None and self.believed(self.reading.accepted) is None:
            self.reading = replace(self.reading, accepted=None)
