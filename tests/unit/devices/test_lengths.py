"""A device that answers only short reads is found with its own length, and reads the same as any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from derctl.core.exchange import Read, Write
from derctl.devices import Kind, Options, Profile, kinds
from derctl.devices.sunspec.der import bind_pv
from derctl.devices.sunspec.meter import bind_meter
from derctl.errors import DeviceRefused
from derctl.links.models import model
from tests.fake import Fake, lay_out

KINDS = kinds(model)
DEVICES = (
    ("pv_103", "sunspec_pv"),
    ("pv_7xx", "sunspec_pv"),
    ("storage_7xx", "sunspec_storage"),
    ("storage_124", "sunspec_storage"),
    ("meter_203", "sunspec_meter"),
    ("bms", "sunspec_bms"),
)


def takes(most: int, code: int = 3) -> Callable[[Read | Write], int | None]:
    """A device that refuses longer reads."""
    return lambda op: code if isinstance(op, Read) and op.count > most else None


def found(fake: Fake, kind: str, max_regs: int = 125) -> Any:
    row: Kind = KINDS[kind]
    return fake.run(row.bind(Options(profile=Profile(max_regs=max_regs))))


def polled(device: Any) -> list[Read]:
    """The requests of its blocks, as they are sent."""
    return [part for read in (*device.control.values(), *device.slow.values()) for part in read.parts]


@pytest.mark.parametrize(("name", "kind"), DEVICES)
@pytest.mark.parametrize("code", [2, 3])
@pytest.mark.parametrize("most", [20, 50, 60])
def test_a_device_that_answers_short_reads_only_is_the_same_device(
    name: str, kind: str, most: int, code: int
) -> None:
    plain, short = lay_out(name), lay_out(name)
    short.refuse = takes(most, code)
    other, device = found(plain, kind), found(short, kind)
    assert device.rating == other.rating
    assert device.identity == other.identity
    assert device.can == other.can
    assert max(part.count for part in polled(device)) <= most
    assert short.reading(device) == plain.reading(other)


@pytest.mark.parametrize(("name", "kind"), DEVICES)
def test_no_number_is_torn_between_two_parts(name: str, kind: str) -> None:
    """By pysunspec2's own table: where each point of 32 or 64 bits begins and ends."""
    fake = lay_out(name)
    fake.refuse = takes(16)
    device = found(fake, kind)
    inside = {
        fake.places[number] + point.offset + i
        for number in fake.places
        for point in fake.decoded(number).points.values()
        if point.pdef["type"] != "string"
        for i in range(1, point.len)
    }
    cuts = {cut for read in {**device.control, **device.slow}.values() for cut in read.cuts}
    assert cuts and not cuts & inside


def test_what_was_learned_is_told() -> None:
    fake = lay_out("pv_103")
    fake.refuse = takes(50)
    device = found(fake, "sunspec_pv")
    assert device.problems[-1] == ("it refuses 68 registers in one read: what is longer than 50 is read in parts")
    assert found(lay_out("pv_103"), "sunspec_pv").problems == ()


def test_the_profile_stays_the_ceiling() -> None:
    fake = lay_out("pv_7xx")
    fake.refuse = takes(60)
    device = found(fake, "sunspec_pv", max_regs=60)
    assert device.problems == ()
    assert max(op.count for op in fake.ops if isinstance(op, Read)) <= 60


@pytest.mark.parametrize(
    ("name", "driver", "kind", "more"),
    [
        ("pv_103", bind_pv, "sunspec_pv", 0),
        ("meter_211", bind_meter, "sunspec_meter", 1),
    ],
)
def test_only_a_block_that_is_longer_than_all_that_was_answered_is_asked_for_once_more(
    name: str, driver: Any, kind: str, more: int
) -> None:
    """The 68 registers of model 1 are more than those of 103, and fewer than those of 211."""
    bare, whole = lay_out(name), lay_out(name)
    bare.run(driver(model, Options()))
    found(whole, kind)
    assert len(whole.ops) == len(bare.ops) + more


def test_a_model_that_is_refused_whatever_its_length_shortens_nothing() -> None:
    fake = lay_out("pv_103")
    place = range(fake.places[122], fake.places[123])
    fake.refuse = lambda op: 3 if isinstance(op, Read) and op.count > 2 and op.address in place else None
    device = found(fake, "sunspec_pv")
    assert not any("in one read" in problem for problem in device.problems)


def test_a_refusal_in_passing_shortens_nothing() -> None:
    fake = lay_out("pv_103")
    refused: list[Read | Write] = []

    def once(op: Read | Write) -> int | None:
        if isinstance(op, Read) and op.count == 68 and not refused:
            refused.append(op)
            return 3
        return None

    fake.refuse = once
    assert found(fake, "sunspec_pv").problems == ()
    assert refused


def test_one_that_refuses_all_but_headers_is_refused_as_before() -> None:
    fake = lay_out("pv_103")
    fake.refuse = takes(2)
    with pytest.raises(DeviceRefused, match="exception 3"):
        found(fake, "sunspec_pv")


def test_a_block_that_is_refused_beside_the_others_keeps_no_device_from_being_found() -> None:
    """The rest of it is polled; the poll says what is refused."""
    fake = lay_out("meter_203")
    start = fake.places[203]
    fake.refuse = lambda op: 2 if isinstance(op, Read) and op.count > 2 and op.address >= start else None
    device = found(fake, "sunspec_meter")
    assert not any("in one read" in problem for problem in device.problems)


def test_a_length_that_only_a_poll_would_show_is_learned_too() -> None:
    """All that is read of it until then are the 68 registers of model 1."""
    fake = lay_out("meter_211")
    fake.refuse = takes(68)
    device = found(fake, "sunspec_meter")
    assert max(part.count for part in polled(device)) <= 68
    assert "in one read" in device.problems[-1]
