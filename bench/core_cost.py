"""(e) CPU time of the control core for each DER and tick: functions, arbitration, allocation; without any device."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Iterator
from math import sin
from statistics import median

from bench.row import Row
from derctl.core.engine import step
from derctl.core.plan import Memories, Plan
from derctl.core.types import Capability, DerState, PocState, Port, Rating, Reading, SiteState
from derctl.core.words import Status
from derctl.functions import plan_of
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.operator import OperatorLimit
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt

AIM_US = 40.0
"""For one DER and tick: a thousand of them in 4 % of a tick of 1 s."""
SIZES = (1, 10, 100, 1000)
STEPS = 20_000
"""DER ticks in all for each size, in three rounds; the least busy round counts."""
P_MAX_W, V_NOM_V, F_NOM_HZ = 10_000.0, 230.0, 50.0
OWN_OFF = ("volt_var", "volt_watt", "freq_droop")
RATING = Rating(
    p_max_w=P_MAX_W, p_min_w=0.0, s_max_va=P_MAX_W, q_inj_max_var=4_400.0, q_abs_max_var=4_400.0, v_nom_v=V_NOM_V
)
CAN = Capability(ac=Port(limit=True, var=True))


def rows(quick: bool) -> Iterable[Row]:
    """One row a size. linear: against ten DERs."""
    found = {ders: _us(ders, STEPS // (10 if quick else 1)) for ders in SIZES}
    for number, (ders, us) in enumerate(found.items(), 1):
        yield Row(
            row=f"e{number}",
            ratio=us / AIM_US,
            aim=1.0,
            measured=us,
            against=AIM_US,
            unit="us",
            means=f"CPU of the control core for each of {ders} DERs and a tick, five functions, everything moves",
            also={"linear": us / found[10]},
        )


def _us(ders: int, steps: int) -> float:
    """For one DER and tick."""
    names = tuple(f"pv{n}" for n in range(ders))
    functions = (VoltWatt(), VoltVar(), FreqDroop(), OperatorLimit())
    plan = plan_of(
        [(function, names) for function in functions], [(ContractExportLimit(limit_w=0.5 * P_MAX_W * ders), names)]
    )
    ticks = max(5, steps // (3 * ders))
    return min(_round(ders, [*_sites(names, ticks)], plan) for _ in range(3))


def _round(ders: int, sites: list[SiteState], plan: Plan) -> float:
    memories: Memories = {}
    spent: list[float] = []
    gc.collect()
    for site in sites:
        began = time.process_time_ns()
        memories, _ = step(plan, memories, site, 1.0)
        spent.append((time.process_time_ns() - began) / 1e3)
    return median(spent) / ders


def _sites(names: tuple[str, ...], ticks: int) -> Iterator[SiteState]:
    """Voltage, frequency and power move in each tick, in and out of every curve."""
    for t in range(ticks):
        f_hz = F_NOM_HZ + 0.1 * sin(t / 7.0)
        states = tuple(_der(name, n, t, f_hz) for n, name in enumerate(names))
        p_w = sum(state.reading.p_w or 0.0 for state in states)
        poc = PocState(
            reading=Reading(p_w=p_w, v_v=V_NOM_V, f_hz=f_hz), age_s=0.1, sample=t, fresh=True, v_nom_v=V_NOM_V
        )
        yield SiteState(t_s=float(t), tick_s=1.0, f_nom_hz=F_NOM_HZ, ders=states, poc=poc)


def _der(name: str, n: int, t: int, f_hz: float) -> DerState:
    share = 0.5 + 0.4 * sin(n + t / 11.0)
    reading = Reading(
        p_w=share * P_MAX_W,
        q_var=0.0,
        v_v=V_NOM_V * (1.04 + 0.05 * sin(n + t / 5.0)),
        f_hz=f_hz,
        status=Status.ON,
        own_off=OWN_OFF,
    )
    return DerState(
        id=name, rating=RATING, can=CAN, reading=reading, age_s=0.1, sample=t, fresh=True, controllable=True
    )
