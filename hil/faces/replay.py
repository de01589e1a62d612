"""A recording as it stands: every register that somebody read, nothing behind it, and no writes."""

import re
from collections.abc import Iterable, Iterator, Mapping

from hil.faces.bank import ILLEGAL_ADDRESS, Bank, Refused
from hil.faces.face import Face
from hil.faces.personality import Personality
from hil.faces.view import Rating, SiteView
from hil.recordings import Recording
from hil.scenario import ScenarioError

READS = (3, 4)
PROBE = re.compile("0x([0-9A-F]{4})(?: read on its own|-0x[0-9A-F]{4} in one read)")
FROM_ONE = "(1-based)"
"""In a recording's `anomalies`: its numbers are those of a document that counts from 1."""


class Words(Bank):
    """Registers by address, with holes where nothing was recorded."""

    def __init__(self, words: Mapping[int, int]) -> None:
        super().__init__([], end=False)
        self.words = dict(words)
        self.alone: dict[int, int] = {}

    def probed(self, probes: Iterable[tuple[int, list[int]]]) -> None:
        """What the registers were in reads of their own."""
        for address, words in probes:
            if len(words) == 1:
                self.alone[address] = words[0]
            else:
                self.words |= {address + i: word for i, word in enumerate(words) if address + i not in self.words}

    def read(self, address: int, count: int) -> bytes:
        """Refused(2) where one of them was not recorded. alone: what a register is when it is read by itself."""
        if count == 1 and address in self.alone:
            return self.alone[address].to_bytes(2, "big")
        wanted = range(address, address + count)
        if any(at not in self.words for at in wanted):
            raise Refused(ILLEGAL_ADDRESS)
        return b"".join(self.words[at].to_bytes(2, "big") for at in wanted)


class Replay(Face):
    """Answers the read functions that it was recorded with. parts: recordings of one device, of one function each or
    of several stretches."""

    def __init__(self, *parts: Recording) -> None:
        words: dict[int, dict[int, int]] = {}
        for recorded in parts:
            function = recorded.get("function_code")
            if function not in READS:
                raise ScenarioError(f"function_code is {function}; a recording of registers has 3 or 4")
            there = words.setdefault(function, {})
            there |= {int(address) - first_of(recorded): int(word) for address, word in recorded["registers"].items()}
        habits = Personality(functions=tuple(words), latency_s=(0.0, 0.0))
        super().__init__([], habits, Rating(p_max_w=0.0, s_max_va=0.0, q_max_var=0.0))
        self.spaces = {function: Words(each) for function, each in words.items()}
        for recorded in parts:
            self.spaces[recorded["function_code"]].probed(probed(recorded))
        self.bank = next(iter(self.spaces.values()))

    def read(self, function: int, address: int, count: int) -> bytes:
        """Of that function's registers."""
        return self.spaces[function].read(address, count)

    def fill(self, view: SiteView) -> None:
        """It stands still."""


def probed(recorded: Recording) -> Iterator[tuple[int, list[int]]]:
    """Where its probes of the same registers begin, and what they read: a probe of one register is what that is when
    nothing is read beside it."""
    for probe in (recorded.get("probes") or {}).values():
        asked = PROBE.match(str(probe.get("question", "")))
        if asked is not None and probe.get("words") and str(int(asked[1], 16)) in recorded["registers"]:
            yield int(asked[1], 16), [int(word) for word in probe["words"]]


def first_of(recorded: Recording) -> int:
    """What the wire has as register 0."""
    return int(any(FROM_ONE in str(each) for each in recorded.get("anomalies") or ()))
