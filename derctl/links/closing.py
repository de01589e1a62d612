"""Whether a device closes the connection after each answer, as some gateways do. Pure: what the bus makes of it."""

from __future__ import annotations

from derctl.core.value import replace, value

BRIEF_S = 5.0
"""A connection that the device ends sooner, after an answer, was ended by habit and not by a fault."""
HABIT_AFTER = 2
"""Such connections in a row that make a habit: one may be a device that is restarted."""
LOOK_AGAIN_S = 60.0
"""How often who answers there is asked anew, and whether it still has the habit."""


@value
class Closing:
    """brief: connections in a row that the device ended soon after an answer. looked_s: when who answers was last in
    question. spared: the connection before ended without an answer, as by a reset that overtakes it.

    since_s, asked, answered: of the present connection, when it came up, and whether it had a request and an answer.
    resting: closed until the next request, by habit.
    """

    brief: int = 0
    resting: bool = False
    asked: bool = False
    answered: bool = False
    spared: bool = False
    since_s: float = -1e9
    looked_s: float = -1e9

    @property
    def habit(self) -> bool:
        """Each request gets a connection of its own."""
        return self.brief >= HABIT_AFTER


def connected(closing: Closing, now_s: float) -> Closing:
    """A connection that may lead to another device."""
    return replace(closing, asked=False, answered=False, since_s=now_s, looked_s=now_s)


def rejoined(closing: Closing, now_s: float) -> Closing:
    """Another connection to the same device. Once in LOOK_AGAIN_S the habit has to be shown again."""
    if due(closing, now_s):
        return replace(connected(closing, now_s), brief=HABIT_AFTER - 1)
    return replace(closing, asked=False, answered=False, since_s=now_s)


def due(closing: Closing, now_s: float) -> bool:
    """Whether who answers there is in question again."""
    return now_s - closing.looked_s >= LOOK_AGAIN_S


def asked(closing: Closing) -> Closing:
    """A request is being sent."""
    return closing if closing.asked else replace(closing, asked=True)


def answered(closing: Closing, now_s: float) -> Closing:
    """An answer came. A connection that lives on is no habit. Nothing is made anew for each answer of a usual one."""
    if closing.answered and not closing.brief:
        return closing
    brief = closing.brief if now_s - closing.since_s < BRIEF_S else 0
    resting = closing.resting or brief >= HABIT_AFTER
    return replace(closing, answered=True, spared=False, brief=brief, resting=resting)


def ended(closing: Closing, now_s: float) -> Closing:
    """The device ended the connection. One that nobody used shows a habit that one before it has shown already."""
    if not closing.asked and closing.brief:
        return replace(closing, brief=max(closing.brief, HABIT_AFTER), resting=True)
    soon = now_s - closing.since_s < BRIEF_S
    if closing.habit and soon and not closing.answered and not closing.spared:
        return replace(closing, spared=True, resting=True)
    brief = closing.brief + 1 if closing.answered and soon else 0
    return replace(closing, brief=brief, answered=False, resting=brief >= HABIT_AFTER)


def woken(closing: Closing) -> Closing:
    """It rests no longer: it is joined again, or given up."""
    return replace(closing, resting=False) if closing.resting else closing
