"""How far a device has been found and can be believed: one frozen state, and what each look makes of it. Pure."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from derctl.core.dataclass import dataclass
from derctl.core.types import Rating
from derctl.core.value import replace
from derctl.core.words import Bind, Reason
from derctl.daemon.channel.believed import merged
from derctl.daemon.channel.parts import Parts
from derctl.devices import Device, Identity

REBIND_S = 5.0
"""A device that isn't found is looked for this often."""
BACK_S, BACK_TRIES = 1.0, 60
"""One that was found before is looked for this often at first: it may have restarted."""
LOOK_MOST_S = 60.0
"""One that was found incomplete is looked at again after REBIND_S, doubled up to this."""
SILENT_S = 10.0
"""A device that was silent for so long may be another one: it is asked who it is before anything else."""
START_S = 10.0
"""A device that isn't found yet is `starting` for so long before it is called unreachable."""
REFUSED_LIMIT = 3
"""Polls refused with exception 2 in a row after which the map is walked again (docs/sources.md)."""


class Look(StrEnum):
    """What a poll saw: a reading, registers that stand still or say nothing, no answer, or another device."""

    READ = "read"
    STILL = "still"
    BLANK = "blank"
    SILENT = "silent"
    WRONG = "wrong"


STATES: dict[Look, Bind] = {
    Look.READ: Bind.OK,
    Look.STILL: Bind.FROZEN,
    Look.BLANK: Bind.UNMEASURED,
    Look.SILENT: Bind.UNREACHABLE,
    Look.WRONG: Bind.REFUSED,
}
"""The state after a look, whatever was before; only a device that is starting may be silent for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """reason and text: what stands behind the state.

    device: the one that was found, None while none is. parts: what of it is refused. more: the same one, found with
    more than before, until a poll has read it. last: the one that was found last, kept while it can't be found; None
    once another one answers in its place. barred: one that is not as the site file says: it is only read.
    stranger_w: the rating of that one or of the other, until the right one is found again. known: who it said it is,
    rated: and at which rating, whole. generation: the connection on which it said so. refused: polls refused in a
    row, unsure: identities that could not be read in a row. looks: since something gave reason to look. next_s: when
    it is looked for again at the soonest. looked_on: the connection on which it was.
    """

    state: Bind = Bind.STARTING
    reason: Reason | None = Reason.UNREACHABLE
    text: str = "not found yet"
    device: Device | None = None
    parts: Parts = field(default_factory=Parts)
    more: Device | None = None
    last: Device | None = None
    barred: Device | None = None
    stranger_w: float | None = None
    known: Identity | None = None
    rated: Rating | None = None
    generation: int = -1
    refused: int = 0
    unsure: int = 0
    looks: int = 0
    next_s: float = -1e9
    looked_on: int = -1

    def due(self, now_s: float) -> bool:
        """Whether it is time to look for it."""
        return now_s >= self.next_s

    @property
    def incomplete(self) -> bool:
        """Another look may find more."""
        return self.device is not None and bool(self.device.lacks or (self.parts.why and self.parts.lost))

    @property
    def missing(self) -> str:
        """What can't be given back now, in words: what it refuses, or all that it could be told."""
        whole, left = self.device, self.parts.left
        if whole is None:
            return ""
        if whole.lacks and not whole.can.steer:
            return f"found without {', '.join(whole.lacks)}"
        return self.parts.text(whole) if left is not None and left.can != whole.can else ""


def seen(binding: Binding, look: Look, reason: Reason | None, text: str, *, age_s: float) -> Binding:
    """After a poll. age_s: since the daemon began to look."""
    early = binding.state is Bind.STARTING and look is Look.SILENT and age_s < START_S
    state = binding.state if early else STATES[look]
    if (state, reason, text) == (binding.state, binding.reason, binding.text):
        return binding
    return replace(binding, state=state, reason=reason, text=text)


def news(before: Binding, now: Binding) -> str | None:
    """The name of the event that tells of a change of state; that a device is there at the start is no news."""
    if now.state is before.state or (before.state, now.state) == (Bind.STARTING, Bind.OK):
        return None
    return f"device_{now.state}"


