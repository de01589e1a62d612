"""What a DER was told, what came of it, and what people are told of that (docs/interfaces.md, `outcome`)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.types import NOTHING, Decision, Fallback, Setpoint
from derctl.core.words import Achieved, FallbackBy, Reason, Record, Seen, WriteFor
from derctl.daemon.actuate.account import Account
from derctl.daemon.actuate.deadband import PATIENT_FROM
from derctl.daemon.actuate.trouble import Happened
from derctl.daemon.actuate.wish import Wish
from derctl.daemon.channel.claim import Claim
from derctl.devices import Profile
from derctl.errors import DeviceError, DeviceRefused
from tests import make
from tests.writing import PV, ceiling

BACK = 1000.0
"""The device is there, and was never away, long before the first write."""
TIMER = Fallback(p_ceiling_w=5000.0, by=FallbackBy.REVERSION)
STANDS = Fallback(p_ceiling_w=5000.0, by=FallbackBy.STANDS)
VALUES, BLIND = Profile(), Profile(readback="effect_only")


class Site:
    """One PV inverter of 5 kW with an account. reads: what it reads back; now_s moves by the test's word."""

    def __init__(self, profile: Profile = VALUES) -> None:
        self.now_s, self.events = 2000.0, list[tuple[str, str]]()
        self.profile, self.sample, self.reads = profile, 1, NOTHING
        self.line = SimpleNamespace(generation=1)
        self.bond = SimpleNamespace(binding=SimpleNamespace(reason=None, last=SimpleNamespace(rating=PV)))
        self.measured = SimpleNamespace(
            sample=1, claim=Claim(), profile=profile,
            believed=lambda accepted: accepted if profile.readback == "values" else None,
        )  # fmt: skip
        channel: Any = SimpleNamespace(
            bus=SimpleNamespace(line=self.line), bond=self.bond, back_s=BACK, device=object(), measured=self.measured
        )
        self.channel = channel
        self.account = Account(
            "pv1", channel, lambda name, who, text: self.events.append((name, text)), lambda: self.now_s
        )

    def wish(self, setpoint: Setpoint, p_w: float = 1000.0, *, fresh: bool = True, **given: Any) -> Wish:
        """As a tick freezes it, from a poll of its own that has just come."""
        self.sample += 1
        accepted = self.reads if self.profile.readback == "values" else None
        der = make.der(
            "pv1", PV, make.LIMITED, p_w=p_w, accepted=accepted, age_s=0.0, fresh=fresh, sample=self.sample
        )  # fmt: skip
        return Wish(Decision(der="pv1", setpoint=setpoint, **given), der, self.now_s, -1e9)

    def told(self, setpoint: Setpoint, found: Setpoint | None = None, *, times: int = 1) -> None:
        """Written so often, one second apart. found: what it reads back of it."""
        for _ in range(times):
            self.now_s += 1.0
            before = self.account.sending(setpoint)
            self.reads = setpoint if found is None else found
            wish = self.wish(setpoint)
            self.account.arrived(before, setpoint, self.reads, wish, WriteFor.CHANGED, gave_back_var=False)

    def ticks(self, setpoint: Setpoint, p_w: float, seconds: int = 1, *, writes: bool = True) -> None:
        """Polls one second apart, and nothing is written."""
        for _ in range(seconds):
            self.now_s += 1.0
            wish = self.wish(setpoint, p_w)
            self.account.note(wish, self.profile, STANDS, busy=False)
            self.account.judge(wish, self.profile, writes=writes, busy=False)

    def named(self, name: str) -> list[str]:
        return [text for event, text in self.events if event == name]

    @property
    def verdict(self) -> tuple[Achieved, Reason | None]:
        return self.account.outcome.achieved, self.account.outcome.reason


