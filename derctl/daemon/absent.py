"""What the site does without derctl, by what is known of the devices that were found last, or ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import NamedTuple

from derctl.core.dataclass import dataclass
from derctl.core.text import serial_text
from derctl.core.types import Rating
from derctl.core.value import replace
from derctl.core.words import Bind
from derctl.daemon.channel.binding import Binding
from derctl.daemon.channel.channel import Channel
from derctl.daemon.known import Known
from derctl.daemon.proofs import unproven_text
from derctl.devices import Device
from derctl.site import Absence, DerSection, Site, der_absence, fallback_of, found_of, rating_of
from derctl.site.absence import DerAbsence

DARK_PU = 0.01
"""What gives less than this share of its rating may be asleep, and hide the models that it is written by."""


class Seen(NamedTuple):
    """The device that was found last; the rating of another that answers in its place, and why that one is refused;
    whether the one that was found hides now what it was once found with."""

    last: Device | None
    stranger_w: float | None
    refused: str
    hides: bool


@dataclass(slots=True)
class Absent:
    """channels: by DER id. Worked out anew when a device is found or lost for good.

    too_slow: the buses that can't keep a deadline of control, by the profiles that are found now.

    known: who was found in the life of the state directory. changed: it has grown, and is to be saved.
    """

    site: Site
    channels: Mapping[str, Channel]
    known: Known = field(default_factory=Known)
    changed: Callable[[], None] = lambda: None
    too_slow: str = ""
    _of: dict[str, tuple[Seen, DerAbsence]] = field(default_factory=dict)
    _whole: Absence | None = None
    _sections: dict[str, DerSection] = field(init=False)

    def __post_init__(self) -> None:
        self._sections = {section.id: section for section in self.site.file.ders}

    def whole(self) -> Absence:
        """The site's."""
        ders = tuple(self.of(section.id) for section in self.site.file.ders)
        before, unproven = self._whole, unproven_text(self.site.file, self.known)
        if (
            before is None
            or (before.too_slow, before.unproven) != (self.too_slow, unproven)
            or any(a is not b for a, b in zip(ders, before.ders, strict=True))
        ):
            before = self._whole = Absence(
                ders=ders,
                limit_w=self.site.limit_w,
                phase_limit_w=self.site.phase_limit_w,
                too_slow=self.too_slow,
                unproven=unproven,
            )
        return before

    def of(self, der_id: str) -> DerAbsence:
        """One DER's part of it."""
        section, known = self._sections[der_id], self._of.get(der_id)
        binding = self.channels[der_id].bond.binding
        if known is not None and self._same(known[0], binding):
            return known[1]
        seen = self._seen(section)
        if known is None or known[0].last is not seen.last or known[0][1:] != seen[1:]:
            self._learn(der_id, seen)
            known = self._of[der_id] = (seen, replace(self._part(section, seen), refused=seen.refused))
        return known[1]

    def _same(self, seen: Seen, binding: Binding) -> bool:
        """Whether nothing can be another than it was then: what most ticks find, in which no more is looked at."""
        last = binding.last
        if last is None or last is not seen.last or not last.can.steer or binding.state is Bind.REFUSED:
            return False
        return binding.stranger_w == seen.stranger_w and not (seen.refused or seen.hides)

    def _seen(self, section: DerSection) -> Seen:
        """An inverter that drops its control model at night is the one that it was by day."""
        binding = self.channels[section.id].bond.binding
        last = binding.last
        hides = last is not None and not last.can.steer and self._hides(section, last)
        refused = binding.text if binding.state is Bind.REFUSED else ""
        return Seen(last, binding.stranger_w, refused, hides=hides)

    def _hides(self, section: DerSection, last: Device) -> bool:
        record = self.known.record(section)
        if record is None or not record.writable:
            return False
        dark = (self.channels[section.id].measured.reading.p_w or 0.0) <= DARK_PU * last.rating.p_max_w
        return (dark or _half(last)) and record.serial == serial_text(last.identity.serial)

    def rating(self, section: DerSection, v_nom_v: float) -> Rating:
        """Of the device that was found last, or ever, or as the site file declares it; of another one in its place
        the larger active power."""
        last = self.channels[section.id].bond.binding.last
        if last is not None:
            return last.rating
        record = self.known.record(section)
        rating = rating_of(section, v_nom_v) if record is None else record.rating
        stranger_w = self._stranger_w(section)
        return rating if stranger_w is None else replace(rating, p_max_w=max(rating.p_max_w, stranger_w))

    def _learn(self, der_id: str, seen: Seen) -> None:
        new = seen.last is not None and not (seen.hides or _half(seen.last)) and self.known.learn(der_id, seen.last)
        if seen.last is None and seen.stranger_w is not None:
            new = self.known.replaced(der_id, seen.stranger_w)
        if new:
            self.changed()

    def _part(self, section: DerSection, seen: Seen) -> DerAbsence:
        once = self.known.found(section)
        found = once if seen.hides else found_of(seen.last, fallback_of(section)) or once
        return der_absence(section, found, None if seen.last is not None else self._stranger_w(section))

    def _stranger_w(self, section: DerSection) -> float | None:
        """A restart does not make another device the right one."""
        now_w, record = self.channels[section.id].bond.binding.stranger_w, self.known.record(section)
        return now_w if now_w is not None or record is None else record.stranger_w


def _half(device: Device) -> bool:
    """Whether it was found without all that it can be told: what it was known to promise stands."""
    return bool(device.lacks) and not device.can.steer
