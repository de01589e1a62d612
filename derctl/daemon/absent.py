"""What the site does without derctl, by what is known of the devices that were found last, or ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from derctl.core.types import Rating
from derctl.core.words import Bind
from derctl.daemon.channel.channel import Channel
from derctl.daemon.known import Known
from derctl.devices import Device
from derctl.site import Absence, DerSection, Site, der_absence, fallback_of, found_of, rating_of
from derctl.site.absence import DerAbsence

Seen = tuple[Device | None, float | None, str]
"""The device that was found last, the rating of another that answers in its place, and why that one is refused."""


@dataclass(slots=True)
class Absent:
    """channels: by DER id. Worked out anew when a device is found or lost for good.

    known: who was found in the life of the state directory. changed: it has grown, and is to be saved.
    """

    site: Site
    channels: Mapping[str, Channel]
    known: Known = field(default_factory=Known)
    changed: Callable[[], None] = lambda: None
    _of: dict[str, tuple[Seen, DerAbsence]] = field(default_factory=dict)
    _whole: Absence | None = None

    def whole(self) -> Absence:
        """The site's."""
        ders = tuple(self.of(section.id) for section in self.site.file.ders)
        if self._whole is None or any(a is not b for a, b in zip(ders, self._whole.ders, strict=True)):
            self._whole = Absence(ders=ders, limit_w=self.site.limit_w)
        return self._whole

    def of(self, der_id: str) -> DerAbsence:
        """One DER's part of it."""
        binding = self.channels[der_id].binding
        seen = (binding.last, binding.stranger_w, binding.text if binding.state is Bind.REFUSED else "")
        known = self._of.get(der_id)
        if known is None or known[0][0] is not seen[0] or known[0][1:] != seen[1:]:
            self._learn(der_id, seen[0], seen[1])
            part = replace(self._part(self._section(der_id), seen[0], seen[1]), refused=seen[2])
            known = self._of[der_id] = (seen, part)
        return known[1]

    def rating(self, section: DerSection, v_nom_v: float) -> Rating:
        """Of the device that was found last, or ever, or as the site file declares it; of another one in its place
        the larger active power."""
        last, record = self.channels[section.id].binding.last, self.known.record(section)
        if last is not None:
            return last.rating
        rating = rating_of(section, v_nom_v) if record is None else record.rating
        stranger_w = self._stranger_w(section)
        return rating if stranger_w is None else replace(rating, p_max_w=max(rating.p_max_w, stranger_w))

    def _learn(self, der_id: str, last: Device | None, stranger_w: float | None) -> None:
        new = last is not None and not _half(last) and self.known.learn(der_id, last)
        if last is None and stranger_w is not None:
            new = self.known.replaced(der_id, stranger_w)
        if new:
            self.changed()

    def _part(self, section: DerSection, last: Device | None, stranger_w: float | None) -> DerAbsence:
        found = found_of(last, fallback_of(section))
        if found is None or (last is not None and _half(last)):
            found = self.known.found(section) or found
        return der_absence(section, found, None if last is not None else self._stranger_w(section))

    def _stranger_w(self, section: DerSection) -> float | None:
        """A restart does not make another device the right one."""
        now_w, record = self.channels[section.id].binding.stranger_w, self.known.record(section)
        return now_w if now_w is not None or record is None else record.stranger_w

    def _section(self, der_id: str) -> DerSection:
        return next(section for section in self.site.file.ders if section.id == der_id)


def _half(device: Device) -> bool:
    """Whether it was found without all that it can be told: what it was known to promise stands."""
    return bool(device.lacks) and not device.can.steer
