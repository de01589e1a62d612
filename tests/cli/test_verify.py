"""`derctl verify` at a simulated site, as somebody runs it: what it says, exit code, and what it leaves."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import yaml

from derctl.cli import main
from derctl.core.words import Proven
from derctl.daemon.known import Known
from derctl.daemon.proofs import UNSEEN, unproven_text
from derctl.site import load
from derctl.store import proofs
from derctl.store.folder import Folder
from hil.rig import Rig
from hil.scenario import load as load_scenario

HOUSE = Path(__file__).parents[2] / "hil" / "scenarios" / "base" / "proof.yaml"
HOUSES = Path(__file__).parents[2] / "config"


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncIterator[tuple[Rig, Path]]:
    """The house, and its site file."""
    rig = Rig(load_scenario(HOUSE))
    await rig.start()
    stepping = asyncio.create_task(rig.run(600.0))
    try:
        yield rig, rig.site_file(tmp_path)
    finally:
        stepping.cancel()
        await asyncio.gather(stepping, return_exceptions=True)
        await rig.stop()


async def verify(path: Path, *words: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "derctl", "verify", "-c", str(path), *words)
    return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe)


async def test_a_fail_safe_is_proven_and_on_record_and_nothing_is_left_behind(tmp_path: Path) -> None:
    async with served(tmp_path) as (rig, path):
        site, folder = load(path), Folder(tmp_path / "state", tmp_path)
        folder.hold()
        beside = await verify(path, "pv2", "--yes")
        _, err = await beside.communicate()
        assert beside.returncode == 75 and b"stop derctl first" in err, "a daemon is not come between"
        folder.let_go()
        asked = await verify(path, "pv2")
        out, _ = await asked.communicate()
        assert asked.returncode != 0 and b"say --yes" in out and not rig.units["pv2"].log, "nobody agreed"
        child = await verify(path, "pv2", "--yes", "--json")
        out, err = await child.communicate()
        assert child.returncode == 0, err.decode()
        told = json.loads(out)
        pv2 = told["ders"]["pv2"]
        assert (pv2["verdict"], pv2["went_w"]) == ("proven", 2000.0) and pv2["lapsed_s"] > 5.5
        assert told["waits_for"] == ["pv1", "bat1"], "who still lacks a proof is said"
        assert told["contract"]["holds"] and not rig.units["pv1"].log, "only what was asked for is written"
        known = proofs.load(folder)[0]
        assert known["pv2"].verdict is Proven.PROVEN and known["pv2"].serial == "1002"
        assert json.loads((tmp_path / "state" / "written.json").read_text()).keys() == {"sha256"}, "all is given back"
        assert "pv1" in unproven_text(site.file, Known(proofs=known)), "the others still lack theirs"
        again = await verify(path)
        out, _ = await again.communicate()
        told_again = out.decode()
        assert "pv2: proven on" in told_again and "pv2: left out" not in told_again, "that counts, nobody is asked"
        assert "pv1: left out" in told_again and again.returncode == 1, "a no is no device that can't be reached"


async def test_a_limit_in_the_device_is_on_record_by_who_saw_it_and_nothing_is_written(tmp_path: Path) -> None:
    async with served(tmp_path) as (rig, path):
        text = path.read_text()
        site = yaml.safe_load(text)
        next(der for der in site["ders"] if der["id"] == "pv2")["fallback"] = {"p_ceiling_w": 2000, "by": "device"}
        path.write_text(yaml.safe_dump(site))
        folder = Folder(tmp_path / "state", tmp_path)
        bare = await verify(path, "pv2", "--yes")
        out, _ = await bare.communicate()
        assert (
            bare.returncode == 1
            and b"say --witnessed" in b" ".join(out.split())
            and "pv2" not in proofs.load(folder)[0]
        ), "nobody said that he saw it"
        seen = await verify(path, "pv2", "--yes", "--witnessed", "Ann")
        out, _ = await seen.communicate()
        proof = proofs.load(folder)[0]["pv2"]
        assert (seen.returncode, proof.verdict, proof.serial, proof.by) == (0, Proven.WITNESSED, "1002", "device")
        assert "Ann saw a limit of 2,000 W" in proof.text and not rig.units["pv2"].log
        site_now = load(path).file
        assert UNSEEN in unproven_text(site_now, Known())
        assert UNSEEN not in unproven_text(site_now, Known(proofs={"pv2": proof}))


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGHUP])
async def test_one_that_is_ended_while_it_is_unplugged_gives_back_over_a_new_connection(
    tmp_path: Path, by: signal.Signals
) -> None:
    async with served(tmp_path) as (rig, path):
        site = yaml.safe_load(path.read_text())
        fallback = {"p_ceiling_w": 2000, "by": "stands", "after_s": 60}
        next(der for der in site["ders"] if der["id"] == "pv1")["fallback"] = fallback
        path.write_text(yaml.safe_dump(site))
        child = await verify(path, "pv1", "--yes")
        async with asyncio.timeout(60.0):
            assert child.stdout is not None
            said = b""
            while b"the connection is closed" not in said:
                said += await child.stdout.readline()
        child.send_signal(by)
        out, err = await child.communicate()
        assert child.returncode == 130 and rig.units["pv1"].log, err.decode()
        assert b"given back: pv1: released" in out and b"be reached" not in out
        assert json.loads((tmp_path / "state" / "written.json").read_text()).keys() == {"sha256"}


async def test_one_that_is_ended_in_the_middle_gives_back_what_it_wrote(tmp_path: Path) -> None:
    async with served(tmp_path) as (rig, path):
        child = await verify(path, "pv2", "--yes")
        async with asyncio.timeout(60.0):
            assert child.stdout is not None
            said = b""
            while b"nothing more from now on" not in said:
                said += await child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        out, err = await child.communicate()
        assert child.returncode == 130 and rig.units["pv2"].log, err.decode()
        assert b"given back: pv2: released" in out and b"PROVEN" not in out
        assert json.loads((tmp_path / "state" / "written.json").read_text()).keys() == {"sha256"}
        assert proofs.load(Folder(tmp_path / "state", tmp_path)) == ({}, None)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [(("--json",), 2, "say --yes"), (("roof",), 1, "known are pv1"), (("-c", "there/is/none.yaml"), 78, "none.yaml")],
)
def test_what_can_not_be_done_is_said(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, says: str
) -> None:
    with suppress(SystemExit):
        assert main(["verify", "-c", str(HOUSES / "house.yaml"), *words]) == code
    assert says in capsys.readouterr().err
