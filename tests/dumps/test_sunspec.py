"""Real devices: registers as somebody recorded them, walked and decoded beside pysunspec2."""

from __future__ import annotations

import pytest
import sunspec2.device

from derctl.errors import NotRecognised
from derctl.sunspec import Block, Decoded, decode, read_block, walk
from tests.judge import MODELS, Device, same, second_opinion
from tests.recorded import Dump, dump, registers_of

END = 0xFFFF


@pytest.fixture(scope="session")
def known() -> frozenset[int]:
    return frozenset(MODELS)


def test_the_chain_is_the_one_that_was_recorded(sunspec_dump: str, known: frozenset[int]) -> None:
    chain = Device(registers_of(dump(sunspec_dump))).run(walk(known=known))
    recorded = [tuple(each) for each in dump(sunspec_dump)["chain"]]
    assert chain.base == dump(sunspec_dump)["base"]
    assert not chain.repaired
    assert [(b.model_id, b.address, b.length) for b in chain.blocks] == [each for each in recorded if each[0] != END]
    assert chain.ended == (recorded[-1][0] == END)
    assert bool(chain.problems) == (not chain.ended)


def test_every_model_decodes_as_pysunspec2_decodes_it(sunspec_dump: str, known: frozenset[int]) -> None:
    bus = Device(registers_of(dump(sunspec_dump)))
    compared = 0
    for block in bus.run(walk(known=known)).blocks:
        words = bus.run(read_block(block, model=MODELS.get(block.model_id)))
        if block.model_id not in MODELS or None in words:
            continue
        decoded = decode(MODELS[block.model_id], words, length=block.length)
        assert decoded.unreadable == ()
        try:
            theirs = second_opinion(block.model_id, [*words])
        except sunspec2.device.ModelError:
            assert decoded.problems, block  # where pysunspec2 gives up, what is wrong is named
            continue
        compared += same(decoded, theirs)
    assert compared >= 7


@pytest.mark.parametrize("max_regs", [1, 10, 60, 124])
def test_the_registers_do_not_depend_on_how_many_are_read_at_once(
    sunspec_dump: str, known: frozenset[int], max_regs: int
) -> None:
    bus = Device(registers_of(dump(sunspec_dump)), max_regs=max_regs)
    for block in bus.run(walk(known=known, max_regs=max_regs)).blocks:
        one = bus.run(read_block(block, max_regs=max_regs, model=MODELS.get(block.model_id), probes=1000))
        have = [bus.registers.get(address) for address in range(block.address, block.address + block.length + 2)]
        assert [word for word in one if word is not None] == [
            w for w, o in zip(have, one, strict=True) if o is not None
        ]


def read(recorded: Dump, number: int, known: frozenset[int]) -> Decoded:
    bus = Device(registers_of(recorded))
    block = bus.run(walk(known=known)).find(number)
    return decode(MODELS[number], bus.run(read_block(block, model=MODELS[number])), length=block.length)


def test_solren_says_that_its_combiner_model_does_not_divide(known: frozenset[int]) -> None:
    decoded = read(dump("solren"), 402, known)
    assert any("6 registers" in problem for problem in decoded.problems)
    assert 0 < len(decoded.groups["string"]) <= 7


def test_kaco_asleep_reads_zeros_and_not_nothing(known: frozenset[int]) -> None:
    asleep = read(dump("kaco_blueplanet_86tl3_blueplanet_86tl3_asleep"), 103, known)
    assert (asleep["W"], asleep["PhVphA"], asleep["Hz"]) == (0, 0, 0)


def test_kostal_is_read_as_far_as_it_was_recorded(known: frozenset[int]) -> None:
    recorded = dump("kostal_plenticore")
    chain = Device(registers_of(recorded)).run(walk(known=known))
    assert [block.model_id for block in chain.blocks] == [1, 103, 113]
    assert "40184" in chain.problems[0]
    decoded = read(recorded, 103, known)
    assert decoded["ID"] == 103
    assert decoded["W"] is None
    assert "W" in decoded.unreadable


def test_the_kostal_meter_decodes_without_its_header() -> None:
    """Only the body of 203 was recorded. A = 0x8000 although mandatory; a counter holds 0x80000000."""
    block = Block(model_id=203, address=40069, length=105)
    words = Device(registers_of(dump("kostal_ksem"))).run(read_block(block, model=MODELS[203]))
    decoded = decode(MODELS[203], words, length=105)
    assert decoded.unreadable == ("ID", "L")
    assert decoded["A"] is None
    assert decoded["AphA"] == pytest.approx(10.30 if decoded["A_SF"] == -2 else 1030 * 10.0 ** decoded["A_SF"])


def test_outback_rates_itself_but_has_no_settings(known: frozenset[int]) -> None:
    decoded = read(dump("outback"), 702, known)
    assert decoded["WMaxRtg"] is not None
    assert decoded["WMax"] is None


def test_the_vendor_models_stay_in_the_chain(known: frozenset[int]) -> None:
    chain = Device(registers_of(dump("fimer"))).run(walk(known=known))
    assert [(block.model_id, block.length) for block in chain.blocks[-2:]] == [(65230, 1), (65232, 20)]


def test_what_is_no_sunspec_device_is_not_taken_for_one(known: frozenset[int]) -> None:
    for name in (
        "goodwe",
        "huawei_sun2000",
        "sungrow_dump_master_hold",
        "seplos_v3_pack1",
        "jk_pb",
        "carlo_gavazzi_em540_fw143_input",
    ):
        with pytest.raises(NotRecognised):
            Device(registers_of(dump(name))).run(walk(known=known))
