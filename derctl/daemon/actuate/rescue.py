"""Release without a daemon: after a kill, from the journal of what was written (ExecStopPost, CLI)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from derctl.core.value import replace
from derctl.core.words import Record, Released
from derctl.daemon.actuate.dispatch import Dispatch, rises
from derctl.daemon.actuate.ledger import Ledger
from derctl.daemon.actuate.ration import Ration
from derctl.daemon.actuate.records import Records
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.releaser import Releaser
from derctl.daemon.actuate.standing import Standing
from derctl.daemon.actuate.text import released_text
from derctl.daemon.actuate.wearing import Wearing
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.auditing import noted_alone
from derctl.daemon.build import build, writer_of
from derctl.daemon.channel.channel import Channel
from derctl.daemon.clock import Clock
from derctl.daemon.known import known_before
from derctl.daemon.standings import found_before
from derctl.links.ending import end
from derctl.site import Site
from derctl.store import state
from derctl.store.folder import Folder
from derctl.store.journal import Journal

AGAIN_S = 0.1
OTHERS_S = 2.0
"""How long devices are looked for that nothing is written to."""


async def rescue(site: Site, tell: Callable[[str], None], *, lift: bool, seconds: float) -> dict[str, Release]:
    """By DER id: what became of its release, or what stands in it. Raises AlreadyRunning, OSError.

    What is not in the site file any more can't be reached from here, and is named. tell: hears what is wrong with the
    record of what was written.
    """
    folder, unsaved = folder_of(site), list[str]()

    def heard(event: str, who: str, text: str) -> None:
        if event == "journal_not_saved":
            unsaved.append(text)
        elif event == "journal_unreadable":
            tell(text)

    folder.hold()
    try:
        async with _house(site, folder, heard) as releaser:
            releaser.restore()
            ledger = releaser.records.ledger
            clock = Clock(site.file.site.clock_sync)
            wearing = Wearing(folder, clock, ledger, also=lambda: ledger.of)
            wearing.restore(state.load(folder)[0])
            await _read(releaser, seconds, lift=lift)
            result = await releaser.release(lift=lift, seconds=seconds)
            result |= await _read_again(releaser, result, seconds)
            await releaser.save()
            await wearing.end()
            text = f"release without a daemon: {released_text(result)}"
            await noted_alone(folder, clock, text, command="release", arguments={"lift": lift})
        if unsaved:
            raise OSError(unsaved[0])
        return result
    finally:
        folder.let_go()


async def look(site: Site, *, seconds: float = OTHERS_S) -> dict[str, tuple[Standing, bool]]:
    """What stands in each DER that derctl may write, and whether it answers; nothing is written. Raises OSError."""
    async with _house(site, folder_of(site), lambda event, who, text: None) as releaser:
        releaser.restore(touch=False)
        await _read(releaser, seconds, lift=True)
        ours = {name: each for name, each in releaser.dispatch.writers.items() if each.control}
        return {
            name: (releaser.inventory.stands(name), each.channel.measured.sample > 0) for name, each in ours.items()
        }


def folder_of(site: Site) -> Folder:
    return Folder(Path(site.file.site.state_dir), Path(site.file.site.socket).parent)


@asynccontextmanager
async def _house(site: Site, folder: Folder, on_event: Callable[[str, str, str], None]) -> AsyncIterator[Releaser]:
    """The site's DERs, on buses that connect."""
    async with wired(site, folder, on_event) as (releaser, _):
        yield releaser


@asynccontextmanager
async def wired(
    site: Site, folder: Folder, on_event: Callable[[str, str, str], None]
) -> AsyncIterator[tuple[Releaser, dict[str, asyncio.Task[None]]]]:
    """The same, with the task that keeps each bus connected, by the bus's name."""
    plant, ledger = build(site, lambda event, who, text: None, known_before(folder)), Ledger()
    dispatch = Dispatch({name: _writer(site, channel, ledger) for name, channel in plant.ders.items()})
    used = {channel.bus.line.name: channel.bus for channel in plant.ders.values()}
    tasks = {name: asyncio.create_task(bus.line.run()) for name, bus in used.items()}
    try:
        yield Releaser(Records(Journal(folder), lambda: "", on_event, ledger), dispatch, on_event), tasks
    finally:
        await end(tasks.values())


async def _read(releaser: Releaser, seconds: float, *, lift: bool) -> None:
    """Until those that are to be released answer, and the others for as long as OTHERS_S. Where one would give more
    afterwards, none of the others may be lost: all are waited for then."""
    writers = releaser.dispatch.writers
    reads = {name: asyncio.create_task(ready(each.channel)) for name, each in writers.items()}
    wrote = [name for name in reads if lift or releaser.records.of(name) is Record.WRITTEN]
    ends_s = asyncio.get_running_loop().time() + seconds
    try:
        await _until(reads.values(), min(ends_s, asyncio.get_running_loop().time() + OTHERS_S))
        await _until([reads[name] for name in wrote], ends_s)
        take_over(writers.values())
        if any(rises(writers[name], lift=lift) for name in wrote):
            await _until(reads.values(), ends_s)
    finally:
        await end(reads.values())
    take_over(writers.values())


async def _until(tasks: Collection[asyncio.Task[None]], ends_s: float) -> None:
    left_s = ends_s - asyncio.get_running_loop().time()
    if tasks and left_s > 0.0:
        await asyncio.wait(tasks, timeout=left_s)


def take_over(writers: Iterable[Writer]) -> None:
    """What the devices read back is what they hold."""
    for writer in writers:
        writer.account.outcome = replace(writer.account.outcome, accepted=writer.channel.measured.reading.accepted)


async def _read_again(releaser: Releaser, result: dict[str, Release], seconds: float) -> dict[str, Release]:
    """What stands in those that were released, by another poll."""
    writers = releaser.dispatch.writers
    done = [name for name, each in result.items() if each.result is Released.RELEASED and name in writers]
    polls = [asyncio.create_task(writers[name].channel.poll()) for name in done]
    try:
        await _until(polls, asyncio.get_running_loop().time() + seconds)
    finally:
        await end(polls)
    take_over(writers[name] for name in done)
    return {name: replace(result[name], standing=releaser.inventory.stands(name)) for name in done}


async def ready(channel: Channel) -> None:
    """Connected, found so that it can be told something, and read, so that what stands now is known; again as long as
    the power is above that, unless it is known that this goes on."""
    while (
        channel.measured.sample == 0
        or channel.bond.binding.missing
        or (channel.measured.claim.doubtful and not channel.measured.claim.blind)
    ):
        await channel.bus.line.wait_connected()
        channel.bond.look_again()
        if channel.bond.wants_look:
            await channel.look()
        await channel.poll()
        await asyncio.sleep(AGAIN_S)


def _writer(site: Site, channel: Channel, ledger: Ledger) -> Writer:
    section = next(der for der in site.file.ders if der.id == channel.id)

    async def no_journal(name: str) -> None:
        return

    writer = writer_of(site, section, channel, no_journal, lambda event, who, text: None)
    writer.account.ration = Ration(channel.id, ledger, frozenset(section.may_write))
    writer.promised.found_w = partial(found_before(folder_of(site)).get, channel.id)
    return writer
