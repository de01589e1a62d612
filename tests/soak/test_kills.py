"""SIGKILL under load at random moments: what was answered is on disk, and so is what was written to the devices."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from derctl.store.audit import verified
from derctl.store.chain import Head, Line, checked
from derctl.store.folder import Folder
from derctl.store.journal import Journal
from derctl.store.looked import read_only
from derctl.store.state import load
from tests.attack import Attack
from tests.soak.conftest import House

CLIENTS, LIMITS = 6, 8
CONFIRMS = 5
WITHIN_S = 0.3
AGREED_W = 7000.0
METER_WH = 1000.0
"""What hil's meter shows at first."""
WHOLE_WH = 1.0
"""What it shows is rounded to."""
ONE_INTERVAL_WH = 7000.0 * 900.0 / 3600.0
WRITTEN = ("pv1", "pv2", "bat1")


async def limits(house: House, first: int, admitted: list[float]) -> None:
    """A looser one lasts longer, so that none replaces another."""
    for n in range(LIMITS):
        limit_w = 1000.0 + first + n
        try:
            answer = await house.ask("limit_power", p_ceiling_w=limit_w, expires_s=10.0 * limit_w)
        except (OSError, TimeoutError, ValueError):
            return
        assert answer["ok"], answer
        admitted.append(limit_w)


def awake(status: dict[str, Any]) -> bool:
    """It has found its devices and has ticked."""
    return bool(status["loop"]["ticks"]) and all(der["fresh"] for der in status["ders"].values())


async def say(house: House, word: str) -> None:
    """arm or disarm, confirmed where it asks for that: again where what would be written has changed meanwhile."""
    answer = await house.ask(word)
    for _ in range(CONFIRMS):
        if not answer["ok"] and answer.get("confirm"):
            answer = await house.ask(word, confirm=answer["confirm"])
    assert answer["ok"], answer


def lost(folder: Path, admitted: list[float], armed: bool, touched: set[str]) -> list[str]:
    """What the disk does not have."""
    state, problem = load(Folder(folder, folder))
    journal = Journal(Folder(folder, folder))
    problems = [f"state: {problem}"] if problem else []
    problems += [f"journal: {found}" for found in [journal.load()] if found]
    found = {each["p_ceiling_w"] for each in state.requests}
    problems += [f"limit of {limit_w} W" for limit_w in admitted if limit_w not in found]
    if state.word is None or state.word.armed is not armed:
        problems.append(f"word: {state.word}, but armed is {armed}")
    return problems + [f"write to {name}" for name in touched if armed and name not in journal.entries]


def unkept(folder: Path, exported_wh: float) -> tuple[int, list[str]]:
    """How many intervals there are, and what is wrong with the records. exported_wh: by the plant's meter."""
    verified(folder)
    _, first, lines = read_only(folder)
    ledger = [each.plain for each in checked_lines(lines, first)]
    problems = [f"{a['to']}, then {b['from']}" for a, b in itertools.pairwise(ledger) if a["to"] != b["from"]]
    shown = [each["counters"]["poc"][0] for each in ledger]
    moved = sum(each["export_wh"] or 0.0 for each in ledger)
    if abs(moved - (shown[-1] - shown[0])) > 1.0 or not -WHOLE_WH < exported_wh - shown[-1] < ONE_INTERVAL_WH:
        problems.append(f"{moved:.0f} Wh recorded, the meter went from {shown[0]} to {shown[-1]}, now {exported_wh}")
    return len(ledger), problems


def checked_lines(lines: Iterable[Line], first: Head) -> list[Line]:
    """Raises Broken."""
    found = list(lines)
    checked(found, first)
    return found


@pytest.mark.scenario
@pytest.mark.soak(full=300, short=6, pieces=4)
async def test_killed_under_load_nothing_acknowledged_is_lost(house: Callable[..., Any], attack: Attack) -> None:
    chance, promised, words, gone = attack.chance, 0, 0, []
    async with house() as h:
        await h.until(lambda status: status["mode"] == "control" and h.run.rig.world.state.poc.p_w < AGREED_W)
        peak = peak_of(h)
        for turn, armed in zip(range(attack.count), itertools.cycle((True, True, False)), strict=False):
            await h.until(awake)
            await h.ask("clear")
            await say(h, "arm" if armed else "disarm")
            before = {name: len(h.run.rig.units[name].log) for name in WRITTEN}
            admitted: list[float] = []
            asking = [asyncio.create_task(limits(h, LIMITS * n, admitted)) for n in range(CLIENTS)]
            await asyncio.sleep(chance.uniform(0.0, WITHIN_S))
            h.run.child.send(signal.SIGKILL)
            await h.run.child.process.wait()
            await asyncio.gather(*asking)
            touched = {name for name in WRITTEN if len(h.run.rig.units[name].log) > before[name]}
            gone += [f"turn {turn}: {each}" for each in lost(h.run.directory / "state", admitted, armed, touched)]
            await asyncio.to_thread(verified, h.run.directory / "state")
            promised, words = promised + len(admitted), words + 1
            await h.run.child.start()
        await h.until(lambda status: status["loop"]["ticks"] >= 3)
        exported_wh = METER_WH + h.run.rig.world.state.poc.export_wh
        intervals, unmatched = await asyncio.to_thread(unkept, h.run.directory / "state", exported_wh)
        gone += unmatched
        attack.found(
            kills=attack.count,
            intervals=intervals,
            promised=promised,
            words=words,
            lost=len(gone),
            peak_export_w=round(peak[0]),
        )
        assert not gone, "\n".join(gone)
        assert peak[0] < AGREED_W + 150.0
        h.held(I7="it dies all the time")


def peak_of(house: House) -> list[float]:
    """The largest export from now on."""
    peak = [0.0]
    state = house.run.rig.world

    def look() -> None:
        peak[0] = max(peak[0], state.state.poc.p_w)

    house.run.rig.each_step.append(look)
    return peak
