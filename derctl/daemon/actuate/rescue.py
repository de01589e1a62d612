"""Release without a daemon: after a kill, from the journal of what was written (ExecStopPost, CLI)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from derctl.core.words import Released
from derctl.daemon.actuate.dispatch import Dispatch, rises
from derctl.daemon.actuate.release import Release, released_before
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.build import Plant, build, writer_of
from derctl.links.ending import end
from derctl.site import Site
from derctl.store.folder import Folder
from derctl.store.journal import LEFT, Journal

AGAIN_S = 0.1


async def rescue(site: Site, *, lift: bool, seconds: float) -> dict[str, Release]:
    """By DER id. Raises AlreadyRunning, OSError, or ValueError where the journal can't be read.

    What is not in the site file any more can't be reached from here, and is named.
    """
    folder = Folder(Path(site.file.site.state_dir), Path(site.file.site.socket).parent)
    folder.hold()
    try:
        journal, left = Journal(folder), Journal(folder, LEFT)
        journal.load()
        with suppress(OSError, ValueError):  # what stands from before keeps nothing from being released
            left.load()
        known = {der.id: der.fallback.p_ceiling_w for der in site.file.ders}
        stood = {
            name: limit_w for name, limit_w in left.stands.items() if name in known and name not in journal.entries
        }
        wrote = [name for name in (*journal.entries, *(stood if lift else ())) if name in known]
        result = {name: Release(Released.NOT_IN_FILE, "not in the site file any more") for name in journal.entries}
        if wrote:
            result |= await _release(site, wrote, lift=lift, seconds=seconds)
        await _remember(journal, left, result, known)
        return {name: released_before(limit_w) for name, limit_w in stood.items()} | result
    finally:
        folder.let_go()


async def _remember(
    journal: Journal, left: Journal, result: Mapping[str, Release], ceilings: Mapping[str, float | None]
) -> None:
    """Raises OSError where it can't be saved."""
    done = {name: each for name, each in result.items() if each.result is Released.RELEASED}
    journal.forget(done)
    left.forget(done)
    for name, each in done.items():
        if each.stands_w is not None and each.held_below(ceilings[name]):
            left.keep(name, stands_w=each.stands_w)
    for book in (journal, left):
        problem = await book.save()
        if problem is not None:
            raise OSError(problem)


async def _release(site: Site, wrote: Sequence[str], *, lift: bool, seconds: float) -> dict[str, Release]:
    """Where one of them would give more afterwards, the others are looked for too: none of those may be lost then."""
    plant = build(site, lambda event, who, text: None)
    tasks: dict[str, asyncio.Task[None]] = {}
    try:
        ends_s = asyncio.get_running_loop().time() + seconds
        await _found(plant, wrote, tasks, ends_s)
        writers = {name: _writer(site, plant, name) for name in wrote}
        if any(rises(writer, lift=lift) for writer in writers.values()):
            others = [name for name in plant.ders if name not in writers]
            await _found(plant, others, tasks, ends_s)
            writers |= {name: _writer(site, plant, name) for name in others}
        return await Dispatch(writers).release(wrote, lift=lift, seconds=seconds)
    finally:
        await end(tasks.values())


async def _found(plant: Plant, names: Sequence[str], tasks: dict[str, asyncio.Task[None]], ends_s: float) -> None:
    """All of them read once, or until then."""
    for bus in (plant.ders[name].bus for name in names):
        if bus.name not in tasks:
            tasks[bus.name] = asyncio.create_task(bus.run())
    with suppress(TimeoutError):
        async with asyncio.timeout_at(ends_s):
            await asyncio.gather(*(_ready(plant, name) for name in names))


async def _ready(plant: Plant, der_id: str) -> None:
    """Connected, found so that it can be told something, and read once, so that what stands now is known; tried
    again until then."""
    channel = plant.ders[der_id]
    while channel.sample == 0 or channel.missing:
        await channel.bus.wait_connected()
        channel.look_again()
        if channel.wants_look:
            await channel.look()
        await channel.poll()
        await asyncio.sleep(AGAIN_S)


def _writer(site: Site, plant: Plant, der_id: str) -> Writer:
    section = next(der for der in site.file.ders if der.id == der_id)

    async def no_journal(name: str) -> None:
        return

    writer = writer_of(site, section, plant.ders[der_id], no_journal, lambda event, who, text: None)
    writer.outcome = replace(writer.outcome, accepted=plant.ders[der_id].reading.accepted)
    return writer
