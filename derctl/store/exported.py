"""The energy ledger as a file for somebody else: CSV or JSON, which needs nothing but itself to be checked. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from derctl.core.text import error_text
from derctl.store.chain import BEGINNING, Broken, Head, Line, canonical, checked, line_of
from derctl.store.interval import SUMS

NAME = "derctl ledger"
VERSION = 1
ENERGY = tuple(name for name, _, _ in SUMS)
COLUMNS = ("n", "from", "to", "synced", "why", *ENERGY, "by", "silent", "hash", "record")
"""Of the CSV: `record` is the whole of it, the columns before are the same for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """site, chain: whose. first: what the oldest record hangs on. sums: Wh, of what is known."""

    site: str
    chain: str
    count: int
    first: Head
    last: Head
    begins: str
    ends: str
    sums: Mapping[str, float]
    gaps: tuple[str, ...]


def as_csv(lines: Iterable[Line]) -> Iterator[str]:
    """Line by line, with their ends."""
    yield _row(COLUMNS)
    for line in lines:
        yield _row([*_columns(line.plain).values(), line.hash, line.text])


def as_json(lines: Iterable[Line]) -> Iterator[str]:
    """One object; a record a line. The text of each is the one that its hash is of."""
    yield f'{{"ledger":{json.dumps(NAME)},"version":{VERSION},"records":[\n'
    comma = ""
    for line in lines:
        yield f'{comma}{{"hash":"{line.hash}","record":{line.text}}}'
        comma = ",\n"
    yield "\n]}\n"


def _row(cells: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _columns(plain: Mapping[str, Any]) -> dict[str, str]:
    """What people read, out of a record."""
    by = ",".join(f"{name.removesuffix('_wh')}={each}" for name, each in sorted(plain["by"].items()))
    said = {"by": by, "silent": ",".join(plain["silent"])}
    values = {**{name: plain.get(name) for name in COLUMNS if name not in {"hash", "record"}}, **said}
    return {name: _cell(value) for name, value in values.items()}


def _cell(value: Any) -> str:
    """As the record has it; nothing where it is null."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def read(text: str) -> Iterator[Line]:
    """The records of such a file. Raises Broken, or ValueError where it is none."""
    return _read_json(text) if text.lstrip()[:1] == "{" else _read_csv(text)


def _read_json(text: str) -> Iterator[Line]:
    whole = json.loads(text)
    if not isinstance(whole, dict) or whole.get("ledger") != NAME or not isinstance(whole.get("records"), list):
        raise ValueError("it is no exported ledger")
    if whole.get("version") != VERSION:
        raise ValueError(f"version {whole.get('version')!r} is not known here; {VERSION} is the newest")
    before = None
    for each in whole["records"]:
        said: Mapping[str, Any] = each if isinstance(each, dict) else {}
        before = _line(canonical(said.get("record") or {}), str(said.get("hash")), before)
        yield before


def _read_csv(text: str) -> Iterator[Line]:
    csv.field_size_limit(1_000_000)
    rows = csv.DictReader(io.StringIO(text))
    line = None
    try:
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise ValueError("it is no exported ledger: its columns are others")
        for row in rows:
            line = _line(str(row["record"]), str(row["hash"]), line)
            for name, said in _columns(line.plain).items():
                if row[name] != said:
                    raise Broken(line.n, f"column {name} says {row[name]!r}, the record {said!r}")
            yield line
    except csv.Error as error:
        raise Broken(1 if line is None else line.n + 1, str(error)) from error


def _line(text: str, said: str, before: Line | None) -> Line:
    """The record behind `before`; None: the first one of the file, counted as 1 where it says nothing. Raises
    Broken."""
    try:
        return line_of(text, said)
    except Broken as error:
        raise Broken(error.n if before is None else before.n + 1, str(error).partition(": ")[2]) from error
    except (ValueError, RecursionError) as error:
        raise Broken(1 if before is None else before.n + 1, f"it is no record ({error_text(error)})") from error


def verified(text: str, noted: Head | None = None) -> Verdict:
    """Whether the file is as it was recorded. noted: a record that somebody else has kept the hash of.

    Raises Broken (with the record at which that shows), or ValueError.
    """
    lines = list(read(text))
    if not lines:
        raise ValueError("there is no record in it")
    count, first, last = checked(lines)
    plains = [line.plain for line in lines]
    for line, plain in zip(lines, plains, strict=True):
        if (plain.get("chain"), plain.get("site")) != (plains[0].get("chain"), plains[0].get("site")):
            raise Broken(line.n, "it is of another chain, or of another site")
    if lines[0].n == 1 and first.hash != BEGINNING:
        raise Broken(1, "the first record hangs on something")
    _same(lines, noted, first, last)
    return Verdict(
        site=str(plains[0].get("site")),
        chain=str(plains[0].get("chain")),
        count=count,
        first=first,
        last=last,
        begins=str(plains[0]["from"]),
        ends=str(plains[-1]["to"]),
        sums=_sums(plains),
        gaps=tuple(_gaps(plains)),
    )


def _same(lines: Iterable[Line], noted: Head | None, first: Head, last: Head) -> None:
    if noted is None or noted == first:
        return
    if not first.n < noted.n <= last.n:
        raise Broken(noted.n, f"it was noted, and the file has records {first.n + 1} to {last.n}")
    if all((line.n, line.hash) != (noted.n, noted.hash) for line in lines):
        raise Broken(noted.n, "it is another one than was noted")


def _sums(plains: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for plain in plains:
        for name in ENERGY:
            if plain.get(name) is not None:
                found[name] = found.get(name, 0.0) + float(plain[name])
    return found


def _gaps(plains: list[dict[str, Any]]) -> Iterator[str]:
    """What was not watched, and where two do not meet."""
    before: dict[str, Any] | None = None
    for plain in plains:
        if before is not None and before["to"] != plain["from"]:
            yield f"{before['to']} to {plain['from']}: {before['why'] or 'the clock was set'}"
        if plain["why"] in {"not_running", "paused", "disk_full"}:
            yield f"{plain['from']} to {plain['to']}: {plain['why']}"
        before = plain
