"""What the site does without derctl, by what is known of the devices that were found last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from derctl.core.words import Bind
from derctl.daemon.channel.channel import Channel
from derctl.devices import Device
from derctl.site import Absence, Site, der_absence, fallback_of, found_of
from derctl.site.absence import DerAbsence


@dataclass(slots=True)
class Absent:
    """channels: by DER id. Worked out anew when a device is found or lost for good."""

    site: Site
    channels: Mapping[str, Channel]
    _of: dict[str, tuple[Device | None, DerAbsence]] = field(default_factory=dict)
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
        last, refused = binding.last, binding.text if binding.state is Bind.REFUSED else ""
        known = self._of.get(der_id)
        if known is None or known[0] is not last or known[1].refused != refused:
            section = next(section for section in self.site.file.ders if section.id == der_id)
            part = replace(der_absence(section, found_of(last, fallback_of(section))), refused=refused)
            known = self._of[der_id] = (last, part)
        return known[1]
