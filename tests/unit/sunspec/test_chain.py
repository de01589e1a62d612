"""The walk over well-behaved and badly behaved devices (docs/sources.md)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.errors import BusFrameError, BusTimeout, DeviceRefused, NoMap, NotRecognised, RoleRefused
from derctl.sunspec import Block, walk
from tests.judge import MODELS, Device

SUNS = [0x5375, 0x6E53]
END = [0xFFFF, 0]


@pytest.fixture(scope="session")
def known() -> frozenset[int]:
    return frozenset(MODELS)


def model(number: int, length: int, fill: int = 0) -> list[int]:
    return [number, length, *[fill] * length]


def at(base: int, *parts: list[int]) -> dict[int, int]:
    return dict(enumerate([word for part in parts for word in part], base))


def found(chain: Any) -> list[tuple[int, int, int]]:
    return [(block.model_id, block.address, block.length) for block in chain.blocks]


@pytest.mark.parametrize("base", [40000, 0, 50000, 1, 4096])
def test_a_chain_is_found_at_every_base_that_devices_use(known: frozenset[int], base: int) -> None:
    chain = Device(at(base, SUNS, model(1, 66), model(103, 50), END)).run(walk(known=known))
    assert (chain.base, chain.ended, chain.repaired, chain.problems) == (base, True, False, ())
    assert found(chain) == [(1, base + 2, 66), (103, base + 70, 50)]


def test_a_walk_reads_headers_only(known: frozenset[int]) -> None:
    bus = Device(at(0, SUNS, model(1, 66), model(103, 50), END))
    bus.run(walk(bases=[0], known=known))
    assert [(read.address, read.count) for read in bus.reads] == [(0, 2), (2, 2), (70, 2), (122, 2)]


def test_a_device_that_gives_one_register_at_a_time_is_walked_too(known: frozenset[int]) -> None:
    bus = Device(at(0, SUNS, model(1, 66), END), max_regs=1)
    assert found(bus.run(walk(bases=[0], max_regs=1, known=known))) == [(1, 2, 66)]


@pytest.mark.parametrize("length", [64, 65, 66, 70])
def test_model_1_may_have_any_length_that_leads_to_a_header(known: frozenset[int], length: int) -> None:
    chain = Device(at(0, SUNS, model(1, length), model(103, 50), END)).run(walk(known=known))
    assert found(chain)[1] == (103, 4 + length, 50)
    assert not chain.repaired


def test_a_length_counted_from_the_base_is_repaired(known: frozenset[int]) -> None:
    """SAX HOME: model 1 says 15 and ends at 40014; 103 stands at 40015."""
    registers = at(40000, SUNS, [1, 15], [7] * 11, model(103, 50), END)
    chain = Device(registers).run(walk(known=known))
    assert found(chain) == [(1, 40002, 15), (103, 40015, 50)]
    assert (chain.repaired, chain.ended) == (True, True)
    assert len(chain.problems) == 1


def test_a_length_that_overshoots_a_little_is_repaired(known: frozenset[int]) -> None:
    """L = 66 where the pad is missing; and the same further down the chain."""
    short = [1, 66, *[0] * 65]
    chain = Device(at(0, SUNS, short, model(103, 50), END)).run(walk(known=known))
    assert found(chain) == [(1, 2, 66), (103, 69, 50)]
    chain = Device(at(0, SUNS, model(1, 66), [103, 52, *[0] * 50], model(120, 26), END)).run(walk(known=known))
    assert found(chain) == [(1, 2, 66), (103, 70, 52), (120, 122, 26)]
    assert chain.repaired


def test_data_that_looks_like_a_header_is_not_taken_for_one(known: frozenset[int]) -> None:
    """The tail of 103 says 120, 26, but nothing follows there."""
    registers = at(0, SUNS, model(1, 66), model(103, 50), [0] * 40)
    registers[119], registers[120] = 120, 26
    chain = Device(registers).run(walk(known=known))
    assert [block.model_id for block in chain.blocks] == [1, 103]
    assert not chain.repaired


@pytest.mark.parametrize("first", [(120, 600), (120, 26)])
def test_data_at_the_very_end_of_the_register_space_is_no_header(known: frozenset[int], first: Any) -> None:
    base = 0x10000 - 140
    registers = at(base, SUNS, model(1, 66), model(103, 50), [0] * 18)
    registers[base + 120], registers[base + 121] = first
    chain = Device(registers).run(walk(bases=[base], known=known))
    assert (chain.repaired, chain.ended) == (False, False)


def test_a_missing_end_marker_keeps_what_was_found(known: frozenset[int]) -> None:
    chain = Device(at(0, SUNS, model(1, 66), model(103, 50), [0] * 40)).run(walk(known=known))
    assert [block.model_id for block in chain.blocks] == [1, 103]
    assert (chain.ended, chain.repaired) == (False, False)
    assert "122" in chain.problems[0]


def test_a_refused_header_keeps_what_was_found(known: frozenset[int]) -> None:
    chain = Device(at(0, SUNS, model(1, 66), model(103, 50))).run(walk(known=known))
    assert [block.model_id for block in chain.blocks] == [1, 103]
    assert (chain.ended, chain.repaired) == (False, False)
    assert "122" in chain.problems[0]


def test_an_end_marker_may_lack_its_length(known: frozenset[int]) -> None:
    chain = Device(at(0, SUNS, model(1, 66), [0xFFFF])).run(walk(known=known))
    assert (chain.ended, chain.problems) == (True, ())


def test_half_a_header_at_the_end_is_no_end_marker(known: frozenset[int]) -> None:
    chain = Device(at(0, SUNS, model(1, 66), [103])).run(walk(known=known))
    assert found(chain) == [(1, 2, 66)]
    assert not chain.ended


def test_an_end_marker_with_a_length_ends_the_chain_and_is_named(known: frozenset[int]) -> None:
    chain = Device(at(0, SUNS, model(1, 66), [0xFFFF, 5], model(103, 50), END)).run(walk(known=known))
    assert found(chain) == [(1, 2, 66)]
    assert chain.ended
    assert "5" in chain.problems[0]


def test_a_repeated_model_1_opens_a_section(known: frozenset[int]) -> None:
    """SolarEdge: the inverter, then a model 1 before each meter."""
    registers = at(
        40000, SUNS, model(1, 65), model(103, 50), model(1, 65), model(203, 105), model(1, 65), model(203, 105), END
    )
    chain = Device(registers).run(walk(known=known))
    assert [(block.model_id, block.index, block.section) for block in chain.blocks] == [
        (1, 0, 0),
        (103, 0, 0),
        (1, 1, 1),
        (203, 0, 1),
        (1, 2, 2),
        (203, 1, 2),
    ]
    assert chain.find(203, 1) == chain.blocks[5]
    assert chain.find(203, 2) is None


def test_vendor_models_are_kept(known: frozenset[int]) -> None:
    chain = Device(at(0, SUNS, model(1, 66), model(64122, 45), model(65534, 1), END)).run(walk(known=known))
    assert [block.model_id for block in chain.blocks] == [1, 64122, 65534]


@pytest.mark.parametrize("header", [(103, 0), (103, 1025), (30000, 50), (65000, 0), (0, 0)])
def test_a_header_that_makes_no_sense_ends_the_chain(known: frozenset[int], header: Any) -> None:
    chain = Device(at(0, SUNS, model(1, 66), [*header], [0] * 2000)).run(walk(known=known))
    assert found(chain) == [(1, 2, 66)]
    assert not chain.ended


@pytest.mark.parametrize("behind", [[*model(120, 26), *END], [*model(64122, 45), *END], END, [0xFFFF]])
@pytest.mark.parametrize("unknown", [[(716, 20)], [(9, 3), (30000, 50)], [(716, 20)] * 8])
def test_models_without_a_definition_are_passed_over_where_a_known_header_stands_behind_them(
    known: frozenset[int], unknown: Any, behind: Any
) -> None:
    between = [model(number, length, fill=0x1234) for number, length in unknown]
    chain = Device(at(0, SUNS, model(1, 66), model(103, 50), *between, behind)).run(walk(known=known))
    assert [block.model_id for block in chain.blocks][2 : 2 + len(unknown)] == [number for number, _ in unknown]
    assert (chain.ended, chain.repaired, chain.problems) == (True, False, ())


@pytest.mark.parametrize(
    "behind",
    [
        [0] * 400,  # zeros fill the space
        [0xFFFF] * 400,  # so does this, and its L is none
        [*model(716, 20), *[0] * 400],
        [*model(716, 20) * 8, *model(120, 26), *END],
        [],
        [103],
    ],
)
def test_data_behind_a_model_without_a_definition_ends_the_chain(known: frozenset[int], behind: Any) -> None:
    chain = Device(at(0, SUNS, model(1, 66), model(103, 50), model(715 + 1, 20), behind)).run(walk(known=known))
    assert [block.model_id for block in chain.blocks] == [1, 103]
    assert not chain.ended


def test_a_model_without_a_definition_that_leads_out_of_the_register_space_ends_the_chain(
    known: frozenset[int],
) -> None:
    base = 0x10000 - 140
    registers = at(base, SUNS, model(1, 66), model(103, 50), [716, 600], [0] * 16)
    chain = Device(registers).run(walk(bases=[base], known=known))
    assert [block.model_id for block in chain.blocks] == [1, 103] and not chain.ended


@pytest.mark.parametrize("code", [2, 4, 6])
def test_a_header_that_is_refused_once_is_asked_for_again(known: frozenset[int], code: int) -> None:
    """victronenergy/venus#1649: a passing error while a device is looked for."""
    bus = Device(at(0, SUNS, model(1, 66), model(103, 50), END))
    exchange, refused = walk(bases=[0], known=known), False
    op = next(exchange)
    with pytest.raises(StopIteration) as stop:
        while True:
            if op.address == 70 and not refused:
                refused = True
                op = exchange.throw(DeviceRefused(code, function=3, address=70, count=2))
            else:
                op = exchange.send(tuple(bus.registers[op.address + i] for i in range(op.count)))
    assert (found(stop.value.value)[1], stop.value.value.ended) == ((103, 70, 50), True)


