"""One bit of a record turns over, in any file that records are kept in: each start goes on, nothing that was changed
is taken for a record, and whoever verifies is told where."""

from __future__ import annotations

import collections
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from derctl.store import audit, shadow
from derctl.store.audit import AuditFile
from derctl.store.chain import Broken, Head, Line, checked
from derctl.store.exported import as_csv, as_json, verified
from derctl.store.folder import Folder
from derctl.store.interval import text_of
from derctl.store.looked import looked_at, read_only
from derctl.store.records import FILE, RecordFile
from derctl.store.seal import Seal
from derctl.store.signer import FILE as KEY
from derctl.store.signer import UNVOUCHED, Signer, following, read, write
from tests.attack import Attack
from tests.soak.test_flips import flipped

RECORDS, SENT = 60, 54
LOG = f"{FILE}-wal"
LOST_MAX = 1
"""Commits that a flip in the last one costs: it looks like a power cut in the middle of it."""


def plain(n: int) -> dict[str, Any]:
    said: dict[str, Any] = {"why": None, "silent": [], "by": {"import_wh": "counter"}, "text": "x" * 200}
    return {
        "site": "demo",
        "from": text_of(900.0 * n),
        "to": text_of(900.0 * n + 900.0),
        "import_wh": n / 4.0,
        **said,
    }


def opened(folder: Path) -> RecordFile:
    file = RecordFile(folder, 10_000_000, 4e7, signer=Signer(folder, "demo", lambda: text_of(0.0)))
    file.open()
    return file


@dataclass
class Kept:
    """Files as a kill leaves them, or an end, and what is in them."""

    folder: Path
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    chain: str = ""
    seal: Seal | None = None

    def make(self) -> None:
        (self.folder / "made").mkdir()
        file = opened(self.folder / "made")
        for n in range(RECORDS):
            file.sent = max(0, n + SENT + 1 - RECORDS)
            file.append([plain(n)])
        self.files["killed"] = self.all()
        file.close()
        self.files["ended"] = self.all()
        self.lines, self.chain = all_of(self.folder / "made"), file.chain
        self.seal, *_ = looked_at(self.folder / "made")

    def all(self) -> dict[str, bytes]:
        return {each.name: each.read_bytes() for each in (self.folder / "made").iterdir()}

    def lay(self, files: dict[str, bytes]) -> Path:
        there = self.folder / "there"
        shutil.rmtree(there, ignore_errors=True)
        there.mkdir()
        for name, content in files.items():
            (there / name).write_bytes(content)
        return there


def all_of(folder: Path) -> list[Line]:
    """As somebody has them who verifies what was exported. Raises Broken."""
    _, first, lines = read_only(folder)
    found = list(lines)
    checked(found, first)
    return found


def given(file: RecordFile) -> Iterator[Line]:
    """All that goes to the broker, from the first on."""
    n = 0
    while lines := file.after(n, 32):
        yield from lines
        n = lines[-1].n


def judged(kept: Kept, name: str, there: Path) -> str:
    """A start, what goes out of it, one more record, and the verdict; what was wrong is told as WRONG."""
    file = opened(there)
    try:
        aside = file.chain != kept.chain
        lost = 0 if aside else kept.lines[-1].n - file.head.n
        whole = {each.text for each in kept.lines}
        altered = [] if aside else [each.n for each in given(file) if each.text not in whole]
        file.append([plain(RECORDS)])
        added = file.head
        assert file.signed is not None or file.signer is None
    finally:
        file.close()
    try:
        found = all_of(there)
    except Broken as error:
        return "named" if 0 < error.n <= RECORDS + 1 and not altered else f"WRONG: altered {altered}, {error}"
    if altered or (aside and not file.problems) or lost > (LOST_MAX if name == LOG else 0):
        return f"WRONG: altered {altered}, lost {lost}, said {file.problems}"
    if not aside and found[: RECORDS - lost] != kept.lines[: RECORDS - lost]:
        return "WRONG: ok, and it is another one"
    return (
        "WRONG: not kept" if (found[-1].n, found[-1].hash) != (added.n, added.hash) else "aside" if aside else "whole"
    )


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    made.make()
    return made


@pytest.mark.soak(full=6000, short=60, pieces=4)
def test_no_flipped_bit_of_the_ledger_is_taken_for_a_record_or_keeps_another_from_being_kept(
    kept: Kept, attack: Attack
) -> None:
    chance, seen, wrong = attack.chance, collections.Counter[str](), []
    where = [(how, name) for how, files in kept.files.items() for name in files if files[name]]
    for n in range(attack.count):
        how, name = where[n % len(where)]
        files = kept.files[how]
        there = kept.lay({**files, name: (content := flipped(files[name], chance))})
        said = judged(kept, name, there)
        seen[said.partition(":")[0]] += 1
        if said.startswith("WRONG"):
            wrong.append(f"{n}, {how} {name}: {said}")
            (attack.folder / f"{n}-{how}-{name}").write_bytes(content)
        attack.found(flips=n + 1, files=len(where), wrong=len(wrong), **seen)
    assert not wrong, "\n".join(wrong[:20])
    assert seen["named"] and seen["whole"]


