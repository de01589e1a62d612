"""What of the functions' memories outlives a restart, and what a spoilt file does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.response import Lag
from derctl.functions.contract_export_limit import Memory as ContractMemory
from derctl.functions.freq_droop import Memory as DroopMemory
from derctl.functions.rows import ROWS
from derctl.functions.survival import kept, revived

ACTING = DroopMemory(p_pre=0.8, side=1, lag=Lag(y=0.6, u=0.5), p_last=0.7)
GOOD = {"p_pre": 0.8, "side": 1, "y": 0.6}


def through_a_file(plain: dict[str, Any]) -> Any:
    return msgspec.json.decode(msgspec.json.encode(plain))


@pytest.mark.parametrize("back", [False, True])
def test_a_droop_event_goes_on_from_where_it_was(back: bool) -> None:
    acting = DroopMemory(p_pre=0.8, side=-1, lag=Lag(y=0.6, u=0.5), p_last=0.7, back=back)
    found = revived(through_a_file(kept({"freq_droop/pv1": acting})))
    assert found.memories == {"freq_droop/pv1": DroopMemory(p_pre=0.8, side=-1, lag=Lag(y=0.6, u=0.6), back=back)}
    assert found.refused == {}


def test_what_is_at_rest_or_measured_anew_is_not_kept() -> None:
    memories = {
        "freq_droop/pv1": ACTING,
        "freq_droop/pv2": DroopMemory(p_last=0.3),
        "contract_export_limit": ContractMemory(),
        "gone/pv1": object(),
    }
    assert {*kept(memories)} == {"freq_droop/pv1"}


@pytest.mark.parametrize(
    "spoilt",
    [
        None,
        3,
        [],
        "x",
        {},
        {"p_pre": "much", "side": 1, "y": 0.5},
        {"p_pre": True, "side": 1, "y": 0.5},
        GOOD | {"side": 0},
        GOOD | {"side": [1]},
        GOOD | {"y": None},
        GOOD | {"p_pre": float("inf")},
        GOOD | {"y": float("nan")},
        GOOD | {"y": 10**400},
    ],
)
def test_one_that_is_spoilt_is_named_and_harms_no_other(spoilt: Any) -> None:
    found = revived({"freq_droop/bad": spoilt, "freq_droop/pv1": GOOD})
    assert {*found.memories} == {"freq_droop/pv1"}
    assert {*found.refused} == {"freq_droop/bad"}


def test_what_no_function_of_this_version_keeps_is_named() -> None:
    found = revived({"tesla_coil/pv1": GOOD, "volt_var/pv1": GOOD, "": GOOD})
    assert found.memories == {}
    assert {*found.refused} == {"tesla_coil/pv1", "volt_var/pv1", ""}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "back", "x"]), inner),
    max_leaves=6,
)


@pytest.mark.parametrize("kind", [kind for kind, row in ROWS.items() if row.survives is not None])
@given(plain=PLAIN)
def test_no_plain_value_whatever_raises_anything(kind: str, plain: Any) -> None:
    found = revived({f"{kind}/pv1": plain})
    assert {*found.memories} | {*found.refused} == {f"{kind}/pv1"}
    again = kept(found.memories)
    assert revived(again).memories == found.memories
