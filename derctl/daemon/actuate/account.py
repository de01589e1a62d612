"""What a DER was told, what came of it, and what people know of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.types import Fallback, Outcome, Setpoint
from derctl.core.value import replace
from derctl.core.words import Reason, Record, WriteFor
from derctl.daemon.actuate import effect as effects
from derctl.daemon.actuate import hold as holds
from derctl.daemon.actuate import rest as rests
from derctl.daemon.actuate.contest import Contest, leaves
from derctl.daemon.actuate.deadband import Written
from derctl.daemon.actuate.effect import NOT_TOLD, Effect
from derctl.daemon.actuate.hold import Hold
from derctl.daemon.actuate.judge import Case, judged, missed, overridden, spells, to_tell
from derctl.daemon.actuate.ration import Ration
from derctl.daemon.actuate.rest import AWAKE, Rest
from derctl.daemon.actuate.standing import Standing, standing_of
from derctl.daemon.actuate.taking import taking
from derctl.daemon.actuate.text import contradicted_text, not_followed_text, override_text, rest_news
from derctl.daemon.actuate.trouble import IGNORED_AFTER, Happened, Trouble, after, news
from derctl.daemon.actuate.wish import Wish
from derctl.daemon.channel.channel import Channel
from derctl.daemon.course import measured
from derctl.devices import Profile
from derctl.errors import DeviceError, DeviceRefused, SettingError, WriteBarred

NOT_READY = frozenset({5, 6, 0x0A, 0x0B})
"""Exceptions of a device that is not ready yet, or of the gateway before it (Modbus application protocol, 7)."""
READY_S = 30.0
"""For so long behind a silence one that is not ready is asked at each tick: what it forgot is missing now
(docs/sources.md)."""


@dataclass(slots=True)
class Account:
    """Carries what its device holds (hold), what is between that and a setpoint (trouble), and the outcome.

    effect: what a device that can't be read back has shown that it took.
    toggles: it was seen to heed a setpoint only when its enable goes off and on.
    told: of what goes on, what people have been told. ration: what of it may be written at all, and how often.
    contest: whether somebody else sets it to less. yields: takes such a limit, which is kept from now on.
    """

    id: str
    channel: Channel
    on_event: Callable[[str, str, str], None]
    clock: Callable[[], float]
    outcome: Outcome = field(default_factory=Outcome)
    hold: Hold = field(default_factory=Hold)
    trouble: Trouble = field(default_factory=Trouble)
    effect: Effect = NOT_TOLD
    toggles: bool = False
    told: frozenset[Reason] = frozenset()
    ration: Ration = field(default_factory=Ration)
    contest: Contest = field(default_factory=Contest)
    yields: Callable[[float], None] = lambda limit_w: None
    rest: Rest = AWAKE
    _stood: tuple[object, Standing] = (None, Standing())

    @property
    def _on(self) -> tuple[object, object]:
        return (self.channel.bus.line.generation, self.channel.back_s), self.channel.device

    @property
    def is_back(self) -> bool:
        """Whether it was silent a while ago."""
        return self.clock() - self.channel.back_s < READY_S

    def note(self, wish: Wish, profile: Profile, fallback: Fallback, *, busy: bool) -> None:
        """What the state behind a wish says of what is held."""
        der, wanted = wish.der, wish.decision.setpoint
        hold = holds.returned(self.hold, self.channel.back_s)
        hold = holds.doubted(hold, self._on, der, profile, fallback, wish.at_s)
        hold = holds.wished(hold, wanted, der, profile, wish.at_s, busy=busy)
        if hold.course is not None and der.fresh and der.reading.p_w is not None:
            astray = missed(wanted, der, profile) is not None
            hold = holds.measured(hold, measured(hold.course, wish.at_s - der.age_s, astray=astray))
        self.hold = hold
        if hold.written is None:
            self.effect = NOT_TOLD
        elif der.fresh:
            self.effect = effects.seen(self.effect, der, profile, wish.at_s - der.age_s)
        before, self.rest = self.rest, rests.seen(self.rest, der, hold.holds.p_ceiling_w, profile, wish.at_s)
        for event, text in rest_news(before, self.rest, der.rating.size_w, wish.at_s):
            self.on_event(event, self.id, text)

    def judge(self, wish: Wish, profile: Profile, *, writes: bool, busy: bool) -> None:
        """What came of it until now. writes: whether it may be written. busy: whether it is being written."""
        case = case_of(self, wish, profile, writes=writes, busy=busy)
        second = overridden(case, wish.at_s) if writes else None
        self.outcome = judged(self.outcome, case, second, wish.at_s)
        self.told, fresh = to_tell(self.told, spells(case, self.outcome, second, wish.at_s))
        for reason in fresh:
            self.on_event(str(reason), self.id, self._text(reason, case))

    def _text(self, reason: Reason, case: Case) -> str:
        reading, told = case.der.reading, case.decision.setpoint
        if reason is Reason.OVERRIDE:
            ours = told if case.written is None else case.written.setpoint
            left = not self.is_back and leaves(self.contest, self.clock())
            return override_text(ours, reading.accepted, away=self.is_back, left=left)
        if reason is Reason.CONTRADICTED:
            return contradicted_text(case.void_w or 0.0, reading)
        return not_followed_text(told, reading)

    def happened(self, happened: Happened, text: str = "") -> None:
        """Something that a writer saw."""
        before, self.trouble = self.trouble, after(self.trouble, happened)
        name = None if before is self.trouble else news(before, self.trouble)
        if name is not None:
            self.on_event(name, self.id, text)

    def sending(self, desired: Setpoint) -> Hold:
        """A setpoint is on its way. Returns what was held before."""
        before = self.hold
        self.hold = holds.sending(before, desired, self._on, self.clock())
        return before

    def refused(
        self, before: Hold, desired: Setpoint, error: DeviceError | SettingError | WriteBarred, *, give_back_var: bool
    ) -> None:
        """The device said no. before: what `sending` returned."""
        self.happened(Happened.REFUSED, str(error))
        var_kept = give_back_var and before.refusals + 1 >= IGNORED_AFTER
        soon = isinstance(error, DeviceRefused) and error.code in NOT_READY and self.is_back
        self.hold = holds.refused(self.hold, before, desired, self.clock(), var_kept=var_kept, soon=soon)

    def arrived(
        self, before: Hold, desired: Setpoint, found: Setpoint, wish: Wish, why: WriteFor, *, gave_back_var: bool
    ) -> None:
        """The device answered, and reads back what it found. before: what `sending` returned."""
        seen, profile, now_s = self.channel.measured, self.channel.measured.profile, self.clock()
        self.happened(Happened.SENT)
        took = taking(
            desired, found, why, wish.der.rating, profile,
            before=before.refusals, known=self.outcome.accepted, doubtful=seen.claim.doubtful,
        )  # fmt: skip
        if took.happened is not None:
            self.happened(took.happened, took.text)
        known = seen.believed(found)
        self.effect = effects.told(self.effect, desired, wish.der, profile, now_s)
        written = Written(setpoint=desired, at_s=now_s, refusals=took.refusals, found=known, sample=seen.sample)
        self.hold = holds.arrived(self.hold, before, written, profile.settle_s, gave_back=gave_back_var)
        self.outcome = replace(self.outcome, accepted=known, accepted_s=now_s)

    def known(self) -> tuple[Setpoint, bool]:
        """What is held, and whether what reads back says something."""
        return self.hold.known(_read(self), doubtful=self.channel.measured.claim.doubtful)

    def given_back(self, stands: Setpoint, *, believed: bool, lift: bool) -> None:
        """The device was released, and this stands in it. believed: whether what reads back says something."""
        says = believed or stands.p_ceiling_w is not None
        read = self.channel.measured.believed(stands) if says else None
        self.hold = holds.released(self.hold, stands if read is None else None, lift=lift)
        self.effect = NOT_TOLD
        self.outcome = replace(self.outcome, accepted=read, accepted_s=self.clock())

    def standing(self, record: Record, *, fresh: bool) -> Standing:
        """What stands in its device. fresh: whether that is of now."""
        last = self.channel.bond.binding.last
        if last is None:
            return Standing(record=record)
        read, held = _read(self), self.hold.holds
        of = (read, held, last.rating, record, fresh)
        if self._stood[0] != of:
            self._stood = (of, standing_of(read, held, last.rating, record, fresh=fresh))
        return self._stood[1]


def case_of(account: Account, wish: Wish, profile: Profile, *, writes: bool = True, busy: bool) -> Case:
    """What a judgement of it is made from now."""
    hold, channel, der = account.hold, account.channel, wish.der
    if unread(channel):
        der = replace(der, reading=replace(der.reading, accepted=account.effect.accepted))
    return Case(
        decision=wish.decision,
        der=der,
        written=hold.written,
        profile=profile,
        written_at_all=writes,
        lost=channel.bond.binding.reason,
        trouble=account.trouble.code,
        course=hold.course,
        unfinished=busy or hold.unfinished,
        void_w=channel.measured.claim.said_w,
    )


def unread(channel: Channel) -> bool:
    """Whether its control points say nothing at all: what it took is only known by its power."""
    return channel.measured.profile.readback == "effect_only" and not channel.measured.claim.void


def _read(account: Account) -> Setpoint | None:
    """What it reads back; what its power has shown is no read-back."""
    return None if unread(account.channel) else account.outcome.accepted
