"""Which DER was ever found in the life of the state directory, and what it promises; told to store/state as plain
values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

import msgspec

from derctl.core.dataclass import dataclass
from derctl.core.text import serial_text
from derctl.core.types import Fallback, Rating
from derctl.core.value import replace
from derctl.core.words import FallbackBy, Timer
from derctl.daemon.channel.believed import readable
from derctl.devices import Device, Identity
from derctl.site import DerSection, fallback_of
from derctl.site.absence import Found
from derctl.store.folder import Folder
from derctl.store.proofs import Proof
from derctl.store.sealed import first_good
from derctl.store.state import FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A DER that was found once. keeps: what makes its fallback true, whatever watts the site file gives.

    stranger_w: the rating of another device that answered in its place since then, None: none did.
    identity: who it said it is, with the firmware that is relied on. newer: other firmware that it says since then,
    and that nobody has acknowledged; "": none; stood_w: what it was held to when that was seen. replaced: serial of
    the one whose place it took by an operator's word.
    """

    serial: str
    rating: Rating
    writable: bool
    timer: Timer
    model: int | None
    keeps: tuple[FallbackBy, ...]
    stranger_w: float | None = None
    identity: Identity = field(default_factory=Identity)
    newer: str = ""
    stood_w: float | None = None
    replaced: str = ""

    def found(self, fallback: Fallback) -> Found:
        """As if its driver said it now."""
        kept = fallback.p_ceiling_w is not None and fallback.by in self.keeps
        full = self.rating.p_max_w
        return Found(
            p_max_w=full,
            absent_w=max(fallback.p_ceiling_w or 0.0, 0.0) if kept else full,
            writable=self.writable,
            timer=self.timer,
            model=self.model,
        )


def once(device: Device) -> Once:
    """What is worth remembering of a device. A ceiling of 0 W tells whether it keeps one at all."""
    keeps = tuple(by for by in FallbackBy if device.absent_w(Fallback(p_ceiling_w=0.0, by=by)) <= 0.0)
    return Once(
        serial=serial_text(device.identity.serial),
        rating=device.rating,
        writable=device.can.steer,
        timer=device.reversion.timer,
        model=device.reversion.model,
        keeps=keeps if device.rating.p_max_w > 0.0 else tuple(FallbackBy),
        identity=device.identity,
    )


def relied(before: Once | None, now: Once) -> Once:
    """What is known of the same device after another look: the firmware that is relied on stays until somebody says
    so, and what it doesn't tell now stays as it was."""
    if before is None or before.serial != now.serial:
        return now
    now = replace(now, replaced=before.replaced, stood_w=before.stood_w)
    return relying_on(before.identity.firmware, now, newer=before.newer)


def relying_on(firmware: str, now: Once, *, newer: str = "") -> Once:
    """With the firmware that is relied on, where that can be read. newer: what was known to be newer before."""
    told = now.identity.firmware
    if not readable(firmware):
        return replace(now, stood_w=None)
    newer = newer if not readable(told) else "" if told == firmware else told
    stood_w = now.stood_w if newer else None
    return replace(now, identity=replace(now.identity, firmware=firmware), newer=newer, stood_w=stood_w)


@dataclass(slots=True)
class Known:
    """By DER id. A record of another serial than the site file's counts for nothing.

    proofs: what `verify` found of their fail-safes.
    news: who has other firmware since the last look at this, with what to say of it.
    """

    of: dict[str, Once] = field(default_factory=dict)
    proofs: dict[str, Proof] = field(default_factory=dict)
    news: list[tuple[str, str]] = field(default_factory=list)

    def found(self, section: DerSection) -> Found | None:
        """What the site file's DER is known to promise; None: it was never found under its serial."""
        record = self.record(section)
        return None if record is None else record.found(fallback_of(section))

    def record(self, section: DerSection) -> Once | None:
        """Of the device that the site file means."""
        record = self.of.get(section.id)
        if record is None or not section.serial:
            return record
        return record if serial_text(section.serial) in {record.serial, record.replaced} else None

    def heir(self, section: DerSection) -> str | None:
        """The serial number of the one that took the place of the site file's, by an operator's word."""
        record = self.record(section)
        return record.serial if record is not None and section.serial and record.replaced else None

    def put(self, der_id: str, record: Once) -> None:
        """This one took its place."""
        self.of[der_id] = record
        if record.newer:
            self.news.append((der_id, firmware_text(record)))

    def rating(self, section: DerSection, told: Identity) -> Rating | None:
        """At which this device was found; None: it never was, or it is another one."""
        record = self.record(section)
        return None if record is None or record.serial != serial_text(told.serial) else record.rating

    def learn(self, der_id: str, device: Device) -> bool:
        """It is there, under its serial. Returns whether that is new."""
        before = self.of.get(der_id)
        record = relied(before, once(device))
        if record.newer and (before is None or before.newer != record.newer):
            self.news.append((der_id, firmware_text(record)))
        self.of[der_id] = record
        return before != record

    def due(self, section: DerSection) -> Once | None:
        """What is known of a DER whose new firmware nobody has acknowledged; None: nothing is to be acknowledged."""
        record = self.record(section)
        return record if record is not None and record.newer and section.control else None

    def acknowledge(self, der_id: str | None) -> dict[str, Once]:
        """Its new firmware is relied on from now on (None: of all). Returns what was known of those before."""
        found = {name: each for name, each in self.of.items() if der_id in {None, name} and each.newer}
        for name, each in found.items():
            self.of[name] = replace(
                each, identity=replace(each.identity, firmware=each.newer), newer="", stood_w=None
            )
        return found

    def stood(self, der_id: str, watts: float) -> None:
        """What it was held to when its new firmware was seen: more than that waits for a word."""
        self.of[der_id] = replace(self.of[der_id], stood_w=watts)

    def replaced(self, der_id: str, stranger_w: float) -> bool:
        """Another device answers in its place. Returns whether that is new."""
        record = self.of.get(der_id)
        if record is None or record.stranger_w == stranger_w:
            return False
        self.of[der_id] = replace(record, stranger_w=stranger_w)
        return True

    def plain(self) -> dict[str, Any]:
        """For a file."""
        made: dict[str, Any] = msgspec.to_builtins(self.of)
        return made


def firmware_text(record: Once) -> str:
    """What to say of new firmware."""
    return (
        f"its firmware is {record.newer}, and {record.identity.firmware} was relied on: it is told"
        " no more than what stood then until `arm` or `acknowledge`"
    )


def revived(plain: Mapping[str, Any]) -> tuple[dict[str, Once], dict[str, str]]:
    """Back from a file, by DER id, and what was wrong with the others: those were never found, then."""
    good, refused = dict[str, Once](), dict[str, str]()
    for name, each in plain.items():
        try:
            good[name] = msgspec.convert(each, Once)
        except msgspec.ValidationError as error:
            refused[name] = str(error)
    return good, refused


def known_before(folder: Folder) -> Known:
    """By the state file alone, for a release without a daemon: who took whose place. What can't be read: none."""
    try:
        raw, _ = first_good(
            folder.read, FILE, lambda content, checked: msgspec.json.decode(content, type=dict[str, Any])
        )
        return Known(revived((raw or {}).get("known") or {})[0])
    except (OSError, ValueError, AttributeError):
        return Known()
