"""`derctl audit` and `derctl ledger`: what a person sees, and the exit codes of docs/interfaces.md, section 5."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from derctl.cli import main
from derctl.store.audit import AuditFile, verified
from derctl.store.interval import text_of
from derctl.store.looked import audit_end
from derctl.store.records import RecordFile
from derctl.store.seal import kid_of
from derctl.store.signer import Signer

HASH = "0" * 64
HOUSE = Path(__file__).parents[2] / "config" / "house.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three records of each."""
    log, file = AuditFile(tmp_path), RecordFile(tmp_path, 10_000_000, 1e9)
    clock = {"synced": True, "error_s": 0.01}
    log.append(
        [
            {"t": text_of(n), "clock": clock, "what": "command", "who": "ops", "text": f"limit_power {n}"}
            for n in range(3)
        ]
    )
    log.close()
    file.open()
    by = {"import_wh": "counter"}
    file.append(
        [
            {
                "site": "demo",
                "from": text_of(900.0 * n),
                "to": text_of(900.0 * (n + 1)),
                "synced": True,
                "why": None,
                "import_wh": 250.0,
                "by": by,
                "silent": [],
            }
            for n in range(3)
        ]
    )
    file.close()
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    code = main([*args])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_the_log_is_shown_and_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, "audit", "verify", "--folder", str(folder))
    assert code == 0 and text.startswith("ok: 3 records, 1 to 3, each hangs on the one before\nUNSIGNED: ")
    head = text.split()[-1]
    assert run(capsys, "audit", "verify", "--folder", str(folder), "--head", head)[0] == 0
    code, text = run(capsys, "audit", "verify", "--folder", str(folder), "--head", f"2:{HASH}")
    assert (code, text) == (1, "BROKEN at record 2: it is another one than was noted\n")
    code, text = run(capsys, "audit", "verify", "--folder", str(folder), "--head", f"9:{HASH}", "--json")
    assert code == 1 and json.loads(text)["record"] == 9
    code, text = run(capsys, "audit", "show", "--folder", str(folder), "--last", "2")
    assert code == 0 and [line.split()[-1] for line in text.splitlines()] == ["1", "2"]
    code, text = run(capsys, "audit", "show", "--folder", str(folder), "--since", "1970-01-01T00:00:02", "--json")
    assert [json.loads(line)["n"] for line in text.splitlines()] == [3]


def test_a_log_that_was_changed_says_where(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [path] = folder.glob("audit-*.log")
    path.write_text(path.read_text().replace("limit_power 1", "limit_power 9"))
    code, text = run(capsys, "audit", "verify", "--folder", str(folder))
    assert code == 1 and text.startswith("BROKEN at record 2: its hash is not that of what it says")


@pytest.fixture
def noted(folder: Path) -> Path:
    """The log of three, whose end the ledger has noted."""
    signer = Signer(folder, "demo", lambda: text_of(0.0), audit=verified(folder).last)
    file = RecordFile(folder, 10_000_000, 1e9, signer=signer)
    by, times = {"import_wh": "counter"}, {"from": text_of(2700.0), "to": text_of(3600.0)}
    file.append([{"site": "demo", **times, "synced": True, "why": None, "import_wh": 250.0, "by": by, "silent": []}])
    file.close()
    return folder


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (slice(0, 2), "BROKEN at record 3: it was noted, and the log ends with record 2\n"),
        (slice(0, 0), "BROKEN at record 3: it was noted, and the log ends with record 0\n"),
        (slice(1, 3), "BROKEN at record 1: record 1 is missing before record 2 (audit-000000001.log)\n"),
        (slice(2, 3), "BROKEN at record 1: records 1 to 2 are missing before record 3 (audit-000000001.log)\n"),
    ],
)
def test_a_log_whose_beginning_or_end_was_cut_off_is_not_whole(
    noted: Path, capsys: pytest.CaptureFixture[str], left: slice, said: str
) -> None:
    assert run(capsys, "audit", "verify", "--folder", str(noted))[0] == 0
    [path] = noted.glob("audit-*.log")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[left]))
    assert run(capsys, "audit", "verify", "--folder", str(noted)) == (1, said)


def test_an_end_that_was_made_anew_is_another_one(noted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [path] = noted.glob("audit-*.log")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:1]))
    log = AuditFile(noted)
    log.append([{"t": text_of(n), "what": "command", "who": "ops", "text": "nothing"} for n in range(9)])
    log.close()
    code, text = run(capsys, "audit", "verify", "--folder", str(noted))
    assert (code, text) == (1, "BROKEN at record 3: it is another one than was noted\n")


