"""The exported ledger is checked from the file alone, and each change of it is found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from derctl.store.chain import Broken, Head, Line, canonical, hash_of, head_of, linked
from derctl.store.exported import as_csv, as_json, verified
from derctl.store.interval import text_of

DOCS = (Path(__file__).parents[3] / "docs" / "interfaces.md").read_text(encoding="utf-8")
Export = Callable[[Iterable[Line]], Iterator[str]]


def plain(n: int, **more: Any) -> dict[str, Any]:
    return {
        "site": "demo",
        "chain": "ab12cd34",
        "from": text_of(900.0 * n),
        "to": text_of(900.0 * (n + 1)),
        "synced": True,
        "why": None,
        "import_wh": 12.5,
        "export_wh": 0.0,
        "generation_wh": None,
        "by": {"import_wh": "counter", "export_wh": "counter", "generation_wh": None},
        "devices": {},
        "silent": ["pv1"],
        **more,
    }


def chain(count: int = 4, **more: Any) -> list[Line]:
    head, lines = Head(), []
    for n in range(count):
        lines.append(linked(head, plain(n, **more)))
        head = head_of(lines[-1])
    return lines


both = pytest.mark.parametrize("export", [as_csv, as_json])


@both
def test_what_was_exported_is_verified_with_its_sums(export: Export) -> None:
    lines = chain()
    found = verified("".join(export(lines)))
    assert (found.site, found.chain, found.count, found.last) == ("demo", "ab12cd34", 4, head_of(lines[-1]))
    assert found.sums == {"import_wh": 50.0, "export_wh": 0.0}
    assert (found.begins, found.ends, found.gaps) == (text_of(0.0), text_of(3600.0), ())


@both
def test_a_part_of_a_ledger_can_be_verified_and_says_where_it_begins(export: Export) -> None:
    lines = chain()
    found = verified("".join(export(lines[2:])))
    assert (found.count, found.first) == (2, head_of(lines[1]))
    assert verified("".join(export(lines[2:])), head_of(lines[1])) == found


@both
@pytest.mark.parametrize(
    ("was", "is_", "n"),
    [("12.5", "10.5", 1), ("T00:15:00", "T00:16:00", 1), ("ab12cd34", "ab12cd35", 1)],
)
def test_each_changed_letter_is_found(export: Export, was: str, is_: str, n: int) -> None:
    with pytest.raises(Broken) as found:
        verified("".join(export(chain())).replace(was, is_))
    assert found.value.n == n


@both
def test_what_is_missing_in_the_middle_is_found(export: Export) -> None:
    a, _, c, d = chain()
    with pytest.raises(Broken, match="record 2 is missing"):
        verified("".join(export([a, c, d])))


def test_a_column_for_people_that_says_something_else_than_the_record_is_found() -> None:
    text = "".join(as_csv(chain()))
    first, second, *rest = text.splitlines(keepends=True)
    cells = second.split(",")
    assert cells[6] == "12.5"
    cells[6] = "9.5"
    with pytest.raises(Broken, match=r"column import_wh says '9.5', the record '12.5'"):
        verified("".join([first, ",".join(cells), *rest]))


@both
def test_a_chain_made_anew_is_found_by_a_head_that_somebody_has_kept(export: Export) -> None:
    noted = head_of(chain()[2])
    forged = "".join(export(chain(import_wh=1.0)))
    assert verified(forged).count == 4
    with pytest.raises(Broken, match="record 3: it is another one than was noted"):
        verified(forged, noted)
    with pytest.raises(Broken, match="record 4: it was noted, and the file has records 1 to 3"):
        verified("".join(export(chain(3))), head_of(chain()[3]))


def test_what_was_not_watched_is_named() -> None:
    a = linked(Head(), plain(0))
    b = linked(head_of(a), plain(1, why="not_running"))
    c = linked(head_of(b), plain(3))
    gaps = verified("".join(as_json([a, b, c]))).gaps
    assert gaps[0] == f"{text_of(900.0)} to {text_of(1800.0)}: not_running"
    assert gaps[1].startswith(f"{text_of(1800.0)} to {text_of(2700.0)}")


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "{}", '{"ledger":"derctl ledger","version":2,"records":[]}', '{"ledger": 1}']
)
def test_what_is_no_ledger_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        verified(text)


def test_two_chains_in_one_file_are_found() -> None:
    a = linked(Head(), plain(0))
    b = linked(head_of(a), plain(1, chain="00000000"))
    with pytest.raises(Broken, match="record 2: it is of another chain"):
        verified("".join(as_json([a, b])))


def test_the_record_of_the_document_has_the_hash_that_it_says() -> None:
    block = re.search(r"```json interval\n(.*?)```", DOCS, re.DOTALL)
    assert block is not None
    said = json.loads(block.group(1))
    assert said["hash"] == hash_of(canonical(said["record"]))
    assert said["hash"] in DOCS.partition("```json records")[2]
