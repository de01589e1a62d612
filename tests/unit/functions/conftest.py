"""What the tests of the functions stand on: builders of what a function sees, and OpenDER as the second opinion."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from opender import DER, DER_BESS, DER_PV

from derctl.core.types import Capability, DerState, PocState, Port, Rating, Reading, Request, SiteState
from derctl.core.words import Status

settings.register_profile("functions", deadline=None)
settings.load_profile("functions")

OFF = ("volt_var", "volt_watt", "freq_droop", "watt_var")


def pv(
    name: str = "pv1", *, p_max_w: float = 10_000.0, v_nom_v: float = 230.0, q: float = 0.44, **given: Any
) -> DerState:
    """A PV inverter whose own functions read back off; `given`: fields of DerState or of its Reading."""
    rating = Rating(
        p_max_w=p_max_w,
        p_min_w=0.0,
        s_max_va=p_max_w,
        q_inj_max_var=q * p_max_w,
        q_abs_max_var=q * p_max_w,
        v_nom_v=v_nom_v,
    )
    return der(name, rating, Capability(ac=Port(limit=True, var=True)), **given)


def battery(
    name: str = "bat1", *, p_max_w: float = 5_000.0, charge_w: float = 5_000.0, v_nom_v: float = 230.0, **given: Any
) -> DerState:
    """A battery that takes targets."""
    rating = Rating(
        p_max_w=p_max_w,
        p_min_w=-charge_w,
        s_max_va=max(p_max_w, charge_w),
        q_inj_max_var=0.44 * p_max_w,
        q_abs_max_var=0.44 * p_max_w,
        v_nom_v=v_nom_v,
        e_max_wh=10_000.0,
    )
    return der(name, rating, Capability(ac=Port(aim=True, var=True), battery=Port()), **given)


def der(name: str, rating: Rating, can: Capability, **given: Any) -> DerState:
    """Fresh, controllable, on; `v_pu` instead of v_v for short."""
    if "v_pu" in given:
        given["v_v"] = given.pop("v_pu") * rating.v_nom_v
    of_state = {name: given.pop(name) for name in list(given) if name in DerState.__slots__ and name != "reading"}
    reading = Reading(**{"status": Status.ON, "own_off": OFF, **given})
    state = {"age_s": 0.0, "sample": 1, "fresh": True, "controllable": True, **of_state}
    return DerState(id=name, rating=rating, can=can, reading=reading, **state)


def site(
    *ders: DerState,
    f_nom_hz: float = 50.0,
    tick_s: float = 1.0,
    poc: PocState | None = None,
    requests: tuple[Request, ...] = (),
) -> SiteState:
    return SiteState(t_s=0.0, tick_s=tick_s, f_nom_hz=f_nom_hz, ders=ders, poc=poc, requests=requests)


def meter(p_w: float | None, *, sample: int, fresh: bool = True, v_nom_v: float = 230.0) -> PocState:
    return PocState(reading=Reading(p_w=p_w), age_s=0.0, sample=sample, fresh=fresh, v_nom_v=v_nom_v)


class Make:
    """The builders, for the tests."""

    pv = staticmethod(pv)
    battery = staticmethod(battery)
    site = staticmethod(site)
    meter = staticmethod(meter)

    @staticmethod
    def again(state: DerState, **reading: Any) -> DerState:
        """The same DER one sample later, with another reading."""
        if "v_pu" in reading:
            reading["v_v"] = reading.pop("v_pu") * state.rating.v_nom_v
        return replace(state, sample=state.sample + 1, reading=replace(state.reading, **reading))


@pytest.fixture(scope="session")
def make() -> type[Make]:
    return Make


class Oracle:
    """One OpenDER 2.2.0 model. Its time step is a class attribute: one fixture owns it.

    Everything is off but what is switched on; setting and mode delays are 0; capability does not shrink at low power
    (NP_Q_CAPABILITY_LOW_P = SAME) unless a test asks for it.
    """

    def __init__(self, model: type[DER], v_nom_v: float, phases: int, t_s: float, **settings: Any) -> None:
        DER.t_s = t_s
        v_base = v_nom_v * math.sqrt(3.0) if phases == 3 else v_nom_v
        low_p = settings.pop("NP_Q_CAPABILITY_LOW_P", "SAME")
        basis = {
            "NP_AC_V_NOM": v_base,
            "NP_PHASE": "THREE" if phases == 3 else "SINGLE",
            "NP_MODE_TRANSITION_TIME": 0,
            "NP_INV_DELAY": 0,
            "AP_RT": 0,
            "PF_MODE_ENABLE": False,
        }
        self.model = model(**{**basis, **settings})
        self.model.der_file.NP_Q_CAPABILITY_LOW_P = low_p
        self.model.der_file.initialize_NP_Q_CAPABILTY_BY_P_CURVE()
        self.storage = model is DER_BESS
        self.model.der_input.theta = 0.0

    def __call__(self, *, p: float = 1.0, v: float | list[float] = 1.0, f: float = 60.0) -> tuple[float, float]:
        """One step with available power (storage: demand) p. Returns P and Q in per unit."""
        power = {"p_dem_pu": p} if self.storage else {"p_dc_pu": p}
        self.model.update_der_input(v_pu=v, f=f, **power)
        self.model.run()
        return float(self.model.p_out_pu), float(self.model.q_out_pu)

    def set(self, **settings: Any) -> None:
        for name, value in settings.items():
            setattr(self.model.der_file, name, value)


MakeOracle = Callable[..., Oracle]
SNAPSHOT_S = 100_000.0
"""OpenDER's own step for a snapshot: every response is over within it."""


@pytest.fixture
def oracle() -> Iterator[MakeOracle]:
    was, level = DER.t_s, logging.root.level
    logging.root.setLevel(logging.CRITICAL)

    def build(
        *, v_nom_v: float = 230.0, phases: int = 3, t_s: float = SNAPSHOT_S, storage: bool = False, **settings: Any
    ) -> Oracle:
        return Oracle(DER_BESS if storage else DER_PV, v_nom_v, phases, t_s, **settings)

    yield build
    DER.t_s = was
    logging.root.setLevel(level)
