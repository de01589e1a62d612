"""Reading a body in pieces and around holes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.errors import DeviceRefused
from derctl.sunspec import Block, decode, inner_offsets, plan, read_block
from tests.judge import MODELS, Device


def registers(block: Block, holes: Any = ()) -> dict[int, int]:
    end = block.address + block.length + 2
    return {
        address: address & 0xFFFF for address in range(block.address, end) if address - block.address not in holes
    }


def whole(block: Block, holes: Any = ()) -> tuple[int | None, ...]:
    have = registers(block, holes)
    return tuple(have.get(address) for address in range(block.address, block.address + block.length + 2))


VOLT_VAR = Block(model_id=126, address=40253, length=226)
MEASURED = Block(model_id=701, address=40177, length=153)


@given(max_regs=st.integers(1, 125), length=st.integers(0, 400))
def test_any_chunking_gives_the_same_registers(max_regs: Any, length: Any) -> None:
    block = Block(model_id=64999, address=100, length=length)
    assert Device(registers(block), max_regs=max_regs).run(read_block(block, max_regs=max_regs)) == whole(block)


@given(
    max_regs=st.integers(1, 125),
    number=st.sampled_from([1, 103, 126, 160, 203, 701, 705, 707, 714]),
    extra=st.integers(0, 60),
)
def test_any_chunking_by_a_table_gives_the_same_registers_within_the_model(
    max_regs: Any, number: Any, extra: Any
) -> None:
    block = Block(model_id=number, address=100, length=MODELS[number].length + extra)
    bus = Device(registers(block), max_regs=max_regs)
    assert bus.run(read_block(block, max_regs=max_regs, model=MODELS[number])) == whole(block)


def test_a_model_that_fits_is_read_in_one_request() -> None:
    block = Block(model_id=103, address=40070, length=50)
    bus = Device(registers(block))
    bus.run(read_block(block))
    assert [(read.address, read.count) for read in bus.reads] == [(40070, 52)]


@given(max_regs=st.integers(4, 125))
def test_a_number_is_never_put_together_from_two_requests(max_regs: Any) -> None:
    """Every request sees another generation of registers: a number must be of one generation."""
    model = MODELS[701]

    class Moving(Device):
        def run(self, exchange: Any) -> Any:
            op = next(exchange)
            try:
                while True:
                    self.reads.append(op)
                    op = exchange.send([len(self.reads)] * op.count)
            except StopIteration as stop:
                return stop.value

    words = Moving({}).run(read_block(MEASURED, max_regs=max_regs, model=model))
    for point in model.points.values():
        if point.type.number:
            assert len({*words[point.offset : point.end]}) == 1, point.name


def test_numbers_in_groups_are_kept_together_by_the_counts_just_read() -> None:
    """707: a point is a voltage (1 register) and a time (2); 125 falls inside a time."""
    block = Block(model_id=707, address=0, length=7 + 3 * (1 + 3 * (1 + 5 * 3)))
    words = registers(block)
    words[0], words[1], words[5], words[6] = 707, block.length, 5, 3
    inner = inner_offsets(MODELS[707], length=block.length, counts={"NPt": 5, "NCrvSet": 3})
    cut = next(size for size in range(100, 0, -1) if size in inner)
    bus = Device(words, max_regs=cut)
    bus.run(read_block(block, max_regs=cut, model=MODELS[707]))
    assert bus.reads[1].address == cut - 1


@given(start=st.integers(0, 227), size=st.integers(1, 228))
def test_one_hole_is_found_to_the_register_and_soon(start: Any, size: Any) -> None:
    holes = range(start, min(start + size, 228))
    bus = Device(registers(VOLT_VAR, holes))
    assert bus.run(read_block(VOLT_VAR)) == whole(VOLT_VAR, holes)
    assert len(bus.reads) <= 2 * (1 + 7 + 7 + 16)


@given(holes=st.sets(st.integers(0, 227), max_size=30), max_regs=st.integers(1, 125))
def test_with_probes_enough_every_register_that_can_be_read_is(holes: Any, max_regs: Any) -> None:
    bus = Device(registers(VOLT_VAR, holes), max_regs=max_regs)
    assert bus.run(read_block(VOLT_VAR, max_regs=max_regs, probes=1000)) == whole(VOLT_VAR, holes)


@given(holes=st.sets(st.integers(0, 227), max_size=60))
def test_what_is_read_is_right_and_what_is_refused_is_none(holes: Any) -> None:
    words = Device(registers(VOLT_VAR, holes)).run(read_block(VOLT_VAR, probes=4))
    for offset, word in enumerate(words):
        assert word is None or (offset not in holes and word == (40253 + offset) & 0xFFFF)


@given(holes=st.sets(st.integers(0, 227)))
def test_known_holes_are_not_asked_for_again(holes: Any) -> None:
    bus = Device(registers(VOLT_VAR, holes))
    assert bus.run(read_block(VOLT_VAR, holes=holes)) == whole(VOLT_VAR, holes)
    asked = {address - 40253 for read in bus.reads for address in range(read.address, read.address + read.count)}
    assert not asked & holes


def test_holes_outside_the_model_do_not_matter() -> None:
    block = Block(model_id=103, address=100, length=50)
    assert Device(registers(block)).run(read_block(block, holes=[52, 900])) == whole(block)


def test_a_hole_inside_a_number_takes_the_number_and_nothing_else() -> None:
    bus = Device(registers(MEASURED, [21]))  # TotWhInj is at 19..22
    words = bus.run(read_block(MEASURED, model=MODELS[701]))
    assert [offset for offset, word in enumerate(words) if word is None] == [19, 20, 21, 22]


def test_holes_end_up_as_points_without_a_value() -> None:
    holes = range(60, 62)
    have = registers(MEASURED, holes) | {40177: 701, 40178: 153}
    words = Device(have).run(read_block(MEASURED, model=MODELS[701]))
    decoded = decode(MODELS[701], words, length=153)
    assert decoded.unreadable == ("TotVarhAbsL1",)


@pytest.mark.parametrize("code", [1, 3, 4, 6, 0x0A, 0x0B])
def test_other_exceptions_are_no_holes(code: int) -> None:
    with pytest.raises(DeviceRefused):
        Device({}, code=code).run(read_block(VOLT_VAR))


@given(
    address=st.integers(0, 60000),
    count=st.integers(0, 500),
    max_regs=st.integers(1, 125),
    inner=st.sets(st.integers(0, 500)),
)
def test_a_plan_covers_everything_once_in_order(address: Any, count: Any, max_regs: Any, inner: Any) -> None:
    reads = plan(address, count, max_regs, inner={address + offset for offset in inner})
    covered = [each for read in reads for each in range(read.address, read.address + read.count)]
    assert covered == [*range(address, address + count)]
    assert all(read.count <= max_regs for read in reads)


def test_a_plan_does_not_cut_a_number_where_it_need_not() -> None:
    inner = {40177 + offset for offset in inner_offsets(MODELS[701], length=153)}
    assert [(read.address - 40177, read.count) for read in plan(40177, 155, 62, inner=inner)] == [
        (0, 60),
        (60, 62),
        (122, 33),
    ]
