"""Answers of one unit that didn't come in time and may still come. Pure.

Nothing in an RTU answer says whose request it answers: every client library hands a late one to the next read. So
nothing is asked whose answer could be one that is still owed. A device answers in the order in which it was asked:
an answer that can only be the last request's settles all that was asked before it. A gateway may change that order:
what is settled is only presumed not to come.
"""

from __future__ import annotations

from derctl.core.exchange import Read
from derctl.core.value import replace, value
from derctl.links.wires.frames import Shape, shape_of

PROBES = (2, 1, 3, 4)
"""Registers of a read that is told by its length: a SunSpec model begins with two for themselves, ID and L."""
FORGOTTEN_S = 30.0
"""Nobody was seen to answer so late: 14 s were (wlcrs/huawei_solar PR#1360)."""


@value
class Missing:
    """An answer. asked_s: when it was asked for. since_s: when it was given up. presumed: that it will not come."""

    shape: Shape
    asked_s: float
    since_s: float
    presumed: bool = False


@value
class Owed:
    """The oldest first."""

    answers: tuple[Missing, ...] = ()


NONE = Owed()


def given_up(owed: Owed, shape: Shape, asked_s: float, now_s: float) -> Owed:
    """One more did not come."""
    fresh = tuple(each for each in owed.answers if now_s - each.since_s < FORGOTTEN_S)
    return replace(owed, answers=(*fresh, Missing(shape=shape, asked_s=asked_s, since_s=now_s)))


def of(owed: Owed, shape: Shape, now_s: float, *, presumed: bool = False) -> Missing | None:
    """The oldest that such an answer could be; a shape of one word is a refusal's, and fits any of its function.

    presumed: of those that are presumed not to come, else of the others.
    """
    for each in owed.answers:
        same = each.shape[0] == shape[0] & 0x7F if len(shape) == 1 else each.shape == shape
        if same and each.presumed is presumed and now_s - each.since_s < FORGOTTEN_S:
            return each
    return None


def came(owed: Owed, missing: Missing) -> Owed:
    """It came, late: with it all that was asked before it is settled."""
    at = owed.answers.index(missing)
    before = settled(replace(owed, answers=owed.answers[:at]))
    return replace(owed, answers=(*before.answers, *owed.answers[at + 1 :]))


def settled(owed: Owed) -> Owed:
    """A later request was answered: what is owed is presumed not to come."""
    return replace(owed, answers=tuple(replace(each, presumed=True) for each in owed.answers))


def held_s(owed: Owed, shape: Shape, now_s: float, drain_s: float) -> float:
    """For how long nothing with such an answer is asked yet: so long it is only listened for the one that is owed."""
    waits = [each.since_s + drain_s - now_s for each in owed.answers if each.shape == shape and not each.presumed]
    return max(waits, default=0.0)


def probe(owed: Owed, place: Read | None, now_s: float) -> Read | None:
    """A read whose answer can't be one of those owed, and so shows that they will not come. place: what is legal."""
    if place is None:
        return None
    reads = (Read(address=place.address, count=n, function=place.function) for n in PROBES if n <= place.count)
    shapes = {each.shape for each in owed.answers if now_s - each.since_s < FORGOTTEN_S}
    return next((read for read in reads if shape_of(read) not in shapes), None)
