"""A file that is not as it was saved is never believed: its copy is, and where that is broken too, nobody knows."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from derctl.store.answered import Answered
from derctl.store.folder import Folder
from derctl.store.journal import FILE as WRITTEN
from derctl.store.journal import LEFT, Book, Journal, Left
from derctl.store.sealed import copy_of, opened, sealed
from derctl.store.state import FILE, UNKNOWN, ArmWord, Surviving, load, save

FLIPS = 300
DISARMED = Surviving(
    saved=1.5,
    word=ArmWord(armed=False, by="anna", since="noon"),
    requests=[{"kind": "limit_power", "id": "a", "by": "ops", "p_ceiling_w": 1500.0, "remaining_s": 3.0}],
    seen={"ops": Answered(ids={"a": (1.0, 2.0)})},
)
ENTRIES = {"pv1": {"since": "noon", "fallback": {"p_ceiling_w": 2000.0}}, "pv2": {"stands_w": 10.0}}


def flipped(content: bytes, chance: random.Random) -> bytes:
    at, bit = chance.randrange(len(content)), chance.randrange(8)
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


@pytest.mark.parametrize("content", [b"{}", b'{"a":1}', b'{"a":{"b":[]}}'])
def test_what_was_sealed_is_one_json_object_and_opens_to_the_same(content: bytes) -> None:
    raw = sealed(content)
    assert opened(raw) == content and opened(content) is None
    assert json.loads(raw) == {"sha256": raw[11:75].decode(), **json.loads(content)}


@pytest.mark.parametrize("content", [b"{}", b'{"a":1}'])
def test_no_cut_and_no_single_bit_opens(content: bytes) -> None:
    raw = sealed(content)
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            assert opened(bytes(changed)) is None, "it looks like an older one, which has no checksum"
        except ValueError as error:
            assert "checksum" in str(error)
    for size in range(12, len(raw)):
        with pytest.raises(ValueError, match="checksum"):
            opened(raw[:size])


@pytest.mark.parametrize("both", [False, True], ids=["one copy", "both copies"])
@pytest.mark.parametrize("seed", [8])
async def test_no_flipped_bit_of_the_state_forgets_a_disarm_or_alters_a_request(
    tmp_path: Path, both: bool, seed: int
) -> None:
    chance, folder = random.Random(seed), Folder(tmp_path, tmp_path)
    await save(folder, DISARMED)
    good = (tmp_path / FILE).read_bytes()
    for _ in range(FLIPS):
        for name in (FILE, copy_of(FILE)) if both else (chance.choice((FILE, copy_of(FILE))),):
            (tmp_path / name).write_bytes(flipped(good, chance))
        state, problem = load(folder)
        assert state == (Surviving(word=UNKNOWN) if both else DISARMED)
        assert problem is not None or (tmp_path / FILE).read_bytes() == good
        for name in (FILE, copy_of(FILE)):
            (tmp_path / name).write_bytes(good)


@pytest.mark.parametrize("book", [Journal, Left])
async def test_no_flipped_bit_of_a_journal_loses_an_entry(tmp_path: Path, book: type[Book]) -> None:
    chance, folder = random.Random(9), Folder(tmp_path, tmp_path)
    name = book.file
    await folder.replace(name, json.dumps(ENTRIES, separators=(",", ":")).encode())
    good = (tmp_path / name).read_bytes()
    for _ in range(FLIPS):
        (tmp_path / name).write_bytes(flipped(good, chance))
        journal = book(folder)
        problem = journal.load()
        assert (journal.entries, journal.unsaved) == (ENTRIES, True)
        assert problem is not None and copy_of(name) in problem


@pytest.mark.parametrize("book", [Journal, Left])
async def test_a_journal_of_which_both_copies_are_broken_is_a_value_error_and_never_empty(
    tmp_path: Path, book: type[Book]
) -> None:
    chance, folder = random.Random(10), Folder(tmp_path, tmp_path)
    name = book.file
    for entries in (b"{}", json.dumps(ENTRIES, separators=(",", ":")).encode()):
        await folder.replace(name, entries)
        good = (tmp_path / name).read_bytes()
        for _ in range(FLIPS):
            for each in (name, copy_of(name)):
                (tmp_path / each).write_bytes(flipped(good, chance))
            with pytest.raises(ValueError, match=name):
                book(folder).load()


@pytest.mark.parametrize(
    "content", ['{"pv1": 5}', '{"pv1": {"stands_w": "much"}}', '{"pv1": {"since": 5}}', "[]", '""']
)
def test_an_older_journal_with_an_entry_of_another_kind_is_a_value_error(tmp_path: Path, content: str) -> None:
    (tmp_path / LEFT).write_text(content)
    with pytest.raises(ValueError):
        Left(Folder(tmp_path, tmp_path)).load()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\x00" * 400, b"[]", b'{"version":6}', b'{"version":5}', b'{"version":4}']
)
async def test_a_state_that_is_none_is_its_copy_and_without_one_a_disarm(tmp_path: Path, content: bytes) -> None:
    folder = Folder(tmp_path, tmp_path)
    await save(folder, DISARMED)
    (tmp_path / FILE).write_bytes(content)
    state, problem = load(folder)
    assert state == DISARMED and problem is not None
    assert (tmp_path / f"{FILE}.unreadable").read_bytes() == content
    (tmp_path / copy_of(FILE)).write_bytes(content)
    assert load(folder)[0] == Surviving(word=UNKNOWN)
    (tmp_path / FILE).unlink()
    assert load(folder)[0] == Surviving(word=UNKNOWN), "gone, with a broken copy: no first start"


async def test_a_state_file_that_is_gone_is_its_copy(tmp_path: Path) -> None:
    folder = Folder(tmp_path, tmp_path)
    await save(folder, DISARMED)
    (tmp_path / FILE).unlink()
    state, problem = load(folder)
    assert state == DISARMED and problem is not None and copy_of(FILE) in problem


async def test_a_journal_that_somebody_took_away_is_missing_whatever_its_copy_says(tmp_path: Path) -> None:
    folder = Folder(tmp_path, tmp_path)
    await folder.replace(WRITTEN, b"{}")
    (tmp_path / WRITTEN).unlink()
    journal = Journal(folder)
    assert journal.load() is None and journal.missing


async def test_what_the_card_took_is_counted(tmp_path: Path) -> None:
    folder = Folder(tmp_path, tmp_path)
    await save(folder, DISARMED)
    assert (folder.writes, folder.bytes) == (2, 2 * (tmp_path / FILE).stat().st_size)
