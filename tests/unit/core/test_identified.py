"""What was found out by stepping: what it hardly is above; and a stage in which nobody is told anything."""

import pytest

from derctl.core.identified import Identified, MeterFound, Pull
from derctl.core.stages import Heard, Sample, Stage
from derctl.core.types import NOTHING
from derctl.core.words import Belief


@pytest.mark.parametrize(
    ("v_pu", "error", "most_pu"), [(0.02, 0.001, 0.022), (-0.01, 0.001, 0.0), (-0.01, 0.01, 0.01)]
)
def test_a_pull_is_hardly_more_than_two_errors_above_and_never_below_nothing(
    v_pu: float, error: float, most_pu: float
) -> None:
    assert Pull(v_pu=v_pu, error=error).most_pu == pytest.approx(most_pu)


def test_what_was_not_found_out_is_none() -> None:
    assert (Identified().dv_dq, Identified().least_w, MeterFound().delay_s) == (None, None, None)
    assert MeterFound().belief is Belief.UNPROVEN


def test_a_stage_tells_nobody_anything_unless_it_says_so() -> None:
    assert Stage(seconds=1.0).setpoint is NOTHING
    heard = Heard(at_s=1.0, samples=(Sample(t_s=1.0),))
    assert (heard.sent, heard.samples[0].p_w) == (NOTHING, None)
