"""What is written must be read back by pysunspec2 as the value that was meant."""

from __future__ import annotations

import random
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.errors import SettingError
from derctl.sunspec import absent, arrange, compile_model, decode, encode_point, flatten, span
from tests.judge import MODELS, same, second_opinion, well_formed

NUMBERS = {"int16", "uint16", "count", "acc16", "enum16", "bitfield16", "int32", "uint32", "acc32", "enum32"}
NUMBERS |= {"bitfield32", "int64", "uint64", "acc64", "sunssf"}


def meant(point: Any, rng: random.Random, sf: int) -> object:
    """A value that this type can say, by the specification's ranges."""
    kind, bits = point.type.name, 16 * point.size
    if kind in NUMBERS:
        low, high = {"i": (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1), "a": (1, 2**bits - 1)}.get(
            kind[0], (0, 2**bits - 2)
        )
        if kind.startswith("bitfield"):
            low, high = 0, 2 ** (bits - 1) - 1
        if kind == "sunssf":
            low, high = -10, 10
        raw = rng.randint(max(low, -(2**50)), min(high, 2**50))
        return raw if sf == 0 else round(raw * 10.0**sf, -sf)
    return {
        "float32": struct.unpack(">f", struct.pack(">f", rng.uniform(-1e6, 1e6)))[0],
        "float64": rng.uniform(-1e6, 1e6),
        "string": "".join(rng.choices("abc XYZ-é", k=point.size)),
        "ipaddr": str(IPv4Address(rng.randrange(1, 2**32))),
        "ipv6addr": str(IPv6Address(rng.randrange(1, 2**128))),
        "eui48": ":".join(f"{rng.randrange(255):02X}" for _ in range(6)),
    }[kind]


def counting(model: Any) -> set[str]:
    """Points that say how many groups there are; writing those would be another layout."""

    def rules(groups: Any) -> set[str]:
        return {group.count for group in groups}.union(*(rules(group.groups) for group in groups))

    return {"ID", "L", "N", "NCrv", "NSchd", "NCell", "NMod"} | rules(model.groups)


def test_what_is_written_is_what_pysunspec2_reads(model_id: int) -> None:
    model, rng = MODELS[model_id], random.Random(model_id)
    registers = well_formed(model_id, rng)
    counts: Any = decode(model, registers, length=registers[1]).values
    placed, _ = arrange(model, counts, length=registers[1])
    points = dict(flatten(placed))
    scales = {name: rng.randint(-4, 4) for name, point in points.items() if point.type.name == "sunssf"}
    values: dict[str, Any] = {}
    for name, point in points.items():
        if point.type.name == "pad" or name in counting(model):
            continue
        own = f"{name.rpartition('.')[0]}.{point.sf}"
        sf = scales.get(own, scales.get(str(point.sf)))
        values[name] = scales.get(name, meant(point, rng, sf or (point.sf if isinstance(point.sf, int) else 0)))
        registers[point.offset : point.end] = encode_point(model, name, values[name], sf=sf, points=points)
    decoded = decode(model, registers, length=registers[1])
    assert same(decoded, second_opinion(model_id, registers)) > 0
    found = dict(paths(decoded))
    assert {name: found[name] for name in values} == values


def paths(decoded: Any, prefix: Any = "") -> Any:
    for name, value in decoded.values.items():
        yield prefix + name, value
    for name, instances in decoded.groups.items():
        for index, instance in enumerate(instances):
            yield from paths(instance, f"{prefix}{name}[{index}].")


def test_a_limit_in_percent_is_written_in_the_scale_just_read() -> None:
    assert encode_point(MODELS[123], "WMaxLimPct", 42.5, sf=-2) == (4250,)
    assert encode_point(MODELS[123], "WMaxLimPct", 42.5, sf=0) == (42,)
    assert encode_point(MODELS[704], "WSet", -1500, sf=2) == (0xFFFF, 0x10000 - 15)
    assert encode_point(MODELS[704], "PFWInj.PF", 0.95, sf=-3) == (950,)


def test_a_scale_that_was_not_read_is_not_assumed() -> None:
    with pytest.raises(SettingError) as caught:
        encode_point(MODELS[123], "WMaxLimPct", 42.5, sf=None)
    assert "WMaxLimPct_SF" in caught.value.name


@pytest.mark.parametrize("sf", [-11, 11, -0x8000])
def test_a_scale_out_of_range_is_refused(sf: int) -> None:
    with pytest.raises(SettingError):
        encode_point(MODELS[123], "WMaxLimPct", 1, sf=sf)


@pytest.mark.parametrize(
    ("model", "point", "value", "sf"),
    [
        (123, "WMaxLimPct", 655.35, -2),  # raw 65535 would say "not implemented"
        (123, "WMaxLimPct", -1, 0),
        (123, "WMaxLimPct", 1e300, -10),
        (123, "WMaxLimPct", 1e308, -10),
        (123, "WMaxLimPct", 10**400, 2),
        (123, "WMaxLimPct", float("nan"), 0),
        (123, "WMaxLimPct", float("inf"), 0),
        (123, "WMaxLimPct", None, 0),
        (123, "WMaxLimPct", "50", 0),
        (123, "OutPFSet", -32768, 0),  # 0x8000
        (123, "Conn", 65535, None),
        (704, "WSet", -(2**31), 0),
        (103, "WH", 0, 0),  # an accumulator's 0 says "not accumulated"
        (103, "Evt1", 2**31, None),
        (103, "W_SF", 11, None),
        (113, "W", 1e39, None),
        (1, "SN", None, None),
        (1, "SN", "x" * 33, None),
        (1, "SN", "a\0b", None),
        (1, "SN", "\ud800", None),
        (63001, "ipaddr", "0.0.0.0", None),
        (63001, "ipaddr", "1.2.3", None),
        (11, "MAC", "01:02", None),
        (11, "MAC", "FF:FF:FF:FF:FF:FF", None),
        (123, "Nowhere", 1, None),
    ],
)
def test_what_a_point_cannot_say_is_refused_with_its_name(model: int, point: str, value: Any, sf: int | None) -> None:
    with pytest.raises(SettingError) as caught:
        encode_point(MODELS[model], point, value, sf=sf)
    assert str(model) in caught.value.name
    assert point in caught.value.name


