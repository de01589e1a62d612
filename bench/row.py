"""One row of the table: a ratio first, what it was made of second, and what it means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HEAD = ("", "ratio", "aim", "", "measured", "against", "what it means")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """ratio: the figure to look at. aim: what it should reach; at_least: from above. measured, against: in unit.

    also: further figures of the same measurement, by name.
    """

    row: str
    ratio: float
    aim: float
    measured: float
    against: float
    unit: str
    means: str
    also: dict[str, float]
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.ratio >= self.aim if self.at_least else self.ratio <= self.aim

    def cells(self) -> tuple[str, ...]:
        also = "".join(f"; {name} {value:.4g}" for name, value in self.also.items())
        return (
            self.row,
            f"{self.ratio:.2f}",
            f"{'>=' if self.at_least else '<='} {self.aim:g}",
            "ok" if self.met else "MISSED",
            f"{self.measured:.4g} {self.unit}",
            f"{self.against:.4g} {self.unit}",
            self.means + also,
        )


def table(rows: Iterable[Row]) -> str:
    """Aligned text."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    )