def test_a_note_of_which_a_bit_was_changed_says_nothing(noted: Path) -> None:
    head = verified(noted).last
    assert audit_end(noted) == head
    with closing(sqlite3.connect(noted / "records.db")) as db:
        for name in ("n = 7", "hash = replace(hash, 'a', 'b')"):
            db.execute(f"UPDATE mark SET {name} WHERE name = 'audit'")
            db.commit()
            assert audit_end(noted) is None
    (noted / "records.db").write_bytes(b"no database")
    assert audit_end(noted) is None


def test_a_head_of_what_was_rotated_out_is_not_confirmed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless it is the one that the oldest hangs on."""
    [path] = folder.glob("audit-*.log")
    first, *rest = path.read_text().splitlines(keepends=True)
    path.unlink()
    (folder / "audit-000000002.log").write_text("".join(rest))
    head = first.partition(" ")[0]
    assert run(capsys, "audit", "verify", "--folder", str(folder), "--head", f"1:{head}")[0] == 0
    code, text = run(capsys, "audit", "verify", "--folder", str(folder), "--head", f"1:{HASH}")
    assert (code, text) == (1, "BROKEN at record 1: it was noted, and the log has records 2 to 3\n")


def test_what_is_asked_for_by_its_minute_is_shown_from_that_minute_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the help says it: the text of a time that is cut short lies behind all times within it."""
    code, text = run(capsys, "audit", "show", "--folder", str(folder), "--since", "1970-01-01T00:00Z", "--json")
    assert code == 0 and len(text.splitlines()) == 3
    export = ("ledger", "export", "--folder", str(folder), "--since", "1970-01-01T00:15Z")
    assert len([line for line in run(capsys, *export)[1].splitlines() if line[0].isdigit()]) == 2
    for verb in (("audit", "show"), ("ledger", "export")):
        with pytest.raises(SystemExit, match="2"):
            main([*verb, "--folder", str(folder), "--since", "yesterday"])
        assert "'yesterday' is no time" in capsys.readouterr().err


def test_an_export_that_breaks_says_how_what_is_behind_it_is_had(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(folder / "records.db")) as db:
        db.execute("UPDATE interval SET text = replace(text, '250', '251') WHERE n = 2")
        db.commit()
    code, text = run(capsys, "ledger", "export", "--folder", str(folder))
    assert code == 1 and "BROKEN at record 2: " in text
    since = text.split("derctl ledger export --since ")[1].strip()
    code, text = run(capsys, "ledger", "export", "--folder", str(folder), "--since", since)
    assert code == 0 and [line.split(",")[0] for line in text.splitlines() if line[0].isdigit()] == ["3"]