def test_a_refusal_carries_the_raw_value_and_the_range() -> None:
    with pytest.raises(SettingError) as caught:
        encode_point(MODELS[123], "WMaxLimPct", 700, sf=-2)
    assert "70000" in caught.value.name
    assert "0..655.34" in caught.value.allowed
    assert "65534" in caught.value.allowed


def test_an_empty_text_is_written_as_the_specification_has_it() -> None:
    assert encode_point(MODELS[1], "Opt", "", sf=None) == (0x0080, *[0] * 7)


def test_a_constant_scale_comes_from_the_definition() -> None:
    assert encode_point(MODELS[307], "TmpAmb", 21.5, sf=None) == (215,)


def test_the_power_limit_goes_out_in_one_write() -> None:
    values = {
        "WMaxLimPct": 60.0,
        "WMaxLimPct_WinTms": 0,
        "WMaxLimPct_RvrtTms": 120,
        "WMaxLimPct_RmpTms": 0,
        "WMaxLim_Ena": 1,
    }
    offset, registers = span(MODELS[123], "WMaxLimPct", "WMaxLim_Ena", values, {"WMaxLimPct_SF": -1})
    assert (offset, registers) == (5, (600, 0, 120, 0, 1))


def test_none_in_a_span_says_not_implemented_on_purpose() -> None:
    values = dict.fromkeys(("WMaxLimPct", "WMaxLimPct_WinTms", "WMaxLimPct_RvrtTms"))
    assert span(MODELS[123], "WMaxLimPct", "WMaxLimPct_RvrtTms", values, {}) == (5, (0xFFFF, 0xFFFF, 0xFFFF))


def test_a_span_never_makes_up_a_value() -> None:
    with pytest.raises(SettingError) as caught:
        span(MODELS[123], "WMaxLimPct", "WMaxLim_Ena", {"WMaxLimPct": 1, "WMaxLim_Ena": 1}, {"WMaxLimPct_SF": 0})
    assert "WMaxLimPct_WinTms" in caught.value.name


@pytest.mark.parametrize(("first", "last"), [("WMaxLim_Ena", "WMaxLimPct"), ("WMaxLimPct", "x"), ("x", "WMaxLimPct")])
def test_a_span_runs_forward_between_points_that_are_there(first: str, last: str) -> None:
    with pytest.raises(SettingError):
        span(MODELS[123], first, last, {}, {})


def test_a_pad_in_a_span_needs_no_value() -> None:
    offset, registers = span(MODELS[1], "DA", "Pad", {"DA": 3}, {})
    assert (offset, registers) == (66, (3, 0x8000))


def test_a_curve_is_written_into_its_place() -> None:
    placed, _ = arrange(MODELS[705], {"NCrv": 3, "NPt": 4}, length=67)
    points = dict(flatten(placed))
    assert points["Crv[1].ActPt"].offset == 15 + 18  # model 705: 10 + 2 NPt registers a curve
    values = {"Crv[1].Pt[0].V": 92.0, "Crv[1].Pt[0].Var": 44.0, "Crv[1].Pt[1].V": 98.0, "Crv[1].Pt[1].Var": -0.5}
    scales = {"V_SF": -1, "DeptRef_SF": -1}
    offset, registers = span(MODELS[705], "Crv[1].Pt[0].V", "Crv[1].Pt[1].Var", values, scales, points=points)
    assert (offset, registers) == (15 + 18 + 10, (920, 440, 980, 0xFFFB))


@pytest.mark.parametrize(
    ("model", "point", "registers"),
    [
        (103, "W", (0x8000,)),
        (103, "WH", (0, 0)),
        (701, "TotWhInj", (0xFFFF,) * 4),
        (113, "W", (0x7FC0, 0)),
        (1, "Opt", (0,) * 8),
        (11, "MAC", (0, 0xFFFF, 0xFFFF, 0xFFFF)),
    ],
)
def test_not_implemented_is_written_as_the_specification_has_it(model: int, point: str, registers: Any) -> None:
    assert absent(MODELS[model].points[point]) == registers


@given(value=st.floats() | st.integers(), sf=st.integers(-12, 12), name=st.sampled_from(["W", "WH", "Evt1", "St"]))
def test_what_is_encoded_is_never_not_implemented(value: Any, sf: Any, name: str) -> None:
    try:
        registers = encode_point(MODELS[103], name, value, sf=sf)
    except SettingError:
        return
    assert registers != absent(MODELS[103].points[name])


def test_raw16_says_everything_and_is_absent_as_zero() -> None:
    points = [
        {"name": name, "type": kind, "size": 1} for name, kind in (("ID", "uint16"), ("L", "uint16"), ("X", "raw16"))
    ]
    model = compile_model({"id": 65000, "group": {"name": "m", "points": points}})
    assert encode_point(model, "X", 0xFFFF, sf=None) == (0xFFFF,)
    assert absent(model.points["X"]) == (0,)
