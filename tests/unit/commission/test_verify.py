"""The proof of a fail-safe on devices of each habit, in virtual time: what each does has to be found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from derctl.commission.trial import Answer, Finding, Look, Silence, Subject, Tell, late_s
from derctl.commission.verify import prove
from derctl.core.types import Reading, Setpoint
from derctl.core.words import FallbackBy, Proven
from derctl.errors import BusTimeout, DeviceRefused

PV = Subject(by=FallbackBy.REVERSION, p_ceiling_w=3000.0, after_s=60.0, p_max_w=8000.0, tolerance_w=80.0)
STORE = replace(PV, p_ceiling_w=0.0, p_max_w=5000.0, p_min_w=-5000.0, aim=True, tolerance_w=50.0)


@dataclass
class Device:
    """One with a timer of its own. reverts_s: after how long (inf: never). to_w: the limit then, None: none.

    any_message: whatever is asked starts the timer again. reads_active: it reads what it was told even so.
    reads: what it reads back instead of what it does. sun_w: what it would give.
    """

    sun_w: float = 6000.0
    reverts_s: float = 60.0
    to_w: float | None = 3000.0
    any_message: bool = False
    reads_active: bool = False
    ignores: bool = False
    forgets_on_cut: bool = False
    stands_w: float | None = None
    blind: bool = False
    refuses: bool = False
    dead_after_s: float = math.inf
    store: bool = False
    lies_w: float = 0.0
    told: Setpoint | None = None
    active: bool = False
    now_s: float = 1000.0
    heard_s: float = -math.inf
    steps: list[Any] = field(default_factory=list)

    def run(self, subject: Subject) -> Finding:
        """The proof to its end; each step takes its time."""
        proof, answer = prove(subject), None
        try:
            step = next(proof)
            while True:
                self.steps.append(step)
                try:
                    answer = self.do(step)
                except (BusTimeout, DeviceRefused) as error:
                    step = proof.throw(error)
                else:
                    step = proof.send(answer)
        except StopIteration as stop:
            finding: Finding = stop.value
            return finding

    def do(self, step: Any) -> Answer:
        if isinstance(step, Silence):
            self.now_s += step.seconds
            self._lapse()
            self.active = self.active and not (step.cut and self.forgets_on_cut)
            return Answer(at_s=self.now_s)
        if self.now_s - 1000.0 > self.dead_after_s:
            raise BusTimeout("no answer")
        if isinstance(step, Tell):
            if self.refuses:
                raise DeviceRefused(3, function=16, address=0, count=1)
            self.told, self.active, self.heard_s = step.setpoint, not self.ignores, self.now_s
            return Answer(at_s=self.now_s, accepted=self._accepted())
        assert isinstance(step, Look)
        if self.any_message:
            self.heard_s = self.now_s if self.active else self.heard_s
        return Answer(at_s=self.now_s, reading=Reading(p_w=self._p_w(), accepted=self._accepted()))

    def _lapse(self) -> None:
        if self.active and self.now_s - self.heard_s >= self.reverts_s:
            self.active = False

    @property
    def _limit_w(self) -> float | None:
        if self.told is None:
            return self.stands_w
        return self.told.p_ceiling_w if self.active else self.to_w

    def _p_w(self) -> float:
        if self.store:
            rest_w = 0.0 if self.told is not None else self.sun_w
            return (self.told.p_target_w or 0.0) if self.active and self.told is not None else rest_w
        return min(self.sun_w, math.inf if self._limit_w is None else self._limit_w + self.lies_w)

    def _accepted(self) -> Setpoint | None:
        if self.blind:
            return None
        if self.told is not None and (self.active or (self.reads_active and not self.ignores)):
            return self.told
        if self.store:
            return Setpoint(p_target_w=None if self.told is None else 0.0)
        return Setpoint(p_ceiling_w=self._limit_w)


HABITS: dict[str, tuple[Device, Subject, Proven, str]] = {
    "reverts in time": (Device(), PV, Proven.PROVEN, "it went to a limit of 3,000 W"),
    "reverts in the dark": (Device(sun_w=0.0), PV, Proven.PROVEN, "it went to a limit of 3,000 W"),
    "reverts a little late": (Device(reverts_s=70.0), PV, Proven.PROVEN, "70 s after the last word"),
    "late": (Device(reverts_s=80.0), PV, Proven.FAILED, "asked and unasked"),
    "sooner than derctl writes again": (Device(reverts_s=20.0), PV, Proven.FAILED, "sooner"),
    "to another value": (Device(to_w=5000.0), PV, Proven.FAILED, "5,000 W, where 3,000 W are declared"),
    "to no limit": (Device(to_w=None), PV, Proven.FAILED, "gives 6,000 W, where 3,000 W"),
    "to no limit, in the dark": (Device(to_w=None, sun_w=0.0), PV, Proven.FAILED, "no limit, where 3,000 W"),
    "to no limit, as declared": (Device(to_w=None), replace(PV, p_ceiling_w=None), Proven.PROVEN, "it let go of"),
    "to less than declared": (Device(to_w=2900.0), replace(PV, p_ceiling_w=3500.0), Proven.PROVEN, "2,900 W"),
    "never": (Device(reverts_s=math.inf), PV, Proven.FAILED, "its timer does not revert"),
    "never, in the dark": (Device(reverts_s=math.inf, sun_w=0.0), PV, Proven.UNCONFIRMED, "its power does not tell"),
    "starts its timer at any message": (Device(any_message=True), PV, Proven.PROVEN, "its timer starts again"),
    "the same, known": (Device(any_message=True), replace(PV, asks=False), Proven.PROVEN, "as nobody asked it"),
    "reads active after the lapse": (
        Device(to_w=None, reads_active=True), replace(PV, p_ceiling_w=None), Proven.PROVEN, "still reads what it was",
    ),
    "the same, in the dark": (
        Device(to_w=None, reads_active=True, sun_w=0.0), replace(PV, p_ceiling_w=None), Proven.UNCONFIRMED, "again",
    ),
    "the same, with a limit declared": (Device(reads_active=True, sun_w=2900.0, to_w=3000.0), PV,
                                        Proven.UNCONFIRMED, "can't be told"),
    "reads its fallback and gives more": (Device(lies_w=1000.0, sun_w=6000.0), PV, Proven.FAILED, "it gives"),
    "reads nothing back": (Device(blind=True), PV, Proven.UNCONFIRMED, "reads nothing back"),
    "ignores what it is told": (Device(ignores=True, to_w=None), PV, Proven.FAILED, "reads back otherwise"),
    "refuses": (Device(refuses=True), PV, Proven.UNCONFIRMED, "refused"),
    "is not there": (Device(dead_after_s=-1.0), PV, Proven.UNCONFIRMED, "could not be asked"),
    "goes away meanwhile": (Device(dead_after_s=30.0), PV, Proven.UNCONFIRMED, "could not be asked"),
    "has somebody's limit in it": (Device(stands_w=1000.0), PV, Proven.UNCONFIRMED, "stands in it"),
    "a store that goes to rest": (Device(store=True, sun_w=-2000.0), STORE, Proven.PROVEN, "a setpoint of 0 W"),
    "a resting store": (Device(store=True, sun_w=0.0), STORE, Proven.PROVEN, "a setpoint of 0 W"),
    "a store that goes on": (Device(store=True, sun_w=-2000.0, reverts_s=math.inf), STORE, Proven.FAILED, "keeps to"),
    "a limit that stands": (
        Device(reverts_s=math.inf), replace(PV, by=FallbackBy.STANDS), Proven.PROVEN, "stood while the connection",
    ),
    "a limit that stands no cut": (
        Device(forgets_on_cut=True, to_w=None), replace(PV, by=FallbackBy.STANDS), Proven.FAILED, "did not stand",
    ),
    "a limit that lapses": (Device(to_w=None), replace(PV, by=FallbackBy.STANDS), Proven.FAILED, "not stand"),
    "a limit that only reads as standing": (
        Device(reverts_s=math.inf, lies_w=2000.0), replace(PV, by=FallbackBy.STANDS), Proven.FAILED, "gives 5,000 W",
    ),
    "a limit that can't be read back": (
        Device(blind=True), replace(PV, by=FallbackBy.STANDS), Proven.UNCONFIRMED, "can't be read back",
    ),
    "no timer that reverts": (Device(), replace(PV, cannot="it has none"), Proven.UNPROVABLE, "it has none"),
}  # fmt: skip


@pytest.mark.parametrize("habit", HABITS)
def test_each_habit_is_found_out(habit: str) -> None:
    device, subject, verdict, text = HABITS[habit]
    found = replace(device, steps=[]).run(subject)
    assert found.verdict is verdict and text in found.text


@pytest.mark.parametrize("habit", HABITS)
def test_nothing_is_let_through_that_was_not_let_before(habit: str) -> None:
    device, subject, *_ = HABITS[habit]
    before = replace(device, steps=[])
    most_w = before.stands_w if before.stands_w is not None else subject.p_max_w
    before.run(subject)
    told = [step.setpoint for step in before.steps if isinstance(step, Tell)]
    assert all((each.p_ceiling_w or 0.0) <= most_w and (each.p_target_w or 0.0) <= most_w for each in told)


def test_what_cannot_be_kept_or_is_not_to_be_touched_is_not_written() -> None:
    for device, subject in (
        (Device(), replace(PV, cannot="it has none")),
        (Device(stands_w=1000.0), PV),
        (Device(), replace(PV, limit=False)),
    ):
        device.run(subject)
        assert not [step for step in device.steps if isinstance(step, Tell)]


@pytest.mark.parametrize(("asks", "polled"), [(True, True), (False, False)])
def test_how_long_it_took_is_measured_from_the_last_word(asks: bool, polled: bool) -> None:
    found = Device().run(replace(PV, asks=asks))
    assert found.lapsed_s is not None and found.polled is polled
    assert 60.0 <= found.lapsed_s <= 61.0 if asks else 60.0 <= found.lapsed_s <= 60.0 * 1.2 + 2.0 + 3.0


def test_a_timer_that_any_message_restarts_is_given_silence_with_the_connection_cut() -> None:
    device = Device(any_message=True)
    found = device.run(replace(PV, asks=False))
    cuts = [step for step in device.steps if isinstance(step, Silence) and step.cut]
    assert [step.seconds for step in cuts] == [late_s(PV)] and not found.polled
    assert found.went_w == 3000.0
