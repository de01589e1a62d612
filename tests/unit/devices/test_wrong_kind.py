"""A device that answers as another kind than the site file says is told so; one that may only be half seen is not."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.devices.sunspec.bms import bind_bms
from derctl.devices.sunspec.der import bind_hybrid, bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from derctl.errors import NotRecognised, WrongKind
from tests.fake import bound, lay_out

WRONG = [
    ("pv_103", bind_meter, "an inverter (model 103)", "sunspec_meter"),
    ("pv_7xx", bind_bms, "an inverter (model 701)", "sunspec_bms"),
    ("meter_213", bind_pv, "a meter (model 213)", "sunspec_pv"),
    ("meter_201", bind_storage, "a meter (model 201)", "sunspec_storage"),
    ("meter_201", bind_hybrid, "a meter (model 201)", "sunspec_hybrid"),
    ("bms", bind_storage, "a battery management system (model 802)", "sunspec_storage"),
    ("bms", bind_meter, "a battery management system (model 802)", "sunspec_meter"),
]


@pytest.mark.parametrize(("name", "bind", "found", "expected"), WRONG)
def test_a_device_of_another_kind_is_named_as_what_it_is(name: str, bind: Any, found: Any, expected: Any) -> None:
    with pytest.raises(WrongKind) as caught:
        bound(lay_out(name), bind)
    assert (caught.value.found, caught.value.expected) == (found, expected)
    assert str(caught.value) == f"answers as {found}, the site file says {expected}"


def test_a_chain_that_was_not_seen_to_its_end_decides_nothing() -> None:
    """evcc-io/evcc#31577: a model that was missing for a while."""
    fake = lay_out("pv_103")
    for address in sorted(fake.registers)[-2:]:
        del fake.registers[address]
    with pytest.raises(NotRecognised, match="no meter model") as caught:
        bound(fake, bind_meter)
    assert not isinstance(caught.value, WrongKind)
