"""What is written down of a DER, by the two journals that say it: written beats left, and unknown is not nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from derctl.core.types import Fallback
from derctl.core.words import Record
from derctl.daemon.actuate.records import GONE_S, Records
from derctl.store.folder import Folder
from derctl.store.journal import FILE, LEFT, Journal

OURS = {"pv1": Fallback(), "pv2": Fallback()}


def records(path: Path, told: list[Any] | None = None) -> Records:
    heard = [] if told is None else told
    return Records(Journal(Folder(path, path)), lambda: "12:00", lambda *event: heard.append(event))


def loaded(path: Path, *, touch: bool = True, told: list[Any] | None = None) -> Records:
    made = records(path, told)
    made.load(OURS, touch=touch)
    return made


@pytest.mark.parametrize(
    ("written", "left", "pv1", "pv2"),
    [
        ("{}", "{}", Record.NOTHING, Record.NOTHING),
        ('{"pv1": {}}', "{}", Record.WRITTEN, Record.NOTHING),
        ('{"pv1": {}}', '{"pv1": {"stands_w": 1}, "pv2": {"stands_w": 1}}', Record.WRITTEN, Record.LEFT),
        ("{}", '{"pv1": null}', Record.MISSING, Record.NOTHING),
        ("{}", None, Record.NOTHING, Record.NOTHING),
        (None, None, Record.MISSING, Record.MISSING),
        (None, '{"pv1": {"stands_w": 1}}', Record.LEFT, Record.MISSING),
        ('{"pv1": {}}', "[1]", Record.WRITTEN, Record.MISSING),
        ("[1]", "{}", Record.WRITTEN, Record.WRITTEN),
    ],
)
def test_what_is_written_down_of_each_der_is_what_both_files_say(
    tmp_path: Path, written: str | None, left: str | None, pv1: Record, pv2: Record
) -> None:
    for name, content in ((FILE, written), (LEFT, left)):
        if content is not None:
            (tmp_path / name).write_text(content)
    found = loaded(tmp_path)
    assert (found.of("pv1"), found.of("pv2")) == (pv1, pv2)


def test_who_only_looks_moves_no_file(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("[1]")
    told: list[Any] = []
    assert loaded(tmp_path, touch=False, told=told).of("pv1") is Record.WRITTEN
    assert {path.name for path in tmp_path.iterdir()} == {FILE}
    [(event, who, _)] = told
    assert (event, who) == ("journal_unreadable", "")


async def test_a_write_ends_what_was_known_to_be_left(tmp_path: Path) -> None:
    kept = records(tmp_path)
    kept.leave("pv1", 2000.0, 0.0)
    assert (kept.of("pv1"), kept.contradicted) == (Record.LEFT, {"pv1": 0.0})
    kept.note("pv1", Fallback())
    assert kept.unsaved
    await kept.save()
    again = loaded(tmp_path)
    assert (again.of("pv1"), again.left.stands, again.contradicted, again.unsaved) == (Record.WRITTEN, {}, {}, False)


def test_what_reads_back_empty_is_believed_only_when_it_stays_so(tmp_path: Path) -> None:
    kept = records(tmp_path)
    kept.leave("pv1", 2000.0, None)
    for empty, now_s, found in (
        (["pv1"], 0.0, Record.LEFT),
        (["pv1"], GONE_S, Record.LEFT),
        ([], GONE_S + 1.0, Record.LEFT),
        (["pv1"], GONE_S + 2.0, Record.LEFT),
        (["pv1"], 2.0 * GONE_S + 1.0, Record.LEFT),
        (["pv1"], 2.0 * GONE_S + 3.0, Record.NOTHING),
    ):
        kept.empty(empty, now_s)
        assert kept.of("pv1") is found, now_s
