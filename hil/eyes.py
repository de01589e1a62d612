"""How a scenario looks at the daemon from outside: its unix socket, and the broker."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import aiomqtt

POLL_S = 0.5
PATIENCE_S = 2.0


async def ask(socket_path: Path, call: str, args: dict[str, Any] | None = None) -> dict[str, Any]:
    """One call over the daemon's socket (docs/interfaces.md 4). OSError, TimeoutError or ValueError if it fails."""
    request: dict[str, Any] = {"call": call}
    if args is not None:
        request["args"] = args
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_unix_connection(str(socket_path), limit=4_000_000)
        try:
            writer.write(json.dumps(request).encode() + b"\n")
            await writer.drain()
            line = await reader.readline()
        finally:
            writer.close()
    answer = json.loads(line)
    if not isinstance(answer, dict):
        raise ValueError(f"not an object: {line[:80]!r}")
    return answer


async def usurp(port: int, name: str) -> None:
    """Connect to the broker under this client id, and leave (MQTT 5, 3.1): who had it loses the session."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + len(name).to_bytes(2, "big") + name.encode()
    writer.write(b"\x10" + bytes((len(body),)) + body)
    await reader.read(1)
    writer.close()


class StatusEye:
    """Polls `status`. `status` is the last result, `seen_s` when it came (loop clock), None while there is none."""

    def __init__(self, socket_path: Path) -> None:
        self.socket_path = socket_path
        self.status: dict[str, Any] | None = None
        self.seen_s = -1e9
        self.polls = 0
        self.failures = 0

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            if self.socket_path.exists():
                await self._look()
            else:
                self.status = None
            await asyncio.sleep(POLL_S)

    async def _look(self) -> None:
        self.polls += 1
        try:
            answer = await ask(self.socket_path, "status")
            if not answer.get("ok"):
                raise ValueError(str(answer))
        except (OSError, TimeoutError, ValueError):
            self.failures += 1
            if asyncio.get_running_loop().time() - self.seen_s > PATIENCE_S:
                self.status = None
            return
        self.status = answer["result"]
        self.seen_s = asyncio.get_running_loop().time()


class MqttEye:
    """Subscribed to everything: the last payload per topic, counts, and what was published with which times."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.last: dict[str, Any] = {}
        self.messages = 0
        self.connected = False
        self.log: list[tuple[float, str, Any]] = []

    async def watch(self) -> None:
        """Until cancelled; comes back when the broker does."""
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", self.port, identifier="hil-eye") as client:
                    await client.subscribe("#", qos=1)
                    self.connected = True
                    async for message in client.messages:
                        self._note(str(message.topic), message.payload)
            self.connected = False
            await asyncio.sleep(0.5)

    def _note(self, topic: str, payload: Any) -> None:
        try:
            content = json.loads(payload)
        except (ValueError, TypeError, RecursionError):
            content = None
        self.messages += 1
        self.last[topic] = content
        if len(self.log) < 100_000:
            self.log.append((asyncio.get_running_loop().time(), topic, content))

    def online(self) -> bool | None:
        """What the retained `online` topic says; None before it was seen."""
        said = next((value for topic, value in self.last.items() if topic.endswith("/online")), None)
        return said.get("online") if isinstance(said, dict) else None

    async def publish(self, topic: str, payload: Any, *, retain: bool = False, qos: int = 1) -> None:
        """One message by a client of its own."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        async with aiomqtt.Client("127.0.0.1", self.port) as client:
            await client.publish(topic, text, qos=qos, retain=retain)
