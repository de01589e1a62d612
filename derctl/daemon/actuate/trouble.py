"""What stands between a setpoint and its device: one code at a time, by a table. Pure."""

from __future__ import annotations

from enum import StrEnum

from derctl.core.value import replace, value
from derctl.core.words import Reason

LATE_AFTER = 3
"""Writes in a row that could not be sent in time before that is said aloud: one or two are a busy wire."""
IGNORED_AFTER = 3
"""Writes in a row that the device did not take over before that is said aloud."""


class Happened(StrEnum):
    """What a writer saw."""

    SENT = "sent"
    LATE = "late"
    SILENT = "silent"
    REFUSED = "refused"
    TAKEN = "taken"
    IGNORED = "ignored"
    CLIPPED = "clipped"
    QUIET = "quiet"
    HEARD = "heard"
    SPENT = "spent"
    AFFORDED = "afforded"
    CONTESTED = "contested"
    SETTLED = "settled"


SETS: dict[Happened, Reason | None] = {
    Happened.LATE: Reason.LATE,
    Happened.SILENT: Reason.UNREACHABLE,
    Happened.REFUSED: Reason.REFUSED,
    Happened.TAKEN: None,
    Happened.IGNORED: Reason.WRITE_IGNORED,
    Happened.CLIPPED: Reason.WRITE_CLIPPED,
    Happened.SPENT: Reason.WRITE_BUDGET,
    Happened.CONTESTED: Reason.CONTESTED,
}
"""The code after it, whatever was before."""

CLEARS: dict[Happened, frozenset[Reason]] = {
    Happened.SENT: frozenset({Reason.LATE}),
    Happened.QUIET: frozenset({Reason.LATE}),
    Happened.HEARD: frozenset({Reason.LATE, Reason.UNREACHABLE}),
    Happened.AFFORDED: frozenset({Reason.WRITE_BUDGET}),
    Happened.SETTLED: frozenset({Reason.CONTESTED}),
}
"""The codes that are gone after it; any other stays. quiet: nothing is due; heard: and polls are answered; afforded:
its memory bears what is wanted; settled: it reads back what was written, or gives more."""

SAYS: dict[Reason, str] = {
    Reason.LATE: "write_late",
    Reason.REFUSED: "write_refused",
    Reason.WRITE_IGNORED: "write_ignored",
    Reason.WRITE_CLIPPED: "write_clipped",
    Reason.WRITE_BUDGET: "write_budget",
    Reason.CONTESTED: "contested",
}
"""The event that tells people of a code, once as it comes."""
SAME = frozenset({Reason.WRITE_IGNORED, Reason.WRITE_CLIPPED})
"""One into the other is no news."""


@value
class Trouble:
    """code: what stands in the way, None: nothing. late: writes in a row that came too late."""

    code: Reason | None = None
    late: int = 0


def after(trouble: Trouble, happened: Happened) -> Trouble:
    """The table's next state."""
    if trouble.code is None and not trouble.late and happened in CLEARS:
        return trouble
    if happened is Happened.LATE:
        late = trouble.late + 1
        return Trouble(code=SETS[happened] if late >= LATE_AFTER else trouble.code, late=late)
    code = trouble.code
    if happened in SETS:
        code = SETS[happened]
    elif code in CLEARS[happened]:
        code = None
    return replace(trouble, code=code, late=0)


def rationed(trouble: Trouble, *, binds: bool) -> Happened | None:
    """Whether a day's writes keep the device from what is wanted is heard of where nothing else stands in the way."""
    if not binds:
        return Happened.AFFORDED if trouble.code is Reason.WRITE_BUDGET else None
    return Happened.SPENT if trouble.code is None else None


def news(before: Trouble, now: Trouble) -> str | None:
    """The name of the event that tells of a change for the worse, None where there is none to tell."""
    if now.code is None or now.code is before.code or {now.code, before.code} <= SAME:
        return None
    return SAYS.get(now.code)
