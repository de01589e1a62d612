"""`cap` and `schedule`: what people type becomes a command of the socket."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import pytest

from derctl.cli import cap, main, schedule
from derctl.cli.cap import sorted_out
from derctl.cli.exits import OK, USAGE

STATE = {"t": "2026-11-21T12:00:00.000Z", "mode": "control", "synced": True, "ders": {}}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the daemon was asked."""
    calls: list[tuple[str, Any]] = []

    def call(args: Any, name: str, given: Any = None) -> Any:
        calls.append((name, given))
        return STATE if name == "status" else "until then"

    monkeypatch.setattr(cap, "call", call)
    monkeypatch.setattr(schedule, "call", call)
    return calls


def test_a_cap_is_the_owner_s_or_the_grid_operator_s(asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cap", "export", "3kW", "2h", "import", "8000"]) == OK
    assert main(["cap", "generation", "0", "--grid"]) == OK
    limits = [call for call in asked if call[0] != "status"]
    assert limits == [
        ("owner_limit", {"export_w": 3_000.0, "import_w": 8_000.0, "expires_s": 7_200.0}),
        ("grid_limit", {"generation_w": 0.0, "expires_s": 3_600.0}),
    ]
    assert "admitted: the site at most export 3,000 W, import 8,000 W until" in capsys.readouterr().out


@pytest.mark.parametrize("words", ["", "3kW", "export", "export 1h", "export 1 export 2", "export 1 2h 3h", "load 5"])
def test_words_that_are_no_cap_are_refused(words: str) -> None:
    with pytest.raises(argparse.ArgumentError):
        sorted_out(words.split())


def test_a_schedule_is_sent_from_a_file_written_for_mqtt_too(
    asked: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = {"id": "a", "issued_at": "2026-11-21T12:00:00Z", "expires_s": 600, "intervals": [{"start": "x"}]}
    path = tmp_path / "envelope.json"
    path.write_text(json.dumps(sent), encoding="utf-8")
    assert main(["schedule", str(path)]) == OK
    assert main(["schedule", str(path), "--expires", "2h"]) == OK
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"intervals": []})))
    assert main(["schedule", "-"]) == OK
    given = [each for name, each in asked if name == "operating_envelope"]
    assert [each["expires_s"] for each in given] == [600, 7_200.0, 86_400.0]
    assert given[0] == {"expires_s": 600, "intervals": [{"start": "x"}]}


def test_a_planner_s_own_file_becomes_intervals_that_a_socket_takes(asked: list[Any], tmp_path: Path) -> None:
    """With all its columns a day of EMHASS is larger than a line of the socket."""
    rows = [
        {"timestamp": f"2026-11-21T{h:02}:{m:02}:00.000Z", "P_batt": -10.5, "optim_status": "Optimal", "x": "y" * 200}
        for h in range(24)
        for m in range(0, 60, 5)
    ]
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"status": "ok", "emhass_schema_version": "1.0", "plan": rows}), encoding="utf-8")
    assert path.stat().st_size > 65_536
    assert main(["schedule", str(path), "--shape", "emhass", "--der", "bat1", "--expires", "30m"]) == OK
    [(name, given)] = asked
    assert (name, given["der"], given["expires_s"], len(given["intervals"])) == ("battery_plan", "bat1", 1800.0, 288)
    assert given["intervals"][0] == {
        "start": "2026-11-21T00:00:00Z",
        "end": "2026-11-21T00:05:00Z",
        "p_target_w": -10.5,
    }
    assert len(json.dumps(given)) < 32_768


def test_a_planner_s_file_needs_its_battery(asked: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("[]", encoding="utf-8")
    for words in (["--shape", "emhass"], ["--der", "bat1"]):
        with pytest.raises(SystemExit) as ended:
            main(["schedule", str(path), *words])
        assert ended.value.code == USAGE
    assert main(["schedule", str(path), "--shape", "emhass", "--der", "bat1"]) not in {OK, USAGE}
    assert asked == []


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_file_that_is_no_schedule_is_refused(
    asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["schedule", str(path)])
    assert ended.value.code == USAGE and asked == []
    assert capsys.readouterr().err.count(str(path)) == 1, "a file is named once"
