"""What nobody watches is said while it is so, and only then."""

from typing import Any

import pytest

from derctl.core.memories import TRIAL
from derctl.core.plan import Plan
from derctl.core.trial import Case, Memory
from derctl.core.types import PocState, Reading
from derctl.core.value import replace
from derctl.daemon.report.unwatched import unwatched
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.fuse_limit import FuseLimit
from tests import make

FUSE = FuseLimit(fuse_a=63.0, phase_count=3.0)
CONTRACT = ContractExportLimit(limit_w=7000.0)
ON_TRIAL = {TRIAL: Memory(cases=(Case(der="bat1", since_s=0.0),))}


def said(function: Any, poc: PocState | None, memories: Any = None) -> tuple[str, ...]:
    plan = Plan(site_functions=((function, ("pv1",)),))
    return unwatched(plan, poc, {} if memories is None else memories)


def by_phase(*p_phase_w: float) -> PocState:
    return replace(make.meter(sum(p_phase_w)), reading=Reading(p_w=sum(p_phase_w), p_phase_w=p_phase_w))


def test_a_fuse_limit_without_phases_says_that_one_may_carry_more() -> None:
    (text,) = said(FUSE, make.meter(1000.0))
    assert "63 A" in text and "one alone may carry more" in text


@pytest.mark.parametrize(
    ("function", "poc"),
    [
        (FUSE, by_phase(100.0, 200.0, 300.0)),
        (FUSE, make.meter(1000.0, fresh=False)),
        (FUSE, None),
        (FuseLimit(fuse_a=63.0, phase_count=1.0), make.meter(1000.0)),
        (CONTRACT, make.meter(1000.0)),
    ],
)
def test_where_it_is_watched_or_nothing_is_known_nothing_is_said(function: Any, poc: PocState | None) -> None:
    assert said(function, poc) == ()


def test_while_one_is_on_trial_it_is_said_that_no_steps_are_made() -> None:
    (text,) = said(CONTRACT, make.meter(1000.0), ON_TRIAL)
    assert "bat1" in text and "no steps are made" in text
    assert said(ContractExportLimit(limit_w=7000.0, probe="none"), make.meter(1000.0), ON_TRIAL) == ()


def test_a_limit_of_each_phase_without_phases_says_that_no_load_counts() -> None:
    function = ContractExportLimit(limit_w=7000.0, phase_limit_w=3680.0)
    (text,) = said(function, make.meter(1000.0))
    assert "no load counts in any" in text and "3,680 W" in text
    assert said(function, by_phase(100.0, 200.0, 300.0)) == ()
