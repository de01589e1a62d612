"""What speaks against a connection, and when the next one is tried. Pure."""

from __future__ import annotations

from derctl.core.value import replace, value

GIVE_UP_AFTER = 3
"""Silences in a row, over all units, after which the connection itself is in doubt and is made anew."""
PATIENT_EVERY = 4
GIVE_UP_PATIENT = 12
"""Of connections without an answer one in so many is kept for more silences: who is very late is heard there."""
CONNECT_GAP_S = 1.0
CONNECT_TRIES = 60
"""Connects in a row, one a second, before the back-off begins: a device restarts in less than a minute or so. A wire
has one client, so there is nobody to keep out of step with."""


@value
class Doubt:
    """silences: requests in a row without an answer, on this connection. heard: whether any unit ever answered.

    tries: connects since the last answer. tried_s: when the last one began.
    """

    silences: int = 0
    heard: bool = False
    tries: int = 0
    tried_s: float = -1e9

    @property
    def given_up(self) -> bool:
        """Whether the connection is to be made anew."""
        return self.silences >= (GIVE_UP_PATIENT if self._patient else GIVE_UP_AFTER)

    @property
    def _patient(self) -> bool:
        """Not where somebody answered in time lately: a device that restarts is to be reached at once."""
        return (self.tries > CONNECT_TRIES or not self.heard) and self.tries % PATIENT_EVERY == 2


def tried(doubt: Doubt, now_s: float) -> Doubt:
    """A connect begins."""
    return replace(doubt, tries=doubt.tries + 1, tried_s=now_s)


def renewed(doubt: Doubt) -> Doubt:
    """A connection is up. That alone proves nothing."""
    return replace(doubt, silences=0)


def answered(doubt: Doubt) -> Doubt:
    """Somebody answered. Nothing is made anew for each answer of a usual connection."""
    if doubt.heard and not doubt.silences and not doubt.tries:
        return doubt
    return replace(doubt, heard=True, silences=0, tries=0)


def silent(doubt: Doubt) -> Doubt:
    """A request had no answer."""
    return replace(doubt, silences=doubt.silences + 1)


def next_s(doubt: Doubt, most_s: float) -> float:
    """When the next connect is due. most_s: between two connects."""
    more = max(doubt.tries - CONNECT_TRIES, 0)
    return doubt.tried_s + max(CONNECT_GAP_S, min(most_s, CONNECT_GAP_S * 2.0 ** min(more, 16)))
