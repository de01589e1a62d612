"""One owner for each function: what devices tell of their own modes, against what the site file gives to derctl."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from derctl.core.plan import Plan
from derctl.daemon.owned import two_owners, untold
from tests import make

PLAN = cast(
    Plan,
    SimpleNamespace(
        der_functions=[
            (SimpleNamespace(kind=kind), ("pv1", "pv2")) for kind in ("volt_var", "freq_droop", "reserve")
        ],
        also_on_device={"volt_var", "freq_droop"},
    ),
)


def test_what_the_device_runs_too_has_two_owners() -> None:
    ders = (
        make.pv(own_on=("volt_var",), own_off=("freq_droop",)),
        make.pv("pv2"),
        make.pv("pv3", own_on=("volt_var",)),
    )
    text = two_owners(PLAN, make.site(*ders))
    assert text.startswith("pv1 runs volt_var itself, and the site file gives it to derctl too: ")
    assert "pv2" not in text and "pv3" not in text and untold(PLAN, make.site(*ders)) == []


def test_what_can_t_be_read_is_said_and_has_at_most_one_owner() -> None:
    state = make.site(make.pv(own_off=("freq_droop",)))
    assert two_owners(PLAN, state) == ""
    assert [line.partition(" itself")[0] for line in untold(PLAN, state)] == ["! pv1: whether it runs volt_var"]


@pytest.mark.parametrize("changes", [{"fresh": False}, {"controllable": False}])
def test_who_is_not_heard_or_not_written_keeps_nobody_from_control(changes: dict[str, Any]) -> None:
    assert two_owners(PLAN, make.site(make.pv(own_on=("volt_var",), **changes))) == ""
