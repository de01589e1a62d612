"""What somebody has who listens at the broker, and what the plant's own counters showed at any moment."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import itertools
import json
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiomqtt

from derctl.store.interval import seconds_of
from hil.rig import Rig

BEGAN_WH = 1000.0
"""What each of hil's counters shows at first."""
ANSWER_S = 2.0


@dataclass
class Received:
    """By a client that subscribes to all below `prefix`: every interval in the order of its arrival, and the replies.

    came: when a message of a topic arrived, by the loop's clock, and of when it tells; the newest 2000 of each.
    """

    port: int
    prefix: str
    intervals: list[dict[str, Any]] = field(default_factory=list)
    waiting: dict[str, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    came: dict[str, deque[tuple[float, str]]] = field(default_factory=dict)
    client: aiomqtt.Client | None = None

    async def listen(self) -> None:
        """Until cancelled; again when the broker is."""
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", self.port, identifier="soak") as client:
                    await client.subscribe(f"{self.prefix}/#", qos=1)
                    self.client = client
                    async for message in client.messages:
                        if not message.retain:
                            self._note(str(message.topic).removeprefix(f"{self.prefix}/"), message.payload)
            self.client = None
            await asyncio.sleep(0.1)

    def _note(self, topic: str, payload: Any) -> None:
        said = json.loads(payload)
        now_s = asyncio.get_running_loop().time()
        self.came.setdefault(topic, deque(maxlen=2000)).append((now_s, str(said.get("t"))))
        if topic == "interval":
            self.intervals.append(said)
        elif topic.startswith("reply/"):
            answer = self.waiting.get(str(said["id"]))
            if answer is not None and not answer.done() and said["n"] == 1:
                answer.set_result(said)

    async def ask(
        self, principal: str, name: str, command_id: str, *, within_s: float = ANSWER_S, **fields: Any
    ) -> dict[str, Any]:
        """Its first answer. TimeoutError: none came."""
        assert self.client is not None
        own = {"id": command_id, "issued_at": datetime.now(UTC).isoformat(), **fields}
        answer = self.waiting[command_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(within_s):
                await self.client.publish(f"{self.prefix}/cmd/{principal}/{name}", json.dumps(own), qos=1)
                return dict(await answer)
        finally:
            del self.waiting[command_id]

    def firsts(self) -> tuple[dict[int, str], int, list[str]]:
        """The hash of each record that arrived, how many came again, and what is wrong with how they came."""
        hashes, again, problems = dict[int, str](), 0, list[str]()
        for each in self.intervals:
            n = each["record"]["n"]
            again += n in hashes
            if hashes.setdefault(n, each["hash"]) != each["hash"]:
                problems.append(f"record {n} came as {hashes[n]} and as {each['hash']}")
        new = [*hashes]
        problems += [f"record {b} came behind {a}" for a, b in itertools.pairwise(new) if b != a + 1]
        return hashes, again, problems


@dataclass
class Counted:
    """The plant's own counters, Wh out and in of each device and of the point of connection, at each of its steps."""

    rig: Rig
    at: list[float] = field(default_factory=list)
    shown: list[dict[str, tuple[float, float]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rig.each_step.append(self.look)

    def look(self) -> None:
        state = self.rig.world.state
        self.at.append(time.time())
        ders = {name: (der.inverter.energy_out_wh, der.inverter.energy_in_wh) for name, der in state.ders.items()}
        self.shown.append(ders | {"poc": (state.poc.export_wh, state.poc.import_wh)})

    def off(self, record: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
        """By how much each counter that a record ends with is below the plant's at that moment, Wh."""
        at = bisect.bisect(self.at, seconds_of(record["to"])) - 1
        for name, sides in record["counters"].items():
            for side, wh in enumerate(sides):
                if wh is not None and at >= 0:
                    yield name, BEGAN_WH + self.shown[at][name][side] - wh