def test_a_chain_that_does_not_begin_with_model_1_is_walked_and_named(known: frozenset[int]) -> None:
    chain = Device(at(0, SUNS, model(103, 50), END)).run(walk(known=known))
    assert found(chain) == [(103, 2, 50)]
    assert "103" in chain.problems[0]


def test_a_chain_without_end_stops_at_the_number_of_models_asked_for(known: frozenset[int]) -> None:
    chain = Device(at(0, SUNS, model(1, 66), *[model(120, 26)] * 9, END)).run(walk(known=known, max_models=5))
    assert len(chain.blocks) == 5
    assert not chain.ended


def test_a_chain_that_runs_out_of_the_register_space_ends(known: frozenset[int]) -> None:
    chain = Device(at(65530, SUNS, [1, 66], [0] * 2)).run(walk(bases=[65530], known=known))
    assert found(chain) == [(1, 65532, 66)]
    assert not chain.ended


def test_no_marker_anywhere_names_what_was_read_at_each_base(known: frozenset[int]) -> None:
    registers = at(40000, [0xE3DC, 2]) | at(50000, [0xABCD, 1])
    with pytest.raises(NoMap) as caught:
        Device(registers).run(walk(known=known))
    assert str(caught.value) == (
        "answers Modbus, but has no SunSpec map: the marker of E3/DC's simple mode, 0xE3DC, at 40000; "
        "exception 2 at 0, 1, 4096; 0xABCD 0x0001 at 50000"
    )


