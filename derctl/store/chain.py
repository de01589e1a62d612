"""Records that hang together: each carries the hash of the one before, so that none can be changed, lost or put in
between unseen. Pure. The text that is hashed is that of RFC 8785 (JSON Canonicalization Scheme)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from derctl.core.dataclass import dataclass

BEGINNING = "0" * 64
"""The hash before a first record."""
DIGITS = 3
"""Decimals that a number of a record keeps: then its text is the same in every language (RFC 8785, 3.2.2.3)."""
DEPTH_MAX = 12
"""How deep a record's values may be nested."""

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The last record of a chain. n 0: there is none yet."""

    n: int = 0
    hash: str = BEGINNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One record: its canonical text, which names the hash before, and its own hash."""

    n: int
    text: str
    hash: str

    @property
    def plain(self) -> Plain:
        found: Plain = json.loads(self.text)
        return found


class Broken(ValueError):
    """A chain does not hold. n: of the record at which that shows."""

    def __init__(self, n: int, text: str) -> None:
        super().__init__(f"record {n}: {text}")
        self.n = n


def canonical(plain: Mapping[str, Any]) -> str:
    """Sorted keys, no space, numbers as short as they are."""
    return json.dumps(_short(plain), ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def _short(value: Any, depth: int = 0) -> Any:
    """A number without needless decimals, a text that is one. What is no number, or nested too deep, is its text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        rounded = round(value, DIGITS)
        return int(rounded) if rounded.is_integer() else rounded
    if isinstance(value, str) or depth > DEPTH_MAX:
        return str(str(value).encode("utf-8", "replace"), "utf-8")
    if isinstance(value, Mapping):
        return {_short(str(key)): _short(each, depth + 1) for key, each in value.items()}
    return [_short(each, depth + 1) for each in value]


def hash_of(text: str) -> str:
    """SHA-256 of a record's text, which has the hash before in it."""
    return sha256(text.encode()).hexdigest()


def linked(head: Head, plain: Mapping[str, Any]) -> Line:
    """The next record behind the head."""
    text = canonical({**plain, "n": head.n + 1, "before": head.hash})
    return Line(n=head.n + 1, text=text, hash=hash_of(text))


def head_of(line: Line) -> Head:
    """As the next one's."""
    return Head(n=line.n, hash=line.hash)


def line_of(text: str, said: str) -> Line:
    """A record as it was kept, with the hash that stands beside it. Raises Broken, or ValueError for no record."""
    plain = json.loads(text)
    n = plain.get("n") if isinstance(plain, dict) else None
    if not isinstance(n, int) or isinstance(n, bool):
        raise ValueError("it is no record")
    if hash_of(text) != said:
        raise Broken(n, "its hash is not that of what it says: it was changed")
    return Line(n=n, text=text, hash=said)


def checked(lines: Iterable[Line], before: Head | None = None) -> tuple[int, Head, Head]:
    """Whether each hangs on the one before. before: what the first has to hang on, None: that is not known.

    Returns how many there are, what the first hangs on, and the last. Raises Broken.
    """
    count, head, first = 0, before, before
    for line in lines:
        plain = line.plain
        if head is None:
            first = head = Head(n=line.n - 1, hash=str(plain.get("before")))
        if line.n != head.n + 1:
            raise Broken(line.n, f"{_missing(head.n, line.n)} before it")
        if plain.get("before") != head.hash:
            raise Broken(line.n, f"it does not hang on record {head.n}: one of them was exchanged")
        head, count = head_of(line), count + 1
    end = head or Head()
    return count, first or Head(), end


def _missing(last: int, n: int) -> str:
    if n <= last:
        return f"record {last} stands"
    return f"record {last + 1} is missing" if n == last + 2 else f"records {last + 1} to {n - 1} are missing"
