"""Between the proof of a fail-safe and a real device: who it is about, its steps carried out, and the record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

import msgspec

from derctl.commission.trial import (
    Alone,
    Answer,
    Finding,
    Kill,
    Look,
    Meet,
    Pull,
    Silence,
    Step,
    Subject,
    Tell,
    Watch,
)
from derctl.commission.verify import Proof
from derctl.core.dataclass import dataclass
from derctl.core.text import serial_text
from derctl.core.types import Reading
from derctl.core.value import replace
from derctl.core.words import FallbackBy, Proven, Timer
from derctl.daemon.actuate.proving import Proving
from derctl.daemon.actuate.text import setpoint_text
from derctl.devices import Device, Profile
from derctl.links.carried import carried
from derctl.site import DerSection, Site, absence_of, der_absence, fallback_of, found_of
from derctl.site.absence import Found, sum_text
from derctl.store import proofs


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a proof is asked for; over the socket the arguments of its call. ders: (): all that lack one that
    counts, or all where it is asked for in another way than the usual one.

    asked: ask while a timer runs out also where any message starts it again. cable: a person pulls each cable.
    second: a second client polls afterwards. kill: the daemon is killed. yes: nobody is asked. witnessed: who saw the
    limit that is kept in each DER with `by: device`.
    """

    ders: tuple[str, ...] = ()
    asked: bool = False
    cable: bool = False
    second: bool = False
    kill: bool = False
    yes: bool = False
    witnessed: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None

    @property
    def again(self) -> bool:
        """Also of those whose proof counts."""
        return bool(self.ders) or self.asked or self.cable or self.second or self.kill


SETTLE_MOST_S = 10.0
LOOKS = 60.0
"""How often a device is looked at while its timer runs, at most."""


def subject_of(section: DerSection, device: Device, profile: Profile, wanted: Wanted) -> Subject:
    """One DER as its driver and its profile have it."""
    rating, after_s = device.rating, section.fallback.after_s
    return Subject(
        by=FallbackBy(section.fallback.by),
        p_ceiling_w=section.fallback.p_ceiling_w,
        after_s=after_s,
        p_max_w=rating.p_max_w,
        p_min_w=rating.p_min_w,
        limit=device.can.limit,
        aim=device.can.aim,
        tolerance_w=profile.tolerance_pct / 100.0 * rating.size_w / 2.0,
        settle_s=min(profile.settle_s, SETTLE_MOST_S, after_s / 3.0),
        poll_s=max(after_s / LOOKS, 0.5, 2.0 * profile.min_interval_s),
        own_timer_s=profile.own_timer_s,
        cable=wanted.cable,
        second=wanted.second,
        asks=wanted.asked or profile.timer_rearm != "any_message",
        cannot=_cannot(section, device, profile),
    )


def _cannot(section: DerSection, device: Device, profile: Profile) -> str:
    """Why the declared fallback is more than this device can do; "": it may be true."""
    limited = section.fallback.p_ceiling_w is not None
    why = der_absence(section, found_of(device, fallback_of(section))).why if limited else None
    failsafe = f" ({profile.name}: {profile.about.failsafe})" if profile.about.failsafe else ""
    if why is not None:
        return f"{why.removeprefix(f'{section.id}: ')}{failsafe}"
    if fallback_of(section).by is FallbackBy.REVERSION and device.reversion.timer is Timer.NONE:
        return f"it has no timer that reverts, so what it is told last stands for good{failsafe}"
    return ""


@dataclass(slots=True)
class Run:
    """Carries the steps of one DER's proof. say: what happens, for people. kill: when the daemon may be killed."""

    at: Proving
    der: str
    say: Callable[[str], None]
    kill: Callable[[Kill], Awaitable[Answer]] | None = None
    cable: bool = False

    async def carry(self, proof: Proof) -> Finding:
        """To its end. Raises OSError where the journal can't be saved."""
        try:
            return await carried(proof, self._done)
        finally:
            await self.at.alone(self.der)

    async def _done(self, step: Step) -> Answer:
        at, reading = self.at, Reading()
        if isinstance(step, Look):
            reading = await at.look(self.der)
        elif isinstance(step, Tell):
            accepted = await at.tell(self.der, step.setpoint)
            until = "again and again until the cable is out" if self.cable else "and nothing more from now on"
            self.say(f"{self.der}: told {setpoint_text(step.setpoint)}, {until}")
            return Answer(accepted=accepted, at_s=at.now_s())
        elif isinstance(step, Pull):
            again = (step.setpoint, step.every_s)
            away_s = await at.unplugged(self.der, step.seconds, again, self._ask)
            return Answer(away_s=away_s, at_s=at.now_s())
        elif isinstance(step, Kill):
            assert self.kill is not None
            return await self.kill(step)
        elif isinstance(step, Silence):
            if step.cut:
                self.say(f"{self.der}: unplugged for {step.seconds:.0f} s: the connection is closed")
            await at.silence(self.der, step.seconds, cut=step.cut)
        else:
            reading = await self._beside(step)
        return Answer(reading=reading, at_s=at.now_s())

    async def _beside(self, step: Meet | Watch | Alone) -> Reading:
        if isinstance(step, Meet):
            self.say(f"{self.der}: a second client connects")
            return await self.at.meet(self.der)
        if isinstance(step, Watch):
            return await self.at.watch(self.der, step.seconds)
        await self.at.alone(self.der)
        return Reading()

    def _ask(self, text: str) -> None:
        self.say(f"{self.der}: {text}")


def recorded(section: DerSection, finding: Finding, at: Proving, device: Device) -> proofs.Proof:
    """For the state directory: what was found, of whom, under which declaration."""
    given, who = section.fallback, device.identity
    return proofs.Proof(
        verdict=finding.verdict,
        serial=serial_text(who.serial),
        firmware=who.firmware,
        by=FallbackBy(given.by),
        p_ceiling_w=given.p_ceiling_w,
        after_s=given.after_s,
        at=at.clock.stamp(),
        profile=at.writer(section.id).channel.measured.profile.name,
        lapsed_s=finding.lapsed_s,
        went_w=finding.went_w,
        polled=finding.polled,
        text=finding.text,
        how=finding.how,
        beside=finding.beside,
    )


def measured(
    site: Site, devices: Mapping[str, Device | None], found: Mapping[str, Finding]
) -> dict[str, Found | None]:
    """What each DER gives without derctl; one whose fallback failed counts with its rating, whatever it promises."""
    known: dict[str, Found | None] = {}
    for der in site.file.ders:
        promised, finding = found_of(devices[der.id], fallback_of(der)), found.get(der.id)
        if promised is not None and finding is not None and finding.verdict is Proven.FAILED:
            promised = replace(promised, absent_w=promised.p_max_w)
        known[der.id] = promised
    return known


def contract_of(site: Site, known: Mapping[str, Found | None]) -> tuple[str, bool]:
    """The site without derctl in words, and whether it keeps the contract, or has none."""
    absence = absence_of(site.file.ders, known, site.limit_w, site.phase_limit_w)
    if absence.limit_w is None:
        return f"{sum_text(absence)}; no contract_export_limit stands against it", True
    return f"{sum_text(absence)}: the contract {'holds' if absence.holds else 'is broken'}", absence.holds
