"""The generated reader gives what decode gives, and decode is held against pysunspec2."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.errors import DecodeError
from derctl.sunspec import compile_model, compile_reader, decode
from tests.judge import MODELS, well_formed


def flat(decoded: Any) -> dict[str, object]:
    """Values by the reader's names: groups that don't repeat under a dotted name."""
    single = ((name, group[0]) for name, group in decoded.groups.items() if len(group) == 1)
    return {**decoded.values, **{f"{name}.{key}": value for name, one in single for key, value in one.values.items()}}


def typed(values: Any) -> dict[str, tuple[type, object]]:
    return {name: (type(value), value) for name, value in values.items()}


@pytest.mark.parametrize("sf_default", [None, 0, -2])
def test_a_reader_of_everything_equals_decode_for_every_model(model_id: int, sf_default: int | None) -> None:
    model = MODELS[model_id]
    reader = compile_reader(model, [*model.fixed], sf_default=sf_default)
    for seed in range(10):
        registers = well_formed(model_id, random.Random(seed))
        decoded = flat(decode(model, registers, length=registers[1], sf_default=sf_default))
        assert typed(reader(registers)) == typed({name: decoded[name] for name in model.fixed})


@given(data=st.data())
def test_a_reader_of_anything_over_anything_equals_decode(data: st.DataObject) -> None:
    model = MODELS[data.draw(st.sampled_from([1, 103, 113, 122, 305, 701, 704, 802]))]
    names = data.draw(st.lists(st.sampled_from([*model.fixed]), unique=True))
    word = st.one_of(st.integers(0, 0xFFFF), st.sampled_from([0, 1, 0xFFFE, 0xFFFF, 0x8000]))
    size = model.length
    body = data.draw(st.lists(word, min_size=size, max_size=size))
    holes = data.draw(st.lists(st.integers(0, size - 1), max_size=3))
    registers = [model.id, size, *(None if place in holes else word for place, word in enumerate(body))]
    reader = compile_reader(model, names)
    decoded = flat(decode(model, registers, length=size))
    assert typed(reader(registers)) == typed({name: decoded[name] for name in names})
    assert typed(reader([7, 7, *registers], 2)) == typed(reader(registers))
    cut = registers[reader.first : reader.first + reader.count]
    assert typed(reader(cut, -reader.first)) == typed(reader(registers))


def test_a_reader_spans_its_points_and_their_scale_factors() -> None:
    reader = compile_reader(MODELS[103], ["W", "A"])
    assert (reader.first, reader.count) == (2, 14)  # A at 2, A_SF at 6, W at 14, W_SF at 15
    registers = [1000, 0, 0, 0, 0xFFFF, *[0] * 7, 0x8000, 0]
    assert reader(registers, -2) == {"W": None, "A": 100.0}


def test_a_reader_keeps_the_order_it_was_asked_in() -> None:
    assert [*compile_reader(MODELS[103], ["W", "ID", "A"])([103, 50, *[0] * 50])] == ["W", "ID", "A"]


def test_a_reader_of_nothing_reads_nothing() -> None:
    reader = compile_reader(MODELS[103], [])
    assert (reader.count, reader([])) == (0, {})


def test_a_scale_factor_that_is_missing_takes_the_default() -> None:
    registers = [103, 50, *[0x8000] * 50]
    registers[14] = 7
    assert compile_reader(MODELS[103], ["W"])(registers) == {"W": None}
    assert compile_reader(MODELS[103], ["W"], sf_default=1)(registers) == {"W": 70.0}


@pytest.mark.parametrize(
    ("registers", "offset"),
    [([103] * 5, 0), ([103] * 60, -10), ([103] * 60, 50), ([70000] * 60, 0), ([-1] * 60, 0), ([1.5] * 60, 0)],
)
def test_registers_that_are_missing_or_none_are_refused(registers: Any, offset: int) -> None:
    reader = compile_reader(MODELS[103], ["W", "A"])
    with pytest.raises(DecodeError):
        reader(registers, offset)


def test_a_point_that_is_not_there_is_refused() -> None:
    with pytest.raises(DecodeError, match="Watts"):
        compile_reader(MODELS[103], ["Watts"])


def test_a_default_scale_factor_that_is_none_is_refused() -> None:
    with pytest.raises(DecodeError):
        compile_reader(MODELS[103], ["W"], sf_default=20)


def test_types_that_no_official_model_scales_are_scaled_with_care() -> None:
    head = [{"name": "ID", "type": "uint16", "size": 1}, {"name": "L", "type": "uint16", "size": 1}]
    kinds = {"float32": 2, "float64": 4, "int64": 4, "acc64": 4, "bitfield64": 4, "raw16": 1}
    points = [{"name": kind, "type": kind, "size": size, "sf": "SF"} for kind, size in kinds.items()]
    points.append({"name": "SF", "type": "sunssf", "size": 1})
    model = compile_model({"id": 65000, "group": {"name": "m", "points": [*head, *points]}})
    reader = compile_reader(model, [*model.fixed])
    rng = random.Random(1)
    for _ in range(300):
        words = [rng.choice([0, 0xFFFF, 0x8000, 1, rng.randrange(0x10000)]) for _ in range(model.length - 1)]
        registers = [65000, model.length, *words, rng.choice([-10, -1, 0, 3, 10]) & 0xFFFF]
        assert typed(reader(registers)) == typed(decode(model, registers, length=model.length).values)
