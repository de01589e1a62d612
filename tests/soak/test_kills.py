"""SIGKILL under load at random moments: what was answered is on disk, and so is what was written to the devices."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from derctl.store.audit import files, verified
from derctl.store.chain import Line, checked
from derctl.store.folder import Folder
from derctl.store.interval import LATE_S
from derctl.store.journal import Journal
from derctl.store.looked import read_only
from derctl.store.state import load
from tests.attack import Attack
from tests.soak.conftest import PATIENCE_S, House
from tests.soak.received import BEGAN_WH, Counted, Received

CLIENTS, LIMITS = 6, 8
BY_MQTT = 4
"""Of the clients who ask through the broker, side by side; the others use the socket."""
OPS = "ops"
CONFIRMS = 5
WITHIN_S = 0.05
"""How long behind an answer it is killed."""
STARTING_S = 1.5
AT_THE_START = 0.25
"""How many of the starts are killed on their way."""
AGREED_W = 7000.0
WHOLE_WH = 1.0
"""What a counter shows is rounded to."""
INTERVAL_S = 60
POC_WH = AGREED_W * INTERVAL_S / 3600.0
"""Of an interval at the point of connection."""
RATED_W = {"poc": AGREED_W, "pv1": 5000.0, "pv2": 10_000.0, "bat1": 5000.0}
WRITTEN = ("pv1", "pv2", "bat1")


def recorded(site: dict[str, Any]) -> None:
    """Short intervals, and who may ask through the broker."""
    site["records"] = {"interval_s": INTERVAL_S}
    site["mqtt"] = {"host": "127.0.0.1", "port": site["mqtt_port"], "tls": None, "principals": [{"name": OPS}]}
    del site["mqtt_port"]


@dataclass
class Promised:
    """What was answered before a kill: the limits that were admitted, and which of them came through the broker."""

    limits_w: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


async def limits(house: House, first: int, turn: int, promised: Promised) -> None:
    """A looser one lasts longer, so that none replaces another."""
    for n in range(LIMITS):
        limit_w = 1000.0 + first + n + turn / 1000.0
        try:
            answer = await house.ask("limit_power", p_ceiling_w=limit_w, expires_s=10.0 * limit_w)
        except (OSError, TimeoutError, ValueError):
            return
        assert answer["ok"], answer
        promised.limits_w.append(limit_w)


async def by_mqtt(received: Received, n: int, turn: int, promised: Promised) -> None:
    """One limit, through the broker."""
    limit_w, command_id = 3000.0 + n + turn / 1000.0, f"{turn}-{n}"
    with contextlib.suppress(TimeoutError):
        said = await received.ask(OPS, "limit_power", command_id, p_ceiling_w=limit_w, expires_s=10.0 * limit_w)
        assert said["result"] == "admitted", said
        promised.limits_w.append(limit_w)
        promised.ids.append(command_id)


def awake(status: dict[str, Any]) -> bool:
    """It has found its devices and has ticked."""
    return bool(status["loop"]["ticks"]) and all(der["fresh"] for der in status["ders"].values())


def kept_of(status: dict[str, Any]) -> int:
    """How many records there are."""
    return int(status["records"]["ledger"]["records"])


async def say(house: House, word: str) -> None:
    """arm or disarm, confirmed where it asks for that: again where what would be written has changed meanwhile."""
    answer = await house.ask(word)
    for _ in range(CONFIRMS):
        if not answer["ok"] and answer.get("confirm"):
            answer = await house.ask(word, confirm=answer["confirm"])
    assert answer["ok"], answer


def lost(folder: Path, admitted: list[float], armed: bool, touched: set[str]) -> list[str]:
    """What the disk does not have. Raises Broken."""
    state, problem = load(Folder(folder, folder))
    journal = Journal(Folder(folder, folder))
    problems = [f"state: {problem}"] if problem else []
    problems += [f"journal: {found}" for found in [journal.load()] if found]
    found = {each["p_ceiling_w"] for each in state.requests}
    problems += [f"limit of {limit_w} W" for limit_w in admitted if limit_w not in found]
    if state.word is None or state.word.armed is not armed:
        problems.append(f"word: {state.word}, but armed is {armed}")
    problems += [f"write to {name}" for name in touched if armed and name not in journal.entries]
    verified(folder)
    said = "".join((folder / name).read_text(errors="replace") for name in files(folder)[-2:])
    return problems + [f"{w} W in the audit log" for w in admitted if f" p_ceiling_w={w:.10g} " not in said]


def unkept(folder: Path, plant: Counted) -> tuple[list[Line], dict[str, float], list[str]]:
    """The ledger, by how much each device's counter in it is off the plant's own at most, and what is wrong. One that
    ends on its minute may have been read LATE_S later."""
    verified(folder)
    kept = whole(folder)
    ledger = [each.plain for each in kept]
    problems = [f"{a['to']}, then {b['from']}" for a, b in itertools.pairwise(ledger) if a["to"] != b["from"]]
    worst_wh = dict.fromkeys(RATED_W, 0.0)
    for record in ledger:
        for name, off_wh in plant.off(record):
            worst_wh[name] = max(worst_wh[name], abs(off_wh))
            most_wh = [RATED_W[name] * seconds / 3600.0 + WHOLE_WH for seconds in (LATE_S, INTERVAL_S)]
            if not -most_wh[0] < off_wh < most_wh[1]:
                problems.append(f"record {record['n']}, {record['to']}: {name} is {off_wh:.1f} Wh off")
    shown = [each["counters"]["poc"][0] for each in ledger]
    moved = sum(each["export_wh"] or 0.0 for each in ledger[1:])
    if abs(moved - (shown[-1] - shown[0])) > WHOLE_WH:
        problems.append(f"{moved:.0f} Wh recorded, the meter went from {shown[0]} to {shown[-1]}")
    if not -WHOLE_WH < BEGAN_WH + plant.shown[-1]["poc"][0] - shown[-1] < POC_WH + WHOLE_WH:
        problems.append(
            f"the meter shows {BEGAN_WH + plant.shown[-1]['poc'][0]:.0f} now, the last record {shown[-1]}"
        )
    return kept, worst_wh, problems


async def handed_over(received: Received, folder: Path) -> tuple[int, list[str]]:
    """Wait until the broker has all that is kept. How many came again, and what is wrong."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            kept = {each.n: each.hash for each in await asyncio.to_thread(whole, folder)}
            hashes, again, problems = received.firsts()
            if hashes.keys() >= kept.keys():
                break
            await asyncio.sleep(0.5)
    return again, problems + [f"record {n} is another one" for n, text in kept.items() if hashes[n] != text]


