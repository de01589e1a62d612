"""What the registers of a poll say, and when they have to be decoded for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from derctl.core.exchange import Registers
from derctl.core.types import Rating, Reading
from derctl.daemon.channel.sight import decoded
from tests import make


@dataclass
class Counting:
    """Its one register is its power, kW; it notes what it decoded."""

    rating: Rating = field(default_factory=make.rating)
    asked: list[Any] = field(default_factory=list)

    def decode(self, answers: dict[str, Registers]) -> Reading:
        self.asked.append(answers["ac"])
        return Reading(p_w=1e3 * answers["ac"][0])


def device(**rating: float) -> Any:
    return Counting(rating=make.rating(**rating))


def test_registers_that_have_not_changed_are_decoded_once() -> None:
    pv = device()
    first = decoded(None, pv, {"ac": (3,)})
    again = decoded(first, pv, {"ac": (3,)})
    assert again is first
    assert pv.asked == [(3,)]


def test_one_register_that_moves_is_decoded_with_all_the_others() -> None:
    pv = device()
    first = decoded(None, pv, {"ac": (3,), "ctl": (1,)})
    assert decoded(first, pv, {"ac": (3,), "ctl": (2,)}) is not first
    assert decoded(first, pv, {"ac": (4,), "ctl": (1,)}).reading.p_w == 4000.0
    assert decoded(first, pv, {"ac": (3,)}) is not first, "a block that is missing tells less"


def test_the_same_registers_of_a_device_that_was_found_anew_say_something_else() -> None:
    """Its rating may be another one, and its scale."""
    first = decoded(None, device(p_max_w=10_000.0), {"ac": (9,)})
    found = decoded(first, device(p_max_w=5_000.0, s_max_va=5_000.0), {"ac": (9,)})
    assert (first.reading.p_w, found.seen.p_w, found.reading.p_w) == (9000.0, 9000.0, None)
