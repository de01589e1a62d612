"""watt_var, const_pf, const_var, utility_limit and enter_service against OpenDER 2.2.0.

Where derctl differs on purpose: the var of a constant power factor keeps its sign while a battery charges (OpenDER's
turns with P); watt_var follows the measured power, OpenDER the desired one, which is the same once it is reached.
"""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.requests import LimitRequest
from derctl.functions.const_pf import ConstPf
from derctl.functions.const_var import ConstVar
from derctl.functions.enter_service import EnterService
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.operator import OperatorLimit
from derctl.functions.utility_limit import UtilityLimit
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt
from derctl.functions.watt_var import WattVar
from tests import make
from tests.conformance.test_priority import PRINTED, STEP_S, STEPS
from tests.timeline import DerTimeline, PlanTimeline

EXACT = 1e-6
POWERS = [0.05 * n for n in range(1, 21)]
FLAT_THEN_STEP = ((0.2, -0.22), (0.5, -0.22), (1.0, -0.44))  # 1547.1 curve 2


def curve_of(points: Any) -> dict[str, float]:
    return {
        f"QP_CURVE_{letter}{n}_GEN": value
        for n, (p, q) in enumerate(points, 1)
        for letter, value in (("P", p), ("Q", q))
    }


# ---- steady state


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [({}, {}), ({"points": FLAT_THEN_STEP}, curve_of(FLAT_THEN_STEP))],
    ids=["category B", "curve 2"],
)
def test_watt_var_agrees_with_opender_over_all_power(oracle: Any, ours: Any, theirs: Any) -> None:
    reference = oracle(QP_MODE_ENABLE=True, **theirs)
    for p in POWERS[3:]:  # from 0.2 on: below, OpenDER's own least power begins
        p_out, q = reference(p=p)
        der = make.pv(p_w=p_out * 10_000.0, q_var=None)
        told = PlanTimeline.of(WattVar(**ours), der="pv1").told(der, dt_s=0.0)["pv1"]
        assert told.q_var / 10_000.0 == pytest.approx(q, abs=EXACT), p


@pytest.mark.parametrize("p", [-1.0, -0.75, -0.5, -0.3, 0.3, 0.75, 0.85])
def test_watt_var_of_a_battery_agrees_on_both_sides(oracle: Any, p: float) -> None:
    reference = oracle(storage=True, QP_MODE_ENABLE=True)
    p_out, q = reference(p=p)
    bat = make.battery(p_w=p_out * 5_000.0, q_var=None)
    said = DerTimeline(WattVar()).proposes(bat, dt_s=0.0)
    assert said.q_var / 5_000.0 == pytest.approx(q, abs=EXACT)


@pytest.mark.parametrize("pf", [0.9, 0.95, 0.98, 1.0])
@pytest.mark.parametrize(("excitation", "theirs"), [("absorbing", "ABS"), ("injecting", "INJ")])
def test_constant_power_factor_scales_p_and_q_together_as_opender_does(
    oracle: Any, pf: float, excitation: str, theirs: str
) -> None:
    reference = oracle(CONST_PF_MODE_ENABLE=True, CONST_PF=pf, CONST_PF_EXCITATION=theirs)
    for p in POWERS:
        p_out, q_out = reference(p=p)
        der = make.pv(p_w=p * 10_000.0)
        told = PlanTimeline.of(ConstPf(pf=pf, excitation=excitation), der="pv1").told(der, dt_s=0.0)["pv1"]
        assert min(p, told.p_ceiling_w / 10_000.0) == pytest.approx(p_out, abs=EXACT)
        assert told.q_var / 10_000.0 == pytest.approx(q_out, abs=EXACT)


@pytest.mark.parametrize("q", [-0.44, -0.2, 0.0, 0.3, 0.44])
def test_constant_var_cuts_the_same_watts_as_opender(oracle: Any, q: float) -> None:
    reference = oracle(CONST_Q_MODE_ENABLE=True, CONST_Q=q)
    for p in POWERS[::3]:
        p_out, q_out = reference(p=p)
        der = make.pv(p_w=p * 10_000.0, q_var=None)
        told = PlanTimeline.of(ConstVar(q_pu=q), der="pv1").told(der, dt_s=0.0)["pv1"]
        assert min(p, told.p_ceiling_w / 10_000.0) == pytest.approx(p_out, abs=EXACT)
        assert told.q_var / 10_000.0 == pytest.approx(q_out, abs=EXACT)


@pytest.mark.parametrize("limit", [0.0, 0.33, 0.66, 1.0])
def test_the_utility_s_limit_is_opender_s_limit_of_active_power(oracle: Any, limit: float) -> None:
    reference = oracle(AP_LIMIT_ENABLE=True, AP_LIMIT=limit)
    for p in POWERS[::4]:
        told = PlanTimeline.of(UtilityLimit(limit_pu=limit), der="pv1").told(make.pv(p_w=p * 10_000.0))["pv1"]
        assert min(p, told.p_ceiling_w / 10_000.0) == pytest.approx(reference(p=p)[0], abs=EXACT)


# ---- in time


