"""How sessions with a broker went, and how long to wait for the next. Pure: a state, and what each end makes of it.

Success counts when a session has lasted, not when it begins.
"""

from __future__ import annotations

from derctl.core.dataclass import dataclass
from derctl.core.value import replace

BACKOFF_S = (1.0, 15.0)
TAKEN_OVER_S = 60.0
TAKEN_OVER_MAX_S = 300.0
"""How long another client with this site's name is left alone, the first time and at most: two that take turns
disturb each other for ever."""
BRIEF_S = 20.0
"""A session that ends sooner has not lasted. Longer than a pause of BACKOFF_S, in which another client holds it."""
BRIEFLY = 3
"""Such sessions in a row, each ended without a word: the broker lives and throws us out."""
STEADY_S = 900.0
"""A session that lasts so long has outlasted each pause of another client with the same name."""
ANOTHER = "each session is closed soon: another client may use this site's id on the broker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """failed: tries in a row without a session that lasted. brief: sessions in a row that didn't.

    contested: how often another client has taken the session since one was steady.
    """

    failed: int = 0
    brief: int = 0
    contested: int = 0

    @property
    def doubtful(self) -> bool:
        """The next session has to last before it is told."""
        return bool(self.brief or self.contested)

    def taken(self, end: End) -> bool:
        """Whether the one that ended so was taken by another client, as far as is known."""
        return bool(self.contested) and (end.closed or end.taken_over)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a try ended. won: there was a session. closed: by the broker, without a word. taken_over: by another
    client, in the broker's words."""

    won: bool
    lasted_s: float = 0.0
    closed: bool = False
    taken_over: bool = False


def after(sessions: Sessions, end: End) -> Sessions:
    """What is known now."""
    failed = sessions.failed + 1
    if not end.won:
        return replace(sessions, failed=failed, brief=0)
    sessions = lasted(sessions, end.lasted_s)
    if end.taken_over or (end.closed and sessions.contested):
        return Sessions(failed=failed, contested=sessions.contested + 1)
    if end.lasted_s >= BRIEF_S:
        return replace(sessions, failed=0, brief=0)
    brief = sessions.brief + 1 if end.closed else 0
    if brief >= BRIEFLY:
        return Sessions(failed=failed, contested=1)
    return replace(sessions, failed=failed, brief=brief)


def lasted(sessions: Sessions, seconds: float) -> Sessions:
    """While a session is up."""
    enough_s = STEADY_S if sessions.contested else BRIEF_S
    return Sessions() if seconds >= enough_s else sessions


def pause_s(sessions: Sessions, end: End) -> tuple[float, float]:
    """The least pause before the next try, and how much of it chance may add."""
    if sessions.taken(end):
        least_s = min(TAKEN_OVER_S * 2.0 ** min(sessions.contested - 1, 10), TAKEN_OVER_MAX_S)
        return least_s, least_s
    return BACKOFF_S[0], min(BACKOFF_S[0] * 2.0 ** min(sessions.failed, 10), BACKOFF_S[1])


def lost_text(sessions: Sessions, end: End, text: str, wait_s: float) -> str:
    """What a person is told of an end. text: its own words. wait_s: the pause until the next try."""
    if sessions.taken(end):
        return f"{text if end.taken_over else ANOTHER}; next try in {wait_s:.0f} s"
    if sessions.brief:
        return f"{text} after {end.lasted_s:.0f} s: does another client use this site's id?"
    return text
