"""A second client, which polls a DER while derctl is unplugged: whether its timer still runs out, or whether there
can be a second one at all."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from derctl.commission.told import harmless
from derctl.commission.trial import Alone, Answer, Finding, Look, Meet, Step, Subject, Tell, Watch, late_s, let_go
from derctl.core.types import Setpoint
from derctl.core.words import Beside, Proven
from derctl.errors import BusError, DeviceError

TEXTS = {
    Beside.LETS_GO: "a second client that polls it does not keep it from that",
    Beside.KEPT_UP: "while a second client polls it never lets go: with one about this fail-safe is none",
    Beside.ONE_CLIENT: "it takes one client only: while derctl is connected nobody else is answered",
    Beside.UNTOLD: "what a second client changes could not be told",
}


def beside(subject: Subject, found: Finding) -> Generator[Step, Answer, Finding]:
    """What was found, with what a second client changes of it. Only where it lets go by itself."""
    if found.verdict is not Proven.PROVEN:
        return found
    try:
        seen = yield from _seen(subject)
    except (BusError, DeviceError):
        seen = Beside.UNTOLD
    yield Alone()
    return replace(found, beside=seen, text=f"{found.text}; {TEXTS[seen]}")


def _seen(subject: Subject) -> Generator[Step, Answer, Beside]:
    try:
        yield Meet()
    except BusError:
        yield Alone()
        yield Look()  # ours is answered: it was the second one that was not
        return Beside.ONE_CLIENT
    told = harmless(subject, (yield Look()).reading)
    if isinstance(told, str):
        return Beside.UNTOLD
    heard = yield Tell(told)
    return (yield from _watched(subject, told, heard.at_s))


def _watched(subject: Subject, told: Setpoint, told_s: float) -> Generator[Step, Answer, Beside]:
    bound = False
    while True:
        answer = yield Watch(subject.poll_s)
        left = bound and let_go(subject, answer.reading, told)
        if subject.let_go(answer.reading, told) or left:
            return Beside.LETS_GO
        bound = bound or subject.bound(answer.reading, told)
        if answer.at_s - told_s > late_s(subject):
            return Beside.KEPT_UP if answer.reading.accepted is not None else Beside.UNTOLD
