"""What a device is told to do without derctl, and how far it is known to keep that."""

from __future__ import annotations

from collections.abc import Callable

from derctl.core.dataclass import dataclass
from derctl.core.types import Fallback
from derctl.core.value import replace
from derctl.core.words import FallbackBy, Promise, Timer
from derctl.daemon.actuate.account import Account
from derctl.daemon.channel.channel import Channel


@dataclass(slots=True)
class Promised:
    """fallback: as the site file declares it. found_w: somebody's limit that stood in the device and has to be kept,
    with and without derctl; None: none."""

    channel: Channel
    account: Account
    fallback: Fallback
    found_w: Callable[[], float | None] = lambda: None

    @property
    def told(self) -> Fallback:
        """Never more than the limit that was found in it. Where its own timer would let go of every limit it gets
        none: the last one stands."""
        found_w, ceiling_w = self.found_w(), self.fallback.p_ceiling_w
        if found_w is None:
            return self.fallback
        ceiling_w = found_w if ceiling_w is None else min(found_w, ceiling_w)
        device = self.channel.device
        forgets = device is not None and device.reversion.timer is Timer.NO_TARGET
        return replace(self.fallback, p_ceiling_w=ceiling_w, by=FallbackBy.STANDS if forgets else self.fallback.by)

    @property
    def kept(self) -> Promise:
        """How far its device is known to keep it."""
        written, device, channel = self.account.hold.written, self.channel.device, self.channel
        if written is None or device is None or written.refusals:
            return Promise.UNPROVEN
        seen = channel.measured.read_s > written.at_s
        return Promise.READ_BACK if seen and device.promises(channel.answers.words, self.told) else Promise.WRITTEN

    @property
    def proven(self) -> bool:
        """Whether that is as much as can be known of such a device."""
        kept, blind = self.kept, self.channel.measured.profile.readback == "effect_only"
        return kept is Promise.READ_BACK or (blind and kept is Promise.WRITTEN)
