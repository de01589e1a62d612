"""Decoding against pysunspec2, and what must hold where pysunspec2 gives up."""

from __future__ import annotations

import math
import random
import struct
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.errors import DecodeError
from derctl.sunspec import Model, compile_model, decode
from derctl.sunspec.decode import POWERS
from tests.judge import MODELS, same, second_opinion, well_formed


def test_every_model_of_pysunspec2_decodes_as_pysunspec2_decodes_it(model_id: int) -> None:
    for seed in range(20):
        registers = well_formed(model_id, random.Random(seed))
        ours = decode(MODELS[model_id], registers, length=registers[1])
        assert ours.unreadable == ()
        assert ours.problems == ()
        assert same(ours, second_opinion(model_id, registers)) > 0


def test_the_powers_of_ten_are_those_of_pysunspec2() -> None:
    assert {sf: math.pow(10, sf) for sf in range(-10, 11)} == POWERS


@pytest.fixture(scope="session")
def inverter() -> Model:
    return MODELS[103]


def inverter_registers(**points: int) -> list[int]:
    """Model 103 with everything not implemented except these registers; offsets are those of the specification."""
    place = {"A": 2, "A_SF": 6, "W": 14, "W_SF": 15, "WH": 24, "WH_SF": 26, "St": 38, "Evt1": 40}
    registers = [103, 50, *[0x8000] * 50]
    for name, word in points.items():
        registers[place[name]] = word & 0xFFFF
    return registers


def test_a_scale_factor_multiplies_by_a_power_of_ten(inverter: Model) -> None:
    assert decode(inverter, inverter_registers(W=-1234, W_SF=1), length=50)["W"] == -12340.0
    assert decode(inverter, inverter_registers(A=2305, A_SF=-2), length=50)["A"] == 23.05


def test_an_integer_without_scaling_stays_an_integer(inverter: Model) -> None:
    value = decode(inverter, inverter_registers(W=7, W_SF=0), length=50)["W"]
    assert (value, type(value)) == (7, int)


@pytest.mark.parametrize("sf", [-0x8000, 11, -11, 0x7FFF])
def test_a_point_whose_scale_factor_is_not_sound_has_no_value(inverter: Model, sf: int) -> None:
    decoded = decode(inverter, inverter_registers(W=7, W_SF=sf), length=50)
    assert decoded["W"] is None
    assert decoded.raw["W"] == 7


@pytest.mark.parametrize("sf", [-0x8000, 11])
def test_a_profile_may_put_a_scale_factor_in_the_place_of_an_unsound_one(inverter: Model, sf: int) -> None:
    assert decode(inverter, inverter_registers(W=7, W_SF=sf), length=50, sf_default=0)["W"] == 7
    assert decode(inverter, inverter_registers(W=7, W_SF=sf), length=50, sf_default=2)["W"] == 700


def test_a_scale_factor_that_could_not_be_read_is_never_assumed(inverter: Model) -> None:
    registers: list[int | None] = [*inverter_registers(W=7, W_SF=1)]
    registers[15] = None
    decoded = decode(inverter, registers, length=50, sf_default=0)
    assert decoded["W"] is None
    assert decoded.unreadable == ("W_SF",)


def test_a_default_scale_factor_has_the_range_of_a_scale_factor(inverter: Model) -> None:
    with pytest.raises(DecodeError):
        decode(inverter, inverter_registers(), length=50, sf_default=11)


def test_a_hole_takes_the_points_it_touches_and_no_other(inverter: Model) -> None:
    registers: list[int | None] = [*inverter_registers(W=7, W_SF=0, WH=1, WH_SF=0)]
    registers[25] = None
    decoded = decode(inverter, registers, length=50)
    assert decoded.unreadable == ("WH",)
    assert (decoded["WH"], decoded["W"]) == (None, 7)


