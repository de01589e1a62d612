"""Our own small Modbus TCP server: several units per endpoint, with hooks for faults. Loopback only."""

import asyncio
import contextlib
import random
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from hil.certificates import may
from hil.exchange import HEADER, Exchange, framed, refusal
from hil.faces.bank import BUSY, ILLEGAL_FUNCTION, ILLEGAL_VALUE
from hil.faces.personality import Personality
from hil.unit import Unit

FrameFault = Callable[[Exchange], None]
ACCEPT, REQUEST, ANSWER = "accept", "request", "answer"
UNKNOWN_UNIT = {"0x0A": 0x0A, "0x0B": 0x0B}


class Connection(asyncio.Protocol):
    """One client. Requests may come pipelined, split or merged; the device serves them one after another."""

    def __init__(self, endpoint: "Endpoint") -> None:
        self.endpoint = endpoint
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.queue: deque[tuple[int, int, bytes]] = deque()
        self.serving: asyncio.Task[None] | None = None
        self.silent = False
        self.let_in = True
        self.said_goodbye = False
        self.began_s = self.last_s = 0.0
        self.held: list[bytes] = []
        self.certificate: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none of asyncio's
        session = transport.get_extra_info("ssl_object")
        self.certificate = None if session is None else session.getpeercert(binary_form=True)
        self.began_s = self.last_s = self.endpoint.now_s
        self.endpoint.accepted(self)

    def eof_received(self) -> None:
        self.said_goodbye = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.endpoint.gone(self)
        self.queue.clear()
        if self.serving is not None:
            self.serving.cancel()

    def data_received(self, received: bytes) -> None:
        self.last_s = self.endpoint.now_s
        if self.silent or self.endpoint.not_yet(self):
            return
        self.buffer += received
        if self.take() and self.queue and self.serving is None:
            self.serving = asyncio.get_running_loop().create_task(self._serve())

    def take(self) -> bool:
        """Whole requests off the buffer, into the queue. False: the rest is still to come, or never will."""
        while len(self.buffer) >= HEADER.size + 1:
            tid, protocol, length, unit_id = HEADER.unpack_from(self.buffer)
            if protocol != 0 or not 3 <= length <= 254:
                self.end("fin")
                return False
            if len(self.buffer) < 6 + length:
                return False
            self.queue.append((tid, unit_id, bytes(self.buffer[7 : 6 + length])))
            del self.buffer[: 6 + length]
        return True

    async def _serve(self) -> None:
        try:
            while self.queue:
                tid, unit_id, pdu = self.queue.popleft()
                await self.endpoint.serve(self, tid, unit_id, pdu)
        finally:
            self.serving = None

    def send(self, content: bytes) -> None:
        """Put bytes on the wire if somebody still listens."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(content)

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Call in delay_s; not at all when the client has gone."""
        asyncio.get_running_loop().call_later(delay_s, lambda: act() if self in self.endpoint.open else None)

    def end(self, how: str) -> None:
        """Close by FIN, RST, or only our direction ("half")."""
        if self.transport is None or self.transport.is_closing():
            return
        if how == "half":
            with contextlib.suppress(OSError):
                self.transport.write_eof()
            return
        if how == "rst":
            linger = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
            return
        self.transport.close()


@dataclass(slots=True, kw_only=True)
class Faults:
    """The faults that are on, by stage and in the order they came."""

    accept: dict[int, Callable[[Connection], None]] = field(default_factory=dict)
    request: dict[int, FrameFault] = field(default_factory=dict)
    answer: dict[int, FrameFault] = field(default_factory=dict)
    line: dict[int, FrameFault] = field(default_factory=dict)


