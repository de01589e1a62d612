"""The proof of a fail-safe: tell a DER something harmless, fall silent, and see whether it does what is declared."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from derctl.commission.beside import beside
from derctl.commission.told import harmless, no_less
from derctl.commission.trial import (
    Answer,
    Finding,
    Kill,
    Look,
    Pull,
    Silence,
    Step,
    Subject,
    Tell,
    late_s,
    let_go,
    stands_s,
)
from derctl.core.dataclass import dataclass
from derctl.core.types import NOTHING, Reading, Setpoint
from derctl.core.words import FallbackBy, Proven, Unplugged
from derctl.errors import BusError, DeviceError

SOON_PU = 0.5
"""derctl writes again before half of the time is spent: who lets go sooner does so under its hands."""
TOO_SOON_S = 2.0
"""A cable that was out by so much less was not out for long enough: it is seen only by polls."""

Proof = Generator[Step, Answer, Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """It let go: so long after the last word, as this reading shows. by_power: its read-back says that it didn't."""

    after_s: float
    reading: Reading
    how: Unplugged
    by_power: bool = False

    @property
    def polled(self) -> bool:
        return self.how is Unplugged.ASKING


def prove(subject: Subject) -> Proof:
    """One DER's. What is wrong on the way is a finding too: nothing is raised for what a device or a bus does."""
    if subject.cannot:
        return Finding(verdict=Proven.UNPROVABLE, text=subject.cannot)
    return (yield from _whatever(_proven(subject)))


def until_killed(subject: Subject) -> Proof:
    """The beginning of a proof at whose end derctl is killed; a finding: it did not come to that."""
    if subject.cannot:
        return Finding(verdict=Proven.UNPROVABLE, text=subject.cannot)
    return (yield from _whatever(_told_last(subject)))


def after_kill(subject: Subject, kill: Kill) -> Proof:
    """The rest of that proof, by somebody else: only looked at, over another connection."""
    return (yield from _whatever(_survived(subject, kill)))


def _whatever(proof: Proof) -> Proof:
    try:
        return (yield from proof)
    except BusError as error:
        return Finding(verdict=Proven.UNCONFIRMED, text=f"it could not be asked: {error}")
    except DeviceError as error:
        return Finding(verdict=Proven.UNCONFIRMED, text=f"it refused: {error}")


def _begun(subject: Subject) -> Generator[Step, Answer, tuple[Setpoint, float] | Finding]:
    """What it was told and when; a finding: it was not, or does not hold it."""
    before = (yield Look()).reading
    told = harmless(subject, before)
    if isinstance(told, str):
        return Finding(verdict=Proven.UNCONFIRMED, text=told)
    heard = yield Tell(told)
    if heard.accepted is not None and not subject.holds(heard.accepted, told):
        return Finding(verdict=Proven.FAILED, text=f"it was told {_in_words(told)}, and reads back otherwise")
    return told, heard.at_s


def _told_last(subject: Subject) -> Proof:
    begun = yield from _begun(subject)
    if isinstance(begun, Finding):
        return begun
    yield Silence(seconds=min(subject.settle_s, subject.after_s / 3.0))
    told, _ = begun
    bound = subject.bound((yield Look()).reading, told)
    yield Kill(told, (yield Tell(told)).at_s, bound)
    return Finding(verdict=Proven.UNCONFIRMED, text="derctl was not killed")


def _survived(subject: Subject, kill: Kill) -> Proof:
    told = kill.setpoint
    yield Silence(seconds=stands_s(subject) if subject.by is FallbackBy.STANDS else late_s(subject))
    answer = yield Look()
    if subject.by is FallbackBy.STANDS:
        return replace(_stood(subject, answer.reading, told, "after derctl was killed"), how=Unplugged.KILLED)
    by_power = kill.bound and not subject.let_go(answer.reading, told) and let_go(subject, answer.reading, told)
    if not (by_power or subject.let_go(answer.reading, told)):
        bound = kill.bound and subject.bound(answer.reading, told)
        return replace(_never(subject, told, answer.reading, bound=bound), how=Unplugged.KILLED)
    after_s = answer.at_s - kill.told_s
    lapse = Lapse(after_s=after_s, reading=answer.reading, how=Unplugged.KILLED, by_power=by_power)
    return (yield from _judged(subject, told, lapse))


def _proven(subject: Subject) -> Proof:
    begun = yield from _begun(subject)
    if isinstance(begun, Finding):
        return begun
    told, told_s = begun
    if subject.by is FallbackBy.STANDS:
        return (yield from _stands(subject, told))
    found = yield from _reverts(subject, told, told_s)
    return (yield from beside(subject, found)) if subject.second else found


def _stands(subject: Subject, told: Setpoint) -> Proof:
    """What it was told last has to stand although the connection is cut for as long as a timer would run."""
    away_s = yield from _unplugged(subject, stands_s(subject), told)
    if isinstance(away_s, Finding):
        return away_s
    reading = (yield Look()).reading
    while_ = f"while the {'cable was out' if subject.cable else 'connection was cut'} for {away_s:.0f} s"
    return replace(_stood(subject, reading, told, while_), how=_how(subject))