def test_holes_in_a_group_are_named_with_their_place() -> None:
    registers: list[int | None] = [160, 48, 0, 0, 0, 0, 0, 0, 2, 0, *range(40)]
    registers[10 + 20 + 9] = None  # the second module's DCA
    decoded = decode(MODELS[160], registers, length=48)
    assert decoded.unreadable == ("module[1].DCA",)
    assert decoded.groups["module"][1]["DCA"] is None
    assert decoded.groups["module"][0]["DCA"] == 9


def test_registers_that_were_not_handed_over_count_as_unreadable(inverter: Model) -> None:
    decoded = decode(inverter, inverter_registers(W=7, W_SF=0)[:20], length=50)
    assert decoded["W"] == 7
    assert "Evt1" in decoded.unreadable


def test_registers_behind_the_model_are_not_looked_at(inverter: Model) -> None:
    assert decode(inverter, [*inverter_registers(W=7, W_SF=0), 1, 2, 3], length=50)["W"] == 7


def test_a_length_that_cuts_points_off_is_named_and_what_is_left_is_decoded() -> None:
    decoded = decode(MODELS[204], [204, 81, *[1] * 81], length=81)  # AccuEnergy Acuvim II
    assert any("81" in problem for problem in decoded.problems)
    assert decoded["A"] is not None
    assert decoded["Evt"] is None
    assert decoded.unreadable == ()


def test_model_1_without_its_pad_has_no_problem() -> None:
    decoded = decode(MODELS[1], [1, 65, *[0x4142] * 65], length=65)
    assert decoded.problems == ()
    assert decoded["Mn"] == "AB" * 16


def volt_var(*, length: int, curves: int, points: int) -> list[int]:
    """Model 705: NPt at 5, NCrv at 6, the rest zero."""
    registers = [705, length, *[0] * length]
    registers[5], registers[6] = points, curves
    return registers


def test_a_count_that_asks_for_more_than_fits_gives_what_fits() -> None:
    decoded = decode(MODELS[705], volt_var(length=13 + 2 * 18, curves=3, points=4), length=49)
    assert len(decoded.groups["Crv"]) == 2
    assert [len(curve.groups["Pt"]) for curve in decoded.groups["Crv"]] == [4, 4]
    assert any("Crv" in problem and "3" in problem and "2" in problem for problem in decoded.problems)


def test_a_count_that_asks_for_less_than_fits_is_followed_and_named() -> None:
    decoded = decode(MODELS[705], volt_var(length=67, curves=2, points=4), length=67)
    assert len(decoded.groups["Crv"]) == 2
    assert any("18" in problem for problem in decoded.problems)


def test_a_nested_count_that_is_unknown_gives_no_instances_and_says_so() -> None:
    decoded = decode(MODELS[705], volt_var(length=67, curves=3, points=0xFFFF), length=67)
    assert decoded.groups["Crv"] == ()
    assert any("Crv" in problem for problem in decoded.problems)


def test_a_count_point_without_a_value_gives_what_length_has_room_for() -> None:
    decoded = decode(MODELS[705], volt_var(length=67, curves=0xFFFF, points=4), length=67)
    assert len(decoded.groups["Crv"]) == 3
    assert any("NCrv" in problem for problem in decoded.problems)


@pytest.mark.parametrize(("told", "modules", "problem"), [(2, 2, True), (3, 3, False), (9, 3, True), (0, 3, True)])
def test_modules_are_counted_by_length_and_never_more_than_told(told: int, modules: int, problem: bool) -> None:
    registers = [160, 68, *[0] * 68]
    registers[8] = told
    decoded = decode(MODELS[160], registers, length=68)
    assert len(decoded.groups["module"]) == modules
    assert bool(decoded.problems) == problem


def test_a_count_word_that_is_not_implemented_leaves_it_to_length() -> None:
    registers = [160, 68, *[0xFFFF] * 68]
    decoded = decode(MODELS[160], registers, length=68)
    assert len(decoded.groups["module"]) == 3
    assert decoded.problems == ()