class Endpoint:
    """A listening socket with its units. `port` 0 until started; a refused endpoint comes back on the same port."""

    def __init__(self, name: str, *, seed: int = 0) -> None:
        self.name = name
        self.tls: ssl.SSLContext | None = None
        self.units: dict[int, Unit] = {}
        self.port = 0
        self.random = random.Random(seed)
        self.faults = Faults()
        self.open: set[Connection] = set()
        self.held_until_s: list[float] = []
        self.connects = 0
        self.turned_away = 0
        self.crowded = 0
        self.silent = False
        self._server: asyncio.Server | None = None
        self._line = asyncio.Lock()
        self._last_answer_s = -1e9

    @property
    def now_s(self) -> float:
        """The loop's clock."""
        return asyncio.get_running_loop().time()

    @property
    def place(self) -> int | str:
        """Where a client finds it."""
        return self.port

    def client(self) -> Connection:
        """A client that came."""
        return Connection(self)

    async def listen(self) -> None:
        """Start, or start again, to accept clients."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self.client, "127.0.0.1", self.port, ssl=self.tls)
            self.port = int(self._server.sockets[0].getsockname()[1])

    def refuse(self) -> None:
        """Close the listener: new clients are refused by the kernel."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def shows(self, tls: ssl.SSLContext) -> None:
        """It starts again with another certificate."""
        await self.stop()
        self.tls = tls
        await self.listen()

    async def stop(self) -> None:
        """Close everything."""
        self.refuse()
        for connection in list(self.open):
            connection.end("rst")
            if connection.serving is not None:
                connection.serving.cancel()
        await asyncio.sleep(0)

    def accepted(self, connection: Connection) -> None:
        """A client came: the device's limit of clients first, then faults."""
        self.connects += 1
        self.open.add(connection)
        connection.silent = self.silent
        habits = next(iter(self.units.values())).face.habits
        self.held_until_s = [until_s for until_s in self.held_until_s if until_s > self.now_s]
        if habits.max_clients and len(self.open) + len(self.held_until_s) > habits.max_clients:
            self._one_too_many(connection, habits.extra_clients)
        for fault in list(self.faults.accept.values()):
            fault(connection)

    def gone(self, connection: Connection) -> None:
        """A client went. One that did not say goodbye keeps its place for the device's `slot_held_s`."""
        self.open.discard(connection)
        held_s = next(iter(self.units.values())).face.habits.slot_held_s
        if held_s and connection.let_in and not connection.said_goodbye:
            self.held_until_s.append(self.now_s + held_s)

    def not_yet(self, connection: Connection) -> bool:
        """Whether it does not hear this client yet: what comes sooner after the connect is lost."""
        wait_s = self._habits.connect_delay_s
        return wait_s > 0.0 and self.now_s - connection.began_s < wait_s

    def _one_too_many(self, connection: Connection, how: str) -> None:
        self.turned_away += 1
        connection.let_in = how == "kick_oldest"
        if how == "silent":
            connection.silent = True
        elif how == "kick_oldest":
            min(self.open - {connection}, key=lambda c: c.last_s).end("fin")
        else:
            connection.end("rst")

    def kick_idle(self) -> None:
        """Close clients that said nothing for the device's idle timeout."""
        limit_s = next(iter(self.units.values())).face.habits.idle_timeout_s
        for connection in list(self.open) if limit_s else ():
            if self.now_s - connection.last_s > limit_s:
                connection.end("fin")

    async def serve(self, connection: Connection, tid: int, unit_id: int, pdu: bytes) -> None:
        """One request: faults on the way in, latency, the unit's answer, faults on the way out."""
        exchange = self.asked(connection, tid, unit_id, pdu)
        async with self._line:
            await self._take_time(exchange)
            self._answer(exchange)
            self._last_answer_s = self.now_s
        self._deliver(exchange)

    def asked(self, connection: Connection, tid: int, unit_id: int, pdu: bytes) -> Exchange:
        """A request that came, after the faults on the way in."""
        unit = self.units.get(unit_id)
        exchange = Exchange(connection=connection, unit=unit, random=self.random, tid=tid, unit_id=unit_id, pdu=pdu)
        if unit is not None:
            unit.asked(pdu, self.now_s)
        for fault in list(self.faults.request.values()):
            fault(exchange)
        return exchange

    async def _take_time(self, exchange: Exchange) -> None:
        habits = next(iter(self.units.values())).face.habits
        low_s, high_s = habits.latency_s
        wait_s = self.random.uniform(low_s, high_s) + exchange.delay_s
        since_s = self.now_s - self._last_answer_s
        wait_s += max(0.0, habits.min_interval_s - since_s)
        if wait_s > 0.0:
            await asyncio.sleep(wait_s)

    def _answer(self, exchange: Exchange) -> None:
        if not exchange.answered:
            return
        certificate = exchange.connection.certificate
        if exchange.exception:
            exchange.answer = refusal(exchange.function, exchange.exception)
        elif certificate is not None and not may(certificate, exchange.function):
            exchange.answer = refusal(exchange.function, ILLEGAL_FUNCTION)
        elif exchange.unit is None:
            exchange.answered = self._habits.unknown_unit != "silent"
            exchange.answer = refusal(exchange.function, UNKNOWN_UNIT.get(self._habits.unknown_unit, 0x0B))
        elif self._busy(exchange.unit.face.habits.busy_p):
            exchange.answer = refusal(exchange.function, BUSY)
        elif exchange.function in (3, 4, 6, 16) and len(exchange.pdu) < 5:
            exchange.answer = refusal(exchange.function, ILLEGAL_VALUE)
        else:
            exchange.answer = exchange.unit.answer(exchange.pdu, self.now_s)
            exchange.answered = bool(exchange.answer)

    def _busy(self, share: float) -> bool:
        return share > 0.0 and self.random.random() < share

    @property
    def _habits(self) -> Personality:
        """Those of its first unit stand for the endpoint's."""
        return next(iter(self.units.values())).face.habits

    def answer(self, exchange: Exchange) -> None:
        """What the unit says now, and what goes back of it."""
        self._answer(exchange)
        self._frame(exchange)

    def _frame(self, exchange: Exchange) -> None:
        if exchange.answered:
            exchange.sends = [(0.0, framed(exchange.tid, exchange.unit_id, exchange.answer))]
            for fault in list(self.faults.answer.values()):
                fault(exchange)
            self.onto_line(exchange)
        self._account(exchange)

    def onto_line(self, exchange: Exchange) -> None:
        """Frames as this wire carries them: TCP's are made so."""

    def _deliver(self, exchange: Exchange) -> None:
        self._frame(exchange)
        loop = asyncio.get_running_loop()
        for delay_s, content in exchange.sends:
            if delay_s > 0.0:
                loop.call_later(delay_s, exchange.connection.send, content)
            else:
                exchange.connection.send(content)
        if exchange.close:
            exchange.connection.end(exchange.close)

    def _account(self, exchange: Exchange) -> None:
        if exchange.unit is None:
            return
        clean = exchange.answered and bool(exchange.sends) and not exchange.spoiled
        clean = clean and (exchange.habit or not exchange.close)
        if clean:
            exchange.unit.count.clean_s = self.now_s
            if exchange.unit.answered_s < 0.0:
                exchange.unit.answered_s = self.now_s
        else:
            exchange.unit.count.spoiled_s = self.now_s