def looked_for(binding: Binding, now_s: float) -> Binding:
    """It is being looked for; not again for a while."""
    return replace(binding, looks=binding.looks + 1, next_s=now_s + _pause_s(binding))


def _pause_s(binding: Binding) -> float:
    if binding.device is not None:
        return float(min(LOOK_MOST_S, REBIND_S * 2.0 ** min(binding.looks, 16)))
    return BACK_S if binding.last is not None and binding.looks < BACK_TRIES else REBIND_S


def again(binding: Binding) -> Binding:
    """Something gives reason to look now."""
    return replace(binding, looks=0, next_s=-1e9)


def connected(binding: Binding, generation: int) -> Binding:
    """The wire is up; on a new connection there may be more than before."""
    return binding if binding.looked_on == generation else replace(again(binding), looked_on=generation)


def found(
    binding: Binding, device: Device, generation: int, now_s: float = -1e9, told: Identity | None = None
) -> Binding:
    """It answers, and is the right one. generation: of the connection before it was asked.

    One that lacks something is looked at again.
    """
    return replace(
        binding,
        device=device,
        parts=Parts(),
        more=None,
        last=device,
        barred=None,
        stranger_w=None,
        known=merged(binding.known, told or device.identity),
        rated=binding.rated if device.lacks else device.rating,
        generation=generation,
        refused=0,
        unsure=0,
        looks=1,
        next_s=now_s + REBIND_S,
    )


def gained(binding: Binding, device: Device) -> Binding:
    """The same device, found with more than before."""
    rated = binding.rated if device.lacks else device.rating
    return replace(binding, device=device, parts=Parts(), more=None, last=device, rated=rated)


def better(device: Device, than: Device) -> bool:
    """Whether another look has found more, or the same elsewhere. What it missed in passing is no loss."""
    fewer = len(device.lacks) < len(than.lacks)
    moved = (device.rating, device.control) != (than.rating, than.control)
    return fewer or (moved and len(device.lacks) == len(than.lacks))


def verified(binding: Binding, generation: int, told: Identity | None = None) -> Binding:
    """The same device answers on a new connection. generation: of the connection before it was asked. told: who it
    said it is."""
    known = binding.known if told is None else merged(binding.known, told)
    return replace(binding, known=known, generation=generation, unsure=0)


def unsure(binding: Binding) -> Binding:
    """Who it is can't be read: nothing changes, but after REFUSED_LIMIT in a row it is found anew."""
    count = binding.unsure + 1
    return forgotten(binding) if count >= REFUSED_LIMIT else replace(binding, unsure=count)


def doubted(binding: Binding) -> Binding:
    """It may be another one since: it has to say who it is."""
    return replace(binding, generation=-1)


def another(binding: Binding, rated_w: float = 0.0) -> Binding:
    """Something else answers in its place: what was promised by the one before counts no more. rated_w: what it can
    give, 0 where it isn't even of the right kind."""
    return replace(_lost(binding), last=None, barred=None, stranger_w=rated_w)


def barred(binding: Binding, device: Device) -> Binding:
    """The right one, and not as the site file says: it is read and never written, and promises nothing."""
    return replace(_lost(binding), last=None, barred=device, stranger_w=device.rating.p_max_w)


def forgotten(binding: Binding) -> Binding:
    """It has to be found anew."""
    looks = binding.looks if binding.device is None else 0
    return replace(_lost(binding), barred=None, refused=0, unsure=0, looks=looks)


def _lost(binding: Binding) -> Binding:
    """What was found of it goes with it."""
    return replace(binding, device=None, parts=Parts(), more=None)


def refused(binding: Binding) -> Binding:
    """Its map doesn't have what it had; after REFUSED_LIMIT in a row it is found anew."""
    count = binding.refused + 1
    return forgotten(binding) if count >= REFUSED_LIMIT else replace(binding, refused=count)


def answered(binding: Binding) -> Binding:
    """A poll came through."""
    return replace(binding, refused=0) if binding.refused else binding
