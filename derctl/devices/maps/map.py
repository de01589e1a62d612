"""What a register map says, as data."""

from __future__ import annotations

from collections.abc import Mapping

from derctl.core.dataclass import dataclass
from derctl.devices.fact import Fact
from derctl.devices.maps.control import Control
from derctl.devices.maps.line import Connection, Line, Mark
from derctl.devices.maps.quantities import PHASE_POWERS
from derctl.devices.nominal import System


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMap:
    """kind: of the catalogue. maker, model: who it is, where no line tells. fact: of lines that have none of their
    own. step: from one register's number to the next one's. gap: so many registers that no line wants may be read
    along. shown: lines for people only. control: what may be written. system: how all of them are connected;
    connection: what each of them says of that."""

    kind: str
    maker: str
    model: str
    fact: Fact
    signature: tuple[Mark, ...]
    lines: tuple[Line, ...]
    shown: tuple[Line, ...] = ()
    system: System | None = None
    connection: Connection | None = None
    control: Control | None = None
    step: int = 1
    gap: int = 0

    @property
    def name(self) -> str:
        """`Maker Model`."""
        return f"{self.maker} {self.model}".strip()

    @property
    def summed(self) -> bool:
        """Whether its power is what its phases add up to."""
        return not self.named({"p_w": ""}) and len(self.named(dict.fromkeys(PHASE_POWERS, ""))) == len(PHASE_POWERS)

    def named(self, names: Mapping[str, str]) -> tuple[Line, ...]:
        """The lines of these quantities."""
        return tuple(line for line in self.lines if line.name in names)
