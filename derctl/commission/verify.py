"""The proof of a fail-safe: tell a DER something harmless, fall silent, and see whether it does what is declared."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from derctl.commission.told import harmless, no_less
from derctl.commission.trial import Answer, Finding, Look, Silence, Step, Subject, Tell, let_go
from derctl.core.types import NOTHING, Reading, Setpoint
from derctl.core.words import FallbackBy, Proven
from derctl.errors import BusError, DeviceError

LATE_PU, LATE_S = 0.2, 2.0
"""So much later than declared it is late: this share of the time, and this long beside it: our choice."""
SOON_PU = 0.5
"""derctl writes again before half of the time is spent: who lets go sooner does so under its hands."""

Proof = Generator[Step, Answer, Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """It let go: so long after the last word, as this reading shows. by_power: its read-back says that it didn't."""

    after_s: float
    reading: Reading
    polled: bool
    by_power: bool = False


def prove(subject: Subject) -> Proof:
    """One DER's. What is wrong on the way is a finding too: nothing is raised for what a device or a bus does."""
    if subject.cannot:
        return Finding(verdict=Proven.UNPROVABLE, text=subject.cannot)
    try:
        return (yield from _proven(subject))
    except BusError as error:
        return Finding(verdict=Proven.UNCONFIRMED, text=f"it could not be asked: {error}")
    except DeviceError as error:
        return Finding(verdict=Proven.UNCONFIRMED, text=f"it refused: {error}")


def _proven(subject: Subject) -> Proof:
    before = (yield Look()).reading
    told = harmless(subject, before)
    if isinstance(told, str):
        return Finding(verdict=Proven.UNCONFIRMED, text=told)
    heard = yield Tell(told)
    if heard.accepted is not None and not subject.holds(heard.accepted, told):
        return Finding(verdict=Proven.FAILED, text=f"it was told {_in_words(told)}, and reads back otherwise")
    if subject.by is FallbackBy.STANDS:
        return (yield from _stands(subject, told))
    return (yield from _reverts(subject, told, heard.at_s))


def _stands(subject: Subject, told: Setpoint) -> Proof:
    """What it was told last has to stand although the connection is cut for as long as a timer would run."""
    yield Silence(seconds=subject.after_s, cut=True)
    reading = (yield Look()).reading
    accepted, limit_w = reading.accepted, told.p_ceiling_w or 0.0
    if accepted is None:
        return Finding(verdict=Proven.UNCONFIRMED, text="whether its limit stood can't be read back")
    if not subject.holds(accepted, told):
        return Finding(verdict=Proven.FAILED, text=f"its limit did not stand: {_held(accepted)} after the cut")
    if subject.over(reading, limit_w):
        return Finding(verdict=Proven.FAILED, text=_liar(reading, limit_w))
    text = f"a limit of {limit_w:,.0f} W stood while the connection was cut for {subject.after_s:g} s"
    return Finding(verdict=Proven.PROVEN, text=text, went_w=limit_w, polled=False)


def _reverts(subject: Subject, told: Setpoint, told_s: float) -> Proof:
    """Asked all the time, where that may not keep its timer from running out; else, or if it did, in silence."""
    lapse: Lapse | None = None
    if subject.asks:
        lapse = yield from _watched(subject, told, told_s)
    if lapse is None:
        found = yield from _silent(subject, told)
        if isinstance(found, Finding):
            return found
        lapse = found
    return (yield from _judged(subject, told, lapse))


def _watched(subject: Subject, told: Setpoint, told_s: float) -> Generator[Step, Answer, Lapse | None]:
    """Whether it lets go while it is asked. Its power can say so once it stood at what it was told."""
    bound = False
    while True:
        yield Silence(seconds=subject.poll_s)
        answer = yield Look()
        after_s = answer.at_s - told_s
        if subject.let_go(answer.reading, told):
            return Lapse(after_s=after_s, reading=answer.reading, polled=True)
        if bound and let_go(subject, answer.reading, told):
            return Lapse(after_s=after_s, reading=answer.reading, polled=True, by_power=True)
        bound = bound or subject.bound(answer.reading, told)
        if after_s > late_s(subject):
            return None