# -- what is held ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "profile", "fallback", "granted"),
    [
        ("nothing", BLIND, TIMER, True),
        ("connection", BLIND, STANDS, False),  # it may have restarted, and can't tell
        ("connection", VALUES, TIMER, False),  # its timer has to be armed anew
        ("connection", VALUES, STANDS, True),  # it tells by itself
        ("silence", BLIND, STANDS, False),
        ("silence", VALUES, STANDS, True),
        ("device", BLIND, STANDS, False),
        ("device", VALUES, TIMER, False),
    ],
)
def test_what_was_written_is_taken_for_granted_on_the_same_device_and_connection(
    changes: str, profile: Profile, fallback: Fallback, granted: bool
) -> None:
    site = Site(profile)
    site.told(ceiling(3000.0))
    if changes == "connection":
        site.line.generation += 1
    elif changes == "silence":
        site.channel.back_s = site.now_s + 1.0
    elif changes == "device":
        site.channel.device = object()
    site.now_s += 2.0
    site.account.note(site.wish(ceiling(3000.0)), profile, fallback, busy=False)
    assert (site.account.hold.written is not None) is granted
    assert site.account.hold.holds == ceiling(3000.0), "whatever it forgot, it may hold that"


def test_until_the_device_answers_it_may_hold_the_lower_limit_of_both() -> None:
    site = Site()
    site.told(ceiling(3000.0))
    site.now_s += 1.0
    before = site.account.sending(ceiling(4000.0))
    assert site.account.hold.holds == ceiling(3000.0) and site.account.hold.unfinished
    assert before.holds == ceiling(3000.0) and not before.unfinished


@pytest.mark.parametrize(("code", "away_s", "patient"), [
    (6, 5.0, False),  # busy after its restart: asked at each tick
    (5, 5.0, False),
    (0x0A, 5.0, False),  # the gateway is there before its device
    (0x0B, 29.0, False),
    (6, 31.0, True),  # busy for ever
    (2, 5.0, True),  # no such address: it will not be ready later
])  # fmt: skip
def test_one_that_will_be_ready_soon_is_asked_without_patience(code: int, away_s: float, patient: bool) -> None:
    site = Site()
    error = DeviceRefused(code, function=16, address=40150, count=1)
    for _ in range(10):
        site.channel.back_s = site.now_s - away_s
        before = site.account.sending(ceiling(3000.0))
        site.account.refused(before, ceiling(3000.0), error, give_back_var=False)
    assert (site.account.hold.refusals >= PATIENT_FROM) is patient


def test_a_device_that_refuses_its_var_three_times_is_not_asked_to_take_it_back_any_more() -> None:
    site = Site()
    site.told(Setpoint(p_ceiling_w=3000.0, q_var=300.0))
    holds = []
    for _ in range(3):
        before = site.account.sending(ceiling(3000.0))
        site.account.refused(before, ceiling(3000.0), DeviceError("no"), give_back_var=True)
        holds.append(site.account.hold.holds.q_var)
    assert holds == [300.0, 300.0, None]


# -- what came of it ------------------------------------------------------------------------------------------------


def test_what_is_requested_and_desired_is_told_with_its_time() -> None:
    site = Site()
    asked: dict[str, Any] = {"requested": ceiling(4000.0), "requested_by": "operator_limit"}
    wish = site.wish(ceiling(3120.0), **asked)
    site.account.judge(wish, VALUES, writes=True, busy=False)
    outcome = site.account.outcome
    assert (outcome.requested, outcome.requested_by, outcome.desired) == (
        ceiling(4000.0), "operator_limit", ceiling(3120.0),
    )  # fmt: skip
    assert outcome.reason is Reason.SENIOR_BOUND
    site.now_s += 5.0
    site.account.judge(site.wish(ceiling(3000.0), **asked), VALUES, writes=True, busy=False)
    now = site.account.outcome
    assert (now.requested_s, now.desired_s) == (outcome.requested_s, site.now_s)


@pytest.mark.parametrize(
    ("setpoint_w", "p_w", "seconds", "verdict"),
    [
        (3000.0, 2950.0, 1, (Achieved.YES, None)),
        (3000.0, 1000.0, 1, (Achieved.NOT_BINDING, None)),  # above what the sun gives: neither success nor failure
        (3000.0, 4000.0, 5, (Achieved.PENDING, None)),  # it has its time
        (3000.0, 4000.0, 20, (Achieved.NO, Reason.NOT_FOLLOWED)),
    ],
)
def test_whether_a_limit_is_achieved_is_measured(
    setpoint_w: float, p_w: float, seconds: int, verdict: tuple[Achieved, Reason | None]
) -> None:
    site = Site()
    site.told(ceiling(setpoint_w))
    site.ticks(ceiling(setpoint_w), p_w, seconds)
    assert site.verdict == verdict
    assert site.account.outcome.accepted == ceiling(setpoint_w)


