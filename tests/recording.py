"""A program that keeps records of a simulated house until it is killed: `python -m tests.recording FOLDER EPOCH`.

The house's clock runs SPEED times as fast and never stops, nor does its meter. To stdout: what the broker was given
(I N HASH FROM TO WH) and which words were acknowledged (A K), each line at once.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from derctl.core.types import Reading, SiteState
from derctl.core.value import replace
from derctl.daemon import feeding, keeping
from derctl.daemon.auditing import Auditing
from derctl.daemon.clock import Clock
from derctl.site.schema import RecordsSection
from derctl.store.folder import Folder
from derctl.store.outbox import Outbox
from tests import make

NOON = 1_795_262_400.0
SPEED = 900.0
W = 2400.0
INTERVAL_S = 60
MODULUS_WH = 2.0**32
BEGAN_WH = MODULUS_WH - 3000.0
"""It wraps on its way."""
ROUND_S = 0.02


def wall_of(epoch: float) -> float:
    """The house's time."""
    return NOON + (time.time() - epoch) * SPEED


def counter_of(wall: float) -> float:
    """What its meter shows, in whole Wh, since 32 bits count so."""
    return float(int(BEGAN_WH + (wall - NOON) * W / 3600.0) % int(MODULUS_WH))


def state(wall: float) -> SiteState:
    reading = Reading(p_w=-W, energy_wh=0.0, energy_in_wh=counter_of(wall))
    return make.site(poc=replace(make.meter(-W), reading=reading), tick_s=SPEED * ROUND_S)


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def broker(outbox: Outbox) -> None:
    """Takes whatever comes."""
    while True:
        message = await outbox.peek()
        outbox.sent(message)
        if message.topic == "interval":
            said = json.loads(message.payload)
            record = said["record"]
            say("I", record["n"], said["hash"], record["from"], record["to"], record["import_wh"])
        await asyncio.sleep(0)


async def asks(audit: Auditing) -> None:
    """Words that are acknowledged once they are kept."""
    for k in itertools.count():
        audit.note("command", "ops", f"{os.getpid()}-{k}")
        await audit.kept()
        say("A", f"{os.getpid()}-{k}")
        await asyncio.sleep(0.005)


async def main(path: Path, epoch: float) -> None:
    keeping.COMMIT_S, feeding.BACKFILL_PER_S, feeding.SAVE_SENT = 2.0 * INTERVAL_S, 500.0, 8
    folder = Folder(path, path)
    folder.hold()
    file = SimpleNamespace(
        site=SimpleNamespace(id="demo"),
        records=RecordsSection(interval_s=cast(Any, INTERVAL_S)),
        poc=object(),
        ders=[],
    )
    clock = Clock("assume", lambda: wall_of(epoch))
    tell = lambda event, der, text: say("E", event, text)  # noqa: E731
    outbox, audit = Outbox(), Auditing(folder, clock, tell)
    kept = keeping.Keeping(
        site=cast(Any, SimpleNamespace(file=file)),
        folder=folder,
        clock=clock,
        tell=tell,
        monotonic=lambda: time.monotonic() * SPEED,
    )
    fed = feeding.Feeding(kept, clock, outbox, lambda: True, lambda: audit.head)
    works = (kept.run(), fed.run(), audit.run(), broker(outbox), asks(audit))
    tasks = [asyncio.create_task(each) for each in works]
    say("BEGUN")
    while not any(task.done() for task in tasks):
        kept.report(state(wall_of(epoch)))
        await asyncio.sleep(ROUND_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