def test_a_length_that_the_groups_do_not_divide_is_named() -> None:
    registers = [402, 124, *[0] * 124]
    registers[6] = 7
    decoded = decode(MODELS[402], registers, length=124)  # Solren PVI85
    assert len(decoded.groups["string"]) == 7
    assert any("6 registers" in problem for problem in decoded.problems)


def test_the_sync_groups_of_704_are_decoded_as_groups_of_one() -> None:
    registers = [704, 65, *[0] * 65]
    registers[59], registers[53] = 950, 0x10000 - 3
    (injecting,) = decode(MODELS[704], registers, length=65).groups["PFWInj"]
    assert injecting["PF"] == 0.95


def test_registers_that_name_another_model_are_refused(inverter: Model) -> None:
    with pytest.raises(DecodeError, match="101"):
        decode(inverter, [101, *inverter_registers()[1:]], length=50)


def test_an_l_register_that_differs_from_the_chain_is_named(inverter: Model) -> None:
    registers = inverter_registers()
    registers[1] = 52
    assert any("52" in problem for problem in decode(inverter, registers, length=50).problems)


@pytest.mark.parametrize("word", [-1, 0x10000, 1.0, "7"])
def test_what_is_no_register_is_refused(inverter: Model, word: Any) -> None:
    registers = inverter_registers()
    registers[7] = word
    with pytest.raises(DecodeError):
        decode(inverter, registers, length=50)


@pytest.mark.parametrize("length", [-1, 0x10000, 10**9])
def test_a_length_that_no_model_can_have_is_refused(inverter: Model, length: int) -> None:
    with pytest.raises(DecodeError):
        decode(inverter, inverter_registers(), length=length)


@given(
    registers=st.lists(st.one_of(st.none(), st.integers(0, 0xFFFF), st.sampled_from([0, 1, 4, 0x8000, 0xFFFF]))),
    length=st.integers(-2, 400),
    pick=st.integers(0, 10**6),
)
def test_decoding_raises_nothing_but_decode_error(registers: Any, length: Any, pick: Any) -> None:
    model = MODELS[sorted(MODELS)[pick % len(MODELS)]]
    if registers and pick % 3:
        registers[0] = model.id
    try:
        decoded = decode(model, registers, length=length)
    except DecodeError:
        return
    assert set(decoded.values) == set(model.points)


@given(seed=st.integers(0, 10**6), count=st.integers(0, 0xFFFF), length=st.integers(0, 300))
def test_counts_never_run_past_length(seed: Any, count: Any, length: Any) -> None:
    rng = random.Random(seed)
    model = MODELS[rng.choice([126, 160, 402, 705, 707, 711, 714, 803, 64410])]
    registers = well_formed(model.id, rng)[: length + 2]
    registers += [count] * (length + 2 - len(registers))
    decoded = decode(model, registers, length=length)
    assert not decoded.unreadable


def test_what_is_decoded_cannot_be_changed_in_place(inverter: Model) -> None:
    decoded: Any = decode(inverter, inverter_registers(), length=50)
    with pytest.raises(FrozenInstanceError):
        decoded.problems = ()


def float_model(**extra: Any) -> Model:
    head = [{"name": "ID", "type": "uint16", "size": 1}, {"name": "L", "type": "uint16", "size": 1}]
    point = {"name": "X", "type": "float32", "size": 2, **extra}
    return compile_model({"id": 65000, "group": {"name": "g", "type": "group", "points": [*head, point]}})


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800000, 0xFF800000, 0xFFFFFFFF, 0x7F800001])
def test_nan_and_infinity_stop_at_decode(bits: int) -> None:
    assert decode(float_model(), [65000, 2, bits >> 16, bits & 0xFFFF], length=2)["X"] is None


def test_a_float_may_be_scaled_too() -> None:
    words = struct.unpack(">2H", struct.pack(">f", 2.5))
    assert decode(float_model(sf=-1), [65000, 2, *words], length=2)["X"] == 0.2  # round(0.25, 1), half to even
