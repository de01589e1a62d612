"""What the daemon says of itself as its mode changes: the retained word, the event, and systemd's line."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from derctl.core.words import Bind
from derctl.daemon.arming import Arming
from derctl.daemon.clock import Clock
from derctl.daemon.gate import Gate
from derctl.daemon.log import logger
from derctl.daemon.news import News
from derctl.daemon.presence import Presence
from derctl.site.absence import Absence
from derctl.store.outbox import Outbox

WALL = 1_800_000_000.0


class Systemd:
    """Keeps what it was notified of."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def send(self, *lines: str) -> None:
        self.lines += lines


class Daemon:
    """A gate, and what it says of itself. Two DERs; the second doesn't answer."""

    def __init__(self, *, sync: str = "assume", broker: bool = True) -> None:
        self.systemd, self.outbox = Systemd(), Outbox()
        clock = Clock(sync, lambda: WALL)
        self.news = News(logger(), clock.stamp)
        channels = {name: SimpleNamespace(state=state) for name, state in (("a", Bind.OK), ("b", Bind.UNREACHABLE))}
        self.presence = Presence(
            notifier=cast(Any, self.systemd),
            news=self.news,
            put=self.outbox.put if broker else lambda message: None,
            clock=clock,
            arming=self._arming,
            channels=cast(Any, channels),
            tick_s=0.5,
        )
        self.gate = Gate(absence=Absence, on_change=self.presence.mode_changed, stamp=clock.stamp, arming=Arming())

    def _arming(self) -> Arming:
        return self.gate.arming

    @property
    def retained(self) -> str | None:
        """The mode that goes out as the retained word, to arrive for certain."""
        assert not self.outbox.ordered
        message = self.outbox.latest.get("online")
        if message is None:
            return None
        assert (message.qos, message.retain) == (1, True)
        return str(json.loads(message.payload)["mode"])


def test_the_retained_word_follows_the_mode_and_nothing_else() -> None:
    daemon = Daemon()
    daemon.gate.arm("anna")
    assert daemon.retained is None, "armed is not yet control"
    daemon.gate.evaluate()
    assert daemon.retained == "control"
    daemon.outbox.sent(daemon.outbox.latest["online"])
    for _ in range(3):
        daemon.gate.evaluate()
    assert daemon.retained is None
    for _ in range(2):
        daemon.gate.disarm("anna")
    assert daemon.retained == "observe"


def test_a_broker_that_was_away_hears_of_the_mode_that_is_and_of_none_that_was() -> None:
    daemon = Daemon()
    for _ in range(3):
        daemon.gate.arm("anna")
        daemon.gate.evaluate()
        daemon.gate.disarm("anna")
    assert daemon.retained == "observe"


def test_each_change_is_an_event_with_its_reason_and_a_line_for_systemd() -> None:
    daemon = Daemon()
    daemon.gate.arm("anna")
    daemon.gate.evaluate()
    daemon.gate.disarm("anna")
    told = [(event["event"], event["text"]) for event in daemon.news.events]
    assert told == [("mode_control", "by anna"), ("mode_observe", "not armed")]
    assert daemon.systemd.lines == [
        "STATUS=controlling, 1 of 2 DERs answer",
        "STATUS=observing (not armed), 1 of 2 DERs answer",
    ]


def test_who_armed_and_who_disarmed_is_known_and_when() -> None:
    daemon = Daemon()
    for word, by in ((daemon.gate.arm, "anna"), (daemon.gate.disarm, "ben")):
        word(by)
        assert (daemon.gate.arming.by, daemon.gate.arming.since) == (by, "2027-01-15T08:00:00.000Z")


def test_armed_and_held_is_observing_for_systemd() -> None:
    daemon = Daemon()
    daemon.gate.arm("anna")
    assert daemon.presence.line().startswith("observing (")


def test_a_site_without_a_broker_tells_the_others() -> None:
    daemon = Daemon(broker=False)
    daemon.gate.arm("anna")
    daemon.gate.evaluate()
    assert not daemon.outbox.ordered and not daemon.outbox.latest
    assert len(daemon.news.events) == len(daemon.systemd.lines) == 1


@pytest.mark.parametrize(("sync", "synced"), [("assume", True), ("/nonexistent/synced", False)])
def test_the_retained_word_says_whether_its_time_can_be_believed(sync: str, synced: bool) -> None:
    hello = json.loads(Daemon(sync=sync).presence.hello())
    version = hello.pop("version")
    assert version
    t = "2027-01-15T08:00:00.000Z"
    assert hello == {"online": True, "t": t, "synced": synced, "mode": "observe", "tick_s": 0.5}


def test_systemd_hears_once_that_the_daemon_is_ready_and_after_every_tick_that_it_lives() -> None:
    daemon = Daemon()
    for tick in (1, 2, 3):
        daemon.presence.vouch(tick)
    daemon.presence.ending()
    ready = ["READY=1", "STATUS=observing (not armed), 1 of 2 DERs answer"]
    assert daemon.systemd.lines == [*ready, "WATCHDOG_USEC=15000000", *["WATCHDOG=1"] * 3, "STOPPING=1"]


@pytest.mark.parametrize(
    ("tick_s", "microseconds"), [(0.1, 15_000_000), (1.0, 15_000_000), (30.0, 45_000_000), (60.0, 90_000_000)]
)
def test_systemd_s_patience_fits_the_tick(tick_s: float, microseconds: int) -> None:
    """sd_notify(3): WATCHDOG_USEC; at the start, and where the site file has another tick."""
    daemon = Daemon()
    daemon.presence.tick_s = tick_s
    daemon.presence.vouch(1)
    daemon.presence.vouch(2)
    said = f"WATCHDOG_USEC={microseconds}"
    assert daemon.systemd.lines.count(said) == 1
    assert daemon.systemd.lines.index("READY=1") < daemon.systemd.lines.index(said)
    daemon.presence.takes(daemon.presence.channels, tick_s)
    assert daemon.systemd.lines.count(said) == 2
