"""The energy ledger as a file for somebody else: CSV or JSON, which needs nothing but itself to be checked. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.text import error_text
from derctl.store import seal as seals
from derctl.store.chain import BEGINNING, Broken, Head, Line, canonical, checked, line_of
from derctl.store.ed25519 import Missing
from derctl.store.interval import SUMS
from derctl.store.seal import Seal, Signed, keys_of

NAME = "derctl ledger"
VERSION = 1
ENERGY = tuple(name for name, _, _ in SUMS)
COLUMNS = ("n", "from", "to", "synced", "why", *ENERGY, "by", "silent", "hash", "record")
"""Of the CSV: `record` is the whole of it, the columns before are the same for people."""
KEY, SIGNATURE = "key", "signature"
"""In the place of a number: rows of the CSV that are no records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """site, chain: whose. first: what the oldest record hangs on. sums: Wh, of what is known. signed: by whom, up to
    which record; None: by nobody."""

    site: str
    chain: str
    count: int
    first: Head
    last: Head
    begins: str
    ends: str
    sums: Mapping[str, float]
    gaps: tuple[str, ...]
    signed: Signed | None = None


def as_csv(lines: Iterable[Line], seal: Seal | None = None) -> Iterator[str]:
    """Line by line, with their ends. The last rows are the keys and the signature, in the column of the records."""
    yield _row(COLUMNS)
    for line in lines:
        yield _row([*_columns(line.plain).values(), line.hash, line.text])
    if seal is not None:
        empty = [""] * (len(COLUMNS) - 2)
        for each in seal.keys:
            yield _row([KEY, *empty, canonical(each.plain)])
        yield _row([SIGNATURE, *empty, seal.token])


def as_json(lines: Iterable[Line], seal: Seal | None = None) -> Iterator[str]:
    """One object; a record a line. The text of each is the one that its hash is of."""
    yield f'{{"ledger":{json.dumps(NAME)},"version":{VERSION},"records":[\n'
    comma = ""
    for line in lines:
        yield f'{comma}{{"hash":"{line.hash}","record":{line.text}}}'
        comma = ",\n"
    keys = [] if seal is None else [each.plain for each in seal.keys]
    token = None if seal is None else seal.token
    yield f'\n],"keys":{json.dumps(keys)},"signature":{json.dumps(token)}}}\n'


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


def read(text: str) -> tuple[list[Line], Seal | None]:
    """The records of such a file, and who vouches for them. Raises Broken, or ValueError where it is none."""
    return _read_json(text) if text.lstrip()[:1] == "{" else _read_csv(text)


def _read_json(text: str) -> tuple[list[Line], Seal | None]:
    whole = json.loads(text)
    if not isinstance(whole, dict) or whole.get("ledger") != NAME or not isinstance(whole.get("records"), list):
        raise ValueError("it is no exported ledger")
    if whole.get("version") != VERSION:
        raise ValueError(f"version {whole.get('version')!r} is not known here; {VERSION} is the newest")
    token, lines = whole.get("signature"), list[Line]()
    for each in whole["records"]:
        said: Mapping[str, Any] = each if isinstance(each, dict) else {}
        lines.append(_line(canonical(said.get("record") or {}), str(said.get("hash")), lines))
    return lines, None if token is None else Seal(token=str(token), keys=keys_of(whole.get("keys", ())))


def _read_csv(text: str) -> tuple[list[Line], Seal | None]:
    csv.field_size_limit(1_000_000)
    rows = csv.DictReader(io.StringIO(text))
    lines, keys, token = list[Line](), list[Any](), None
    try:
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise ValueError("it is no exported ledger: its columns are others")
        for row in rows:
            if row["n"] == KEY:
                keys.append(json.loads(str(row["record"])))
            elif row["n"] == SIGNATURE:
                token = str(row["record"])
            else:
                lines.append(_row_of(row, lines))
    except csv.Error as error:
        raise Broken(_next(lines), str(error)) from error
    return lines, None if token is None else Seal(token=token, keys=keys_of(keys))


def _row_of(row: Mapping[str, str], lines: Sequence[Line]) -> Line:
    """A row behind those. Raises Broken."""
    line = _line(str(row["record"]), str(row["hash"]), lines)
    for name, said in _columns(line.plain).items():
        if row[name] != said:
            raise Broken(line.n, f"column {name} says {row[name]!r}, the record {said!r}")
    return line


def _line(text: str, said: str, lines: Sequence[Line]) -> Line:
    """The record behind those. Raises Broken."""
    try:
        return line_of(text, said)
    except Broken as error:
        raise Broken(_next(lines) if lines else error.n, str(error).partition(": ")[2]) from error
    except (ValueError, RecursionError) as error:
        raise Broken(_next(lines), f"it is no record ({error_text(error)})") from error


def _next(lines: Sequence[Line]) -> int:
    """The first one of a file counts as 1 where it says nothing."""
    return lines[-1].n + 1 if lines else 1


def verified(text: str, noted: Head | None = None, root: str | None = None) -> Verdict:
    """Whether the file is as it was recorded. noted: a record that somebody else has kept the hash of. root: a key
    that somebody had from the site before: it has to vouch for all of it.

    Raises Broken (with the record at which that shows), or ValueError.
    """
    lines, seal = read(text)
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
    signed = _vouched(lines, seal, root)
    return Verdict(
        signed=signed,
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


def _vouched(lines: list[Line], seal: Seal | None, root: str | None) -> Signed | None:
    """Raises Broken, ValueError."""
    last = lines[-1]
    if seal is None:
        if root is not None:
            raise Broken(last.n, "nobody signed it")
        return None
    try:
        signed = seals.checked(seal, root)
    except Missing:
        raise
    except ValueError as error:
        raise Broken(last.n, str(error)) from error
    whose = (last.plain.get("site"), last.plain.get("chain"))
    if (signed.what, signed.site, signed.chain) != ("ledger", *whose):
        raise Broken(last.n, "what was signed is another chain, or another site's")
    if all((line.n, line.hash) != (signed.head.n, signed.head.hash) for line in lines):
        raise Broken(last.n, f"record {signed.head.n} was signed, and it is not in the file as it was")
    if root is not None and signed.head.n != last.n:
        raise Broken(signed.head.n + 1, "nobody signed it from here on")
    return signed


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
