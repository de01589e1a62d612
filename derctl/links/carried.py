"""An exchange carried to its end: whoever asks for it decides what becomes of each of its requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

from derctl.errors import BusError, DeviceError

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
T = TypeVar("T")


async def carried(exchange: Generator[Asked, Answer, T], ask: Callable[[Asked], Awaitable[Answer]]) -> T:
    """Send it each answer, throw errors and refusals in. Returns what it returns."""
    try:
        op = next(exchange)
        while True:
            try:
                answer = await ask(op)
            except (BusError, DeviceError) as error:
                op = exchange.throw(error)
            else:
                op = exchange.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        exchange.close()
