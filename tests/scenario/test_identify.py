"""`derctl identify` as a process against the simulated site: what it finds is what the plant is made of."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HOUSE = "name: steps\nabout: one inverter and its meter\nseed: 7\nduration_s: 900\nbase: base/house\n"
START_S, END_S = 120.0, 600.0


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    """The site file of a house that goes on by itself."""
    shelf = Path(__file__).parents[2] / "hil" / "scenarios"
    scenario = tmp_path / "house.yaml"
    scenario.write_text(HOUSE.replace("base/house", str(shelf / "base" / "house")), encoding="utf-8")
    command = [sys.executable, "-m", "hil", "serve", str(scenario)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Path(json.loads(process.stdout.readline())["site_file"])
    finally:
        process.terminate()
        process.wait(START_S)
        process.stdout.close()


def identify(site: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "derctl", "identify", "pv1", "-c", str(site), "--yes", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.scenario
def test_what_it_finds_is_what_the_plant_is_made_of(served: Path) -> None:
    """5 kVA behind 0.40 + 0.22j ohm at 230 V in three phases: Q moves X S / 3 V^2, P moves R S / 3 V^2."""
    process = identify(served, "--periods", "2", "--json")
    out, err = process.communicate(timeout=END_S)
    assert process.returncode == 0, err
    told: dict[str, Any] = json.loads(out)
    found = told["ders"]["pv1"]
    assert found["flaws"] == told["meter"]["flaws"] == []
    assert found["fall"]["gain"] == pytest.approx(1.0, abs=0.1)
    for name, ohm in (("dv_dp", 0.40), ("dv_dq", 0.22)):
        true = ohm * 5_000.0 / 3.0 / 230.0**2
        assert abs(found[name]["v_pu"] - true) <= 2.0 * found[name]["error"] + 0.05 * true
    kept = json.loads((served.parent / "plant.json").read_text(encoding="utf-8"))
    assert kept["ders"][told["serials"]["pv1"]] == found
    assert "pv1: released" in err
    assert {loop["kind"] for loop in told["loops"]} == {"volt_watt", "volt_var"}
    assert all("as measured on pv1" in loop["text"] for loop in told["loops"])
    assert json.loads((served.parent / "state" / "written.json").read_text(encoding="utf-8")).get("pv1") is None


@pytest.mark.scenario
def test_ended_in_the_middle_it_gives_back_what_it_stepped(served: Path) -> None:
    process = identify(served, "--periods", "2")
    assert process.stderr is not None
    for line in process.stderr:
        if "first steps, 2 of 3" in line:
            break
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=START_S)
    assert process.returncode == 130, err
    assert "pv1: released" in err
    assert not (served.parent / "plant.json").exists()
    assert json.loads((served.parent / "state" / "written.json").read_text(encoding="utf-8")).get("pv1") is None
