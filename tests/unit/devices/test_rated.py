"""A setpoint as a device can take it: table of what is asked and what is sent."""

from __future__ import annotations

import pytest

from derctl.core.types import NOTHING, Setpoint
from derctl.devices import Profile
from derctl.devices.steps import Steps
from derctl.devices.sunspec.controls.rated import Rated
from tests import make

RATED = Rated(rating=make.rating(p_max_w=5000.0, p_min_w=-3000.0), profile=Profile(min_limit_pct=2.0))
HUNDRED = Steps(size=100.0)


@pytest.mark.parametrize(
    ("asked", "inside"),
    [
        (NOTHING, NOTHING),
        (Setpoint(p_ceiling_w=9000.0), Setpoint(p_ceiling_w=5000.0)),
        (Setpoint(p_ceiling_w=-1.0), Setpoint(p_ceiling_w=0.0)),
        (Setpoint(p_ceiling_w=101.0), Setpoint(p_ceiling_w=101.0)),
        (Setpoint(p_ceiling_w=100.0), Setpoint(p_ceiling_w=100.0)),
        (Setpoint(p_ceiling_w=99.0), Setpoint(p_ceiling_w=0.0)),  # below 2 % of 5 kW it may fall asleep
        (Setpoint(p_target_w=-9000.0), Setpoint(p_target_w=-3000.0)),
        (Setpoint(p_target_w=9000.0), Setpoint(p_target_w=5000.0)),
        (Setpoint(p_target_w=20.0), Setpoint(p_target_w=20.0)),  # a target may be as small as it likes
    ],
)
def test_what_is_asked_ends_at_the_rating(asked: Setpoint, inside: Setpoint) -> None:
    assert RATED.inside(asked) == inside


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (Setpoint(p_ceiling_w=4999.0), Setpoint(p_ceiling_w=4900.0)),
        (Setpoint(p_ceiling_w=199.0), Setpoint(p_ceiling_w=100.0)),
        (Setpoint(p_target_w=-250.0), Setpoint(p_target_w=-200.0)),
        (Setpoint(p_target_w=250.0), Setpoint(p_target_w=200.0)),
    ],
)
def test_power_goes_to_the_step_nearer_to_zero(asked: Setpoint, sent: Setpoint) -> None:
    assert RATED.on_steps(asked, limit=HUNDRED, target=HUNDRED, var=HUNDRED) == sent


def test_a_step_down_may_be_below_what_keeps_it_awake() -> None:
    asked = Setpoint(p_ceiling_w=150.0)
    assert RATED.on_steps(asked, limit=Steps(size=90.0), target=None, var=None) == Setpoint(p_ceiling_w=0.0)


@pytest.mark.parametrize(("asked_var", "sent_var"), [(260.0, 300.0), (-260.0, -300.0), (240.0, 200.0)])
def test_var_goes_to_the_nearest_step(asked_var: float, sent_var: float) -> None:
    assert RATED.on_steps(Setpoint(q_var=asked_var), limit=None, target=None, var=HUNDRED).q_var == sent_var


def test_var_never_goes_to_a_step_outside_the_rating() -> None:
    most = RATED.inside(Setpoint(q_var=1e6)).q_var
    assert most is not None
    steps = Steps(size=most / 1.5)  # the nearest to most is 2 of them
    assert RATED.on_steps(Setpoint(q_var=most), limit=None, target=None, var=steps).q_var == steps.size


def test_what_the_device_has_no_group_for_goes_to_no_step() -> None:
    asked = Setpoint(p_ceiling_w=4999.0, p_target_w=250.0, q_var=99.0)
    assert RATED.on_steps(asked, limit=None, target=None, var=None) == asked