@pytest.mark.parametrize("dt_s", [0.1, 0.5, 1.0])
def test_constant_var_takes_opender_s_time(oracle: Any, dt_s: float) -> None:
    reference = oracle(t_s=dt_s, CONST_Q_MODE_ENABLE=True, CONST_Q=0.0, CONST_Q_RT=10.0)
    reference(p=0.5)
    reference.set(CONST_Q=-0.4)
    time, theirs, ours = DerTimeline(ConstVar(q_pu=-0.4)), [], []
    der = make.pv(p_w=5_000.0, q_var=0.0)
    for n in range(int(12.0 / dt_s)):
        theirs.append(reference(p=0.5)[1])
        ours.append(time.proposes(der, dt_s=dt_s if n else 0.0).q_var / 10_000.0)
    reached = next(n for n, q in enumerate(ours) if q <= -0.36) * dt_s
    assert reached == pytest.approx(10.0, abs=dt_s)
    assert theirs[-1] < -0.36, "OpenDER is not slower than the 10 s either"


@pytest.mark.parametrize(("delay_s", "ramp_s"), [(300.0, 300.0), (0.0, 1_000.0), (600.0, 60.0), (20.0, 20.0)])
def test_after_an_outage_power_comes_back_after_opender_s_delay_on_opender_s_ramp(
    oracle: Any, delay_s: float, ramp_s: float
) -> None:
    reference = oracle(t_s=1.0, ES_DELAY=delay_s, ES_RAMP_RATE=ramp_s)
    time = DerTimeline(EnterService(delay_s=delay_s, ramp_s=ramp_s))
    seconds = [(1.0, 10), (0.0, 30), (1.0, int(delay_s + ramp_s) + 60)]
    moments: dict[str, list[float]] = {"ours": [], "theirs": []}
    for v, count in seconds:
        for _ in range(count):
            p, _ = reference(p=1.0, v=v)
            said = time.at(make.pv(v_pu=v, f_hz=60.0, p_w=10_000.0))
            moments["theirs"].append(p)
            moments["ours"].append(min(1.0, getattr(said, "p_ceiling_w", 10_000.0) / 10_000.0))
    for share in (0.02, 0.5, 0.99):
        found = {
            name: next(n for n, p in enumerate(course) if n > 40 and p >= share) for name, course in moments.items()
        }
        assert found["ours"] == pytest.approx(found["theirs"], abs=3), share


@pytest.mark.parametrize(("v", "f"), [(0.9, 60.0), (1.055, 60.0), (1.0, 59.4), (1.0, 60.2)])
def test_outside_any_edge_of_the_window_neither_enters(oracle: Any, v: float, f: float) -> None:
    reference = oracle(t_s=1.0, ES_DELAY=10.0, ES_RAMP_RATE=10.0)
    time = DerTimeline(EnterService(delay_s=10.0, ramp_s=10.0))
    for v_now, f_now, count in ((0.0, 60.0, 30), (v, f, 60)):
        for _ in range(count):
            p, _ = reference(p=1.0, v=v_now, f=f_now)
            said = time.proposes(make.pv(v_pu=v_now, f_hz=f_now, p_w=10_000.0))
    assert (p, said.p_ceiling_w) == (0.0, 0.0)


# ---- tables 38 and 39 with each of the four reactive modes

MODES: dict[str, tuple[Any, dict[str, Any]]] = {
    "volt_var": (VoltVar(category="B"), {"QV_MODE_ENABLE": True}),
    "watt_var": (WattVar(), {"QP_MODE_ENABLE": True}),
    "const_pf": (
        ConstPf(pf=0.9),
        {"CONST_PF_MODE_ENABLE": True, "CONST_PF": 0.9, "CONST_PF_EXCITATION": "ABS"},
    ),
    "const_var": (ConstVar(q_pu=-0.44), {"CONST_Q_MODE_ENABLE": True, "CONST_Q": -0.44}),
}


@pytest.mark.parametrize("mode", MODES)
def test_tables_38_and_39_hold_with_each_reactive_mode_as_in_opender(oracle: Any, mode: str) -> None:
    function, theirs = MODES[mode]
    reference = oracle(
        t_s=1.0,
        PF_MODE_ENABLE=True,
        PV_MODE_ENABLE=True,
        PV_CURVE_P2=0.2,
        AP_LIMIT_ENABLE=True,
        AP_LIMIT=0.5,
        **theirs,
    )
    time = PlanTimeline.of(function, VoltWatt(), FreqDroop(), OperatorLimit(), der="pv1", f_nom_hz=60.0)
    limit = LimitRequest(id="half", by="home", der="pv1", p_ceiling_w=5_000.0, remaining_s=1e6)
    p_w, q_var, first = 5_000.0, 0.0, True
    for number, v, f, p_expected, *_ in STEPS:
        for _ in range(STEP_S):
            pv = make.pv(v_pu=v, f_hz=f, p_w=p_w, q_var=q_var)
            told = time.told(pv, dt_s=0.0 if first else 1.0, requests=(limit,))["pv1"]
            p_w, q_var, first = min(10_000.0, told.p_ceiling_w), told.q_var, False
            p, q = reference(p=1.0, v=v, f=f)
        assert p_w / 10_000.0 == pytest.approx(p_expected, abs=PRINTED), f"step {number}"
        assert p_w / 10_000.0 == pytest.approx(p, abs=PRINTED), f"step {number}"
        assert q_var / 10_000.0 == pytest.approx(q, abs=2e-3), f"step {number}"