def _silent(subject: Subject, told: Setpoint) -> Generator[Step, Answer, Lapse | Finding]:
    """The same with the connection cut: as if derctl were unplugged. A finding: it did not let go."""
    told_s = (yield Tell(told)).at_s
    yield Silence(seconds=min(subject.settle_s, subject.after_s / 3.0))
    bound = subject.bound((yield Look()).reading, told)
    yield Silence(seconds=late_s(subject), cut=True)
    answer = yield Look()
    by_power = bound and not subject.let_go(answer.reading, told) and let_go(subject, answer.reading, told)
    if subject.let_go(answer.reading, told) or by_power:
        return Lapse(after_s=answer.at_s - told_s, reading=answer.reading, polled=False, by_power=by_power)
    return _never(subject, told, answer.reading, bound=bound and subject.bound(answer.reading, told))


def late_s(subject: Subject) -> float:
    """After so long it is late."""
    return subject.after_s * (1.0 + LATE_PU) + LATE_S


def _never(subject: Subject, told: Setpoint, reading: Reading, *, bound: bool) -> Finding:
    """It reads what it was told, or nothing. Only its power could say whether that is so, where it stood at that all
    the time."""
    how = "asked and unasked" if subject.asks else "unasked"
    when = f"{late_s(subject):.0f} s after the last word, {how}"
    if reading.accepted is None:
        text = f"it reads nothing back, and {when}, its power tells no lapse"
        return Finding(verdict=Proven.UNCONFIRMED, text=text)
    text = f"it still reads {_in_words(told)} as active {when}"
    if bound:
        return Finding(verdict=Proven.FAILED, text=f"{text}, and keeps to it: its timer does not revert")
    more = "and its power does not tell whether that is so: again while it gives more"
    return Finding(verdict=Proven.UNCONFIRMED, text=f"{text}, {more}")


def _judged(subject: Subject, told: Setpoint, lapse: Lapse) -> Proof:
    """Whether it came in time, and to what."""
    if lapse.after_s < SOON_PU * subject.after_s:
        text = (
            f"it let go after {lapse.after_s:.0f} s, sooner than derctl writes again ({subject.after_s:g} s declared)"
        )
        return Finding(verdict=Proven.FAILED, text=text, lapsed_s=lapse.after_s, polled=lapse.polled)
    yield Silence(seconds=subject.settle_s)
    reading = (yield Look()).reading
    went_w = None if lapse.by_power else (reading.accepted or NOTHING).p_ceiling_w
    when = _when(subject, lapse)
    verdict, text = _kept(subject, reading, lapse, went_w, told)
    return Finding(verdict=verdict, text=f"{when}{text}", lapsed_s=lapse.after_s, went_w=went_w, polled=lapse.polled)


def _kept(
    subject: Subject, reading: Reading, lapse: Lapse, went_w: float | None, told: Setpoint
) -> tuple[Proven, str]:
    goal_w = subject.p_ceiling_w
    if goal_w is None or no_less(goal_w, subject):
        lied = ", while it still reads what it was told as active" if lapse.by_power else ""
        return Proven.PROVEN, f"it let go of {_in_words(told)}, as declared{lied}"
    if subject.over(reading, goal_w):
        return Proven.FAILED, f"it gives {reading.p_w or 0.0:,.0f} W, where {goal_w:,.0f} W are declared"
    if lapse.by_power:
        return (
            Proven.UNCONFIRMED,
            f"it let go of {_in_words(told)} and still reads it as active: to what can't be told",
        )
    accepted = reading.accepted or NOTHING
    if subject.goes_to(accepted, goal_w):
        return Proven.PROVEN, f"it went to {_held(accepted)}"
    return Proven.FAILED, f"it went to {_held(accepted)}, where {goal_w:,.0f} W are declared"


def _when(subject: Subject, lapse: Lapse) -> str:
    if lapse.polled:
        return f"{lapse.after_s:.0f} s after the last word ({subject.after_s:g} s declared) "
    kept = "; while it is asked its timer starts again" if subject.asks else ", as nobody asked it"
    return f"within {lapse.after_s:.0f} s of silence ({subject.after_s:g} s declared{kept}) "


def _liar(reading: Reading, limit_w: float) -> str:
    return f"it reads a limit of {limit_w:,.0f} W back and gives {reading.p_w or 0.0:,.0f} W"


def _in_words(told: Setpoint) -> str:
    if told.p_target_w is not None:
        return f"a setpoint of {told.p_target_w:,.0f} W"
    return f"a limit of {told.p_ceiling_w or 0.0:,.0f} W"


def _held(accepted: Setpoint) -> str:
    if accepted.p_ceiling_w is not None or accepted.p_target_w is not None:
        return _in_words(accepted)
    return "no limit"
