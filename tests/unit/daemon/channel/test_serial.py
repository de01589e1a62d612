"""Who is expected after a reconnection: the serial number that is known, and nobody where none is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.exchange import Exchange, Read
from derctl.core.types import Capability, Rating, Reading
from derctl.daemon.channel.binding import REBIND_S
from derctl.daemon.channel.channel import Channel
from derctl.devices import Identity, Options

RATING = Rating(p_max_w=5000.0, p_min_w=0.0, s_max_va=5000.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0)


class Line:
    """A bus with one device on it, whose serial number the test sets."""

    connected, generation = True, 1

    def __init__(self) -> None:
        self.serial, self.asked = "", 0

    async def execute(self, unit: int, exchange: Any, **_: Any) -> Any:
        with pytest.raises(StopIteration) as stop:
            next(exchange)
            exchange.send((1,))
        return stop.value.value

    async def request(self, *_: Any, **__: Any) -> tuple[int, ...]:
        self.asked += 1
        return (self.asked,)

    def identity(self) -> Exchange[Identity]:
        yield Read(address=0, count=1)
        return Identity(serial=self.serial)

    def bind(self, options: Options) -> Exchange[Any]:
        return SimpleNamespace(
            identity=(yield from self.identity()), rating=RATING, can=Capability(), problems=(), slow={},
            control={"ac": Read(address=1, count=1)}, identify=self.identity, decode=lambda answers: Reading(),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("in_site_file", "first", "later", "found"),
    [
        (None, "", "SN1", True),  # a serial that comes a while after the start
        (None, "0000000", "SN1", True),
        (None, "SN1   ", "SN1", True),
        (None, "SN1", "SN2", False),
        (None, "SN1", "", False),
        ("SN1 ", "SN1", "SN1", True),
        ("SN1", "SN1", "SN2", False),
        ("SN1", "SN1", "", False),
    ],
)
async def test_after_a_reconnection_another_serial_is_refused_and_one_that_was_not_known_is_learnt(
    in_site_file: str | None, first: str, later: str, found: bool
) -> None:
    line, now_s = Line(), 1000.0
    wired: Any = line
    kind: Any = SimpleNamespace(bind=line.bind)
    channel = Channel(
        id="pv1", bus=wired, unit=1, kind=kind, options=Options(), serial=in_site_file, clock=lambda: now_s
    )
    line.serial = first
    await channel.poll()
    assert channel.state == "ok"
    line.serial, line.generation, now_s = later, 2, now_s + REBIND_S
    await channel.poll()
    await channel.poll()
    assert (channel.state == "ok") is found
    assert channel.known is not None and channel.known.serial.strip() == (later if found else first).strip()


async def test_a_serial_that_the_site_file_names_is_expected_from_the_start() -> None:
    line = Line()
    wired: Any = line
    kind: Any = SimpleNamespace(bind=line.bind)
    channel = Channel(id="pv1", bus=wired, unit=1, kind=kind, options=Options(), serial="SN1")
    await channel.poll()
    assert (channel.state, channel.binding.reason) == ("refused", "identity_changed")