@pytest.mark.parametrize("code", [4, 5, 6, 10, 11])
def test_who_is_busy_is_not_said_to_have_no_map(known: frozenset[int], code: int) -> None:
    exchange = walk(bases=[0, 1], known=known)
    next(exchange)
    exchange.throw(DeviceRefused(2, function=3, address=0, count=2))
    with pytest.raises(NotRecognised, match=f"no SunSpec chain: exception 2 at 0; exception {code} at 1") as caught:
        exchange.throw(DeviceRefused(code, function=3, address=1, count=2))
    assert not isinstance(caught.value, NoMap)


@pytest.mark.parametrize(("role", "who"), [("Viewer", "the role Viewer"), (None, "a certificate without a role")])
def test_who_refuses_a_role_is_not_said_to_have_no_map(known: frozenset[int], role: str | None, who: str) -> None:
    """Over TLS exception 1 is also the answer to a role without the right (MB-TCP-Security-v21)."""
    exchange = walk(bases=[0], known=known)
    next(exchange)
    with pytest.raises(NotRecognised) as caught:
        exchange.throw(RoleRefused(DeviceRefused(1, function=3, address=0, count=2), role))
    assert str(caught.value) == f"no SunSpec chain: exception 1 (or {who} may not) at 0"
    assert not isinstance(caught.value, NoMap)


