"""The registers that a device is decoded from, by block: of its last poll, and of slow blocks while they count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Read, Registers
from derctl.core.scales import NONE, Scale, doubt, seen
from derctl.daemon.channel import slow as slows
from derctl.daemon.channel.slow import Slow
from derctl.devices import Device
from derctl.devices.blocks import Blocks
from derctl.devices.sunspec.limits import BLOCK


@dataclass(slots=True)
class Answers:
    """Of one device: what was read of another says nothing of it. slow: which slow block is next, and when each was
    read. blocks: what was found out about its requests. scales: which scale factors count, by block."""

    words: Mapping[str, Registers] = field(default_factory=dict)
    slow: Slow = field(default_factory=Slow)
    blocks: Blocks = field(default_factory=Blocks)
    scales: dict[Read, Scale] = field(default_factory=dict)

    def doubt(self, read: Read, words: Registers) -> str:
        """Why this answer is none, in words: its scale factors do not count yet."""
        if not read.scales:
            return ""
        before = self.scales.get(read, NONE)
        now = seen(before, read, words)
        if now is not before:
            self.scales[read] = now
        return "" if now.counts else doubt(now, read)

    def polled(self, fresh: Mapping[str, Registers], refusals: Mapping[str, str]) -> Mapping[str, Registers]:
        """What this poll is decoded from. What a refused block of limits permitted counts no more; a refused control
        group keeps what a write needs."""
        self.words = words = {**self.words, **fresh}
        if not refusals:
            return words
        if BLOCK in refusals:
            self.words = {name: each for name, each in words.items() if name != BLOCK}
        return {name: each for name, each in words.items() if name not in refusals}

    def answered(self, name: str, words: Registers, now_s: float) -> None:
        """A slow block was read."""
        self.words = {**self.words, name: words}
        self.slow = slows.answered(self.slow, name, now_s)

    def expire(self, now_s: float) -> None:
        """An answer of a slow block that is too old counts no more."""
        gone = slows.expired(self.slow, now_s)
        if gone:
            self.slow = slows.without(self.slow, gone)
            self.words = {name: words for name, words in self.words.items() if name not in gone}

    def moved(self, before: Device, whole: Device) -> None:
        """The same device with more than before: what was read from the same registers still counts."""
        old = {**before.slow, **before.control}
        kept = {name for name, read in {**whole.slow, **whole.control}.items() if old.get(name) == read}
        self.words = {name: words for name, words in self.words.items() if name in kept}
        self.slow = slows.without(self.slow, self.slow.read_s.keys() - kept)

    def soc_s(self, device: Device) -> float | None:
        """When the state of charge was read, where that is not in each poll."""
        return None if BLOCK in device.control else self.slow.read_s.get("soc")
