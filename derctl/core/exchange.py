"""What a driver may ask of the outside: a generator yields these and is sent the answer, or has the error thrown."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Read `count` registers from `address` (0-based wire address). Answered by a `Sequence[int]` of that length."""

    address: int
    count: int
    function: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Write `values` (raw 16-bit registers) at `address`. function 16 (block) or 6 (one register). Answered by ()."""

    address: int
    values: tuple[int, ...]
    function: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Let at least `seconds` pass before the next request of this exchange. Answered by ()."""

    seconds: float


Op = Read | Write | Pause
Registers = Sequence[int]
T = TypeVar("T")
Exchange = Generator[Op, Registers, T]
"""An exchange that ends with a `T`. BusError and DeviceRefused are thrown into it at the yield that failed."""