def rotated(kept: Kept) -> str:
    """The files once another key has followed the first, and what that one was."""
    path = kept.folder / "made" / KEY
    before = read(path)
    write(path, following(before, "demo", text_of(1.0)))
    file = opened(kept.folder / "made")
    file.append([plain(RECORDS)])
    assert file.signed is not None
    file.close()
    kept.files["rotated"], kept.lines = kept.all(), all_of(kept.folder / "made")
    return before.public.x


def keyed(kept: Kept, there: Path, content: bytes, root: str) -> str:
    """A start beside a key that was changed, and one more record: who signs that, and who vouches for who does."""
    file = opened(there)
    try:
        file.append([plain(RECORDS + 1)])
        signer = file.signer
        assert signer is not None and signer.unsigned is None and file.signed is not None
    finally:
        file.close()
    made = read(there / KEY)
    if (there / KEY).stat().st_mode & 0o077 or all_of(there)[:-1] != kept.lines:
        return "WRONG: open to others, or the ledger is another one"
    seal, *_ = looked_at(there)
    text = "".join(as_json(all_of(there), seal))
    said = verified(text).signed
    if said is None or said.kid != made.public.kid:
        return f"WRONG: signed by {said}, and {made.public.kid} is the key"
    try:
        known = verified(text, root=root).signed is not None
    except ValueError:
        known = False
    told = [event for event, _ in signer.news]
    if known:
        return "kept" if not told else f"WRONG: {signer.news}"
    aside = (there / f"{KEY}.unreadable").read_bytes()
    return "anew" if told == [UNVOUCHED] and aside == content else f"WRONG: {signer.news}"


@pytest.mark.soak(full=20_000, short=24)
def test_no_flipped_bit_of_the_signing_key_signs_in_another_s_name_or_leaves_a_record_unsigned(
    kept: Kept, attack: Attack
) -> None:
    """Each bit of it, where there are enough of them."""
    root = rotated(kept)
    files, seen, wrong = kept.files["rotated"], collections.Counter[str](), []
    bits = range(8 * len(files[KEY]))
    for n, at in enumerate(attack.chance.sample(bits, min(attack.count, len(bits)))):
        raw = bytearray(files[KEY])
        raw[at // 8] ^= 1 << at % 8
        said = keyed(kept, kept.lay({**files, KEY: bytes(raw)}), bytes(raw), root)
        seen[said.partition(":")[0]] += 1
        wrong += [f"bit {at}: {said}"] if said.startswith("WRONG") else []
        attack.found(flips=n + 1, bits=len(bits), wrong=len(wrong), **seen)
    assert not wrong, "\n".join(wrong[:20])
    assert seen["anew"]


@pytest.mark.parametrize("form", [as_csv, as_json])
@pytest.mark.soak(full=4000, short=150)
def test_each_flipped_bit_of_an_exported_ledger_is_named(
    kept: Kept, attack: Attack, form: Callable[..., Iterator[str]]
) -> None:
    """What is told to be whole has the same last record, and so the same records."""
    content, chance, named = "".join(form(kept.lines[-8:], kept.seal)).encode(), attack.chance, 0
    assert verified(content.decode()).signed is not None
    for _ in range(attack.count):
        try:
            found = verified(flipped(content, chance).decode())
        except ValueError:
            named += 1
            continue
        assert (found.count, found.last) == (8, Head(n=kept.lines[-1].n, hash=kept.lines[-1].hash))
    attack.found(flips=attack.count, named=named)
    assert named > 0.9 * attack.count


@pytest.mark.soak(full=6000, short=60)
def test_each_flipped_bit_of_the_audit_log_is_named_and_the_log_goes_on(
    tmp_path: Path, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "FILE_BYTES_MAX", 2000)
    made = Kept(tmp_path)
    (tmp_path / "made").mkdir()
    file = AuditFile(tmp_path / "made")
    for n in range(25):
        file.append([{"text": f"limit_power {n}", "who": "ops"}])
    file.close()
    files, chance, said = made.all(), attack.chance, 0
    assert len(files) == 3 and all(files.values())
    for n, name in zip(range(attack.count), itertools.cycle(files), strict=False):
        there = made.lay({**files, name: flipped(files[name], chance)})
        with pytest.raises(Broken) as found:
            audit.verified(there)
        assert 0 < found.value.n <= 26
        again = AuditFile(there)
        again.append([{"text": "after"}])
        said += bool(again.problems)
        again.close()
        attack.found(flips=n + 1, said_at_the_start=said)


@pytest.mark.soak(full=1000, short=40)
async def test_a_flipped_bit_of_the_shadow_record_leaves_out_two_stretches_at_most(
    tmp_path: Path, attack: Attack
) -> None:
    """Two: where it was the end of a line."""
    folder = Folder(tmp_path, tmp_path)
    for n in range(6):
        await shadow.add(
            folder, shadow.Stretch(run="a", n=n, began=300.0 * n, ended=300.0 * n + 300.0, seconds=300.0)
        )
    content, right = (tmp_path / shadow.FILE).read_bytes(), shadow.load(folder).stretches
    assert len(right) == 6
    chance = attack.chance
    for _ in range(attack.count):
        (tmp_path / shadow.FILE).write_bytes(flipped(content, chance))
        found = shadow.load(folder)
        assert set(map(repr, found.stretches)) <= set(map(repr, right))
        assert 4 <= len(found.stretches) <= 6 and (found.torn or len(found.stretches) == 6)
    attack.found(flips=attack.count)
