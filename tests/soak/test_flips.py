"""One bit of a kept file turns over: the daemon starts, forgets no disarm, alters no request and gives nothing up."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from derctl.core.words import Mode, Record
from derctl.daemon.app import App
from derctl.daemon.report.status import status
from derctl.site import Site
from derctl.site import load as site_of
from derctl.store.journal import FILE as WRITTEN
from derctl.store.journal import LEFT
from derctl.store.sealed import copy_of
from derctl.store.state import FILE
from tests.attack import Attack
from tests.soak.conftest import House
from tests.soak.starts import code_of, status_of_a_start
from tests.soak.test_kills import awake, say

KEPT = tuple(each for name in (FILE, WRITTEN, LEFT) for each in (name, copy_of(name)))
UNREADABLE = "state_unreadable"
STARTED_EVERY = 7
"""What is read in this process is what a daemon reads that is started; each so many-th is started too."""
LISTED_EVERY = 20
"""`derctl release --list` beside a start."""


@dataclass(frozen=True)
class Known:
    """What a start has to know, whatever happened to one file."""

    armed: tuple[bool, str | None]
    requests: tuple[tuple[Any, ...], ...]
    records: tuple[tuple[str, Any], ...]
    agreed: Any


def known(status: dict[str, Any]) -> Known:
    said = ("id", "by", "kind", "der", "p_ceiling_w", "p_target_w")
    requests = [tuple(each.get(name) for name in said) for each in status["requests"]]
    ders = status["ders"].items()
    return Known(
        armed=(status["armed"]["armed"], status["armed"]["by"]),
        requests=tuple(sorted(requests, key=str)),
        records=tuple((name, der["standing"]["record"]) for name, der in ders),
        agreed=[(name, der["found"]) for name, der in ders],
    )


class Card:
    """The state directory of a daemon that was killed, once armed and once disarmed, and a site whose devices are
    away, where it is tried again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.log = folder, folder / "state", folder / "log"
        self.site_file, self.socket = folder / "site.yaml", folder / "derctl.sock"
        self.was: dict[str, dict[str, bytes]] = {}
        self.site: Site | None = None

    def keep(self, name: str) -> None:
        self.was[name] = {each.name: each.read_bytes() for each in self.state.iterdir()}

    def away(self) -> None:
        """From now on nobody answers at the devices' addresses."""
        site = yaml.safe_load(self.site_file.read_text())
        for port, bus in enumerate(site["buses"], start=1):
            bus["tcp"]["port"] = port
        self.site_file.write_text(yaml.safe_dump(site))

    def lay(self, name: str, changed: dict[str, bytes]) -> None:
        shutil.rmtree(self.state)
        self.state.mkdir()
        for each, content in (self.was[name] | changed).items():
            (self.state / each).write_bytes(content)

    async def start(self) -> Known:
        return known(await status_of_a_start(self.site_file, self.socket, self.log))

    def read(self) -> Known:
        """What a start knows before its first tick, without one. Raises what would end it."""
        self.site = site_of(self.site_file) if self.site is None else self.site
        app = App(self.site)
        folder = app.survival.folder
        folder.hold()
        try:
            app.survival.restore(Mode(self.site.file.site.mode), app.news.tell)
            app.control.releaser.restore()
            return known(status(app.panel.view()))
        finally:
            folder.let_go()

    async def seen(self, n: int) -> Known:
        return await self.start() if n % STARTED_EVERY == 0 else self.read()


@pytest.fixture
async def card(house: Callable[..., Any], tmp_path: Path) -> Card:
    made = Card(tmp_path)
    async with house() as h:
        await h.until(lambda status: status["mode"] == "control" and awake(status))
        await h.ask("limit_power", p_ceiling_w=1500.0, der="pv1", expires_s=6e5)
        await h.ask("limit_power", p_ceiling_w=6500.0, expires_s=5e5)
        await h.ask("set_battery_power", p_target_w=-700.0, der="bat1", expires_s=4e5)
        await h.until(lambda status: all(der["writes"] for der in status["ders"].values()))
        await killed(h)
        made.keep("armed")
        await h.run.child.start()
        await h.until(awake)
        await say(h, "disarm")
        await killed(h)
        made.keep("disarmed")
    made.away()
    return made


async def killed(house: House) -> None:
    house.run.child.send(signal.SIGKILL)
    await house.run.child.process.wait()


def flipped(content: bytes, chance: Random) -> bytes:
    at, bit = chance.randrange(len(content)), chance.randrange(8)
    return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


@pytest.mark.scenario
@pytest.mark.soak(full=6 * 3000, short=6 * 4, pieces=4)
async def test_no_flipped_bit_of_one_file_changes_what_a_start_knows(card: Card, attack: Attack) -> None:
    """count: over all files together."""
    right = {}
    for was in card.was:
        card.lay(was, {})
        right[was] = await card.start()
    assert right["armed"].armed[0] and not right["disarmed"].armed[0]
    assert len(right["armed"].requests) == len(right["disarmed"].requests) == 3
    chance, wrong, listed = attack.chance, [], 0
    for n in range(attack.count):
        name, was = KEPT[n % len(KEPT)], ("armed", "disarmed")[n // len(KEPT) % 2]
        content = flipped(card.was[was][name], chance)
        card.lay(was, {name: content})
        wrong += [f"{n}: {text}" for text in await found(card, right[was], n)]
        listed += n % LISTED_EVERY == 2
        attack.found(read=n + 1, started=n // STARTED_EVERY + 1, files=len(KEPT), listed=listed, wrong=len(wrong))
        if wrong[-1:] and wrong[-1].startswith(f"{n}:"):
            (attack.folder / f"{n}-{was}-{name}").write_bytes(content)
    assert not wrong, "\n".join(wrong[:20])


async def found(card: Card, right: Known, n: int) -> list[str]:
    """What a start got wrong."""
    try:
        seen = await card.seen(n)
    except Exception as ended:
        return [str(ended)]
    wrong = [] if seen == right else [f"{seen} instead of {right}"]
    if n % LISTED_EVERY == 2:
        code = await code_of(("release", "--list", "-c", str(card.site_file)), card.log)
        text = card.log.read_text()
        wrong += [f"release --list: {code} {text[-500:]}"] if code not in {0, 1} or "Traceback" in text else []
    return wrong


@pytest.mark.scenario
@pytest.mark.soak(full=3 * 600, short=3 * 3)
async def test_with_a_flipped_bit_in_a_file_and_its_copy_nothing_is_armed_invented_or_given_up(
    card: Card, attack: Attack
) -> None:
    chance, wrong = attack.chance, []
    for n in range(attack.count):
        name, was = KEPT[2 * (n % 3)], ("armed", "disarmed")[n // 3 % 2]
        changed = {each: flipped(card.was[was][each], chance) for each in (name, copy_of(name))}
        card.lay(was, changed)
        try:
            seen = await card.seen(n)
        except Exception as ended:
            wrong.append(f"{n} {name}: {ended}")
            continue
        if name == FILE and (seen.armed != (False, UNREADABLE) or seen.requests):
            wrong.append(f"{n}: {seen}")
        if name == WRITTEN and any(record != Record.WRITTEN for _, record in seen.records):
            wrong.append(f"{n}: {seen.records}")
    attack.found(read=attack.count, wrong=len(wrong))
    assert not wrong, "\n".join(wrong[:20])