def test_files_that_are_not_there_are_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "no.csv"
    assert run(capsys, "ledger", "verify", str(missing)) == (69, f"{missing}: No such file or directory\n")
    (tmp_path / "pem").write_text("no key", encoding="utf-8")
    for key, said in (
        ("no.pem", "--key 'no.pem': there is no such file, and it is no public key of Ed25519"),
        (str(tmp_path / "pem"), "pem': no public key of Ed25519"),
        ("x" * 9000, "there is no such file"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main(["ledger", "verify", str(missing), "--key", key])
        assert said in capsys.readouterr().err


def test_a_log_without_a_record_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    AuditFile(tmp_path).open()
    code, text = run(capsys, "audit", "verify", "--folder", str(tmp_path))
    assert (code, text) == (69, f"there is no record in the audit log in {tmp_path}\n")


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_an_export_is_verified_without_the_daemon_s_files(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    code, text = run(capsys, "ledger", "export", "--folder", str(folder), "--format", kind)
    assert code == 0
    file = tmp_path / "exported"
    file.write_text(text, encoding="utf-8")
    code, page = run(capsys, "ledger", "verify", str(file))
    assert code == 0 and "import              0.750 kWh" in page
    assert json.loads(run(capsys, "ledger", "verify", str(file), "--json")[1])["sums"] == {"import_wh": 750.0}
    file.write_text(text.replace("250", "200"), encoding="utf-8")
    code, page = run(capsys, "ledger", "verify", str(file))
    assert code == 1 and page.startswith("BROKEN at record 1")
    later = run(capsys, "ledger", "export", "--folder", str(folder), "--since", text_of(1800.0), "--format", kind)[1]
    file.write_text(later, encoding="utf-8")
    assert "ok: 1 intervals" in run(capsys, "ledger", "verify", str(file))[1]


@pytest.fixture
def signed(folder: Path) -> Path:
    """The same, and one interval more, signed by the site."""
    signer = Signer(folder, "demo", lambda: text_of(0.0))
    file = RecordFile(folder, 10_000_000, 1e9, signer=signer)
    file.open()
    by, times = {"import_wh": "counter"}, {"from": text_of(2700.0), "to": text_of(3600.0)}
    file.append([{"site": "demo", **times, "synced": True, "why": None, "import_wh": 250.0, "by": by, "silent": []}])
    file.close()
    log = AuditFile(folder)
    log.open()
    keys = [each.plain for each in signer.keys]
    log.append([{"what": "signature", "signature": signer.head("audit", "", log.head), "keys": keys}])
    log.close()
    return folder


def test_a_ledger_is_verified_with_nothing_but_the_file_and_the_key(
    signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key as PEM, as `ledger key` shows it; another one is refused, and so is a file that nobody signed."""
    code, text = run(capsys, "ledger", "key", "--folder", str(signed))
    assert code == 0 and text.count("PUBLIC KEY") == 2
    said = json.loads(run(capsys, "ledger", "key", "--folder", str(signed), "--json")[1])
    assert said["keys"][0]["kid"] in text
    pem, file, other = tmp_path / "pem", tmp_path / "exported", tmp_path / "other"
    pem.write_text(text, encoding="utf-8")
    whole = run(capsys, "ledger", "export", "--folder", str(signed))[1]
    file.write_text(whole, encoding="utf-8")
    for key in (str(pem), said["keys"][0]["x"]):
        code, page = run(capsys, "ledger", "verify", str(file), "--key", key)
        assert code == 0 and "signed up to record 4" in page and "the key given vouches for that" in page
    assert "(--key)" in run(capsys, "ledger", "verify", str(file))[1]
    assert json.loads(run(capsys, "ledger", "verify", str(file), "--json")[1])["signed"]["given"] is False
    other.write_text(whole[: whole.index("key,")], encoding="utf-8")
    code, page = run(capsys, "ledger", "verify", str(other))
    assert code == 0 and "UNSIGNED" in page
    code, page = run(capsys, "ledger", "verify", str(other), "--key", str(pem))
    assert (code, page) == (1, "BROKEN at record 4: nobody signed it\n")
    code, page = run(capsys, "audit", "verify", "--folder", str(signed), "--key", str(pem))
    assert code == 0 and "signed up to record 3" in page
    assert (
        json.loads(run(capsys, "audit", "verify", "--folder", str(signed), "--json")[1])["signed"]["head"]["n"] == 3
    )


def test_another_key_follows_and_the_first_one_still_vouches(
    signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(HOUSE.read_text(encoding="utf-8"), encoding="utf-8")
    first = json.loads(run(capsys, "ledger", "key", "--folder", str(signed), "--json")[1])["keys"][0]
    code, text = run(capsys, "ledger", "rotate", "-c", str(site), "--folder", str(signed))
    assert code == 0 and text.startswith(f"key {kid_of(first['x'])} vouches for key ")
    file = RecordFile(signed, 10_000_000, 1e9, signer=Signer(signed, "demo", lambda: text_of(0.0)))
    file.open()
    by, times = {"import_wh": "counter"}, {"from": text_of(3600.0), "to": text_of(4500.0)}
    file.append([{"site": "demo", **times, "synced": True, "why": None, "import_wh": 250.0, "by": by, "silent": []}])
    file.close()
    exported = tmp_path / "exported"
    exported.write_text(run(capsys, "ledger", "export", "--folder", str(signed))[1], encoding="utf-8")
    assert run(capsys, "ledger", "verify", str(exported), "--key", first["x"])[0] == 0
    code, page = run(capsys, "ledger", "key", "--folder", str(signed))
    assert code == 0 and "vouches for the next one" in page and first["x"] not in page
    (signed / "signing.key").write_bytes(b"x")
    assert run(capsys, "ledger", "rotate", "-c", str(site), "--folder", str(signed))[0] == 1
    (signed / "signing.key").unlink()
    assert run(capsys, "ledger", "rotate", "-c", str(site), "--folder", str(signed))[0] == 69


def test_a_ledger_without_a_key_says_that_it_is_unsigned(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, "ledger", "key", "--folder", str(folder))
    assert code == 69 and text.startswith("UNSIGNED")
    assert run(capsys, "ledger", "key", "--folder", str(folder / "none"))[0] == 69


def test_what_is_not_there_is_69_and_what_is_none_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "audit", "verify", "--folder", str(tmp_path))[0] == 69
    assert run(capsys, "ledger", "export", "--folder", str(tmp_path))[0] == 69
    assert run(capsys, "ledger", "verify", str(tmp_path / "none"))[0] == 69
    (tmp_path / "some").write_text("hello", encoding="utf-8")
    assert run(capsys, "ledger", "verify", str(tmp_path / "some"))[0] == 1


@pytest.mark.parametrize(
    "args",
    [
        ("ledger", "verify"),
        ("audit", "verify", "--folder", ".", "--head", "x"),
        ("ledger", "verify", "x", "--key", "no key"),
    ],
)
def test_a_wrong_command_line_is_2(args: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        main([*args])
    assert ended.value.code == 2
