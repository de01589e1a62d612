"""A register that a device does not have takes nothing else of its map away: it is read around from then on."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.exchange import Read
from derctl.devices import CATALOGUE, Options
from derctl.devices.lengths import bound
from derctl.errors import BusTimeout, DeviceRefused
from tests.fake import Fake
from tests.unit.devices.test_maps import HEAD, STORE, acme, found, made

WIDE = f"""{HEAD}  kind: map_pv
  gap: 10
  lines:
    - {{name: p_max_w, address: 1, type: u32}}
    - {{name: p_w, address: 10, type: s32}}
    - {{name: v_a_v, address: 14, scale: 0.1}}
    - {{name: v_b_v, address: 15, scale: 0.1}}
    - {{name: v_c_v, address: 20, scale: 0.1}}
    - {{name: f_hz, address: 25, scale: 0.01}}
    - {{name: energy_wh, address: 40, type: u32, slow: true}}
    - {{name: energy_in_wh, address: 44, type: u32, slow: true}}
"""
TOLD = {"r1": (0, 5000), "r10": (0, 640), "r14": (2310, 2320), "r20": 2330, "r25": 5001, "r40": (0, 9)}


def holed(*holes: int, code: int = 2) -> Fake:
    """It refuses each read that touches one of these."""
    fake = acme(**TOLD)
    fake.refuse = lambda op: (
        code if isinstance(op, Read) and any(op.address <= hole < op.address + op.count for hole in holes) else None
    )
    return fake


def reads(device: Any) -> list[tuple[int, int]]:
    return [(read.address, read.count) for read in device.control.values()]


def test_what_is_whole_is_read_whole() -> None:
    device = found(holed(), WIDE)
    assert reads(device) == [(10, 16)]
    assert [(read.address, read.count) for read in device.slow.values()] == [(40, 6)]


@pytest.mark.parametrize("code", [2, 3])
def test_a_hole_that_no_line_wants_costs_a_request_and_nothing_else(code: int) -> None:
    fake = holed(17, code=code)
    device = found(fake, WIDE)
    assert reads(device) == [(10, 5), (15, 1), (20, 6)]
    reading = fake.reading(device)
    assert (reading.p_w, reading.v_v, reading.f_hz) == (640.0, pytest.approx(232.0), pytest.approx(50.01))
    assert device.problems == ("its map names no control point that derctl may write: this device is only read",)


def test_a_line_that_it_does_not_have_is_the_only_one_that_is_missing() -> None:
    fake = holed(15)
    device = found(fake, WIDE)
    assert (15, 1) in reads(device), "the poll says what is wrong with it"
    left = device.without({"3.15": "exception 2"})
    assert left.problems[-1] == "without v_b_v: exception 2"
    reading = fake.reading(left)
    assert (reading.p_w, reading.v_v, reading.f_hz) == (640.0, pytest.approx(232.0), pytest.approx(50.01))


def test_holes_of_the_slow_poll_are_found_too() -> None:
    device = found(holed(42), WIDE)
    assert [(read.address, read.count) for read in device.slow.values()] == [(40, 2), (44, 2)]


def test_a_device_that_is_busy_is_not_taken_for_one_with_holes() -> None:
    with pytest.raises(DeviceRefused):
        found(holed(17, code=6), WIDE)


def test_a_hole_is_no_limit_to_the_length_of_a_read() -> None:
    """What is refused for its length is answered in parts; a hole is refused in every part that has it."""
    fake = holed(17)
    taken = made(WIDE)
    bind: Any = CATALOGUE["map_pv"].bind
    device: Any = fake.run(bound(bind, Options(profile=taken)))
    assert not [each for each in device.problems if "in one read" in each]
    assert reads(device) == [(10, 5), (15, 1), (20, 6)]


@pytest.mark.parametrize(("text", "fails"), [(WIDE, False), (STORE, True)])
def test_no_answer_is_waited_for_where_it_decides_what_a_battery_is(text: str, *, fails: bool) -> None:
    """Of a battery: what it tells when it is found says which limits it has. Of others the poll says it."""
    fake = acme(**TOLD)
    taken = made(text)
    assert taken.map is not None
    exchange = CATALOGUE[taken.map.kind].bind(Options(profile=taken))
    op, answer = next(exchange), None
    try:
        while True:
            assert isinstance(op, Read)
            gone = op.address == 10
            op = exchange.throw(BusTimeout("no answer")) if gone else exchange.send(fake.served(op))
    except StopIteration as stop:
        answer = stop.value
    except BusTimeout:
        assert fails
    assert (answer is None) is fails
