"""Which DER was ever found in the life of the state directory, and what it promises; told to store/state as plain
values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from derctl.core.text import serial_text
from derctl.core.types import Fallback, Rating
from derctl.core.value import replace
from derctl.core.words import FallbackBy, Timer
from derctl.devices import Device
from derctl.site import DerSection, fallback_of
from derctl.site.absence import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A DER that was found once. keeps: what makes its fallback true, whatever watts the site file gives.

    stranger_w: the rating of another device that answered in its place since then, None: none did.
    """

    serial: str
    rating: Rating
    writable: bool
    timer: Timer
    model: int | None
    keeps: tuple[FallbackBy, ...]
    stranger_w: float | None = None

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
    )


@dataclass(slots=True)
class Known:
    """By DER id. A record of another serial than the site file's counts for nothing."""

    of: dict[str, Once] = field(default_factory=dict)

    def found(self, section: DerSection) -> Found | None:
        """What the site file's DER is known to promise; None: it was never found under its serial."""
        record = self.record(section)
        return None if record is None else record.found(fallback_of(section))

    def record(self, section: DerSection) -> Once | None:
        """Of the device that the site file means."""
        record = self.of.get(section.id)
        if record is None or (section.serial and serial_text(section.serial) != record.serial):
            return None
        return record

    def learn(self, der_id: str, device: Device) -> bool:
        """It is there, under its serial. Returns whether that is new."""
        record = once(device)
        changed = self.of.get(der_id) != record
        self.of[der_id] = record
        return changed

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


def revived(plain: Mapping[str, Any]) -> tuple[dict[str, Once], dict[str, str]]:
    """Back from a file, by DER id, and what was wrong with the others: those were never found, then."""
    good, refused = dict[str, Once](), dict[str, str]()
    for name, each in plain.items():
        try:
            good[name] = msgspec.convert(each, Once)
        except msgspec.ValidationError as error:
            refused[name] = str(error)
    return good, refused
