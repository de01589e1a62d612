"""The proofs of a site, one DER after the other: for `derctl verify`, alone or inside a running daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Any, Protocol

from derctl.cli.proof import Run, Wanted, contract_of, measured, recorded, subject_of
from derctl.cli.standing import standing
from derctl.commission.told import harmless
from derctl.commission.trial import Answer, Finding, Kill, Subject, late_s, stands_s
from derctl.commission.verify import prove, until_killed
from derctl.core.text import gives_text, power_text
from derctl.core.types import Reading
from derctl.core.words import FallbackBy, Proven, Released
from derctl.daemon.actuate.proving import Proving
from derctl.daemon.proofs import counts
from derctl.errors import BusError, CommandError
from derctl.site import DerSection, Site
from derctl.site.absence import attested
from derctl.store import proofs
from derctl.store.proofs import Proof

ON_RECORD = frozenset({Proven.PROVEN, Proven.WITNESSED})
AGAIN = "that counts; `derctl verify {0}` proves it again"

At = Callable[[], AbstractAsyncContextManager[Proving]]


class Voice(Protocol):
    """Who is told and asked."""

    def say(self, text: str) -> None:
        """A line."""

    async def agrees(self, text: str) -> bool:
        """Whether a person says yes."""

    async def kill(self, der: str, subject: Subject, kill: Kill) -> Answer:
        """The daemon is killed now."""


def chosen_of(site: Site, names: Sequence[str]) -> list[DerSection]:
    """Raises CommandError for a DER that the site file lacks, or of which there is nothing to prove."""
    known = {der.id: der for der in site.file.ders}
    for name in names:
        if name not in known:
            raise CommandError("no_der", f"no DER {name!r}; known are {', '.join(known)}")
        if not known[name].control:
            text = f"{name}: derctl doesn't write it (by the site file), so there is nothing to prove"
            raise CommandError("nothing_new", text)
    return [known[name] for name in names] or [der for der in known.values() if der.control]


async def verified(
    site: Site, at: At, wanted: Wanted, voice: Voice, on_record: Callable[[dict[str, Proof]], None]
) -> Any:
    """What was found, as plain values: `ders`, `contract`, `waits_for`, and of how many (`of`). on_record: told of
    the proofs that are saved. Raises CommandError, OSError."""
    chosen = chosen_of(site, wanted.ders)
    made: Proving | None = None
    try:
        async with at() as made:
            return await _Proofs(site, made, wanted, voice, on_record).all_of(chosen)
    finally:
        if made is not None:
            fallbacks = {der.id: der.fallback.p_ceiling_w for der in site.file.ders}
            back = {
                name: asdict(each) for name, each in made.given_back.items() if each.result != Released.NOT_WRITTEN
            }
            for line in standing(back, {}, fallbacks):
                voice.say(f"given back: {line}")


class _Proofs:
    """found: by DER id."""

    def __init__(
        self,
        site: Site,
        at: Proving,
        wanted: Wanted,
        voice: Voice,
        on_record: Callable[[dict[str, Proof]], None],
    ) -> None:
        self.site, self.at, self.wanted, self.voice, self.on_record = site, at, wanted, voice, on_record
        self.found: dict[str, Finding] = {}

    async def all_of(self, chosen: Sequence[DerSection]) -> dict[str, Any]:
        """One after the other. Each is on record when it is done."""
        at, found = self.at, self.found
        known, _ = proofs.load(at.folder)
        devices = dict(zip([der.id for der in self.site.file.ders], await _found(self.site, at), strict=True))
        due = 0
        for der in chosen:
            device = devices[der.id]
            if device is not None and not device.can.steer:
                self.voice.say(f"{der.id}: derctl can only read it, so there is nothing to prove")
                continue
            if not self.wanted.again and counts(der, known.get(der.id), device):
                self.voice.say(
                    f"{der.id}: {known[der.id].verdict} on {known[der.id].at[:10]}: {AGAIN.format(der.id)}"
                )
                continue
            due += 1
            finding = await self._one(der, device)
            if finding is None:
                self.voice.say(f"{der.id}: left out")
                continue
            found[der.id] = finding
            self.voice.say(f"{der.id}: {finding.verdict.upper()}: {finding.text}")
            if device is not None and not (attested(der) and self.wanted.witnessed is None):
                known[der.id] = recorded(der, finding, at, device)
                await proofs.save(at.folder, known)
                self.on_record(known)
        text, holds = contract_of(self.site, measured(self.site, devices, found))
        return {
            "ders": {name: asdict(each) for name, each in found.items()},
            "contract": {"holds": holds, "text": text},
            "waits_for": lacking(self.site, devices, known),
            "of": due,
        }

    async def _one(self, der: DerSection, device: Any) -> Finding | None:
        """None: nobody agreed."""
        at, voice = self.at, self.voice
        if device is None:
            text = at.writer(der.id).channel.bond.binding.text or "it does not answer"
            return Finding(verdict=Proven.UNCONFIRMED, text=text)
        if attested(der):
            return witnessed(der, self.wanted.witnessed)
        subject = subject_of(der, device, at.writer(der.id).channel.measured.profile, self.wanted)
        async with at.lends(der.id):
            if not await self._agreed(der.id, subject):
                return None

            async def kill(step: Kill) -> Answer:
                return await voice.kill(der.id, subject, step)

            proof = until_killed(subject) if self.wanted.kill else prove(subject)
            return await Run(at, der.id, voice.say, kill, self.wanted.cable).carry(proof)

    async def _agreed(self, name: str, subject: Subject) -> bool:
        """What will be written, how long it takes and what it may do; and whether that is agreed to."""
        if subject.cannot:
            return True
        try:
            reading = await self.at.look(name)
        except BusError:
            return True
        told = harmless(subject, reading)
        if isinstance(told, str):
            return True
        self.voice.say(f"{name}: {_plan(subject, reading, told)}")
        return self.wanted.yes or await self.voice.agrees(f"{name}: go on? [y/N] ")


def lacking(site: Site, devices: Mapping[str, Any], known: Mapping[str, Proof]) -> list[str]:
    """Who still lacks a proof that control asks for."""
    if not site.file.site.require_proof:
        return []
    written = [
        der.id for der in site.file.ders if der.control and (devices[der.id] is None or devices[der.id].can.steer)
    ]
    sections = {der.id: der for der in site.file.ders}
    return [name for name in written if not counts(sections[name], known.get(name), devices[name])]


def witnessed(section: DerSection, name: str | None) -> Finding:
    """Of a limit that is kept in the device: nothing is written."""
    ceiling_w = section.fallback.p_ceiling_w
    limit = "no limit" if ceiling_w is None else f"a limit of {ceiling_w:,.0f} W"
    if name is None:
        text = (
            f"{limit} is kept in the device, and derctl can't measure it: look at it there, and say --witnessed NAME"
        )
        return Finding(verdict=Proven.UNCONFIRMED, text=text)
    return Finding(verdict=Proven.WITNESSED, text=f"{name} saw {limit} in the device; derctl did not measure it")


async def _found(site: Site, at: Proving) -> list[Any]:
    return await asyncio.gather(*(at.find(der.id) for der in site.file.ders))


def _plan(subject: Subject, reading: Reading, told: Any) -> str:
    gives = "it gives nothing that is known" if reading.p_w is None else f"it {gives_text(reading.p_w)}"
    what = f"a setpoint of {power_text(told.p_target_w)}" if told.p_target_w is not None else None
    what = what or f"a limit of {told.p_ceiling_w:,.0f} W"
    left_w = None if told.p_target_w is not None else subject.p_ceiling_w
    after = "" if left_w is None else f". Afterwards a limit of {left_w:,.0f} W, its fallback, is left in it"
    if subject.by is FallbackBy.STANDS:
        return (
            f"{gives}; it will be told {what}, which has to stand while derctl is unplugged for"
            f" {stands_s(subject):g} s{after}"
        )
    goal = "to no limit" if subject.p_ceiling_w is None else f"to {subject.p_ceiling_w:,.0f} W or less"
    most_s = late_s(subject) * (2.0 if subject.asks else 1.0)
    return (
        f"{gives}; it will be told {what}, and has to leave that and go {goal} by itself {subject.after_s:g} s after"
        f" derctl falls silent. It may give {subject.p_max_w:,.0f} W then if it does not; this takes up to"
        f" {most_s:.0f} s{after}"
    )
