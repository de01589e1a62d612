"""`derctl audit` and `derctl ledger`: what a person sees, and the exit codes of docs/interfaces.md, section 5."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from derctl.cli import main
from derctl.store.audit import AuditFile
from derctl.store.interval import text_of
from derctl.store.records import RecordFile

HASH = "0" * 64


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
    assert code == 0 and text.startswith("ok: 3 records, 1 to 3, each hangs on the one before\nhead 3:")
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


def test_what_is_not_there_is_69_and_what_is_none_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "audit", "verify", "--folder", str(tmp_path))[0] == 69
    assert run(capsys, "ledger", "export", "--folder", str(tmp_path))[0] == 69
    assert run(capsys, "ledger", "verify", str(tmp_path / "none"))[0] == 69
    (tmp_path / "some").write_text("hello", encoding="utf-8")
    assert run(capsys, "ledger", "verify", str(tmp_path / "some"))[0] == 1


@pytest.mark.parametrize("args", [("ledger", "verify"), ("audit", "verify", "--folder", ".", "--head", "x")])
def test_a_wrong_command_line_is_2(args: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        main([*args])
    assert ended.value.code == 2
