"""A device behind a unit id: what it answers to a request, and a log of what was written to it."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from hil.exchange import PAIR, refusal
from hil.faces.bank import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, Refused
from hil.faces.face import Face

SILENCE_S = 2.0
"""A longer pause between reads is no time in which it was read."""


def packed(words: bytes) -> bytes:
    """Words of 0 and 1 as the bits of coils: the first one is the lowest bit of the first byte."""
    bits = [word & 1 for (word,) in struct.iter_unpack(">H", words)]
    return bytes(sum(bit << i for i, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRecord:
    """One write that reached a device. `t_s` is the loop's clock; `accepted` False: the device refused it."""

    t_s: float
    unit_id: int
    address: int
    content: bytes
    accepted: bool


@dataclass(slots=True, kw_only=True)
class Counters:
    """What a unit saw since the start; `clean_s` and `spoiled_s` are the loop's clock at the last such answer.
    `mutated`: frames that a fault made bad. `blind`: writes, also lost ones, to registers that nobody had read."""

    requests: int = 0
    reads: int = 0
    writes: int = 0
    refused: int = 0
    mutated: int = 0
    blind: int = 0
    clean_s: float = -1.0
    spoiled_s: float = -1.0
    first_s: float = -1.0


class Unit:
    """A face behind a unit id, with its write log. `write_faults` see (address, content) first; None: lost.
    `readable_s`: for how long it has been read, without its silences."""

    def __init__(self, name: str, unit_id: int, face: Face) -> None:
        self.name = name
        self.unit_id = unit_id
        self.face = face
        self.count = Counters()
        self.log: list[WriteRecord] = []
        self.readable_s = 0.0
        self._read_s = -1e9
        self.unverified: dict[tuple[int, int], tuple[float, int]] = {}
        self._unseen: dict[tuple[int, int], set[int]] = {}
        self.known: set[int] = set()
        self.canaries: list[tuple[float, int]] = []
        self.write_faults: dict[int, Callable[[int, bytes], bytes | None]] = {}
        self.restarted_s = -1.0
        self.answered_s = -1.0
        self.told_s: float | None = None
        self.back_s: float | None = None

    def restart(self, now_s: float) -> None:
        """It has forgotten what it was told. `told_s` and `back_s`: until it is told a power again, from its first
        clean answer and from now."""
        self.face.power_on()
        self.restarted_s, self.answered_s = now_s, -1.0
        self.told_s = self.back_s = None

    def _told(self, now_s: float) -> None:
        command = self.face.command()
        if self.restarted_s < 0.0 or (command.p_ceiling_w is None and command.p_target_w is None):
            return
        self.told_s, self.back_s = now_s - self.answered_s, now_s - self.restarted_s
        self.restarted_s = -1.0

    def asked(self, pdu: bytes, now_s: float) -> None:
        """A request came, whatever becomes of it."""
        if self.count.first_s < 0.0:
            self.count.first_s = now_s
        if pdu[0] in (6, 16) and len(pdu) >= 5:
            address, word = PAIR.unpack_from(pdu, 1)
            self.count.blind += not self.known.issuperset(self.face.numbers(address, 1 if pdu[0] == 6 else word))

    def answer(self, pdu: bytes, now_s: float) -> bytes:
        """The PDU that goes back; empty: none."""
        self.count.requests += 1
        self.face.any_message()
        habits = self.face.habits
        if pdu[0] not in habits.functions:
            return self._refuse(pdu[0], ILLEGAL_FUNCTION)
        try:
            return self._read(pdu, now_s) if pdu[0] in (1, 2, 3, 4) else self._write(pdu, now_s)
        except Refused as refused:
            return self._refuse(pdu[0], refused.code)
        except struct.error:
            return self._refuse(pdu[0], ILLEGAL_VALUE)

    def _refuse(self, function: int, code: int) -> bytes:
        self.count.refused += 1
        return refusal(function, code)

    def _read(self, pdu: bytes, now_s: float) -> bytes:
        address, count = PAIR.unpack_from(pdu, 1)
        if not 1 <= count <= 125:
            raise Refused(ILLEGAL_VALUE)
        if count > self.face.habits.max_regs:
            raise Refused(self.face.habits.too_long_code)
        if not self.face.habits.spans and self.face.bank.over_two(address, count):
            raise Refused(ILLEGAL_ADDRESS)
        try:
            content = self.face.read(pdu[0], address, count)
        except Refused:
            if self.face.habits.unserved == "silent":
                return b""
            raise
        self.count.reads += 1
        self.readable_s += min(now_s - self._read_s, SILENCE_S)
        self._read_s = now_s
        self.known.update(self.face.numbers(address, count))
        self._seen(address, count)
        if pdu[0] in (1, 2):
            content = packed(content)
        return bytes((pdu[0], len(content))) + content

    def _write(self, pdu: bytes, now_s: float) -> bytes:
        address, word = PAIR.unpack_from(pdu, 1)
        count, content = (1, pdu[3:5]) if pdu[0] == 6 else (word, pdu[6:])
        if pdu[0] == 16 and (not 1 <= count <= 123 or len(content) != 2 * count or pdu[5] != 2 * count):
            raise Refused(ILLEGAL_VALUE)
        if pdu[0] == 16 and count == 1 and 16 not in self.face.habits.write_functions_1:
            raise Refused(ILLEGAL_FUNCTION)
        accepted = False
        try:
            self._apply(address, content)
            accepted = True
            self._told(now_s)
        finally:
            self.count.writes += 1
            record = WriteRecord(t_s=now_s, unit_id=self.unit_id, address=address, content=content, accepted=accepted)
            self.log.append(record)
        self.unverified[(address, count)] = (self.readable_s, self.count.reads)
        self._unseen.pop((address, count), None)
        return pdu[:5]

    def _apply(self, address: int, content: bytes) -> None:
        changed: bytes | None = content
        for fault in list(self.write_faults.values()):
            if changed is not None:
                changed = fault(address, changed)
        if changed is not None:
            self.face.write(address, changed)

    def _seen(self, address: int, count: int) -> None:
        """Reads that cover a written range verify it, in parts too."""
        for key in list(self.unverified):
            rest = self._unseen.setdefault(key, set(self.face.numbers(*key)))
            rest.difference_update(self.face.numbers(address, count))
            if not rest:
                del self.unverified[key], self._unseen[key]
