"""How long a unit has been silent, and when it is asked again. Pure."""

from __future__ import annotations

from derctl.core.value import value
from derctl.errors import BusTimeout

DEMOTE_AFTER = 2
DEMOTED_MAX_S = 5.0
"""A unit silent twice in a row is asked ever less often, at least every 5 s, so that the others keep their pace. One
that has the wire to itself holds up nobody."""


@value
class Silence:
    """silent: requests in a row without an answer, on the connection of that generation. not_before_s: until then it
    is not polled. known: whether it ever answered."""

    generation: int = 0
    silent: int = 0
    not_before_s: float = -1e9
    known: bool = False


UNKNOWN, HEARD = Silence(), Silence(known=True)
"""Before the first request, and after each answer."""


def deeper(silence: Silence, generation: int, now_s: float, *, timeout_s: float, alone: bool) -> Silence:
    """It was silent once more. A new connection asks every unit at once. alone: it has the wire to itself."""
    silent = silence.silent + 1 if silence.generation == generation else 1
    until_s = -1e9
    if silent >= DEMOTE_AFTER and not alone:
        until_s = now_s + min(DEMOTED_MAX_S, timeout_s * 2.0 ** min(silent - DEMOTE_AFTER, 16))
    return Silence(generation=generation, silent=silent, not_before_s=until_s, known=silence.known)


def pause_s(silence: Silence, generation: int, now_s: float) -> float:
    """For how long it is not polled yet; 0 or less: it may be."""
    return silence.not_before_s - now_s if silence.generation == generation else 0.0


def unheard(text: str, silence: Silence, stray: str, place: str) -> BusTimeout:
    """For people. Who has answered once, or answers too late (stray), has its unit id right. place: what to scan."""
    if stray:
        return BusTimeout(f"{text}, but {stray}", stray=stray)
    return BusTimeout(text, hint="" if silence.known else f"is the unit id right? derctl scan {place}")
