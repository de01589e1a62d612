"""A driver asks by yielding and is answered by `send`; what went wrong is thrown in where it asked (DESIGN 2)."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from derctl.core.exchange import Exchange, Pause, Read, Write
from derctl.errors import BusTimeout


def copy_register(address: int) -> Exchange[int]:
    """Read one register, wait, write it beside; 0 where the read was not answered."""
    try:
        (value,) = yield Read(address=address, count=1)
    except BusTimeout:
        return 0
    yield Pause(seconds=0.1)
    yield Write(address=address + 1, values=(value,))
    return value


def test_the_same_code_runs_over_a_dict() -> None:
    registers, waited = {40_000: 7}, 0.0
    exchange = copy_register(40_000)
    asked = next(exchange)
    with pytest.raises(StopIteration) as done:
        while True:
            match asked:
                case Read(address=a, count=n):
                    asked = exchange.send([registers[a + k] for k in range(n)])
                case Write(address=a, values=values):
                    registers.update({a + k: v for k, v in enumerate(values)})
                    asked = exchange.send(())
                case Pause(seconds=s):
                    waited += s
                    asked = exchange.send(())
    assert done.value.value == 7 and registers[40_001] == 7 and waited == 0.1


def test_the_bus_s_error_arrives_where_the_driver_asked() -> None:
    exchange = copy_register(1)
    assert next(exchange) == Read(address=1, count=1, function=3)
    with pytest.raises(StopIteration) as done:
        exchange.throw(BusTimeout())
    assert done.value.value == 0


def test_a_request_is_block_write_and_holding_read_unless_it_says_otherwise_and_never_changes() -> None:
    assert (Read(address=0, count=1).function, Write(address=0, values=(1,)).function) == (3, 16)
    with pytest.raises(FrozenInstanceError):
        Read(address=0, count=1).count = 2  # type: ignore[misc]
