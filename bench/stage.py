"""The devices of the reaction measurement, a process of its own: it turns the meter and times the answers.

`python -m bench.stage serve FILE --ports-file F --flips N --tick S`. The plant stands still: only the stage changes
registers, at moments that it knows. One line of JSON at the end: seconds from the meter's register changing to the
WMaxLimPct register written, for each device and flip.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import struct
import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

from bench.simulated import P_MAX_W
from hil.rig import Rig
from hil.scenario import load
from hil.unit import Unit

P_W = 0.5 * P_MAX_W
UNDER_W, OVER_W = 0.2 * P_MAX_W, 1.6 * P_MAX_W
"""Export for each inverter, of an agreed P_MAX_W for each: contract_export_limit gives the headroom, so under the
limit each may go up to at least 80 %; over it each must go down at once, by the whole excess."""
OPEN_PCT, CUT_PCT = 65.0, 45.0
LIVE_S = 0.25
LIVE_HZ = (50.0, 50.01, 50.02, 49.99, 49.98)
"""Five values at four a second: a poll once a second always sees another one."""
GIVE_UP_S = 30.0


class Ceiling:
    """The WMaxLimPct register of one inverter, and the moment at which it went down to CUT_PCT."""

    def __init__(self, unit: Unit) -> None:
        bank = unit.face.bank
        image = bank.image(704 if any(image.model_id == 704 for image in bank.images) else 123)
        slot = image.slots["WMaxLimPct"]
        self._address = bank.start[id(image)] + slot.at
        self._scale = image.scale(slot)
        self.pct = 0.0
        self.cut_s = 0.0
        unit.write_faults[-1] = self._see

    def _see(self, address: int, content: bytes) -> bytes:
        if address == self._address:
            before, self.pct = self.pct, self._scale * struct.unpack_from(">H", content)[0]
            if self.pct <= CUT_PCT < before:
                self.cut_s = time.monotonic()
        return content


class Stage:
    """Served devices whose registers only this class changes."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._ders = [unit for name, unit in rig.units.items() if name != "meter"]
        self._meter = rig.units["meter"]
        self._ceilings = [Ceiling(unit) for unit in self._ders]

    async def flips(self, count: int, tick_s: float) -> list[float]:
        """Reaction times of all devices. Each flip comes at a random moment of the daemon's tick."""
        for unit in self._ders:
            self._put(unit, "W", P_W)
        found: list[float] = []
        for _ in range(count):
            self._put(self._meter, "W", UNDER_W * len(self._ders))
            await self._until(lambda each: each.pct >= OPEN_PCT)
            await asyncio.sleep(random.uniform(1.0, 2.0) * tick_s)
            self._put(self._meter, "W", OVER_W * len(self._ders))
            flipped_s = time.monotonic()
            await self._until(lambda each: each.pct <= CUT_PCT)
            found += [each.cut_s - flipped_s for each in self._ceilings]
        return found

    async def live(self) -> None:
        """Move the frequency by its last digit, so that nobody takes these devices for frozen."""
        for hz in cycle(LIVE_HZ):
            for unit in (*self._ders, self._meter):
                self._put(unit, "Hz", hz)
            await asyncio.sleep(LIVE_S)

    async def _until(self, holds: Callable[[Ceiling], bool]) -> None:
        until = time.monotonic() + GIVE_UP_S
        while not all(holds(each) for each in self._ceilings):
            if time.monotonic() > until:
                raise TimeoutError(f"no reaction; ceilings {[each.pct for each in self._ceilings]}")
            await asyncio.sleep(0.01)

    @staticmethod
    def _put(unit: Unit, point: str, value: float) -> None:
        for image in unit.face.bank.images:
            if image.model_id != 1 and {"W", "Hz"} <= image.slots.keys():
                image.put(point, value)
                unit.face.bank.publish((image.model_id,))


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("serve")
    parser.add_argument("file", type=Path)
    parser.add_argument("--ports-file", type=Path)
    parser.add_argument("--flips", type=int)
    parser.add_argument("--tick", type=float)
    args = parser.parse_args()
    rig = Rig(load(args.file))
    await rig.start()
    stage = Stage(rig)
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
        text = json.dumps({"ports": rig.ports(), "site_file": str(rig.site_file(Path(directory)))})
        partial = args.ports_file.with_suffix(".new")
        partial.write_text(text, encoding="utf-8")
        partial.replace(args.ports_file)
        living = asyncio.create_task(stage.live())
        print(json.dumps(await stage.flips(args.flips, args.tick)), flush=True)
        await living


if __name__ == "__main__":
    asyncio.run(main())
