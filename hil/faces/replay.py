"""A recording as it stands: every register that somebody read, nothing behind it, and no writes."""

from collections.abc import Mapping

from hil.faces.bank import ILLEGAL_ADDRESS, Bank, Refused
from hil.faces.face import Face
from hil.faces.personality import Personality
from hil.faces.view import Rating, SiteView
from hil.recordings import Recording
from hil.scenario import ScenarioError

READS = (3, 4)


class Words(Bank):
    """Registers by address, with holes where nothing was recorded."""

    def __init__(self, words: Mapping[int, int]) -> None:
        super().__init__([], end=False)
        self.words = words

    def read(self, address: int, count: int) -> bytes:
        """Refused(2) where one of them was not recorded."""
        wanted = range(address, address + count)
        if any(at not in self.words for at in wanted):
            raise Refused(ILLEGAL_ADDRESS)
        return b"".join(self.words[at].to_bytes(2, "big") for at in wanted)


class Replay(Face):
    """Answers the one read function that it was recorded with."""

    def __init__(self, recorded: Recording) -> None:
        function = recorded.get("function_code")
        if function not in READS:
            raise ScenarioError(f"function_code is {function}; a recording of registers has 3 or 4")
        habits = Personality(functions=(function,), latency_s=(0.0, 0.0))
        super().__init__([], habits, Rating(p_max_w=0.0, s_max_va=0.0, q_max_var=0.0))
        self.bank = Words({int(address): int(word) for address, word in recorded["registers"].items()})

    def fill(self, view: SiteView) -> None:
        """It stands still."""