def test_of_one_that_may_not_be_written_nothing_is_said_to_be_achieved() -> None:
    site = Site()
    site.ticks(ceiling(3000.0), 2950.0, writes=False)
    assert site.verdict == (Achieved.UNKNOWN, Reason.GATE_CLOSED)


@pytest.mark.parametrize(("lost", "reason"), [(Reason.FROZEN, Reason.FROZEN), (None, Reason.STALE)])
def test_of_one_that_is_not_heard_it_is_said_why(lost: Reason | None, reason: Reason) -> None:
    site = Site()
    site.bond.binding.reason = lost
    site.account.judge(site.wish(ceiling(3000.0), fresh=False), VALUES, writes=True, busy=False)
    assert site.verdict == (Achieved.UNKNOWN, reason)


def test_what_stands_between_a_setpoint_and_its_device_goes_before_what_is_measured() -> None:
    site = Site()
    site.account.happened(Happened.SILENT)
    site.ticks(ceiling(3000.0), 2950.0)
    assert site.verdict == (Achieved.YES, Reason.UNREACHABLE)


# -- what people are told -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "name", "text"),
    [
        ((Happened.LATE,) * 2, "write_late", None),  # one or two are a busy wire
        ((Happened.LATE,) * 9, "write_late", "LATE 3"),
        ((Happened.REFUSED,) * 9, "write_refused", "REFUSED 1"),
        ((Happened.IGNORED, Happened.CLIPPED) * 3, "write_ignored", "IGNORED 1"),
        ((Happened.SILENT,) * 9, "device_unreachable", None),  # its polls tell that
        ((Happened.TAKEN, Happened.SENT, Happened.QUIET), "write_late", None),
    ],
)
def test_what_stands_in_the_way_is_said_once_with_its_text(
    seen: tuple[Happened, ...], name: str, text: str | None
) -> None:
    site = Site()
    for count, happened in enumerate(seen, 1):
        site.account.happened(happened, f"{happened.name} {count}")
    assert site.events == ([] if text is None else [(name, text)])


def test_one_that_does_not_follow_is_said_once_until_it_follows() -> None:
    site = Site()
    site.told(ceiling(3000.0))
    for _ in range(2):
        site.ticks(ceiling(3000.0), 4000.0, 30)
    assert site.named("not_followed") == ["told limit 3,000 W, gives 4,000 W"]
    site.ticks(ceiling(3000.0), 2900.0, 2)
    site.ticks(ceiling(3000.0), 4000.0, 30)
    assert len(site.named("not_followed")) == 2


@pytest.mark.parametrize(("away_s", "who"), [(500.0, "something else"), (10.0, "its restart, or something else")])
def test_another_value_than_the_one_that_was_taken_is_said_and_a_restart_is_not_laid_at_another_s_door(
    away_s: float, who: str
) -> None:
    site = Site()
    site.told(ceiling(3000.0))
    site.reads, site.channel.back_s = ceiling(5000.0), site.now_s - away_s
    site.ticks(ceiling(3000.0), 1000.0, 3)
    (text,) = site.named("override")
    assert text.startswith(who) and "limit to 5,000 W (derctl: 3,000 W)" in text
    assert site.account.outcome.reason is Reason.OVERRIDE


@pytest.mark.parametrize(("void_w", "told_of"), [(None, False), (0.0, True), (3000.0, False)])
def test_what_the_power_contradicts_is_said_where_derctl_did_not_write_it(
    void_w: float | None, told_of: bool
) -> None:
    site = Site()
    site.told(ceiling(3000.0))
    site.measured.claim = Claim(void=void_w is not None, said_w=void_w)
    site.ticks(ceiling(3000.0), 1080.0)
    said = ["reads back 0 W and gives 1,080 W: what it reads back does not count"]
    assert site.named("contradicted") == (said if told_of else [])


