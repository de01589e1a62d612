"""What devices read back at first sight, and whether that is a limit at all."""

from __future__ import annotations

from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.types import DerState
from derctl.core.value import replace, value
from derctl.daemon import standing as stands
from derctl.devices import Profile
from derctl.store.journal import Journal, Left


@value
class Look:
    """raw_w: what a device reads back, since when. first: it stood there at first sight, and nothing has told yet
    what it is. empty: its power has shown that it is no limit."""

    raw_w: float | None
    since_s: float
    first: bool
    empty: bool = False


@dataclass(slots=True)
class Looks:
    """written: the journal. left: what releases left standing, which is nobody else's. unsure: by DER id, what reads
    back as a limit and may be none: it is not touched until the power has told."""

    written: Journal
    left: Left
    unsure: dict[str, float] = field(default_factory=dict)
    _last: dict[str, Look] = field(default_factory=dict)

    def reads_w(self, der: DerState, profile: Profile, t_s: float) -> float | None:
        """What it reads back. While nothing tells whether what stood there at first sight is a limit at all, it is
        unsure: None. What was seen to be none is none until something else stands there."""
        raw_w, full_w = stands.read_w(der, profile, settled=False), der.rating.p_max_w
        look = self._last.get(der.id) or Look(raw_w=raw_w, since_s=t_s, first=self._others(der.id, raw_w, full_w))
        if not stands.near(raw_w, look.raw_w, full_w):
            look = Look(raw_w=raw_w, since_s=t_s, first=False)
        settled = t_s - look.since_s > profile.settle_s
        self.unsure.pop(der.id, None)
        if raw_w is not None and look.first and not stands.told_by_power(der, profile, raw_w, settled=settled):
            self._last[der.id], self.unsure[der.id] = look, raw_w
            return None
        reads_w = full_w if look.empty else stands.read_w(der, profile, settled=settled)
        empty = reads_w != raw_w
        self._last[der.id] = replace(look, first=False, empty=empty) if look.first or look.empty != empty else look
        return reads_w

    def _others(self, der_id: str, raw_w: float | None, full_w: float) -> bool:
        """Whether what stands there at first sight may be somebody else's."""
        return der_id not in self.written.entries and not stands.near(raw_w, self.left.stands.get(der_id), full_w)

    def settle(self, der_id: str) -> float:
        """A person's word: it is a limit. Returns it; only for one that is unsure."""
        self._last[der_id] = replace(self._last[der_id], first=False)
        return self.unsure.pop(der_id)

    def forget(self, der_id: str) -> None:
        """It is another device now."""
        self.unsure.pop(der_id, None)
        self._last.pop(der_id, None)
