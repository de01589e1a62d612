"""What a scan asks where nothing is said, and how long that takes."""

from __future__ import annotations

import pytest

from derctl.commission.presence import present
from derctl.commission.sweep import breadth, longest_s
from derctl.core.exchange import Read
from derctl.errors import BusTimeout, DeviceRefused
from derctl.site import profiles

USUAL = breadth(profiles().values())


def test_the_usual_units_are_1_to_10_and_where_makers_leave_their_devices() -> None:
    """SMA's SunSpec map is on 126, Kostal's on 71 at port 1502, a Victron GX on 100, GoodWe's ET on 247."""
    assert USUAL.units[:10] == tuple(range(1, 11))
    assert {71, 100, 126, 247} <= {*USUAL.units}
    assert USUAL.ports[0] == 502 and 1502 in USUAL.ports
    assert len(USUAL.settings) == 4 and {baud for baud, _ in USUAL.settings} == {9600, 19200}


def test_nobody_is_asked_under_0_on_a_serial_line_since_that_means_everybody() -> None:
    assert 0 in USUAL.on(False) and 0 not in USUAL.on(True)


@pytest.mark.parametrize("wires", [[(4, True)], [(4, True), (4, True)], [(4, False)] * 254, [(1, False)] * 12])
def test_the_usual_sweep_is_done_in_a_minute(wires: list[tuple[int, bool]]) -> None:
    assert longest_s(USUAL, wires) <= 60.0


def test_everything_takes_as_long_as_it_takes() -> None:
    everything = breadth(profiles().values(), everything=True)
    assert {*range(1, 248)} <= {*everything.units}
    assert longest_s(everything, [(len(everything.settings), True)]) > 600.0


def refused(code: int) -> DeviceRefused:
    return DeviceRefused(code, function=3, address=40000, count=2)


def asked(*answers: BaseException | tuple[int, ...], twice: bool = True) -> tuple[bool, list[Read]]:
    """What it makes of these answers, and what it asked."""
    exchange, sent = present(twice=twice), list[Read]()
    op = next(exchange)
    for answer in answers:
        assert isinstance(op, Read)
        sent.append(op)
        try:
            op = exchange.throw(answer) if isinstance(answer, BaseException) else exchange.send(answer)
        except StopIteration as stop:
            return stop.value, sent
    raise AssertionError("it asks on")


def test_any_answer_shows_that_a_unit_is_there_and_a_gateways_shows_that_it_is_not() -> None:
    assert asked((0x5375, 0x6E53))[0]
    assert asked(refused(2))[0]
    assert not asked(refused(0x0B))[0]
    assert not asked(refused(0x0A))[0]
    assert asked(BusTimeout("silent"), (0, 0)) == (
        True,
        [Read(address=40000, count=2), Read(address=0, count=2, function=4)],
    )
    assert not asked(BusTimeout("silent"), BusTimeout("silent"))[0]
    assert not asked(BusTimeout("silent"), twice=False)[0]
