"""What is sent is what reads back: a setpoint on a step of the registers, which nobody writes again at each tick."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.types import Fallback, Rating, Setpoint
from derctl.daemon.actuate.deadband import Written, reason_to_write
from derctl.devices import Profile
from derctl.devices.sunspec.der import bind_pv, bind_storage
from tests.fake import bound, lay_out

ANY_W = st.floats(-1e7, 1e7) | st.floats(-6000, 6000)

LIMITS = [  # (device, control model, its points, one step in W)
    *[("pv_103", 123, {"WMaxLimPct_SF": sf, "WMaxLimPct": 100}, 50.0 * 10.0**sf) for sf in (-2, -1, 0)],
    *[("pv_7xx", 704, {"WMaxLimPct_SF": sf, "WMaxLimPct": 100}, 50.0 * 10.0**sf) for sf in (-2, -1, 0)],
]
TARGETS = [
    *[("storage_7xx", 704, {"WSet_SF": sf}, 10.0**sf) for sf in (-3, -1, 0, 1, 2)],
    *[("storage_7xx", 704, {"WSet": None, "WSetPct_SF": sf}, 50.0 * 10.0**sf) for sf in (-2, -1, 0)],
    *[("storage_124", 124, {"InOutWRte_SF": sf}, 40.0 * 10.0**sf) for sf in (-2, -1, 0)],
]
VARS = [  # 2200 var, or 5000 W
    *[("pv_103", 123, {"VArPct_SF": sf}, 22.0 * 10.0**sf) for sf in (-2, -1, 0)],
    *[("pv_103", 123, {"VArPct_SF": sf, "VArMaxPct": None}, 50.0 * 10.0**sf) for sf in (-2, -1, 0)],
    *[("pv_7xx", 704, {"VarSet_SF": sf}, 10.0**sf) for sf in (-1, 0, 1, 2)],
    *[("pv_7xx", 704, {"VarSet": None, "VarSetPct_SF": sf}, 22.0 * 10.0**sf) for sf in (-2, -1, 0)],
]


def there(lay_out: Any, bound: Any, how: Any, **options: Any) -> Any:
    name, model_id, points, step = how
    fake = lay_out(name)
    fake.put(model_id, **points)
    return fake, bound(fake, bind_storage if name.startswith("storage") else bind_pv, **options), step


def sent(fake: Any, device: Any, **asked: Any) -> Any:
    """What is sent, and what reads back of it."""
    sendable = device.sendable(Setpoint(**asked))
    assert device.sendable(sendable) == sendable
    fake.run(device.write(sendable, Fallback(), fake.poll(device)))
    return sendable, fake.reading(device).accepted


@given(asked=ANY_W, how=st.sampled_from(LIMITS))
def test_a_ceiling_is_sent_on_the_step_below_it(asked: Any, how: Any) -> None:
    fake, device, step = there(lay_out, bound, how)
    ours, held = sent(fake, device, p_ceiling_w=asked)
    assert ours.p_ceiling_w == pytest.approx(held.p_ceiling_w, abs=1e-3)
    inside = min(max(asked, 0.0), 5000.0)
    assert inside - step <= ours.p_ceiling_w <= inside


@given(asked=ANY_W, how=st.sampled_from(TARGETS))
def test_a_target_is_sent_on_the_step_nearer_to_rest(asked: Any, how: Any) -> None:
    fake, device, step = there(lay_out, bound, how)
    ours, held = sent(fake, device, p_target_w=asked)
    assert ours.p_target_w == pytest.approx(held.p_target_w, abs=1e-3)
    inside = min(max(asked, -4000.0), 4000.0 if how[0] == "storage_124" else 5000.0)  # 124: 100 % is WChaMax
    assert abs(inside) - step <= abs(ours.p_target_w) <= abs(inside)
    assert ours.p_target_w * inside >= 0.0


@given(asked=ANY_W, how=st.sampled_from(VARS))
def test_var_is_sent_on_the_nearest_step_inside_the_rating(asked: Any, how: Any) -> None:
    fake, device, step = there(lay_out, bound, how)
    ours, held = sent(fake, device, q_var=asked)
    assert ours.q_var == pytest.approx(held.q_var, abs=1e-3)
    inside = min(max(asked, -2200.0), 2200.0)
    assert abs(ours.q_var - inside) <= step / 2.0 + 1e-9
    assert abs(ours.q_var) <= 2200.0


@pytest.mark.parametrize(("asked", "var"), [(2240.0, 2200.0), (2260.0, 2200.0), (2149.0, 2100.0), (-2260.0, -2200.0)])
def test_the_nearest_step_is_no_excuse_to_leave_the_rating(asked: float, var: float) -> None:
    """100 var a step in a rating of 2260 var: 2300 var would be nearer."""
    fake = lay_out("pv_7xx", m702={"VarMaxInj": 2260, "VarMaxAbs": 2260})
    fake.put(704, VarSet_SF=2)
    ours, held = sent(fake, bound(fake, bind_pv), q_var=asked)
    assert (ours.q_var, held.q_var) == (var, var)


def test_a_target_that_reads_back_as_it_was_sent_is_not_written_again() -> None:
    """1 % of a WChaMax of 8 kW is 80 W, more than the dead band of 50 W: -2399 W reads back as -2320 W."""
    fake = lay_out("storage_124", m124={"InOutWRte_SF": 0, "WChaMax": 8000}, m120={"MaxChaRte": 8000})
    device = bound(fake, bind_storage)
    ours, held = sent(fake, device, p_target_w=-2399.0)
    assert (ours.p_target_w, held.p_target_w) == (-2320.0, -2320.0)
    rating = Rating(p_max_w=5000, p_min_w=-5000, s_max_va=5000, q_inj_max_var=0, q_abs_max_var=0, v_nom_v=230)
    why = reason_to_write(
        device.sendable(Setpoint(p_target_w=-2399.0)),
        held,
        Written(setpoint=ours, at_s=0.0),
        rating=rating,
        fallback=Fallback(p_ceiling_w=0.0),
        profile=Profile(),
        now_s=1.0,
    )
    assert why is None


def test_more_than_the_base_of_the_percentage_is_not_asked_for_again_and_again() -> None:
    """A battery of 5 kW whose 100 % are 4 kW."""
    fake = lay_out("storage_124")
    ours, held = sent(fake, bound(fake, bind_storage), p_target_w=5000.0)
    assert ours.p_target_w == held.p_target_w == 4000.0


@pytest.mark.parametrize("name", ["pv_103", "pv_7xx"])
@pytest.mark.parametrize("w_max", [3333, 4999, 5000, 7001])
def test_the_whole_rating_stays_the_whole_rating(name: str, w_max: int) -> None:
    changes: dict[str, Any] = {"m121": {"WMax": w_max}} if name == "pv_103" else {"m702": {"WMax": w_max}}
    device = bound(lay_out(name, **changes), bind_pv)
    assert device.sendable(Setpoint(p_ceiling_w=1e6)).p_ceiling_w == device.rating.p_max_w == w_max


def test_a_step_below_what_keeps_the_inverter_awake_is_zero() -> None:
    """12 % of 5000 W are 600 W; 10 % a step: 700 W are 500 W, where it would fall asleep."""
    fake = lay_out("pv_103", m123={"WMaxLimPct_SF": 1, "WMaxLimPct": 100})
    ours, held = sent(fake, bound(fake, bind_pv, min_limit_pct=12.0), p_ceiling_w=700.0)
    assert ours.p_ceiling_w == held.p_ceiling_w == 0.0


@pytest.mark.parametrize(
    ("sf", "habits", "least_w"),
    [
        (-2, {"deadband_pct": 0.5}, 25.0),
        (-2, {"deadband_pct": 0.5, "min_limit_pct": 12.0}, 600.0),
        (0, {"deadband_pct": 0.5}, 50.0),
        (1, {"min_limit_pct": 2.0}, 500.0),
    ],
    ids=["its dead band", "what keeps it awake", "a step", "a coarse step"],
)
def test_the_least_limit_above_zero_is_known(sf: int, habits: dict[str, float], least_w: float) -> None:
    """Of 5000 W: from 0 W on it is told that or more."""
    device = bound(lay_out("pv_103", m123={"WMaxLimPct_SF": sf, "WMaxLimPct": 100}), bind_pv, **habits)
    assert device.can.least_w == pytest.approx(least_w)


def test_of_an_inverter_without_a_limit_the_steps_are_not_known() -> None:
    assert bound(lay_out("storage_124"), bind_storage, deadband_pct=0.0).can.least_w == 0.0


@given(w_max=st.integers(1000, 30000), above=st.floats(0.0, 0.99))
def test_the_step_that_just_keeps_the_inverter_awake_is_kept(w_max: Any, above: Any) -> None:
    """10 % of 0.1 % steps: binary fractions below it are not 0 W."""
    device = bound(lay_out("pv_103", m121={"WMax": w_max}), bind_pv, min_limit_pct=10.0)
    asked = w_max * (0.1 + 0.001 * above)
    assert device.sendable(Setpoint(p_ceiling_w=asked)).p_ceiling_w == pytest.approx(w_max * 0.1)


@pytest.mark.parametrize(
    ("name", "model_id", "points", "asked"),
    [
        ("pv_103", 123, ("WMaxLimPct_SF",), {"p_ceiling_w": 1234.56}),
        ("pv_103", 123, ("VArPct_SF",), {"q_var": 1234.56}),
        ("pv_7xx", 704, ("WMaxLimPct_SF",), {"p_ceiling_w": 1234.56}),
        ("pv_7xx", 704, ("VarSet_SF", "VarSetPct_SF"), {"q_var": 1234.56}),
        ("storage_7xx", 704, ("WSet_SF", "WSetPct_SF"), {"p_target_w": 1234.56}),
        ("storage_124", 124, ("InOutWRte_SF",), {"p_target_w": 1234.56}),
    ],
)
def test_without_a_scale_factor_at_bind_a_setpoint_stays_as_it_is(
    name: str, model_id: int, points: Any, asked: Any
) -> None:
    _, device, _ = there(lay_out, bound, (name, model_id, dict.fromkeys(points), 0.0))
    assert device.sendable(Setpoint(**asked)) == Setpoint(**asked)


@pytest.mark.parametrize("name", ["pv_103", "pv_7xx"])
def test_a_scale_factor_that_changed_since_bind_costs_one_step_at_most(name: str) -> None:
    fake, device, _ = there(lay_out, bound, next(how for how in LIMITS if how[0] == name))
    for sf in (-1, 0):
        fake.put(123 if name == "pv_103" else 704, WMaxLimPct_SF=sf, WMaxLimPct=100)
        ours, held = sent(fake, device, p_ceiling_w=2049.9)
        assert ours.p_ceiling_w - 50.0 * 10.0**sf <= held.p_ceiling_w <= ours.p_ceiling_w


def test_what_cannot_be_told_is_only_clamped() -> None:
    device = bound(lay_out("storage_124", m123=None), bind_storage)
    asked = Setpoint(p_ceiling_w=9000.4, q_var=0.3)
    assert device.sendable(asked) == Setpoint(p_ceiling_w=5000.0, q_var=0.3)
