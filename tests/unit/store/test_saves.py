"""Who asks for a save hears of one that began after he asked, and one serves all who wait."""

from __future__ import annotations

import asyncio

import pytest

from derctl.store.saves import Saves


class Disk:
    """value: what is to be saved. saved: what was there when each write began."""

    def __init__(self) -> None:
        self.value = 0
        self.saved: list[int] = []
        self.go = asyncio.Event()
        self.full = False

    async def write(self) -> None:
        self.saved.append(self.value)
        await self.go.wait()
        if self.full:
            raise OSError(28, "No space left on device")


async def test_forty_who_ask_during_a_write_are_served_by_the_next_one() -> None:
    disk = Disk()
    saves = Saves(disk.write)
    asking = [asyncio.create_task(saves.now())]
    await asyncio.sleep(0)
    for value in range(1, 41):
        disk.value = value
        asking.append(asyncio.create_task(saves.now()))
    await asyncio.sleep(0)
    assert disk.saved == [0] and not any(task.done() for task in asking)
    disk.go.set()
    await asyncio.gather(*asking)
    assert disk.saved == [0, 40]


async def test_a_save_that_fails_is_heard_by_each_who_waits_and_the_next_one_tries_again() -> None:
    disk = Disk()
    disk.go.set()
    disk.full = True
    saves = Saves(disk.write)
    heard = await asyncio.gather(saves.now(), saves.now(), return_exceptions=True)
    assert [type(each) for each in heard] == [OSError, OSError]
    with pytest.raises(OSError, match="No space"):
        await saves.now()
    disk.full = False
    await saves.now()


async def test_on_a_card_of_50_ms_a_write_no_answer_comes_later_than_100_ms_however_many_ask() -> None:
    """Who asks at the worst moment waits for the write that is under way and for the next one, for nothing else."""
    clock, writes, late_s = asyncio.get_running_loop().time, list[float](), list[float]()

    async def write() -> None:
        writes.append(clock())
        await asyncio.sleep(0.05)

    saves = Saves(write)

    async def ask(at_s: float) -> None:
        await asyncio.sleep(at_s)
        began_s = clock()
        await saves.now()
        late_s.append(clock() - began_s)

    await asyncio.gather(*(ask(0.001 * n) for n in range(500)))
    assert len(late_s) == 500 and max(late_s) <= 0.1 + 1e-9
    assert len(writes) <= 12
