"""Commands made bad, over the broker and the socket, at a steady pace."""

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import aiomqtt

from hil.mutation import mutated, mutated_json

PRINCIPALS = 24
"""Each has a rate of its own in the daemon (docs/interfaces.md 3), so that what comes is looked at. A site file that
lists hil0 to hil19 has four strangers among them."""
TIMES = {"start": "2026-11-21T12:00:00Z", "end": "2099-11-21T12:00:00Z"}
PARTS: list[dict[str, Any]] = [{**TIMES, "export_w": 3000}]
AIMS: list[dict[str, Any]] = [{**TIMES, "p_target_w": -500}]
GOOD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("limit_power", {"p_ceiling_w": 1500, "der": "pv1"}),
    ("limit_power", {"p_ceiling_w": 2500}),
    ("set_battery_power", {"p_target_w": -800, "der": "bat1"}),
    ("clear", {"der": "pv1"}),
    ("clear", {}),
    ("ping", {}),
    ("change_limit", {"p_ceiling_w": 2000, "der": "pv2"}),
    ("grid_limit", {"export_w": 3000}),
    ("owner_limit", {"import_w": 9000, "generation_w": 4000}),
    ("operating_envelope", {"intervals": PARTS}),
    ("demand_response", {"duration_s": 30, "export_w": 2000}),
    ("opt_out", {"event": "e1"}),
    ("battery_plan", {"der": "bat1", "intervals": AIMS}),
    ("set_reserve", {"min_pct": 40}),
    ("set_power_factor", {"pf": 0.95, "excitation": "absorbing"}),
    ("set_var", {"q_pu": 0.1, "der": "pv2"}),
)
"""Of the table all but those that stop the site, arm or disarm: what is left of it shall go on."""
LOCAL = (*GOOD, ("status", {}), ("record", {"count": 3}))
LINES = 40
"""Of one connection to the socket."""


def over_mqtt(chance: Random) -> tuple[str, bytes]:
    """Name and payload."""
    name, args = chance.choice(GOOD)
    issued = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
    fields = {"id": uuid.UUID(int=chance.getrandbits(128)).hex[:12], "issued_at": issued, "expires_s": 60, **args}
    if chance.random() < 0.1:
        name = chance.choice(("arm ", "limit_power2", "é" * 50, "n" * 300, " "))
    return name, mutated_json(fields, chance)


def over_socket(chance: Random) -> bytes:
    """A line without its end: the call, its arguments, or all of it made bad."""
    name, args = chance.choice(LOCAL)
    if chance.random() < 0.7:
        bad = mutated_json({"expires_s": 60, **args}, chance)
        return b'{"call":"' + name.encode() + b'","args":' + bad + b"}"
    line = json.dumps({"call": name, "args": args}).encode()
    return mutated_json({"call": name, "args": args}, chance) if chance.random() < 0.5 else mutated(line, chance)


class Flood:
    """count messages, per_s of them a second, every other one over the socket. keep: a file that gets a line each."""

    def __init__(self, *, port: int, prefix: str, path: Path, chance: Random, keep: str = "") -> None:
        self.port, self.prefix, self.path, self.chance = port, prefix, path, chance
        self.keep = Path(keep) if keep else None
        self.sent = 0
        self.writer: asyncio.StreamWriter | None = None
        self.lines = 0

    async def run(self, count: int, per_s: float, sent: Callable[[int], None]) -> None:
        """sent: is told how many so far."""
        began, running = self.sent, asyncio.get_running_loop()
        start_s = running.time()
        try:
            async with aiomqtt.Client("127.0.0.1", self.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
                while self.sent - began < count:
                    await (self._to_socket() if self.sent % 2 else self._to_broker(client))
                    self.sent += 1
                    sent(self.sent)
                    await asyncio.sleep(max(0.0, start_s + (self.sent - began) / per_s - running.time()))
        finally:
            self._hang_up()

    async def _to_broker(self, client: aiomqtt.Client) -> None:
        name, payload = over_mqtt(self.chance)
        topic = f"{self.prefix}/cmd/hil{self.chance.randrange(PRINCIPALS)}/{name}"
        self._kept(topic.encode() + b" " + payload)
        await client.publish(topic, payload, qos=1)

    async def _to_socket(self) -> None:
        """A daemon that hangs up is asked again by the next connection."""
        line = over_socket(self.chance)
        self._kept(line)
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            if self.writer is None or self.writer.is_closing() or self.lines >= LINES:
                self._hang_up()
                reader, self.writer = await asyncio.open_unix_connection(str(self.path))
                self.lines = 0
                self.reading = asyncio.ensure_future(_drained(reader))
            self.lines += 1
            self.writer.write(line + b"\n")
            await asyncio.wait_for(self.writer.drain(), 5.0)

    def _hang_up(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.reading.cancel()
            self.writer = None

    def _kept(self, content: bytes) -> None:
        if self.keep is not None:
            with self.keep.open("a", encoding="ascii") as file:
                file.write(content.hex() + "\n")


async def _drained(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(65536):
            pass
