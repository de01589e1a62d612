"""A register of a setpoint is never told more than it can mean, by the scale factors that count."""

from __future__ import annotations

import struct
from typing import Any

import pytest
import sunspec2.device

from derctl.core.exchange import Write
from derctl.core.types import Fallback, Setpoint
from derctl.devices.sunspec.der import bind_pv, bind_storage
from tests.fake import Fake, bound, lay_out

BINDS = {"pv_103": bind_pv, "pv_7xx": bind_pv, "storage_7xx": bind_storage, "storage_124": bind_storage}
SETPOINT = Setpoint(p_ceiling_w=3000.0, p_target_w=1000.0, q_var=1000.0)


def official(model_id: int) -> Any:
    return sunspec2.device.Model(model_id=model_id)


@pytest.mark.parametrize("name", sorted(BINDS))
def test_every_block_knows_where_its_scale_factors_stand_and_which_ones_are_written_by(name: str) -> None:
    fake = lay_out(name)
    device = bound(fake, BINDS[name])
    starts = {start: model_id for model_id, start in fake.places.items()}
    for block, read in device.control.items():
        points = official(starts[read.address]).points
        offsets = {point.offset: each for each, point in points.items()}
        assert read.scales
        assert all(offsets[place].endswith("_SF") for place in read.scales), block
        assert read.told is (block in {"ctl", "sto"})


@pytest.mark.parametrize("name", sorted(BINDS))
def test_no_two_blocks_of_a_device_are_the_same_request(name: str) -> None:
    """What counts is kept by request."""
    device = bound(lay_out(name), BINDS[name])
    reads = [(read.address, read.count) for read in (*device.control.values(), *device.slow.values())]
    assert len(set(reads)) == len(reads)


def write_to(fake: Fake, model_id: int, point: str, value: float, sf: int) -> Write:
    at, size = official(model_id).points[point].offset, official(model_id).points[point].len
    raw = struct.pack(">i" if size == 2 else ">h", round(value * 10.0**-sf))
    return Write(address=fake.places[model_id] + at, values=struct.unpack(f">{size}H", raw))


CASES = [
    ("pv_103", 123, "WMaxLimPct", 100.0, -1),
    ("pv_103", 123, "VArMaxPct", 100.0, -1),
    ("storage_124", 124, "OutWRte", 100.0, -2),
    ("storage_124", 124, "InWRte", 100.0, -2),
    ("pv_7xx", 704, "WMaxLimPct", 100.0, -1),
    ("pv_7xx", 704, "WMaxLimPctRvrt", 100.0, -1),
    ("pv_7xx", 704, "VarSetPct", 100.0, -1),
    ("pv_7xx", 704, "VarSet", 2200.0, 0),
    ("storage_7xx", 704, "WSet", 5000.0, 0),
    ("storage_7xx", 704, "WSetPct", 100.0, -1),
    ("storage_7xx", 704, "WSetRvrt", 5000.0, 0),
]


@pytest.mark.parametrize(("name", "model_id", "point", "most", "sf"), CASES)
def test_what_says_more_than_all_of_the_rating_is_named_and_all_of_it_is_not(
    name: str, model_id: int, point: str, most: float, sf: int
) -> None:
    fake = lay_out(name)
    device = bound(fake, BINDS[name])
    answers = fake.poll(device)
    for sign in (1.0,) if point.startswith("WMax") else (1.0, -1.0):
        assert device.beyond(write_to(fake, model_id, point, sign * most, sf), answers) == ""
        too_much = sign * 1.02 * most
        said = device.beyond(write_to(fake, model_id, point, too_much, sf), answers)
        assert said == f"{model_id}.{point} would say {too_much:.6g}, and {most:.6g} is all that it can mean"


@pytest.mark.parametrize("name", sorted(BINDS))
@pytest.mark.parametrize("lie", [-1, 1])
def test_what_was_made_by_another_scale_factor_than_the_one_that_counts_is_found_out(name: str, lie: int) -> None:
    """By a smaller one the registers hold ten times as much; by a larger one less, which no bound tells."""
    fake = lay_out(name)
    device = bound(fake, BINDS[name])
    answers = fake.poll(device)
    lying = {block: list(words) for block, words in answers.items()}
    for block, read in device.control.items():
        for place in read.scales:
            lying[block][place] = (answers[block][place] + lie) & 0xFFFF
    fake.run(device.write(SETPOINT, Fallback(p_ceiling_w=3000.0), lying))
    found = [device.beyond(op, answers) for op in fake.writes]
    assert any(found) is (lie < 0)
    fake.ops.clear()
    fake.run(device.write(SETPOINT, Fallback(p_ceiling_w=3000.0), answers))
    assert fake.writes
    assert not any(device.beyond(op, answers) for op in fake.writes)


def test_of_a_block_that_was_not_read_nothing_is_known() -> None:
    """A release must not fail for that."""
    fake = lay_out("pv_103")
    device = bound(fake, bind_pv)
    assert device.beyond(write_to(fake, 123, "WMaxLimPct", 500.0, -1), {}) == ""


@pytest.mark.parametrize(("raw", "goes_out"), [(19_766, False), (-19_766, False), (-1000, True), (0, True)])
def test_what_the_other_unit_can_t_have_meant_is_not_written_back(raw: int, goes_out: bool) -> None:
    """The points that are not used go back as they were read; a lying answer made 1,976 % of that once."""
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv)
    place = official(704).points["VarSetPct"].offset
    answers = {name: list(words) for name, words in fake.poll(device).items()}
    answers["ctl"][place] = raw & 0xFFFF
    fake.run(device.write(Setpoint(q_var=1000.0), Fallback(), answers))
    told = {op.address + i: word for op in fake.writes for i, word in enumerate(op.values)}
    assert (fake.places[704] + place in told) is goes_out
    assert fake.get(704, "VarSet") == 1000
    assert (fake.get(704, "VarSetEna"), fake.get(704, "VarSetMod")) == (1, 4)
    assert not any(device.beyond(op, answers) for op in fake.writes)


def test_the_nearest_step_is_not_one_beyond_the_rating() -> None:
    """2,200 var in steps of 1,000 are 2,000; a scale factor that became so coarse only since it was found."""
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv)
    fake.put(704, VarSet_SF=3, VarSet=0)
    fake.run(device.write(Setpoint(q_var=1600.0), Fallback(), fake.poll(device)))
    assert fake.get(704, "VarSet") == 2000
    fake.put(702, VarMaxInj=2600, VarMaxAbs=2600, VarMaxInjRtg=2600)
    large = bound(fake, bind_pv)
    fake.run(large.write(Setpoint(q_var=2600.0), Fallback(), fake.poll(large)))
    assert fake.get(704, "VarSet") == 2000
