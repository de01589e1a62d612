"""Who judged what: a row for each, and the table of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """judge: the software that others wrote. compared: how many values and answers. wrong: those that differ.

    why_not: nothing was judged, and why.
    """

    judge: str
    wire: str
    what: str
    compared: int = 0
    wrong: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def word(self) -> str:
        if self.why_not:
            return "NOT JUDGED"
        return "agrees" if self.compared and not self.wrong else "DIFFERS"


def failed(rows: Iterable[Row]) -> bool:
    """Whether any row differs. What was not judged is said aloud, and is no failure."""
    return any(row.word == "DIFFERS" for row in rows)


def table(rows: Sequence[Row], versions: Mapping[str, str] | None = None) -> str:
    """For people; what differs stands below its row. versions: of the judges, by name."""
    head = ("judge", "wire", "what", "compared", "")
    names = [f"{row.judge} {(versions or {}).get(row.judge, '')}".strip() for row in rows]
    numbers = ["" if row.why_not else str(row.compared) for row in rows]
    texts = zip(names, numbers, rows, strict=True)
    cells = [head, *((name, row.wire, row.what, number, row.word) for name, number, row in texts)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    ]
    shown = [lines[0]]
    for row, line in zip(rows, lines[1:], strict=True):
        shown.append(line)
        shown += [f"    {text}" for text in ([row.why_not] if row.why_not else row.wrong)]
    return "\n".join(shown)


def differing(theirs: dict[str, object], ours: dict[str, object], names: Iterable[str]) -> tuple[str, ...]:
    """Each name whose two values aren't the same."""
    found = []
    for name in names:
        left, right = theirs.get(name, "not there"), ours.get(name, "not there")
        if not same(left, right):
            found.append(f"{name}: {left!r} there, {right!r} here")
    return tuple(found)


def same(left: object, right: object) -> bool:
    """Numbers to what a float has in it; text up to its first NUL, without the blanks around it.

    What isn't implemented is None, or no text.
    """
    if isinstance(left, str) and isinstance(right, str):
        return left.partition("\0")[0].strip() == right.strip()
    if isinstance(left, int | float) and isinstance(right, int | float):
        return abs(left - right) <= 1e-6 * max(abs(left), abs(right), 1.0)
    return left == right or (left in ("", None) and right in ("", None))
