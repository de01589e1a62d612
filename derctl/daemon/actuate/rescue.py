"""Release without a daemon: after a kill, from the journal of what was written (ExecStopPost, CLI)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from derctl.daemon.actuate.writer import Dispatch, Writer
from derctl.daemon.build import Plant, build
from derctl.links.ending import end
from derctl.site import Site, fallback_of
from derctl.store.state import StateDir

AGAIN_S = 0.1


async def rescue(site: Site, *, lift: bool, seconds: float) -> dict[str, str]:
    """DER id to `released`, `unreachable`, or the device's refusal. Raises AlreadyRunning, OSError.

    What is not in the site file any more can't be reached from here, and is named.
    """
    state = StateDir(Path(site.file.site.state_dir), Path(site.file.site.socket).parent)
    state.hold()
    try:
        wrote = state.journal()
        if not wrote:
            return {}
        result = await _release(site, [name for name in wrote if name in _ids(site)], lift=lift, seconds=seconds)
        result |= {name: "not in the site file any more" for name in wrote if name not in _ids(site)}
        await state.set_journal({name: entry for name, entry in wrote.items() if result[name] != "released"})
        return result
    finally:
        state.let_go()


def _ids(site: Site) -> set[str]:
    return {der.id for der in site.file.ders}


async def _release(site: Site, wrote: list[str], *, lift: bool, seconds: float) -> dict[str, str]:
    plant = build(site, lambda event, who, text: None)
    used = {plant.ders[name].bus.name for name in wrote}
    tasks = [asyncio.create_task(bus.run()) for name, bus in plant.buses.items() if name in used]
    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(_ready(plant, name) for name in wrote))
    except TimeoutError:
        pass
    try:
        dispatch = Dispatch({name: _writer(site, plant, name) for name in wrote})
        return await dispatch.release(wrote, lift=lift, seconds=seconds)
    finally:
        await end(tasks)


async def _ready(plant: Plant, der_id: str) -> None:
    """Connected, found, and read once, so that what stands now is known; tried again until then."""
    channel = plant.ders[der_id]
    while channel.sample == 0:
        await channel.bus.wait_connected()
        channel.look_again()
        await channel.poll()
        await asyncio.sleep(AGAIN_S)


def _writer(site: Site, plant: Plant, der_id: str) -> Writer:
    section = next(der for der in site.file.ders if der.id == der_id)

    async def no_journal(name: str) -> None:
        return

    writer = Writer(
        id=der_id,
        channel=plant.ders[der_id],
        fallback=fallback_of(section),
        control=True,
        tick_s=site.file.site.tick_s,
        journal=no_journal,
        on_event=lambda event, who, text: None,
    )
    writer.outcome = type(writer.outcome)(accepted=plant.ders[der_id].reading.accepted)
    return writer
