"""Whatever a device answers behind a header that is right: a reading or a DecodeError, and nothing untrue."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from derctl.core.exchange import Write
from derctl.core.types import Fallback, Reading, Setpoint
from derctl.devices import Options
from derctl.devices.plausible import plausible
from derctl.devices.sunspec.bms import bind_bms
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from derctl.devices.writable import barred
from derctl.errors import DecodeError, DeviceError, SettingError
from derctl.links.models import model
from tests.fake import bound, lay_out

ALL = {
    "pv_101": bind_pv, "pv_103": bind_pv, "pv_113": bind_pv, "pv_7xx": bind_pv, "storage_7xx": bind_storage,
    "storage_124": bind_storage, "meter_203": bind_meter, "meter_213": bind_meter, "bms": bind_bms,
}  # fmt: skip
WORD = st.one_of(st.integers(0, 0xFFFF), st.sampled_from([0, 1, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FC0, 0x7F80]))
FINITE = st.floats(-1e6, 1e6)
WRITES = st.sampled_from(["block", "points", "registers", "both"])
ENABLE = st.sampled_from(["rewrite", "apart", "toggle"])
READBACK = st.sampled_from(["values", "effect_only"])


def scrambled(data: Any, fake: Any, device: Any) -> Any:
    """Answers of the right length with the right headers; everything else is drawn."""
    answers = {}
    for name, read in {**device.control, **device.slow}.items():
        head = (fake.registers[read.address], fake.registers[read.address + 1])
        changes = data.draw(st.dictionaries(st.integers(2, max(read.count - 1, 2)), WORD, max_size=40))
        body = [fake.registers[read.address + i] for i in range(read.count)]
        for place, word in changes.items():
            if place < read.count:
                body[place] = word
        answers[name] = (*head, *body[2:])
    return answers


@given(name=st.sampled_from(sorted(ALL)), data=st.data())
def test_arbitrary_registers_behind_a_valid_header_raise_nothing_but_decode_error(
    name: str, data: st.DataObject
) -> None:
    fake = lay_out(name)
    device = bound(fake, ALL[name])
    try:
        reading = plausible(device.decode(scrambled(data, fake, device)), device.rating)
    except DecodeError:
        return
    for item in fields(Reading):
        value = getattr(reading, item.name)
        assert not isinstance(value, float) or math.isfinite(value), item.name
    assert reading.soc_pct is None or 0.0 <= reading.soc_pct <= 100.0
    assert reading.f_hz is None or 45.0 <= reading.f_hz <= 65.0
    rated = device.rating
    most_w = 1.2 * max(rated.p_max_w, rated.s_max_va) if rated.p_max_w else 1e8
    assert reading.p_w is None or abs(reading.p_w) <= most_w


@given(name=st.sampled_from(["pv_103", "pv_7xx", "storage_7xx", "storage_124"]), data=st.data())
def test_over_arbitrary_registers_a_write_stays_in_its_models_or_is_refused(name: str, data: st.DataObject) -> None:
    fake = lay_out(name)
    habits = {"writes": WRITES, "enable": ENABLE, "volatile": st.booleans(), "readback": READBACK}
    device = bound(fake, ALL[name], **{habit: data.draw(drawn) for habit, drawn in habits.items()})
    answers = scrambled(data, fake, device)
    setpoint = Setpoint(p_ceiling_w=data.draw(FINITE), p_target_w=data.draw(FINITE), q_var=data.draw(FINITE))
    fallback = Fallback(p_ceiling_w=data.draw(st.none() | st.floats(0, 1e6)), after_s=data.draw(st.floats(5, 3600)))
    try:
        fake.run(device.write(setpoint, fallback, answers, toggle=data.draw(st.booleans())))
    except (DecodeError, SettingError):
        pass
    assert not [why for op in fake.writes if (why := device.beyond(op, answers))]
    try:
        fake.run(device.release(fallback, lift=data.draw(st.booleans()), held=setpoint))
    except (DecodeError, SettingError):
        pass
    assert not [why for op in fake.writes for point in device.points_of(op) if (why := barred(point)) is not None]
    places = [fake.places[model_id] for model_id in (123, 124, 704) if model_id in fake.places]
    for op in fake.writes:
        assert any(start + 2 <= op.address < start + 67 for start in places)


@given(data=st.data(), storage=st.booleans())
def test_a_map_of_arbitrary_words_is_bound_or_refused_with_a_device_error(data: st.DataObject, storage: Any) -> None:
    fake = lay_out(data.draw(st.sampled_from(["pv_103", "pv_7xx", "storage_124", "bms"])))
    for address in data.draw(st.lists(st.sampled_from(sorted(fake.registers)), max_size=30)):
        fake.registers[address] = data.draw(WORD)
    for address in data.draw(st.lists(st.sampled_from(sorted(fake.registers)), max_size=3, unique=True)):
        del fake.registers[address]
    try:
        device = fake.run((bind_storage if storage else bind_pv)(model, Options()))
    except DeviceError:
        assert not [op for op in fake.ops if isinstance(op, Write)]
        return
    assert device.rating.p_max_w > 0.0
    assert device.rating.p_min_w <= 0.0
    assert not fake.writes