def whole(folder: Path) -> list[Line]:
    """The ledger as it is on disk now. Raises Broken."""
    try:
        _, first, lines = read_only(folder)
    except FileNotFoundError:
        return []
    found = list(lines)
    checked(found, first)
    return found


async def begun(house: House, chance: Random) -> int:
    """Started, and sometimes killed on its way, again and again. How often it was."""
    kills = 0
    await house.run.child.start()
    while chance.random() < AT_THE_START:
        await asyncio.sleep(chance.uniform(0.0, STARTING_S))
        await killed(house)
        kills += 1
        await house.run.child.start()
    await house.until(awake)
    return kills


async def killed(house: House) -> None:
    house.run.child.send(signal.SIGKILL)
    await house.run.child.process.wait()


async def replayed(received: Received, house: House, ids: list[str]) -> list[str]:
    """What was answered before the kill is taken no second time."""
    if not ids:
        return []
    await house.until(lambda status: status["mqtt"]["connected"])
    said = await received.ask(OPS, "limit_power", ids[-1], p_ceiling_w=4000.0, expires_s=60.0, within_s=PATIENCE_S)
    return [] if said["code"] == "replayed" else [f"{ids[-1]} was taken twice: {said}"]


@pytest.mark.scenario
@pytest.mark.soak(full=300, short=6, pieces=4)
async def test_killed_under_load_nothing_acknowledged_is_lost(house: Callable[..., Any], attack: Attack) -> None:
    """count: kills while commands are under way; those of starts come beside them."""
    chance, gone, had = attack.chance, list[str](), list[str]()
    total = again = kills = waited = 0
    async with house(recorded, broker=True) as h:
        folder, plant = h.run.directory / "state", Counted(h.run.rig)
        received = Received(h.run.mqtt_port, h.run.prefix)
        listening = asyncio.create_task(received.listen())
        await h.until(lambda status: status["mode"] == "control" and h.run.rig.world.state.poc.p_w < AGREED_W)
        peak = peak_of(h)
        for turn, armed in zip(range(attack.count), itertools.cycle((True, True, False)), strict=False):
            await h.until(awake)
            await h.ask("clear")
            await say(h, "arm" if armed else "disarm")
            count = len(had)
            if chance.random() < 0.5:
                waited += 1
                await h.until(lambda status, n=count: kept_of(status) > n and status["mqtt"]["connected"])
            before = {name: len(h.run.rig.units[name].log) for name in WRITTEN}
            promised = Promised()
            asking = [limits(h, LIMITS * n, turn, promised) for n in range(CLIENTS)]
            if received.client is not None:
                asking += [by_mqtt(received, n, turn, promised) for n in range(BY_MQTT)]
            tasks = [asyncio.create_task(each) for each in asking]
            least = chance.randrange(CLIENTS * LIMITS)
            while len(promised.limits_w) < least and not all(each.done() for each in tasks):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            await asyncio.sleep(chance.uniform(0.0, WITHIN_S))
            await killed(h)
            await asyncio.gather(*tasks)
            touched = {name for name in WRITTEN if len(h.run.rig.units[name].log) > before[name]}
            wrong = await asyncio.to_thread(lost, folder, promised.limits_w, armed, touched)
            now = [each.hash for each in await asyncio.to_thread(whole, folder)]
            wrong += (
                [] if now[: len(had)] == had else [f"of {len(had)} records others are there, or fewer: {len(now)}"]
            )
            had = now
            kills += 1 + await begun(h, chance)
            wrong += await replayed(received, h, promised.ids)
            gone += [f"turn {turn}: {each}" for each in wrong]
            total, again = total + len(promised.limits_w), again + len(promised.ids)
            attack.found(kills=kills, at_the_start=kills - turn - 1, promised=total, by_mqtt=again, lost=len(gone))
        await h.ticks(3)
        came_again, unsent = await handed_over(received, folder)
        kept, worst_wh, unmatched = await asyncio.to_thread(unkept, folder, plant)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        gone += unsent + unmatched
        attack.found(
            words=attack.count,
            intervals=len(kept),
            worst_wh=" ".join(f"{name} {wh:.1f}" for name, wh in worst_wh.items()),
            handed_over=len(received.firsts()[0]),
            again=came_again,
            lost=len(gone),
            peak_export_w=round(peak[0]),
        )
        assert not gone, "\n".join(gone)
        assert len(kept) >= waited > 0
        assert peak[0] < AGREED_W + 150.0
        h.held(I7="it dies all the time", I8="a store keeps what it was told last until its own reversion")


def peak_of(house: House) -> list[float]:
    """The largest export from now on."""
    peak = [0.0]
    state = house.run.rig.world

    def look() -> None:
        peak[0] = max(peak[0], state.state.poc.p_w)

    house.run.rig.each_step.append(look)
    return peak