def _stood(subject: Subject, reading: Reading, told: Setpoint, when: str) -> Finding:
    accepted, limit_w = reading.accepted, told.p_ceiling_w or 0.0
    if accepted is None:
        return Finding(verdict=Proven.UNCONFIRMED, text="whether its limit stood can't be read back")
    if not subject.holds(accepted, told):
        return Finding(verdict=Proven.FAILED, text=f"its limit did not stand: {_held(accepted)} after the cut")
    if subject.over(reading, limit_w):
        return Finding(verdict=Proven.FAILED, text=_liar(reading, limit_w))
    text = f"a limit of {limit_w:,.0f} W stood {when}"
    if subject.own_timer_s and not subject.bound(reading, told):
        more = "but it reads so also once its own timer has let go: again while it gives more"
        return Finding(verdict=Proven.UNCONFIRMED, text=f"{text}, {more}", polled=False)
    return Finding(verdict=Proven.PROVEN, text=text, went_w=limit_w, polled=False)


def _unplugged(subject: Subject, seconds: float, told: Setpoint) -> Generator[Step, Answer, float | Finding]:
    """derctl is taken from it for so long, by software or by hand. For how long it was; a finding: it was not."""
    if not subject.cable:
        yield Silence(seconds=seconds, cut=True)
        return seconds
    away_s = (yield Pull(seconds, told, SOON_PU * subject.after_s)).away_s
    if away_s is None:
        text = "its cable was not pulled: it answered all the time"
        return Finding(verdict=Proven.UNCONFIRMED, text=text, how=Unplugged.CABLE)
    if away_s < seconds - TOO_SOON_S:
        text = f"its cable was out for {away_s:.0f} s, and {seconds:.0f} s are needed: again"
        return Finding(verdict=Proven.UNCONFIRMED, text=text, how=Unplugged.CABLE, polled=False)
    return away_s


def _how(subject: Subject) -> Unplugged:
    return Unplugged.CABLE if subject.cable else Unplugged.CUT


def _reverts(subject: Subject, told: Setpoint, told_s: float) -> Proof:
    """Asked all the time, where that may not keep its timer from running out; else, or if it did, in silence."""
    lapse: Lapse | None = None
    if subject.asks and not subject.cable:
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
            return Lapse(after_s=after_s, reading=answer.reading, how=Unplugged.ASKING)
        if bound and let_go(subject, answer.reading, told):
            return Lapse(after_s=after_s, reading=answer.reading, how=Unplugged.ASKING, by_power=True)
        bound = bound or subject.bound(answer.reading, told)
        if after_s > late_s(subject):
            return None


def _silent(subject: Subject, told: Setpoint) -> Generator[Step, Answer, Lapse | Finding]:
    """The same with the connection cut: as if derctl were unplugged. A finding: it did not let go."""
    told_s = (yield Tell(told)).at_s
    yield Silence(seconds=min(subject.settle_s, subject.after_s / 3.0))
    bound = subject.bound((yield Look()).reading, told)
    away_s = yield from _unplugged(subject, late_s(subject), told)
    if isinstance(away_s, Finding):
        return away_s
    answer = yield Look()
    by_power = bound and not subject.let_go(answer.reading, told) and let_go(subject, answer.reading, told)
    if subject.let_go(answer.reading, told) or by_power:
        how, after_s = _how(subject), away_s if subject.cable else answer.at_s - told_s
        return Lapse(after_s=after_s, reading=answer.reading, how=how, by_power=by_power)
    return _never(subject, told, answer.reading, bound=bound and subject.bound(answer.reading, told))


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
        return Finding(verdict=Proven.FAILED, text=text, lapsed_s=lapse.after_s, polled=lapse.polled, how=lapse.how)
    yield Silence(seconds=subject.settle_s)
    reading = (yield Look()).reading
    went_w = None if lapse.by_power else (reading.accepted or NOTHING).p_ceiling_w
    when = _when(subject, lapse)
    verdict, text = _kept(subject, reading, lapse, went_w, told)
    text = f"{when}{text}"
    return Finding(
        verdict=verdict, text=text, lapsed_s=lapse.after_s, went_w=went_w, polled=lapse.polled, how=lapse.how
    )


def _kept(
    subject: Subject, reading: Reading, lapse: Lapse, went_w: float | None, told: Setpoint
) -> tuple[Proven, str]:
    goal_w = subject.p_ceiling_w
    if goal_w is None or no_less(goal_w, subject):
        lied = ", while it still reads what it was told as active" if lapse.by_power and reading.accepted else ""
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
    if lapse.how is Unplugged.KILLED:
        return f"within {lapse.after_s:.0f} s after derctl was killed ({subject.after_s:g} s declared) "
    if lapse.how is Unplugged.CABLE:
        return f"within {lapse.after_s:.0f} s with its cable out ({subject.after_s:g} s declared) "
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