@pytest.mark.parametrize("behind", [END, [0, 0], []])
def test_a_marker_without_models_is_not_a_device(known: frozenset[int], behind: Any) -> None:
    with pytest.raises(NotRecognised, match="SunS"):
        Device(at(0, SUNS, behind)).run(walk(bases=[0], known=known))


def test_a_marker_without_models_does_not_hide_the_true_base(known: frozenset[int]) -> None:
    registers = at(40000, SUNS, [0, 0]) | at(0, SUNS, model(1, 66), END)
    assert Device(registers).run(walk(known=known)).base == 0


def test_trouble_on_the_wire_passes_through(known: frozenset[int]) -> None:
    exchange = walk(known=known)
    next(exchange)
    with pytest.raises(BusTimeout):
        exchange.throw(BusTimeout())


def test_an_answer_of_another_length_is_not_shifted_into_place(known: frozenset[int]) -> None:
    exchange = walk(known=known)
    next(exchange)
    with pytest.raises(BusFrameError):
        exchange.send([0x5375])


@pytest.mark.parametrize("code", [1, 2, 3, 4, 6, 0x0B])
def test_any_refusal_of_a_base_moves_on_to_the_next(known: frozenset[int], code: int) -> None:
    exchange = walk(known=known)
    first = next(exchange)
    second = exchange.throw(DeviceRefused(code, function=3, address=first.address, count=first.count))
    assert (first.address, second.address) == (40000, 0)


WORDS = st.one_of(st.integers(0, 0xFFFF), st.sampled_from([0, 1, 2, 65, 66, 103, 120, 50, 26, 0xFFFF, 64001]))


@given(
    words=st.lists(WORDS, max_size=300),
    holes=st.sets(st.integers(0, 300), max_size=5),
    base=st.sampled_from([40000, 0, 65300]),
    blank=st.sampled_from([None, 0, 103, 1, 0xFFFF]),
)
def test_a_walk_over_anything_ends_and_raises_nothing_but_not_recognised(
    known: frozenset[int], words: Any, holes: Any, base: Any, blank: Any
) -> None:
    registers = at(base, SUNS, [1, 3], words)
    for hole in holes:
        registers.pop(base + 4 + hole, None)
    if blank is not None:  # everything beyond answers with the same word
        registers = dict.fromkeys(range(0x10000), blank) | registers
    bus = Device(registers)
    try:
        chain = bus.run(walk(bases=(40000, 0, 65300), known=known))
    except NotRecognised:
        return
    assert len(bus.reads) < 3000
    for block, after in zip(chain.blocks, chain.blocks[1:], strict=False):
        assert after.address >= block.address + 2


def test_a_block_by_hand_needs_no_index() -> None:
    assert Block(model_id=103, address=40070, length=50).index == 0
