"""What a device measures: the last reading that can be believed, whether it stands still, what its claim is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from derctl.core.exchange import Registers
from derctl.core.types import Rating, Reading, Setpoint
from derctl.core.value import replace
from derctl.daemon.channel.claim import Claim, counts, profile_of, weighed
from derctl.daemon.channel.expected import Expected
from derctl.daemon.channel.sight import Sight, sight
from derctl.daemon.channel.steady import Steady
from derctl.daemon.channel.stillness import Stillness, observe, stands_still
from derctl.devices import Device, Profile
from derctl.devices.sunspec.limits import BLOCK


@dataclass(slots=True)
class Measured:
    """read_s, sample: when `reading` came, and which it is. still: of the device, battery: of the one in its chain.

    claim: what its read-back is worth; where that is nothing, `reading.accepted` is None.
    """

    expected: Expected
    reading: Reading = field(default_factory=Reading)
    read_s: float = -1e9
    sample: int = 0
    steady: Steady = field(default_factory=Steady)
    still: Stillness = field(default_factory=Stillness)
    battery: Stillness = field(default_factory=Stillness)
    claim: Claim = field(default_factory=Claim)

    @property
    def profile(self) -> Profile:
        """Its profile, by what it has shown."""
        return profile_of(self.claim, self.expected.options.profile)

    def believed(self, accepted: Setpoint | None) -> Setpoint | None:
        """What it reads back, where that says anything."""
        return accepted if counts(self.claim, self.expected.options.profile) else None

    def take(
        self, device: Device, answers: Mapping[str, Registers], now_s: float, soc_s: float | None = None
    ) -> Sight:
        """Keep what can be believed of these answers."""
        expected, read = self.expected, device.decode(answers)
        doubt = None if self.steady.fits else expected.doubts(device, read)
        seen = sight(self.steady, read, device, expected.options, doubt, now_s, soc_s)
        self.steady, self.reading = seen.steady, seen.reading
        self.read_s = now_s
        self.sample += 1
        return seen

    def still_s(self, fresh: Mapping[str, Registers], rating: Rating) -> float | None:
        """For how long the device has been frozen, by the registers of the poll that was taken; None: it isn't."""
        now_s = self.read_s
        self.still = observe(self.still, next(iter(fresh.values())), self.reading.energy_wh, now_s)
        if BLOCK in fresh:
            self.battery = observe(self.battery, fresh[BLOCK], None, now_s)
        refresh_s = self.expected.options.profile.refresh_s
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
            profile = self.expected.options.profile
            self.claim = weighed(self.claim, self.reading, rating, profile, self.read_s, before_s=before_s)
        if self.reading.accepted is not None and self.believed(self.reading.accepted) is None:
            self.reading = replace(self.reading, accepted=None)