# -- an answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "found", "times", "accepted", "refusals", "event"),
    [
        (VALUES, None, 1, ceiling(3000.0), 0, None),
        (VALUES, NOTHING, 1, NOTHING, 1, None),
        (VALUES, NOTHING, 3, NOTHING, 3, "write_ignored"),  # it says yes and changes nothing
        (VALUES, ceiling(3500.0), 2, ceiling(3500.0), 2, None),
        (BLIND, NOTHING, 3, None, 0, None),  # nothing can be read back: only its power tells
    ],
)
def test_what_a_device_reads_back_is_known_with_its_answer(
    profile: Profile,
    found: Setpoint | None,
    times: int,
    accepted: Setpoint | None,
    refusals: int,
    event: str | None,
) -> None:
    site = Site(profile)
    site.told(ceiling(3000.0), found, times=times)
    account = site.account
    assert (account.outcome.accepted, account.outcome.accepted_s) == (accepted, site.now_s)
    assert account.hold.refusals == refusals
    assert [name for name, _ in site.events] == ([] if event is None else [event])
    assert account.hold.written is not None and account.hold.written.found == accepted


def test_one_that_takes_something_else_than_it_is_told_clips_it() -> None:
    site = Site()
    site.told(ceiling(4800.0))
    for watts in (3000.0, 2500.0, 2000.0):
        site.told(ceiling(watts), ceiling(watts + 500.0))
    assert site.named("write_clipped") == ["asked for limit 2,000 W, reads back limit 2,500 W"]


# -- what stands in it ----------------------------------------------------------------------------------------------


def test_a_release_goes_by_what_was_written_where_what_is_read_back_is_doubted() -> None:
    site = Site()
    site.told(ceiling(3000.0))
    assert site.account.known() == (ceiling(3000.0), True)
    site.measured.claim = Claim(void=True, said_w=0.0)
    assert site.account.known() == (ceiling(3000.0), False)


@pytest.mark.parametrize(
    ("profile", "stands", "believed", "lift", "accepted", "holds"),
    [
        (VALUES, ceiling(3000.0), True, False, ceiling(3000.0), ceiling(3000.0)),
        (VALUES, NOTHING, True, True, NOTHING, NOTHING),
        (VALUES, NOTHING, False, False, None, NOTHING),  # it is no ground to say that nothing stands
        (BLIND, ceiling(3000.0), False, False, None, ceiling(3000.0)),
        (BLIND, NOTHING, False, True, None, NOTHING),
    ],
)
def test_after_a_release_what_it_reads_back_stands_or_else_what_it_was_told(
    profile: Profile,
    stands: Setpoint,
    believed: bool,
    lift: bool,
    accepted: Setpoint | None,
    holds: Setpoint,
) -> None:
    site = Site(profile)
    site.told(Setpoint(p_ceiling_w=3000.0, q_var=300.0))
    site.account.given_back(stands, believed=believed, lift=lift)
    assert site.account.outcome.accepted == accepted
    assert site.account.hold.written is None
    assert (site.account.hold.holds.q_var, site.account.hold.course) == (None, None)
    if accepted is None:
        assert site.account.hold.holds == holds


@pytest.mark.parametrize(
    ("profile", "fresh", "found", "p_ceiling_w", "seen"),
    [
        (VALUES, True, True, 3000.0, Seen.READ_BACK),
        (VALUES, False, True, 3000.0, Seen.OLD),
        (BLIND, True, True, 3000.0, Seen.AS_WRITTEN),
        (VALUES, True, False, None, Seen.NOT_KNOWN),  # its rating isn't known, so neither is what limits it
    ],
)
def test_what_stands_is_told_with_how_that_is_known(
    profile: Profile, fresh: bool, found: bool, p_ceiling_w: float | None, seen: Seen
) -> None:
    site = Site(profile)
    site.told(ceiling(3000.0))
    if not found:
        site.bond.binding.last = None
    standing = site.account.standing(Record.WRITTEN, fresh=fresh)
    assert (standing.p_ceiling_w, standing.seen, standing.record) == (p_ceiling_w, seen, Record.WRITTEN)


def test_a_limit_at_the_rating_is_none() -> None:
    site = Site()
    site.told(ceiling(5000.0))
    assert site.account.standing(Record.LEFT, fresh=True).p_ceiling_w is None
