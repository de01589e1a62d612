"""What the daemon says of itself: to systemd, and in the retained word that others read when they connect."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping

from derctl import __version__
from derctl.core.dataclass import dataclass
from derctl.core.words import Bind
from derctl.daemon.arming import Arming
from derctl.daemon.channel.channel import Channel
from derctl.daemon.clock import Clock
from derctl.daemon.news import News
from derctl.daemon.report.telemetry import encode
from derctl.links.notify import Notifier
from derctl.store.outbox import Message

WATCHDOG_MIN_S = 15.0
WATCHDOG_TICKS = 1.5
"""After so long without a tick systemd ends the daemon: so many ticks, at least WATCHDOG_MIN_S. The unit's own time
is that of the longest tick, since it knows none."""
FREEZE_GC_TICK = 10
"""What lives by then lives for ever: the collector need not look at it again."""
COLLECT_AFTER = (20_000, 20, 100)
"""From then on it looks when so many objects more than before are alive: nearly all of a tick's go without it."""


@dataclass(slots=True)
class Presence:
    """put: takes what goes to the broker, if there is one. arming: as it is now."""

    notifier: Notifier
    news: News
    put: Callable[[Message], None]
    clock: Clock
    arming: Callable[[], Arming]
    channels: Mapping[str, Channel]
    tick_s: float

    def mode_changed(self) -> None:
        """Control has begun or ended."""
        arming = self.arming()
        who = f"by {arming.by or 'the site file'}"
        self.news.tell("mode_control" if arming.open else "mode_observe", "", arming.reason or who)
        self.notifier.send(f"STATUS={self.line()}")
        self.put(Message(topic="online", payload=self.hello(), qos=1, retain=True))

    def vouch(self, ticks: int) -> None:
        """A tick and its dispatch are done: only now systemd hears of it."""
        if ticks == 1:
            self.notifier.send("READY=1", f"STATUS={self.line()}", self._patience())
        if ticks == FREEZE_GC_TICK:
            gc.collect()
            gc.freeze()
            gc.set_threshold(*COLLECT_AFTER)
        self.notifier.send("WATCHDOG=1")

    def _patience(self) -> str:
        """sd_notify(3): resets WatchdogSec."""
        return f"WATCHDOG_USEC={round(1e6 * max(WATCHDOG_MIN_S, WATCHDOG_TICKS * self.tick_s))}"

    def takes(self, channels: Mapping[str, Channel], tick_s: float) -> None:
        """The site file was read again."""
        self.channels, self.tick_s = channels, tick_s
        self.notifier.send(self._patience())

    def ending(self) -> None:
        """From here on releases only."""
        self.notifier.send("STOPPING=1")

    def line(self) -> str:
        """For `systemctl status`."""
        arming = self.arming()
        mode = "controlling" if arming.open else f"observing ({arming.reason})"
        ok = sum(channel.state is Bind.OK for channel in self.channels.values())
        return f"{mode}, {ok} of {len(self.channels)} DERs answer"

    def hello(self) -> bytes:
        """The payload of `online`."""
        return encode(
            {
                "online": True,
                "t": self.clock.stamp(),
                "synced": self.clock.synced,
                "version": __version__,
                "mode": self.arming().mode,
                "tick_s": self.tick_s,
            }
        )
