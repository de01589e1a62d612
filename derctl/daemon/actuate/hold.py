"""What a device was told, and what it may hold of it: one frozen state, and what each happening makes of it. Pure."""

from __future__ import annotations

from derctl.core.types import NOTHING, DerState, Fallback, Setpoint
from derctl.core.value import replace, value
from derctl.daemon.actuate.deadband import PATIENT_FROM, Written, obeys
from derctl.daemon.course import Course, went_on
from derctl.daemon.standing import RISE_PU_PER_S
from derctl.devices import Profile


@value
class Hold:
    """written: the last write, None before it and where the device may have forgotten it.

    holds: what it may still hold of all that was written, for one that can't be read back.
    back_s, before_w: when the device came back last, and the limit that it had been told until then.
    on: the device that it was written on, and since when that was not away. sent_s: when a write began last.
    course: what the device took over of late; its power has to follow that.
    """

    written: Written | None = None
    holds: Setpoint = NOTHING
    on: tuple[object, object] = (None, None)
    sent_s: float = -1e9
    back_s: float = -1e9
    before_w: float | None = None
    course: Course | None = None

    @property
    def unfinished(self) -> bool:
        """Whether a write is under way, or broke off: it may be half in the device."""
        return self.written is not None and self.sent_s > self.written.at_s

    @property
    def refusals(self) -> int:
        """Writes in a row that the device did not take over."""
        return 0 if self.written is None else self.written.refusals

    @property
    def told(self) -> Setpoint | None:
        """What was written last, unless the device refused it or reads back something else."""
        return None if self.written is None or self.written.refusals else self.written.setpoint

    def var_unasked_s(self, asked_s: float, now_s: float) -> float | None:
        """How long nobody has asked for var, where derctl wrote some and hasn't given it back. asked_s: the last time
        that somebody did."""
        return None if self.holds.q_var is None else now_s - asked_s

    def effect_w(self, der: DerState, profile: Profile, now_s: float) -> float | None:
        """The power that was measured when the last write had had its time to show."""
        if self.written is None or not der.fresh:
            return None
        settled = now_s - der.age_s - self.written.at_s > profile.settle_s
        return der.reading.p_w if settled else None

    def known(self, read: Setpoint | None, *, doubtful: bool) -> tuple[Setpoint, bool]:
        """What is held, and whether what reads back says something: not while the power contradicts it, nor where the
        device never took over what was written and reads back less than that."""
        written = self.written
        if doubtful or read is None or written is None or not written.refusals:
            return self.holds, not doubtful
        sent_w, read_w = written.setpoint.p_ceiling_w, read.p_ceiling_w
        if sent_w is not None and read_w is not None and read_w < sent_w:
            return replace(self.holds, p_ceiling_w=None), False
        return self.holds, True


def wished(hold: Hold, desired: Setpoint, der: DerState, profile: Profile, now_s: float, *, busy: bool) -> Hold:
    """A new wish without var: what the device has given up by itself need not be given back."""
    accepted = der.reading.accepted
    if hold.holds.q_var is None or desired.q_var is not None:
        return hold
    if profile.readback == "effect_only" or busy or not der.fresh:
        return hold
    if now_s - der.age_s > hold.sent_s and accepted is not None and accepted.q_var is None:
        return replace(hold, holds=replace(hold.holds, q_var=None))
    return hold


def doubted(
    hold: Hold, on: tuple[object, object], der: DerState, profile: Profile, fallback: Fallback, now_s: float
) -> Hold:
    """What was written is not taken for granted on a new connection or in a device that was found anew.

    It may have restarted and forgotten. One that reads back and has no timer to arm tells by itself. One that is seen
    to keep a limit which it did not take over has taken it over.
    """
    written = hold.written
    if written is None or on[1] is None:
        return hold
    if hold.on[0] != on[0] or hold.on[1] is not on[1]:
        forgets = profile.readback == "effect_only" or fallback.by != "stands"
        return replace(hold, written=None, course=None) if forgets else hold
    if written.refusals and obeys(written, hold.effect_w(der, profile, now_s), der.rating, profile):
        return replace(hold, written=replace(written, refusals=0))
    return hold


def measured(hold: Hold, course: Course) -> Hold:
    """Its power was seen to follow, or not."""
    return hold if course is hold.course else replace(hold, course=course)


def returned(hold: Hold, back_s: float) -> Hold:
    """The device is back since then."""
    return hold if back_s == hold.back_s else replace(hold, back_s=back_s, before_w=hold.holds.p_ceiling_w)


def bounded(hold: Hold, wanted: Setpoint, profile: Profile, size_w: float, now_s: float) -> Setpoint:
    """What it may be told. One that was away may have forgotten its limit, and what it gave by that is no measure:
    until the limit has had its time to show again, it gets no higher one than it had; from there a ramp leads up.
    size_w: its rating."""
    if hold.before_w is None or wanted.p_ceiling_w is None:
        return wanted
    shown_s = max(now_s - hold.back_s - profile.settle_s, 0.0)
    most_w = hold.before_w + RISE_PU_PER_S * size_w * shown_s
    return wanted if wanted.p_ceiling_w <= most_w else replace(wanted, p_ceiling_w=most_w)


def sending(hold: Hold, desired: Setpoint, on: tuple[object, object], now_s: float) -> Hold:
    """On its way: until the device answers it may hold the lower limit of both."""
    limits = [limit for limit in (hold.holds.p_ceiling_w, desired.p_ceiling_w) if limit is not None]
    both = _with(hold.holds, desired)
    holds = Setpoint(p_ceiling_w=min(limits, default=None), p_target_w=both.p_target_w, q_var=both.q_var)
    return replace(hold, holds=holds, on=on, sent_s=now_s)


def refused(hold: Hold, before: Hold, desired: Setpoint, now_s: float, *, var_kept: bool, soon: bool = False) -> Hold:
    """The device said no. before: the state before it was sent. var_kept: it refuses for good to take its var back,
    so that it isn't asked again. soon: it will be ready soon, and is asked without patience."""
    refusals = min(before.refusals + 1, PATIENT_FROM - 1) if soon else before.refusals + 1
    written = Written(setpoint=desired, at_s=now_s, refusals=refusals)
    holds = replace(hold.holds, q_var=None) if var_kept else hold.holds
    return replace(hold, written=written, holds=holds)


def arrived(hold: Hold, before: Hold, written: Written, settle_s: float, *, gave_back: bool) -> Hold:
    """The device answered; a part that was not sent stays as it was. before: the state before it was sent."""
    base = replace(before.holds, q_var=None) if gave_back else before.holds
    course = went_on(before.course, written.setpoint, written.at_s, settle_s)
    return replace(hold, written=written, holds=_with(base, written.setpoint), course=course)


def released(hold: Hold, left: Setpoint | None, *, lift: bool) -> Hold:
    """Given back: a limit stands, unless it was lifted. left: in one that can't be read back."""
    if left is None:
        left = NOTHING if lift else Setpoint(p_ceiling_w=hold.holds.p_ceiling_w)
    return replace(hold, written=None, holds=replace(left, q_var=None), course=None)


def _with(held: Setpoint, sent: Setpoint) -> Setpoint:
    return Setpoint(
        p_ceiling_w=held.p_ceiling_w if sent.p_ceiling_w is None else sent.p_ceiling_w,
        p_target_w=held.p_target_w if sent.p_target_w is None else sent.p_target_w,
        q_var=held.q_var if sent.q_var is None else sent.q_var,
    )
