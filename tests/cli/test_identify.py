"""`derctl identify`: what it asks for, what it refuses, and how it says what it found."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import pytest

from derctl.cli import main
from derctl.cli.identified import FLAWS, SERIOUS, der_lines, meter_lines, plan_lines
from derctl.core.identified import Identified, MeterFound, Pull, Response
from derctl.core.words import Belief, Flaw
from derctl.site import load
from tests.cli.calls import Here

SITE = """\
version: 1
site: {{id: house, v_nom_v: 230, f_nom_hz: 50, state_dir: {dir}/state, socket: {dir}/derctl.sock}}
buses:
  - {{id: lan, tcp: {{host: 127.0.0.1, port: 1}}}}
ders:
  - {{id: pv1, bus: lan, unit: 1, kind: sunspec_pv, serial: "1001"}}
  - {{id: pv2, bus: lan, unit: 2, kind: sunspec_pv, control: false}}
poc: {{bus: lan, unit: 3, sign: 1}}
functions: []
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "site.yaml"
    made.write_text(SITE.format(dir=tmp_path), encoding="utf-8")
    return made


async def test_it_asks_before_the_first_step(here: Here, path: Path) -> None:
    """Where nobody is there to be asked it does nothing; what it would do is said all the same."""
    with pytest.raises(SystemExit) as ended:
        await here("identify", "-c", str(path))
    assert ended.value.code == 2
    assert not (path.parent / "state").exists()


def test_what_is_agreed_to_says_who_how_far_and_how_long(path: Path) -> None:
    lines = plan_lines(load(path), ["pv1"], 800.0, 10)
    assert lines[0].startswith("pv1: one after the other, about 1")
    assert "800 W or var at most" in lines[1]
    assert "never goes above what stands in it" in lines[2]


@pytest.mark.parametrize(
    ("words", "says"),
    [(("pv9",), "no DER 'pv9'; known are pv1, pv2"), (("pv2",), "control: false in the site file")],
)
async def test_whom_it_can_t_step_is_said(here: Here, path: Path, words: tuple[str, ...], says: str) -> None:
    code, _, err = await here("identify", *words, "--yes", "-c", str(path))
    assert code == 1
    assert says in err


@pytest.mark.parametrize("words", [("--within", "0"), ("--within", "x"), ("--periods", "1")])
def test_what_makes_no_sense_is_refused(path: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["identify", "--yes", "-c", str(path), *words])
    assert ended.value.code == 2


async def test_a_device_that_is_not_there_is_69_and_nothing_is_left(
    here: Here, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.daemon.stand.FOUND_S", 0.3)
    async with asyncio.timeout(60.0):
        code, out, err = await here("identify", "--yes", "-c", str(path))
    assert (code, out) == (69, "")
    assert "not found in 0.3 s" in err
    assert not (path.parent / "plant.json").exists()


FOUND = Identified(
    name="Maker Model",
    rated_va=5_000.0,
    refresh_s=1.0,
    fall=Response(dead_s=0.5, t90_s=1.0, gain=0.99),
    rise=Response(dead_s=0.5, t90_s=2.0, gain=0.99, ramp_w_per_s=450.0),
    least_w=250.0,
    dv_dq=Pull(v_pu=0.0123, error=0.0004),
    flaws=(Flaw.MINIMUM_ON,),
)


def test_what_was_found_is_said_with_its_errors_and_what_mends_it(path: Path) -> None:
    lines = der_lines(load(path), "pv1", "1001", FOUND, ("var: it takes none",))
    text = "\n".join(lines)
    assert "pv1: Maker Model, serial 1001, 5000 VA" in text
    assert "down: begins after 0.5 s, 90 % 1.0 s later; 99 % of a step is made" in text
    assert "up: begins after 0.5 s, 90 % 2.0 s later, at 450 a second" in text
    assert "its var moves the voltage by 0.0123 +- 0.0004" in text
    assert "it follows limits down to 250 W" in text
    assert "minimum_on: below that it goes off" in text
    assert "var: it takes none" in text
    assert "say serial" not in text


@pytest.mark.parametrize(
    ("der", "serial", "says"),
    [
        ("pv1", "", "it tells no serial number, so that none of this is kept"),
        ("pv2", "77", "say serial: '77' for it in the site file"),
    ],
)
def test_without_a_serial_number_in_the_site_file_it_does_not_count(
    path: Path, der: str, serial: str, says: str
) -> None:
    assert any(says in line for line in der_lines(load(path), der, serial, FOUND, ()))


def test_who_was_not_stepped_has_a_line_with_the_reason(path: Path) -> None:
    assert der_lines(load(path), "pv1", "", None, ("not stepped: it is off",)) == ["pv1: not stepped: it is off"]


def test_the_meter_is_told_with_what_mends_it() -> None:
    found = MeterFound(
        name="M", belief=Belief.DOUBTED, slope=-1.0, delay_s=1.0, refresh_s=0.5, flaws=(Flaw.METER_REVERSED,)
    )
    lines = meter_lines(found)
    assert lines[0] == "meter: M: doubted, it shows -100 % of a step, up to 1 s late, something new every 0.5 s"
    assert "turn poc.sign round" in lines[1]
    assert meter_lines(None) == ["meter: nothing was learned of it"]


def test_each_flaw_has_a_remedy_and_all_but_one_keep_it_from_control() -> None:
    assert set(FLAWS) == set(Flaw)
    assert set(Flaw) - SERIOUS == {Flaw.MINIMUM_ON}


def test_a_word_that_is_no_power_is_named() -> None:
    from derctl.cli.identify import _watts

    with pytest.raises(argparse.ArgumentTypeError, match="above 0 W"):
        _watts("-5")
