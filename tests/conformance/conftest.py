"""OpenDER as the judge of the functions."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opender import DER, DER_BESS, DER_PV


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
