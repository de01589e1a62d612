"""The chain: each record names the hash of the one before, in the text that RFC 8785 prescribes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from derctl.store.chain import BEGINNING, Broken, Head, Line, canonical, checked, head_of, line_of, linked


def chain(count: int) -> list[Line]:
    head, lines = Head(), []
    for n in range(count):
        lines.append(linked(head, {"wh": n / 4.0, "text": "größer"}))
        head = head_of(lines[-1])
    return lines


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ({"b": 1, "a": 2.0}, '{"a":2,"b":1}'),
        ({"a": 0.1 + 0.2}, '{"a":0.3}'),
        ({"a": [True, None, 1.23456]}, '{"a":[true,null,1.235]}'),
        ({"a": "€ä"}, '{"a":"€ä"}'),
        ({"a": float("nan")}, '{"a":"nan"}'),
        ({"a": "\ud800"}, '{"a":"?"}'),
    ],
)
def test_the_text_is_the_canonical_one(plain: dict[str, Any], text: str) -> None:
    """RFC 8785, 3.2: keys sorted, no space, a number as ECMAScript writes it (2 for 2.0), text as it is."""
    assert canonical(plain) == text


def test_what_is_nested_without_end_is_a_text() -> None:
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    assert len(canonical({"a": deep})) < 2000


def test_a_record_is_hashed_as_anybody_would() -> None:
    [line] = chain(1)
    assert json.loads(line.text)["before"] == BEGINNING == "0" * 64
    assert line.hash == hashlib.sha256(line.text.encode()).hexdigest()


def test_a_whole_chain_holds_and_so_does_its_end() -> None:
    lines = chain(5)
    assert checked(lines) == (5, Head(), head_of(lines[-1]))
    assert checked(lines[2:]) == (3, head_of(lines[1]), head_of(lines[-1]))
    assert checked([]) == (0, Head(), Head())


def test_what_was_changed_is_found() -> None:
    line = chain(2)[1]
    with pytest.raises(Broken, match="record 2: its hash") as found:
        line_of(line.text.replace("0.25", "9.25"), line.hash)
    assert found.value.n == 2


def test_what_is_missing_exchanged_or_twice_there_is_found() -> None:
    a, b, c, d = chain(4)
    for lines, n, text in (
        ([a, c, d], 3, "record 2 is missing before it"),
        ([a, d], 4, "records 2 to 3 are missing before it"),
        ([a, b, b], 2, "record 2 stands before it"),
    ):
        with pytest.raises(Broken, match=text) as found:
            checked(lines)
        assert found.value.n == n
    other = linked(head_of(a), {"wh": 7.0})
    with pytest.raises(Broken, match="record 3: it does not hang on record 2"):
        checked([a, other, c])


@pytest.mark.parametrize("text", ["[]", '{"n":true}', '{"n":"1"}', "no"])
def test_what_is_no_record_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        line_of(text, "")
