"""A client for the tests of register maps: reads and writes by raw frames, on TCP and on a serial line."""

import asyncio
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hil.recordings import directory
from hil.rig import Rig


def plant(**more: Any) -> dict[str, Any]:
    """A house that draws 1.2 kW and 300 var."""
    return {"loads": {"house": {"node": "poc", "p_w": 1200, "q_var": 300}}, **more}


PACK: dict[str, Any] = {
    "cells": 16,
    "capacity_wh": 14000,
    "charge_max_a": 100,
    "discharge_max_a": 120,
    "soc_pct": 47,
}
INVERTER: dict[str, Any] = {
    "id": "bat1",
    "face": "storage_124",
    "rating": {"p_max_w": 4000},
    "battery": PACK,
}


def device(id: str, name: str, **more: Any) -> dict[str, Any]:
    """A device with a register map, without its latency."""
    habits = {"latency_s": [0.0, 0.0], "connect_delay_s": 0.0, "busy_p": 0.0, "min_interval_s": 0.0}
    return {
        "id": id,
        "face": "registers",
        "personality": name,
        **more,
        "habits": {**habits, **more.get("habits", {})},
    }


class Client:
    """One connection of one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, unit: int) -> None:
        self.reader, self.writer, self.unit, self.tid = reader, writer, unit, 0

    @classmethod
    async def to(cls, rig: Rig, name: str) -> "Client":
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.endpoint_of(name).port)
        return cls(reader, writer, rig.units[name].unit_id)

    async def ask(self, pdu: bytes) -> bytes:
        """The PDU that comes back."""
        self.tid += 1
        self.writer.write(struct.pack(">HHHB", self.tid, 0, len(pdu) + 1, self.unit) + pdu)
        tid, _, length, _ = struct.unpack(">HHHB", await self.reader.readexactly(7))
        assert tid == self.tid
        return await self.reader.readexactly(length - 1)

    async def read(self, function: int, address: int, count: int) -> bytes:
        """The registers; raises AssertionError on an exception."""
        answer = await self.ask(struct.pack(">BHH", function, address, count))
        assert answer[0] == function, f"exception {answer[1]} for {count} at {address:#x}"
        assert answer[1] == 2 * count
        return answer[2:]

    async def refused(self, function: int, address: int, count: int) -> int:
        """The code of the exception; 0 without one."""
        answer = await self.ask(struct.pack(">BHH", function, address, count))
        return answer[1] if answer[0] & 0x80 else 0

    async def number(self, function: int, address: int, form: str) -> float:
        """One number of struct's format, as it stands on the wire."""
        content = await self.read(function, address, struct.calcsize(form) // 2)
        return float(struct.unpack(form, content)[0])

    async def swapped(self, function: int, address: int, form: str) -> float:
        """The same, of a device that sends the low word first."""
        content = await self.read(function, address, struct.calcsize(form) // 2)
        words = [content[at : at + 2] for at in range(0, len(content), 2)]
        return float(struct.unpack(form, b"".join(reversed(words)))[0])

    async def write(self, address: int, *words: int) -> int:
        """By function 16; the code of the exception, 0 without one."""
        content = b"".join(struct.pack(">H", word & 0xFFFF) for word in words)
        answer = await self.ask(struct.pack(">BHHB", 16, address, len(words), len(content)) + content)
        return answer[1] if answer[0] & 0x80 else 0

    async def write_one(self, address: int, word: int) -> int:
        """By function 6."""
        answer = await self.ask(struct.pack(">BHH", 6, address, word & 0xFFFF))
        return answer[1] if answer[0] & 0x80 else 0

    async def turn(self) -> None:
        """A turn of the loop."""
        await asyncio.sleep(0)

    def close(self) -> None:
        self.writer.close()


def passed(rig: Rig, seconds: float) -> None:
    """Let plant, timers and registers go on without wall time."""
    for _ in range(round(seconds / 0.1)):
        rig.world.advance(0.1)
        for unit in rig.units.values():
            unit.face.tick(0.1)
    for unit in rig.units.values():
        unit.face.refresh(rig.world.view)


def recorded(name: str) -> dict[int, int]:
    """Registers of a recording by their number."""
    found = directory()
    assert found is not None, "no recordings: set DERCTL_DUMPS"
    known = json.loads((Path(found) / f"{name}.json").read_text(encoding="utf-8"))
    return {int(address): int(word) for address, word in known["registers"].items()}


def words(image: dict[int, int], address: int, form: str, *, step: int = 1, low_first: bool = False) -> float:
    """A number out of recorded registers."""
    count = struct.calcsize(form) // 2
    raw: Sequence[int] = [image[address + i * step] for i in range(count)]
    content = b"".join(struct.pack(">H", word) for word in (reversed(raw) if low_first else raw))
    return float(struct.unpack(form, content)[0])
